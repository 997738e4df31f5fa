//! Calls for clients that bring their own lists, over the API.

use std::time::Duration;

use chrono::TimeDelta;
use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::reports;
use outdial_jobs::operations::setup;
use outdial_jobs::providers::exotel::Settings;
use outdial_jobs::providers::http_client;
use outdial_jobs::store;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::{CallEnd, CallFact, CallResult, CallStatus, Source, Talk};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::results::{Speaker, Turn};
use outdial_workflows::rules::Rules;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Caller, each, key, place};
use crate::support::world::{Setup, World, settings, soon, until, until_some};

/// Through the world's account, by a flow of the carrier's.
fn through(world: &World) -> Value {
    let agent = json!({ "mode": "flow", "flow_id": "1001" });
    json!({
        "account": world.account, "from": "+918040000000", "rules": { "calendar": "none", "agent": agent },
    })
}

fn list(world: &World) -> String {
    format!("/v1/clients/{}/calls", world.client)
}

/// Orders one call through the world's account.
async fn order(caller: &Caller<'_>, lead: Value) -> Answer {
    let world = caller.world;
    caller.post(&list(world), json!({ "lead": lead, "through": through(world) })).await
}

fn id(answer: &Answer) -> Uuid {
    assert!(answer.status.is_success(), "{answer:?}");
    answer.body["id"].as_str().expect("an id").parse().expect("an id")
}

async fn shown(caller: &Caller<'_>, call: Uuid) -> Value {
    let answer = caller.get(&format!("{}/{call}", list(caller.world))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body
}

async fn cancel(caller: &Caller<'_>, call: Uuid) -> Answer {
    caller.ask(Method::POST, &format!("{}/{call}/cancel", list(caller.world)), None).await
}

/// A world in which calls end when somebody says so.
async fn patient() -> World {
    let settings = Settings {
        ask_first_ms: 600_000,
        poll_first_ms: 600_000,
        ask_cap_ms: 600_000,
        silence_ms: 600_000,
        ..settings()
    };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    world
}

/// Tells the first attempt of a call what its carrier would.
async fn hear(world: &World, call: Uuid, fact: CallFact) {
    let news = Input::News { attempt: AttemptNumber::FIRST, fact, source: Source::Webhook };
    world.engine.input(world.client, LeadId(call), news, None).await.expect("taken in");
}

async fn connected(world: &World, call: Uuid) {
    let bound = |record: &outdial_workflows::judge::LeadRecord| {
        record.attempts.first().is_some_and(|made| made.ledger == Ledger::Bound)
    };
    world.until(LeadId(call), bound).await;
    hear(world, call, CallFact::progress(None, CallStatus::Connected)).await;
}

async fn ended(world: &World, call: Uuid) {
    let talk = Some(Talk { ms: 5_000 });
    hear(world, call, CallFact::ended(None, CallEnd { result: CallResult::Answered, talk, cause: None }))
        .await;
}

#[tokio::test]
async fn a_call_is_ordered_once_under_a_name_and_each_time_without() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let lead = json!({ "phone": "+91 98765 00001", "name": "Asha", "external_id": "row 1" });
    let first = order(&caller, lead.clone()).await;
    assert_eq!((first.status, &first.body["status"]), (StatusCode::CREATED, &json!("scheduled")));
    assert_eq!(first.body["to"], "+919876500001");
    assert_eq!(id(&order(&caller, lead).await), id(&first), "it is the call of before");
    let unnamed = json!({ "phone": "+91 98765 00001", "name": "Asha" });
    let (one, other) = (order(&caller, unnamed.clone()).await, order(&caller, unnamed).await);
    assert!(id(&one) != id(&other) && id(&one) != id(&first));
    // All of them share a campaign, which was made and started once.
    let campaigns = caller.get(&format!("/v1/clients/{}/campaigns", world.client)).await;
    assert_eq!(each(&campaigns, "id"), [first.body["campaign"].clone()]);
    assert_eq!(each(&campaigns, "state"), ["running"]);
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1, "one call at a time");
    for call in [id(&first), id(&one), id(&other)] {
        assert_eq!(cancel(&caller, call).await.body["result"], "not_made");
    }
    world.end().await;
}

