//! One callback: a form.

use std::collections::HashMap;

use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Talk};
use outdial_workflows::ids::DialKey;
use url::Url;

use super::mapping::{self, Answerer, Stage};
use super::wire;
use crate::providers::telnyx::mapping::{by_code, result, said};
use crate::providers::{Webhook, WebhookError};

/// A callback's fields, of which none is empty.
struct Fields(HashMap<String, String>);

/// Reads a callback that has proved to be Telnyx's, and is of this attempt. It stands for itself: what came
/// before it or will come after is not known.
///
/// # Errors
/// If it does not name its call.
pub(in crate::providers::telnyx) fn read(
    body: &[u8],
    attempt: Option<DialKey>,
) -> Result<Webhook, WebhookError> {
    let fields = Fields::read(body);
    let sid = fields.get("CallSid").ok_or_else(|| WebhookError::Unreadable("CallSid is missing".into()))?;
    let call = CallId(sid.to_owned());
    let news = match fields.get("CallStatus") {
        // A leg that the document dials, which has an end of its own.
        _ if fields.get("ParentCallSid").is_some() => Told::Nothing("callback of another leg"),
        Some("dtmf") => Told::Nothing("dtmf"),
        Some(word) => match mapping::stage(word) {
            Some(Stage::Under(status)) => Told::News(fields.under_way(call, status)),
            Some(Stage::Over(result)) => Told::News(fields.over(call, word, result)),
            None => Told::Stranger(word),
        },
        None => fields.beside(call),
    };
    Ok(match news {
        Told::News(fact) => Webhook::News { key: attempt.map(|key| key.to_string()), fact },
        Told::Nothing(event) => Webhook::Nothing { event: event.to_owned() },
        Told::Stranger(word) => Webhook::Stranger { event: format!("texml.{}", shortened(word)) },
    })
}

enum Told<'a> {
    News(CallFact),
    Nothing(&'static str),
    /// Of a kind or a word that we do not know.
    Stranger(&'a str),
}

impl Fields {
    fn read(body: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(body).into_owned();
        Self(pairs.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    fn moment(&self, name: &str) -> Option<outdial_workflows::Moment> {
        self.get(name).and_then(wire::moment)
    }

    fn answerer(&self) -> Option<Answerer> {
        self.get("AnsweredBy").and_then(mapping::answerer)
    }

    fn recording(&self) -> Option<String> {
        let url = self.get("RecordingUrl")?;
        let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        is_web.then(|| url.to_owned())
    }

    fn under_way(&self, call: CallId, status: CallStatus) -> CallFact {
        let picked_up = status == CallStatus::Connected;
        CallFact {
            answered_at: self.moment("Timestamp").filter(|_| picked_up),
            results: self.answerer().and_then(Answerer::results),
            ..CallFact::progress(Some(call), status)
        }
    }

    fn over(&self, call: CallId, word: &str, outcome: CallResult) -> CallFact {
        let (cause, sip) = (self.get("HangupCause"), self.get("SipHangupCause"));
        let outcome = match outcome {
            CallResult::Failed => why_failed(cause, sip),
            otherwise => otherwise,
        };
        let answered = outcome == CallResult::Answered;
        let (answered_at, ended_at) = (self.moment("AnsweredTime"), self.moment("EndTime"));
        let end = CallEnd {
            result: outcome,
            talk: answered.then(|| self.talk()).flatten(),
            cause: Some(said(cause.unwrap_or(word), sip)),
        };
        let counted = end.talk.zip(ended_at).map(|(talk, at)| at - talk.delta());
        CallFact {
            answered_at: answered_at.or(counted).filter(|_| answered),
            recording_url: self.recording(),
            results: self.answerer().and_then(Answerer::results),
            ..CallFact::ended(Some(call), end)
        }
    }

    /// What is billed, in whole seconds; without it, by the clock.
    fn talk(&self) -> Option<Talk> {
        if let Some(seconds) = self.get("CallDuration").and_then(|text| text.parse().ok()) {
            return Some(Talk::from_seconds(seconds));
        }
        let passed = self.moment("EndTime")? - self.moment("AnsweredTime")?;
        u32::try_from(passed.num_milliseconds()).ok().map(|ms| Talk { ms })
    }

    /// A callback without a status: of a recording, of detection, of a stream.
    fn beside(&self, call: CallId) -> Told<'_> {
        // Each call has come this far.
        let fact = CallFact::progress(Some(call), CallStatus::Initiated);
        match (self.get("RecordingStatus"), self.get("AnsweredBy"), self.get("StreamEvent")) {
            (Some("completed"), ..) => match self.recording() {
                Some(url) => Told::News(CallFact { recording_url: Some(url), ..fact }),
                None => Told::Nothing("recording without an address"),
            },
            (Some("in-progress" | "absent"), ..) => Told::Nothing("recording"),
            (Some(word), ..) => Told::Stranger(word),
            (None, Some(word), _) => match mapping::answerer(word) {
                Some(who) => match who.results() {
                    Some(results) => Told::News(CallFact { results: Some(results), ..fact }),
                    None => Told::Nothing("detection that could not tell"),
                },
                None => Told::Stranger(word),
            },
            (None, None, Some(_)) => Told::Nothing("stream"),
            (None, None, None) => Told::Stranger(self.get("CallbackSource").unwrap_or("callback")),
        }
    }
}

/// `failed` has many reasons, among them numbers that do not exist; it is never said of an answered call.
fn why_failed(cause: Option<&str>, sip: Option<&str>) -> CallResult {
    let found = match cause {
        Some(cause) => Some(result(cause, sip)),
        None => sip.and_then(by_code),
    };
    found.filter(|result| *result != CallResult::Answered).unwrap_or(CallResult::Failed)
}

fn shortened(word: &str) -> String {
    /// Longer than any word that is documented.
    const WORD_MAX: usize = 40;
    word.chars().take(WORD_MAX).collect()
}
