//! The control API, and how an emulator begins and ends.

use std::time::Duration;

use outdial_emulators::livekit::{
    CallReport, Config, Dials, Fallback, LiveKit, Scenario, StartError, Totals, Webhooks,
};
use serde_json::{Value, json};

use crate::harness::{Api, CALLEE, ROOM, Receiver, dialled, fast, telling, within};

async fn control(api: &Api, method: &str, path: &str, body: Value) -> reqwest::Response {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let request = api.http.request(method, format!("{}/_emulator/{path}", api.base));
    let request = if body.is_null() { request } else { request.json(&body) };
    within(request.send()).await.expect("a response")
}

async fn read<T: serde::de::DeserializeOwned>(api: &Api, path: &str) -> T {
    control(api, "GET", path, Value::Null).await.json().await.expect("JSON of this shape")
}

#[tokio::test]
async fn another_process_can_script_a_number_and_read_the_evidence() {
    let livekit = fast(Config::default()).await;
    let api = Api::of(&livekit);
    let script = json!({"number": CALLEE, "scenarios": [
        {"outcome": "busy", "ring_ms": 0, "quirks": [{"reply": {"status": 429, "times": 1}}]},
        {"outcome": {"answered": {"talk_ms": 9000}}},
    ]});
    assert_eq!(control(&api, "POST", "scripts", script).await.status(), 204);
    assert_eq!(api.try_dial(json!({"room_name": "a"})).await.0, 429);
    api.dial(json!({"room_name": "a"})).await;
    api.dial(json!({"room_name": "b"})).await;
    within(livekit.until(|totals| totals.finished == 2)).await;
    let dials: Dials = read(&api, "dials").await;
    assert_eq!(dials, livekit.dials());
    assert_eq!((dials.keys["a"].requests, dials.keys["a"].accepted), (2, 1));
    let only: Dials = read(&api, "dials?key=b").await;
    assert_eq!((only.keys.len(), only.timeline.len()), (1, 1));
    let calls: Vec<CallReport> = read(&api, "calls?number=15550123").await;
    let ends: Vec<_> = calls.iter().map(|call| (call.status.name(), call.talk.as_secs())).collect();
    assert_eq!(ends, [("dialing", 0), ("hangup", 9)]);
    assert_eq!(read::<Totals>(&api, "totals").await.accepted, 2);
}

