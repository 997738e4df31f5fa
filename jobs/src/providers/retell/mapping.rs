//! Retell's words for a call, in ours.

use outdial_workflows::Moment;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Talk};
use outdial_workflows::money::Cost;
use url::Url;

use super::results;
use super::wire::Call;
use crate::providers::tidy::tidy;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ending {
    result: CallResult,
    /// Whether the called side picked up, so that the call's times are those of a talk.
    connected: bool,
}

/// What a reason for a disconnection means; `started` is whether the call bears the time of its beginning,
/// which decides where the word does not.
///
/// A call that Retell's side broke has failed even if somebody had picked up: nobody knows how much of it the
/// person heard, and as *answered* it would end its lead in silence. `registered_call_timeout` is a call of
/// which Retell never heard again. A reason that is not known, or none, counts by whether the call began.
fn ending(reason: Option<&str>, started: bool) -> Ending {
    use CallResult::{Answered, Busy, Failed, InvalidNumber, Lost, NoAnswer, Voicemail};
    let talked = |result| Ending { result, connected: true };
    let never = |result| Ending { result, connected: false };
    let either = |yes, no| Ending { result: if started { yes } else { no }, connected: started };
    match reason.unwrap_or_default() {
        "user_hangup"
        | "agent_hangup"
        | "user_requested_dnc"
        | "user_requested_callback"
        | "call_transfer"
        | "transfer_bridged"
        | "transfer_cancelled"
        | "inactivity"
        | "max_duration_reached"
        | "call_take_over" => talked(Answered),
        "voicemail_reached" | "ivr_reached" => talked(Voicemail),
        // Ended before an answer, it is as good as not answered.
        "manual_stopped" => either(Answered, NoAnswer),
        "dial_busy" | "user_declined" => never(Busy),
        "dial_no_answer" => never(NoAnswer),
        "invalid_destination" => never(InvalidNumber),
        "dial_failed"
        | "telephony_provider_permission_denied"
        | "telephony_provider_unavailable"
        | "sip_routing_error"
        | "marked_as_spam"
        | "network_blocked"
        | "concurrency_limit_reached"
        | "no_concurrency_fallback" => never(Failed),
        "registered_call_timeout" => never(Lost),
        "no_valid_payment"
        | "credit_exhausted"
        | "budget_reached"
        | "scam_detected"
        | "error_llm_websocket_open"
        | "error_llm_websocket_lost_connection"
        | "error_llm_websocket_runtime"
        | "error_llm_websocket_corrupt_payload"
        | "error_no_audio_received"
        | "error_asr"
        | "error_retell"
        | "error_unknown"
        | "error_user_not_joined" => either(Failed, Failed),
        _ => either(Answered, Failed),
    }
}

/// Whether anything says that the call is over.
pub(super) fn is_over(call: &Call) -> bool {
    let final_word = matches!(call.call_status.as_deref(), Some("ended" | "not_connected" | "error"));
    final_word || call.disconnection_reason.is_some() || call.end_timestamp.is_some()
}

/// All that is told of a call.
pub(super) fn latest(call: &Call) -> CallFact {
    if is_over(call) {
        return ended(call);
    }
    let status = match (call.call_status.as_deref(), call.start_timestamp) {
        (Some("registered"), _) => CallStatus::Initiated,
        (Some("ongoing"), _) | (_, Some(_)) => CallStatus::Connected,
        _ => CallStatus::Initiated,
    };
    match status {
        CallStatus::Connected => CallFact { results: results::of(call), ..connected(call) },
        _ => CallFact { results: results::of(call), ..CallFact::progress(name(call), status) },
    }
}

/// News of an answer.
pub(super) fn connected(call: &Call) -> CallFact {
    let answered_at = call.start_timestamp.and_then(moment);
    CallFact { answered_at, ..CallFact::progress(name(call), CallStatus::Connected) }
}

/// News of a call's end, with all that it yielded.
pub(super) fn ended(call: &Call) -> CallFact {
    let started = call.start_timestamp.is_some();
    let Ending { result, connected } = ending(call.disconnection_reason.as_deref(), started);
    let word = call.disconnection_reason.as_deref().or(call.call_status.as_deref());
    let talk = talk(call).filter(|_| connected);
    let end = CallEnd { result, talk, cause: word.map(|word| tidy(word, &[])) };
    let recording = [&call.recording_url, &call.scrubbed_recording_url];
    CallFact {
        answered_at: call.start_timestamp.filter(|_| connected).and_then(moment),
        recording_url: recording.into_iter().flatten().find(|url| is_web_address(url)).cloned(),
        cost: call.call_cost.combined_cost.and_then(cost),
        results: results::of(call),
        ..CallFact::ended(name(call), end)
    }
}

pub(super) fn name(call: &Call) -> Option<CallId> {
    call.call_id.clone().map(CallId)
}

fn talk(call: &Call) -> Option<Talk> {
    let between = || Some(call.end_timestamp? - call.start_timestamp?);
    let ms = call.duration_ms.or_else(between)?;
    u32::try_from(ms).ok().map(|ms| Talk { ms })
}

fn moment(epoch_ms: i64) -> Option<Moment> {
    Moment::from_timestamp_millis(epoch_ms).filter(|_| epoch_ms > 0)
}

/// Retell counts in cents of a dollar, with fractions; a cost, in millionths of a dollar.
fn cost(cents: f64) -> Option<Cost> {
    let read = Cost::parse(&format!("{cents:.4}"))?;
    Some(Cost { micros: read.micros / 100 })
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
