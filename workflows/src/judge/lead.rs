//! One lead before the judge: were its calls allowed?

use super::hours::{Hours, zone_named};
use super::reading::{Reading, Track, clock};
use super::spans::LeadSpan;
use super::verdict::{Finding, Rule};
use super::{Judge, LeadRecord, SuppressionRecord, rows};
use crate::Moment;
use crate::attempt::Ledger;
use crate::ids::AttemptNumber;
use crate::phone::PhoneNumber;
use crate::workflow::State;

/// What came of hearing a lead.
pub(super) struct Heard {
    pub(super) finished: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) spans: Vec<LeadSpan>,
}

pub(super) fn hear(judge: &Judge, record: &LeadRecord) -> Heard {
    let mut reading = Reading::of(record.lead, &record.events);
    for track in reading.tracks.clone() {
        max_attempts(judge, record, &mut reading, &track);
        for at in sent_at(record, &track) {
            allowed(judge, record, &mut reading, &track, at);
        }
        late_call(&mut reading, &track);
    }
    rows::compare(record, &mut reading);
    rows::lost(judge, record, &mut reading);
    Heard {
        finished: record.workflow.state == State::Finished,
        spans: reading.tracks.iter().map(|track| LeadSpan::of(record, &reading, track)).collect(),
        findings: reading.findings,
    }
}

/// When it was committed to. A commit that was cut off and repeated by the same process
/// leaves an earlier event and a later row; both must have been allowed.
fn sent_at(record: &LeadRecord, track: &Track) -> Vec<Moment> {
    let row = record.attempts.iter().find(|attempt| attempt.number == track.number);
    let by_row = row.and_then(|attempt| attempt.submission).map(|submission| submission.at);
    let mut times: Vec<Moment> = track.submitted_at.into_iter().chain(by_row).collect();
    times.dedup();
    times
}

fn allowed(judge: &Judge, record: &LeadRecord, reading: &mut Reading, track: &Track, at: Moment) {
    if at >= track.dial_by {
        let found = format!("it was submitted at {}, and had to be by {}", clock(at), clock(track.dial_by));
        reading.accuse(Rule::DialBy, Some(track.number), found);
    }
    within_hours(judge, record, reading, track, at);
    not_suppressed(judge, record, reading, track.number, at);
}

fn within_hours(judge: &Judge, record: &LeadRecord, reading: &mut Reading, track: &Track, at: Moment) {
    let (number, revision) = (Some(track.number), track.revision);
    let Some(hours) = judge.hours.get(&(record.campaign, revision)) else {
        let found = format!("it was dialled under revision {}, which cannot be read", revision.0);
        return reading.accuse(Rule::ReadableRules, number, found);
    };
    let emulated = judge.world.accounts.get(&track.account).is_some_and(|account| account.emulated);
    match (hours, track.zone) {
        (Hours::Always, _) if emulated => {}
        (Hours::Always, _) => {
            let found =
                format!("revision {} is open at all times, and its account reaches people", revision.0);
            reading.accuse(Rule::OpenCalendar, number, found);
        }
        (Hours::Windows(_) | Hours::Unreadable, None) => {
            let found = format!("it names no zone, and revision {} has hours", revision.0);
            reading.accuse(Rule::Zone, number, found);
        }
        (Hours::Windows(_) | Hours::Unreadable, Some(zone)) if !hours.hold(zone, at) => {
            let local = at.with_timezone(&zone).format("%a %d %b %Y %H:%M:%S");
            let found = format!(
                "it was submitted on {local} in {zone}, outside the hours of revision {}",
                revision.0
            );
            reading.accuse(Rule::Hours, number, found);
        }
        (Hours::Windows(_) | Hours::Unreadable, Some(_)) => {
            zone_agrees(judge, record, reading, track, hours, at);
        }
    }
}

