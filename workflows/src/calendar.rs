//! When calls may be made: weekly hours, in the time of the place that is called.
//!
//! One law defines everything: **an instant is open when the clock on the wall there shows a
//! time inside the windows.** So a local time that a clock change skips is never reached, one
//! that a change repeats is open both times, and [`Calendar::next_open`] and
//! [`Calendar::closes_at`] are whatever makes this true.
//!
//! A lead may have several possible zones. It is open when all of them are.

mod form;
mod search;
mod windows;
mod zone;

use chrono_tz::Tz;

use crate::Moment;

pub(crate) use search::{day_begins, day_ends};
pub use windows::{CalendarError, Hours, TimeOfDay, WeeklyWindows};
pub use zone::{Zone, ZoneError, parse_zone, read_zone};

/// How far [`Calendar::next_open`] and [`Calendar::closes_at`] look, in days.
///
/// Clock changes come round within a year (Ramadan's, in Morocco, eleven days sooner each
/// year); the rest is margin. What does not happen within this time is taken never to happen.
pub const HORIZON_DAYS: i64 = 400;

/// When a lead may be called.
///
/// In data it is the string `"none"` or a list of windows:
///
/// ```
/// # use outdial_workflows::calendar::Calendar;
/// let product: Calendar = serde_json::from_str(
///     r#"[{"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "10:00", "to": "19:00"}]"#,
/// )?;
/// assert_eq!(product, Calendar::default());
/// let open: Calendar = serde_json::from_str(r#""none""#)?;
/// assert_eq!(open, Calendar::Open);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// No calendar, named `none` in data: open at all times.
    Open,
    /// Open inside weekly windows of local time.
    Weekly(WeeklyWindows),
}

/// A calendar at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Open now.
    Open {
        /// The first instant that is not; `None` if it never closes.
        closes_at: Option<Moment>,
    },
    /// Closed now.
    Closed {
        /// The first instant that is open; `None` if it never opens.
        opens_at: Option<Moment>,
    },
}

impl Default for Calendar {
    /// The product's hours: 10:00 to 19:00, Monday to Saturday.
    ///
    /// A cautious choice inside India's 10:00 to 21:00 for promotional calls (TCCCPR 2018).
    fn default() -> Self {
        Self::Weekly(WeeklyWindows::default())
    }
}

impl Calendar {
    /// Whether calls may be made at `at` in every one of `zones`.
    ///
    /// Without a zone nothing is open, except the open calendar: an unknown zone means *do
    /// not call*.
    pub fn is_open(&self, zones: &[Tz], at: Moment) -> bool {
        match self {
            Self::Open => true,
            Self::Weekly(windows) => search::is_open(windows, zones, at),
        }
    }

    /// The first instant at or after `at` that is open in every one of `zones`.
    ///
    /// `None` if there is none within [`HORIZON_DAYS`]: no zone is given, or the zones lie so
    /// far apart that their hours never meet.
    pub fn next_open(&self, zones: &[Tz], at: Moment) -> Option<Moment> {
        match self {
            Self::Open => Some(at),
            Self::Weekly(windows) => search::next_open(windows, zones, at),
        }
    }

    /// The first instant at or after `at` that is not open: the end of the open span that
    /// holds `at`, or `at` itself when that is closed.
    ///
    /// `None` if it never closes.
    pub fn closes_at(&self, zones: &[Tz], at: Moment) -> Option<Moment> {
        match self {
            Self::Open => None,
            Self::Weekly(windows) => search::closes_at(windows, zones, at),
        }
    }

    /// Whether `at` is open, and until when, or from when on.
    pub fn state(&self, zones: &[Tz], at: Moment) -> State {
        if self.is_open(zones, at) {
            State::Open { closes_at: self.closes_at(zones, at) }
        } else {
            State::Closed { opens_at: self.next_open(zones, at) }
        }
    }
}
