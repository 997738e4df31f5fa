//! Asking what became of a call.
//!
//! Three places know: the list of active calls, by our key and at once, but not how a call stands or
//! ended; the logs of webhook deliveries and of events, with every word about the call, but after a lag
//! that nobody documents. A read of the call by its name tells whether it is alive, and for ten minutes
//! that it ended, never why.
//!
//! When none of them knows of a dial, that proves its absence only once the call would be over however
//! long it rang and was talked, and the logs have had time to tell of it. Less might do while the list of
//! active calls is as prompt as it seems; but what hangs on it is whether somebody is called a second time
//! while the first call is still under way, and nothing says that it is.

use chrono::{SecondsFormat, TimeDelta};
use outdial_workflows::Moment;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Found};

use super::compose::client_state;
use super::history::{self, History};
use super::reads::{codes, words};
use super::wire::{self, Call, Delivery, Envelope, Event, Logged};
use super::{Telnyx, settings};
use crate::providers::Question;

/// How long before the submission logs are searched: the clocks of both sides are set, and our key is in
/// no older event.
const EARLY: TimeDelta = TimeDelta::minutes(5);

/// Most pages read of the active calls of a connection: a thousand calls.
const ACTIVE_PAGES_MAX: u32 = 4;

/// Most pages read of a log: one call has some ten events.
pub(super) const LOG_PAGES_MAX: u32 = 1;

/// The most requests that finding a call takes.
pub(super) const FIND_MAX: u32 = ACTIVE_PAGES_MAX + 2 * LOG_PAGES_MAX;

/// The most requests about a call with a name: the call itself, and both logs.
pub(super) const STATUS_MAX: u32 = 1 + 2 * LOG_PAGES_MAX;

/// What the read of a call tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Alive,
    /// Not alive: not yet, or no more, and then perhaps since when.
    Still {
        since: Option<Moment>,
    },
    /// Ended more than ten minutes ago, or never placed.
    Gone,
}

