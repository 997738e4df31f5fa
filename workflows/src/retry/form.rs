//! The written form of a retry policy.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

use super::{
    Backoff, Delay, DelayError, MOST_ATTEMPTS, Percent, RetryError, RetryPolicy, RetryRule, RetryRules,
};
use crate::outcome::Outcome;

/// The outcomes that rules exist for.
pub(super) const NAMES: [&str; 6] = ["no_answer", "busy", "voicemail", "failed", "unknown", "not_interested"];

/// Nothing but the names is read by serde, so that every error can say its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyForm {
    max_attempts: Option<Value>,
    #[serde(default)]
    rules: BTreeMap<String, Value>,
}

impl<'de> Deserialize<'de> for RetryPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = PolicyForm::deserialize(deserializer)
            .map_err(|error| de::Error::custom(format_args!("retry: {error}")))?;
        read(form).map_err(de::Error::custom)
    }
}

fn read(form: PolicyForm) -> Result<RetryPolicy, RetryError> {
    let mut policy = RetryPolicy::default();
    if let Some(value) = form.max_attempts {
        policy.max_attempts = read_attempts(&value)?;
    }
    for (name, value) in form.rules {
        let (name, rule) = slot(&mut policy.rules, &name)?;
        *rule = read_rule(name, &value)?;
    }
    Ok(policy)
}

fn read_attempts(value: &Value) -> Result<NonZeroU16, RetryError> {
    let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
    number
        .filter(|number| *number <= MOST_ATTEMPTS)
        .and_then(NonZeroU16::new)
        .ok_or_else(|| RetryError::MaxAttempts(value.to_string()))
}

fn slot<'r>(rules: &'r mut RetryRules, name: &str) -> Result<(&'static str, &'r mut RetryRule), RetryError> {
    let [no_answer, busy, voicemail, failed, unknown, not_interested] = NAMES;
    Ok(match name {
        "no_answer" => (no_answer, &mut rules.no_answer),
        "busy" => (busy, &mut rules.busy),
        "voicemail" => (voicemail, &mut rules.voicemail),
        "failed" => (failed, &mut rules.failed),
        "unknown" => (unknown, &mut rules.unknown),
        "not_interested" => (not_interested, &mut rules.not_interested),
        other => {
            let refusal = match Outcome::deserialize(Value::from(other)) {
                Ok(_) => RetryError::Final,
                Err(_) => RetryError::UnknownOutcome,
            };
            return Err(refusal(other.to_owned()));
        }
    })
}

fn read_rule(outcome: &'static str, value: &Value) -> Result<RetryRule, RetryError> {
    match value {
        Value::String(word) if word == "never" => Ok(RetryRule::Never),
        Value::String(text) => Ok(RetryRule::After(delay(outcome.to_owned(), text)?)),
        Value::Object(_) => read_backoff(outcome, value).map(RetryRule::Backoff),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(not_a_rule(outcome, value)),
    }
}

fn read_backoff(outcome: &'static str, value: &Value) -> Result<Backoff, RetryError> {
    /// As it is written.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct BackoffForm {
        first: String,
        cap: String,
        jitter_percent: Option<Value>,
    }
    let form = BackoffForm::deserialize(value).map_err(|_| not_a_rule(outcome, value))?;
    let first = delay(format!("{outcome}.first"), &form.first)?;
    let cap = delay(format!("{outcome}.cap"), &form.cap)?;
    let wrong = |cause| RetryError::Delay { place: outcome.to_owned(), cause };
    let jitter = match form.jitter_percent {
        None => Backoff::DEFAULT.jitter(),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
            let jitter = number.ok_or_else(|| DelayError::Jitter(value.to_string())).and_then(Percent::new);
            jitter.map_err(wrong)?
        }
    };
    Backoff::new(first, cap, jitter).map_err(wrong)
}

fn delay(place: String, text: &str) -> Result<Delay, RetryError> {
    text.parse().map_err(|cause| RetryError::Delay { place, cause })
}

fn not_a_rule(outcome: &'static str, value: &Value) -> RetryError {
    RetryError::NotARule { outcome, found: value.to_string() }
}

impl Serialize for RetryPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            max_attempts: NonZeroU16,
            rules: BTreeMap<&'static str, Value>,
        }
        let rules = &self.rules;
        let written =
            [rules.no_answer, rules.busy, rules.voicemail, rules.failed, rules.unknown, rules.not_interested];
        let rules = NAMES.into_iter().zip(written.map(write)).collect();
        Written { max_attempts: self.max_attempts, rules }.serialize(serializer)
    }
}

fn write(rule: RetryRule) -> Value {
    match rule {
        RetryRule::Never => Value::from("never"),
        RetryRule::After(delay) => Value::from(delay.to_string()),
        RetryRule::Backoff(backoff) => json!({
            "first": backoff.first().to_string(),
            "cap": backoff.cap().to_string(),
            "jitter_percent": backoff.jitter().get(),
        }),
    }
}
