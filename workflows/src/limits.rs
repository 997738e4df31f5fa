//! How many calls may be made: the arithmetic, without the counting.

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::{day_begins, day_ends};
use crate::money::{Cost, Minor};

/// One limit. Carriers limit differently, so limits are a list, and all of them hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "limit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Limit {
    /// At most this many live attempts at once.
    Concurrent {
        /// Calls at once, at least 1.
        max: u32,
    },
    /// At most this many dial requests in any window of this length.
    Rate {
        /// Requests, at least 1.
        max: u32,
        /// The window's length in milliseconds, 100 to 3,600,000.
        per_ms: u32,
    },
    /// The least time between one dial request and the next: a rate of one, under the name that
    /// people know, and set apart from their other rates.
    Delay {
        /// Milliseconds, 100 to 3,600,000.
        ms: u32,
    },
    /// What calls may cost in a day, in the currency of the account.
    Spend {
        /// At most so much, in minor units (paise, cents), at least 1.
        per_day: Minor,
        /// What a call is taken to cost until its carrier has said, in the same units, at least 1. A day costs
        /// no more than `per_day` if no call costs more than this.
        per_call: Minor,
        /// By whose clock days are counted. Default UTC.
        #[serde(default)]
        zone: Tz,
    },
}

impl Limit {
    /// At most `max` calls a second.
    pub fn per_second(max: u32) -> Self {
        Self::Rate { max, per_ms: 1_000 }
    }

    /// Whether it can be kept at all.
    ///
    /// # Errors
    /// Says what is out of bounds.
    pub fn check(&self) -> Result<(), String> {
        let (max, per_ms) = match *self {
            Self::Concurrent { max } => (max, 1_000),
            Self::Rate { max, per_ms } => (max, per_ms),
            Self::Delay { ms } => (1, ms),
            Self::Spend { per_day, per_call, .. } if per_call == Minor(0) || per_day < per_call => {
                return Err(format!(
                    "{per_day} a day would never pay for a call that is taken to cost {per_call}; give what a \
                     call costs at most, and at least as much a day"
                ));
            }
            Self::Spend { .. } => return Ok(()),
        };
        if max == 0 {
            return Err(
                "a limit of 0 would never dial; pause the campaign instead, or give at least 1".into()
            );
        }
        if !(100..=3_600_000).contains(&per_ms) {
            return Err(format!("a window of {per_ms} ms is out of bounds; give 100 to 3600000"));
        }
        Ok(())
    }

