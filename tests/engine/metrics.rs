//! What `/metrics` says: as it is documented, by name, and true.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::By;
use outdial_jobs::operations::analytics::{self, Asked};
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::reports;
use outdial_jobs::operations::subscribers::{self, Spec};
use outdial_jobs::providers::http_client;
use outdial_workflows::analytics::Abandonment;
use outdial_workflows::conversation::Ending;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::input::{Command, Input};
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Cost;
use outdial_workflows::results::{CallResults, Course};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::exposition::{CONVERSATIONS, Families, Family, documented, families};
use crate::support::world::{Setup, World, phones, until};

const BY: By<'static> = By { actor: "a test", reason: None };

fn talk() -> Scenario {
    Scenario::answered(Duration::from_secs(200))
}

/// What the world's server shows.
async fn shown(world: &World) -> String {
    let asked =
        http_client().expect("a client").get(world.address("metrics")).send().await.expect("answered");
    assert_eq!(asked.status(), StatusCode::OK);
    asked.text().await.expect("text")
}

/// The value of a series, its labels in the order in which they are shown.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().expect("a number"))
}

/// A conversation of our own agent is over.
async fn reported(world: &World, lead: LeadId, abandoned: Option<bool>) {
    let course = Course {
        playbook: "minimal".into(),
        version: 0,
        ending: Ending::PersonLeft,
        lasted_ms: 9_000,
        speculated_in_vain: 0,
        first_words_ms: None,
        abandoned,
    };
    let results = CallResults { course: Some(course), ..CallResults::default() };
    let attempt = AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST };
    reports::result(&world.engine, DialKey(attempt), results).await.expect("taken in");
}

#[tokio::test]
async fn of_those_who_answered_our_agent_the_share_that_heard_nobody_is_counted_over_thirty_days() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let mut leads = vec![];
    for phone in phones(1, 3) {
        leads.push(world.scripted(campaign, &phone, [talk()]).await);
    }
    world.all_finished().await;
    for (lead, abandoned) in leads.iter().zip([Some(false), Some(true), None]) {
        reported(&world, *lead, abandoned).await;
    }
    let name: String =
        sqlx::query_scalar("select name from campaigns").fetch_one(world.db.pool()).await.expect("a name");
    let labels = format!("{{campaign=\"{name}\",client=\"A client\"}}");
    let counted = async || {
        let text = shown(&world).await;
        let value = |name: &str| value(&text, &format!("{name}{labels}"));
        (value("outdial_person_answered_30d"), value("outdial_abandoned_30d"))
    };
    until("both to be counted", async || counted().await == (Some(2.0), Some(1.0))).await;
    let asked = Asked { campaign: Some(campaign), ..Asked::default() };
    let told = analytics::calls(&world.engine, world.client, asked).await.expect("told").abandonment;
    assert_eq!(told, Some(Abandonment { answered: 2, abandoned: 1, rate: Some(0.5) }));
    // What is told anew of a call takes the place of what was told before.
    reported(&world, leads[1], Some(false)).await;
    until("the other", async || counted().await == (Some(2.0), Some(0.0))).await;
    until("all to be rolled up", async || {
        world.count("select count(*) from call_statistics_deltas").await == 0
    })
    .await;
    for (days, left) in [(29, Some(2.0)), (1, None)] {
        world.run(&format!("update abandonment set day = day - {days}")).await;
        until("it to be so long ago", async || counted().await.0 == left).await;
    }
    world.end().await;
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_shown() {
    let limits = vec![Limit::Concurrent { max: 50 }, Limit::per_second(100)];
    let mut world = World::with(Setup { limits, ..Setup::default() }).await;
    world.engine.send_events_with(
        outdial_jobs::events::Courier::new(&["127.0.0.0/8".parse().expect("a network")]).expect("a courier"),
    );
    world.work().await;
    let spec = Spec { url: "http://127.0.0.1:9/hook".into(), ..Spec::default() };
    subscribers::create(&world.engine, world.client, &spec, BY).await.expect("a subscriber");
    let campaign = world.campaign(json!({})).await;
    // Somebody is called again, somebody talks, and two campaigns want the same person.
    let talked = world.scripted(campaign, "+919876500001", [talk()]).await;
    world.scripted(campaign, "+919876500002", [Scenario::no_answer(), talk()]).await;
    let another = world.campaign(json!({})).await;
    world.scripted(campaign, "+919876500003", [talk(), talk()]).await;
    let rival = world.lead(another, "+919876500003").await;
    let mut seen = Families::new();
    let look = async |seen: &mut Families| {
        for (name, family) in families(&shown(&world).await) {
            let known = seen.entry(name).or_default();
            known.labels.extend(family.labels.clone());
            *known = Family { labels: std::mem::take(&mut known.labels), ..family };
        }
    };
    look(&mut seen).await;
    world.finished(talked).await;
    let cost = Cost { micros: 1_500_000 };
    let priced = Input::Priced { attempt: AttemptNumber::FIRST, cost };
    world.engine.input(world.client, talked, priced, None).await.expect("taken in");
    reported(&world, talked, Some(false)).await;
    let sections = documented();
    let documented: Families =
        sections.values().flatten().map(|(name, family)| (name.clone(), family.clone())).collect();
    let missing = |seen: &Families| -> Vec<String> {
        // What conversations show, they are asked for where they are held.
        let here = sections.iter().filter(|(section, _)| *section != CONVERSATIONS);
        here.flat_map(|(_, families)| families.keys())
            .filter(|name| !seen.contains_key(*name))
            .cloned()
            .collect()
    };
    let seen = tokio::sync::Mutex::new(seen);
    let all_seen = until("every documented metric to be shown", async || {
        let mut seen = seen.lock().await;
        look(&mut seen).await;
        let missing = missing(&seen);
        if !missing.is_empty() {
            eprintln!("not shown yet: {missing:?}");
        }
        missing.is_empty()
    });
    all_seen.await;
    let seen = seen.into_inner();
    for (name, family) in seen.iter().filter(|(name, _)| !sections[CONVERSATIONS].contains_key(*name)) {
        assert_eq!(documented.get(name), Some(family), "{name}: dashboards/metrics.md says otherwise");
    }
    // Whoever found the number busy waits for half a minute.
    world.command(rival, Command::Cancel).await;
    world.all_finished().await;
    // The subscriber takes nothing, so that its job stays.
    world.settle().await;
    world.judge().await;
}

