//! What Retell's words for a call come to.

use outdial_workflows::call::{CallFact, CallResult, Talk};
use serde_json::{Value, json};

use crate::providers::retell::mapping::latest;

fn read(call: &Value) -> CallFact {
    latest(&serde_json::from_value(call.clone()).expect("a call"))
}

fn told(call: &Value) -> String {
    let fact = read(call);
    let end = fact.end.map_or(String::new(), |end| {
        format!(" {:?} {:?} `{}`", end.result, end.talk.map(|talk| talk.ms), end.cause.unwrap_or_default())
    });
    let at = fact.answered_at.map_or(String::new(), |at| format!(" from {}", at.format("%H:%M:%S")));
    format!("{}{end}{at}", fact.status.name())
}

/// Every documented reason, with its result where the call began and where it did not.
const REASONS: [(&str, CallResult, CallResult); 39] = {
    use CallResult::{Answered, Busy, Failed, InvalidNumber, Lost, NoAnswer, Voicemail};
    [
        ("user_hangup", Answered, Answered),
        ("agent_hangup", Answered, Answered),
        ("user_requested_dnc", Answered, Answered),
        ("user_requested_callback", Answered, Answered),
        ("call_transfer", Answered, Answered),
        ("voicemail_reached", Voicemail, Voicemail),
        ("ivr_reached", Voicemail, Voicemail),
        ("inactivity", Answered, Answered),
        ("max_duration_reached", Answered, Answered),
        ("concurrency_limit_reached", Failed, Failed),
        ("no_concurrency_fallback", Failed, Failed),
        ("no_valid_payment", Failed, Failed),
        ("credit_exhausted", Failed, Failed),
        ("budget_reached", Failed, Failed),
        ("scam_detected", Failed, Failed),
        ("dial_busy", Busy, Busy),
        ("dial_failed", Failed, Failed),
        ("dial_no_answer", NoAnswer, NoAnswer),
        ("invalid_destination", InvalidNumber, InvalidNumber),
        ("telephony_provider_permission_denied", Failed, Failed),
        ("telephony_provider_unavailable", Failed, Failed),
        ("sip_routing_error", Failed, Failed),
        ("marked_as_spam", Failed, Failed),
        ("network_blocked", Failed, Failed),
        ("user_declined", Busy, Busy),
        ("error_llm_websocket_open", Failed, Failed),
        ("error_llm_websocket_lost_connection", Failed, Failed),
        ("error_llm_websocket_runtime", Failed, Failed),
        ("error_llm_websocket_corrupt_payload", Failed, Failed),
        ("error_no_audio_received", Failed, Failed),
        ("error_asr", Failed, Failed),
        ("error_retell", Failed, Failed),
        ("error_unknown", Failed, Failed),
        ("error_user_not_joined", Failed, Failed),
        ("registered_call_timeout", Lost, Lost),
        ("transfer_bridged", Answered, Answered),
        ("transfer_cancelled", Answered, Answered),
        ("manual_stopped", Answered, NoAnswer),
        ("call_take_over", Answered, Answered),
    ]
};

#[test]
fn every_reason_has_a_meaning_and_the_status_beside_it_is_not_believed() {
    for (reason, began, never) in REASONS {
        for status in ["registered", "ongoing", "ended", "not_connected", "error"] {
            let mut call = json!({"call_status": status, "disconnection_reason": reason});
            let end = |call: &Value| read(call).end.map(|end| (end.result, end.cause));
            assert_eq!(end(&call), Some((never, Some(reason.to_owned()))), "{status}");
            call["start_timestamp"] = json!(1_767_225_600_000_u64);
            assert_eq!(end(&call), Some((began, Some(reason.to_owned()))), "{status}");
        }
    }
}

