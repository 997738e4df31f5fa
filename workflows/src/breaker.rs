//! A breaker keeps an account, or one of its numbers, from dialling while the carrier turns everything
//! down: it opens after so many failures in a row, lets one call through once it has rested, and closes
//! when a call is taken.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::call::{DialReply, RefusalKind};

/// What the carrier's answer to a dial request says about the way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The request was taken, or turned down for the person's number: the way is open.
    Works,
    /// The request was turned down for what it asks, such as the number it calls from.
    TurnedDown,
    /// The carrier was not reached, or its answer says neither yes nor no.
    Unreachable,
}

impl Heard {
    /// What `reply` says; `None` for what has a remedy of its own (a carrier that asks for a pause, an
    /// account that may not dial), and for what is our own doing.
    pub fn of(reply: &DialReply) -> Option<Self> {
        match reply {
            DialReply::Bound { .. } => Some(Self::Works),
            DialReply::Unknown { .. } => Some(Self::Unreachable),
            DialReply::Refused(refusal) => match refusal.kind {
                RefusalKind::InvalidNumber | RefusalKind::Barred => Some(Self::Works),
                RefusalKind::Rejected | RefusalKind::Misconfigured => Some(Self::TurnedDown),
                RefusalKind::NotSent => Some(Self::Unreachable),
                RefusalKind::TooLate | RefusalKind::Throttled { .. } | RefusalKind::AccountUnusable => None,
            },
        }
    }
}

/// What a breaker guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// All of an account's dialling.
    Account,
    /// Dialling from one of its numbers. Being unreachable is not the number's fault.
    Number,
}

impl Guarded {
    /// So many failures in a row open it. A number's opens first, so that the account's other numbers
    /// go on where only one is wrong.
    pub fn in_a_row(self) -> u16 {
        match self {
            Self::Account => 10,
            Self::Number => 5,
        }
    }

    fn fails(self, heard: Heard) -> bool {
        match heard {
            Heard::Works => false,
            Heard::TurnedDown => true,
            Heard::Unreachable => self == Self::Account,
        }
    }
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Failures in a row.
    pub failing: u16,
    /// How often in a row it has opened; 0 while it is closed.
    pub trips: u16,
    /// Until when whatever it guards rests, by the breaker or because the carrier asked for it.
    pub resting_until: Option<Moment>,
}

impl Breaker {
    /// The first rest. It doubles each time that the one call let through after a rest fails.
    pub const FIRST_REST: TimeDelta = TimeDelta::seconds(30);
    /// The longest rest.
    pub const LONGEST_REST: TimeDelta = TimeDelta::minutes(10);

    /// Whether `heard` may change it: a look that spares most answers the lock.
    pub fn may_change(&self, guarded: Guarded, heard: Heard) -> bool {
        guarded.fails(heard) || (heard == Heard::Works && (self.failing > 0 || self.trips > 0))
    }

    /// Takes an answer in. Tells whether this opened it.
    pub fn hear(&mut self, guarded: Guarded, heard: Heard, now: Moment) -> bool {
        if heard == Heard::Works {
            // A pause that is not over stands: the carrier may have asked for it.
            self.resting_until = self.resting_until.filter(|until| *until > now);
            (self.failing, self.trips) = (0, 0);
            return false;
        }
        if !guarded.fails(heard) {
            return false;
        }
        self.failing = self.failing.saturating_add(1).min(1_000);
        let rests = self.resting_until.is_some_and(|until| until > now);
        let opens = match self.trips {
            // Answers to requests from before it opened say nothing new.
            _ if rests => false,
            0 => self.failing >= guarded.in_a_row(),
            _ => true,
        };
        if opens {
            let pause = Self::FIRST_REST.checked_mul(1 << self.trips.min(16)).unwrap_or(Self::LONGEST_REST);
            self.resting_until = Some(now + pause.min(Self::LONGEST_REST));
            self.trips = self.trips.saturating_add(1).min(1_000);
        }
        opens
    }

