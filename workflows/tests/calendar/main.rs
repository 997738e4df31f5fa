//! The calendar: hours as people mean them, over every clock change there is.

mod laws;
mod words;

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use outdial_workflows::Moment;
use outdial_workflows::calendar::{Calendar, State};

fn utc(text: &str) -> Moment {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").expect("a test's time").and_utc()
}

/// Windows written `mon,tue 10:00-19:00; sat 10:00-14:00`.
fn weekly(short: &str) -> Calendar {
    let window = |text: &str| {
        let (days, hours) = text.trim().split_once(' ').expect("days, then hours");
        let (from, to) = hours.split_once('-').expect("from-to");
        let days: Vec<&str> = if days == "daily" { EVERY_DAY.to_vec() } else { days.split(',').collect() };
        serde_json::json!({ "days": days, "from": from, "to": to })
    };
    serde_json::from_value(short.split(';').map(window).collect()).expect("a test's calendar")
}

const EVERY_DAY: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What one instant looks like, in local time.
fn shown(calendar: &Calendar, zone: Tz, at: Moment) -> String {
    let local = |at: Option<Moment>| match at {
        Some(at) => at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M:%S %:z").to_string(),
        None => "never".to_owned(),
    };
    match calendar.state(&[zone], at) {
        State::Open { closes_at } => format!("open, closes {}", local(closes_at)),
        State::Closed { opens_at } => format!("closed, opens {}", local(opens_at)),
    }
}

fn check(calendar: &Calendar, zone: Tz, cases: &[(&str, &str)]) {
    for (at, expected) in cases {
        assert_eq!(shown(calendar, zone, utc(at)), *expected, "{zone} at {at} UTC");
    }
}

#[test]
fn the_default_calendar_is_ten_to_seven_from_monday_to_saturday() {
    check(
        &Calendar::default(),
        Tz::Asia__Kolkata,
        &[
            ("2026-03-02 04:29:59", "closed, opens Mon 2026-03-02 10:00:00 +05:30"),
            ("2026-03-02 04:30:00", "open, closes Mon 2026-03-02 19:00:00 +05:30"),
            ("2026-03-02 13:29:59", "open, closes Mon 2026-03-02 19:00:00 +05:30"),
            ("2026-03-02 13:30:00", "closed, opens Tue 2026-03-03 10:00:00 +05:30"),
            ("2026-03-07 13:30:00", "closed, opens Mon 2026-03-09 10:00:00 +05:30"),
            ("2026-03-08 06:00:00", "closed, opens Mon 2026-03-09 10:00:00 +05:30"),
        ],
    );
}

#[test]
fn a_fraction_of_a_second_before_opening_waits_for_the_whole_second() {
    let at = utc("2026-03-02 04:29:59") + TimeDelta::milliseconds(500);
    let calendar = Calendar::default();
    assert!(!calendar.is_open(&[Tz::Asia__Kolkata], at));
    assert_eq!(calendar.next_open(&[Tz::Asia__Kolkata], at), Some(utc("2026-03-02 04:30:00")));
    let open = at + TimeDelta::seconds(1);
    assert_eq!(calendar.next_open(&[Tz::Asia__Kolkata], open), Some(open));
}

#[test]
fn a_skipped_local_time_is_never_reached() {
    // New York, 8 March 2026: 01:59:59 EST is followed by 03:00:00 EDT (07:00 UTC).
    check(
        &weekly("sun 02:00-02:30"),
        Tz::America__New_York,
        &[("2026-03-08 06:00:00", "closed, opens Sun 2026-03-15 02:00:00 -04:00")],
    );
    check(
        &weekly("sun 02:30-04:00"),
        Tz::America__New_York,
        &[("2026-03-08 06:00:00", "closed, opens Sun 2026-03-08 03:00:00 -04:00")],
    );
    check(
        &weekly("sun 01:00-02:30"),
        Tz::America__New_York,
        &[("2026-03-08 06:00:00", "open, closes Sun 2026-03-08 03:00:00 -04:00")],
    );
}

#[test]
fn a_repeated_local_time_is_open_both_times() {
    // New York, 1 November 2026: 01:59:59 EDT is followed by 01:00:00 EST (06:00 UTC).
    check(
        &weekly("sun 01:30-03:00"),
        Tz::America__New_York,
        &[
            ("2026-11-01 05:15:00", "closed, opens Sun 2026-11-01 01:30:00 -04:00"),
            ("2026-11-01 05:45:00", "open, closes Sun 2026-11-01 01:00:00 -05:00"),
            ("2026-11-01 06:00:00", "closed, opens Sun 2026-11-01 01:30:00 -05:00"),
            ("2026-11-01 06:30:00", "open, closes Sun 2026-11-01 03:00:00 -05:00"),
        ],
    );
    check(
        &weekly("sun 01:00-02:00"),
        Tz::America__New_York,
        &[("2026-11-01 05:00:00", "open, closes Sun 2026-11-01 02:00:00 -05:00")],
    );
}