    /// As so many requests in any window of that length; `None` for what is no rate.
    pub fn rate(&self) -> Option<(u32, TimeDelta)> {
        match *self {
            Self::Concurrent { .. } | Self::Spend { .. } => None,
            Self::Rate { max, per_ms } => Some((max, TimeDelta::milliseconds(per_ms.into()))),
            Self::Delay { ms } => Some((1, TimeDelta::milliseconds(ms.into()))),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |ms: u32| match ms {
            60_000 => "minute".to_owned(),
            1_000 => "second".to_owned(),
            ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
            ms => format!("{ms} ms"),
        };
        let calls = |max| if max == 1 { "1 call".to_owned() } else { format!("{max} calls") };
        match *self {
            Self::Concurrent { max } => write!(f, "at most {} at once", calls(max)),
            Self::Rate { max, per_ms } => write!(f, "at most {} in any {}", calls(max), time(per_ms)),
            Self::Delay { ms } => write!(f, "one call after another, {ms} ms apart"),
            Self::Spend { per_day, per_call, zone } => {
                write!(f, "at most {per_day} a day by the clock of {zone}, a call taken to cost {per_call}")
            }
        }
    }
}

/// What the limits of several come to, of which one is picked for each call: what they allow
/// together, as far as each of them is bounded. For forecasts; admission counts each by itself.
pub fn pooled(each: &[Vec<Limit>]) -> Vec<Limit> {
    let at_once = |limits: &Vec<Limit>| {
        let bounds = limits.iter().filter_map(|limit| match limit {
            Limit::Concurrent { max } => Some(*max),
            Limit::Rate { .. } | Limit::Delay { .. } | Limit::Spend { .. } => None,
        });
        bounds.min()
    };
    let per = |limits: &Vec<Limit>, window: TimeDelta| {
        let rates = limits.iter().filter_map(Limit::rate).filter(|(_, its)| *its == window);
        rates.map(|(max, _)| max).min()
    };
    let sum = |bounds: Option<Vec<u32>>| {
        bounds
            .filter(|bounds| !bounds.is_empty())
            .map(|bounds| bounds.into_iter().fold(0, u32::saturating_add))
    };
    let mut together = Vec::new();
    together.extend(sum(each.iter().map(at_once).collect()).map(|max| Limit::Concurrent { max }));
    let windows: std::collections::BTreeSet<TimeDelta> =
        each.iter().flatten().filter_map(|limit| limit.rate().map(|(_, window)| window)).collect();
    for window in windows {
        let max = sum(each.iter().map(|limits| per(limits, window)).collect());
        let per_ms = u32::try_from(window.num_milliseconds()).unwrap_or(u32::MAX);
        together.extend(max.map(|max| Limit::Rate { max, per_ms }));
    }
    together
}

/// What is used of an account or a campaign, as read under its lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live attempts.
    pub live: u32,
    /// Attempts that a rate must count whenever it looks: reserved, or submitted without a result.
    pub pending: u32,
    /// For those with a result: when the carrier had certainly seen the request,
    /// newest first.
    pub seen: Vec<Moment>,
    /// What was spent, in any order; from the beginning of the day on at least.
    pub spent: Vec<Spent>,
}

/// What the attempts cost that were reserved within a [`Spent::SPAN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// When it began.
    pub since: Moment,
    /// Attempts that may cost something, of which no cost is known.
    pub open: u32,
    /// What the others cost.
    pub cost: Cost,
}

impl Spent {
    /// A quarter of an hour: days begin with one in every zone there is.
    pub const SPAN: TimeDelta = TimeDelta::minutes(15);

    /// The beginning of the span that holds `at`.
    pub fn span_of(at: Moment) -> Moment {
        let span = Self::SPAN.num_seconds();
        Moment::from_timestamp(at.timestamp() - at.timestamp().rem_euclid(span), 0).unwrap_or(at)
    }
}

impl Usage {
    /// What several use together.
    pub fn together<'a>(each: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut whole = Self::default();
        for used in each {
            whole.live += used.live;
            whole.pending += used.pending;
            whole.seen.extend(&used.seen);
            whole.spent.extend(&used.spent);
        }
        whole.seen.sort_unstable_by(|a, b| b.cmp(a));
        whole
    }
}

/// Since when requests must be known for these limits; `None` if none of them is a rate.
pub fn look_back<'a>(limits: impl IntoIterator<Item = &'a Limit>, now: Moment) -> Option<Moment> {
    let windows = limits.into_iter().filter_map(|limit| limit.rate().map(|(_, window)| window));
    windows.max().map(|window| now - window)
}

/// Since when spending must be known for these limits; `None` if none of them bounds it.
pub fn spent_since<'a>(limits: impl IntoIterator<Item = &'a Limit>, now: Moment) -> Option<Moment> {
    let days = limits.into_iter().filter_map(|limit| match limit {
        Limit::Spend { zone, .. } => Some(day_begins(*zone, now)),
        Limit::Concurrent { .. } | Limit::Rate { .. } | Limit::Delay { .. } => None,
    });
    days.min()
}

/// What a set of limits leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many more attempts may be reserved now.
    pub free: u32,
    /// When what binds leaves room again by itself, unless an attempt ends or a cost becomes known first, and
    /// what that is. `None` if nothing binds, or nothing that passes with time.
    pub again: Option<(Moment, Bound)>,
}

/// What binds until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// A rate of calls.
    Rate,
    /// What may be spent in a day.
    Money,
    /// A rest, after calls that were turned down.
    Rest,
}