#[tokio::test]
async fn leads_are_shown_by_state_and_reason_as_a_recount_has_them() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({ "calendar": "none" })).await;
    world.order(campaign, Order::Pause).await;
    world.leads(campaign, &phones(1, 5)).await;
    let name: String =
        sqlx::query_scalar("select name from campaigns").fetch_one(world.db.pool()).await.expect("a name");
    let of = format!("campaign=\"{name}\",client=\"A client\"");
    let waiting = format!("outdial_leads{{{of},reason=\"new\",state=\"waiting\"}}");
    assert_eq!(value(&shown(&world).await, &waiting), Some(5.0), "pending counts are shown");
    world.order(campaign, Order::Start).await;
    world.work().await;
    world.all_finished().await;
    until("the roll-up", async || world.count("select count(*) from statistics_deltas").await == 0).await;
    let text = until_shown(&world, &format!("outdial_leads_finished{{{of},outcome=\"successful\"}}")).await;
    assert_eq!(value(&text, &waiting), None, "what is not there any more is not shown");
    let recount = world.count("select count(*) from workflows where outcome = 'successful'").await;
    let told = value(&text, &format!("outdial_leads_finished{{{of},outcome=\"successful\"}}"));
    assert_eq!(told, Some(f64::from(i32::try_from(recount).expect("few"))));
    let rolled = "select count(*) from (
        select client_id, campaign_id, state, outcome, count(*) from workflows group by 1, 2, 3, 4
        except
        select client_id, campaign_id, state, outcome, sum(count)::bigint from standings group by 1, 2, 3, 4) differ";
    assert_eq!(world.count(rolled).await, 0, "the standings are those of the leads");
    world.end().await;
}

async fn until_shown(world: &World, series: &str) -> String {
    let text = tokio::sync::Mutex::new(String::new());
    until("it to be shown", async || {
        *text.lock().await = shown(world).await;
        value(&text.lock().await, series).is_some()
    })
    .await;
    text.into_inner()
}

#[tokio::test]
async fn without_the_database_a_process_still_shows_what_it_counts() {
    let world = World::new().await;
    let cut_off = world.another_engine().await;
    cut_off.pool().close().await;
    cut_off.metrics().read(&cut_off).await;
    let text = prometheus::TextEncoder::new().encode_to_string(&cut_off.metrics().gather()).expect("text");
    assert_eq!(value(&text, "outdial_database_up"), Some(0.0));
    assert_eq!(value(&text, "outdial_second_calls"), None);
    assert_eq!(value(&text, "outdial_quarantines_total{kind=\"job\"}"), Some(0.0));
    world.end().await;
}

#[tokio::test]
async fn no_number_and_no_lead_is_a_label() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 3)).await;
    world.all_finished().await;
    let text = shown(&world).await;
    for lead in leads {
        assert!(!text.contains(&lead.to_string()));
    }
    for phone in phones(1, 3) {
        assert!(!text.contains(phone.trim_start_matches('+')), "{phone}");
    }
    world.settle().await;
    world.end().await;
}
