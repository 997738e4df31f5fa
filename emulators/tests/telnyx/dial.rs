//! The dial command: what is accepted, what is refused and how, and `command_id`.

use std::time::Duration;

use outdial_emulators::telnyx::{Config, Connection, DuplicateReply, Replies, Scenario};
use serde_json::{Value, json};

use crate::harness::{Api, CONNECTION, CUSTOMER, MINUTE, STATE, dial_body, ended, fast, scripted, within};

#[tokio::test]
async fn a_dial_is_answered_with_the_ids_of_a_call_that_is_not_yet_alive() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let answer = api.try_dial(&json!({"client_state": STATE, "command_id": "c1"})).await;
    let data = answer.data();
    assert_eq!((&data["record_type"], &data["is_alive"]), (&json!("call"), &json!(false)));
    assert_eq!(data["client_state"], STATE);
    let id = data["call_control_id"].as_str().expect("an id");
    assert!(id.starts_with("v3:") && id.contains(['-', '_']), "{id}");
    let call = ended(&telnyx).await;
    assert_eq!((call.id.as_str(), call.leg_id.as_str()), (id, data["call_leg_id"].as_str().expect("one")));
    assert_eq!(call.key.as_deref(), Some("att_1"));
    assert_eq!(telnyx.dials().accepted("att_1"), 1);
    assert_eq!(telnyx.dials().timeline[0].number, CUSTOMER);
}

#[tokio::test]
async fn without_a_client_state_the_command_id_is_the_key() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    api.dial(&json!({"command_id": "c1"})).await;
    assert_eq!(telnyx.dials().accepted("c1"), 1);
}

#[tokio::test]
async fn each_wrong_parameter_is_refused_with_its_code_and_pointer() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    for (more, code, pointer) in [
        (json!({"to": null}), "10004", "/to"),
        (json!({"to": "4155550123"}), "10016", "/to"),
        (json!({"to": ["+14155550123", "+14155550124"]}), "10027", "/to"),
        (json!({"from": ""}), "10004", "/from"),
        (json!({"connection_id": 7}), "10026", "/connection_id"),
        (json!({"client_state": "att 1"}), "90017", "/client_state"),
        (json!({"timeout_secs": 4}), "90028", "/timeout_secs"),
        (json!({"time_limit_secs": 59}), "90029", "/time_limit_secs"),
        (json!({"time_limit_secs": 14_401}), "90029", "/time_limit_secs"),
        (json!({"answering_machine_detection": "guess"}), "10032", "/answering_machine_detection"),
        (json!({"stream_url": "http://bot/"}), "10027", "/stream_url"),
        (json!({"stream_url": "wss://bot/", "stream_codec": "pcmu"}), "10032", "/stream_codec"),
        (json!({"webhook_url": "ftp://x/"}), "10027", "/webhook_url"),
        (json!({"webhook_urls": {"call.over": []}}), "90057", "/webhook_urls"),
        (
            json!({"webhook_retries_policies": {"call.hangup": {"retries_ms": [60_001]}}}),
            "10027",
            "/webhook_retries_policies",
        ),
        (json!({"record": "always"}), "10032", "/record"),
    ] {
        let answer = api.try_dial(&more).await;
        assert_eq!(answer.refusal(), (422, code), "{more}");
        assert_eq!(answer.body["errors"][0]["source"]["pointer"], pointer, "{more}");
    }
    let totals = telnyx.totals();
    assert_eq!((totals.accepted, totals.invalid, totals.requests), (0, 16, 16));
}

#[tokio::test]
async fn all_that_the_command_has_is_accepted_and_what_it_has_not_is_counted() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let more = json!({
        "to": [format!("{CUSTOMER},200")], "command_id": "c1", "client_state": STATE,
        "timeout_secs": 45, "time_limit_secs": 600, "retry_on_timeout": false,
        "answering_machine_detection": "premium",
        "answering_machine_detection_config": {"total_analysis_time_millis": 5000},
        "stream_url": "wss://bot.example/s", "stream_track": "both_tracks", "stream_codec": "PCMA",
        "stream_bidirectional_mode": "rtp", "stream_bidirectional_codec": "L16",
        "stream_bidirectional_sampling_rate": 16000, "stream_bidirectional_target_legs": "self",
        "stream_auth_token": "t", "stream_establish_before_call_originate": false,
        "record": "record-from-answer", "record_channels": "single", "record_format": "wav",
        "webhook_url_method": "POST", "custom_headers": [{"name": "X-A", "value": "1"}],
        "from_display_name": "Outdial", "link_to": "x", "billing_group_id": "y",
    });
    let answer = api.try_dial(&more).await;
    assert!(answer.data()["recording_id"].is_string());
    assert_eq!(telnyx.dials().timeline[0].number, CUSTOMER);
    assert_eq!(telnyx.totals().unknown_parameters, 0);
    api.dial(&json!({"timeout_seconds": 9})).await;
    assert_eq!(telnyx.totals().unknown_parameters, 1);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_bad_request() {
    let (_telnyx, api) = scripted(Scenario::busy()).await;
    let post = || api.http.post(format!("{}/v2/calls", api.base));
    let bad = post().header("content-type", "application/json").body("{");
    assert_eq!(api.send(bad).await.expect("a response").refusal(), (400, "10023"));
    let form = post().form(&[("to", CUSTOMER)]);
    assert_eq!(api.send(form).await.expect("a response").refusal(), (400, "10029"));
}

