//! Weekly windows: parsed with care, then kept as spans of one week.

use std::fmt;
use std::str::FromStr;

use chrono::Weekday;
use thiserror::Error;

/// A week, in seconds.
pub(super) const WEEK_S: i64 = 7 * DAY_S;
/// A day of the week, in seconds: clock changes are no matter of windows.
pub(super) const DAY_S: i64 = 86_400;

/// The days of the week in order.
pub(super) const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// A local time of day in whole minutes, from 00:00 to 24:00 (the end of the day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    minutes: u16,
}

/// Hours on some days of the week: from `from` on, up to and without `to`, in local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The days, each named once.
    pub days: Vec<Weekday>,
    /// The first minute.
    pub from: TimeOfDay,
    /// The first minute after.
    pub to: TimeOfDay,
}

/// Hours per weekday: at least one, none overlapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklyWindows {
    /// Per weekday, in order, as (from, to).
    days: [Vec<(TimeOfDay, TimeOfDay)>; 7],
    /// The same in seconds since Monday 00:00, in order, with touching ones joined.
    spans: Vec<(i64, i64)>,
}

/// What is wrong with a calendar, where, and how to put it right. Windows count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// The list of windows is empty.
    #[error("the calendar has no windows, so nobody could ever be called; give at least one")]
    NoWindows,
    /// A window names no day.
    #[error(
        "calendar window {window}: `days` is empty; name at least one of mon, tue, wed, thu, fri, sat, sun"
    )]
    NoDays {
        /// Which window of the list.
        window: usize,
    },
    /// A day has a name that is none.
    #[error("calendar window {window}: `{day}` is not a weekday; use mon, tue, wed, thu, fri, sat or sun")]
    UnknownDay {
        /// Which window of the list.
        window: usize,
        /// What was written.
        day: String,
    },
    /// A window names a day twice.
    #[error("calendar window {window}: `{day}` is named twice; name it once")]
    DayTwice {
        /// Which window of the list.
        window: usize,
        /// The day.
        day: Weekday,
    },
    /// Not a time of day.
    #[error(
        "calendar window {window}: `{field}` is {text:?}; write hours and minutes as HH:MM, from 00:00 to 24:00"
    )]
    BadTime {
        /// Which window of the list.
        window: usize,
        /// `from` or `to`.
        field: &'static str,
        /// What was written.
        text: String,
    },
    /// A window has no length.
    #[error(
        "calendar window {window}: `from` and `to` are both {at}; for a whole day write from 00:00 to 24:00"
    )]
    Empty {
        /// Which window of the list.
        window: usize,
        /// The time.
        at: TimeOfDay,
    },
    /// A window ends before it begins, as one over midnight would.
    #[error(
        "calendar window {window}: `to` ({to}) is before `from` ({from}); if it should run over midnight, \
         split it in two: from {from} to 24:00, and from 00:00 to {to} on the days after"
    )]
    EndsBeforeStart {
        /// Which window of the list.
        window: usize,
        /// Its beginning.
        from: TimeOfDay,
        /// Its end.
        to: TimeOfDay,
    },
    /// A window shares a minute with an earlier one.
    #[error(
        "calendar window {window}: overlaps {day} {from} to {to} of an earlier window; join the two, or \
         move one"
    )]
    Overlap {
        /// Which window of the list.
        window: usize,
        /// The day on which they meet.
        day: Weekday,
        /// Beginning of the earlier window.
        from: TimeOfDay,
        /// End of the earlier window.
        to: TimeOfDay,
    },
}

impl TimeOfDay {
    /// The end of a day.
    pub const MIDNIGHT: Self = Self { minutes: 24 * 60 };

    /// `hour`:`minute`, if there is such a time; 24:00 is the latest.
    pub const fn new(hour: u16, minute: u16) -> Option<Self> {
        if minute < 60 && (hour < 24 || hour == 24 && minute == 0) {
            Some(Self { minutes: hour * 60 + minute })
        } else {
            None
        }
    }

    /// Minutes since 00:00, at most 1440.
    pub const fn minutes(self) -> u16 {
        self.minutes
    }
}

/// The text is not a time of day written `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a time of day; write hours and minutes as HH:MM, from 00:00 to 24:00")]
pub struct BadTimeOfDay;

impl FromStr for TimeOfDay {
    type Err = BadTimeOfDay;

