//! One lead before the judge: were its calls allowed?

use chrono_tz::Tz;

use super::hours::{Hours, zone_named};
use super::law::{Book, Caps};
use super::reading::{Reading, Track, clock};
use super::spans::LeadSpan;
use super::verdict::{Finding, Rule};
use super::{Judge, LeadRecord, SuppressionRecord, rows};
use crate::Moment;
use crate::attempt::Ledger;
use crate::ids::AttemptNumber;
use crate::phone::PhoneNumber;
use crate::rules::Rules;
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
        spans: reading.tracks.iter().map(|track| span(judge, record, &reading, track)).collect(),
        findings: reading.findings,
    }
}

fn span(judge: &Judge, record: &LeadRecord, reading: &Reading, track: &Track) -> LeadSpan {
    let rules = judge.world.rules.get(&(record.campaign, track.revision));
    let caps = rules.and_then(|rules| Caps::of(rules, track.kept.as_ref()));
    LeadSpan::of(record, reading, track, caps)
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
    let key = &(record.campaign, revision);
    let (Some(hours), Some(rules)) = (judge.hours.get(key), judge.world.rules.get(key)) else {
        let found = format!("it was dialled under revision {}, which cannot be read", revision.0);
        return reading.accuse(Rule::ReadableRules, number, found);
    };
    within_dates(reading, track, rules, at);
    let emulated = judge.world.accounts.get(&track.account).is_some_and(|account| account.emulated);
    let zones = zones_named(track);
    match hours {
        Hours::Always if emulated => {}
        Hours::Always => {
            let found =
                format!("revision {} is open at all times, and its account reaches people", revision.0);
            reading.accuse(Rule::OpenCalendar, number, found);
        }
        Hours::Windows(_) | Hours::Unreadable if zones.is_empty() => {
            let found = format!("it names no zone, and revision {} has hours", revision.0);
            reading.accuse(Rule::Zone, number, found);
        }
        Hours::Windows(_) | Hours::Unreadable => {
            match zones.iter().find(|zone| !hours.hold(**zone, at)) {
                Some(zone) => {
                    let local = at.with_timezone(zone).format("%a %d %b %Y %H:%M:%S");
                    let found = format!(
                        "it was submitted on {local} in {zone}, outside the hours of revision {}",
                        revision.0
                    );
                    reading.accuse(Rule::Hours, number, found);
                }
                None if moved_since(record, at) => {}
                None => zones_agree(record, reading, track, rules, hours, at),
            }
            within_law(judge, record, reading, track, rules, at);
        }
    }
}

/// The zones by whose clocks it was allowed.
fn zones_named(track: &Track) -> Vec<Tz> {
    match &track.kept {
        Some(kept) => kept.place.zones().to_vec(),
        None => track.zone.into_iter().collect(),
    }
}

fn within_dates(reading: &mut Reading, track: &Track, rules: &Rules, at: Moment) {
    let early = rules.starts_at.filter(|starts_at| at < *starts_at).map(|its| ("begins", its));
    let late = rules.ends_at.filter(|ends_at| at >= *ends_at).map(|its| ("ends", its));
    for (what, its) in early.into_iter().chain(late) {
        let found = format!("it was submitted at {}, and its campaign {what} {}", clock(at), clock(its));
        reading.accuse(Rule::Dates, Some(track.number), found);
    }
}

