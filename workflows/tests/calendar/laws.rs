//! The calendar's laws, in every zone there is and around its clock changes.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use outdial_workflows::Moment;
use outdial_workflows::calendar::{Calendar, HORIZON_DAYS};
use proptest::prelude::*;
use proptest::sample::select;

use super::EVERY_DAY;

/// Openness by another route: the local time as text, compared with the windows as text.
fn open_by_text(calendar: &Calendar, zone: Tz, at: Moment) -> bool {
    let Calendar::Weekly(windows) = calendar else { return true };
    let local = at.with_timezone(&zone);
    let time = local.format("%H:%M").to_string();
    windows.windows().iter().any(|hours| {
        hours.days.contains(&local.weekday())
            && (hours.from.to_string()..hours.to.to_string()).contains(&time)
    })
}

/// Instants of 1990 to 2037, about half of them within a day of a clock change of the zone.
fn zone_and_instant() -> impl Strategy<Value = (Tz, Moment)> {
    let span = 631_152_000_i64..2_145_916_800;
    (select(&TZ_VARIANTS[..]), span, -86_400_i64..86_400, any::<bool>()).prop_map(
        |(zone, at, around, near_a_change)| {
            let at = if near_a_change { change_after(zone, at).unwrap_or(at) + around } else { at };
            (zone, DateTime::<Utc>::from_timestamp(at, 0).expect("a year of four digits"))
        },
    )
}

/// When the zone's clock is next changed, to the hour.
fn change_after(zone: Tz, at: i64) -> Option<i64> {
    let offset = |at| {
        let utc = DateTime::<Utc>::from_timestamp(at, 0)?;
        Some(zone.offset_from_utc_datetime(&utc.naive_utc()).fix())
    };
    (1..400 * 24).map(|hours| at + hours * 3600).find(|later| offset(*later) != offset(at))
}

/// Calendars of one to four windows, many of them at night where clocks change.
fn calendars() -> impl Strategy<Value = Calendar> {
    let edge = prop_oneof![0_u16..=1440, 0_u16..=240, 1380_u16..=1440];
    let window = (prop::collection::btree_set(0_usize..7, 1..=7), edge.clone(), edge);
    prop::collection::vec(window, 1..=4).prop_filter_map("overlapping or empty", |windows| {
        let text = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let form = |(days, a, b): &(BTreeSet<usize>, u16, u16)| {
            let days: Vec<&str> = days.iter().map(|d| EVERY_DAY[*d]).collect();
            serde_json::json!({ "days": days, "from": text(*a.min(b)), "to": text(*a.max(b)) })
        };
        serde_json::from_value(windows.iter().map(form).collect()).ok()
    })
}

/// Instants from `from` up to `to`: every minute for three days, then every 97 minutes.
fn between(from: Moment, to: Moment) -> impl Iterator<Item = Moment> {
    let at = move |minutes| from + TimeDelta::minutes(minutes);
    (0..4320).chain((4320..).step_by(97)).map(at).take_while(move |at| *at < to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn open_means_that_the_wall_clock_is_inside_a_window(
        calendar in calendars(), (zone, at) in zone_and_instant(),
    ) {
        prop_assert_eq!(calendar.is_open(&[zone], at), open_by_text(&calendar, zone, at));
    }

    #[test]
    fn the_next_opening_is_the_first_open_instant(
        calendar in calendars(), (zone, at) in zone_and_instant(),
    ) {
        let opens = calendar.next_open(&[zone], at);
        let end = opens.unwrap_or(at + TimeDelta::days(HORIZON_DAYS - 1));
        prop_assert!(between(at, end).all(|at| !open_by_text(&calendar, zone, at)));
        if let Some(opens) = opens {
            prop_assert!(opens >= at && open_by_text(&calendar, zone, opens));
            prop_assert!(opens == at || !open_by_text(&calendar, zone, opens - TimeDelta::seconds(1)));
            prop_assert_eq!(calendar.next_open(&[zone], opens), Some(opens));
        }
    }

    #[test]
    fn the_closing_is_the_first_instant_that_is_not_open(
        calendar in calendars(), (zone, at) in zone_and_instant(),
    ) {
        let closes = calendar.closes_at(&[zone], at);
        let end = closes.unwrap_or(at + TimeDelta::days(HORIZON_DAYS - 1));
        prop_assert!(between(at, end).all(|at| open_by_text(&calendar, zone, at)));
        if let Some(closes) = closes {
            prop_assert!(closes >= at && !open_by_text(&calendar, zone, closes));
            prop_assert!(closes == at || open_by_text(&calendar, zone, closes - TimeDelta::seconds(1)));
        }
    }

    #[test]
    fn several_zones_open_together_at_the_first_instant_all_are(
        calendar in calendars(), (one, at) in zone_and_instant(), other in select(&TZ_VARIANTS[..]),
    ) {
        let zones = [one, other];
        let open = |at| zones.iter().all(|zone| open_by_text(&calendar, *zone, at));
        prop_assert_eq!(calendar.is_open(&zones, at), open(at));
        let opens = calendar.next_open(&zones, at);
        let end = opens.unwrap_or(at + TimeDelta::days(HORIZON_DAYS - 1));
        prop_assert!(between(at, end).all(|at| !open(at)));
        if let Some(opens) = opens {
            prop_assert!(opens >= at && open(opens));
            let closes = calendar.closes_at(&zones, opens);
            let end = closes.unwrap_or(opens + TimeDelta::days(HORIZON_DAYS - 1));
            prop_assert!(between(opens, end).all(open));
            prop_assert!(closes.is_none_or(|closes| !open(closes)));
        }
    }

    #[test]
    fn a_calendar_is_read_back_as_it_was_written(calendar in calendars()) {
        let written = serde_json::to_string(&calendar).expect("a calendar can be written");
        prop_assert_eq!(serde_json::from_str::<Calendar>(&written).expect("our own form"), calendar);
    }
}
