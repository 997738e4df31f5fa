//! The control API, and how an emulator begins and ends.

use std::time::Duration;

use outdial_emulators::exotel::{CallReport, Config, Dials, Exotel, Fallback, Scenario, StartError, Totals};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, Receiver, fast, flow, within};

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
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let script = json!({"number": CUSTOMER, "scenarios": [
        {"outcome": "busy", "ring_ms": 0, "quirks": [{"reply": {"status": 429, "times": 1}}]},
        {"outcome": {"answered": {"talk_ms": 9000}}},
    ]});
    assert_eq!(control(&api, "POST", "scripts", script).await.status(), 204);
    let refused = api.connect(&flow(CUSTOMER, &[("CustomField", "a")])).await.expect("a response");
    assert_eq!(refused.status(), 429);
    api.dial(&[("CustomField", "a")]).await;
    api.dial(&[("CustomField", "b")]).await;
    within(exotel.until(|totals| totals.finished == 2)).await;
    let dials: Dials = read(&api, "dials").await;
    assert_eq!(dials, exotel.dials());
    assert_eq!((dials.keys["a"].requests, dials.keys["a"].accepted), (2, 1));
    let only: Dials = read(&api, "dials?key=b").await;
    assert_eq!((only.keys.len(), only.timeline.len()), (1, 1));
    let calls: Vec<CallReport> = read(&api, "calls?number=09876543210").await;
    let ends: Vec<_> = calls.iter().map(|call| (call.status.name(), call.talk.as_secs())).collect();
    assert_eq!(ends, [("busy", 0), ("completed", 9)]);
    assert_eq!(read::<Totals>(&api, "totals").await.accepted, 2);
}

#[tokio::test]
async fn a_script_that_cannot_be_understood_is_refused_with_its_reason() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    for (body, reason) in [
        (json!({"number": "nobody", "scenarios": []}), "not a phone number"),
        (json!({"number": CUSTOMER, "scenarios": [{"outcome": "asleep"}]}), "asleep"),
        (json!({"number": CUSTOMER, "scenarios": [{"outcome": "busy", "ring": 1}]}), "ring"),
    ] {
        let response = control(&api, "POST", "scripts", body).await;
        assert_eq!(response.status(), 422);
        let said = response.text().await.expect("text");
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn settings_can_be_patched_while_it_runs() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let patch =
        json!({"reads": {"list_hides_live_calls": true}, "fallback": {"always": {"outcome": "busy"}}});
    let patched: Config = control(&api, "PATCH", "config", patch).await.json().await.expect("a config");
    assert!(patched.reads.list_hides_live_calls && patched.reads.v3_details);
    assert_eq!(patched, exotel.config());
    assert_eq!(patched.fallback, Fallback::Always(Scenario::busy()));
    for bad in [json!({"speed": 0.0}), json!({"sped": 1.0})] {
        assert_eq!(control(&api, "PATCH", "config", bad).await.status(), 422);
    }
    assert_eq!(exotel.config(), patched);
}

#[tokio::test]
async fn a_reset_forgets_calls_scripts_and_counts_and_silences_what_was_under_way() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    exotel.script(CUSTOMER, [Scenario::answered(Duration::from_secs(1_000_000))]);
    let old = api.dial(&[("StatusCallback", &url)]).await;
    assert_eq!(control(&api, "POST", "reset", Value::Null).await.status(), 204);
    assert_eq!(exotel.dials(), Dials::default());
    let proceed = control(&api, "POST", &format!("calls/{old}/proceed"), Value::Null).await;
    assert_eq!(proceed.status(), 404);
    exotel.script(CUSTOMER, [Scenario::busy()]);
    let new = api.dial(&[("StatusCallback", &url)]).await;
    assert_eq!(callbacks.next().await.get("CallSid"), Some(new));
    assert!(callbacks.is_empty());
    assert_eq!(exotel.totals().finished, 1);
}

#[tokio::test]
async fn a_call_can_be_moved_on_from_outside() {
    let exotel = Exotel::start(Config::default()).await.expect("a free port");
    let hour = Duration::from_secs(3600);
    exotel.script(CUSTOMER, [Scenario::answered(hour).ringing_for(hour)]);
    let api = Api::of(&exotel);
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let events = [("StatusCallbackEvents[]", "answered"), ("StatusCallbackEvents[]", "terminal")];
    let sid = api.dial(&[&[("StatusCallback", url.as_str())][..], &events].concat()).await;
    for event in ["answered", "terminal"] {
        let path = format!("calls/{sid}/proceed");
        assert_eq!(control(&api, "POST", &path, Value::Null).await.status(), 204);
        assert_eq!(callbacks.next().await.get("EventType").as_deref(), Some(event));
    }
}

#[tokio::test]
async fn after_a_stop_nothing_listens_and_no_callback_comes() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let callbacks = Receiver::start().await;
    exotel.script(CUSTOMER, [Scenario::answered(Duration::from_secs(1_000_000))]);
    api.dial(&[("StatusCallback", &callbacks.url)]).await;
    within(exotel.stop()).await;
    assert!(api.connect(&flow(CUSTOMER, &[])).await.expect_err("gone").is_connect());
    assert!(callbacks.is_empty());
}

#[tokio::test]
async fn dropping_it_frees_its_port() {
    let exotel = fast(Config::default()).await;
    let port: u16 = exotel.base_url().rsplit(':').next().and_then(|p| p.parse().ok()).expect("one");
    let taken = Exotel::start(Config { port, ..Config::default() }).await;
    assert!(matches!(taken, Err(StartError::Bind { .. })));
    drop(exotel);
    within(async {
        while Exotel::start(Config { port, ..Config::default() }).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_at_start() {
    let refused = Exotel::start(Config { speed: 0.0, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("speed")));
    let refused = Exotel::start(Config { accounts: Vec::new(), ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Config(why)) if why.to_string().contains("account")));
}

#[tokio::test]
async fn settings_survive_a_trip_through_json_and_print_without_secrets() {
    let config = Config { fallback: Fallback::Mix, ..Config::default() };
    let text = serde_json::to_string(&config).expect("JSON");
    assert_eq!(serde_json::from_str::<Config>(&text).expect("a config"), config);
    assert!(!format!("{config:?}").contains("token1"));
}

#[tokio::test]
async fn serve_says_where_it_is_and_runs_until_told_to_stop() {
    let (started, address) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let tell = |base: &str| started.send(base.to_owned()).expect("the test waits for it");
    let until = async { stopped.await.expect("the test says so") };
    let served = tokio::spawn(Exotel::serve(Config::default(), tell, until));
    let base = within(address).await.expect("it starts");
    let address = base.trim_start_matches("http://").to_owned();
    tokio::net::TcpStream::connect(&address).await.expect("it listens");
    stop.send(()).expect("it runs");
    within(served).await.expect("no panic").expect("a clean end");
    tokio::net::TcpStream::connect(&address).await.expect_err("it listens no more");
}
