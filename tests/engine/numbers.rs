//! Limits of clients and of single numbers, pools of numbers, and breakers.

use std::collections::BTreeMap;
use std::time::Duration;

use outdial_emulators::exotel::{self as emulated, Scenario};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::exotel::{Credentials, Exotel as Adapter};
use outdial_workflows::ids::{AccountId, CampaignId, LeadId};
use outdial_workflows::input::Command;
use serde_json::{Value, json};
use url::Url;

use crate::limits::three_workers;
use crate::support::world::{Setup, World, phones, settings, soon, told, until};

/// A second account of the world's client with the same carrier, without limits, and a campaign on it.
async fn second_account(world: &World) -> (AccountId, CampaignId) {
    let who = emulated::Account::default();
    let base_url = Url::parse(world.carrier.base_url()).expect("a URL");
    let credentials =
        Credentials { account_sid: who.sid, api_key: who.api_key, api_token: "token1".to_owned().into() };
    let spec = AccountSpec {
        limits: vec![],
        without_default_limits: true,
        ..AccountSpec::with::<Adapter>("Exotel, too", &base_url, &credentials, &settings())
    };
    let account = setup::create_account(&world.engine, world.client, spec).await.expect("an account");
    let (_, rules) =
        campaigns::rules(&world.engine, world.client, world.draft(json!({})).await).await.expect("rules");
    let spec = CampaignSpec { name: "On the second", account, rules: &rules, actor: "a test" };
    (account, campaigns::create(&world.engine, world.client, spec).await.expect("a campaign"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_may_do_at_once_binds_all_of_its_accounts_together_and_neither_starves() {
    let world = three_workers(vec![]).await;
    let (second, on_second) = second_account(&world).await;
    let on_first = world.draft(json!({})).await;
    let (changed, code) =
        world.says(&["client", "limit", &world.client.to_string(), "--max-concurrent", "3"]).await;
    assert_eq!(code, Some(0), "{changed}");
    assert_eq!(changed["after"], json!([{ "limit": "concurrent", "max": 3 }]));
    for (campaign, phones) in [(on_first, phones(1, 30)), (on_second, phones(100, 30))] {
        for phone in &phones {
            world.carrier.script(phone, [Scenario::answered(Duration::from_secs(10))]);
        }
        world.leads(campaign, &phones).await;
        world.order(campaign, Order::Start).await;
    }
    let first_done = "select count(*) from attempts where ended_at is not null and account_id";
    until("half of one account's leads", async || {
        world.count(&format!("{first_done} <> '{second}'")).await >= 15
    })
    .await;
    assert!(world.count(&format!("{first_done} = '{second}'")).await >= 5, "both are served in turn");
    world.all_finished().await;
    let totals = world.carrier.totals();
    assert_eq!((totals.live_max, totals.accepted), (3, 60));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_rate_is_kept_by_all_processes_and_accounts_together() {
    let world = three_workers(vec![]).await;
    let (_, on_second) = second_account(&world).await;
    let on_first = world.draft(json!({})).await;
    let client = world.client.to_string();
    let (changed, code) = world.says(&["client", "limit", &client, "--delay-between-calls", "100ms"]).await;
    assert_eq!(code, Some(0), "{changed}");
    for (campaign, phones) in [(on_first, phones(1, 8)), (on_second, phones(100, 8))] {
        world.leads(campaign, &phones).await;
        world.order(campaign, Order::Start).await;
    }
    world.all_finished().await;
    let times: Vec<_> = world.carrier.dials().timeline.iter().map(|dial| dial.at).collect();
    for two in times.windows(2) {
        assert!(two[1] - two[0] >= chrono::TimeDelta::milliseconds(100), "{two:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_lowered_holds_from_the_next_reservation_on() {
    let world = three_workers(vec![]).await;
    let campaign = world.draft(json!({})).await;
    let phones = phones(1, 40);
    for phone in &phones {
        world.carrier.script(phone, [Scenario::answered(Duration::from_secs(20))]);
    }
    world.leads(campaign, &phones).await;
    let account = world.account.to_string();
    let (_, code) = world.says(&["account", "limit", &account, "--max-concurrent", "6"]).await;
    assert_eq!(code, Some(0));
    world.order(campaign, Order::Start).await;
    soon("calls to be placed", world.carrier.until(|totals| totals.accepted >= 6)).await;
    let lower = ["account", "limit", &account, "--max-concurrent", "2", "--reason", "the carrier said so"];
    let (_, code) = world.says(&lower).await;
    assert_eq!(code, Some(0));
    let lowered = world.database_time().await;
    let audited = "select count(*) from audit where action = 'limit' and reason = 'the carrier said so'";
    assert_eq!(world.count(audited).await, 1);
    world.all_finished().await;
    assert!(world.carrier.totals().live_max <= 6);
    // The judge looks at all that were reserved since; this is what the carrier saw of those.
    let since: Vec<String> = sqlx::query_scalar("select call_id from attempts where reserved_at > $1")
        .bind(lowered)
        .fetch_all(world.db.pool())
        .await
        .expect("listed");
    let calls = world.carrier.calls();
    for call in calls.iter().filter(|call| since.contains(&call.sid)) {
        let at = call.accepted_at;
        let live = calls
            .iter()
            .filter(|other| other.accepted_at <= at && other.ended_at.is_none_or(|ended_at| ended_at > at));
        assert!(live.count() <= 2, "{call:?}");
    }
    world.end().await;
}

const POOL: [&str; 3] = ["+918040000000", "+912240000000", "+12025550100"];

/// How many calls came from each number.
fn by_number(world: &World) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for dial in world.carrier.dials().timeline {
        *calls.entry(dial.caller_id).or_default() += 1;
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_carries_no_more_calls_at_once_than_it_may_over_all_campaigns() {
    let world = three_workers(vec![]).await;
    let account = world.account.to_string();
    for (number, max) in [(POOL[0], "1"), (POOL[1], "2")] {
        let (changed, code) =
            world.says(&["number", "limit", &account, number, "--max-concurrent", max]).await;
        assert_eq!(code, Some(0), "{changed}");
    }
    let pool = json!({ "caller_ids": [POOL[0], POOL[1]] });
    let campaigns = [world.draft(pool.clone()).await, world.draft(pool).await];
    for (campaign, phones) in campaigns.into_iter().zip([phones(1, 15), phones(100, 15)]) {
        for phone in &phones {
            world.carrier.script(phone, [Scenario::answered(Duration::from_secs(10))]);
        }
        world.leads(campaign, &phones).await;
        world.order(campaign, Order::Start).await;
    }
    world.all_finished().await;
    // The judge looks at each number by itself.
    let totals = world.carrier.totals();
    assert_eq!((totals.live_max, totals.accepted), (3, 30));
    assert_eq!(by_number(&world).len(), 2);
    world.end().await;
}

#[tokio::test]
async fn numbers_take_turns() {
    let world = World::working().await;
    let campaign = world.draft(json!({ "caller_ids": POOL })).await;
    world.leads(campaign, &phones(1, 30)).await;
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    assert_eq!(by_number(&world).into_values().collect::<Vec<_>>(), [10, 10, 10]);
    world.end().await;
}

#[tokio::test]
async fn a_lead_is_tried_again_from_the_number_that_called_it_before() {
    let world = World::working().await;
    let campaign = world.draft(json!({ "caller_ids": POOL, "number_choice": "sticky" })).await;
    let phones = phones(1, 12);
    for phone in &phones {
        world.carrier.script(phone, [Scenario::no_answer(), Scenario::busy(), Scenario::answered(SHORT)]);
    }
    world.leads(campaign, &phones).await;
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for dial in world.carrier.dials().timeline {
        used.entry(dial.number).or_default().push(dial.caller_id);
    }
    for (phone, numbers) in &used {
        assert_eq!(numbers.len(), 3, "{phone}");
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{phone}: {numbers:?}");
    }
    assert_eq!(by_number(&world).len(), 3, "and first calls take turns");
    world.end().await;
}

const SHORT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_lead_is_called_from_the_number_nearest_to_its_own() {
    let world = World::working().await;
    let rules = json!({ "caller_ids": POOL, "number_choice": "same_area" });
    let campaign = world.draft(rules).await;
    let phones: Vec<String> = ["+918040000001", "+912240000001", "+12025550101"].map(str::to_owned).to_vec();
    world.leads(campaign, &phones).await;
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    for dial in world.carrier.dials().timeline {
        assert_eq!(dial.caller_id[..5], dial.number[..5], "{dial:?}");
    }
    world.end().await;
}

async fn with_exophones(exophones: &[&str]) -> World {
    let usual = Setup::default();
    let carrier = emulated::Config {
        exophones: exophones.iter().map(|number| (*number).to_owned()).collect(),
        ..usual.carrier
    };
    let mut world = World::with(Setup { carrier, ..Setup::default() }).await;
    world.work().await;
    world
}

fn any_caller_id(world: &World) {
    let config = emulated::Config { exophones: vec![], ..world.carrier.config() };
    world.carrier.configure(config).expect("the carrier takes it");
}

async fn numbers(world: &World) -> Value {
    world.says(&["number", "list", &world.account.to_string()]).await.0
}

async fn held(world: &World) -> Vec<LeadId> {
    let held = sqlx::query_scalar("select lead_id from workflows where state = 'held'");
    held.fetch_all(world.db.pool()).await.expect("read").into_iter().map(LeadId).collect()
}

/// Lets those go whom our side of a call kept from being called.
async fn resume_held(world: &World) -> Vec<LeadId> {
    let held = held(world).await;
    for lead in &held {
        world.command(*lead, Command::Resume).await;
    }
    held
}

#[tokio::test]
async fn a_number_that_the_carrier_turns_down_rests_and_the_others_go_on() {
    let world = with_exophones(&[POOL[1]]).await;
    let limits = json!([{ "limit": "concurrent", "max": 2 }]);
    let campaign = world.draft(json!({ "caller_ids": [POOL[0], POOL[1]], "limits": limits })).await;
    world.leads(campaign, &phones(1, 24)).await;
    world.order(campaign, Order::Start).await;
    until("all leads to be called or held", async || {
        world.count("select count(*) from workflows where state not in ('finished', 'held')").await == 0
    })
    .await;
    let turned_down = world.carrier.totals().invalid;
    assert!((5..=8).contains(&turned_down), "five, and what was under way meanwhile: {turned_down}");
    assert_eq!(world.carrier.totals().accepted, 24 - turned_down);
    assert_eq!(u64::try_from(held(&world).await.len()).expect("a count"), turned_down, "nobody's fault");
    let known = numbers(&world).await;
    assert_eq!(known.as_array().map(Vec::len), Some(1), "nothing is noted of the one that works: {known}");
    assert_eq!((&known[0]["number"], &known[0]["trips"]), (&json!(POOL[0]), &json!(1)), "{known}");
    let cause = known[0]["resting_cause"].as_str().unwrap_or_default();
    assert!(cause.contains("in a row") && cause.contains("CallerId"), "{cause}");
    // Once it has rested, one call tries it; the carrier takes it now, and it is as good as new.
    any_caller_id(&world);
    world.run("update numbers set resting_until = clock_timestamp()").await;
    let resumed = resume_held(&world).await;
    let more = world.leads(campaign, &phones(100, 8)).await;
    for lead in more {
        assert_eq!(told(&world.finished(lead).await), ["bound: successful"]);
    }
    for lead in resumed {
        assert_eq!(told(&world.finished(lead).await), ["refused, not counted", "bound: successful"]);
    }
    assert_eq!(numbers(&world).await[0]["trips"], json!(0));
    assert!(by_number(&world)[POOL[0]] >= 2, "{:?}", by_number(&world));
    world.end().await;
}

#[tokio::test]
async fn an_account_whose_calls_are_all_turned_down_rests_and_goes_on_with_one() {
    let world = with_exophones(&["+918049999999"]).await;
    let pool: Vec<String> = (0..20).map(|n| format!("+9180400000{n:02}")).collect();
    let rules = json!({ "caller_ids": pool, "limits": [{ "limit": "concurrent", "max": 2 }] });
    let campaign = world.draft(rules).await;
    world.leads(campaign, &phones(1, 30)).await;
    world.order(campaign, Order::Start).await;
    until("the account to rest", async || {
        world.count("select count(*) from accounts where trips = 1").await == 1
    })
    .await;
    // A round that began before it rested may admit yet; the next one waits for its end.
    until("such a round to be over", async || world.engine.admit(world.client).await.is_ok()).await;
    until("nothing to be under way", async || {
        world.count("select count(*) from attempts where live").await == 0
    })
    .await;
    let turned_down = world.carrier.totals().invalid;
    assert!((10..=20).contains(&turned_down), "ten, and what was under way meanwhile: {turned_down}");
    let waits = "select lead_id::text from workflows where state = 'waiting' limit 1";
    let waits: String = sqlx::query_scalar(waits).fetch_one(world.db.pool()).await.expect("one waits");
    let explained = world.says(&["lead", "explain", &waits]).await.0;
    let next = explained["next"]["what"].as_str().unwrap_or_default();
    assert!(next.ends_with("until then, its carrier account rests"), "{explained}");
    // The carrier still turns it down: one call tries, and the next rest is longer.
    world.run("update accounts set resting_until = clock_timestamp()").await;
    world.engine.admit(world.client).await.expect("a round");
    until("it to rest again", async || {
        world.count("select count(*) from accounts where trips = 2").await == 1
    })
    .await;
    assert_eq!(world.carrier.totals().invalid, turned_down + 1, "one at a time");
    any_caller_id(&world);
    world.run("update accounts set resting_until = clock_timestamp()").await;
    resume_held(&world).await;
    world.engine.admit(world.client).await.expect("a round");
    world.all_finished().await;
    assert_eq!(world.carrier.totals().accepted, 30);
    assert_eq!(
        world.count("select count(*) from accounts where trips = 0 and resting_until is null").await,
        1
    );
    world.end().await;
}
