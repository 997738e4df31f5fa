//! Calling hours: when the people of one lane may be called.
//!
//! They are what is left of the campaign's calendar inside the hours of every pack that may
//! concern the person, by the clock of every zone the person may be in, without holidays. A
//! holiday lasts as long as the calendar on the wall of any of these zones shows it.
//!
//! The law is the calendar's: **an instant is open when every one of those clocks shows a time
//! inside the windows, on a day that is no holiday.** All leads with the same whereabouts and
//! the same revision of a campaign share one answer, as long as [`edition`](crate::packs::edition)
//! stays the same; a lane stores it, and the gate computes it in the same way for one lead.

use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::{Calendar, HORIZON_DAYS, day_ends};
use crate::packs::{Holidays, LAST_DAY, Law};
use crate::places::Whereabouts;
use crate::rules::{OwnHoliday, Rules};
use crate::why::Why;

/// When the people of a lane may be called.
#[derive(Clone, Debug)]
pub struct CallingHours {
    zones: Vec<Tz>,
    /// `None` if campaign and packs have no hour in common.
    windows: Option<Calendar>,
    public: Holidays,
    own: Vec<OwnHoliday>,
}

/// Where the calling hours of a lane stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LaneState {
    /// Open now.
    Open {
        /// The first instant that is not; `None` if they never close.
        closes_at: Option<Moment>,
    },
    /// Closed now.
    Closed {
        /// The first instant that is open.
        opens_at: Moment,
        /// Why it is not now.
        why: Why,
    },
    /// Closed until somebody mends it.
    Held {
        /// What.
        why: Why,
    },
}

/// Where the calling hours of a lane stand at `now`: those of a campaign's rules for leads who
/// may be at `place`. It holds until the time it names, and as long as the rules' revision
/// and [`edition`](crate::packs::edition) do.
///
/// The open calendar is always open here; whether an account may use it the gate decides.
pub fn lane_state(rules: &Rules, place: &Whereabouts, now: Moment) -> LaneState {
    if rules.calendar == Calendar::Open {
        return LaneState::Open { closes_at: None };
    }
    let law = Law::of(place.areas(), rules.purpose, rules.voice);
    match law.and_then(|law| CallingHours::new(rules, &law, place)) {
        Ok(hours) => hours.state(now),
        Err(why) => LaneState::Held { why },
    }
}

/// When admission looks at the leads of a lane: while its hours are open, not before the campaign
/// begins, and in any case once its time is over, for the gate then ends them. It holds as long as
/// [`lane_state`] does.
pub fn lane_visits(rules: &Rules, place: &Whereabouts, now: Moment) -> LaneState {
    if rules.ends_at.is_some_and(|ends_at| ends_at <= now) {
        return LaneState::Open { closes_at: None };
    }
    let state = match rules.starts_at.filter(|starts_at| *starts_at > now) {
        Some(starts_at) => begins(starts_at, lane_state(rules, place, starts_at)),
        None => lane_state(rules, place, now),
    };
    match (state, rules.ends_at) {
        (LaneState::Closed { opens_at, why }, Some(ends_at)) => {
            LaneState::Closed { opens_at: opens_at.min(ends_at), why }
        }
        (LaneState::Held { why }, Some(ends_at)) => LaneState::Closed { opens_at: ends_at, why },
        (state, _) => state,
    }
}

/// A lane before its campaign begins; `then` is where it stands when that happens.
fn begins(starts_at: Moment, then: LaneState) -> LaneState {
    let why = Why::NotStarted { starts_at };
    match then {
        LaneState::Open { .. } => LaneState::Closed { opens_at: starts_at, why },
        LaneState::Closed { opens_at, .. } => LaneState::Closed { opens_at, why },
        LaneState::Held { why } => LaneState::Held { why },
    }
}

/// Why a day is closed.
enum Closed {
    Holiday,
    /// The table of holidays does not reach it.
    NotKnown,
}

impl CallingHours {
    /// What `rules` and `law` leave for somebody who may be at `place`.
    ///
    /// # Errors
    /// If the hours cannot be told: no zone is known, or a country's holidays are not.
    pub fn new(rules: &Rules, law: &Law, place: &Whereabouts) -> Result<Self, Why> {
        if place.zones().is_empty() {
            return Err(Why::NoZone);
        }
        let windows = match &rules.calendar {
            Calendar::Open => law.hours.clone(),
            Calendar::Weekly(campaign) => law.hours.as_ref().and_then(|law| law.intersect(campaign)),
        };
        let mut public = Holidays::default();
        for area in &law.holidays_of {
            public.add(Holidays::possible_in(*area).ok_or(Why::NoHolidays { country: area.country() })?);
        }
        if rules.holidays.contains(&OwnHoliday::Public) {
            for area in place.areas() {
                public.add(Holidays::certain_in(*area).ok_or(Why::NoHolidays { country: area.country() })?);
            }
        }
        let own = rules.holidays.iter().copied().filter(|day| *day != OwnHoliday::Public).collect();
        Ok(Self { zones: place.zones().to_vec(), windows: windows.map(Calendar::Weekly), public, own })
    }

