//! Rows against history, and leads that nobody would ever come back to.

use std::fmt::Debug;

use super::reading::{Reading, Track, clock, name};
use super::verdict::Rule;
use super::{Judge, LeadRecord};
use crate::attempt::{Attempt, Ledger};
use crate::gate::{CampaignState, GateFacts, whereabouts};
use crate::hours::{LaneState, lane_visits};
use crate::why::Why;
use crate::workflow::{State, Workflow};

/// The rows say what the history adds up to.
pub(super) fn compare(record: &LeadRecord, reading: &mut Reading) {
    for attempt in &record.attempts {
        match reading.track(attempt.number).cloned() {
            Some(track) => attempt_row(reading, attempt, &track),
            None => {
                let found = format!("its row is {}, and the history does not know it", name(attempt.ledger));
                reading.accuse(Rule::RowsAgree, Some(attempt.number), found);
            }
        }
    }
    for track in reading.tracks.clone() {
        if !record.attempts.iter().any(|attempt| attempt.number == track.number) {
            reading.accuse(Rule::RowsAgree, Some(track.number), "its row is missing".to_owned());
        }
    }
    workflow_row(record, reading);
    reasons(&record.workflow, reading);
}

fn attempt_row(reading: &mut Reading, row: &Attempt, track: &Track) {
    let mut differ = Differences::default();
    differ.note("ledger", &row.ledger, &track.ledger);
    differ.note("counts", &row.counts, &track.counts);
    differ.note("status", &row.status, &track.status);
    differ.note("revision", &row.revision.0, &track.revision.0);
    differ.note("account", &row.account, &track.account);
    differ.note("reserved_at", &row.reserved_at, &track.reserved_at);
    differ.note("dial_by", &row.dial_by, &track.dial_by);
    differ.note("submitted", &row.submission.is_some(), &track.submitted_at.is_some());
    differ.note("ended", &row.ended.as_ref().map(|(at, end)| (*at, end.result)), &track.ended);
    differ.note("outcome", &row.outcome, &track.outcome);
    differ.note("cost", &row.cost, &track.priced.map(|(_, cost)| cost));
    if let (Some(submission), Some(at)) = (row.submission, track.submitted_at)
        && submission.at < at
    {
        differ.note("submitted_at", &submission.at, &at);
    }
    differ.tell(reading, Some(track));
}

fn workflow_row(record: &LeadRecord, reading: &mut Reading) {
    let workflow = &record.workflow;
    let mut differ = Differences::default();
    differ.note("attempts", &usize::from(workflow.attempts), &reading.tracks.len());
    differ.note("recorded", &workflow.recorded, &reading.recorded());
    differ.note("counted", &workflow.counted, &reading.counted);
    differ.note("forgiven", &workflow.forgiven, &reading.forgiven);
    differ.note("events", &usize::try_from(workflow.events).unwrap_or(usize::MAX), &record.events.len());
    differ.note("finished", &(workflow.state == State::Finished), &reading.finished.is_some());
    differ.tell(reading, None);
}

/// Finished and held leads give the reason that their history gives, and every lead
/// gives one that its state can have.
fn reasons(workflow: &Workflow, reading: &mut Reading) {
    let mut differ = Differences::default();
    match workflow.state {
        State::Finished => {
            if let Some((outcome, reason)) = &reading.finished {
                differ.note("why", &workflow.why, reason);
                differ.note("outcome", &workflow.outcome, outcome);
            }
        }
        State::Held => differ.note("why", &Some(&workflow.why), &reading.held.as_ref()),
        State::Waiting | State::Dialling | State::Calling | State::Settling => {}
    }
    if let Some(found) = differ.0.pop() {
        reading.accuse(Rule::Reason, None, found);
    }
    if !why_fits(workflow) {
        let (state, why) = (workflow.state.name(), &workflow.why);
        reading.accuse(Rule::Reason, None, format!("it is {state}, and its reason is “{why}”"));
    }
}

fn why_fits(workflow: &Workflow) -> bool {
    let latest = |attempt: &crate::ids::AttemptNumber| attempt.get() == workflow.attempts;
    match (&workflow.why, workflow.state) {
        (
            Why::Reserved { attempt } | Why::Submitted { attempt } | Why::Asking { attempt },
            State::Dialling,
        ) => latest(attempt),
        (Why::OnCall { attempt }, State::Calling) => latest(attempt),
        (Why::AwaitingResults { attempt, .. }, State::Settling) => latest(attempt),
        (_, State::Dialling | State::Calling | State::Settling) => false,
        (
            Why::Reserved { .. }
            | Why::Submitted { .. }
            | Why::Asking { .. }
            | Why::OnCall { .. }
            | Why::AwaitingResults { .. },
            _,
        ) => false,
        (
            Why::Settled { .. } | Why::AttemptsUsedUp { .. } | Why::Cancelled { .. } | Why::Undone { .. },
            state,
        ) => state == State::Finished,
        (Why::HeldBy { .. }, state) => state == State::Held,
        (Why::New | Why::ResumedBy { .. } | Why::RetriedBy { .. } | Why::RescheduledBy { .. }, state) => {
            state == State::Waiting
        }
        (_, State::Waiting | State::Held | State::Finished) => true,
    }
}

