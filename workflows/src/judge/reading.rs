//! A lead's history, read event by event: what each attempt came to, and what in the
//! order of things cannot be.

use std::fmt;

use chrono_tz::Tz;

use super::verdict::{Finding, Rule};
use crate::Moment;
use crate::attempt::{Ledger, Revision};
use crate::call::{CallResult, CallStatus, RefusalKind};
use crate::gate::Kept;
use crate::history::{Event, Recorded};
use crate::ids::{AccountId, AttemptNumber, LeadId};
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::why::Why;

/// An attempt as the history tells it.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) number: AttemptNumber,
    pub(super) revision: Revision,
    pub(super) account: AccountId,
    pub(super) zone: Option<Tz>,
    pub(super) kept: Option<Kept>,
    pub(super) dial_by: Moment,
    pub(super) reserved_at: Moment,
    pub(super) ledger: Ledger,
    pub(super) submitted_at: Option<Moment>,
    pub(super) counts: bool,
    pub(super) status: CallStatus,
    pub(super) ended: Option<(Moment, CallResult)>,
    /// When it let go of its slot and its number; `None` while it holds them.
    pub(super) released_at: Option<Moment>,
    pub(super) outcome: Option<Outcome>,
    /// What it cost, and when that became known.
    pub(super) priced: Option<(Moment, Cost)>,
    /// Its request certainly never reached the carrier, so no rate counts it.
    pub(super) unseen: bool,
    /// How many counted attempts its lead had used up when it was reserved.
    pub(super) tried_before: u16,
}

impl Track {
    fn is_live(&self) -> bool {
        self.released_at.is_none()
    }
}

/// An order, or a decision, after which nothing may be dialled.
#[derive(Clone, Debug)]
struct Stop {
    said: &'static str,
    at: Moment,
    /// Only a retry lifts it, not a resume.
    firm: bool,
}

/// What a history adds up to.
#[derive(Debug)]
pub(super) struct Reading {
    lead: LeadId,
    pub(super) tracks: Vec<Track>,
    pub(super) counted: u16,
    pub(super) forgiven: u16,
    /// The last end, unless a retry came after it, with its outcome as amended since.
    pub(super) finished: Option<(Option<Outcome>, Why)>,
    /// Why the lead was last put aside, unless it moved on since.
    pub(super) held: Option<Why>,
    /// When the history says that the number went on the suppression list.
    pub(super) suppressed_at: Vec<Moment>,
    pub(super) findings: Vec<Finding>,
    stop: Option<Stop>,
    /// The time that a person set for the next attempt.
    not_before: Option<Moment>,
}

impl Reading {
    pub(super) fn of(lead: LeadId, events: &[Recorded]) -> Self {
        let mut reading = Self {
            lead,
            tracks: Vec::new(),
            counted: 0,
            forgiven: 0,
            finished: None,
            held: None,
            suppressed_at: Vec::new(),
            findings: Vec::new(),
            stop: None,
            not_before: None,
        };
        let mut before: Option<&Recorded> = None;
        for recorded in events {
            reading.place(before, recorded);
            reading.read(recorded.at, &recorded.event);
            before = Some(recorded);
        }
        reading
    }

    /// One more finding.
    pub(super) fn accuse(&mut self, rule: Rule, attempt: Option<AttemptNumber>, found: String) {
        self.findings.push(Finding { rule, lead: self.lead, attempt, warning: false, found });
    }

    /// One more finding that breaks no promise yet.
    pub(super) fn warn(&mut self, rule: Rule, attempt: Option<AttemptNumber>, found: String) {
        self.findings.push(Finding { rule, lead: self.lead, attempt, warning: true, found });
    }

    /// The history counts from 1 without gaps, and its times do not run backwards.
    fn place(&mut self, before: Option<&Recorded>, this: &Recorded) {
        let expected = before.map_or(1, |before| before.seq + 1);
        if this.seq != expected {
            self.accuse(
                Rule::Sequence,
                None,
                format!("event {} stands where event {expected} should", this.seq),
            );
        }
        if let Some(before) = before.filter(|before| before.at > this.at) {
            let (seq, at, earlier) = (this.seq, clock(this.at), clock(before.at));
            self.accuse(
                Rule::TimeOrder,
                None,
                format!("event {seq} is of {at}, the one before it of {earlier}"),
            );
        }
        if this.event == Event::Accepted && before.is_some() {
            self.accuse(
                Rule::Sequence,
                None,
                format!("it was accepted a second time, in event {}", this.seq),
            );
        }
    }