#[tokio::test]
async fn a_script_that_cannot_be_understood_is_refused_with_its_reason() {
    let livekit = fast(Config::default()).await;
    let api = Api::of(&livekit);
    for (body, reason) in [
        (json!({"number": "nobody", "scenarios": []}), "not a phone number"),
        (json!({"number": CALLEE, "scenarios": [{"outcome": "asleep"}]}), "asleep"),
        (json!({"number": CALLEE, "scenarios": [{"outcome": "busy", "ring": 1}]}), "ring"),
    ] {
        let response = control(&api, "POST", "scripts", body).await;
        assert_eq!(response.status(), 422);
        let said = response.text().await.expect("text");
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn settings_can_be_patched_while_it_runs() {
    let livekit = fast(Config::default()).await;
    let api = Api::of(&livekit);
    let patch = json!({"sip": {"honour_request_id": true}, "fallback": {"always": {"outcome": "busy"}}});
    let patched: Config = control(&api, "PATCH", "config", patch).await.json().await.expect("a config");
    assert!(patched.sip.honour_request_id && patched.sip.describe_transfers);
    assert_eq!(patched, livekit.config());
    assert_eq!(patched.fallback, Fallback::Always(Scenario::busy()));
    for bad in [json!({"speed": 0.0}), json!({"sped": 1.0})] {
        assert_eq!(control(&api, "PATCH", "config", bad).await.status(), 422);
    }
    assert_eq!(livekit.config(), patched);
}

#[tokio::test]
async fn a_reset_forgets_calls_rooms_scripts_and_counts_and_silences_what_was_under_way() {
    let mut webhooks = Receiver::start().await;
    let livekit = telling(&webhooks, Config::default()).await;
    let api = Api::of(&livekit);
    livekit.script(CALLEE, [Scenario::answered(Duration::from_secs(1_000_000))]);
    let old = api.dial(json!({})).await;
    webhooks.until("track_published").await;
    assert_eq!(control(&api, "POST", "reset", Value::Null).await.status(), 204);
    assert_eq!(livekit.dials(), Dials::default());
    assert_eq!(api.callee().await, None);
    let proceed = control(&api, "POST", &format!("calls/{old}/proceed"), Value::Null).await;
    assert_eq!(proceed.status(), 404);
    livekit.script(CALLEE, [Scenario::busy()]);
    let new = api.dial(json!({})).await;
    let told = webhooks.until("participant_left").await;
    assert_eq!(told.first().expect("some").event(), "room_started");
    let left = &told.last().expect("some").json["participant"]["attributes"];
    assert_eq!(left["sip.callID"], new);
    assert_eq!(livekit.totals().finished, 1);
}

#[tokio::test]
async fn a_call_can_be_moved_on_from_outside() {
    let livekit = LiveKit::start(Config::default()).await.expect("a free port");
    let hour = Duration::from_secs(3600);
    livekit.script(CALLEE, [Scenario::answered(hour).ringing_for(hour)]);
    let api = Api::of(&livekit);
    let id = api.dial(json!({"room_name": ROOM})).await;
    for wanted in ["active", "hangup"] {
        let path = format!("calls/{id}/proceed");
        assert_eq!(control(&api, "POST", &path, Value::Null).await.status(), 204);
        within(async {
            while livekit.call(&id).is_none_or(|call| call.status.name() != wanted) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn after_a_stop_nothing_listens_and_no_webhook_comes() {
    let mut webhooks = Receiver::start().await;
    let livekit = telling(&webhooks, Config::default()).await;
    let api = Api::of(&livekit);
    livekit.script(CALLEE, [Scenario::answered(Duration::from_secs(1_000_000))]);
    api.dial(json!({})).await;
    webhooks.until("track_published").await;
    within(livekit.stop()).await;
    let gone = within(api.post("SIP/CreateSIPParticipant", &dialled(json!({}))).send()).await;
    assert!(gone.expect_err("gone").is_connect());
    assert!(webhooks.is_empty());
}

#[tokio::test]
async fn dropping_it_frees_its_port() {
    let livekit = fast(Config::default()).await;
    let port: u16 = livekit.base_url().rsplit(':').next().and_then(|p| p.parse().ok()).expect("one");
    let taken = LiveKit::start(Config { port, ..Config::default() }).await;
    assert!(matches!(taken, Err(StartError::Bind { .. })));
    drop(livekit);
    within(async {
        while LiveKit::start(Config { port, ..Config::default() }).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_at_start() {
    let refused = LiveKit::start(Config { speed: 0.0, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("speed")));
    let refused = LiveKit::start(Config { keys: Vec::new(), ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("key")));
    let webhooks = Webhooks { api_key: Some("APInobody".into()), ..Webhooks::default() };
    let refused = LiveKit::start(Config { webhooks, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("APInobody")));
    let webhooks = Webhooks { urls: vec!["nowhere".into()], ..Webhooks::default() };
    let refused = LiveKit::start(Config { webhooks, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("nowhere")));
}

#[tokio::test]
async fn settings_survive_a_trip_through_json_and_print_without_secrets() {
    let config = Config { fallback: Fallback::Mix, ..Config::default() };
    let text = serde_json::to_string(&config).expect("JSON");
    assert_eq!(serde_json::from_str::<Config>(&text).expect("a config"), config);
    assert!(!format!("{config:?}").contains("secret1"));
}

#[tokio::test]
async fn serve_says_where_it_is_and_runs_until_told_to_stop() {
    let (started, address) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let tell = |base: &str| started.send(base.to_owned()).expect("the test waits for it");
    let until = async { stopped.await.expect("the test says so") };
    let served = tokio::spawn(LiveKit::serve(Config::default(), tell, until));
    let base = within(address).await.expect("it starts");
    let address = base.trim_start_matches("http://").to_owned();
    tokio::net::TcpStream::connect(&address).await.expect("it listens");
    stop.send(()).expect("it runs");
    within(served).await.expect("no panic").expect("a clean end");
    tokio::net::TcpStream::connect(&address).await.expect_err("it listens no more");
}
