//! Telnyx's words for a call, in ours.

use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus};
use outdial_workflows::money::Cost;
use outdial_workflows::results::CallResults;
use url::Url;

use super::wire::{self, Event, Payload};
use crate::providers::tidy::tidy;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// News of a call.
    News(CallFact),
    /// Documented, and changes nothing.
    Nothing,
    /// Of a type that we do not know.
    Stranger,
}

/// Where answering machine detection speaks.
pub(super) const MACHINE: &str = "call.machine.";

/// Documented types, or families of them, that change nothing here.
const NOTHING: [&str; 23] = [
    "call.ai_gather.",
    "call.bridged",
    "call.conversation.",
    "call.conversation_insights.",
    "call.conversation_relay.",
    "call.deepfake_detection.",
    "call.dtmf.",
    "call.enqueued",
    "call.fork.",
    "call.gather.",
    "call.left_queue",
    "call.parked",
    "call.playback.",
    "call.recording.",
    "call.refer.",
    "call.siprec.",
    "call.speak.",
    "call.streaming.",
    "call.transcription",
    "call.hold",
    "call.unhold",
    "conference.",
    "streaming.",
];

/// What an event says. It stands for itself: what came before it or will come after is not known.
pub(super) fn told(event: &Event) -> Told {
    let payload = &event.payload;
    let call_id = payload.call_control_id.clone().map(CallId);
    let news = match event.event_type.as_deref().unwrap_or_default() {
        // Somebody calls a number of the account's, through the same application.
        "call.initiated" if payload.direction.as_deref() == Some("incoming") => None,
        "call.initiated" => Some(CallFact::progress(call_id, CallStatus::Initiated)),
        "call.answered" => {
            let answered_at = event.occurred_at.as_deref().and_then(wire::moment);
            Some(CallFact { answered_at, ..CallFact::progress(call_id, CallStatus::Connected) })
        }
        "call.hangup" => Some(CallFact::ended(call_id, end(payload))),
        "call.recording.saved" => recording(payload)
            .map(|url| CallFact { recording_url: Some(url), ..CallFact::progress(call_id, BESIDE) }),
        "call.cost" => payload
            .total_cost
            .as_deref()
            .and_then(Cost::parse)
            .map(|cost| CallFact { cost: Some(cost), ..CallFact::progress(call_id, BESIDE) }),
        kind if kind.starts_with(MACHINE) => machine(kind, payload.result.as_deref()).map(|voicemail| {
            let results = CallResults { voicemail: Some(voicemail), ..CallResults::default() };
            let tone = payload.result.as_deref() == Some("beep_detected");
            CallFact { tone, results: Some(Box::new(results)), ..CallFact::progress(call_id, BESIDE) }
        }),
        kind if NOTHING.iter().any(|known| is_of(kind, known)) => None,
        _ => return Told::Stranger,
    };
    news.map_or(Told::Nothing, Told::News)
}

/// The status of news that says nothing about how far the call has come: each call has come this far.
/// Detection is such news too, since `call.answered` tells better when somebody picked up.
const BESIDE: CallStatus = CallStatus::Initiated;

/// A name that ends in a dot is a family.
fn is_of(kind: &str, known: &str) -> bool {
    if known.ends_with('.') { kind.starts_with(known) } else { kind == known }
}

/// Whether a machine answered, where detection has made up its mind. A beep says so by itself: premium
/// detection that hears one first sends nothing else.
fn machine(kind: &str, result: Option<&str>) -> Option<bool> {
    let greeting = kind.ends_with("greeting.ended");
    match result? {
        "machine" | "fax_detected" => Some(true),
        "beep_detected" if greeting => Some(true),
        "human" | "human_residence" | "human_business" => Some(false),
        // `silence` and `not_sure`; and a greeting without a beep, or the question of a phone that asks who
        // is calling, whose verdict came before.
        _ => None,
    }
}

