//! Commands for a call under way.

use std::time::Duration;

use outdial_emulators::telnyx::{Keypress, Outcome, Scenario, Telnyx};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, MINUTE, Receiver, STATE, ended, scripted, within};

/// A call that nobody ends by himself, answered; its webhooks up to `call.answered` are taken.
async fn answered(scenario: Scenario) -> (Telnyx, Api, Receiver, String) {
    let (telnyx, api) = scripted(scenario).await;
    let mut hooks = Receiver::start().await;
    let id = api.dial(&json!({"webhook_url": hooks.url, "client_state": STATE})).await;
    hooks.next_of("call.answered").await;
    (telnyx, api, hooks, id)
}

fn endless() -> Scenario {
    Scenario { outcome: Outcome::Answered { talk: 200 * MINUTE }, ..Scenario::answered(MINUTE) }
}

const OK: Value = Value::Null;

async fn done(api: &Api, id: &str, name: &str, body: Value) -> Value {
    let answer = api.act(id, name, &body).await;
    assert_eq!(*answer.data(), json!({"result": "ok"}), "{name}");
    OK
}

#[tokio::test]
async fn a_hangup_ends_an_answered_call_and_a_second_one_is_too_late() {
    let (telnyx, api, mut hooks, id) = answered(endless()).await;
    done(&api, &id, "hangup", json!({"client_state": "YQ=="})).await;
    let hangup = hooks.next_of("call.hangup").await;
    assert_eq!(
        (&hangup["hangup_cause"], &hangup["hangup_source"]),
        (&json!("normal_clearing"), &json!("caller"))
    );
    assert_eq!(hangup["client_state"], "YQ==");
    let late = api.act(&id, "hangup", &json!({})).await;
    assert_eq!(late.refusal(), (422, "90018"));
    assert_eq!(late.body["errors"][0]["title"], "Call has already ended");
    assert_eq!(ended(&telnyx).await.status.name(), "completed");
}

#[tokio::test]
async fn a_hangup_while_it_rings_cancels_the_call() {
    let (telnyx, api) = scripted(Scenario::answered(MINUTE).ringing_for(10 * MINUTE)).await;
    let id = api.dial(&json!({"timeout_secs": 600})).await;
    assert_eq!(
        api.act(&id, "speak", &json!({"payload": "Hi", "voice": "female"})).await.refusal(),
        (422, "90034")
    );
    done(&api, &id, "hangup", json!({})).await;
    let call = ended(&telnyx).await;
    let end = call.hangup.expect("it has ended");
    assert_eq!(
        (call.status.name(), end.cause.name(), end.sip.as_str()),
        ("canceled", "originator_cancel", "487")
    );
}

#[tokio::test]
async fn a_command_for_an_unknown_call_or_of_an_unknown_name_is_refused() {
    let (_telnyx, api, _hooks, id) = answered(endless()).await;
    assert_eq!(api.act("v3:nobody", "hangup", &json!({})).await.refusal(), (422, "90015"));
    assert_eq!(api.act(&id, "dance", &json!({})).await.refusal(), (404, "10005"));
    assert_eq!(api.act(&id, "answer", &json!({})).await.refusal(), (422, "90102"));
    assert_eq!(api.act(&id, "hangup", &json!({"client_state": "?"})).await.refusal(), (422, "90017"));
    for (name, body, code) in [
        ("speak", json!({"voice": "female"}), "10004"),
        ("speak", json!({"payload": "x".repeat(3001), "voice": "female"}), "10027"),
        ("playback_start", json!({}), "10004"),
        ("record_start", json!({"channels": "dual"}), "10004"),
        ("record_start", json!({"channels": "dual", "format": "ogg"}), "10032"),
        ("streaming_start", json!({}), "10004"),
        ("streaming_stop", json!({}), "90048"),
        ("send_dtmf", json!({"digits": "x"}), "10027"),
        ("send_dtmf", json!({"digits": "1", "duration_millis": 99}), "10033"),
        ("transfer", json!({"to": "nobody"}), "10016"),
        ("client_state_update", json!({}), "10004"),
    ] {
        assert_eq!(api.act(&id, name, &body).await.refusal(), (422, code), "{name} {body}");
    }
}

#[tokio::test]
async fn speech_and_playback_follow_each_other_and_stop_on_command() {
    let (_telnyx, api, mut hooks, id) = answered(endless()).await;
    done(&api, &id, "speak", json!({"payload": "Hello", "voice": "female"})).await;
    assert_eq!(hooks.next().await.event(), "call.speak.started");
    assert_eq!(hooks.next().await.payload()["status"], "completed");
    done(&api, &id, "playback_start", json!({"audio_url": "http://a/b.mp3", "loop": "infinity"})).await;
    assert_eq!(hooks.next_of("call.playback.started").await["media_url"], "http://a/b.mp3");
    done(&api, &id, "playback_stop", json!({})).await;
    assert_eq!(hooks.next_of("call.playback.ended").await["status"], "cancelled");
    done(&api, &id, "speak", json!({"payload": "x".repeat(3000), "voice": "female", "loop": 100})).await;
    hooks.next_of("call.speak.started").await;
    done(&api, &id, "hangup", json!({})).await;
    assert_eq!(hooks.next_of("call.speak.ended").await["status"], "call_hangup");
    hooks.next_of("call.hangup").await;
}

#[tokio::test]
async fn a_repeated_command_is_carried_out_once() {
    let (telnyx, api, _hooks, id) = answered(endless()).await;
    for _ in 0..2 {
        done(&api, &id, "send_dtmf", json!({"digits": "12w", "command_id": "d1"})).await;
    }
    done(&api, &id, "hangup", json!({})).await;
    assert_eq!(ended(&telnyx).await.digits_sent, "12w");
}

