//! Asking over a socket: what a room tells of a call, and what it cannot.

use chrono::TimeDelta;
use outdial_workflows::call::{CallId, Found};
use serde_json::{Value, json};

use super::stub::{Act, Stub, answer, json};
use crate::providers::livekit::fixtures;
use crate::providers::{Carrier, HangUp, Question, Requests};

fn callee(status: &str) -> Value {
    json!({"sid": "PA_1", "identity": "callee", "state": "ACTIVE", "kind": "SIP", "joined_at": "1768467311",
        "attributes": {"sip.callID": "SCL_1", "sip.callStatus": status}, "disconnect_reason": "UNKNOWN_REASON"})
}

fn somebody(kind: &str, identity: &str) -> Value {
    json!({"sid": "PA_2", "identity": identity, "state": "ACTIVE", "kind": kind, "attributes": {}})
}

fn room(participants: &[Value]) -> Act {
    json(200, &json!({ "participants": participants }))
}

/// What came of it, and what was asked. `None`: to end the call.
async fn ask(act: Act, call: Option<Option<&str>>) -> (String, Vec<String>) {
    let stub = Stub::start([act]).await;
    let livekit = fixtures::livekit(&stub.url);
    let (attempt, rules, phone) = (fixtures::attempt(), fixtures::rules(), fixtures::phone());
    let now = fixtures::submitted_at() + TimeDelta::minutes(1);
    let (key, requests) = (fixtures::key(), &Requests::default());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let told = match call {
        None => match livekit.hang_up(&question).await {
            HangUp::Failed { cause } => format!("failed: {cause}"),
            other => format!("{other:?}"),
        },
        Some(call) => {
            let found = match call.map(|call| CallId(call.into())) {
                Some(call) => livekit.status(&call, &question).await,
                None => livekit.find(&question).await,
            };
            match found {
                Found::Call(fact) => {
                    let end = fact.end.map_or(String::new(), |end| format!(" {:?}", end.result));
                    format!("{} {}{end}", fact.call_id.expect("a call id"), fact.status.name())
                }
                Found::NotSeen { conclusive_after_ms } => format!("not seen {conclusive_after_ms}"),
                Found::CannotTell { cause } => format!("cannot tell: {cause}"),
            }
        }
    };
    assert_eq!(requests.count(), 1);
    (told, stub.requests())
}

async fn find(act: Act) -> String {
    ask(act, Some(None)).await.0
}

#[tokio::test]
async fn a_lost_dial_is_found_by_who_is_in_its_room() {
    let (told, requests) = ask(room(&[somebody("AGENT", "agent-1"), callee("ringing")]), Some(None)).await;
    assert_eq!(told, "SCL_1 ringing");
    let key = fixtures::key().to_string();
    assert!(requests[0].starts_with("POST /twirp/livekit.RoomService/ListParticipants "), "{requests:?}");
    assert!(requests[0].ends_with(&format!("\r\n\r\n{{\"room\":\"{key}\"}}")), "{requests:?}");
}

#[tokio::test]
async fn a_call_with_a_name_is_looked_for_in_the_same_way() {
    for (status, told) in [
        ("dialing", "SCL_1 initiated"),
        ("ringing", "SCL_1 ringing"),
        ("active", "SCL_1 connected"),
        ("automation", "SCL_1 connected"),
        ("hangup", "SCL_1 completed Answered"),
    ] {
        assert_eq!(ask(room(&[callee(status)]), Some(Some("SCL_1"))).await.0, told);
    }
}

#[tokio::test]
async fn a_room_without_the_person_proves_nothing_until_the_longest_call_is_over() {
    let gone = || json(404, &json!({"code": "not_found", "msg": "requested room does not exist"}));
    let others = [somebody("AGENT", "agent-1"), somebody("STANDARD", "callee"), somebody("SIP", "colleague")];
    // 30 s of ringing, 600 s of call, 2 min of delay.
    for act in [room(&[]), room(&others), gone()] {
        assert_eq!(find(act.clone()).await, "not seen 750000");
        assert_eq!(ask(act, Some(Some("SCL_1"))).await.0, "not seen 750000");
    }
}

