//! The control API, and how an emulator begins and ends, as far as Retell's has things of its own.

use std::time::Duration;

use outdial_emulators::retell::{
    Agent, CallReport, Config, Dials, Fallback, Keys, Limits, Reason, Retell, Scenario, StartError, Webhooks,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, CUSTOMER, endless, fast, id, told_slowly, within};

async fn control(api: &Api, method: Method, path: &str, body: &Value) -> Answer {
    api.call(method, &format!("/_emulator/{path}"), (!body.is_null()).then_some(body)).await
}

#[tokio::test]
async fn another_process_can_script_a_number_and_read_the_evidence() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    assert_eq!(control(&api, Method::GET, "health", &Value::Null).await.json()["emulates"], "retell");
    let script = json!({"number": CUSTOMER, "scenarios": [
        {"outcome": {"unconnected": "user_declined"}, "quirks": [{"reply": {"status": 429, "times": 1}}]},
        {"outcome": {"answered": {"talk_ms": 9000, "end": "agent_hangup"}},
            "results": {"analysis": {"user_sentiment": "Positive"}}},
    ]});
    assert_eq!(control(&api, Method::POST, "scripts", &script).await.status, 204);
    assert_eq!(api.try_dial(&json!({"idempotency_key": "a"})).await.status, 429);
    api.dial(&json!({"idempotency_key": "a"})).await;
    let second = api.dial(&json!({"idempotency_key": "b"})).await;
    within(retell.until(|totals| totals.finished == 2)).await;
    assert_eq!(api.analysed(id(&second)).await["call_analysis"]["user_sentiment"], "Positive");
    let dials: Dials = serde_json::from_value(control(&api, Method::GET, "dials", &Value::Null).await.json())
        .expect("the evidence");
    assert_eq!((dials.keys["a"].requests, dials.keys["a"].accepted), (2, 1));
    let calls = control(&api, Method::GET, "calls?key=b", &Value::Null).await.json();
    let calls: Vec<CallReport> = serde_json::from_value(calls).expect("reports");
    assert_eq!((calls.len(), &calls[0].reason), (1, &Some(Reason::AgentHangup)));
    assert_eq!(calls[0].talk, Duration::from_secs(9));
}

#[tokio::test]
async fn a_script_that_cannot_be_understood_is_refused_with_its_reason() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    for (outcome, reason) in [(json!("asleep"), "asleep"), (json!({"answered": {"talk": 1}}), "talk")] {
        let script = json!({"number": CUSTOMER, "scenarios": [{ "outcome": outcome }]});
        let answer = control(&api, Method::POST, "scripts", &script).await;
        assert_eq!(answer.status, 422);
        assert!(answer.text.contains(reason), "{}", answer.text);
    }
}

#[tokio::test]
async fn settings_can_be_patched_while_it_runs() {
    let retell = fast(Config::default()).await;
    let api = Api::of(&retell);
    let patch = json!({"account_fault": "payment_needed", "webhooks": {"url": "http://127.0.0.1:9/"},
        "agents": {"agent_default": {"webhook_events": ["call_ended"]}}});
    assert_eq!(control(&api, Method::PATCH, "config", &patch).await.status, 200);
    assert_eq!(api.try_dial(&json!({})).await.status, 402);
    assert_eq!(retell.config().webhooks.retries, 3);
    for bad in [json!({"webhooks": {"url": "nowhere"}}), json!({"limits": {"calls_per_second": 0}})] {
        assert_eq!(control(&api, Method::PATCH, "config", &bad).await.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_at_start() {
    let nowhere = Some("ftp://x/".to_owned());
    let agent = Agent { webhook_url: nowhere.clone(), ..Agent::default() };
    for (config, reason) in [
        (Config { speed: 0.0, ..Config::default() }, "speed"),
        (Config { do_not_call: vec!["415".into()], ..Config::default() }, "E.164"),
        (
            Config {
                limits: Limits { requests_per_minute: Some(0), ..Limits::default() },
                ..Config::default()
            },
            "budget",
        ),
        (Config { webhooks: Webhooks { url: nowhere, ..Webhooks::default() }, ..Config::default() }, "URL"),
        (Config { agents: [("a".to_owned(), agent)].into(), ..Config::default() }, "URL"),
    ] {
        let refused = Retell::start(config).await;
        assert!(
            matches!(refused, Err(StartError::Config(why)) if why.to_string().contains(reason)),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn settings_survive_a_trip_through_json_and_print_without_secrets() {
    let config = Config {
        fallback: Fallback::Always(Scenario::transferred(Duration::from_secs(1), "sip:a@b")),
        agents: [("a".to_owned(), Agent::default())].into(),
        ..Config::default()
    };
    let text = serde_json::to_string(&config).expect("JSON");
    assert_eq!(serde_json::from_str::<Config>(&text).expect("a config"), config);
    let Keys { rest, webhook } = Keys::default();
    assert!(!format!("{config:?}").contains(&rest) && !format!("{config:?}").contains(&webhook));
}

#[tokio::test]
async fn a_reset_forgets_calls_keys_and_counts_and_silences_what_was_under_way() {
    let (retell, api, mut receiver) = told_slowly(endless()).await;
    let old = api.dial(&json!({"idempotency_key": "a"})).await;
    assert_eq!(receiver.next().await.event(), "call_started");
    retell.reset();
    assert_eq!(retell.dials(), Dials::default());
    assert!(!retell.proceed(id(&old)));
    retell.script(CUSTOMER, [Scenario::busy().ringing_for(Duration::ZERO)]);
    let new = api.dial(&json!({"idempotency_key": "a"})).await;
    assert_ne!(id(&new), id(&old));
    assert_eq!(receiver.next().await.json()["call"]["call_id"], new["call_id"]);
}