/// The laws of the places that it names, and whether those are the lead's.
fn within_law(
    judge: &Judge,
    record: &LeadRecord,
    reading: &mut Reading,
    track: &Track,
    rules: &Rules,
    at: Moment,
) {
    let number = Some(track.number);
    let Some(kept) = &track.kept else {
        return reading.warn(Rule::Law, number, "it does not say whose rules it kept".to_owned());
    };
    let areas: Vec<String> = kept.place.areas().iter().map(ToString::to_string).collect();
    let book = Book::get();
    let outdated = !book.is_current(&kept.packs);
    for found in book.breaches(&areas, &zones_named(track), rules, at) {
        if outdated {
            reading.warn(Rule::Law, number, format!("{found}, by rules that are newer than the call"));
        } else {
            reading.accuse(Rule::Law, number, found);
        }
    }
    if !moved_since(record, at)
        && let Some(found) = foreign(book, record, &areas)
    {
        reading.accuse(Rule::Region, number, found);
    }
    let called = record.attempts.iter().find(|attempt| attempt.number == track.number);
    let called = called.and_then(|attempt| attempt.phone.as_ref());
    // Of a call on a number that was edited and erased since nobody can say whose consent it had.
    let called = called.or(record.phone.as_ref().filter(|_| !moved_since(record, at)));
    let (Some(consents), Some(phone)) = (&judge.world.consents, called) else { return };
    let theirs = consents.get(&(record.client, phone.clone())).map_or(&[][..], Vec::as_slice);
    if let Some(found) = book.lacks_consent(&areas, rules, theirs, at) {
        reading.accuse(Rule::Consent, number, found);
    }
}

/// Whether it was edited since where the person is, or on which number: what was so at the call is not known any more, but
/// for what the attempt says of it.
fn moved_since(record: &LeadRecord, at: Moment) -> bool {
    record.events.iter().any(|recorded| recorded.at >= at && recorded.event.moves_person())
}

/// Whether places were left out in which the lead may be.
fn foreign(book: &Book, record: &LeadRecord, areas: &[String]) -> Option<String> {
    let phone = record.phone.as_ref()?;
    let country = |area: &str| area.split('-').next().unwrap_or_default().to_ascii_uppercase();
    let Some(region) = &record.region else {
        let left_out = book.areas_of(phone).into_iter().find(|area| areas.iter().all(|its| its != area))?;
        return Some(format!("its number may be in {left_out}, whose rules were not kept"));
    };
    let kept = areas.iter().any(|area| country(area) == country(region.trim()));
    (!kept).then(|| format!("the lead is in {region}, whose rules were not kept"))
}

/// The zones of the lead's number, or of its region where the number is from elsewhere.
fn where_told(record: &LeadRecord) -> Vec<Tz> {
    let (Some(phone), book) = (&record.phone, Book::get()) else { return Vec::new() };
    let Some(region) = record.region.as_ref().map(|region| region.trim().to_ascii_uppercase()) else {
        return book.zones_of(phone);
    };
    let country = |area: &str| area.split('-').next().unwrap_or_default().to_owned();
    let at_home = book
        .areas_of(phone)
        .iter()
        .any(|area| *area == region || country(area) == region || *area == country(&region));
    if at_home { book.zones_of(phone) } else { book.zones_in(&region) }
}

/// The zones that the attempt names hold the lead's, or else its number's or its campaign's.
fn zones_agree(
    record: &LeadRecord,
    reading: &mut Reading,
    track: &Track,
    rules: &Rules,
    hours: &Hours,
    at: Moment,
) {
    let by_number = where_told(record);
    let theirs: Vec<Tz> = match &record.zone {
        Some(name) => zone_named(name).into_iter().collect(),
        None if by_number.is_empty() => rules.zone.into_iter().collect(),
        None => by_number,
    };
    let (number, named) = (Some(track.number), zones_named(track));
    if theirs.is_empty() {
        // With the person, their zone may have been erased.
        if record.phone.is_some() {
            let found =
                "it was dialled although neither lead, number nor campaign has a zone that can be read";
            reading.accuse(Rule::Zone, number, found.to_owned());
        }
        return;
    }
    let missing: Vec<Tz> = theirs.into_iter().filter(|zone| !named.contains(zone)).collect();
    let Some(first) = missing.first() else { return };
    let closed = missing.iter().find(|zone| !hours.hold(**zone, at));
    let verdict = if closed.is_none() { "is open too" } else { "was closed" };
    let (their, named) = (closed.unwrap_or(first), named.iter().map(|zone| zone.name()).collect::<Vec<_>>());
    let named = named.join(" and ");
    let found = format!("it was judged by the clock of {named}, and the lead is in {their}, which {verdict}");
    match closed {
        None => reading.warn(Rule::Zone, number, found),
        Some(_) => reading.accuse(Rule::Zone, number, found),
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
