//! Whether a lead is tried again after an attempt, and when.
//!
//! The times given here know nothing of calendars: a lead waits from then on for its lane to
//! open. All sums saturate; a delay is at most [`Delay::MAX`], so none comes near the end of
//! time.

mod delay;
mod form;

use std::num::NonZeroU16;

use chrono::TimeDelta;
use thiserror::Error;

use crate::Moment;
use crate::outcome::Outcome;

pub use delay::{Backoff, Delay, DelayError, Percent};

/// What a provider asks us to wait is honoured up to this long, 24 hours.
///
/// A header gone wrong must not put a lead off for years.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(24);

/// The most attempts a policy may allow. More is taken for a slip of the finger.
pub const MOST_ATTEMPTS: u16 = 50;

/// When each outcome is tried again, and how often a lead is tried in all.
///
/// In data everything may be left out, and what is left out has its default:
///
/// ```
/// # use outdial_workflows::retry::RetryPolicy;
/// let policy: RetryPolicy = serde_json::from_str(r#"{
///     "max_attempts": 3,
///     "rules": {
///         "no_answer": "2h",
///         "busy": "4h",
///         "voicemail": "2h",
///         "unknown": "2h",
///         "failed": {"first": "1m", "cap": "1h", "jitter_percent": 20},
///         "not_interested": "never"
///     }
/// }"#)?;
/// assert_eq!(policy, RetryPolicy::default());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many counted attempts a lead gets in all. Default 3; at most [`MOST_ATTEMPTS`] in
    /// data.
    pub max_attempts: NonZeroU16,
    /// The rule of each outcome that can be tried again.
    pub rules: RetryRules,
}

/// The outcomes that can be tried again, each with its rule. After the others somebody has
/// been reached, or nobody can be: they are final, and no campaign can change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// Default: after 2 hours.
    pub no_answer: RetryRule,
    /// Default: after 4 hours.
    pub busy: RetryRule,
    /// Default: as no answer.
    pub voicemail: RetryRule,
    /// The carrier could not put the call through. Default: backoff from 1 minute to 1 hour.
    pub failed: RetryRule,
    /// It cannot be known whether the phone rang. Default: as no answer, for it may have.
    pub unknown: RetryRule,
    /// Default: never.
    pub not_interested: RetryRule,
}

/// When to try again after one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryRule {
    /// Not at all.
    Never,
    /// After the same time each time.
    After(Delay),
    /// After a time that doubles with each failure in a row.
    Backoff(Backoff),
}

/// What the policy needs to know about a lead, and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryInput {
    /// Attempts that counted, the one that has just ended included.
    pub attempts: u16,
    /// Failures in a row, this one included; 0 is taken as 1.
    pub failures: u16,
    /// A random number, evenly spread over all of `u64`, for the jitter.
    pub chance: u64,
    /// The time.
    pub now: Moment,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Try again, at this time or later.
    At(Moment),
    /// The outcome would be tried again, but the lead has had its attempts.
    UsedUp,
    /// The outcome is not tried again.
    NotRetried,
}

/// A retry policy that cannot be kept: where, and how to put it right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RetryError {
    /// `max_attempts` is not a number of attempts.
    #[error(
        "retry.max_attempts: {0} is not a number of attempts; give a whole number from 1 to {MOST_ATTEMPTS}"
    )]
    MaxAttempts(String),
    /// A rule for something that is no outcome.
    #[error("retry.rules: `{0}` is not an outcome; rules exist for {names}", names = form::NAMES.join(", "))]
    UnknownOutcome(String),
    /// A rule for an outcome after which nobody is called again.
    #[error("retry.rules.{0}: this outcome is final and never tried again; take the rule out")]
    Final(String),
    /// Not a rule.
    #[error(
        "retry.rules.{outcome}: {found} is not a rule; write \"never\", a delay such as \"2h\", or \
         {{\"first\": \"1m\", \"cap\": \"1h\", \"jitter_percent\": 20}}"
    )]
    NotARule {
        /// The outcome's name.
        outcome: &'static str,
        /// What was written.
        found: String,
    },
    /// A delay, or a backoff made of delays, is out of bounds.
    #[error("retry.rules.{place}: {cause}")]
    Delay {
        /// The outcome's name and, where there are several, the field.
        place: String,
        /// What is wrong with it.
        cause: DelayError,
    },
}

impl Default for RetryRules {
    fn default() -> Self {
        let unreached = RetryRule::After(Delay::minutes(120));
        Self {
            no_answer: unreached,
            busy: RetryRule::After(Delay::minutes(240)),
            voicemail: unreached,
            failed: RetryRule::Backoff(Backoff::DEFAULT),
            unknown: unreached,
            not_interested: RetryRule::Never,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        const THREE: NonZeroU16 = NonZeroU16::new(3).expect("3 is not 0");
        Self { max_attempts: THREE, rules: RetryRules::default() }
    }
}

impl RetryPolicy {
    /// What follows an attempt that ended with `outcome`.
    pub fn next_after(&self, outcome: Outcome, input: RetryInput) -> Retry {
        let wait = match self.rule(outcome) {
            RetryRule::Never => return Retry::NotRetried,
            RetryRule::After(delay) => delay.length(),
            RetryRule::Backoff(backoff) => backoff.wait(input.failures, input.chance),
        };
        if input.attempts >= self.max_attempts.get() {
            return Retry::UsedUp;
        }
        Retry::At(later(input.now, wait))
    }

    /// When to try again after a provider has refused a call before accepting it, so that no
    /// phone rang. Such attempts do not count, so this never ends by itself.
    ///
    /// `refusals` are those in a row, this one included. The wait is the one that the policy has
    /// for failures ([`Backoff::DEFAULT`] where it has none, for a refused lead is always tried
    /// again), and no shorter than `pause`, what the provider asked for (Retry-After), up to
    /// [`LONGEST_PAUSE`].
    pub fn after_refusal(&self, refusals: u16, pause: Option<TimeDelta>, chance: u64, now: Moment) -> Moment {
        let wait = match self.rules.failed {
            RetryRule::Backoff(backoff) => backoff.wait(refusals, chance),
            RetryRule::After(delay) => delay.length(),
            RetryRule::Never => Backoff::DEFAULT.wait(refusals, chance),
        };
        let asked = pause.unwrap_or_default().min(LONGEST_PAUSE);
        later(now, wait.max(asked))
    }

    fn rule(&self, outcome: Outcome) -> RetryRule {
        match outcome {
            Outcome::NoAnswer => self.rules.no_answer,
            Outcome::Busy => self.rules.busy,
            Outcome::Voicemail => self.rules.voicemail,
            Outcome::Failed => self.rules.failed,
            Outcome::Unknown => self.rules.unknown,
            Outcome::NotInterested => self.rules.not_interested,
            Outcome::Successful
            | Outcome::AppointmentScheduled
            | Outcome::QualifiedLead
            | Outcome::SaleMade
            | Outcome::WrongNumber
            | Outcome::DoNotCall
            | Outcome::InvalidNumber => RetryRule::Never,
        }
    }
}

fn later(now: Moment, wait: TimeDelta) -> Moment {
    now.checked_add_signed(wait).unwrap_or(Moment::MAX_UTC)
}
