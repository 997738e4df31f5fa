//! Finding openings and closings without stepping through the minutes.
//!
//! Between two clock changes local time is UTC plus a constant, and the next edge of a window
//! is plain arithmetic on the week. So: compute the answer as if no clock changed, then look
//! for a change before it; if there is one, start again from there.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::HORIZON_DAYS;
use super::windows::{DAY_S, WEEK_S, WeeklyWindows};
use crate::Moment;

/// No zone changes its clock twice within this time, in seconds, so a look at both ends shows
/// any change. A test checks it against the zone data.
pub(super) const LOOK_S: i64 = 6 * 3600;

/// The Unix epoch was a Thursday; weeks here start on Monday. In seconds.
const MONDAY_TO_EPOCH_S: i64 = 3 * 86_400;

/// Seconds since the Unix epoch.
type Unix = i64;

pub(super) fn is_open(windows: &WeeklyWindows, zones: &[Tz], at: Moment) -> bool {
    all_open(windows, zones, at.timestamp())
}

pub(super) fn next_open(windows: &WeeklyWindows, zones: &[Tz], at: Moment) -> Option<Moment> {
    if zones.is_empty() {
        return None;
    }
    let mut from = at.timestamp();
    // Windows begin and end on whole minutes: a started second belongs to its beginning.
    if all_open(windows, zones, from) {
        return Some(at);
    }
    let horizon = from.saturating_add(HORIZON_DAYS * 86_400);
    while from <= horizon {
        let opening = opening(windows, zones, from);
        // With constant clocks the week repeats: what it lacks, only a clock change can bring.
        let until = opening.unwrap_or(horizon);
        match first_change(zones, from, until) {
            Some(changed) => from = changed,
            None => return opening.and_then(moment),
        }
    }
    None
}

pub(super) fn closes_at(windows: &WeeklyWindows, zones: &[Tz], at: Moment) -> Option<Moment> {
    let mut from = at.timestamp();
    if !all_open(windows, zones, from) {
        return Some(at);
    }
    let horizon = from.saturating_add(HORIZON_DAYS * 86_400);
    while from <= horizon {
        let closings = zones.iter().map(|zone| Some(from + windows.closes_in(week_second(*zone, from))?));
        let closing = closings.flatten().min()?;
        match first_change(zones, from, closing) {
            Some(changed) if !all_open(windows, zones, changed) => return moment(changed),
            Some(changed) => from = changed,
            None => return moment(closing),
        }
    }
    None
}

/// The first instant after `at` at which the calendar on the wall shows another day.
///
/// Mostly the next midnight. A clock that is changed across midnight may show a day twice,
/// or for an hour only, and one that crosses the date line skips one.
pub(crate) fn day_ends(zone: Tz, at: Moment) -> Moment {
    let mut from = at.timestamp();
    let day = local_day(zone, from);
    loop {
        let local = from.saturating_add(offset_s(zone, from).into());
        let midnight = from.saturating_add(DAY_S - local.rem_euclid(DAY_S));
        // A change comes before midnight, or this is the last step: a day has few changes.
        match change_of(zone, from, midnight) {
            Some(changed) if local_day(zone, changed) == day => from = changed,
            Some(changed) => return moment(changed).unwrap_or(Moment::MAX_UTC),
            None => return moment(midnight).unwrap_or(Moment::MAX_UTC),
        }
    }
}

/// The first instant of the day that the calendar on the wall shows at `at`.
pub(crate) fn day_begins(zone: Tz, at: Moment) -> Moment {
    // No day is longer than 49 hours: one that a move of the date line repeats, less a second.
    let mut begins = day_ends(zone, at - TimeDelta::hours(49));
    loop {
        match day_ends(zone, begins) {
            next if next <= at => begins = next,
            _ => return begins,
        }
    }
}

/// The day that the calendar on the wall shows, counted from 1970.
fn local_day(zone: Tz, at: Unix) -> i64 {
    at.saturating_add(offset_s(zone, at).into()).div_euclid(DAY_S)
}

fn all_open(windows: &WeeklyWindows, zones: &[Tz], at: Unix) -> bool {
    !zones.is_empty() && zones.iter().all(|zone| windows.opens_in(week_second(*zone, at)) == 0)
}

/// The first instant from `from` on that would be open everywhere if no clock changed.
fn opening(windows: &WeeklyWindows, zones: &[Tz], from: Unix) -> Option<Unix> {
    let locals: Vec<i64> = zones.iter().map(|zone| week_second(*zone, from)).collect();
    let mut wait = 0;
    while wait <= WEEK_S {
        let waits = locals.iter().map(|local| windows.opens_in((local + wait).rem_euclid(WEEK_S)));
        match waits.max()? {
            0 => return Some(from.saturating_add(wait)),
            more => wait += more,
        }
    }
    None
}

/// The first instant in `(from, until]` at which the clock of any of the zones is changed.
fn first_change(zones: &[Tz], from: Unix, until: Unix) -> Option<Unix> {
    zones.iter().fold(None, |earliest, zone| {
        let until = earliest.unwrap_or(until);
        change_of(*zone, from, until).or(earliest)
    })
}

fn change_of(zone: Tz, from: Unix, until: Unix) -> Option<Unix> {
    let offset = offset_s(zone, from);
    let mut before = from;
    while before < until {
        let after = before.saturating_add(LOOK_S).min(until);
        if offset_s(zone, after) != offset {
            return Some(bisect(zone, before, after));
        }
        before = after;
    }
    None
}

/// The instant of the one change in `(before, after]`.
fn bisect(zone: Tz, mut before: Unix, mut after: Unix) -> Unix {
    let offset = offset_s(zone, before);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset_s(zone, middle) == offset {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

/// The second of the local week, from Monday 00:00 on.
fn week_second(zone: Tz, at: Unix) -> i64 {
    at.saturating_add(i64::from(offset_s(zone, at)) + MONDAY_TO_EPOCH_S).rem_euclid(WEEK_S)
}

/// What the zone's clock is ahead of UTC, in seconds.
pub(super) fn offset_s(zone: Tz, at: Unix) -> i32 {
    // Beyond chrono's years (±262,000) the last rule goes on.
    let utc = DateTime::<Utc>::from_timestamp(at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc()
}

fn moment(at: Unix) -> Option<Moment> {
    DateTime::<Utc>::from_timestamp(at, 0)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// Clocks looked at every quarter of an hour, from 1990 to 2038.
    #[test]
    #[ignore = "takes a minute; run it when chrono-tz is updated"]
    fn no_zone_changes_its_clock_twice_within_a_look() {
        let (start, end) = (631_152_000, 2_145_916_800);
        for zone in chrono_tz::TZ_VARIANTS {
            let mut last_change = start - LOOK_S - 1;
            for at in (start..end).step_by(900) {
                if offset_s(zone, at) != offset_s(zone, at - 900) {
                    assert!(at - last_change > LOOK_S + 900, "{zone} near {:?}", moment(at));
                    last_change = at;
                }
            }
        }
    }

    #[test]
    fn far_future_and_past_do_not_overflow() {
        let windows = WeeklyWindows::default();
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC - TimeDelta::days(1)] {
            for zone in [Tz::Pacific__Apia, Tz::Pacific__Midway, Tz::UTC] {
                let _ = (next_open(&windows, &[zone], at), closes_at(&windows, &[zone], at));
            }
        }
    }
}
