//! The judge's own reading of calling hours: from the written form, and by the clock
//! on the wall at the instant in question. Nothing is searched.

use chrono::{Datelike, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::Value;

use crate::Moment;
use crate::calendar::Calendar;

/// When calls may be made, as the judge understands what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hours {
    /// At all times, on emulated accounts.
    Always,
    /// Inside these windows.
    Windows(Vec<Window>),
    /// Not at all: it is not written as the judge knows it.
    Unreadable,
}

/// Hours on some days, in minutes since midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Monday first.
    days: [bool; 7],
    from: u32,
    to: u32,
}

impl Hours {
    pub(super) fn read(calendar: &Calendar) -> Self {
        serde_json::to_value(calendar).map_or(Self::Unreadable, |written| Self::of_json(&written))
    }

    pub(super) fn of_json(written: &Value) -> Self {
        match written {
            Value::String(name) if name == "none" => Self::Always,
            Value::Array(windows) => {
                let windows: Option<Vec<Window>> = windows.iter().map(Window::read).collect();
                windows.map_or(Self::Unreadable, Self::Windows)
            }
            _ => Self::Unreadable,
        }
    }

    /// Whether the clock in `zone` shows a time inside the hours at `at`.
    pub(super) fn hold(&self, zone: Tz, at: Moment) -> bool {
        let local = at.with_timezone(&zone);
        let day = usize::try_from(local.weekday().num_days_from_monday()).unwrap_or_default();
        let minute = local.hour() * 60 + local.minute();
        match self {
            Self::Always => true,
            Self::Windows(windows) => {
                windows.iter().any(|window| window.days[day] && (window.from..window.to).contains(&minute))
            }
            Self::Unreadable => false,
        }
    }
}

impl Window {
    fn read(written: &Value) -> Option<Self> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let named: Option<Vec<&str>> = written["days"].as_array()?.iter().map(Value::as_str).collect();
        let named = named?;
        Some(Self {
            days: DAYS.map(|day| named.contains(&day)),
            from: minutes(written["from"].as_str()?)?,
            to: minutes(written["to"].as_str()?)?,
        })
    }
}

fn minutes(written: &str) -> Option<u32> {
    let (hours, minutes) = written.split_once(':')?;
    Some(hours.parse::<u32>().ok()? * 60 + minutes.parse::<u32>().ok()?)
}

/// The zone of that name, in any case.
pub(super) fn zone_named(name: &str) -> Option<Tz> {
    let name = name.trim();
    let in_any_case = || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    name.parse().ok().or_else(in_any_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_by_the_clock_on_the_wall() {
        let hours = Hours::read(&Calendar::default());
        let open = |text: &str| hours.hold(Tz::Asia__Kolkata, text.parse().expect("a time"));
        // 10:00 to 19:00 in Kolkata is 04:30 to 13:30 UTC; 17 January 2026 is a Saturday.
        assert!(open("2026-01-17T04:30:00Z") && open("2026-01-17T13:29:59Z"));
        assert!(!open("2026-01-17T04:29:59Z") && !open("2026-01-17T13:30:00Z"));
        assert!(!open("2026-01-18T08:00:00Z"), "Sunday");
    }

    #[test]
    fn a_window_may_last_until_midnight() {
        let written = r#"[{"days": ["sun"], "from": "22:00", "to": "24:00"}]"#;
        let hours = Hours::read(&serde_json::from_str(written).expect("a calendar"));
        assert!(hours.hold(Tz::UTC, "2026-01-18T23:59:59Z".parse().expect("a time")));
        assert!(!hours.hold(Tz::UTC, "2026-01-19T00:00:00Z".parse().expect("a time")));
    }
}