impl Room {
    /// Nothing binds.
    pub const ENDLESS: Self = Self { free: u32::MAX, again: None };

    /// When it leaves room again by itself.
    pub fn again_at(&self) -> Option<Moment> {
        self.again.map(|(at, _)| at)
    }

    /// What several leave of which one is picked: any number of attempts if there are none.
    pub fn of_any(rooms: impl IntoIterator<Item = Self>) -> Self {
        let add = |a: Self, b: Self| Self {
            free: a.free.saturating_add(b.free),
            again: [a.again, b.again].into_iter().flatten().min(),
        };
        rooms.into_iter().reduce(add).unwrap_or(Self::ENDLESS)
    }
}

/// What `limits` leave of `usage` at `now`.
///
/// A rate counts a request from its reservation until its window has passed since
/// the carrier answered. The carrier saw it somewhere between submission and
/// answer, so whatever window of that length the carrier looks at, it never holds
/// more than `max`.
pub fn room(limits: &[Limit], usage: &Usage, now: Moment) -> Room {
    let mut room = Room::ENDLESS;
    for limit in limits {
        match *limit {
            Limit::Concurrent { max } => room.free = room.free.min(max.saturating_sub(usage.live)),
            Limit::Spend { per_day, per_call, zone } => {
                let free = affordable(usage, per_day, per_call, day_begins(zone, now));
                if free == 0 {
                    room.again = room.again.max(Some((day_ends(zone, now), Bound::Money)));
                }
                room.free = room.free.min(free);
            }
            Limit::Rate { .. } | Limit::Delay { .. } => {}
        }
        let Some((max, window)) = limit.rate() else { continue };
        let recent = usage.seen.iter().take_while(|at| **at + window > now);
        let recent = u32::try_from(recent.count()).unwrap_or(u32::MAX);
        let free = max.saturating_sub(usage.pending.saturating_add(recent));
        if free == 0 {
            let rate = frees_at(usage, max, window).map(|at| (at, Bound::Rate));
            room.again = room.again.max(rate);
        }
        room.free = room.free.min(free);
    }
    room
}

/// How many more calls the rest of the day's money pays for.
fn affordable(usage: &Usage, per_day: Minor, per_call: Minor, day_began: Moment) -> u32 {
    let per_call = Cost::from(per_call);
    let today = usage.spent.iter().filter(|spent| spent.since >= day_began);
    let spent = today.fold(Cost::default(), |sum, spent| sum + spent.cost + per_call * spent.open);
    let left = Cost::from(per_day).micros.saturating_sub(spent.micros).max(0);
    u32::try_from(left / per_call.micros.max(1)).unwrap_or(u32::MAX)
}

/// When the oldest request that fills the window leaves it.
fn frees_at(usage: &Usage, max: u32, window: TimeDelta) -> Option<Moment> {
    let slots = usize::try_from(max.checked_sub(usage.pending)?).ok()?;
    usage.seen.get(slots.checked_sub(1)?).map(|at| *at + window)
}

/// Status reads of an account in the present window, so that asking leaves the
/// carrier's budget to dialling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// When the window began; `None` if nothing was ever read.
    pub since: Option<Moment>,
    /// Reads made in it.
    pub made: u32,
    /// Reads set aside in it, for questions under way. What a crash leaves set aside counts until
    /// the window is over.
    pub held: u32,
}

/// A question takes about so long; then the reads that it did not need are free again.
const QUESTION: TimeDelta = TimeDelta::seconds(1);

impl Reads {
    /// Sets aside `reads` of `max` a `window` for a question; the whole window for one that may need
    /// more than that.
    ///
    /// # Errors
    /// If there are not that many left: when to try again.
    pub fn hold(self, reads: u32, max: u32, window: TimeDelta, now: Moment) -> Result<Self, Moment> {
        let reads = reads.min(max);
        let Some(since) = self.since.filter(|since| now < *since + window) else {
            return Ok(Self { since: Some(now), made: 0, held: reads });
        };
        let with_these = self.made.saturating_add(reads);
        if with_these > max {
            return Err(since + window);
        }
        if with_these.saturating_add(self.held) > max {
            return Err((now + QUESTION).min(since + window));
        }
        Ok(Self { held: self.held + reads, ..self })
    }

