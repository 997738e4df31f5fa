//! How calls go: counted commit by commit, as differences, and told by outcome, hour, weekday and attempt.

use std::collections::BTreeMap;

use chrono::{Datelike, Offset as _, TimeDelta, Timelike};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::attempt::Attempt;
use crate::ids::CampaignId;
use crate::limits::Spent;
use crate::money::Cost;
use crate::outcome::Outcome;

/// Attempts from this one on are counted together.
pub const LAST_NUMBER: u8 = 10;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The beginning of the quarter of an hour in which the attempt was reserved: hours begin with one in every
    /// zone there is.
    pub span: Moment,
    /// What came of it.
    pub outcome: Outcome,
    /// Which of its lead's it was; [`LAST_NUMBER`] for that and all later.
    pub number: u8,
}

/// What some attempts come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub attempts: i64,
    /// How many of them somebody or something answered.
    pub answered: i64,
    /// How long these were connected, in milliseconds.
    pub talk_ms: i64,
    /// How many of them are known to have cost what.
    pub priced: i64,
    /// What these cost, in millionths.
    pub cost_micros: i64,
    /// How many of our own agent's a person answered.
    pub person_answered: i64,
    /// How many of these persons were not spoken to in time.
    pub abandoned: i64,
}

impl Sum {
    fn add(&mut self, other: &Self, sign: i64) {
        self.attempts += sign * other.attempts;
        self.answered += sign * other.answered;
        self.talk_ms += sign * other.talk_ms;
        self.priced += sign * other.priced;
        self.cost_micros += sign * other.cost_micros;
        self.person_answered += sign * other.person_answered;
        self.abandoned += sign * other.abandoned;
    }
}

/// Where an attempt counts, and as what; `None` while nothing is recorded of it.
fn counted(attempt: &Attempt) -> Option<(Key, Sum)> {
    let number = u8::try_from(attempt.number.get()).unwrap_or(LAST_NUMBER).min(LAST_NUMBER);
    let span = Spent::span_of(attempt.reserved_at);
    let key = Key { span, outcome: attempt.outcome?, number };
    let talk = attempt.ended.as_ref().and_then(|(_, end)| end.talk.as_ref());
    let sum = Sum {
        attempts: 1,
        answered: i64::from(attempt.answered_at.is_some()),
        talk_ms: talk.map_or(0, |talk| i64::from(talk.ms)),
        priced: i64::from(attempt.cost.is_some()),
        cost_micros: attempt.cost.map_or(0, |cost| cost.micros),
        person_answered: i64::from(attempt.abandoned.is_some()),
        abandoned: i64::from(attempt.abandoned == Some(true)),
    };
    Some((key, sum))
}

/// What a commit changed, by campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas(BTreeMap<(CampaignId, Key), Sum>);

impl Deltas {
    /// A lead's attempts were so before, and are so now.
    pub fn changed(&mut self, campaign: CampaignId, before: &[Attempt], now: &[Attempt]) {
        for (attempts, sign) in [(before, -1), (now, 1)] {
            for (key, sum) in attempts.iter().filter_map(counted) {
                self.0.entry((campaign, key)).or_default().add(&sum, sign);
            }
        }
    }

    /// The differences that are any.
    pub fn iter(&self) -> impl Iterator<Item = (&(CampaignId, Key), &Sum)> {
        self.0.iter().filter(|(_, sum)| **sum != Sum::default())
    }
}

/// When a zone's clocks were changed from `from` until `until`, to the second: between two such moments, the same quarter of
/// an hour of any week in UTC is the same of the week by those clocks.
pub fn changes_of(zone: Tz, from: Moment, until: Moment) -> Vec<Moment> {
    let offset = |at: Moment| at.with_timezone(&zone).offset().fix();
    let mut changes = vec![];
    let mut day = from;
    while day < until {
        let next = (day + TimeDelta::days(1)).min(until);
        if offset(day) != offset(next) {
            // The clocks show the new time from `after` on, and the old one before it.
            let (mut before, mut after) = (day, next);
            while after - before > TimeDelta::seconds(1) {
                let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                if offset(middle) == offset(day) { before = middle } else { after = middle }
            }
            changes.push(after);
        }
        day = next;
    }
    changes
}

