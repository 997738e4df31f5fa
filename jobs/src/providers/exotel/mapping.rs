//! Exotel's words for a call, in ours.

use chrono_tz::Tz;
use outdial_workflows::Moment;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Talk};

use super::wire::{self, Call, CallDetails};

/// What a status word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not over.
    Under(CallStatus),
    /// Over, in this way.
    Over(CallResult),
}

/// What a v1 status means for the customer's leg. `None`: no word we know.
///
/// `in-progress` is what Exotel calls a call from the moment it takes the request, so it says
/// nothing about an answer. `canceled` is the carrier or the network giving up before an answer (no
/// request of ours can cancel a call); the phone may have rung, so it is as good as not answered.
pub(super) fn stage(word: &str) -> Option<Stage> {
    Some(match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "queued" | "in-progress" => Stage::Under(CallStatus::Initiated),
        "ringing" => Stage::Under(CallStatus::Ringing),
        "completed" => Stage::Over(CallResult::Answered),
        "no-answer" | "canceled" | "cancelled" => Stage::Over(CallResult::NoAnswer),
        "busy" => Stage::Over(CallResult::Busy),
        "failed" => Stage::Over(CallResult::Failed),
        _ => return None,
    })
}

/// The same for v3, which does not tell busy from unanswered. A second leg that failed means that
/// the first one, the customer's, was answered.
fn stage_v3(details: &CallDetails) -> Option<Stage> {
    match (details.state.as_deref(), details.status.as_deref()) {
        (Some("active"), _) | (None, None) => Some(Stage::Under(CallStatus::Initiated)),
        (_, Some("completed" | "to_leg_unanswered" | "to_leg_no_dial" | "to_leg_cancelled")) => {
            Some(Stage::Over(CallResult::Answered))
        }
        (_, Some("from_leg_unanswered" | "from_leg_cancelled")) => Some(Stage::Over(CallResult::NoAnswer)),
        (_, Some("from_leg_no_dial")) => Some(Stage::Over(CallResult::Failed)),
        _ => None,
    }
}

/// What is known of a call that is over, beside how.
#[derive(Debug, Default)]
pub(super) struct Ending<'a> {
    /// Exotel's word for it.
    pub(super) word: &'a str,
    /// Seconds talked.
    pub(super) talk_s: Option<&'a str>,
    /// When it was over.
    pub(super) ended_at: Option<Moment>,
    /// Where it was recorded to.
    pub(super) recording_url: Option<&'a str>,
}

/// News of a call's end. Only an answered call has talk time; when it was picked up is the end
/// less the talk, since `StartTime` is when dialling began.
pub(super) fn ended(call_id: Option<CallId>, result: CallResult, ending: &Ending<'_>) -> CallFact {
    let answered = result == CallResult::Answered;
    let seconds = ending.talk_s.filter(|_| answered).and_then(|text| text.parse().ok());
    let talk = seconds.map(Talk::from_seconds);
    let answered_at = talk.zip(ending.ended_at).map(|(talk, at)| at - talk.delta());
    let end = CallEnd { result, talk, cause: Some(ending.word.to_owned()) };
    let recording_url = ending.recording_url.map(str::to_owned);
    CallFact { answered_at, recording_url, ..CallFact::ended(call_id, end) }
}