    /// Reads `9:30`, `09:30` or `24:00`.
    fn from_str(text: &str) -> Result<Self, BadTimeOfDay> {
        let (hour, minute) = text.trim().split_once(':').ok_or(BadTimeOfDay)?;
        let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !matches!(hour.len(), 1 | 2) || minute.len() != 2 || !is_digits(hour) || !is_digits(minute) {
            return Err(BadTimeOfDay);
        }
        let number = |s: &str| s.parse().map_err(|_| BadTimeOfDay);
        Self::new(number(hour)?, number(minute)?).ok_or(BadTimeOfDay)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl Default for WeeklyWindows {
    /// 10:00 to 19:00, Monday to Saturday.
    fn default() -> Self {
        let clock = |hour: u16| TimeOfDay { minutes: hour * 60 };
        let working = Hours { days: WEEK[..6].to_vec(), from: clock(10), to: clock(19) };
        Self::new([working]).expect("one window on six days is sound")
    }
}

impl WeeklyWindows {
    /// Puts windows together, in any order.
    pub fn new(windows: impl IntoIterator<Item = Hours>) -> Result<Self, CalendarError> {
        let mut days: [Vec<(TimeOfDay, TimeOfDay)>; 7] = Default::default();
        for (index, hours) in windows.into_iter().enumerate() {
            add(&mut days, index + 1, &hours)?;
        }
        if days.iter().all(Vec::is_empty) {
            return Err(CalendarError::NoWindows);
        }
        for day in &mut days {
            day.sort_unstable();
        }
        Ok(Self { spans: spans(&days), days })
    }

    /// The whole week.
    pub fn always() -> Self {
        let whole = (TimeOfDay { minutes: 0 }, TimeOfDay::MIDNIGHT);
        let days: [Vec<_>; 7] = std::array::from_fn(|_| vec![whole]);
        Self { spans: spans(&days), days }
    }

    /// The hours that both have; `None` if they have none in common.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let common = |day: usize| {
            let pairs = self.days[day].iter().flat_map(|a| other.days[day].iter().map(move |b| (a, b)));
            let cuts = pairs.map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
            let mut cuts: Vec<_> = cuts.filter(|(from, to)| from < to).collect();
            cuts.sort_unstable();
            cuts
        };
        let days: [Vec<_>; 7] = std::array::from_fn(common);
        let any = days.iter().any(|day| !day.is_empty());
        any.then(|| Self { spans: spans(&days), days })
    }

    /// The windows, those with the same hours together.
    pub fn windows(&self) -> Vec<Hours> {
        let mut windows: Vec<Hours> = Vec::new();
        for (day, hours) in WEEK.into_iter().zip(&self.days) {
            for &(from, to) in hours {
                match windows.iter_mut().find(|known| (known.from, known.to) == (from, to)) {
                    Some(known) => known.days.push(day),
                    None => windows.push(Hours { days: vec![day], from, to }),
                }
            }
        }
        windows
    }

    /// Seconds from a second of the week until the next that is open; 0 if it is open itself.
    pub(super) fn opens_in(&self, at: i64) -> i64 {
        match self.spans.iter().find(|(_, end)| at < *end) {
            Some((start, _)) => (start - at).max(0),
            None => self.spans.first().map_or(WEEK_S, |(start, _)| start + WEEK_S - at),
        }
    }

    /// Seconds from an open second of the week until the first that is not; `None` if none is.
    pub(super) fn closes_in(&self, at: i64) -> Option<i64> {
        let (_, end) = self.spans.iter().find(|(_, end)| at < *end)?;
        match self.spans.first() {
            Some((0, WEEK_S)) => None,
            // Sunday's last window goes on as Monday's first.
            Some((0, monday)) if *end == WEEK_S => Some(WEEK_S - at + monday),
            _ => Some(end - at),
        }
    }
}

fn add(
    days: &mut [Vec<(TimeOfDay, TimeOfDay)>; 7],
    window: usize,
    hours: &Hours,
) -> Result<(), CalendarError> {
    let Hours { days: named, from, to } = hours;
    if named.is_empty() {
        return Err(CalendarError::NoDays { window });
    }
    if from == to {
        return Err(CalendarError::Empty { window, at: *from });
    }
    if to < from {
        return Err(CalendarError::EndsBeforeStart { window, from: *from, to: *to });
    }
    for (index, day) in named.iter().enumerate() {
        if named[..index].contains(day) {
            return Err(CalendarError::DayTwice { window, day: *day });
        }
        let taken = &mut days[day.num_days_from_monday() as usize];
        if let Some(&(from, to)) = taken.iter().find(|other| other.0 < *to && *from < other.1) {
            return Err(CalendarError::Overlap { window, day: *day, from, to });
        }
        taken.push((*from, *to));
    }
    Ok(())
}

fn spans(days: &[Vec<(TimeOfDay, TimeOfDay)>; 7]) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for (midnight, hours) in (0..).step_by(86_400).zip(days) {
        for (from, to) in hours {
            let second = |time: &TimeOfDay| midnight + i64::from(time.minutes) * 60;
            match spans.last_mut() {
                Some((_, end)) if *end == second(from) => *end = second(to),
                _ => spans.push((second(from), second(to))),
            }
        }
    }
    spans
}
