//! Why has this lead not been called, and when will it be?
//!
//! Computed when somebody asks, by the same gate that decides: nothing is stored for
//! leads that nobody looks at, and no answer can be out of date.

mod outlook;
mod text;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::attempt::{Attempt, Ledger, Revision};
use crate::calendar::parse_zone;
use crate::call::{CallResult, CallStatus};
use crate::gate::GateFacts;
use crate::history::{Recorded, Step};
use crate::ids::{AttemptNumber, LeadId};
use crate::limits::Room;
use crate::outcome::Outcome;
use crate::places::zones_of;
use crate::rules::Rules;
use crate::workflow::{Intent, State, Workflow};

/// What is stored about the lead.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// Its state.
    pub workflow: &'a Workflow,
    /// Whether it is in quarantine, so that nothing touches it.
    pub quarantined: bool,
    /// Its rows in the dial ledger, by number.
    pub attempts: &'a [Attempt],
    /// Its history, by seq.
    pub events: &'a [Recorded],
}

/// What is known besides, now.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the gate would be told.
    pub gate: &'a GateFacts,
    /// The campaign's present rules; `None` if this version cannot read them.
    pub rules: Option<&'a Rules>,
    /// What keeps the account from dialling at all; `None` if nothing does.
    pub account_stopped: Option<AccountStop>,
    /// Until when the account rests; `None` if it is ready, or stopped.
    pub account_rests_until: Option<Moment>,
    /// What the account's limits leave; `None` if nobody looked.
    pub account_room: Option<Room>,
    /// What the campaign's limits leave; `None` if nobody looked.
    pub campaign_room: Option<Room>,
    /// What the client's limits leave; `None` if nobody looked.
    pub client_room: Option<Room>,
    /// What the campaign's numbers leave together; `None` if nobody looked.
    pub numbers_room: Option<Room>,
    /// How many seats its client has left for calls that our own agent talks on; `None` if it needs none, or nobody
    /// looked.
    pub seats: Option<u32>,
    /// How many due leads of its campaign come before it; `None` if nobody counted.
    pub ahead: Option<u64>,
}

/// What keeps an account from dialling until somebody does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStop {
    /// A person disabled it.
    Disabled,
    /// A person paused it or its client.
    Paused,
    /// Its carrier says that it may not: a wrong key, no balance.
    TurnedDown,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The lead.
    pub lead: LeadId,
    /// Where it stands; `None` if that cannot be read.
    pub state: Option<State>,
    /// Why, in a sentence.
    pub why: String,
    /// What came of it, once finished.
    pub outcome: Option<Outcome>,
    /// What happens next by itself, if anything does.
    pub next: Option<Next>,
    /// What somebody asked for meanwhile, to be carried out once the attempt has resolved.
    pub afterwards: Option<String>,
    /// What has to change before it can be called, or called sooner.
    pub to_change: Vec<String>,
    /// Its attempts, by number.
    pub attempts: Vec<AttemptLine>,
    /// What happened, the oldest first.
    pub history: Vec<Line>,
    /// Set if the beginning of the history was removed for its age: from when on histories are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_since: Option<Moment>,
    /// What is stored of it and cannot be read, each naming its row; the above is without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// When, snapped to the calling hours where it is a call.
    pub at: Moment,
    /// The same by the clock on the lead's wall, if its zone is known.
    pub local: Option<String>,
    /// What.
    pub what: String,
}

/// An attempt in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLine {
    /// Its number.
    pub number: AttemptNumber,
    /// The rules it was made under.
    pub revision: Revision,
    /// Where it stands between us and the carrier.
    pub ledger: Ledger,
    /// How far the call has come.
    pub status: CallStatus,
    /// Whether limits on attempts see it.
    pub counts: bool,
    /// When it was reserved.
    pub reserved_at: Moment,
    /// When sending it was committed to.
    pub submitted_at: Option<Moment>,
    /// When the called side picked up.
    pub answered_at: Option<Moment>,
    /// When its end became known.
    pub ended_at: Option<Moment>,
    /// How it ended.
    pub result: Option<CallResult>,
    /// Time connected, in milliseconds.
    pub talk_ms: Option<u32>,
    /// What was recorded.
    pub outcome: Option<Outcome>,
    /// The carrier's name for the call.
    pub call_id: Option<String>,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Moment,
    /// The step that it belongs to.
    pub step: Step,
    /// The attempt, if it is about one.
    pub attempt: Option<AttemptNumber>,
    /// What happened.
    pub text: String,
}

