//! What agents report of the conversations that they hold, each with the token of its call.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Caller, key, place};
use crate::support::world::{World, told};

/// The first call of a lead.
fn call_of(world: &World, lead: LeadId) -> DialKey {
    DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST })
}

/// The agent that holds a call.
fn agent(world: &World, call: DialKey) -> Caller<'_> {
    Caller { world, token: Some(world.engine.key().secret_of(call)) }
}

async fn report(agent: &Caller<'_>, call: DialKey, what: &str, body: Value) -> Answer {
    agent.post(&format!("/v1/calls/{call}/{what}"), body).await
}

async fn results(world: &World, lead: LeadId) -> Value {
    let caller = key(world, Role::Viewer, Some(world.client)).await;
    let shown = caller.get(&format!("/v1/clients/{}/calls/{lead}", world.client)).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    shown.body["results"].clone()
}

/// A lead whose call is over.
async fn called(world: &World) -> LeadId {
    let campaign = world.campaign(json!({})).await;
    let lead = world.scripted(campaign, "+919876500001", [Scenario::answered(Duration::from_secs(5))]).await;
    world.finished(lead).await;
    lead
}

#[tokio::test]
async fn only_the_token_of_a_call_lets_anybody_report_of_it() {
    let world = World::working().await;
    let lead = called(&world).await;
    let call = call_of(&world, lead);
    let second = DialKey(AttemptRef { number: AttemptNumber::new(2).expect("not zero"), ..call.0 });
    let admin = key(&world, Role::Admin, None).await;
    let strangers = [
        Caller { world: &world, token: None },
        Caller { world: &world, token: Some("0".repeat(32)) },
        agent(&world, second),
        admin,
    ];
    let (turns, result) = (json!({ "turns": [] }), json!({ "summary": "Short." }));
    for stranger in strangers {
        for (what, body) in [("turns", &turns), ("result", &result)] {
            let answer = report(&stranger, call, what, body.clone()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
            assert_eq!(answer.content_type, "application/problem+json");
        }
    }
    // An attempt that was never made has a token too, and nothing to report of.
    for (what, body) in [("turns", turns), ("result", result)] {
        let answer = report(&agent(&world, second), second, what, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }
    let nonsense = agent(&world, call).post("/v1/calls/1/result", json!({})).await;
    assert_eq!(nonsense.status, StatusCode::UNAUTHORIZED, "{nonsense:?}");
    assert_eq!(results(&world, lead).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn what_was_said_is_kept_once_and_in_its_order_however_it_is_reported() {
    let world = World::working().await;
    let lead = called(&world).await;
    let call = call_of(&world, lead);
    let agent = agent(&world, call);
    let (hello, yes, bye) = (
        json!({ "speaker": "agent", "text": "Hello", "at_ms": 100 }),
        json!({ "speaker": "person", "text": "Yes?", "at_ms": 900 }),
        json!({ "speaker": "agent", "text": "Goodbye", "at_ms": 4_000 }),
    );
    // As other agents' tools call it.
    let user = json!({ "role": "user", "text": "Yes?", "at_ms": 900 });
    for turns in [json!([bye, hello]), json!([hello, user]), json!([hello, yes, bye]), json!([])] {
        let answer = report(&agent, call, "turns", json!({ "turns": turns })).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }
    assert_eq!(results(&world, lead).await["transcript"], json!([hello, yes, bye]));
    // A result beside it takes nothing away.
    let answer = report(&agent, call, "result", json!({ "summary": "Short." })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert_eq!(results(&world, lead).await["transcript"].as_array().map(Vec::len), Some(3));
    let campaign = world.count("select count(*) from campaigns").await;
    assert_eq!(campaign, 1);
    let viewer = key(&world, Role::Viewer, Some(world.client)).await;
    let lead = viewer.get(&format!("/v1/leads/{lead}")).await;
    let path = format!(
        "/v1/campaigns/{}/export?of=transcripts&format=csv",
        lead.body["campaign"].as_str().expect("a campaign")
    );
    let request = outdial_jobs::providers::http_client().expect("a client").get(world.address(&path));
    let request = request.bearer_auth(viewer.token.as_deref().unwrap_or_default());
    let exported = request.send().await.expect("an answer").text().await.expect("text");
    let spoken = ["Hello", "Yes?", "Goodbye"].map(|text| exported.find(text).expect("it is told"));
    assert!(spoken.is_sorted(), "{exported}");
    world.end().await;
}

#[tokio::test]
async fn reports_that_cannot_be_read_are_refused_and_nothing_is_kept() {
    let world = World::working().await;
    let lead = called(&world).await;
    let call = call_of(&world, lead);
    let agent = agent(&world, call);
    let turn = json!({ "speaker": "agent", "text": "Hello" });
    for (what, body) in [
        ("turns", json!({})),
        ("turns", json!({ "turns": [{ "speaker": "nobody", "text": "Hello" }] })),
        ("turns", json!({ "turns": [{ "speaker": "agent", "text": "Hello", "words": [] }] })),
        ("turns", json!({ "turns": [{ "speaker": "agent", "text": "Hel\0lo" }] })),
        ("turns", json!({ "turns": [{ "speaker": "agent", "text": "n".repeat(20_001) }] })),
        ("turns", json!({ "turns": [turn], "result": {} })),
        ("turns", json!({ "turns": vec![turn.clone(); 1_001] })),
        ("result", json!({ "outcome": "delighted" })),
        ("result", json!({ "sumary": "Short." })),
        ("result", json!({ "sentiment": "angry" })),
        ("result", json!({ "analysis": { "note": "a\0b" } })),
    ] {
        let answer = report(&agent, call, what, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        assert!(!place(&answer).is_empty());
    }
    assert_eq!(results(&world, lead).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_result_says_what_came_of_a_call_that_settles_and_is_read_with_it() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "settle_ms": 2_000 })).await;
    let lead = world.scripted(campaign, "+919876500001", [Scenario::answered(Duration::from_secs(5))]).await;
    world.until(lead, |record| record.workflow.state == State::Settling).await;
    let call = call_of(&world, lead);
    let agent = agent(&world, call);
    let first = json!({
        "outcome": "appointment_scheduled", "summary": "Tuesday it is.", "sentiment": "positive",
        "analysis": { "floor": 3 },
    });
    for part in [
        first.clone(),
        first,
        json!({ "intent": "to see the flat", "keywords": ["flat", "Tuesday"], "analysis": { "lift": true } }),
    ] {
        let answer = report(&agent, call, "result", part).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }
    let record = world.finished(lead).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::AppointmentScheduled));
    assert_eq!(told(&record), ["bound: appointment scheduled"]);
    let results = results(&world, lead).await;
    assert_eq!(results["summary"], "Tuesday it is.");
    assert_eq!(results["sentiment"], "positive");
    assert_eq!(results["intent"], "to see the flat");
    assert_eq!(results["keywords"], json!(["flat", "Tuesday"]));
    let analysis = json!({ "outcome": "appointment_scheduled", "floor": 3, "lift": true });
    assert_eq!(results["analysis"], analysis, "a later part takes nothing away");
    world.end().await;
}

#[tokio::test]
async fn a_wish_not_to_be_called_again_holds_at_once_and_for_the_whole_client() {
    let world = World::working().await;
    let lead = called(&world).await;
    let call = call_of(&world, lead);
    let answer = report(&agent(&world, call), call, "result", json!({ "do_not_call": true })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let listed = "select count(*) from suppressions where phone = '+919876500001' and campaign_id is null";
    assert_eq!(world.count(listed).await, 1);
    assert_eq!(world.record(lead).await.workflow.outcome, Some(Outcome::DoNotCall));
    let elsewhere = world.campaign(json!({})).await;
    let again = world.lead(elsewhere, "+919876500001").await;
    let again = world.finished(again).await;
    assert_eq!((told(&again), again.workflow.outcome), (vec![], Some(Outcome::DoNotCall)));
    assert_eq!(world.carrier.totals().accepted, 1);
    world.end().await;
}

#[tokio::test]
async fn an_agent_needs_no_more_than_its_token_and_hears_of_no_other_call() {
    let world = World::working().await;
    let lead = called(&world).await;
    let call = call_of(&world, lead);
    let agent = agent(&world, call);
    for path in ["/v1/me".to_owned(), format!("/v1/clients/{}/calls/{lead}", world.client)] {
        assert_eq!(agent.get(&path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let nobodys = DialKey(AttemptRef { lead: LeadId(Uuid::nil()), ..call.0 });
    let answer = report(&agent, nobodys, "result", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    world.end().await;
}