/// The zone that the attempt names is the lead's, or else its campaign's.
fn zone_agrees(
    judge: &Judge,
    record: &LeadRecord,
    reading: &mut Reading,
    track: &Track,
    hours: &Hours,
    at: Moment,
) {
    let rules = judge.world.rules.get(&(record.campaign, track.revision));
    let theirs = match &record.zone {
        Some(name) => zone_named(name),
        None => rules.and_then(|rules| rules.zone),
    };
    let (number, named) = (Some(track.number), track.zone);
    let Some(theirs) = theirs else {
        // With the person, their zone may have been erased.
        if record.phone.is_some() {
            let found =
                "it was dialled although neither lead nor campaign has a zone that can be read".to_owned();
            reading.accuse(Rule::Zone, number, found);
        }
        return;
    };
    if named == Some(theirs) {
        return;
    }
    let named = named.map_or("no zone", |zone| zone.name());
    let open = hours.hold(theirs, at);
    let verdict = if open { "is open too" } else { "was closed" };
    let found =
        format!("it was judged by the clock of {named}, and the lead is in {theirs}, which {verdict}");
    match open {
        true => reading.warn(Rule::Zone, number, found),
        false => reading.accuse(Rule::Zone, number, found),
    }
}

fn not_suppressed(
    judge: &Judge,
    record: &LeadRecord,
    reading: &mut Reading,
    number: AttemptNumber,
    at: Moment,
) {
    let row = record.attempts.iter().find(|attempt| attempt.number == number);
    let Some(phone) = row.and_then(|attempt| attempt.phone.as_ref()) else { return };
    if let Some(created_at) = forbidding(judge, record, phone, at).map(|suppression| suppression.created_at) {
        // At the very same moment, the order of the lead's own history decides.
        if created_at == at && reading.suppressed_at.contains(&at) {
            return;
        }
        let (at, since) = (clock(at), clock(created_at));
        let found = format!("it was submitted at {at}, and its number had been suppressed at {since}");
        reading.accuse(Rule::Suppression, Some(number), found);
    }
}

fn forbidding<'a>(
    judge: &'a Judge,
    record: &LeadRecord,
    phone: &PhoneNumber,
    at: Moment,
) -> Option<&'a SuppressionRecord> {
    let on_list = judge.suppressed.get(&(record.client, phone.clone()))?;
    on_list.iter().find(|suppression| {
        let applies = suppression.campaign.is_none_or(|campaign| campaign == record.campaign);
        let over = suppression.expires_at.is_some_and(|end| end <= at);
        let lifted = suppression.removed_at.is_some_and(|end| end <= at);
        applies && suppression.created_at <= at && !over && !lifted
    })
}

/// Admission counts under the revision that the attempt is made under.
fn max_attempts(judge: &Judge, record: &LeadRecord, reading: &mut Reading, track: &Track) {
    let rules = judge.world.rules.get(&(record.campaign, track.revision));
    let Some(most) = rules.map(|rules| rules.retry.max_attempts.get()) else { return };
    if track.submitted_at.is_some() && track.tried_before >= most {
        let before = track.tried_before;
        let found = format!("it was dialled after {before} attempts that counted, of {most} allowed");
        reading.accuse(Rule::MaxAttempts, Some(track.number), found);
    }
}

/// A call that came to light after it had been concluded not to exist.
fn late_call(reading: &mut Reading, track: &Track) {
    if track.ledger != Ledger::BoundLate {
        return;
    }
    match dialled_after(reading, track) {
        Some(later) => {
            let found = format!(
                "two calls for one need: it took place after all, and attempt {later} was dialled too"
            );
            reading.accuse(Rule::LateCall, Some(track.number), found);
        }
        None => {
            let found = "it took place although it had been concluded that it did not".to_owned();
            reading.warn(Rule::LateCall, Some(track.number), found);
        }
    }
}

/// The first attempt after `track` that was submitted.
pub(super) fn dialled_after(reading: &Reading, track: &Track) -> Option<AttemptNumber> {
    let mut later = reading.tracks.iter().filter(|other| other.number > track.number);
    later.find(|other| other.submitted_at.is_some()).map(|other| other.number)
}
