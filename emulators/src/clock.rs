//! Two kinds of time: *wall* time is what a clock shows, *nominal* time is what a scenario says.
//! At a speed of 100, sixty nominal seconds of talk pass in 600 ms on the wall.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// How many nominal seconds pass in one second on the wall. Always positive and finite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(f64);

/// Longest wait we hand to a timer; beyond it arithmetic on instants could overflow.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

impl Pace {
    /// `None` unless `speed` is positive and finite.
    pub(crate) fn new(speed: f64) -> Option<Self> {
        (speed.is_finite() && speed > 0.0).then_some(Self(speed))
    }

    /// How long `nominal` takes on the wall; at most a year.
    pub(crate) fn wall(self, nominal: Duration) -> Duration {
        seconds(nominal.as_secs_f64() / self.0)
    }

    /// How much nominal time passes during `wall`; at most a year.
    pub(crate) fn nominal(self, wall: Duration) -> Duration {
        seconds(wall.as_secs_f64() * self.0)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).map_or(FOREVER, |exact| exact.min(FOREVER))
}

/// The wall clock. Carriers have one of their own, so this is the only place that reads it.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_at_speed_100_takes_600_ms() {
        let pace = Pace::new(100.0).expect("100 is a pace");
        assert_eq!(pace.wall(Duration::from_secs(60)), Duration::from_millis(600));
        assert_eq!(pace.nominal(Duration::from_millis(600)), Duration::from_secs(60));
    }

    #[test]
    fn a_speed_that_would_stop_or_reverse_time_is_no_pace() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::new(speed).is_none(), "{speed}");
        }
    }

    #[test]
    fn an_absurd_wait_is_cut_to_a_year() {
        let pace = Pace::new(1e-9).expect("slow, but a pace");
        assert_eq!(pace.wall(Duration::MAX), FOREVER);
    }
}