    /// Whether calls may be made at `at`.
    pub fn is_open(&self, at: Moment) -> bool {
        let in_windows = self.windows.as_ref().is_some_and(|windows| windows.is_open(&self.zones, at));
        in_windows && self.zones.iter().all(|zone| self.closed(*zone, at).is_none())
    }

    /// The first instant at or after `at` that is open.
    ///
    /// # Errors
    /// If there is none within [`HORIZON_DAYS`], or none before the days of which holidays
    /// are not known.
    pub fn next_open(&self, at: Moment) -> Result<Moment, Why> {
        let horizon = at.checked_add_signed(TimeDelta::days(HORIZON_DAYS)).unwrap_or(Moment::MAX_UTC);
        let mut from = at;
        while from <= horizon {
            let windows = self.windows.as_ref().ok_or(Why::NeverOpens)?;
            let open = windows.next_open(&self.zones, from).ok_or(Why::NeverOpens)?;
            let mut closed_until = None;
            for zone in &self.zones {
                match self.closed(*zone, open) {
                    None => {}
                    Some(Closed::Holiday) => closed_until = closed_until.max(Some(day_ends(*zone, open))),
                    Some(Closed::NotKnown) => return Err(Why::HolidaysNotKnown { after: *LAST_DAY }),
                }
            }
            match closed_until {
                Some(until) => from = until,
                None if open <= horizon => return Ok(open),
                None => break,
            }
        }
        Err(Why::NeverOpens)
    }

    /// The first instant at or after `at` that is not open; `None` if it never closes.
    pub fn closes_at(&self, at: Moment) -> Option<Moment> {
        if !self.is_open(at) {
            return Some(at);
        }
        let by_windows = self.windows.as_ref()?.closes_at(&self.zones, at);
        let horizon = at.checked_add_signed(TimeDelta::days(HORIZON_DAYS)).unwrap_or(Moment::MAX_UTC);
        let until = by_windows.unwrap_or(horizon);
        let by_holidays = self.zones.iter().filter_map(|zone| {
            let mut day = day_ends(*zone, at);
            while day < until {
                if self.closed(*zone, day).is_some() {
                    return Some(day);
                }
                day = day_ends(*zone, day);
            }
            None
        });
        by_holidays.chain(by_windows).min()
    }

    /// Where they stand at `at`, and until when: what a lane stores.
    pub fn state(&self, at: Moment) -> LaneState {
        match self.next_open(at) {
            Err(why) => LaneState::Held { why },
            Ok(opens_at) if opens_at <= at => LaneState::Open { closes_at: self.closes_at(at) },
            Ok(opens_at) => LaneState::Closed { opens_at, why: self.why_closed(at, opens_at) },
        }
    }

    fn why_closed(&self, at: Moment, opens_at: Moment) -> Why {
        let holiday = self.zones.iter().find(|zone| self.closed(**zone, at).is_some());
        if let Some(zone) = holiday {
            return Why::Holiday { zone: *zone, opens_at };
        }
        let shut = |zone: &Tz| self.windows.as_ref().is_none_or(|its| !its.is_open(&[*zone], at));
        let zone = self.zones.iter().find(|zone| shut(zone)).or(self.zones.first());
        Why::WindowClosed { zone: zone.copied().unwrap_or(Tz::UTC), opens_at }
    }

    fn closed(&self, zone: Tz, at: Moment) -> Option<Closed> {
        if self.public.is_empty() && self.own.is_empty() {
            return None;
        }
        let day = at.with_timezone(&zone).date_naive();
        if self.public.contains(day) || self.own.iter().any(|own| own.is_on(day)) {
            return Some(Closed::Holiday);
        }
        (!self.public.is_empty() && !Holidays::covers(day)).then_some(Closed::NotKnown)
    }
}

impl OwnHoliday {
    /// Whether it falls on the day. Public ones are another table's matter.
    pub fn is_on(self, day: NaiveDate) -> bool {
        match self {
            Self::Public => false,
            Self::On(date) => date == day,
            Self::Yearly { month, day: of_month } => (month, of_month) == (day.month(), day.day()),
        }
    }
}