#[test]
fn clocks_that_change_at_midnight_open_and_close_by_the_wall() {
    // No 00:00 on these days: 24:00 of the day before is 01:00.
    let first_hours = weekly("daily 00:00-03:00");
    check(
        &first_hours,
        Tz::America__Sao_Paulo,
        &[("2018-11-04 02:30:00", "closed, opens Sun 2018-11-04 01:00:00 -02:00")],
    );
    check(
        &first_hours,
        Tz::Asia__Beirut,
        &[("2026-03-28 21:30:00", "closed, opens Sun 2026-03-29 01:00:00 +03:00")],
    );
    check(
        &first_hours,
        Tz::Africa__Cairo,
        &[("2026-04-23 21:30:00", "closed, opens Fri 2026-04-24 01:00:00 +03:00")],
    );
    // And on going back, the last hour of the day comes twice.
    check(
        &weekly("daily 23:30-24:00"),
        Tz::America__Sao_Paulo,
        &[
            ("2018-02-18 01:45:00", "open, closes Sat 2018-02-17 23:00:00 -03:00"),
            ("2018-02-18 02:00:00", "closed, opens Sat 2018-02-17 23:30:00 -03:00"),
        ],
    );
}

#[test]
fn half_hour_changes_skipped_days_and_ramadan_are_nothing_special() {
    check(
        &weekly("sun 01:45-02:15"),
        Tz::Australia__Lord_Howe,
        &[
            // 2026-04-05 02:00 +11:00 goes back to 01:30 +10:30.
            ("2026-04-04 14:50:00", "open, closes Sun 2026-04-05 01:30:00 +10:30"),
            ("2026-04-04 15:05:00", "closed, opens Sun 2026-04-05 01:45:00 +10:30"),
            // 2026-10-04 02:00 +10:30 goes forward to 02:30 +11:00.
            ("2026-10-03 15:20:00", "open, closes Sun 2026-10-04 02:30:00 +11:00"),
        ],
    );
    // Samoa had no Friday 30 December 2011.
    check(
        &weekly("fri 09:00-17:00"),
        Tz::Pacific__Apia,
        &[("2011-12-30 09:00:00", "closed, opens Fri 2012-01-06 09:00:00 +14:00")],
    );
    check(
        &weekly("thu 09:00-24:00; sat 00:00-06:00"),
        Tz::Pacific__Apia,
        &[("2011-12-30 09:00:00", "open, closes Sat 2011-12-31 06:00:00 +14:00")],
    );
    check(
        &weekly("sun 02:30-05:00"),
        Tz::Africa__Casablanca,
        &[
            // Ramadan 2026: back at 03:00 on 15 February, forward at 02:00 on 22 March.
            ("2026-02-15 01:45:00", "open, closes Sun 2026-02-15 02:00:00 +00:00"),
            ("2026-03-22 01:30:00", "closed, opens Sun 2026-03-22 03:00:00 +01:00"),
        ],
    );
}

#[test]
fn windows_that_touch_are_one_span_even_over_the_end_of_the_week() {
    let calendar = weekly("sun 20:00-24:00; mon 00:00-02:00; mon 02:00-03:00");
    check(&calendar, Tz::UTC, &[("2026-03-01 21:00:00", "open, closes Mon 2026-03-02 03:00:00 +00:00")]);
}

#[test]
fn a_calendar_without_gaps_never_closes() {
    for calendar in [Calendar::Open, weekly("daily 00:00-24:00")] {
        check(&calendar, Tz::Europe__London, &[("2026-03-29 00:30:00", "open, closes never")]);
    }
}

#[test]
fn several_zones_are_open_when_all_of_them_are() {
    let calendar = Calendar::default();
    let zones = [Tz::America__New_York, Tz::America__Los_Angeles];
    // 13:00 in New York is 10:00 in Los Angeles; 19:00 in New York closes both.
    assert_eq!(calendar.next_open(&zones, utc("2026-07-06 12:00:00")), Some(utc("2026-07-06 17:00:00")));
    assert_eq!(calendar.closes_at(&zones, utc("2026-07-06 17:00:00")), Some(utc("2026-07-06 23:00:00")));
}

#[test]
fn zones_whose_hours_never_meet_never_open() {
    let zones = [Tz::Asia__Kolkata, Tz::America__New_York];
    let at = utc("2026-07-06 12:00:00");
    assert_eq!(Calendar::default().next_open(&zones, at), None);
    assert_eq!(Calendar::default().state(&zones, at), State::Closed { opens_at: None });
}

#[test]
fn zones_whose_hours_meet_in_winter_only_open_in_winter() {
    // 18:30 in Kolkata is 13:00 in winter's London and 14:00 in summer's.
    let calendar = weekly("daily 13:00-13:30; daily 18:30-19:00");
    let zones = [Tz::Asia__Kolkata, Tz::Europe__London];
    let opens = calendar.next_open(&zones, utc("2026-07-06 12:00:00"));
    assert_eq!(opens, Some(utc("2026-10-25 13:00:00")));
}

#[test]
fn a_meeting_between_the_clock_changes_of_two_zones_is_not_missed() {
    // New York goes back at 06:00 UTC and Denver at 08:00; between the two it is 01:20 in New
    // York for the second time, and 00:20 in Denver.
    let calendar = weekly("sun 00:15-00:45; sun 01:20-01:40; mon 10:00-19:00");
    for zones in [[Tz::America__New_York, Tz::America__Denver], [Tz::America__Denver, Tz::America__New_York]]
    {
        let opens = calendar.next_open(&zones, utc("2026-11-01 05:50:00"));
        assert_eq!(opens, Some(utc("2026-11-01 06:20:00")));
    }
}

#[test]
fn without_a_zone_only_the_open_calendar_is_open() {
    let at = utc("2026-03-02 12:00:00");
    assert_eq!(Calendar::default().state(&[], at), State::Closed { opens_at: None });
    assert_eq!(Calendar::Open.state(&[], at), State::Open { closes_at: None });
}