#[tokio::test]
async fn calls_that_go_by_other_rules_do_not_share_a_campaign() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let with = async |change: fn(&mut Value)| {
        let mut through = through(&world);
        change(&mut through);
        let input = json!({ "lead": { "phone": "+919876500001" }, "through": through });
        let placed = caller.post(&list(&world), input).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        placed.body["campaign"].as_str().expect("a campaign").to_owned()
    };
    let usual = with(|_| ()).await;
    let patient = with(|through| through["rules"]["ring_timeout_s"] = json!(60)).await;
    let again = with(|through| through["rules"]["ring_timeout_s"] = json!(60)).await;
    let from = with(|through| through["from"] = json!("+918040000001")).await;
    assert_eq!(patient, again);
    assert!(usual != patient && usual != from && patient != from);
    let rules = caller.get(&format!("/v1/campaigns/{patient}/rules")).await;
    assert_eq!(rules.body["rules"]["ring_timeout_s"], 60);
    world.end().await;
}

#[tokio::test]
async fn whoever_wants_to_hear_a_campaign_is_called_as_its_leads_would_be_and_not_counted_among_them() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    // Not even begun.
    let campaign = world.draft(json!({ "limits": [], "starts_at": "2036-01-01T00:00:00Z" })).await;
    let place = async || {
        let input = json!({ "lead": { "phone": "+919876500001", "name": "The owner" }, "test_of": campaign });
        let placed = caller.post(&list(&world), input).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        placed
    };
    let (first, again) = (place().await, place().await);
    assert_ne!(id(&first), id(&again), "each is a call of its own");
    let tests = first.body["campaign"].as_str().expect("a campaign").to_owned();
    assert_eq!(again.body["campaign"], json!(tests), "they share a campaign");
    assert_ne!(json!(tests), json!(campaign));
    let rules = caller.get(&format!("/v1/campaigns/{tests}/rules")).await;
    assert_eq!(rules.body["rules"]["agent"]["flow_id"], "1001");
    assert_eq!(rules.body["rules"]["retry"]["max_attempts"], 1);
    let counted = caller.get(&format!("/v1/campaigns/{campaign}")).await;
    assert_eq!(counted.body["leads"], 0, "{counted:?}");
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1, "one number, one call");
    for call in [id(&first), id(&again)] {
        assert_eq!(cancel(&caller, call).await.body["result"], "not_made");
    }
    world.end().await;
}