/// What the reads say of a call, of which at least one succeeded. v1 tells results apart better,
/// v3 knows times better; an end that either knows of is one. Details come late: an end without
/// any duration is an end all the same.
///
/// # Errors
/// Names the word that was not understood.
pub(super) fn fact(v1: Option<&Call>, v3: Option<&CallDetails>, zone: Tz) -> Result<CallFact, String> {
    let sid = v1.and_then(|call| call.sid.as_deref()).or(v3.and_then(|call| call.sid.as_deref()));
    let call_id = sid.map(|sid| CallId(sid.to_owned()));
    let word_v1 = v1.and_then(|call| call.status.as_deref());
    let word_v3 = v3.and_then(|call| call.status.as_deref());
    let stages = (word_v1.and_then(stage), v3.and_then(stage_v3));
    let (result, word) = match stages {
        (Some(Stage::Over(result)), _) => (result, word_v1),
        (_, Some(Stage::Over(result))) => (result, word_v3),
        (Some(Stage::Under(status)), _) | (None, Some(Stage::Under(status))) => {
            return Ok(CallFact::progress(call_id, status));
        }
        (None, None) => {
            let word = word_v1.or(word_v3).unwrap_or_default();
            return Err(format!("Exotel says that the call is `{word}`, which we do not know"));
        }
    };
    let recorded = v3.and_then(|call| call.recordings.iter().find_map(|recording| recording.url.as_deref()));
    let ending = Ending {
        word: word.unwrap_or_default(),
        talk_s: v3
            .and_then(|call| call.total_talk_time.as_deref())
            .or(v1.and_then(|call| call.details.conversation_duration.as_deref()))
            .or(v1.and_then(|call| call.duration.as_deref())),
        ended_at: v3
            .and_then(|call| wire::moment(call.end_time.as_deref()?, zone))
            .or(v1.and_then(|call| wire::moment(call.end_time.as_deref()?, zone))),
        recording_url: v1.and_then(|call| call.recording_url.as_deref()).or(recorded),
    };
    Ok(ended(call_id, result, &ending))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(v1: &Value, v3: &Value) -> Result<String, String> {
        let v1 = (!v1.is_null()).then(|| serde_json::from_value(v1.clone()).expect("a v1 call"));
        let v3 = (!v3.is_null()).then(|| serde_json::from_value(v3.clone()).expect("v3 details"));
        let fact = fact(v1.as_ref(), v3.as_ref(), Tz::Asia__Kolkata)?;
        let end = fact.end.map_or(String::new(), |end| {
            format!(" {:?} {:?}", end.result, end.talk.map(|talk| talk.ms)).to_lowercase()
        });
        let at = fact.answered_at.map_or(String::new(), |at| format!(" from {}", at.format("%H:%M:%S")));
        Ok(format!("{}{end}{at}", fact.status.name()))
    }

    #[test]
    fn every_status_has_a_meaning_and_accepted_is_never_answered() {
        for (word, means) in [
            ("queued", "initiated"),
            ("in-progress", "initiated"),
            ("ringing", "ringing"),
            ("completed", "completed answered none"),
            ("no-answer", "completed noanswer none"),
            ("busy", "completed busy none"),
            ("failed", "failed failed none"),
            ("canceled", "completed noanswer none"),
            ("Cancelled", "completed noanswer none"),
        ] {
            let call = json!({"Sid": "c1", "Status": word, "Duration": null, "EndTime": null});
            assert_eq!(told(&call, &Value::Null).as_deref(), Ok(means), "{word}");
        }
        assert!(told(&json!({"Status": "paused"}), &Value::Null).expect_err("unknown").contains("`paused`"));
    }

    #[test]
    fn v3_words_are_about_the_customers_leg() {
        for (state, word, means) in [
            ("active", Value::Null, "initiated"),
            ("terminal", "completed".into(), "completed answered none"),
            ("terminal", "from_leg_unanswered".into(), "completed noanswer none"),
            ("terminal", "from_leg_cancelled".into(), "completed noanswer none"),
            ("terminal", "from_leg_no_dial".into(), "failed failed none"),
            ("terminal", "to_leg_unanswered".into(), "completed answered none"),
        ] {
            let details = json!({"sid": "c1", "state": state, "status": word});
            assert_eq!(told(&Value::Null, &details).as_deref(), Ok(means), "{word}");
        }
        assert!(told(&Value::Null, &json!({"state": "terminal", "status": "eaten"})).is_err());
    }

    #[test]
    fn what_one_read_lacks_the_other_gives() {
        let busy = json!({"Status": "busy"});
        let unanswered = json!({"state": "terminal", "status": "from_leg_unanswered"});
        assert_eq!(told(&busy, &unanswered).as_deref(), Ok("completed busy none"));
        let behind = json!({"Status": "in-progress"});
        assert_eq!(told(&behind, &unanswered).as_deref(), Ok("completed noanswer none"));
    }

    #[test]
    fn talk_time_is_what_was_said_about_the_conversation_first() {
        let call = json!({
            "Status": "completed", "Duration": "40", "EndTime": "2026-01-15 14:30:45",
            "Details": {"ConversationDuration": 20},
        });
        assert_eq!(told(&call, &Value::Null).as_deref(), Ok("completed answered some(20000) from 09:00:25"));
        let short = json!({"Status": "completed", "Duration": "40"});
        assert_eq!(told(&short, &Value::Null).as_deref(), Ok("completed answered some(40000)"));
        let details = json!({"state": "terminal", "status": "completed", "total_talk_time": 19,
            "end_time": "2026-01-15 14:30:45+05:30"});
        assert_eq!(told(&call, &details).as_deref(), Ok("completed answered some(19000) from 09:00:26"));
        let unanswered = json!({"Status": "no-answer", "Duration": "30"});
        assert_eq!(told(&unanswered, &Value::Null).as_deref(), Ok("completed noanswer none"));
    }
}