#[tokio::test]
async fn a_recording_runs_from_start_to_stop() {
    let (_telnyx, api, mut hooks, id) = answered(endless()).await;
    done(&api, &id, "record_start", json!({"channels": "single", "format": "wav"})).await;
    done(&api, &id, "record_stop", json!({})).await;
    let saved = hooks.next_of("call.recording.saved").await;
    assert_eq!((&saved["channels"], saved["recording_urls"]["wav"].is_string()), (&json!("single"), true));
    let listed = api.get("/v2/recordings?filter[connection_id]=1494404757140276705").await;
    assert_eq!(listed.data()[0]["call_leg_id"], saved["call_leg_id"]);
    assert_eq!(listed.data()[0]["initiated_by"], "StartCallRecordingAPI");
}

#[tokio::test]
async fn a_recording_may_fail() {
    let scenario = Scenario { recording_fails: true, ..endless() };
    let (_telnyx, api, mut hooks, id) = answered(scenario).await;
    done(&api, &id, "record_start", json!({"channels": "single", "format": "wav"})).await;
    done(&api, &id, "hangup", json!({})).await;
    hooks.next_of("call.recording.error").await;
}

#[tokio::test]
async fn keys_are_told_and_gathered() {
    let keys = ['1', '2', '#'].map(|digit| Keypress { after: 2 * MINUTE, digit });
    let mut scenario = endless();
    scenario.caller.presses = keys.to_vec();
    let (_telnyx, api, mut hooks, id) = answered(scenario).await;
    done(&api, &id, "gather_using_speak", json!({
        "payload": "Code?", "voice": "female", "maximum_digits": 4, "timeout_millis": 600_000, "gather_id": "g",
    }))
    .await;
    let names = hooks.until("call.gather.ended").await;
    let keys = names.iter().filter(|name| *name == "call.dtmf.received").count();
    assert_eq!(keys, 3, "{names:?}");
}

#[tokio::test]
async fn what_was_gathered_is_told_and_too_little_is_a_timeout() {
    let (_telnyx, api, mut hooks, id) = answered(endless().pressing('7', 2 * MINUTE)).await;
    done(&api, &id, "gather", json!({"maximum_digits": 1, "timeout_millis": 600_000})).await;
    assert_eq!(hooks.next_of("call.dtmf.received").await["digit"], "7");
    let gathered = hooks.next().await.payload();
    assert_eq!((&gathered["digits"], &gathered["status"]), (&json!("7"), &json!("valid")));
    done(&api, &id, "gather", json!({"timeout_millis": 1000})).await;
    let gathered = hooks.next_of("call.gather.ended").await;
    assert_eq!((&gathered["digits"], &gathered["status"]), (&json!(""), &json!("timeout")));
    done(&api, &id, "gather", json!({"timeout_millis": 600_000})).await;
    done(&api, &id, "gather_stop", json!({})).await;
    assert_eq!(hooks.next_of("call.gather.ended").await["status"], "cancelled");
}

#[tokio::test]
async fn a_client_state_is_replaced_from_then_on() {
    let (_telnyx, api, mut hooks, id) = answered(endless()).await;
    done(&api, &id, "client_state_update", json!({"client_state": "YXR0XzI="})).await;
    assert_eq!(api.get(&format!("/v2/calls/{id}")).await.data()["client_state"], "YXR0XzI=");
    let path = format!("/v2/calls/{id}/actions/client_state_update");
    assert_eq!(api.post(&path, &json!({"client_state": "YQ=="})).await.refusal(), (404, "10005"));
    done(&api, &id, "hangup", json!({})).await;
    assert_eq!(hooks.next_of("call.hangup").await["client_state"], "YXR0XzI=");
}

#[tokio::test]
async fn a_transfer_rings_a_second_leg_of_the_same_session_and_ends_with_it() {
    let (telnyx, api) = scripted(endless()).await;
    telnyx.script("+14155550177", [Scenario::answered(Duration::from_secs(30))]);
    let mut hooks = Receiver::start().await;
    let mut second = Receiver::start().await;
    let id = api.dial(&json!({"webhook_url": hooks.url})).await;
    hooks.next_of("call.answered").await;
    done(
        &api,
        &id,
        "transfer",
        json!({
            "to": "+14155550177", "webhook_url": second.url, "target_leg_client_state": "YQ==",
        }),
    )
    .await;
    let initiated = second.next_of("call.initiated").await;
    assert_eq!((&initiated["to"], &initiated["client_state"]), (&json!("+14155550177"), &json!("YQ==")));
    assert_eq!(second.until("call.hangup").await, ["call.answered", "call.bridged", "call.hangup"]);
    let hangup = hooks.next_of("call.hangup").await;
    assert_eq!(hangup["call_session_id"], initiated["call_session_id"]);
    within(telnyx.until(|totals| totals.finished == 2)).await;
    assert_eq!(telnyx.dials().numbers["+14155550177"].accepted, 1);
}

#[tokio::test]
async fn a_transfer_that_is_not_answered_leaves_the_first_leg_alone_and_dies_with_it() {
    let (telnyx, api, mut hooks, id) = answered(endless()).await;
    telnyx.script("+14155550177", [Scenario::busy(), Scenario::answered(200 * MINUTE)]);
    let to = json!({"to": "+14155550177"});
    done(&api, &id, "transfer", to.clone()).await;
    within(telnyx.until(|totals| totals.finished == 1)).await;
    assert_eq!(telnyx.calls()[0].status.name(), "in-progress");
    done(&api, &id, "transfer", to).await;
    hooks.next_of("call.bridged").await;
    done(&api, &id, "hangup", json!({})).await;
    within(telnyx.until(|totals| totals.finished == 3)).await;
    assert_eq!(telnyx.calls()[0].number, CUSTOMER);
}