    fn read(&mut self, at: Moment, event: &Event) {
        match event {
            Event::Postponed { until, reason: Why::RescheduledBy { .. } } => self.not_before = Some(*until),
            Event::RetryScheduled { at: asked_for, reason: Why::CallBackAsked { .. } } => {
                self.not_before = Some(*asked_for);
                self.forgiven = self.counted;
            }
            Event::Accepted | Event::Postponed { .. } | Event::RetryScheduled { .. } => {}
            Event::JobQuarantined { .. }
            | Event::PersonEdited { .. }
            | Event::TransferAsked { .. }
            | Event::Transferred { .. } => {}
            Event::Held { reason } => {
                self.held = Some(reason.clone());
                self.stop = Some(Stop { said: "it was held", at, firm: false });
            }
            Event::Finished { outcome, reason } => self.finish(at, *outcome, reason),
            Event::Commanded { command, .. } => self.order(at, command),
            Event::Suppressed { .. } => self.suppressed_at.push(at),
            Event::Reserved { attempt, revision, account, zone, kept, dial_by } => self.reserve(Track {
                number: *attempt,
                revision: *revision,
                account: *account,
                zone: *zone,
                kept: kept.clone(),
                dial_by: *dial_by,
                reserved_at: at,
                ledger: Ledger::Reserved,
                submitted_at: None,
                counts: false,
                status: CallStatus::Scheduled,
                ended: None,
                released_at: None,
                outcome: None,
                priced: None,
                unseen: false,
                tried_before: self.counted.saturating_sub(self.forgiven),
            }),
            Event::Withdrawn { attempt, .. } => {
                self.moved(*attempt, Ledger::Withdrawn, at, |track| track.status = CallStatus::Cancelled);
            }
            Event::Submitted { attempt, .. } => self.submit(*attempt, at),
            Event::Bound { attempt, .. } => self.moved(*attempt, Ledger::Bound, at, |_| ()),
            Event::Refused { attempt, kind, .. } => self.refuse(*attempt, *kind, at),
            Event::BecameUnknown { attempt, .. } => self.moved(*attempt, Ledger::Unknown, at, |_| ()),
            Event::Absent { attempt } => self.moved(*attempt, Ledger::Absent, at, |track| {
                track.status = track.status.advance(CallStatus::Failed);
                track.unseen = true;
            }),
            Event::BoundLate { attempt, .. } => self.bind_late(*attempt, at),
            Event::SecondCall { attempt, .. } => {
                let found = "the carrier named a second call for it".to_owned();
                self.accuse(Rule::OneCall, Some(*attempt), found);
            }
            Event::Asked { attempt, .. } => self.expect(*attempt, event, Track::is_live),
            Event::Priced { attempt, cost } => {
                self.expect(*attempt, event, |track| is_call(track.ledger));
                self.change(*attempt, |track| track.priced = Some((at, *cost)));
            }
            Event::Progressed { attempt, status, .. } => self.progress(*attempt, *status, event),
            Event::Ended { attempt, result, .. } => self.end(*attempt, *result, at, event),
            Event::Reported { attempt, .. } | Event::Results { attempt, .. } => {
                self.expect(*attempt, event, |_| true);
            }
            Event::Resent { attempt, .. } => {
                self.expect(*attempt, event, |track| track.ledger == Ledger::Unknown);
                self.not_stopped(*attempt, at, "sent once more");
            }
            Event::OutcomeRecorded { attempt, outcome } => {
                self.expect(*attempt, event, |track| !track.is_live() && track.outcome.is_none());
                self.change(*attempt, |track| track.outcome = Some(*outcome));
            }
            Event::OutcomeAmended { attempt, outcome } => self.amend(*attempt, *outcome, event),
        }
    }