#[tokio::test]
async fn a_call_of_a_campaign_waits_while_it_is_paused_and_is_refused_once_it_was_ended() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let campaign = world.campaign(json!({})).await;
    world.order(campaign, Order::Pause).await;
    let place = async || {
        let input = json!({ "lead": { "phone": "+919876500001" }, "campaign": campaign });
        caller.post(&list(&world), input).await
    };
    let placed = place().await;
    assert_eq!((placed.status, &placed.body["campaign"]), (StatusCode::CREATED, &json!(campaign)));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    world.order(campaign, Order::Resume).await;
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1);
    assert_eq!(cancel(&caller, id(&placed)).await.body["result"], "not_made");
    world.run(&format!("update campaigns set state = 'ended' where campaign_id = '{campaign}'")).await;
    let late = place().await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{late:?}");
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_of_its_part() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let campaign = world.draft(json!({})).await;
    let lead = json!({ "phone": "+919876500001" });
    let both = json!({ "lead": lead, "through": through(&world), "campaign": campaign });
    assert_eq!(place(&caller.post(&list(&world), both).await), "through");
    assert_eq!(place(&caller.post(&list(&world), json!({ "lead": lead })).await), "through");
    for (part, value) in [("phone", "12"), ("zone", "Mars/Olympus"), ("region", "Atlantis")] {
        let mut wrong = lead.clone();
        wrong[part] = json!(value);
        assert_eq!(place(&order(&caller, wrong).await), format!("lead.{part}"));
    }
    let with = async |part: &str, value: Value| {
        let mut through = through(&world);
        through[part] = value;
        caller.post(&list(&world), json!({ "lead": lead, "through": through })).await
    };
    assert_eq!(place(&with("from", json!(" ")).await), "caller_ids");
    let unknown = with("rules", json!({ "variables": { "who": "{{ lead.nmae }}" } })).await;
    assert_eq!(place(&unknown), "rules");
    assert!(unknown.body["detail"].as_str().is_some_and(|told| told.contains("lead.nmae")), "{unknown:?}");
    let bad_name = json!({ "calendar": "none", "variables": { "two words": "x" } });
    assert_eq!(place(&with("rules", bad_name).await), "variables");
    assert_eq!(with("account", json!(Uuid::new_v4())).await.status, StatusCode::NOT_FOUND);
    let stranger =
        caller.post(&list(&world), json!({ "lead": { "fone": "1" }, "through": through(&world) })).await;
    assert!(stranger.body["detail"].as_str().is_some_and(|told| told.contains("fone")), "{stranger:?}");
    // Whatever was wrong, nothing was made.
    assert_eq!(world.count("select count(*) from leads").await, 0);
    assert_eq!(world.count("select count(*) from campaigns").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_call_that_is_scheduled_is_made_then_and_not_before() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let at = json!("2026-01-14T07:30:00Z");
    let input =
        json!({ "lead": { "phone": "+919876500001" }, "through": through(&world), "scheduled_at": at });
    let placed = caller.post(&list(&world), input).await;
    assert_eq!((placed.status, &placed.body["due_at"]), (StatusCode::CREATED, &at), "{placed:?}");
    clock.advance(TimeDelta::minutes(60) - TimeDelta::milliseconds(1));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 1);
    world.settle().await;
}

fn batch(world: &World, name: &str, leads: &Value) -> Value {
    json!({ "name": name, "through": through(world), "leads": leads })
}

async fn send(caller: &Caller<'_>, input: Value) -> Answer {
    caller.post(&format!("{}/batch", list(caller.world)), input).await
}