/// Nobody is forgotten: what waits for a time has one, and somebody comes by then.
pub(super) fn lost(judge: &Judge, record: &LeadRecord, reading: &mut Reading) {
    let workflow = &record.workflow;
    state_fits(record, reading);
    if record.quarantined {
        let found = format!("it is in quarantine, {}; mend it and let it go", workflow.state.name());
        return reading.warn(Rule::Quarantine, None, found);
    }
    let overdue = workflow.wake_at.filter(|at| *at + judge.grace < judge.now);
    match (workflow.state, workflow.wake_at, overdue) {
        (State::Held | State::Finished, ..) => {}
        (State::Waiting | State::Dialling | State::Calling | State::Settling, None, _) => {
            let found =
                format!("it is {} without a time, so nobody will come back to it", workflow.state.name());
            reading.accuse(Rule::Timer, None, found);
        }
        (State::Dialling | State::Calling | State::Settling, _, Some(at)) => {
            let (state, at, now) = (workflow.state.name(), clock(at), clock(judge.now));
            reading.accuse(
                Rule::Timer,
                None,
                format!("it is {state}; its timer was due at {at} and it is {now}"),
            );
        }
        (State::Waiting, _, Some(at))
            if judge.strict && runs(judge, record) && !waits_for_its_hours(judge, record) =>
        {
            let (at, now) = (clock(at), clock(judge.now));
            let found = format!("it has been due since {at} and it is {now}: {}", workflow.why);
            reading.accuse(Rule::Stuck, None, found);
        }
        (State::Waiting | State::Dialling | State::Calling | State::Settling, ..) => {}
    }
}

fn runs(judge: &Judge, record: &LeadRecord) -> bool {
    judge.world.campaigns.get(&record.campaign).is_none_or(|state| *state == CampaignState::Running)
}

/// Whether the hours of its lane are closed, or were within the grace: its time alone says nothing of them.
fn waits_for_its_hours(judge: &Judge, record: &LeadRecord) -> bool {
    let facts = GateFacts {
        phone: record.phone.clone(),
        zone: record.zone.clone(),
        region: record.region.clone(),
        ..GateFacts::default()
    };
    let rules = judge.world.rules.iter().filter(|((campaign, _), _)| *campaign == record.campaign);
    let latest = rules.max_by_key(|((_, revision), _)| *revision).map(|(_, rules)| rules);
    let (Some(rules), Ok(place)) = (latest, whereabouts(&facts, None)) else { return false };
    let closed = |at| !matches!(lane_visits(rules, &place, at), LaneState::Open { .. });
    closed(judge.now) || closed(judge.now - judge.grace)
}

/// The state and the latest attempt tell the same story.
fn state_fits(record: &LeadRecord, reading: &mut Reading) {
    let latest = record.attempts.iter().max_by_key(|attempt| attempt.number);
    let state = record.workflow.state;
    let fits = match state {
        State::Waiting | State::Held | State::Finished => !record.attempts.iter().any(Attempt::is_live),
        State::Dialling => latest.is_some_and(|attempt| {
            matches!(attempt.ledger, Ledger::Reserved | Ledger::Submitted | Ledger::Unknown)
        }),
        State::Calling => {
            latest.is_some_and(|attempt| attempt.ledger == Ledger::Bound && attempt.ended.is_none())
        }
        State::Settling => latest.is_some_and(|attempt| attempt.ended.is_some() && attempt.outcome.is_none()),
    };
    if fits {
        return;
    }
    let rule = if state == State::Finished { Rule::FinishedWhileLive } else { Rule::StateFits };
    let ledger = latest.map_or("not there", |attempt| name(attempt.ledger));
    let found = format!("its lead is {}, and the attempt is {ledger}", state.name());
    reading.accuse(rule, latest.map(|attempt| attempt.number), found);
}

/// What a row says and the history does not.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn note<T: PartialEq + Debug>(&mut self, what: &str, row: &T, history: &T) {
        if row != history {
            self.0.push(format!("{what} is {row:?} in its row and {history:?} by its history"));
        }
    }

    fn tell(self, reading: &mut Reading, track: Option<&Track>) {
        if !self.0.is_empty() {
            reading.accuse(Rule::RowsAgree, track.map(|track| track.number), self.0.join("; "));
        }
    }
}