    fn reserve(&mut self, track: Track) {
        let number = track.number;
        let expected = self.tracks.len() + 1;
        if usize::from(number.get()) != expected {
            let found = format!("it was reserved where attempt {expected} would be next");
            self.accuse(Rule::LedgerOrder, Some(number), found);
        }
        if let Some(live) = self.tracks.iter().find(|track| track.is_live()) {
            let found = format!(
                "it was reserved at {} while attempt {} was live",
                clock(track.reserved_at),
                live.number
            );
            self.accuse(Rule::OneLiveAttempt, Some(number), found);
        }
        self.not_stopped(number, track.reserved_at, "reserved");
        if let Some(until) = self.not_before.take().filter(|until| *until > track.reserved_at) {
            let at = clock(track.reserved_at);
            let found =
                format!("it was reserved at {at}, although a person set its time to {}", clock(until));
            self.accuse(Rule::Orders, Some(number), found);
        }
        self.held = None;
        self.tracks.push(track);
    }

    fn submit(&mut self, number: AttemptNumber, at: Moment) {
        let before = self.track(number).and_then(|track| track.submitted_at);
        if let Some(before) = before {
            let found = format!("it was submitted twice, at {} and {}", clock(before), clock(at));
            self.accuse(Rule::OneSubmission, Some(number), found);
            return;
        }
        self.not_stopped(number, at, "submitted");
        self.moved(number, Ledger::Submitted, at, |track| {
            track.submitted_at = Some(at);
            track.counts = true;
            track.status = track.status.advance(CallStatus::Initiated);
        });
        self.counted = self.counted.saturating_add(1);
    }

    fn refuse(&mut self, number: AttemptNumber, kind: RefusalKind, at: Moment) {
        let counted = self.track(number).is_some_and(|track| track.counts);
        self.counted = self.counted.saturating_sub(counted.into());
        self.moved(number, Ledger::Refused, at, |track| {
            track.counts = false;
            track.status = track.status.advance(CallStatus::Failed);
            track.unseen = !kind.was_seen();
        });
    }

    fn bind_late(&mut self, number: AttemptNumber, at: Moment) {
        let counted = self.track(number).is_some_and(|track| track.counts);
        self.counted = self.counted.saturating_add((!counted).into());
        self.moved(number, Ledger::BoundLate, at, |track| track.counts = true);
    }

    /// Along an edge of the ledger, or against the law.
    fn moved(&mut self, number: AttemptNumber, to: Ledger, at: Moment, also: impl FnOnce(&mut Track)) {
        let Some(from) = self.track(number).map(|track| track.ledger) else {
            let found = format!("it became {} without ever being reserved", name(to));
            return self.accuse(Rule::LedgerOrder, Some(number), found);
        };
        if !edge(from, to) {
            let found = format!("it went from {} to {} at {}", name(from), name(to), clock(at));
            self.accuse(Rule::LedgerOrder, Some(number), found);
        }
        self.change(number, |track| {
            track.ledger = to;
            if !matches!(to, Ledger::Submitted | Ledger::Unknown | Ledger::Bound) {
                track.released_at = track.released_at.or(Some(at));
            }
            also(track);
        });
    }

    fn progress(&mut self, number: AttemptNumber, status: CallStatus, event: &Event) {
        self.expect(number, event, |track| {
            is_call(track.ledger) && track.ended.is_none() && status.rank() > track.status.rank()
        });
        self.change(number, |track| track.status = track.status.advance(status));
    }

    fn end(&mut self, number: AttemptNumber, result: CallResult, at: Moment, event: &Event) {
        self.expect(number, event, |track| is_call(track.ledger) && track.ended.is_none());
        self.change(number, |track| {
            track.status = track.status.advance(result.status());
            track.ended = track.ended.or(Some((at, result)));
            track.released_at = track.released_at.or(Some(at));
        });
    }

    fn amend(&mut self, number: AttemptNumber, outcome: Outcome, event: &Event) {
        // A late call may end before anything was recorded of its attempt.
        self.expect(number, event, |track| track.outcome.is_some() || track.ledger == Ledger::BoundLate);
        self.change(number, |track| track.outcome = Some(outcome));
        let is_latest = self.recorded() == number.get();
        if let Some((finally, reason)) = self.finished.as_mut().filter(|_| is_latest) {
            *finally = Some(outcome);
            if matches!(reason, Why::Settled { .. } | Why::AttemptsUsedUp { .. }) {
                *reason = Why::Settled { outcome };
            }
        }
    }