impl Telnyx {
    /// Looks a lost dial up by its key.
    pub(super) async fn find_call(&self, question: &Question<'_>) -> Found {
        match self.search(question).await {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.tidy(&cause) },
        }
    }

    async fn search(&self, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        submitted(question)?;
        if let Some(call) = self.active(question).await? {
            return Ok(Some(CallFact::progress(Some(call), CallStatus::Initiated)));
        }
        let told = history::read(self.delivered(question).await?, None, None);
        if told.is_some() {
            return Ok(told.map(|told| told.fact));
        }
        let told = history::read(self.logged(question).await?, None, None);
        Ok(told.map(|told| told.fact))
    }

    /// The latest about a call with a name.
    pub(super) async fn status_of(&self, call: &CallId, question: &Question<'_>) -> Found {
        match self.look_up(call, question).await {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.tidy(&cause) },
        }
    }

    /// `None` if nobody knows the call.
    async fn look_up(&self, call: &CallId, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        submitted(question)?;
        let progress = || CallFact::progress(Some(call.clone()), CallStatus::Initiated);
        let state = self.state(call, question).await?;
        if state == State::Alive {
            return Ok(Some(progress()));
        }
        let answered_at = question.attempt.answered_at;
        let mut told = history::read(self.delivered(question).await?, Some(call), answered_at);
        if told.as_ref().is_none_or(|told| told.fact.end.is_none()) {
            told = history::read(self.logged(question).await?, Some(call), answered_at).or(told);
        }
        if told.as_ref().is_some_and(|told| told.fact.end.is_some()) {
            return Ok(told.map(|told| told.fact));
        }
        let nothing = || History { fact: progress(), answered: answered_at.is_some() };
        let told = told.unwrap_or_else(nothing);
        Ok(self.end_without_cause(told, state, question))
    }

    /// What to make of a call that ended without a word about why. One that was answered ended as such; of
    /// another it is not known. The logs are given time first, and a call that is not even read any more is
    /// over only once it must be.
    fn end_without_cause(
        &self,
        mut told: History,
        state: State,
        question: &Question<'_>,
    ) -> Option<CallFact> {
        let over = match state {
            State::Alive => false,
            State::Still { since } => {
                let patience = settings::millis(self.settings.cause_after_ms);
                since.is_some_and(|since| question.now >= since + patience)
            }
            State::Gone => {
                let submission = question.attempt.submission?;
                let after = self.settings.absent_after(question.rules.longest_call());
                if !told.answered || question.now < submission.at + after {
                    return None;
                }
                true
            }
        };
        if over {
            let cause = Some("ended; Telnyx does not say why".to_owned());
            told.end(CallEnd { result: CallResult::Lost, talk: None, cause });
        }
        Some(told.fact)
    }

    async fn state(&self, call: &CallId, question: &Question<'_>) -> Result<State, String> {
        question.requests.another();
        let answer = self.get(self.v2(&["calls", &call.0])).await?;
        match answer.status.as_u16() {
            200 => {
                let call = answer.json::<Envelope<Call>>().map(|envelope| envelope.data);
                let call = call.filter(|call| call.call_control_id.is_some() && call.is_alive.is_some());
                let call = call.ok_or("the call is not in the documented form")?;
                let since = call.end_time.as_deref().and_then(wire::moment);
                Ok(if call.is_alive == Some(true) { State::Alive } else { State::Still { since } })
            }
            404 => Ok(State::Gone),
            422 if codes(&answer).iter().any(|code| code == "90015") => Ok(State::Gone),
            _ => Err(format!("the call cannot be read: {}", words(&answer))),
        }
    }

    /// The active call that bears our key.
    pub(super) async fn active(&self, question: &Question<'_>) -> Result<Option<CallId>, String> {
        let state = client_state(question.key);
        let parts = ["connections", self.settings.connection_id.as_str(), "active_calls"];
        let calls: Vec<Call> = self.list(&parts, &[], ACTIVE_PAGES_MAX, question).await?;
        let ours = calls.into_iter().find(|call| call.client_state.as_deref() == Some(&state));
        Ok(ours.and_then(|call| call.call_control_id).map(CallId))
    }

    /// Our events in the log of webhook deliveries, which shows those that never reached us too.
    async fn delivered(&self, question: &Question<'_>) -> Result<Vec<Event>, String> {
        let state = client_state(question.key);
        let since = since(question)?;
        let filters = [("filter[webhook][contains]", state.as_str()), ("filter[started_at][gte]", &since)];
        let rows: Vec<Delivery> =
            self.list(&["webhook_deliveries"], &filters, LOG_PAGES_MAX, question).await?;
        Ok(ours(rows.into_iter().map(|row| row.webhook), &state))
    }

    /// Our events in the log of events. It cannot be searched for our key, only for the person's number.
    async fn logged(&self, question: &Question<'_>) -> Result<Vec<Event>, String> {
        let since = since(question)?;
        let filters = [
            ("filter[to]", question.phone.as_str()),
            ("filter[type]", "webhook"),
            ("filter[occurred_at][gte]", &since),
        ];
        let rows: Vec<Logged> = self.list(&["call_events"], &filters, LOG_PAGES_MAX, question).await?;
        Ok(ours(rows.into_iter().filter_map(Logged::event), &client_state(question.key)))
    }

    /// See the module's words.
    pub(super) fn not_seen(&self, question: &Question<'_>) -> Found {
        let after = self.settings.absent_after(question.rules.longest_call());
        Found::NotSeen { conclusive_after_ms: after.num_milliseconds() }
    }
}

fn ours(events: impl Iterator<Item = Event>, state: &str) -> Vec<Event> {
    events.filter(|event| event.payload.client_state.as_deref() == Some(state)).collect()
}

pub(super) fn submitted(question: &Question<'_>) -> Result<Moment, String> {
    let submission = question.attempt.submission.ok_or("the attempt was never submitted")?;
    Ok(submission.at)
}

pub(super) fn since(question: &Question<'_>) -> Result<String, String> {
    Ok((submitted(question)? - EARLY).to_rfc3339_opts(SecondsFormat::Secs, true))
}
