//! Calling hours against minutes that are looked at one by one.

use chrono::{Datelike, NaiveDate, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use outdial_workflows::Moment;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::hours::{CallingHours, LaneState, lane_state};
use outdial_workflows::packs::{Law, Purpose, Voice};
use outdial_workflows::places::Whereabouts;
use outdial_workflows::rules::{OwnHoliday, Rules};
use outdial_workflows::why::Why;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{area, at};

/// Weekly hours as (day from Monday, from, to) in minutes.
type Windows = Vec<(u32, u32, u32)>;

fn calendar(windows: &Windows) -> Calendar {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let one = |&(day, from, to): &(u32, u32, u32)| serde_json::json!({"days": [DAYS[day as usize]], "from": clock(from), "to": clock(to)});
    serde_json::from_value(windows.iter().map(one).collect()).expect("a calendar")
}

fn hours(windows: &Windows, holidays: &[OwnHoliday], zones: &[Tz]) -> CallingHours {
    let rules = Rules { calendar: calendar(windows), holidays: holidays.to_vec(), ..Rules::default() };
    let place = Whereabouts::new(zones.iter().copied(), [area("IN")]);
    CallingHours::new(&rules, &Law::default(), &place).expect("hours")
}

/// The law of hours, as anybody would check it who stands there and looks at the wall.
fn open(windows: &Windows, holidays: &[OwnHoliday], zones: &[Tz], at: Moment) -> bool {
    zones.iter().all(|zone| {
        let wall = at.with_timezone(zone);
        let (day, minute) = (wall.weekday().num_days_from_monday(), wall.hour() * 60 + wall.minute());
        let written = wall.format("%Y-%m-%d").to_string();
        let holiday = holidays.iter().any(|own| written.ends_with(&own.to_string()));
        !holiday && windows.iter().any(|its| its.0 == day && its.1 <= minute && minute < its.2)
    })
}

/// The instants from 2026 to 2028 at which a zone's clock is changed.
fn changes(zone: Tz) -> Vec<Moment> {
    let offset = |at: Moment| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let (mut from, end) = (at("2025-12-15T00:00:00Z"), at("2028-12-15T00:00:00Z"));
    let mut found = Vec::new();
    while from < end {
        let next = from + TimeDelta::hours(6);
        if offset(from) != offset(next) {
            let quarters = (1..=24).map(|quarter| from + TimeDelta::minutes(15 * quarter));
            found.extend(quarters.clone().find(|at| offset(*at) != offset(from)));
        }
        from = next;
    }
    found
}

/// Every quarter of an hour over some days: state, next opening and closing are those of the wall.
fn sweep(windows: &Windows, holidays: &[OwnHoliday], zones: &[Tz], start: Moment, days: i64) {
    let hours = hours(windows, holidays, zones);
    let steps: Vec<Moment> = (0..days * 96).map(|step| start + TimeDelta::minutes(15 * step)).collect();
    let states: Vec<bool> = steps.iter().map(|at| open(windows, holidays, zones, *at)).collect();
    let first = |state: bool| steps.iter().zip(&states).find(|(_, is)| **is == state).map(|(at, _)| *at);
    for (at, is) in steps.iter().zip(&states) {
        assert_eq!(hours.is_open(*at), *is, "{zones:?} at {at}");
    }
    if let Some(opening) = first(true) {
        assert_eq!(hours.next_open(start), Ok(opening), "{zones:?} from {start}");
    }
    if let Some(closing) = first(false) {
        assert_eq!(hours.closes_at(start), Some(closing), "{zones:?} from {start}");
    }
}

#[test]
fn every_zone_keeps_the_wall_when_its_clock_is_changed() {
    // Over midnight, so that days which begin twice, or late, are met open.
    let windows: Windows =
        (0..7).flat_map(|day| [(day, 0, 90), (day, 600, 1_140), (day, 1_350, 1_440)]).collect();
    for zone in TZ_VARIANTS {
        for change in changes(zone) {
            let before = change.with_timezone(&zone).date_naive();
            let holiday = [OwnHoliday::On(before)];
            sweep(&windows, &[], &[zone], change - TimeDelta::hours(12), 1);
            sweep(&windows, &holiday, &[zone], change - TimeDelta::hours(30), 3);
        }
    }
}

#[test]
fn leap_days_and_year_ends_are_days_like_others() {
    let windows: Windows = (0..7).map(|day| (day, 540, 1_260)).collect();
    let yearly = |text: &str| vec![text.parse::<OwnHoliday>().expect("a holiday")];
    for (start, days, holidays) in [
        ("2028-02-27T00:00:00Z", 4, yearly("02-29")),
        ("2027-02-27T00:00:00Z", 4, yearly("02-29")),
        ("2026-12-30T00:00:00Z", 4, yearly("01-01")),
        ("2026-12-30T00:00:00Z", 4, yearly("12-31")),
    ] {
        for zones in [vec![Tz::Asia__Kolkata], vec![Tz::Pacific__Auckland, Tz::America__Los_Angeles]] {
            sweep(&windows, &holidays, &zones, at(start), days);
        }
    }
}

fn windows() -> impl Strategy<Value = Windows> {
    let one = (0_u32..7, 0_u32..1_439, 1_u32..1_440);
    prop::collection::vec(one, 1..6).prop_map(|mut drawn| {
        drawn.iter_mut().for_each(|its| its.2 = (its.1 + 1).max(its.2));
        drawn.sort_unstable();
        drawn.dedup_by(|b, a| a.0 == b.0 && b.1 < a.2); // Overlaps are refused.
        drawn
    })
}

/// Any time, and oftener one near a change of a clock.
fn moments(zones: Vec<Tz>) -> impl Strategy<Value = Moment> {
    let changes: Vec<Moment> = zones.into_iter().flat_map(changes).collect();
    let anywhere = (0_i64..3 * 365 * 24 * 60).boxed();
    let near =
        if changes.is_empty() { Just(at("2028-02-28T12:00:00Z")).boxed() } else { select(changes).boxed() };
    prop_oneof![
        anywhere.prop_map(|minute| at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute)),
        (near, -2_880_i64..1_440).prop_map(|(change, minutes)| change + TimeDelta::minutes(minutes)),
    ]
}

