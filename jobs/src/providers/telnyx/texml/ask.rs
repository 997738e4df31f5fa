//! Asking what became of a TeXML call.
//!
//! A read of the call by its name tells how it stands and ended, for thirty days, though late: reads are
//! eventually consistent. Why a call failed, and where it is recorded, it does not tell; the log of events may.
//!
//! A dial whose answer was lost has no name. What can be known of it, surest first:
//!
//! - The log of events repeats the request, with the callback's address that was made for this attempt alone.
//!   The call whose events it is among is ours, and no other is. That it does is not documented.
//! - The list of calls shows one to the number, of the right time, of which the log says nothing and which no
//!   other attempt of ours has the name of. Until the longest call would be over and the log has had time, it
//!   may be anybody's, so that nothing is known. After that, if it is the only one, it is ours: at most one
//!   attempt per number is live.
//! - Neither shows one. That proves absence only once the longest call would be over and the list has had
//!   time to show it.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::call::{CallFact, CallId, CallResult, CallStatus, Found};
use reqwest::StatusCode;
use url::Url;

use super::mapping;
use super::wire::{self, Call, Calls};
use crate::providers::Question;
use crate::providers::telnyx::ask::{LOG_PAGES_MAX, since, submitted};
use crate::providers::telnyx::reads::words;
use crate::providers::telnyx::wire::Logged;
use crate::providers::telnyx::{Telnyx, history, settings};

/// Most pages read of the calls to one number in thirty days.
const LIST_PAGES_MAX: u32 = 2;

/// Calls asked for at a time.
const PAGE_SIZE: u32 = 250;

/// The most requests that finding a call takes: the log and the list; or the log, the call, and the log again.
pub(in crate::providers::telnyx) const FIND_MAX: u32 = 2 * LOG_PAGES_MAX + LIST_PAGES_MAX;

/// The most requests about a call with a name: the call itself, and the log.
pub(in crate::providers::telnyx) const STATUS_MAX: u32 = 1 + LOG_PAGES_MAX;

/// A listed call that began longer before the submission than this is not ours, nor is one that began longer
/// after it, since our request left within 2 s or not at all. It is by how much the clocks of both sides may
/// differ: were it more, no callback would be believed either, as their signatures are good for as long.
const APART: TimeDelta = TimeDelta::minutes(5);

/// What the log tells of one call.
#[derive(Debug, Default)]
struct Leg {
    /// A request may be logged before it has one.
    id: Option<String>,
    /// Whether a request with our callback's address is among it.
    ours: bool,
    /// Whether a request with any callback is.
    has_callback: bool,
    call: Option<CallId>,
}

impl Telnyx {
    /// Looks a lost dial up.
    pub(in crate::providers::telnyx) async fn find_texml(&self, question: &Question<'_>) -> Found {
        self.found(self.search_texml(question).await, question)
    }

    /// The latest about a call with a name.
    pub(in crate::providers::telnyx) async fn status_texml(
        &self,
        call: &CallId,
        question: &Question<'_>,
    ) -> Found {
        self.found(self.look_up_texml(call, question).await, question)
    }