#[test]
fn a_reason_that_is_not_known_or_missing_counts_by_whether_the_call_began() {
    let began = 1_767_225_600_000_u64;
    for (call, means) in [
        (json!({"disconnection_reason": "struck_by_lightning"}), "failed Failed None `struck_by_lightning`"),
        (
            json!({"disconnection_reason": "struck_by_lightning", "start_timestamp": began}),
            "completed Answered None `struck_by_lightning` from 00:00:00",
        ),
        (json!({"call_status": "not_connected"}), "failed Failed None `not_connected`"),
        (
            json!({"call_status": "ended", "start_timestamp": began}),
            "completed Answered None `ended` from 00:00:00",
        ),
        (
            json!({"call_status": "registered", "start_timestamp": began, "end_timestamp": began + 9}),
            "completed Answered Some(9) `registered` from 00:00:00",
        ),
        (
            json!({"disconnection_reason": "line 4155550123 broke"}),
            "failed Failed None `line [number] broke`",
        ),
    ] {
        assert_eq!(told(&call), means, "{call}");
    }
}

#[test]
fn a_call_under_way_is_as_far_as_its_status_says() {
    let began = 1_767_225_600_000_u64;
    for (call, means) in [
        (json!({"call_status": "registered"}), "initiated"),
        (json!({"call_status": "registered", "start_timestamp": began}), "initiated"),
        (json!({"call_status": "ongoing"}), "connected"),
        (json!({"call_status": "ongoing", "start_timestamp": began}), "connected from 00:00:00"),
        (json!({"call_status": "musing", "start_timestamp": began}), "connected from 00:00:00"),
        (json!({"call_status": "musing"}), "initiated"),
        (json!({}), "initiated"),
    ] {
        assert_eq!(told(&call), means, "{call}");
    }
}

#[test]
fn only_a_call_that_was_picked_up_has_talk() {
    let call = |reason: &str| {
        json!({"disconnection_reason": reason, "start_timestamp": 1_767_225_600_000_u64,
            "end_timestamp": 1_767_225_612_500_u64, "duration_ms": 12_000})
    };
    let told = |reason: &str| told(&call(reason));
    assert_eq!(told("user_hangup"), "completed Answered Some(12000) `user_hangup` from 00:00:00");
    assert_eq!(told("ivr_reached"), "completed Voicemail Some(12000) `ivr_reached` from 00:00:00");
    assert_eq!(told("error_asr"), "failed Failed Some(12000) `error_asr` from 00:00:00");
    assert_eq!(told("dial_busy"), "completed Busy None `dial_busy`");
    let mut without = call("user_hangup");
    without["duration_ms"] = Value::Null;
    assert_eq!(read(&without).end.and_then(|end| end.talk), Some(Talk { ms: 12_500 }));
    without["end_timestamp"] = json!(1);
    assert_eq!(read(&without).end.and_then(|end| end.talk), None);
}

#[test]
fn cents_become_millionths_of_a_dollar() {
    for (cents, micros) in [
        (json!(70), Some(700_000)),
        (json!(13.2), Some(132_000)),
        (json!(0.0071), Some(71)),
        (json!(0), Some(0)),
        (json!(-1), None),
        (json!("70"), None),
        (json!(1e300), None),
    ] {
        let call = json!({"call_status": "ended", "call_cost": {"combined_cost": cents}});
        assert_eq!(read(&call).cost.map(|cost| cost.micros), micros, "{cents}");
    }
}

#[test]
fn a_recording_is_one_without_names_if_no_other_is_kept() {
    let url = |call: &Value| read(call).recording_url;
    let call = json!({"call_status": "ended", "recording_url": "https://r/a.wav", "scrubbed_recording_url": "https://r/b.wav"});
    assert_eq!(url(&call).as_deref(), Some("https://r/a.wav"));
    let call = json!({"call_status": "ended", "scrubbed_recording_url": "https://r/b.wav"});
    assert_eq!(url(&call).as_deref(), Some("https://r/b.wav"));
    assert_eq!(url(&json!({"call_status": "ended", "recording_url": "javascript:x"})), None);
}
