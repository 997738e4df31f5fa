//! When an event that a subscriber did not take is sent again, and when enough is enough.

use chrono::TimeDelta;

use crate::Moment;

/// The pauses before an event is sent again, in seconds: together 27 h 35 min 5 s. The schedule that the
/// Standard Webhooks specification gives as an example.
const PAUSES_S: [i64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// How often an event is sent before it counts as failed.
pub const TRIES: u16 = 8;

/// A subscriber that took nothing for so long is disabled.
pub const DISABLED_AFTER: TimeDelta = TimeDelta::hours(24);

/// From this many failures in a row on a subscriber rests between sendings.
const RESTS_FROM: u32 = 5;
/// Its first rest, which doubles with each further failure.
const REST: TimeDelta = TimeDelta::seconds(5);
/// The longest rest: once a subscriber is back, nothing waits longer.
const LONGEST_REST: TimeDelta = TimeDelta::minutes(5);
/// The longest rest that a subscriber may ask for by `Retry-After`.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(1);

/// How long an event waits that met a subscriber which says that it is gone, and is disabled for it.
const AFTER_GONE: TimeDelta = TimeDelta::hours(1);

/// What becomes of an event that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// It is sent again, at this time.
    Again(Moment),
    /// It was sent often enough.
    Failed,
}

/// What becomes of an event that was sent `tries` times, and answered so. `chance` spreads those that failed
/// together over a tenth of the pause.
pub fn next(response: &Response, tries: u16, now: Moment, chance: u64) -> Next {
    match response {
        Response::Took => Next::Delivered,
        Response::Gone => Next::Again(now + AFTER_GONE),
        Response::Failed { .. } => again(tries, now, chance).map_or(Next::Failed, Next::Again),
    }
}

/// When an event is sent again that was sent `tries` times; `None` if that was the last.
fn again(tries: u16, now: Moment, chance: u64) -> Option<Moment> {
    let pause = *PAUSES_S.get(usize::from(tries.max(1)) - 1)?;
    let spread = i64::try_from(chance % 101).unwrap_or(0) * pause;
    Some(now + TimeDelta::seconds(pause) + TimeDelta::milliseconds(spread))
}

/// How a subscriber has been answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Failures since it last took an event.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Moment>,
    /// Until when nothing is sent to it.
    pub resting_until: Option<Moment>,
}

/// What a subscriber did with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// It took it.
    Took,
    /// It did not, or cannot be reached.
    Failed {
        /// How long it asks to be left alone.
        retry_after: Option<TimeDelta>,
    },
    /// It says that it will never take one again (410).
    Gone,
}

impl Health {
    /// Takes an answer in. Tells why the subscriber is to be disabled, if it is.
    pub fn hear(&mut self, response: &Response, now: Moment) -> Option<String> {
        let retry_after = match response {
            Response::Took => {
                *self = Self::default();
                return None;
            }
            Response::Gone => return Some("it answers that it is gone (410)".into()),
            Response::Failed { retry_after } => *retry_after,
        };
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        if now - since >= DISABLED_AFTER {
            return Some(format!("it took nothing for {} hours", DISABLED_AFTER.num_hours()));
        }
        let doublings = self.failures.saturating_sub(RESTS_FROM).min(16);
        let rest = (self.failures >= RESTS_FROM).then(|| (REST * (1 << doublings)).min(LONGEST_REST));
        let asked = retry_after.map(|asked| asked.clamp(TimeDelta::zero(), LONGEST_ASKED));
        self.resting_until = rest.max(asked).map(|rest| now + rest);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Moment {
        "2026-01-12T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn an_event_is_sent_for_more_than_a_day() {
        let mut at = noon();
        let mut tries = 1;
        while let Some(next) = again(tries, at, 0) {
            (at, tries) = (next, tries + 1);
        }
        assert_eq!(tries, TRIES);
        assert_eq!((at - noon()).num_hours(), 27);
    }

    #[test]
    fn a_pause_is_spread_over_no_more_than_a_tenth_of_it() {
        for chance in [0, 7, 100, 101, u64::MAX] {
            let pause = again(2, noon(), chance).expect("another") - noon();
            assert!(pause >= TimeDelta::seconds(300) && pause <= TimeDelta::seconds(330), "{pause}");
        }
    }

    #[test]
    fn an_event_is_delivered_sent_again_or_has_failed() {
        let after = |response, tries| next(&response, tries, noon(), 0);
        assert_eq!(after(Response::Took, 3), Next::Delivered);
        assert_eq!(after(failed(), 1), Next::Again(noon() + TimeDelta::seconds(5)));
        assert_eq!(after(failed(), TRIES), Next::Failed);
        assert_eq!(after(Response::Gone, TRIES), Next::Again(noon() + AFTER_GONE), "for when it is enabled");
    }

    fn failed() -> Response {
        Response::Failed { retry_after: None }
    }

    #[test]
    fn a_subscriber_that_fails_again_and_again_rests_ever_longer_and_is_as_good_as_new_once_it_answers() {
        let mut health = Health::default();
        let mut rests = vec![];
        for _ in 0..13 {
            assert_eq!(health.hear(&failed(), noon()), None);
            rests.push(health.resting_until.map_or(0, |until| (until - noon()).num_seconds()));
        }
        assert_eq!(rests, [0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(health.hear(&Response::Took, noon()), None);
        assert_eq!(health, Health::default());
    }

    #[test]
    fn a_subscriber_is_left_alone_as_long_as_it_asks_but_not_for_ever() {
        let asks = |asked| {
            let mut health = Health::default();
            health.hear(&Response::Failed { retry_after: Some(asked) }, noon());
            health.resting_until.map(|until| until - noon())
        };
        assert_eq!(asks(TimeDelta::seconds(90)), Some(TimeDelta::seconds(90)));
        assert_eq!(asks(TimeDelta::days(7)), Some(LONGEST_ASKED));
        assert_eq!(asks(TimeDelta::seconds(-5)), Some(TimeDelta::zero()));
    }

    #[test]
    fn a_subscriber_that_took_nothing_for_a_day_or_is_gone_is_disabled() {
        let mut health = Health::default();
        assert_eq!(health.hear(&failed(), noon()), None);
        assert_eq!(health.hear(&failed(), noon() + TimeDelta::hours(23)), None);
        assert!(health.hear(&failed(), noon() + TimeDelta::hours(24)).is_some());
        assert!(Health::default().hear(&Response::Gone, noon()).is_some());
        let mut health = Health::default();
        health.hear(&failed(), noon());
        health.hear(&Response::Took, noon() + TimeDelta::hours(23));
        assert_eq!(health.hear(&failed(), noon() + TimeDelta::hours(25)), None, "it took one in between");
    }
}