    /// How many more attempts may be reserved at `now`, `pending` of them being without an answer: none
    /// while it rests, one at a time until a call is taken again, else any number.
    pub fn lets_through(&self, pending: u32, now: Moment) -> u32 {
        match (self.resting_until, self.trips) {
            (Some(until), _) if until > now => 0,
            (_, 0) => u32::MAX,
            _ => 1_u32.saturating_sub(pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Moment {
        Moment::from_timestamp(1_800_000_000 + s, 0).expect("in range")
    }

    fn failed(breaker: &mut Breaker, guarded: Guarded, times: u16, s: i64) -> u16 {
        (0..times).map(|_| u16::from(breaker.hear(guarded, Heard::TurnedDown, at(s)))).sum()
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_once() {
        for guarded in [Guarded::Account, Guarded::Number] {
            let mut breaker = Breaker::default();
            assert_eq!(failed(&mut breaker, guarded, guarded.in_a_row() - 1, 0), 0);
            assert_eq!(breaker.lets_through(40, at(0)), u32::MAX);
            assert_eq!(failed(&mut breaker, guarded, 5, 0), 1, "those already sent change nothing");
            assert_eq!(breaker.resting_until, Some(at(30)));
            assert_eq!(breaker.lets_through(0, at(29)), 0);
        }
    }

    #[test]
    fn a_call_that_is_taken_begins_the_count_anew() {
        let mut breaker = Breaker::default();
        failed(&mut breaker, Guarded::Account, 9, 0);
        assert!(!breaker.hear(Guarded::Account, Heard::Works, at(0)));
        assert_eq!(breaker, Breaker::default());
        assert_eq!(failed(&mut breaker, Guarded::Account, 9, 0), 0);
    }

    #[test]
    fn after_its_rest_one_call_tries_the_way_and_longer_rests_follow_its_failure() {
        let mut breaker = Breaker::default();
        failed(&mut breaker, Guarded::Number, 5, 0);
        assert_eq!(breaker.lets_through(0, at(30)), 1);
        assert_eq!(breaker.lets_through(1, at(30)), 0);
        let mut rests = vec![];
        let mut now = 30;
        for _ in 0..6 {
            assert_eq!(failed(&mut breaker, Guarded::Number, 1, now), 1);
            let until = breaker.resting_until.expect("rests");
            rests.push((until - at(now)).num_seconds());
            now = (until - at(0)).num_seconds();
        }
        assert_eq!(rests, [60, 120, 240, 480, 600, 600]);
        breaker.hear(Guarded::Number, Heard::Works, at(now));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_carrier_out_of_reach_is_not_the_numbers_fault() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            assert!(!breaker.may_change(Guarded::Number, Heard::Unreachable));
            assert!(!breaker.hear(Guarded::Number, Heard::Unreachable, at(0)));
        }
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_pause_that_the_carrier_asked_for_outlives_a_call_that_is_taken() {
        for trips in [0, 1] {
            let mut breaker = Breaker { resting_until: Some(at(60)), failing: 2, trips };
            breaker.hear(Guarded::Account, Heard::Works, at(0));
            assert_eq!(breaker, Breaker { resting_until: Some(at(60)), failing: 0, trips: 0 });
            assert_eq!(breaker.lets_through(0, at(59)), 0);
        }
    }

    #[test]
    fn what_is_the_persons_own_or_ours_or_has_its_own_remedy_opens_nothing() {
        use crate::call::{CallId, Refusal};
        let refused = |kind| DialReply::Refused(Refusal { kind, cause: String::new() });
        for (reply, heard) in [
            (DialReply::Bound { call_id: CallId("c1".into()) }, Some(Heard::Works)),
            (refused(RefusalKind::InvalidNumber), Some(Heard::Works)),
            (refused(RefusalKind::Barred), Some(Heard::Works)),
            (refused(RefusalKind::Rejected), Some(Heard::TurnedDown)),
            (refused(RefusalKind::NotSent), Some(Heard::Unreachable)),
            (DialReply::Unknown { cause: String::new() }, Some(Heard::Unreachable)),
            (refused(RefusalKind::TooLate), None),
            (refused(RefusalKind::AccountUnusable), None),
            (refused(RefusalKind::Throttled { retry_after_ms: None }), None),
        ] {
            assert_eq!(Heard::of(&reply), heard, "{reply:?}");
        }
    }
}
