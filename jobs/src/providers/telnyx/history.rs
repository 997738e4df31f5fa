//! One call's events, read together.

use outdial_workflows::Moment;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Talk};

use super::mapping::{self, Told};
use super::wire::{self, Event};

/// What a call's events say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    /// The latest about the call.
    pub(super) fact: CallFact,
    /// Whether somebody or something answered.
    pub(super) answered: bool,
}

/// What these events say of `call`, or of the first call that one of them names. `None` if none does.
///
/// `answered_at` is when the call is known to have been answered: the logs may hold its end and lack that.
pub(super) fn read(
    mut events: Vec<Event>,
    call: Option<&CallId>,
    answered_at: Option<Moment>,
) -> Option<History> {
    events.sort_by_key(happened);
    let named = events.iter().find_map(|event| event.payload.call_control_id.clone());
    let call_id = call.cloned().or(named.map(CallId))?;
    // Only the news of a recording names no call.
    let is_its = |event: &&Event| event.payload.call_control_id.as_ref().is_none_or(|id| *id == call_id.0);
    let fact = CallFact::progress(Some(call_id.clone()), CallStatus::Initiated);
    let mut history = History { fact: CallFact { answered_at, ..fact }, answered: answered_at.is_some() };
    let (mut any, mut over_at) = (false, None);
    for event in events.iter().filter(is_its) {
        any = true;
        history.answered |= is_of_answered(event);
        if let Told::News(news) = mapping::told(event) {
            if news.end.is_some() {
                over_at = event.payload.end_time.as_deref().and_then(wire::moment).or(happened(event));
            }
            take_in(&mut history.fact, news);
        }
    }
    if let Some(end) = &history.fact.end {
        let end = CallEnd { talk: talk(&history, over_at), ..end.clone() };
        history.end(end);
    }
    any.then_some(history)
}

impl History {
    /// The call is over. One that was answered ended as such, whatever else is said.
    pub(super) fn end(&mut self, end: CallEnd) {
        let result = if self.answered { CallResult::Answered } else { end.result };
        self.fact.status = result.status();
        self.fact.end = Some(CallEnd { result, ..end });
    }
}

fn happened(event: &Event) -> Option<Moment> {
    event.occurred_at.as_deref().and_then(wire::moment)
}

fn is_of_answered(event: &Event) -> bool {
    event
        .event_type
        .as_deref()
        .is_some_and(|kind| kind == "call.answered" || kind.starts_with(mapping::MACHINE))
}

/// Later news replaces earlier, part by part.
fn take_in(fact: &mut CallFact, news: CallFact) {
    fact.status = fact.status.advance(news.status);
    fact.answered_at = news.answered_at.or(fact.answered_at);
    fact.end = fact.end.take().or(news.end);
    fact.recording_url = news.recording_url.or(fact.recording_url.take());
    fact.cost = news.cost.or(fact.cost);
    fact.results = news.results.or(fact.results.take());
}

fn talk(history: &History, over_at: Option<Moment>) -> Option<Talk> {
    let passed = over_at? - history.fact.answered_at?;
    u32::try_from(passed.num_milliseconds()).ok().map(|ms| Talk { ms })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(second: u32, kind: &str, mut payload: Value) -> Event {
        if kind != "call.recording.saved" && payload["call_control_id"].is_null() {
            payload["call_control_id"] = "v3:a".into();
        }
        let at = format!("2026-01-15T08:55:{second:02}Z");
        let text = json!({"event_type": kind, "occurred_at": at, "payload": payload});
        serde_json::from_value(text).expect("an event")
    }

    #[test]
    fn events_in_any_order_are_one_story() {
        let events = || {
            vec![
                event(
                    40,
                    "call.hangup",
                    json!({"hangup_cause": "normal_clearing", "sip_hangup_cause": "200"}),
                ),
                event(41, "call.recording.saved", json!({"recording_urls": {"mp3": "https://s3/x.mp3"}})),
                event(10, "call.initiated", json!({"direction": "outgoing"})),
                event(42, "call.cost", json!({"total_cost": "0.0070"})),
                event(15, "call.answered", json!({})),
                event(18, "call.machine.detection.ended", json!({"result": "machine"})),
                event(18, "call.eaten", json!({})),
            ]
        };
        let read_so = |events| read(events, None, None).expect("a history").fact;
        let fact = read_so(events());
        let end = fact.end.clone().expect("an end");
        assert_eq!(
            (end.result, end.talk, fact.status),
            (CallResult::Answered, Some(Talk { ms: 25_000 }), CallStatus::Completed)
        );
        assert_eq!(fact.results.as_ref().and_then(|results| results.voicemail), Some(true));
        assert_eq!(fact.recording_url.as_deref(), Some("https://s3/x.mp3"));
        assert_eq!(fact.cost.map(|cost| cost.micros), Some(7_000));
        assert_eq!(fact, read_so(events().into_iter().rev().collect()));
    }

    #[test]
    fn a_call_that_was_answered_did_not_fail_however_it_ended() {
        let hangup = || event(40, "call.hangup", json!({"hangup_cause": "unspecified"}));
        let result = |events| read(events, None, None).and_then(|told| told.fact.end).map(|end| end.result);
        assert_eq!(result(vec![hangup()]), Some(CallResult::Failed));
        let known = wire::moment("2026-01-15T08:55:15Z");
        let end = read(vec![hangup()], None, known).and_then(|told| told.fact.end).expect("an end");
        assert_eq!((end.result, end.talk), (CallResult::Answered, Some(Talk { ms: 25_000 })));
        for sign in ["call.answered", "call.machine.detection.ended"] {
            assert_eq!(result(vec![hangup(), event(12, sign, json!({}))]), Some(CallResult::Answered));
        }
    }

    #[test]
    fn another_call_with_our_key_is_not_mixed_in() {
        let other = json!({"call_control_id": "v3:b", "hangup_cause": "user_busy"});
        let events = || vec![event(10, "call.initiated", json!({})), event(20, "call.hangup", other.clone())];
        let first = read(events(), None, None).expect("a history").fact;
        assert_eq!((first.call_id, first.end), (Some(CallId("v3:a".into())), None));
        let asked = CallId("v3:b".into());
        let second = read(events(), Some(&asked), None).expect("a history").fact;
        assert_eq!((second.call_id, second.status), (Some(asked), CallStatus::Completed));
        assert_eq!(read(events(), Some(&CallId("v3:c".into())), None), None);
        assert_eq!(read(vec![event(10, "call.recording.saved", json!({}))], None, None), None);
    }
}