#[tokio::test]
async fn a_batch_is_taken_as_a_whole_or_not_at_all() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let good = json!({ "phone": "+919876500001" });
    for (bad, at) in [
        (json!({ "phone": "12" }), "leads[1].phone"),
        (json!({ "phone": "+919876500002", "zone": "Mars/Olympus" }), "leads[1].zone"),
        (json!({ "fone": "+919876500002" }), "leads[1]"),
        (json!("+919876500002"), "leads[1]"),
    ] {
        assert_eq!(place(&send(&caller, batch(&world, "Spring", &json!([good, bad]))).await), at);
    }
    let many = vec![json!({ "phone": "+919876500001" }); 10_001];
    assert_eq!(place(&send(&caller, batch(&world, "Spring", &json!(many))).await), "leads");
    let mut never = batch(&world, "Spring", &json!([good]));
    never["max_concurrent"] = json!(0);
    assert_eq!(send(&caller, never).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(place(&send(&caller, batch(&world, " ", &json!([good]))).await), "campaign name");
    // Digits that an index cannot press together.
    let long: String = (0..10_000_u32).map(|nth| nth.wrapping_mul(2_654_435_761).to_string()).collect();
    assert_eq!(place(&send(&caller, batch(&world, &long, &json!([good]))).await), "campaign name");
    assert_eq!(world.count("select count(*) from campaigns").await, 0);
    assert_eq!(world.count("select count(*) from leads").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_batch_may_have_ten_thousand_people_of_whom_much_is_known() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let attributes = json!({ "note": "n".repeat(600) });
    let leads =
        (0..10_000_u32).map(|nth| json!({ "phone": format!("+9198{nth:08}"), "attributes": attributes }));
    let mut input = batch(&world, "Spring", &leads.collect());
    input["scheduled_at"] = json!("2126-01-01T00:00:00Z");
    let path = format!("{}/batch", list(&world));
    let sent = caller.ask_once(Method::POST, &path, Some(input), Some("spring")).await;
    assert_eq!((sent.status, &sent.body["accepted"]), (StatusCode::CREATED, &json!(10_000)), "{sent:?}");
    world.settle().await;
}

#[tokio::test]
async fn a_batch_is_a_campaign_with_its_own_limit_priority_and_time() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let leads = json!([
        { "phone": "+919876500001" }, { "phone": "+919876500002", "priority": "low" },
        { "phone": "+919876500003" }, { "phone": "+919876500001" },
        { "phone": "+919876500004", "external_id": "4" }, { "phone": "+919876500005", "external_id": "4" },
    ]);
    let mut input = batch(&world, "Spring", &leads);
    input["max_concurrent"] = json!(2);
    input["priority"] = json!("high");
    input["scheduled_at"] = json!("2026-01-14T07:00:00Z");
    let sent = send(&caller, input.clone()).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{sent:?}");
    assert_eq!((&sent.body["accepted"], &sent.body["duplicates"]), (&json!(4), &json!(2)));
    let campaign = sent.body["batch"].as_str().expect("an id");
    let stands = caller.get(&format!("/v1/campaigns/{campaign}")).await.body;
    assert_eq!((&stands["name"], &stands["state"]), (&json!("Spring"), &json!("running")));
    let rules = caller.get(&format!("/v1/campaigns/{campaign}/rules")).await.body;
    assert_eq!(rules["rules"]["limits"], json!([{ "limit": "concurrent", "max": 2 }]));
    let listed = caller.get(&format!("{}?campaign={campaign}&order=asc", list(&world))).await;
    let priority_of = |phone: &str| {
        let items = listed.body["items"].as_array().expect("items");
        items.iter().find(|call| call["to"] == phone).map(|call| call["priority"].clone())
    };
    assert_eq!(priority_of("+919876500001"), Some(json!("high")), "unless a call says otherwise");
    assert_eq!(priority_of("+919876500002"), Some(json!("low")));
    assert_eq!(send(&caller, input).await.status, StatusCode::CONFLICT, "the name is taken");
    clock.advance(TimeDelta::minutes(29));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 2);
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    world.settle().await;
}

#[tokio::test]
async fn a_batch_that_a_crash_kept_from_beginning_is_gone_on_with_when_it_is_sent_again() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let leads =
        json!([{ "phone": "+919876500001" }, { "phone": "+919876500002" }, { "phone": "+919876500002" }]);
    let input = batch(&world, "Spring", &leads);
    let first = send(&caller, input.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    // As a process leaves it that dies behind the first page.
    let lost = "(select lead_id from leads where phone = '+919876500002')";
    for table in ["workflow_events", "workflows", "leads"] {
        world.run(&format!("delete from {table} where lead_id in {lost}")).await;
    }
    world.run("update campaigns set state = 'draft'").await;
    let again = send(&caller, input).await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body), "all of it is there");
    assert_eq!(world.count("select count(*) from leads").await, 2);
    assert_eq!(world.count("select count(*) from campaigns where state = 'running'").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_batch_does_not_take_a_draft_over_that_somebody_is_at_work_on() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let spec =
        CampaignSpec { name: "Spring", account: world.account, rules: &Rules::default(), actor: "asha" };
    campaigns::create(&world.engine, world.client, spec).await.expect("a campaign");
    let sent = send(&caller, batch(&world, "Spring", &json!([{ "phone": "+919876500001" }]))).await;
    assert_eq!(sent.status, StatusCode::CONFLICT, "{sent:?}");
    assert_eq!(world.count("select count(*) from campaigns where state = 'draft'").await, 1);
    assert_eq!(world.count("select count(*) from leads").await, 0);
    world.end().await;
}