/// How a call ended, by its `call.hangup` alone: webhooks come in any order, and its `start_time` is when
/// the call was placed. So it is the cause that tells whether it was answered.
pub(super) fn end(payload: &Payload) -> CallEnd {
    let (cause, sip) = (payload.hangup_cause.as_deref(), payload.sip_hangup_cause.as_deref());
    let word = cause.unwrap_or("unspecified");
    CallEnd { result: result(word, sip), talk: None, cause: Some(said(word, sip)) }
}

/// What is kept of a cause, and of the SIP code beside it.
pub(super) fn said(word: &str, sip: Option<&str>) -> String {
    let code = sip.filter(|code| code.len() <= 3 && code.bytes().all(|b| b.is_ascii_digit()));
    tidy(&code.map_or_else(|| word.to_owned(), |code| format!("{word}, SIP {code}")), &[])
}

/// What a hang-up's cause means, with the SIP code beside it where the cause leaves it open.
pub(super) fn result(cause: &str, sip: Option<&str>) -> CallResult {
    match cause {
        "normal_clearing" => sip.and_then(by_code).unwrap_or(CallResult::Answered),
        "time_limit" => CallResult::Answered,
        "user_busy" | "call_rejected" => CallResult::Busy,
        "no_answer" | "timeout" | "originator_cancel" => CallResult::NoAnswer,
        "not_found" | "unallocated_number" | "invalid_number_format" => CallResult::InvalidNumber,
        // `unspecified`, and words of a later day.
        _ => sip.and_then(by_code).unwrap_or(CallResult::Failed),
    }
}

/// What a SIP code means, or one of Q.850, which one sample of the documents shows in its place.
pub(super) fn by_code(code: &str) -> Option<CallResult> {
    Some(match code {
        "200" | "16" => CallResult::Answered,
        "486" | "600" | "603" | "17" | "21" => CallResult::Busy,
        "408" | "480" | "487" | "18" | "19" => CallResult::NoAnswer,
        "404" | "410" | "484" | "604" | "1" | "28" => CallResult::InvalidNumber,
        _ if code.len() == 3 && code > "299" => CallResult::Failed,
        _ => return None,
    })
}

