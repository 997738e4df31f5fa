//! Who is let in, and what Twirp says to requests that it cannot serve.

use outdial_emulators::livekit::{Config, Key, Limits, LiveKit};
use serde_json::{Value, json};

use crate::harness::{Api, dialled, fast, signed, token, within};

async fn plain(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = within(request.send()).await.expect("a response");
    (response.status().as_u16(), response.text().await.expect("text"))
}

async fn started() -> (LiveKit, Api) {
    let livekit = fast(Config::default()).await;
    let api = Api::of(&livekit);
    (livekit, api)
}

const LIST: &str = "RoomService/ListRooms";

#[tokio::test]
async fn a_token_that_is_no_good_is_refused_in_plain_text() {
    let (livekit, api) = started().await;
    let good = token(&api.key, json!({"video": {"roomList": true}}));
    let stranger = Key { api_key: "APIstranger".into(), ..Key::default() };
    let forged = Key { api_secret: "wrong".into(), ..Key::default() };
    let stale = json!({"iss": api.key.api_key, "exp": 1_700_000_000, "video": {"roomList": true}});
    for (header, text) in [
        (good.clone(), "invalid authorization header. Must start with Bearer "),
        (format!("Bearer {}", token(&stranger, json!({}))), "invalid API key"),
        ("Bearer nonsense".to_owned(), "invalid authorization token: malformed"),
        (
            format!("Bearer {}", signed(&api.key.api_secret, &stale)),
            "invalid authorization token: token is expired",
        ),
        (
            format!("Bearer {}", token(&forged, json!({}))),
            "invalid authorization token: error in cryptographic primitive",
        ),
    ] {
        let request = api.bare(LIST).header("Authorization", header).json(&json!({}));
        assert_eq!(plain(request).await, (401, text.to_owned()));
    }
    assert_eq!(livekit.totals().unauthorized, 5);
    let request = api.bare(&format!("{LIST}?access_token={good}")).json(&json!({}));
    assert_eq!(plain(request).await, (200, r#"{"rooms":[]}"#.to_owned()));
}

#[tokio::test]
async fn without_a_token_or_the_right_grant_permission_is_denied() {
    let (livekit, api) = started().await;
    let room = json!({"room": "a"});
    let methods = [
        ("RoomService/CreateRoom", json!({"name": "a"})),
        (LIST, json!({})),
        ("RoomService/DeleteRoom", room.clone()),
        ("RoomService/UpdateRoomMetadata", room.clone()),
        ("RoomService/ListParticipants", room.clone()),
        ("RoomService/GetParticipant", room.clone()),
        ("RoomService/RemoveParticipant", room.clone()),
        ("RoomService/UpdateParticipant", room.clone()),
        ("RoomService/SendData", room.clone()),
        ("SIP/CreateSIPParticipant", dialled(json!({}))),
        ("SIP/TransferSIPParticipant", json!({"room_name": "a"})),
        ("SIP/ListSIPOutboundTrunk", json!({})),
        ("AgentDispatchService/CreateDispatch", room.clone()),
        ("AgentDispatchService/ListDispatch", room.clone()),
        ("AgentDispatchService/DeleteDispatch", room),
    ];
    let elsewhere = json!({"video": {"roomAdmin": true, "room": "b", "canPublish": true}});
    for (method, body) in &methods {
        let nobody = api.bare(method).json(body);
        let other = api.bare(method).bearer_auth(token(&api.key, elsewhere.clone())).json(body);
        for request in [nobody, other] {
            let (status, text) = plain(request).await;
            let error: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(
                (status, error),
                (401, json!({"code": "unauthenticated", "msg": "permissions denied"}))
            );
        }
    }
    assert_eq!(livekit.totals().unauthorized, 30);
    assert_eq!(livekit.totals().accepted, 0);
}

#[tokio::test]
async fn a_path_a_verb_or_a_content_type_that_twirp_does_not_have_is_a_bad_route() {
    let (_livekit, api) = started().await;
    let get = api.http.get(format!("{}/twirp/livekit.{LIST}", api.base));
    let text = api.bare(LIST).header("Content-Type", "text/plain").body("{}");
    for (request, message) in [
        (get, "unsupported method \"GET\" (only POST is allowed)"),
        (text, "unexpected Content-Type: \"text/plain\""),
        (
            api.post("RoomService/Dance", &json!({})),
            "no handler for path \"/twirp/livekit.RoomService/Dance\"",
        ),
        (api.post("Dance/Dance", &json!({})), "no handler for path \"/twirp/livekit.Dance/Dance\""),
    ] {
        let response = within(request.send()).await.expect("a response");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (404, &"application/json".parse().expect("a value"))
        );
        let error: Value = response.json().await.expect("JSON");
        assert_eq!((&error["code"], &error["msg"]), (&"bad_route".into(), &message.into()));
    }
    let root = within(api.http.get(&api.base).send()).await.expect("a response");
    assert_eq!(root.text().await.expect("text"), "OK");
}

#[tokio::test]
async fn a_body_that_is_no_message_is_malformed() {
    let (livekit, api) = started().await;
    let rights = token(&api.key, json!({"sip": {"call": true}}));
    for (content_type, body, message) in [
        ("application/json", "{", "the json request could not be decoded"),
        ("application/json;charset=UTF-8", r#"{"sipCallTo": 1}"#, "the json request could not be decoded"),
        ("application/protobuf", "\u{a}\u{7f}", "the protobuf request could not be decoded"),
    ] {
        let request = api.bare("SIP/CreateSIPParticipant").bearer_auth(&rights);
        let (status, text) = plain(request.header("Content-Type", content_type).body(body)).await;
        assert_eq!((status, text), (400, json!({"code": "malformed", "msg": message}).to_string()));
    }
    assert_eq!((livekit.totals().requests, livekit.totals().invalid), (3, 3));
}

#[tokio::test]
async fn an_answer_is_in_the_encoding_of_its_request() {
    let (_livekit, api) = started().await;
    let rights = token(&api.key, json!({"sip": {"call": true}}));
    // ST_trunk1, +15550100, room r, identity i.
    let body = hex::decode("0a0953545f7472756e6b3112092b31353535303130301a0172220169").expect("hex");
    let request = api.bare("SIP/CreateSIPParticipant").bearer_auth(rights);
    let request = request.header("Content-Type", "application/protobuf").body(body);
    let response = within(request.send()).await.expect("a response");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/protobuf".parse().expect("a value"))
    );
    let answer = response.bytes().await.expect("a body");
    assert!(answer.starts_with(b"\x0a\x0fPA_"), "{answer:?}");
    assert!(answer.windows(6).any(|part| part == b"\x12\x01i\x1a\x01r"), "{answer:?}");
}

#[tokio::test]
async fn parameters_that_the_request_does_not_have_are_ignored_and_counted() {
    let (livekit, api) = started().await;
    api.dial(json!({"wait_until_anwered": true, "sipNumber": "+15550100"})).await;
    assert_eq!(livekit.totals().unknown_parameters, 1);
}

#[tokio::test]
async fn a_key_over_its_budget_is_told_to_wait() {
    let limits = Limits { requests_per_minute: Some(2), retry_after: true, ..Limits::default() };
    let livekit = LiveKit::start(Config { limits, ..Config::default() }).await.expect("a free port");
    let api = Api::of(&livekit);
    api.ok(LIST, json!({})).await;
    api.dial(json!({})).await;
    let over = within(api.post("SIP/CreateSIPParticipant", &dialled(json!({}))).send()).await;
    let over = over.expect("a response");
    assert_eq!(over.status(), 429);
    assert!(over.headers().contains_key("retry-after"));
    assert_eq!(over.json::<Value>().await.expect("JSON")["code"], "resource_exhausted");
    let (status, _) = api.call(LIST, json!({})).await;
    assert_eq!((status, livekit.totals().throttled, livekit.totals().reads_throttled), (429, 1, 1));
}

#[tokio::test]
async fn a_server_without_capacity_or_quota_places_no_call() {
    for (limits, code) in [
        (Limits { max_concurrent: Some(0), ..Limits::default() }, "unavailable"),
        (Limits { quota_used_up: true, ..Limits::default() }, "resource_exhausted"),
    ] {
        let livekit = fast(Config { limits, ..Config::default() }).await;
        let (_, error) = Api::of(&livekit).try_dial(json!({})).await;
        assert_eq!((&error["code"], livekit.totals().accepted), (&code.into(), 0));
    }
}