fn cases() -> impl Strategy<Value = (Windows, Vec<Tz>, Vec<i64>, Moment)> {
    let zones = prop::collection::vec(select(TZ_VARIANTS.to_vec()), 1..4);
    (windows(), zones, prop::collection::vec(-1_i64..8, 0..4)).prop_flat_map(|(windows, zones, days)| {
        let moments = moments(zones.clone());
        (Just(windows), Just(zones), Just(days), moments)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// The next opening is the first open minute, and none before it is; the closing likewise.
    #[test]
    fn the_next_opening_and_closing_are_the_first((windows, zones, days, now) in cases()) {
        let holidays: Vec<OwnHoliday> =
            days.iter().map(|day| OwnHoliday::On((now + TimeDelta::days(*day)).date_naive())).collect();
        let hours = hours(&windows, &holidays, &zones);
        let is_open = |minute: i64| open(&windows, &holidays, &zones, now + TimeDelta::minutes(minute));
        let opens = (0..9 * 1_440).find(|minute| is_open(*minute));
        match (opens, hours.next_open(now)) {
            (Some(minute), found) => prop_assert_eq!(found, Ok(now + TimeDelta::minutes(minute))),
            (None, Ok(later)) => prop_assert!(later >= now + TimeDelta::days(9)),
            (None, Err(why)) => prop_assert_eq!(why, Why::NeverOpens),
        }
        prop_assert_eq!(hours.is_open(now), opens == Some(0));
        let closes = (0..9 * 1_440).find(|minute| !is_open(*minute));
        match closes {
            Some(minute) => prop_assert_eq!(hours.closes_at(now), Some(now + TimeDelta::minutes(minute))),
            None => prop_assert!(hours.closes_at(now).is_none_or(|at| at >= now + TimeDelta::days(9))),
        }
    }
}

fn lane(rules: &str, place: &str) -> Result<CallingHours, Why> {
    let rules: Rules = serde_json::from_str(rules).expect("rules");
    let place: Whereabouts = place.parse().expect("whereabouts");
    let law = Law::of(place.areas(), Purpose::Marketing, Voice::Artificial)?;
    CallingHours::new(&rules, &law, &place)
}

#[test]
fn the_campaign_is_cut_to_the_law() {
    let early = r#"{"calendar": [{"days": ["mon"], "from": "06:00", "to": "23:00"}]}"#;
    let monday = at("2026-01-12T00:00:00Z");
    let opens = |place: &str| lane(early, place).and_then(|hours| hours.next_open(monday));
    let closes =
        |place: &str| lane(early, place).map(|hours| hours.closes_at(opens(place).expect("it opens")));
    assert_eq!(opens("America/New_York;US-NY"), Ok(at("2026-01-12T13:00:00Z")));
    assert_eq!(closes("America/New_York;US-NY"), Ok(Some(at("2026-01-13T02:00:00Z"))));
    assert_eq!(closes("America/New_York;US-FL"), Ok(Some(at("2026-01-13T01:00:00Z"))));
    assert_eq!(opens("Asia/Kolkata;IN"), Ok(at("2026-01-12T04:30:00Z")));
}

#[test]
fn hours_that_never_meet_never_open() {
    let night = r#"{"calendar": [{"days": ["mon"], "from": "22:00", "to": "24:00"}]}"#;
    let never =
        |place: &str| lane(night, place).and_then(|hours| hours.next_open(at("2026-01-12T00:00:00Z")));
    assert_eq!(never("Asia/Kolkata;IN"), Err(Why::NeverOpens));
    let apart = lane("{}", "America/New_York,Asia/Kolkata;IN").expect("hours");
    assert_eq!(apart.next_open(at("2026-01-12T00:00:00Z")), Err(Why::NeverOpens));
}

#[test]
fn nobody_in_australia_is_called_on_a_holiday_of_their_state_or_a_possible_one() {
    // Tuesday, 3 November 2026, 12:00 in Melbourne: the day of the Cup.
    let cup = at("2026-11-03T01:00:00Z");
    let open = |place: &str| lane("{}", place).expect("hours").is_open(cup);
    assert!(!open("Australia/Melbourne;AU-VIC") && open("Australia/Sydney;AU-NSW"));
    assert!(!open("Australia/Sydney;AU-NSW,AU-VIC") && !open("Australia/Sydney;AU"));
}

#[test]
fn a_campaign_may_keep_public_holidays_where_the_law_does_not() {
    let republic_day = at("2026-01-26T08:00:00Z"); // A Monday.
    let open = |rules: &str| lane(rules, "Asia/Kolkata;IN").expect("hours").is_open(republic_day);
    assert!(open("{}"));
    assert!(!open(r#"{"holidays": ["public"]}"#) && !open(r#"{"holidays": ["01-26"]}"#));
    let opens_at = at("2026-01-27T04:30:00Z");
    assert_eq!(
        lane(r#"{"holidays": ["public"]}"#, "Asia/Kolkata;IN").expect("hours").state(republic_day),
        LaneState::Closed { opens_at, why: Why::Holiday { zone: Tz::Asia__Kolkata, opens_at } }
    );
}

#[test]
fn past_the_table_of_holidays_nothing_opens() {
    let hours = lane("{}", "Australia/Sydney;AU-NSW").expect("hours");
    let after: NaiveDate = "2031-12-31".parse().expect("a day");
    for late in ["2031-12-31T12:00:00Z", "2032-03-01T02:00:00Z"] {
        assert_eq!(hours.next_open(at(late)), Err(Why::HolidaysNotKnown { after }), "{late}");
    }
    let where_none_are_kept = lane("{}", "America/New_York;US-NY").expect("hours");
    assert!(where_none_are_kept.next_open(at("2032-03-01T16:00:00Z")).is_ok());
}

#[test]
fn a_lane_says_where_it_stands_and_until_when() {
    let state = |rules: &str, place: &str, now: &str| {
        let rules: Rules = serde_json::from_str(rules).expect("rules");
        lane_state(&rules, &place.parse().expect("whereabouts"), at(now))
    };
    let (noon, night) = ("2026-01-14T06:30:00Z", "2026-01-14T20:00:00Z");
    let closes_at = Some(at("2026-01-14T13:30:00Z"));
    assert_eq!(state("{}", "Asia/Kolkata;IN", noon), LaneState::Open { closes_at });
    let opens_at = at("2026-01-15T04:30:00Z");
    let why = Why::WindowClosed { zone: Tz::Asia__Kolkata, opens_at };
    assert_eq!(state("{}", "Asia/Kolkata;IN", night), LaneState::Closed { opens_at, why });
    let why = Why::NoPack { country: area("BR").country() };
    assert_eq!(state("{}", "America/Sao_Paulo;BR", noon), LaneState::Held { why });
    assert_eq!(state(r#"{"calendar": "none"}"#, ";", night), LaneState::Open { closes_at: None });
}