/// All calls of a list, page by page.
async fn all(caller: &Caller<'_>, query: &str, limit: usize) -> Vec<Value> {
    let (mut found, mut cursor) = (vec![], String::new());
    loop {
        let page = caller.get(&format!("{}?{query}&limit={limit}{cursor}", list(caller.world))).await;
        let ids = each(&page, "id");
        assert!(ids.len() <= limit);
        found.extend(ids);
        let Some(next) = page.body["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_clients_calls_are_listed_either_way_round_by_how_they_stand() {
    let world = World::working().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    for (nth, script) in
        [Scenario::answered(Duration::from_secs(5)), Scenario::failed()].into_iter().enumerate()
    {
        let phone = format!("+91987650000{}", nth + 1);
        world.carrier.script(&phone, vec![script; 9]);
        let mut through = through(&world);
        through["rules"]["retry"] = json!({ "max_attempts": 1 });
        let input = json!({ "lead": { "phone": phone }, "through": through });
        assert_eq!(caller.post(&list(&world), input).await.status, StatusCode::CREATED);
    }
    world.all_finished().await;
    let later = json!([
        { "phone": "+919876500003" }, { "phone": "+919876500004" }, { "phone": "+919876500005" },
    ]);
    let mut input = batch(&world, "Later", &later);
    input["scheduled_at"] = json!("2126-01-01T00:00:00Z");
    let campaign = send(&caller, input).await.body["batch"].as_str().expect("an id").to_owned();
    let newest = all(&caller, "order=desc", 2).await;
    assert_eq!(newest.len(), 5);
    for limit in [1, 2, 5] {
        let mut oldest = all(&caller, "order=asc", limit).await;
        oldest.reverse();
        assert_eq!(oldest, newest, "the same either way round");
    }
    assert_eq!(all(&caller, "", 200).await, newest, "the newest first");
    assert_eq!(all(&caller, &format!("campaign={campaign}"), 2).await, newest[..3]);
    assert_eq!(all(&caller, "status=scheduled&order=desc", 2).await, newest[..3]);
    assert_eq!(all(&caller, "status=completed", 1).await, newest[4..]);
    assert_eq!(all(&caller, "status=failed", 1).await, newest[3..4]);
    assert_eq!(all(&caller, "outcome=successful", 1).await, newest[4..]);
    assert_eq!(all(&caller, "outcome=successful&status=failed", 1).await, Vec::<Value>::new());
    assert_eq!(all(&caller, &format!("campaign={}", Uuid::new_v4()), 1).await, Vec::<Value>::new());
    for wrong in ["status=lost", "cursor=1", "limit=0", "limit=201", "states=scheduled"] {
        let answer = caller.get(&format!("{}?{wrong}", list(&world))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_call_is_followed_from_its_order_to_what_came_of_it() {
    let world = patient().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    world.carrier.script("+919876500001", [Scenario::silent()]);
    let campaign = world.draft(json!({})).await;
    let input = json!({ "lead": { "phone": "+919876500001", "external_id": "row 1" }, "campaign": campaign });
    let placed = caller.post(&list(&world), input).await;
    let call = id(&placed);
    assert_eq!((&placed.body["status"], &placed.body["latest"]), (&json!("scheduled"), &Value::Null));
    world.order(campaign, Order::Start).await;
    let bound = until_some("the carrier to take it", async || {
        let call = shown(&caller, call).await;
        if call["latest"]["call_id"].is_string() { Ok(call) } else { Err(call.to_string()) }
    })
    .await;
    assert_eq!(bound["status"], "initiated", "{bound}");
    assert_eq!(bound["latest"]["from"], "+918040000000");
    assert_eq!(bound["latest"]["account"], json!(world.account));
    hear(&world, call, CallFact::progress(None, CallStatus::Ringing)).await;
    assert_eq!(shown(&caller, call).await["status"], "ringing");
    connected(&world, call).await;
    let talking = shown(&caller, call).await;
    assert_eq!((&talking["status"], &talking["outcome"]), (&json!("connected"), &Value::Null));
    assert!(talking["latest"]["answered_at"].is_string(), "{talking}");
    ended(&world, call).await;
    world.finished(LeadId(call)).await;
    let over = shown(&caller, call).await;
    assert_eq!((&over["status"], &over["outcome"]), (&json!("completed"), &json!("successful")), "{over}");
    assert_eq!((&over["attempts"], &over["latest"]["talk_ms"]), (&json!(1), &json!(5_000)));
    assert_eq!(over["external_id"], "row 1");
    assert!(over["latest"]["ended_at"].is_string() && over["due_at"].is_null(), "{over}");
    world.end().await;
}

#[tokio::test]
async fn a_call_is_followed_as_it_is_talked_until_it_is_over() {
    let world = patient().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    world.carrier.script("+919876500001", [Scenario::silent()]);
    let campaign = world.campaign(json!({})).await;
    let input = json!({ "lead": { "phone": "+919876500001" }, "campaign": campaign });
    let call = id(&caller.post(&list(&world), input).await);
    let open = async || {
        let address = world.address(&format!("{}/{call}/live", list(&world)));
        let request = http_client().expect("a client").get(address);
        let stream = request.bearer_auth(caller.token.as_deref().expect("a token")).send().await;
        let stream = stream.expect("an answer");
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        stream
    };
    let stream = open().await;
    connected(&world, call).await;
    let attempt = AttemptRef { client: world.client, lead: LeadId(call), number: AttemptNumber::FIRST };
    let said = [(Speaker::Agent, "Good day."), (Speaker::Person, "Who is it?")];
    for (speaker, text) in said {
        let turn = Turn::said(speaker, text.into(), None);
        reports::turns(&world.engine, DialKey(attempt), vec![turn]).await.expect("kept");
    }
    ended(&world, call).await;
    world.finished(LeadId(call)).await;
    let told = soon("the stream to end", stream.text()).await.expect("text");
    let turns: Vec<&str> = told.split("\n\n").filter(|event| event.contains("event: turn")).collect();
    assert_eq!(turns.len(), 2, "{told}");
    assert!(turns[0].contains("id: 1") && turns[0].contains("Good day."), "{told}");
    assert!(turns[1].contains("id: 2") && turns[1].contains("Who is it?"), "{told}");
    assert!(told.trim_end().ends_with(r#"data: {"status":"completed"}"#), "{told}");
    // Whoever comes late is told all of it.
    let late = soon("the stream to end", open().await.text()).await.expect("text");
    assert_eq!(late.matches("event: turn").count(), 2, "{late}");
    world.end().await;
}

#[tokio::test]
async fn a_call_is_cancelled_before_it_is_made_and_nobody_is_dialled() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let waiting = id(&order(&caller, json!({ "phone": "+919876500001" })).await);
    let reserved = id(&order(&caller, json!({ "phone": "+919876500002" })).await);
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 2);
    let third = id(&order(&caller, json!({ "phone": "+919876500003" })).await);
    for call in [waiting, reserved, third] {
        for _ in 0..2 {
            let cancelled = cancel(&caller, call).await;
            assert_eq!(cancelled.body["result"], "not_made", "{cancelled:?}");
            assert_eq!(cancelled.body["call"]["status"], "cancelled", "{cancelled:?}");
        }
    }
    world.work().await;
    assert_eq!(world.engine.admit(world.client).await.expect("a round").reserved, 0);
    until("jobs to be gone", async || world.count("select count(*) from jobs").await == 0).await;
    assert_eq!(world.carrier.totals().requests, 0);
    world.end().await;
}

#[tokio::test]
async fn a_call_under_way_that_its_carrier_cannot_end_goes_on_and_says_why() {
    let world = patient().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    world.carrier.script("+919876500001", [Scenario::silent()]);
    let call = id(&order(&caller, json!({ "phone": "+919876500001" })).await);
    connected(&world, call).await;
    let cancelled = cancel(&caller, call).await;
    assert_eq!((cancelled.status, &cancelled.body["result"]), (StatusCode::OK, &json!("goes_on")));
    assert!(cancelled.body["why"].as_str().is_some_and(|why| why.contains("Exotel")), "{cancelled:?}");
    assert_eq!(cancelled.body["call"]["status"], "connected");
    ended(&world, call).await;
    world.finished(LeadId(call)).await;
    for _ in 0..2 {
        assert_eq!(cancel(&caller, call).await.body["result"], "was_over");
    }
    assert_eq!(world.carrier.totals().accepted, 1);
    world.end().await;
}

#[tokio::test]
async fn a_call_that_is_over_is_not_cancelled() {
    let world = World::working().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    world.carrier.script("+919876500001", [Scenario::answered(Duration::from_secs(5))]);
    let call = id(&order(&caller, json!({ "phone": "+919876500001" })).await);
    world.finished(LeadId(call)).await;
    let cancelled = cancel(&caller, call).await;
    assert_eq!((cancelled.status, &cancelled.body["result"]), (StatusCode::OK, &json!("was_over")));
    assert_eq!(cancelled.body["call"]["status"], "completed");
    world.end().await;
}

#[tokio::test]
async fn a_call_in_quarantine_is_not_said_to_be_over() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let call = id(&order(&caller, json!({ "phone": "+919876500001" })).await);
    world.run("update workflows set quarantined = true").await;
    let cancelled = cancel(&caller, call).await;
    assert_eq!(cancelled.status, StatusCode::CONFLICT, "{cancelled:?}");
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let now = world.database_time().await;
    store::quarantine::release(&mut conn, world.client, LeadId(call), now).await.expect("released");
    assert_eq!(cancel(&caller, call).await.body["result"], "not_made");
    world.end().await;
}

#[tokio::test]
async fn another_clients_key_sees_none_of_a_clients_calls() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let call = id(&order(&caller, json!({ "phone": "+919876500001" })).await);
    let campaign = world.draft(json!({})).await;
    let other = setup::create_client(&world.engine, "Another client").await.expect("a client");
    let stranger = key(&world, Role::Admin, Some(other)).await;
    let theirs = format!("/v1/clients/{other}/calls");
    assert_eq!(each(&stranger.get(&theirs).await, "id"), Vec::<Value>::new());
    assert_eq!(stranger.get(&format!("{theirs}?campaign={campaign}")).await.body["items"], json!([]));
    for path in [format!("{theirs}/{call}"), format!("{}/{call}", list(&world)), list(&world)] {
        assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [format!("{theirs}/{call}/cancel"), format!("{}/{call}/cancel", list(&world))] {
        assert_eq!(stranger.ask(Method::POST, &path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for place in [json!({ "campaign": campaign }), json!({ "through": through(&world) })] {
        let mut input = place;
        input["lead"] = json!({ "phone": "+919876500001" });
        let placed = stranger.post(&theirs, input).await;
        assert_eq!(placed.status, StatusCode::NOT_FOUND, "{placed:?}");
    }
    // Not even with a key for all clients does a call go into another client's campaign.
    let all = key(&world, Role::Admin, None).await;
    let input = json!({ "lead": { "phone": "+919876500001" }, "campaign": campaign });
    assert_eq!(place(&all.post(&theirs, input).await), "campaign");
    assert_eq!(shown(&caller, call).await["status"], "scheduled");
    world.end().await;
}