    fn finish(&mut self, at: Moment, outcome: Option<Outcome>, reason: &Why) {
        if let Some(live) = self.tracks.iter().find(|track| track.is_live()).map(|track| track.number) {
            let found = format!("its lead was finished at {} while it was live", clock(at));
            self.accuse(Rule::FinishedWhileLive, Some(live), found);
        }
        let latest = self.recorded();
        if outcome.is_none() && latest > 0 {
            let found = format!("its lead was finished without an outcome, and attempt {latest} has one");
            self.accuse(Rule::Reason, AttemptNumber::new(latest), found);
        }
        if self.finished.is_some() {
            self.accuse(Rule::Reason, None, format!("it was finished a second time at {}", clock(at)));
        }
        self.finished = Some((outcome, reason.clone()));
        self.held = None;
        self.stop = Some(Stop { said: "it was finished", at, firm: true });
    }

    fn order(&mut self, at: Moment, command: &str) {
        let firm = self.stop.as_ref().is_some_and(|stop| stop.firm);
        match command {
            "cancel" => self.stop = Some(Stop { said: "it was cancelled", at, firm: true }),
            "pause" if !firm => self.stop = Some(Stop { said: "it was paused", at, firm: false }),
            "resume" if !firm => (self.stop, self.held) = (None, None),
            "retry" => {
                (self.stop, self.finished, self.held, self.not_before) = (None, None, None, None);
                self.forgiven = self.counted;
            }
            _ => {}
        }
    }

    fn not_stopped(&mut self, number: AttemptNumber, at: Moment, what: &str) {
        if let Some(Stop { said, at: since, .. }) = self.stop.clone() {
            let found = format!("it was {what} at {}, although {said} at {}", clock(at), clock(since));
            self.accuse(Rule::Orders, Some(number), found);
        }
    }

    /// An event that may only come when its attempt stands so.
    fn expect(&mut self, number: AttemptNumber, event: &Event, may: impl FnOnce(&Track) -> bool) {
        let fits = self.track(number).map(|track| (may(track), track.ledger));
        let found = match fits {
            Some((true, _)) => return,
            Some((false, ledger)) => format!("“{event}” came out of turn, when it was {}", name(ledger)),
            None => format!("“{event}” came without the attempt ever being reserved"),
        };
        self.accuse(Rule::LedgerOrder, Some(number), found);
    }

    /// The latest attempt with an outcome; 0 if none has one.
    pub(super) fn recorded(&self) -> u16 {
        let with_one = self.tracks.iter().filter(|track| track.outcome.is_some());
        with_one.map(|track| track.number.get()).max().unwrap_or(0)
    }

    pub(super) fn track(&self, number: AttemptNumber) -> Option<&Track> {
        self.tracks.iter().find(|track| track.number == number)
    }

    fn change(&mut self, number: AttemptNumber, change: impl FnOnce(&mut Track)) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.number == number) {
            change(track);
        }
    }
}

/// The edges of the dial ledger, as the design draws them.
fn edge(from: Ledger, to: Ledger) -> bool {
    match to {
        Ledger::Reserved => false,
        Ledger::Withdrawn | Ledger::Submitted => from == Ledger::Reserved,
        Ledger::Bound | Ledger::Refused => matches!(from, Ledger::Submitted | Ledger::Unknown),
        Ledger::Unknown => from == Ledger::Submitted,
        Ledger::Absent => from == Ledger::Unknown,
        Ledger::BoundLate => matches!(from, Ledger::Absent | Ledger::Refused),
    }
}

fn is_call(ledger: Ledger) -> bool {
    matches!(ledger, Ledger::Bound | Ledger::BoundLate)
}

/// A ledger state as people read it.
pub(super) fn name(ledger: Ledger) -> &'static str {
    match ledger {
        Ledger::Reserved => "reserved",
        Ledger::Withdrawn => "withdrawn",
        Ledger::Submitted => "submitted",
        Ledger::Bound => "bound",
        Ledger::Refused => "refused",
        Ledger::Unknown => "unknown",
        Ledger::Absent => "absent",
        Ledger::BoundLate => "bound late",
    }
}

/// A time as people read it, to the millisecond.
pub(super) fn clock(at: Moment) -> impl fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S%.3f UTC")
}
