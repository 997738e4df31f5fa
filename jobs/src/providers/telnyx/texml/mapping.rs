//! TeXML's words for a call, in ours.

use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Talk};
use outdial_workflows::money::Cost;
use outdial_workflows::results::CallResults;

use super::wire::{self, Call};

/// What a status word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not over.
    Under(CallStatus),
    /// Over, in this way.
    Over(CallResult),
}

/// `None`: no word we know. `canceled` is a call that was given up while it rang.
pub(super) fn stage(word: &str) -> Option<Stage> {
    Some(match word.to_ascii_lowercase().as_str() {
        "queued" | "initiated" => Stage::Under(CallStatus::Initiated),
        "ringing" => Stage::Under(CallStatus::Ringing),
        "in-progress" | "answered" => Stage::Under(CallStatus::Connected),
        "completed" => Stage::Over(CallResult::Answered),
        "busy" => Stage::Over(CallResult::Busy),
        "no-answer" | "canceled" | "cancelled" => Stage::Over(CallResult::NoAnswer),
        "failed" => Stage::Over(CallResult::Failed),
        _ => return None,
    })
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answerer {
    Person,
    Machine,
    /// Detection could not tell.
    Unclear,
}

/// `None`: no word we know. Callbacks and reads have different ones, and so have two of the documents.
pub(super) fn answerer(word: &str) -> Option<Answerer> {
    Some(match word {
        "human" => Answerer::Person,
        "machine" | "fax" => Answerer::Machine,
        ends if ends.starts_with("machine_") => Answerer::Machine,
        "unknown" | "not_sure" => Answerer::Unclear,
        _ => return None,
    })
}

impl Answerer {
    pub(super) fn results(self) -> Option<Box<CallResults>> {
        let voicemail = match self {
            Self::Person => false,
            Self::Machine => true,
            Self::Unclear => return None,
        };
        Some(Box::new(CallResults { voicemail: Some(voicemail), ..CallResults::default() }))
    }
}

/// What a read says of a call.
///
/// # Errors
/// Names what was not understood.
pub(super) fn fact(call: &Call) -> Result<CallFact, String> {
    let sid = call.sid.clone().ok_or("Telnyx shows a call without its sid")?;
    let word = call.status.as_deref().unwrap_or_default();
    let stage = stage(word);
    let stage =
        stage.ok_or_else(|| format!("Telnyx says that the call is `{word}`, which we do not know"))?;
    let fact = match stage {
        Stage::Under(status) => CallFact::progress(Some(CallId(sid)), status),
        Stage::Over(result) => over(CallId(sid), result, word, call),
    };
    Ok(CallFact {
        results: call.answered_by.as_deref().and_then(answerer).and_then(Answerer::results),
        ..fact
    })
}

/// When it was picked up is the end less the talk: whether `start_time` is that or the beginning is not
/// documented.
fn over(call_id: CallId, result: CallResult, word: &str, call: &Call) -> CallFact {
    let answered = result == CallResult::Answered;
    let seconds = call.duration.as_deref().filter(|_| answered).and_then(|text| text.parse().ok());
    let talk = seconds.map(Talk::from_seconds);
    let ended_at = call.end_time.as_deref().and_then(wire::moment);
    let end = CallEnd { result, talk, cause: Some(word.to_owned()) };
    CallFact {
        answered_at: talk.zip(ended_at).map(|(talk, at)| at - talk.delta()),
        // Bills of the Twilio kind are negative.
        cost: call.price.as_deref().map(|price| price.trim_start_matches('-')).and_then(Cost::parse),
        ..CallFact::ended(Some(call_id), end)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &serde_json::Value) -> Result<CallFact, String> {
        fact(&serde_json::from_value(text.clone()).expect("a call"))
    }

    #[test]
    fn every_status_of_a_read_has_a_meaning() {
        use CallResult::{Answered, Busy, Failed, NoAnswer};
        for (word, status, result) in [
            ("ringing", CallStatus::Ringing, None),
            ("in-progress", CallStatus::Connected, None),
            ("canceled", CallStatus::Completed, Some(NoAnswer)),
            ("completed", CallStatus::Completed, Some(Answered)),
            ("failed", CallStatus::Failed, Some(Failed)),
            ("busy", CallStatus::Completed, Some(Busy)),
            ("no-answer", CallStatus::Completed, Some(NoAnswer)),
        ] {
            let fact = read(&json!({"sid": "v3:a", "status": word})).expect(word);
            assert_eq!((fact.status, fact.end.map(|end| end.result)), (status, result), "{word}");
        }
        assert!(read(&json!({"sid": "v3:a", "status": "eaten"})).expect_err("unknown").contains("`eaten`"));
        assert!(read(&json!({"status": "busy"})).is_err());
    }

    #[test]
    fn a_call_that_is_over_says_how_long_it_was_who_answered_and_what_it_cost() {
        let fact = read(&json!({
            "sid": "v3:a", "status": "completed", "duration": "11", "answered_by": "machine",
            "start_time": "Thu, 15 Jun 2023 09:56:30 +0000", "end_time": "Thu, 15 Jun 2023 09:56:45 +0000",
            "price": "-0.0070", "price_unit": "USD",
        }))
        .expect("a fact");
        assert_eq!(fact.end.and_then(|end| end.talk), Some(Talk { ms: 11_000 }));
        assert_eq!(fact.answered_at, wire::moment("2023-06-15T09:56:34Z"));
        assert_eq!(fact.results.and_then(|results| results.voicemail), Some(true));
        assert_eq!(fact.cost.map(|cost| cost.micros), Some(7_000));
    }

    #[test]
    fn machines_are_told_from_people_in_the_words_of_either_document() {
        for (word, is) in [
            ("human", Some(Answerer::Person)),
            ("machine", Some(Answerer::Machine)),
            ("machine_start", Some(Answerer::Machine)),
            ("machine_end_beep", Some(Answerer::Machine)),
            ("machine_end_silence", Some(Answerer::Machine)),
            ("machine_end_other", Some(Answerer::Machine)),
            ("fax", Some(Answerer::Machine)),
            ("unknown", Some(Answerer::Unclear)),
            ("not_sure", Some(Answerer::Unclear)),
            ("eaten", None),
        ] {
            assert_eq!(answerer(word), is, "{word}");
        }
    }
}