/// A share, with what it is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Attempts.
    pub attempts: i64,
    /// Those that somebody or something answered.
    pub answered: i64,
    /// Those that came to something good.
    pub successes: i64,
}

impl Rate {
    fn add(&mut self, key: &Key, sum: &Sum) {
        self.attempts += sum.attempts;
        self.answered += sum.answered;
        self.successes += if is_success(key.outcome) { sum.attempts } else { 0 };
    }
}

/// How many calls of our own agent found nobody speaking, over the last days up to today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Abandonment {
    /// Calls that a person answered.
    pub answered: i64,
    /// Those of them in which nobody spoke in time, or ever.
    pub abandoned: i64,
    /// Their share, from 0 to 1; absent if nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

impl Abandonment {
    /// Over this many days it is counted: the laws' own window (47 CFR 64.1200(a)(7): 3 % over 30 days, by campaign).
    pub const DAYS: u16 = 30;

    /// So many of so many.
    pub fn new(answered: i64, abandoned: i64) -> Self {
        Self { answered, abandoned, rate: share(abandoned, answered) }
    }
}

/// How the calls of some campaigns go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// By whose clock hours and weekdays are told.
    pub zone: String,
    /// All of them.
    pub total: Rate,
    /// Of the attempts, the share that was answered, from 0 to 1; absent without attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_rate: Option<f64>,
    /// Of the attempts, the share that came to something good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// How many came to what.
    pub by_outcome: BTreeMap<String, i64>,
    /// By the hour of day in which they were made, 0 to 23.
    pub by_hour: [Rate; 24],
    /// By the weekday, from Monday.
    pub by_weekday: [Rate; 7],
    /// By which of their lead's they were, from the first; the last place holds all later ones. Of those who were
    /// reached, `answered` says with which attempt.
    pub by_attempt: [Rate; LAST_NUMBER as usize],
    /// How long the answered ones were connected, in seconds, together.
    pub talk_s: f64,
    /// And on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_talk_s: Option<f64>,
    /// What those cost of which it is known.
    pub cost: String,
    /// How many these are.
    pub priced: i64,
    /// What a success cost, where the cost of every attempt is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_success: Option<String>,
    /// Calls that found nobody speaking, over the last 30 days whatever time is asked for; absent where none was our own
    /// agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandonment: Option<Abandonment>,
}

/// Outcomes that campaigns are made for.
pub fn is_success(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Successful | Outcome::AppointmentScheduled | Outcome::QualifiedLead | Outcome::SaleMade => {
            true
        }
        Outcome::NotInterested
        | Outcome::NoAnswer
        | Outcome::Voicemail
        | Outcome::WrongNumber
        | Outcome::DoNotCall
        | Outcome::Failed
        | Outcome::Busy
        | Outcome::InvalidNumber
        | Outcome::Unknown => false,
    }
}

/// Tells how these calls went, by the clock of a zone.
pub fn analyse<'a>(counts: impl IntoIterator<Item = (&'a Key, &'a Sum)>, zone: Tz) -> Analysis {
    let mut sum = Sum::default();
    let mut analysis = Analysis {
        zone: zone.name().to_owned(),
        total: Rate::default(),
        answer_rate: None,
        success_rate: None,
        by_outcome: BTreeMap::new(),
        by_hour: [Rate::default(); 24],
        by_weekday: [Rate::default(); 7],
        by_attempt: [Rate::default(); LAST_NUMBER as usize],
        talk_s: 0.0,
        mean_talk_s: None,
        cost: String::new(),
        priced: 0,
        cost_per_success: None,
        abandonment: None,
    };
    for (key, counted) in counts {
        sum.add(counted, 1);
        let local = key.span.with_timezone(&zone);
        *analysis.by_outcome.entry(key.outcome.name().to_owned()).or_default() += counted.attempts;
        let number = usize::from(key.number.clamp(1, LAST_NUMBER)) - 1;
        let hour = usize::try_from(local.hour()).unwrap_or_default();
        let weekday = usize::try_from(local.weekday().num_days_from_monday()).unwrap_or_default();
        analysis.total.add(key, counted);
        analysis.by_hour[hour].add(key, counted);
        analysis.by_weekday[weekday].add(key, counted);
        analysis.by_attempt[number].add(key, counted);
    }
    analysis.by_outcome.retain(|_, count| *count != 0);
    let Rate { attempts, answered, successes } = analysis.total;
    analysis.answer_rate = share(answered, attempts);
    analysis.success_rate = share(successes, attempts);
    analysis.talk_s = seconds(sum.talk_ms);
    analysis.mean_talk_s = (answered > 0).then(|| seconds(sum.talk_ms / answered));
    analysis.priced = sum.priced;
    analysis.cost = Cost { micros: sum.cost_micros }.to_string();
    analysis.cost_per_success = (successes > 0 && sum.priced == attempts)
        .then(|| Cost { micros: sum.cost_micros / successes }.to_string());
    analysis
}