#[tokio::test]
async fn a_repeated_command_places_no_second_call_within_its_window() {
    for duplicate in [DuplicateReply::SameCall, DuplicateReply::ResultOk] {
        let replies = Replies { duplicate, ..Replies::default() };
        let telnyx = fast(Config { replies, ..Config::default() }).await;
        let api = Api::of(&telnyx);
        let more = json!({"command_id": "c1", "client_state": STATE});
        let id = api.dial(&more).await;
        let again = api.try_dial(&more).await;
        match duplicate {
            DuplicateReply::SameCall => assert_eq!(again.data()["call_control_id"], id),
            DuplicateReply::ResultOk => assert_eq!(*again.data(), json!({"result": "ok"})),
        }
        let count = telnyx.dials().keys["att_1"];
        assert_eq!((count.requests, count.accepted), (2, 1));
    }
}

#[tokio::test]
async fn after_its_window_a_repeated_command_dials_again() {
    let replies = Replies { command_window: Duration::ZERO, ..Replies::default() };
    let telnyx = fast(Config { replies, ..Config::default() }).await;
    let api = Api::of(&telnyx);
    let more = json!({"command_id": "c1", "client_state": STATE});
    let first = api.dial(&more).await;
    assert_ne!(api.dial(&more).await, first);
    assert_eq!(telnyx.dials().keys_rung_twice(), ["att_1"]);
}

#[tokio::test]
async fn an_unknown_application_and_a_number_of_somebody_else_are_refused() {
    let connections = [(CONNECTION.to_owned(), Connection::default())].into();
    let numbers = vec!["+14155550199".to_owned()];
    let telnyx = fast(Config { connections, numbers, ..Config::default() }).await;
    let api = Api::of(&telnyx);
    let answer = api.try_dial(&json!({"connection_id": "1"})).await;
    assert_eq!(answer.refusal(), (422, "10015"));
    assert_eq!(answer.body["errors"][0]["source"]["pointer"], "/connection_id");
    let answer = api.try_dial(&json!({})).await;
    assert_eq!(answer.refusal(), (422, "10027"));
    assert_eq!(answer.body["errors"][0]["source"]["pointer"], "/from");
    api.dial(&json!({"from": "+14155550199"})).await;
    assert_eq!(telnyx.totals().accepted, 1);
}

#[tokio::test]
async fn every_outcome_has_its_words() {
    for (scenario, more, status, cause, source, sip) in [
        (Scenario::answered(MINUTE), json!({}), "completed", "normal_clearing", "callee", "200"),
        (Scenario::busy(), json!({}), "busy", "user_busy", "callee", "486"),
        (Scenario::rejected(), json!({}), "failed", "call_rejected", "callee", "603"),
        (Scenario::failed(), json!({}), "failed", "not_found", "callee", "404"),
        (Scenario::no_answer(), json!({}), "no-answer", "timeout", "caller", "487"),
        (
            Scenario::no_answer(),
            json!({"retry_on_timeout": false}),
            "no-answer",
            "no_answer",
            "caller",
            "487",
        ),
        (Scenario::no_answer(), json!({"timeout_secs": 60}), "no-answer", "no_answer", "callee", "480"),
        (
            Scenario::answered(2 * MINUTE),
            json!({"time_limit_secs": 60}),
            "completed",
            "time_limit",
            "caller",
            "200",
        ),
    ] {
        let (telnyx, api) = scripted(scenario.clone()).await;
        api.dial(&more).await;
        let call = ended(&telnyx).await;
        let end = call.hangup.expect("it has ended");
        let told = (call.status.name(), end.cause.name(), end.source.name(), end.sip.as_str());
        assert_eq!(told, (status, cause, source, sip), "{scenario:?} {more}");
    }
}

#[tokio::test]
async fn the_time_talked_is_what_the_script_says() {
    let (telnyx, api) = scripted(Scenario::answered(Duration::from_secs(42))).await;
    api.dial(&json!({})).await;
    assert_eq!(ended(&telnyx).await.talk, Duration::from_secs(42));
}

#[tokio::test]
async fn a_script_steps_on_with_every_call_placed() {
    let telnyx = fast(Config::default()).await;
    telnyx.script(CUSTOMER, [Scenario::busy(), Scenario::failed()]);
    let api = Api::of(&telnyx);
    for n in 1..=3 {
        api.dial(&Value::Null).await;
        within(telnyx.until(|totals| totals.finished == n)).await;
    }
    let names: Vec<_> = telnyx.calls().iter().map(|call| call.status.name()).collect();
    assert_eq!(names, ["busy", "failed", "failed"]);
    assert_eq!(dial_body(&Value::Null)["to"], CUSTOMER);
}