/// Why the lead stands where it does, what comes next, and what happened so far.
pub fn explain(story: &Story<'_>, known: &Known<'_>, now: Moment) -> Explanation {
    let workflow = story.workflow;
    let outlook = outlook::outlook(story, known, now);
    let zone = zone_of(known);
    Explanation {
        lead: workflow.lead,
        state: Some(workflow.state),
        why: workflow.why.to_string(),
        outcome: workflow.outcome,
        next: outlook.next.map(|(at, what)| Next { at, local: zone.map(|zone| local(at, zone)), what }),
        afterwards: workflow.intent.as_ref().map(intended),
        to_change: outlook.to_change,
        attempts: story.attempts.iter().map(attempt_line).collect(),
        history: story.events.iter().map(line).collect(),
        history_since: None,
        unreadable: vec![],
    }
}

/// What is left to tell of a lead whose state cannot be read.
pub fn explain_remains(lead: LeadId, attempts: &[Attempt], events: &[Recorded]) -> Explanation {
    Explanation {
        lead,
        state: None,
        why: "its state cannot be read by this version, which leaves it alone".into(),
        outcome: None,
        next: None,
        afterwards: None,
        to_change: vec!["run the version that wrote it, or mend the row and release it".into()],
        attempts: attempts.iter().map(attempt_line).collect(),
        history: events.iter().map(line).collect(),
        history_since: None,
        unreadable: vec![],
    }
}

/// The lead's own zone, else the first of its number's, else its campaign's.
fn zone_of(known: &Known<'_>) -> Option<Tz> {
    let of_number = known.gate.phone.as_ref().and_then(|phone| zones_of(phone).first().copied());
    match &known.gate.zone {
        Some(zone) => parse_zone(zone).ok(),
        None => of_number.or(known.rules.and_then(|rules| rules.zone)),
    }
}

fn local(at: Moment, zone: Tz) -> String {
    format!("{} in {zone}", at.with_timezone(&zone).format("%a %d %b %Y %H:%M:%S"))
}

fn intended(intent: &Intent) -> String {
    match intent {
        Intent::Finish { why, .. } => format!("once the attempt has resolved, the lead ends: {why}"),
        Intent::Hold { actor, reason, .. } => {
            let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("once the attempt has resolved, the lead is held, as ordered by {actor}{because}")
        }
        Intent::CallBack { at, .. } => {
            format!("once the attempt has resolved, the person is called again, as they asked, from {at} on")
        }
    }
}

fn attempt_line(attempt: &Attempt) -> AttemptLine {
    let end = attempt.ended.as_ref().map(|(_, end)| end);
    AttemptLine {
        number: attempt.number,
        revision: attempt.revision,
        ledger: attempt.ledger,
        status: attempt.status,
        counts: attempt.counts,
        reserved_at: attempt.reserved_at,
        submitted_at: attempt.submission.map(|submission| submission.at),
        answered_at: attempt.answered_at,
        ended_at: attempt.ended.as_ref().map(|(at, _)| *at),
        result: end.map(|end| end.result),
        talk_ms: end.and_then(|end| end.talk).map(|talk| talk.ms),
        outcome: attempt.outcome,
        call_id: attempt.call_id.as_ref().map(|call_id| call_id.0.clone()),
    }
}

fn line(recorded: &Recorded) -> Line {
    let Recorded { at, event, .. } = recorded;
    Line { at: *at, step: event.step(), attempt: event.attempt(), text: event.to_string() }
}