    fn found(&self, answer: Result<Option<CallFact>, String>, question: &Question<'_>) -> Found {
        match answer {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.tidy(&cause) },
        }
    }

    pub(super) async fn search_texml(&self, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        let submitted = submitted(question)?;
        let legs = legs(self.texml_log(question).await?, question);
        let taken = legs.iter().any(|leg| leg.ours);
        if let Some(call) = legs.iter().filter(|leg| leg.ours).find_map(|leg| leg.call.as_ref()) {
            let begun = || CallFact::progress(Some(call.clone()), CallStatus::Initiated);
            return Ok(Some(self.look_up_texml(call, question).await?.unwrap_or_else(begun)));
        }
        let others = legs.iter().filter(|leg| leg.has_callback).filter_map(|leg| leg.call.as_ref());
        let others: Vec<_> = others.chain(question.others).collect();
        let mut possible = self.listed(question).await?;
        possible.retain(|call| may_be_ours(call, question, submitted) && !is_one_of(call, &others));
        match (taken, possible.as_slice()) {
            (false, []) => Ok(None),
            (_, [only]) if self.is_conclusive(question) => mapping::fact(only).map(Some),
            (true, _) => Err("Telnyx took the request, and does not say yet which call came of it".into()),
            (false, several) => Err(format!(
                "Telnyx shows {} to this number since, and does not say whose: it may be this one",
                if several.len() == 1 { "a call".to_owned() } else { format!("{} calls", several.len()) }
            )),
        }
    }

    /// Whether a call of ours would be over by now, and both log and list have had their time.
    fn is_conclusive(&self, question: &Question<'_>) -> bool {
        let after = self.settings.absent_after(question.rules.longest_call());
        question.attempt.submission.is_some_and(|submission| question.now >= submission.at + after)
    }

    /// `None` if Telnyx does not know the call, or does not show it yet.
    async fn look_up_texml(
        &self,
        call: &CallId,
        question: &Question<'_>,
    ) -> Result<Option<CallFact>, String> {
        submitted(question)?;
        let shown = self.resource(call, question).await?;
        let ended_at = shown.as_ref().and_then(|call| wire::moment(call.end_time.as_deref()?));
        let shown = shown.as_ref().map(mapping::fact).transpose()?;
        if shown.as_ref().is_some_and(|fact| is_whole(fact, question)) {
            return Ok(shown);
        }
        let told = self.told(call, question).await?;
        let patience = settings::millis(self.settings.cause_after_ms);
        Ok(match (shown, told) {
            (None, told) => told,
            (Some(shown), Some(told)) if has_failed(&shown) && told.end.is_some() => Some(told),
            // The log may yet tell why.
            (Some(shown), _)
                if has_failed(&shown) && ended_at.is_some_and(|at| question.now < at + patience) =>
            {
                Some(CallFact::progress(Some(call.clone()), CallStatus::Initiated))
            }
            (Some(shown), told) => {
                let recording_url = told.and_then(|told| told.recording_url);
                Some(CallFact { recording_url, ..shown })
            }
        })
    }

    /// What the log tells of a call.
    async fn told(&self, call: &CallId, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        let rows = self.texml_log(question).await?;
        let names_it = |row: &Logged| row.call().as_ref() == Some(&call.0);
        let leg = rows.iter().filter(|row| names_it(row)).find_map(Logged::leg).map(str::to_owned);
        // By the leg too, since the news of a recording does not name the call.
        let is_its = |row: &Logged| names_it(row) || (leg.is_some() && row.leg() == leg.as_deref());
        let events = rows.into_iter().filter(is_its).filter_map(Logged::event);
        let told = history::read(events.collect(), Some(call), question.attempt.answered_at);
        Ok(told.map(|told| told.fact))
    }

    /// Requests for TeXML calls to the number and what came of them.
    async fn texml_log(&self, question: &Question<'_>) -> Result<Vec<Logged>, String> {
        let since = since(question)?;
        let filters = [
            ("filter[product]", "texml"),
            ("filter[to]", question.phone.as_str()),
            ("filter[occurred_at][gte]", &since),
        ];
        self.list(&["call_events"], &filters, LOG_PAGES_MAX, question).await
    }

    async fn resource(&self, call: &CallId, question: &Question<'_>) -> Result<Option<Call>, String> {
        let url = self.texml_calls(&[&call.0])?;
        question.requests.another();
        let answer = self.get(url).await?;
        match answer.status {
            StatusCode::OK => {
                let shown = answer.json::<Call>().filter(|call| call.sid.is_some());
                Ok(Some(shown.ok_or("the call is not in the documented form")?))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(format!("the call cannot be read: {}", words(&answer))),
        }
    }

    /// All calls to the number that are kept. Telnyx could also be asked for those from our number since a day;
    /// but days are of a zone that nobody names, a call that was never answered may have no start, and a
    /// filter that works otherwise than it seems would hide our call. So we look at both ourselves.
    async fn listed(&self, question: &Question<'_>) -> Result<Vec<Call>, String> {
        let mut url = self.texml_calls(&[])?;
        url.query_pairs_mut()
            .append_pair("To", question.phone.as_str())
            .append_pair("PageSize", &PAGE_SIZE.to_string());
        let mut found = Vec::new();
        for _ in 0..LIST_PAGES_MAX {
            question.requests.another();
            let answer = self.get(url.clone()).await?;
            let page: Calls = match answer.status {
                StatusCode::OK => answer.json().ok_or("the list of calls is not in the documented form")?,
                _ => return Err(format!("the list of calls cannot be read: {}", words(&answer))),
            };
            found.extend(page.calls);
            match page.next_page_uri {
                Some(next) => url = next_page(url, &next)?,
                None => return Ok(found),
            }
        }
        Err(format!("more than {} calls to this number", LIST_PAGES_MAX * PAGE_SIZE))
    }
}

/// Whether a read says all that there is to say. Why a call failed and where it is recorded stand in the log.
fn is_whole(fact: &CallFact, question: &Question<'_>) -> bool {
    let recorded =
        question.rules.record && fact.end.as_ref().is_some_and(|end| end.result == CallResult::Answered);
    !has_failed(fact) && !recorded
}

fn has_failed(fact: &CallFact) -> bool {
    fact.end.as_ref().is_some_and(|end| end.result == CallResult::Failed)
}

/// The same address with the next page's query. That address itself is not followed: it would take our
/// credentials wherever it says.
fn next_page(mut url: Url, next: &str) -> Result<Url, String> {
    let next = url.join(next).map_err(|_| "the list of calls goes on, but not where")?;
    url.set_query(next.query());
    Ok(url)
}

/// The log's rows by the leg that they are about.
fn legs(rows: Vec<Logged>, question: &Question<'_>) -> Vec<Leg> {
    let key = question.key.to_string();
    let mut legs: Vec<Leg> = Vec::new();
    for row in rows {
        let at = legs.iter().position(|leg| leg.id.is_some() && leg.id.as_deref() == row.leg());
        let at = at.unwrap_or_else(|| {
            legs.push(Leg { id: row.leg().map(str::to_owned), ..Leg::default() });
            legs.len() - 1
        });
        let (leg, said) = (&mut legs[at], row.said());
        leg.ours |= names(&said, &key);
        leg.has_callback |= said.contains("\"StatusCallback\"");
        leg.call = leg.call.take().or_else(|| row.call().map(CallId));
    }
    legs
}

/// Whether the text holds this key, and not one that merely begins like it.
fn names(text: &str, key: &str) -> bool {
    text.match_indices(key).any(|(at, _)| !text[at + key.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

fn is_one_of(call: &Call, calls: &[&CallId]) -> bool {
    calls.iter().any(|other| call.sid.as_ref() == Some(&other.0))
}

/// Whether a listed call to the number could be the attempt's. What it does not say is no reason against it.
fn may_be_ours(call: &Call, question: &Question<'_>, submitted: Moment) -> bool {
    let outbound = call.direction.as_deref().is_none_or(|direction| !direction.starts_with("inbound"));
    let from = question.attempt.caller_id.as_ref().zip(call.from.as_deref());
    let from_ours = from.is_none_or(|(ours, from)| ours.0 == from || !from.starts_with('+'));
    let begun = call.date_created.as_deref().and_then(wire::moment);
    let in_time = begun.is_none_or(|at| at >= submitted - APART && at <= submitted + APART);
    outbound && from_ours && in_time
}
