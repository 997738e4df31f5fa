//! Placing a call over a socket: the room, exactly one request that rings, and what each failure means.

use std::time::{Duration, Instant};

use outdial_workflows::call::{DialReply, Refusal};
use serde_json::json;

use super::stub::{Act, Stub, answer, json};
use crate::providers::livekit::{LiveKit, Settings, fixtures};
use crate::providers::{Carrier, DialBody, Permit};

const ROOM: &str = r#"{"name":"k"}"#;
const DIAL: &str = r#"{"room_name":"k"}"#;

fn body() -> DialBody {
    DialBody { content_type: "application/json".into(), text: format!("{ROOM}\n{DIAL}") }
}

fn impatient(url: &str) -> LiveKit {
    let settings = Settings { room_timeout_ms: 200, request_timeout_ms: 300, ..fixtures::settings() };
    fixtures::livekit_with(url, settings)
}

async fn place(livekit: &LiveKit) -> String {
    match livekit.place(Permit::from_commit(Instant::now()), &body()).await {
        DialReply::Bound { call_id } => format!("bound {call_id}"),
        DialReply::Refused(Refusal { kind, cause }) => format!("{kind:?}: {cause}"),
        DialReply::Unknown { cause } => format!("unknown: {cause}"),
    }
}

fn room() -> Act {
    json(200, &json!({"sid": "RM_1", "name": "k", "metadata": ""}))
}

fn accepted(id: &str) -> Act {
    json(200, &json!({"participant_id": "PA_1", "room_name": "k", "sip_call_id": id}))
}

#[tokio::test]
async fn the_room_is_made_and_then_the_stored_bytes_are_sent_as_they_are() {
    let stub = Stub::start([room(), accepted("SCL_1")]).await;
    assert_eq!(place(&fixtures::livekit(&stub.url)).await, "bound SCL_1");
    assert_eq!(stub.connections(), 1);
    let requests = stub.requests();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    for (request, method, sent) in
        [(first, "RoomService/CreateRoom", ROOM), (second, "SIP/CreateSIPParticipant", DIAL)]
    {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, sent);
        assert!(head.starts_with(&format!("POST /twirp/livekit.{method} HTTP/1.1\r\n")), "{head}");
        for part in ["authorization: Bearer ey", "content-type: application/json\r\n"] {
            assert!(head.contains(part), "no `{part}` in {head}");
        }
        assert!(!head.contains("transfer-encoding"), "{head}");
    }
    let id = |request: &str| {
        let line = request.lines().find_map(|line| line.strip_prefix("x-livekit-request-id: "));
        line.map(str::to_owned)
    };
    assert_eq!(id(first), None);
    assert_eq!(id(second).map(|id| id.len()), Some(36));
}

#[tokio::test]
async fn without_a_room_nothing_is_dialled() {
    let other = || json(200, &json!({"name": "another"}));
    for (act, says) in [
        (Act::Reset, "NotSent: nothing was dialled, for the room cannot be made: LiveKit was not reached"),
        (Act::Hang, "NotSent: nothing was dialled"),
        (Act::Say(answer(200, "<html/>")), "AccountUnusable: nothing was dialled"),
        (other(), "AccountUnusable: nothing was dialled"),
        (
            Act::Say(answer(401, "invalid API key")),
            "AccountUnusable: nothing was dialled, for the room cannot be made: HTTP 401: invalid API key",
        ),
        (json(429, &json!({"code": "resource_exhausted", "msg": "slow"})), "Throttled"),
        (json(503, &json!({"code": "unavailable", "msg": "busy"})), "NotSent: "),
        (json(400, &json!({"code": "invalid_argument", "msg": "agents"})), "Misconfigured: "),
    ] {
        let stub = Stub::start([act.clone(), accepted("SCL_1")]).await;
        let told = place(&impatient(&stub.url)).await;
        assert!(told.starts_with(says), "{act:?}: {told}");
        assert_eq!(stub.requests().len(), 1, "{act:?}");
    }
    assert!(place(&fixtures::livekit("http://127.0.0.1:1")).await.starts_with("NotSent: "));
}

#[tokio::test]
async fn a_connection_lost_after_the_dial_request_leaves_the_call_unknown_and_nothing_is_sent_again() {
    for act in [Act::Reset, Act::Hang, Act::SayAndClose("HTTP/1.1 200 OK\r\n".into())] {
        let stub = Stub::start([room(), act.clone(), accepted("again")]).await;
        let told = place(&impatient(&stub.url)).await;
        assert!(told.starts_with("unknown: sent, but no answer came: "), "{act:?}: {told}");
        assert_eq!(stub.requests().len(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn only_a_call_id_is_a_yes_and_only_a_refusal_a_no() {
    for (act, says) in [
        (json(200, &json!({"sipCallId": "SCL_2"})), "bound SCL_2"),
        (
            json(200, &json!({"sip_call_id": ""})),
            "unknown: accepted, it seems, but no call id came: HTTP 200",
        ),
        (Act::Say(answer(200, "<html/>")), "unknown: accepted, it seems"),
        (Act::Say(answer(500, "<html/>")), "unknown: HTTP 500"),
        (json(503, &json!({"code": "unavailable", "msg": "no"})), "unknown: HTTP 503: unavailable: no"),
        (
            json(404, &json!({"code": "not_found", "msg": "requested sip trunk does not exist"})),
            "Misconfigured: HTTP 404: not_found: requested sip trunk does not exist",
        ),
        (
            json(400, &json!({"code": "invalid_argument", "msg": "callee +91 98765 43210 is no good"})),
            "InvalidNumber: HTTP 400: invalid_argument: callee +[number] is no good",
        ),
    ] {
        let stub = Stub::start([room(), act.clone()]).await;
        let told = place(&fixtures::livekit(&stub.url)).await;
        assert!(told.starts_with(says), "{act:?}: {told}");
    }
}

#[tokio::test]
async fn a_permit_that_ran_out_makes_no_room_and_sends_for_no_agent() {
    let stub = Stub::start([room(), accepted("SCL_1")]).await;
    let livekit = fixtures::livekit(&stub.url);
    let long_ago = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
    let told = livekit.place(Permit::from_commit(long_ago), &body()).await;
    assert!(format!("{told:?}").contains("TooLate"), "{told:?}");
    assert_eq!(stub.connections(), 0);
    // Nearly so: the room is made in what is left, if at all, and the dial request is not sent after it.
    let nearly = long_ago + Duration::from_millis(150);
    let slow = Stub::start([Act::Hang]).await;
    let told = fixtures::livekit(&slow.url).place(Permit::from_commit(nearly), &body()).await;
    assert!(format!("{told:?}").contains("NotSent"), "{told:?}");
    assert!(nearly.elapsed() < Permit::VALID_FOR + Duration::from_millis(600));
}