/// Where the recording lies: rather for good than for ten minutes, and rather small.
fn recording(payload: &Payload) -> Option<String> {
    let (public, passing) = (&payload.public_recording_urls, &payload.recording_urls);
    let urls = [&public.mp3, &public.wav, &passing.mp3, &passing.wav];
    urls.into_iter().flatten().find(|url| is_web_address(url)).cloned()
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: &str, payload: &Value) -> Event {
        let text = json!({"event_type": kind, "occurred_at": "2026-01-15T08:55:20.5Z", "payload": payload});
        serde_json::from_value(text).expect("an event")
    }

    fn ends(payload: &Value) -> (CallResult, String) {
        match told(&event("call.hangup", payload)) {
            Told::News(CallFact { end: Some(end), .. }) => (end.result, end.cause.expect("a cause")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_cause_of_a_hang_up_has_a_meaning() {
        use CallResult::{Answered, Busy, Failed, InvalidNumber, NoAnswer};
        for (cause, sip, means) in [
            ("normal_clearing", "200", Answered),
            ("normal_clearing", "16", Answered),
            ("normal_clearing", "unspecified", Answered),
            ("normal_clearing", "487", NoAnswer),
            ("time_limit", "200", Answered),
            ("user_busy", "486", Busy),
            ("call_rejected", "603", Busy),
            ("call_rejected", "403", Busy),
            ("originator_cancel", "487", NoAnswer),
            ("timeout", "487", NoAnswer),
            ("no_answer", "480", NoAnswer),
            ("not_found", "404", InvalidNumber),
            ("unspecified", "480", NoAnswer),
            ("unspecified", "486", Busy),
            ("unspecified", "404", InvalidNumber),
            ("unspecified", "200", Answered),
            ("unspecified", "503", Failed),
            ("unspecified", "unspecified", Failed),
            ("eaten", "503", Failed),
            ("eaten", "999999999", Failed),
        ] {
            let (result, said) = ends(&json!({"hangup_cause": cause, "sip_hangup_cause": sip}));
            assert_eq!(result, means, "{cause} {sip}");
            assert!(said.starts_with(cause), "{said}");
        }
        assert_eq!(
            ends(&json!({"hangup_cause": "user_busy", "sip_hangup_cause": 486})).1,
            "user_busy, SIP 486"
        );
        assert_eq!(ends(&json!({})), (Failed, "unspecified".into()));
        assert_eq!(ends(&json!({"hangup_cause": "of +14155550123"})).1, "of +[number]");
    }

    #[test]
    fn detection_tells_machines_from_people_or_says_nothing() {
        let detection = "call.machine.detection.ended";
        let premium = "call.machine.premium.detection.ended";
        let greeting = "call.machine.premium.greeting.ended";
        for (kind, result, voicemail) in [
            (detection, "human", Some(false)),
            (detection, "machine", Some(true)),
            (detection, "not_sure", None),
            (premium, "human_residence", Some(false)),
            (premium, "human_business", Some(false)),
            (premium, "machine", Some(true)),
            (premium, "silence", None),
            (premium, "fax_detected", Some(true)),
            (premium, "not_sure", None),
            ("call.machine.greeting.ended", "beep_detected", Some(true)),
            ("call.machine.greeting.ended", "ended", None),
            ("call.machine.greeting.ended", "not_sure", None),
            (greeting, "beep_detected", Some(true)),
            (greeting, "no_beep_detected", None),
            (greeting, "prompt_ended", None),
        ] {
            let said = match told(&event(kind, &json!({"result": result}))) {
                Told::News(fact) => fact.results.expect("results").voicemail,
                Told::Nothing => None,
                Told::Stranger => panic!("{kind} is known"),
            };
            assert_eq!(said, voicemail, "{kind} {result}");
        }
    }

    #[test]
    fn a_recordings_lasting_address_is_taken_before_one_that_is_not() {
        let passing = json!({"wav": "https://s3/x.wav", "mp3": "https://s3/x.mp3"});
        for (payload, url) in [
            (json!({"recording_urls": passing, "public_recording_urls": {}}), Some("https://s3/x.mp3")),
            (
                json!({"recording_urls": passing, "public_recording_urls": {"wav": "https://p/x.wav"}}),
                Some("https://p/x.wav"),
            ),
            (json!({"recording_urls": {"wav": "file:///x"}, "public_recording_urls": null}), None),
            (json!({}), None),
        ] {
            match told(&event("call.recording.saved", &payload)) {
                Told::News(fact) => assert_eq!((fact.recording_url.as_deref(), fact.call_id), (url, None)),
                other => assert_eq!((other, url), (Told::Nothing, None)),
            }
        }
    }

    #[test]
    fn costs_are_read_whether_they_are_text_or_not() {
        for (cost, micros) in
            [(json!("0.0070"), Some(7_000)), (json!(0.5), Some(500_000)), (json!(null), None)]
        {
            let payload = json!({"call_control_id": "v3:a", "total_cost": cost});
            match told(&event("call.cost", &payload)) {
                Told::News(fact) => assert_eq!(fact.cost.map(|cost| cost.micros), micros),
                other => assert_eq!((other, micros), (Told::Nothing, None)),
            }
        }
    }

    #[test]
    fn documented_events_that_change_nothing_are_told_from_those_of_a_later_day() {
        for kind in [
            "call.bridged",
            "call.speak.started",
            "call.speak.ended",
            "call.playback.started",
            "call.playback.ended",
            "call.dtmf.received",
            "call.gather.ended",
            "call.recording.error",
            "streaming.started",
            "streaming.stopped",
            "streaming.failed",
        ] {
            assert_eq!(told(&event(kind, &json!({}))), Told::Nothing, "{kind}");
        }
        assert_eq!(told(&event("call.initiated", &json!({"direction": "incoming"}))), Told::Nothing);
        for kind in ["call.eaten", "call.bridgedish", "", "message.received"] {
            assert_eq!(told(&event(kind, &json!({}))), Told::Stranger, "{kind}");
        }
    }
}