#[tokio::test]
async fn trouble_is_never_taken_for_absence() {
    for (act, says) in [
        (Act::Reset, "was not reached"),
        (Act::Say(answer(200, "<html/>")), "not in the documented form"),
        (Act::Say(answer(200, "{}")), "not in the documented form"),
        (Act::Say(answer(404, "404 page not found")), "HTTP 404"),
        (json(404, &json!({"code": "bad_route", "msg": "no handler"})), "bad_route"),
        (Act::Say(answer(401, "invalid API key")), "invalid API key"),
        (json(429, &json!({"code": "resource_exhausted", "msg": "slow"})), "HTTP 429"),
        (json(500, &json!({})), "HTTP 500"),
    ] {
        let told = find(act).await;
        assert!(told.starts_with("cannot tell: ") && told.contains(says), "{told}");
    }
}

#[tokio::test]
async fn a_call_is_ended_by_taking_the_person_out_of_the_room() {
    let (told, requests) = ask(json(200, &json!({})), None).await;
    assert_eq!(told, "Asked");
    let message = format!(r#"{{"room":"{}","identity":"callee"}}"#, fixtures::key());
    assert!(requests[0].starts_with("POST /twirp/livekit.RoomService/RemoveParticipant "), "{requests:?}");
    assert!(requests[0].ends_with(&message), "{requests:?}");
    let gone = json(404, &json!({"code": "not_found", "msg": "participant does not exist"}));
    assert_eq!(ask(gone, None).await.0, "Over");
    for act in [Act::Reset, json(404, &json!({"code": "bad_route", "msg": "x"})), json(503, &json!({}))] {
        assert!(ask(act, None).await.0.starts_with("failed: "));
    }
}

#[tokio::test]
async fn a_test_of_the_account_says_what_to_do() {
    let trunks = |items: Value| json(200, &json!({ "items": items }));
    for (act, ok, says) in [
        (trunks(json!([{"sip_trunk_id": "ST_1", "numbers": ["+15550100"]}])), true, "has the trunk ST_1"),
        (trunks(json!([{"sip_trunk_id": "ST_1", "numbers": []}])), true, "set caller_ids"),
        (trunks(json!([{"sip_trunk_id": "", "numbers": []}])), false, "no outbound trunk ST_1"),
        (trunks(json!([{}])), false, "no outbound trunk ST_1"),
        (trunks(json!([])), false, "no outbound trunk ST_1"),
        (Act::Say(answer(200, "<html/>")), false, "no LiveKit server"),
        (Act::Say(answer(401, "invalid API key")), false, "copy API key and API secret"),
        (json(401, &json!({"code": "unauthenticated", "msg": "permissions denied"})), false, "copy API key"),
        (Act::Say(answer(404, "404 page not found")), false, "none of a LiveKit server"),
        (json(429, &json!({"code": "resource_exhausted", "msg": "slow"})), false, "again in a minute"),
        (
            json(500, &json!({"code": "internal", "msg": "sip not connected (redis required)"})),
            false,
            "set up its SIP service",
        ),
        (json(302, &json!({})), false, "sends us elsewhere"),
        (json(502, &json!({})), false, "try again"),
        (Act::Reset, false, "was not reached"),
    ] {
        let stub = Stub::start([act.clone()]).await;
        let check = fixtures::livekit(&stub.url).check().await;
        assert_eq!(check.ok, ok, "{act:?}: {}", check.message);
        assert!(check.message.contains(says), "{act:?}: {}", check.message);
        let requests = stub.requests();
        assert!(requests[0].starts_with("POST /twirp/livekit.SIP/ListSIPOutboundTrunk "), "{requests:?}");
        assert!(requests[0].ends_with(r#"{"trunk_ids":["ST_1"]}"#), "{requests:?}");
    }
}
