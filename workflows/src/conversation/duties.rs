//! What has to be said first.

use chrono::NaiveDate;

use crate::packs::{Law, Purpose, Voice};
use crate::places::Whereabouts;

/// What the law and the campaign ask of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duties {
    /// That a machine speaks is said first.
    pub disclose: bool,
    /// That the call is recorded is said first.
    pub announce_recording: bool,
    /// Whoever hears nothing for longer than this has answered to nobody, in milliseconds.
    pub first_words_ms: u32,
}

/// What all packs that say anything of it ask for (contact centres' common rule, 47 CFR 64.1200(a)(7)): it is asked for in
/// doubt, too.
const FIRST_WORDS_MS: u32 = 2_000;

impl Default for Duties {
    /// Nothing has to be said, and nobody is kept waiting.
    fn default() -> Self {
        Self { disclose: false, announce_recording: false, first_words_ms: FIRST_WORDS_MS }
    }
}

impl Duties {
    /// What is asked of a call of our own agent to somebody who may be there: all of it, where the place or its law is
    /// not known. `today` is any day's date within one of the person's, because laws begin with a day.
    pub fn of(place: Option<&Whereabouts>, purpose: Purpose, recorded: bool, today: NaiveDate) -> Self {
        let law = place.and_then(|place| Law::of(place.areas(), purpose, Voice::Artificial).ok());
        match law {
            Some(law) => Self {
                disclose: law.disclose_since.is_some_and(|since| since <= today),
                announce_recording: recorded && law.announce_recording,
                first_words_ms: law.abandonment.map_or(FIRST_WORDS_MS, |bound| bound.first_words_ms),
            },
            None => Self { disclose: true, announce_recording: recorded, first_words_ms: FIRST_WORDS_MS },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(area: &str, recorded: bool) -> Duties {
        let place = Whereabouts::new([chrono_tz::UTC], [area.parse().expect("an area")]);
        Duties::of(Some(&place), Purpose::default(), recorded, NaiveDate::MAX)
    }

    #[test]
    fn in_doubt_everything_is_said() {
        let nowhere = |recorded| Duties::of(None, Purpose::default(), recorded, NaiveDate::MIN);
        assert_eq!(nowhere(true), Duties { disclose: true, announce_recording: true, first_words_ms: 2_000 });
        assert_eq!(
            nowhere(false),
            Duties { disclose: true, announce_recording: false, first_words_ms: 2_000 }
        );
        let unknown = Whereabouts::new([chrono_tz::UTC], []);
        assert!(Duties::of(Some(&unknown), Purpose::default(), false, NaiveDate::MIN).disclose);
    }

    #[test]
    fn a_recording_is_announced_where_the_law_asks_and_there_is_one() {
        assert_eq!(
            (of("US-CA", true).announce_recording, of("US-CA", false).announce_recording),
            (true, false)
        );
    }

    #[test]
    fn a_duty_begins_with_its_day() {
        let place = Whereabouts::new([chrono_tz::UTC], ["DE".parse().expect("an area")]);
        let on = |day: &str| {
            let day = day.parse().expect("a day");
            Duties::of(Some(&place), Purpose::default(), false, day).disclose
        };
        assert_eq!((on("2026-08-01"), on("2026-08-02")), (false, true));
    }
}
