//! Calls that go by a flow of ours: what a carrier is to do next, each time that it asks.

use std::fmt;
use std::str::FromStr;

use outdial_workflows::attempt::Attempt;
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::ivr::{At, Fact, Filled, Line, NoPlace};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::{CallResults, FlowCourse, Turn};
use outdial_workflows::rules::Rules;
use serde_json::{Map, Value, json};

use super::called::{self, Called};
use super::{OperationError, reports};
use crate::engine::Engine;
use crate::media::telling::{Telling, What};
use crate::providers::telnyx::{Addresses, begun, document, heard};
use crate::providers::{CannotCompose, Provider, flow_url, stream_url};
use crate::store::{self, StoreError};

/// Where a call stands, as the addresses say that its carrier asks at: nothing else is kept of it. Written
/// `2.7.3.1`: the flow's version, which visit it is, and the place in the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    version: u32,
    visit: u32,
    at: At,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.version, self.visit, self.at)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.parse().ok();
        let (version, visit) = (number().ok_or(NoPlace)?, number().ok_or(NoPlace)?);
        let at = parts.next().ok_or(NoPlace)?.parse()?;
        Ok(Self { version, visit, at })
    }
}

/// What a carrier asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where the call stands; `None`: it begins.
    pub place: Option<Place>,
    /// Whether nothing was heard there.
    pub silent: bool,
    /// The form that it sent.
    pub form: &'a [u8],
}

/// What the carrier of a call is to do next, as TeXML; `None` if the call goes by no flow. What was heard is recorded
/// before this returns, once however often it is asked.
///
/// # Errors
/// If the flow cannot be gone by, or the database cannot be asked.
pub async fn next(engine: &Engine, key: DialKey, asked: Asked<'_>) -> Result<Option<String>, OperationError> {
    let AttemptRef { client, .. } = key.0;
    let called = called::read(engine, key.0).await?;
    let Called {
        now,
        attempt: Some(attempt),
        contact: Some(contact),
        briefing: Some(briefing),
        rules: Some(rules),
    } = called
    else {
        return Ok(None);
    };
    let (Some((name, named)), Some(phone)) = (rules.agent.flow(), &contact.phone) else { return Ok(None) };
    // A call goes on by the version that it began by.
    let wanted = asked.place.map(|place| place.version).or(named);
    let found = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        engine.flow(&mut conn, client, name, wanted).await
    });
    let not_possible = |why: &dyn fmt::Display| OperationError::NotPossible(why.to_string());
    let (flow, version) = found.await?.map_err(|none| not_possible(&none))?;
    let attributes = briefing.attribute_texts();
    let flow = flow.fill(&briefing.values(phone, &attributes)).map_err(|missing| not_possible(&missing))?;
    let Place { visit, at, .. } = asked.place.unwrap_or(Place { version, visit: 0, at: At::BEGINNING });
    let what = match asked.place {
        None => begun(asked.form),
        Some(_) => heard(asked.form, asked.silent),
    };
    let turn = flow.hear(at, &what);
    let results = results(&turn.facts);
    if !results.is_empty() {
        reports::result(engine, key, results).await?;
    }
    let turns = turn.lines.into_iter().map(said).collect();
    let course = FlowCourse { flow: name.to_owned(), version, visits: visit + 1, began_at: now };
    record(engine, key, course, turns).await?;
    let next = Next { engine, key, version, visit: visit + 1, caller_id: caller_id(&attempt, &rules) };
    let written = write(&next, &flow, &turn.verbs).map_err(|problem| not_possible(&problem))?;
    Ok(Some(written))
}

/// What is known from now on, as results of the call. An answer is kept under its name, and where a recording lies
/// under that of its step.
fn results(facts: &[Fact]) -> CallResults {
    let mut results = CallResults::default();
    let mut analysis: Map<String, Value> = Map::new();
    for fact in facts {
        match fact {
            Fact::Kept { name, value } => drop(analysis.insert(name.clone(), json!(value))),
            Fact::Recorded { step, url } => drop(analysis.insert(step.clone(), json!(url))),
            Fact::Outcome(Outcome::DoNotCall) | Fact::DoNotCall => results.do_not_call = Some(true),
            Fact::Outcome(outcome) => drop(analysis.insert("outcome".to_owned(), json!(outcome.name()))),
            // The transcript says so.
            Fact::PutThrough(_) => {}
        }
    }
    results.analysis = analysis;
    results
}

fn said(Line { step, by, text }: Line) -> Turn {
    Turn { stage: Some(step), ..Turn::said(by, text, None) }
}

async fn record(
    engine: &Engine,
    key: DialKey,
    course: FlowCourse,
    turns: Vec<Turn>,
) -> Result<(), StoreError> {
    let AttemptRef { client, lead, number } = key.0;
    store::in_time(async {
        let mut tx = engine.pool().begin().await?;
        let now = engine.now_in(&mut tx).await?;
        if store::call_results::add_visit(&mut tx, client, (lead, number), course, turns, now).await? {
            store::notify(&mut tx, &Telling { attempt: key.0, what: What::Said }.payload()).await?;
        }
        Ok(tx.commit().await?)
    })
    .await
}

/// Whom people see who are put through: whoever called the person.
fn caller_id<'a>(attempt: &'a Attempt, rules: &'a Rules) -> &'a str {
    attempt.caller_id.as_ref().or(rules.caller_ids.first()).map_or("", |number| number.0.as_str())
}

/// Where the carrier asks next.
struct Next<'a> {
    engine: &'a Engine,
    key: DialKey,
    version: u32,
    visit: u32,
    caller_id: &'a str,
}

fn write(
    next: &Next<'_>,
    flow: &Filled,
    verbs: &[outdial_workflows::ivr::Verb],
) -> Result<String, CannotCompose> {
    let secret = next.engine.key().secret_of(next.key);
    let url = next.engine.public_url();
    let addresses = Addresses {
        flow: flow_url(url, next.key, &secret)?,
        stream: stream_url(url, Provider::Telnyx, next.key, &secret)?,
        caller_id: next.caller_id.to_owned(),
    };
    let at = |at| Place { version: next.version, visit: next.visit, at }.to_string();
    document(flow, verbs, &addresses, &at).map_err(|error| CannotCompose(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_call_stands_reads_back_as_it_was_written() {
        let place = Place { version: 2, visit: 7, at: At { step: 3, tried: 1 } };
        assert_eq!((place.to_string().as_str(), place.to_string().parse()), ("2.7.3.1", Ok(place)));
        for none in ["", "2", "2.7", "2.7.3", "2.7.3.x", "-1.0.0.0", "2.7.3.1.5"] {
            assert_eq!(none.parse::<Place>(), Err(NoPlace), "{none}");
        }
    }

    #[test]
    fn a_wish_counts_however_it_is_told_and_the_last_outcome_stands() {
        let kept = |name: &str, value: &str| Fact::Kept { name: name.into(), value: value.into() };
        let known = results(&[
            kept("hour", "11"),
            Fact::Outcome(Outcome::NotInterested),
            Fact::Outcome(Outcome::QualifiedLead),
            Fact::Recorded { step: "message".into(), url: "https://example.com/1.mp3".into() },
        ]);
        assert_eq!(known.outcome(), Some(Outcome::QualifiedLead));
        assert_eq!(known.analysis["hour"], "11");
        assert_eq!(known.analysis["message"], "https://example.com/1.mp3");
        for wish in [Fact::DoNotCall, Fact::Outcome(Outcome::DoNotCall)] {
            assert_eq!(results(&[wish]).outcome(), Some(Outcome::DoNotCall));
        }
        assert!(results(&[]).is_empty());
    }
}