    /// A question for which `reads` were set aside in the window that began at `since` made `made`.
    #[must_use]
    pub fn settle(self, since: Option<Moment>, reads: u32, made: u32) -> Self {
        if self.since != since {
            return self;
        }
        Self { made: self.made.saturating_add(made), held: self.held.saturating_sub(reads), ..self }
    }
}

/// How many reservations may wait for their dial jobs at once: twice what was
/// submitted in the last second, and at least 32, so that a burst finds its feet
/// and a stalled worker does not hold slots that nobody will use.
pub fn reservations_allowed(submitted_last_second: u32) -> u32 {
    submitted_last_second.saturating_mul(2).max(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Moment {
        Moment::from_timestamp_millis(1_700_000_000_000 + ms).expect("in range")
    }

    #[test]
    fn concurrency_leaves_what_is_not_live() {
        let usage = |live| Usage { live, ..Usage::default() };
        let limits = [Limit::Concurrent { max: 10 }, Limit::Concurrent { max: 4 }];
        assert_eq!(room(&limits, &usage(1), at(0)).free, 3);
        assert_eq!(room(&limits, &usage(9), at(0)).free, 0);
        assert_eq!(room(&[], &usage(9), at(0)).free, u32::MAX);
    }

    #[test]
    fn a_rate_counts_what_is_pending_and_what_the_window_still_holds() {
        let usage = Usage { pending: 1, seen: vec![at(-100), at(-900), at(-1_000)], ..Usage::default() };
        let rate = |max| [Limit::per_second(max)];
        assert_eq!(room(&rate(5), &usage, at(0)), Room { free: 2, again: None });
        assert_eq!(room(&rate(3), &usage, at(0)), Room { free: 0, again: Some((at(100), Bound::Rate)) });
        assert_eq!(room(&rate(2), &usage, at(0)), Room { free: 0, again: Some((at(900), Bound::Rate)) });
    }

    #[test]
    fn a_delay_lets_one_through_and_the_next_only_after_it() {
        let delay = [Limit::Delay { ms: 2_000 }];
        let usage = |pending, seen| Usage { pending, seen, ..Usage::default() };
        assert_eq!(room(&delay, &usage(0, vec![]), at(0)).free, 1);
        assert_eq!(room(&delay, &usage(1, vec![]), at(0)).free, 0);
        let after = usage(0, vec![at(-500)]);
        assert_eq!(room(&delay, &after, at(0)), Room { free: 0, again: Some((at(1_500), Bound::Rate)) });
        assert_eq!(room(&delay, &after, at(1_500)).free, 1);
    }

    #[test]
    fn a_days_money_pays_for_calls_at_what_they_are_taken_to_cost_until_that_is_known() {
        let now: Moment = "2026-01-14T12:00:00Z".parse().expect("a time");
        let zone = chrono_tz::Asia::Kolkata;
        let spend = [Limit::Spend { per_day: Minor(1_000), per_call: Minor(300), zone }];
        let spent = |since: &str, open, micros| Spent {
            since: since.parse().expect("a time"),
            open,
            cost: Cost { micros },
        };
        let left = |spent| room(&spend, &Usage { spent, ..Usage::default() }, now);
        assert_eq!(left(vec![]), Room { free: 3, again: None });
        assert_eq!(left(vec![spent("2026-01-14T11:45:00Z", 1, 0)]).free, 2);
        // It cost 1.00 and not 3.00.
        assert_eq!(left(vec![spent("2026-01-14T11:45:00Z", 0, 1_000_000)]).free, 3);
        let tomorrow = "2026-01-14T18:30:00Z".parse().expect("a time");
        let all = vec![spent("2026-01-13T18:30:00Z", 1, 0), spent("2026-01-14T11:45:00Z", 1, 1_500_000)];
        assert_eq!(left(all), Room { free: 0, again: Some((tomorrow, Bound::Money)) });
        let yesterday = vec![spent("2026-01-13T18:15:00Z", 9, 9_000_000)];
        assert_eq!(left(yesterday).free, 3, "another day by their clock");
        assert_eq!(spent_since(&spend, now), "2026-01-13T18:30:00Z".parse().ok());
        assert_eq!(Spent::span_of("2026-01-14T12:29:59.9Z".parse().expect("a time")), now + Spent::SPAN);
    }

    #[test]
    fn a_rate_filled_by_pending_requests_names_no_time() {
        let usage = Usage { live: 3, pending: 3, ..Usage::default() };
        assert_eq!(room(&[Limit::per_second(3)], &usage, at(0)), Room { free: 0, again: None });
    }

    #[test]
    fn reads_beyond_the_share_wait_for_the_next_window() {
        let minute = TimeDelta::minutes(1);
        let hold = |reads: Reads, n, ms| reads.hold(n, 3, minute, at(ms));
        let two = hold(Reads::default(), 2, 0).expect("free").settle(Some(at(0)), 2, 2);
        assert_eq!(two, Reads { since: Some(at(0)), made: 2, held: 0 });
        assert_eq!(hold(two, 1, 10), Ok(Reads { held: 1, ..two }));
        assert_eq!(hold(two, 2, 10), Err(at(60_000)));
        assert_eq!(hold(two, 2, 60_000), Ok(Reads { since: Some(at(60_000)), made: 0, held: 2 }));
        assert_eq!(hold(Reads::default(), 14, 0), Ok(Reads { since: Some(at(0)), made: 0, held: 3 }));
    }

    #[test]
    fn reads_that_a_question_did_not_need_are_free_again_within_their_window() {
        let minute = TimeDelta::minutes(1);
        let asking = Reads::default().hold(14, 20, minute, at(0)).expect("free");
        assert_eq!(asking.hold(14, 20, minute, at(10)), Err(at(1_010)));
        assert_eq!(asking.hold(14, 20, minute, at(59_900)), Err(at(60_000)));
        let asked = asking.settle(Some(at(0)), 14, 2);
        assert_eq!(
            asked.hold(14, 20, minute, at(1_010)),
            Ok(Reads { since: Some(at(0)), made: 2, held: 14 })
        );
        let later = asking.hold(2, 20, minute, at(60_000)).expect("a new window");
        assert_eq!(later.settle(Some(at(0)), 14, 14), later);
    }

    #[test]
    fn numbers_of_a_pool_allow_together_what_each_allows() {
        let pooled =
            |each: &[&[Limit]]| pooled(&each.iter().map(|limits| limits.to_vec()).collect::<Vec<_>>());
        let two = Limit::Concurrent { max: 2 };
        assert_eq!(pooled(&[&[two], &[two, Limit::Concurrent { max: 1 }]]), [Limit::Concurrent { max: 3 }]);
        assert_eq!(pooled(&[&[two], &[]]), [], "one of them is not bounded");
        assert_eq!(pooled(&[]), []);
        let rates = pooled(&[&[Limit::per_second(1)], &[Limit::Delay { ms: 1_000 }, Limit::per_second(5)]]);
        assert_eq!(rates, [Limit::per_second(2)]);
        assert_eq!(pooled(&[&[Limit::per_second(1)], &[Limit::Delay { ms: 2_000 }]]), []);
    }

    #[test]
    fn a_limit_that_would_never_dial_is_refused() {
        assert!(Limit::Concurrent { max: 0 }.check().is_err());
        assert!(Limit::Rate { max: 1, per_ms: 1 }.check().is_err());
        assert!(Limit::Delay { ms: 10 }.check().is_err());
        let spend = |per_day, per_call| {
            let (per_day, per_call) = (Minor(per_day), Minor(per_call));
            Limit::Spend { per_day, per_call, zone: Tz::UTC }.check()
        };
        assert!(spend(100, 101).is_err() && spend(0, 0).is_err() && spend(100, 100).is_ok());
        assert!(Limit::per_second(1).check().is_ok());
    }
}