fn share(part: i64, whole: i64) -> Option<f64> {
    // Exact up to 2^53, which no count of calls comes near.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(ms: i64) -> f64 {
    TimeDelta::milliseconds(ms).as_seconds_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(at: &str, outcome: Outcome, number: u8) -> Key {
        let span = Spent::span_of(at.parse().expect("a time"));
        Key { span, outcome, number }
    }

    fn sum(attempts: i64, answered: i64, talk_ms: i64) -> Sum {
        Sum {
            attempts,
            answered,
            talk_ms,
            priced: attempts,
            cost_micros: attempts * 500_000,
            ..Sum::default()
        }
    }

    #[test]
    fn the_moments_are_found_at_which_clocks_were_changed() {
        let changes = |zone: Tz, from: &str, until: &str| {
            let at = |text: &str| text.parse().expect("a time");
            let changes = changes_of(zone, at(from), at(until));
            changes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            changes(Tz::America__New_York, "2026-01-01T00:10:00Z", "2027-01-01T00:00:00Z"),
            ["2026-03-08 07:00:00 UTC", "2026-11-01 06:00:00 UTC"]
        );
        assert_eq!(changes(Tz::Asia__Kolkata, "2020-01-01T00:00:00Z", "2027-01-01T00:00:00Z"), [""; 0]);
        assert_eq!(changes(Tz::UTC, "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), [""; 0]);
    }

    #[test]
    fn calls_are_told_by_outcome_hour_weekday_and_attempt() {
        // 04:40 UTC on a Monday is 10:10 in India; 20:00 on Sunday is 01:30 on Monday.
        let counts = [
            (key("2026-01-12T04:40:00Z", Outcome::SaleMade, 1), sum(2, 2, 120_000)),
            (key("2026-01-12T04:40:00Z", Outcome::NoAnswer, 1), sum(6, 0, 0)),
            (key("2026-01-11T20:00:00Z", Outcome::Voicemail, 12), sum(2, 2, 20_000)),
        ];
        let told = analyse(counts.iter().map(|(key, sum)| (key, sum)), chrono_tz::Asia::Kolkata);
        assert_eq!(told.total, Rate { attempts: 10, answered: 4, successes: 2 });
        assert_eq!((told.answer_rate, told.success_rate), (Some(0.4), Some(0.2)));
        assert_eq!(told.by_hour[10].attempts, 8);
        assert_eq!(told.by_hour[1].attempts, 2);
        assert_eq!(told.by_weekday[0].attempts, 10, "all on Monday, by their clock");
        assert_eq!(told.by_attempt[0], Rate { attempts: 8, answered: 2, successes: 2 });
        assert_eq!(told.by_attempt[9].answered, 2);
        assert_eq!((told.talk_s, told.mean_talk_s), (140.0, Some(35.0)));
        assert_eq!((told.cost.as_str(), told.cost_per_success.as_deref()), ("5.00", Some("2.50")));
        let outcomes = [("no_answer", 6), ("sale_made", 2), ("voicemail", 2)];
        assert_eq!(told.by_outcome, outcomes.map(|(name, count)| (name.to_owned(), count)).into());
    }

    #[test]
    fn of_no_calls_no_rates_are_told() {
        let told = analyse([], chrono_tz::UTC);
        assert_eq!((told.answer_rate, told.mean_talk_s, told.cost_per_success), (None, None, None));
        assert_eq!(told.cost, "0.00");
    }
}
