//! What webhooks say, and which are not taken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use outdial_workflows::Moment;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::providers::livekit::{LiveKit, fixtures, token};
use crate::providers::{Carrier, Webhook, WebhookError, WebhookRequest};

fn livekit() -> LiveKit {
    fixtures::livekit("https://example.livekit.cloud")
}

async fn read(body: &[u8], token: Option<&str>) -> Result<Webhook, WebhookError> {
    let mut headers = HeaderMap::new();
    headers.extend(
        token.map(|token| (reqwest::header::AUTHORIZATION, token.parse().expect("a header's value"))),
    );
    let now = Moment::from_timestamp(1_700_000_100, 0).expect("in range");
    let body = &Bytes::copy_from_slice(body);
    livekit().webhook(WebhookRequest { headers: &headers, body, addressed: None, now }).await
}

/// Reads a body with a token as LiveKit makes them.
async fn signed(body: &str) -> Result<Webhook, WebhookError> {
    let hash = STANDARD.encode(Sha256::digest(body));
    let claims =
        json!({"sha256": hash, "iss": "APIdevkey000001", "nbf": 1_700_000_100, "exp": 1_700_000_400});
    let token = token::sign("secret-that-is-at-least-32-bytes-long!!", &claims.to_string());
    read(body.as_bytes(), Some(&token)).await
}

async fn told(body: &Value) -> String {
    match signed(&body.to_string()).await {
        Ok(Webhook::News { key, fact }) => {
            assert_eq!(key, Some(fixtures::key().to_string()));
            let end = fact
                .end
                .map_or(String::new(), |end| format!(" {:?} {}", end.result, end.cause.unwrap_or_default()));
            let call = fact.call_id.map_or("no id".into(), |call| call.0);
            format!("{call} {}{end}", fact.status.name())
        }
        Ok(Webhook::Nothing { event }) => format!("nothing: {event}"),
        Ok(Webhook::Transfer { told, .. }) => format!("transfer: {told:?}"),
        Ok(Webhook::Stranger { event }) => format!("stranger: {event}"),
        Err(error) => error.to_string(),
    }
}

fn event(name: &str, participant: &Value) -> Value {
    let room = json!({"sid": "RM_1", "name": fixtures::key().to_string(), "creationTime": "1700000000"});
    json!({"event": name, "room": room, "participant": participant, "id": "EV_1", "createdAt": "1700000100"})
}

fn callee(status: &str) -> Value {
    json!({"sid": "PA_1", "identity": "callee", "state": "ACTIVE", "kind": "SIP", "joinedAt": "1700000010",
        "attributes": {"sip.callID": "SCL_1", "sip.callStatus": status}})
}

fn left(status: &str, reason: &str) -> Value {
    let mut callee = callee(status);
    callee["disconnectReason"] = reason.into();
    callee
}

#[tokio::test]
async fn joining_is_not_answering() {
    assert_eq!(told(&event("participant_joined", &callee("dialing"))).await, "SCL_1 initiated");
    assert_eq!(told(&event("participant_joined", &callee("ringing"))).await, "SCL_1 ringing");
    assert_eq!(told(&event("participant_joined", &callee("active"))).await, "SCL_1 connected");
    let bare = json!({"identity": "callee", "kind": "SIP"});
    assert_eq!(told(&event("participant_joined", &bare)).await, "no id initiated");
}

#[tokio::test]
async fn leaving_tells_how_the_call_ended() {
    for name in ["participant_left", "participant_connection_aborted"] {
        for (participant, means) in [
            (left("hangup", "CLIENT_INITIATED"), "SCL_1 completed Answered CLIENT_INITIATED"),
            (left("ringing", "USER_UNAVAILABLE"), "SCL_1 completed NoAnswer USER_UNAVAILABLE"),
            (left("dialing", "USER_REJECTED"), "SCL_1 completed Busy USER_REJECTED"),
            (callee("dialing"), "SCL_1 failed Failed UNKNOWN_REASON"),
            (callee("active"), "SCL_1 completed Answered UNKNOWN_REASON"),
        ] {
            assert_eq!(told(&event(name, &participant)).await, means, "{name}");
        }
    }
    assert_eq!(
        told(&event("participant_left", &left("active", "MIGRATION"))).await,
        "nothing: participant_left"
    );
}

#[tokio::test]
async fn others_in_the_room_and_other_rooms_change_nothing() {
    let others = [
        json!({"identity": "agent-1", "kind": "AGENT", "disconnectReason": "AGENT_ERROR"}),
        json!({"identity": "supervisor"}),
        json!({"identity": "callee"}),
        json!({"identity": "colleague", "kind": "SIP", "attributes": {"sip.callID": "SCL_2"}}),
    ];
    for other in others {
        for name in ["participant_joined", "participant_left", "participant_connection_aborted"] {
            assert_eq!(told(&event(name, &other)).await, format!("nothing: {name}"), "{other}");
        }
    }
    let mut elsewhere = event("participant_left", &left("hangup", "CLIENT_INITIATED"));
    elsewhere["room"]["name"] = "support-line".into();
    assert_eq!(told(&elsewhere).await, "nothing: participant_left");
    // As the protocol page has it, in a room of somebody's.
    let vector = read(fixtures::BODY.as_bytes(), Some(fixtures::SIGNED)).await;
    assert_eq!(vector, Ok(Webhook::Nothing { event: "participant_left".into() }));
}

#[tokio::test]
async fn events_that_say_nothing_of_a_call_are_told_from_those_that_nobody_knows() {
    for name in [
        "room_started",
        "room_finished",
        "track_published",
        "track_unpublished",
        "egress_started",
        "egress_updated",
        "egress_ended",
        "ingress_started",
        "ingress_ended",
        "agent_job_started",
        "agent_job_ended",
    ] {
        assert_eq!(told(&event(name, &callee("active"))).await, format!("nothing: {name}"));
        assert_eq!(told(&json!({ "event": name })).await, format!("nothing: {name}"));
    }
    let new = event("participant_mood_changed", &callee("active"));
    assert_eq!(told(&new).await, "stranger: participant_mood_changed");
    assert_eq!(told(&json!({"event": ""})).await, "stranger: ");
}

#[tokio::test]
async fn what_is_not_livekits_or_no_webhook_is_not_taken() {
    let body = fixtures::BODY.as_bytes();
    let bearer = format!("Bearer {}", fixtures::SIGNED);
    for token in [None, Some(""), Some("x.y.z"), Some(bearer.as_str())] {
        assert!(matches!(read(body, token).await, Err(WebhookError::Unauthentic(_))), "{token:?}");
    }
    let longer = [body, b" "].concat();
    assert!(matches!(read(&longer, Some(fixtures::SIGNED)).await, Err(WebhookError::Unauthentic(_))));
    for text in ["", "{}", "[]", "null", "{\"event\":", "{\"event\":7}", "{\"event\":\"x\",\"room\":7}"] {
        let read = signed(text).await;
        assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{text}: {read:?}");
    }
    let giant = vec![b'{'; 3 * 1024 * 1024];
    assert!(matches!(read(&giant, None).await, Err(WebhookError::Unreadable(_))), "size goes first");
}
