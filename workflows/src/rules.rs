//! A campaign's rules, as one immutable revision holds them.

pub mod changes;
mod holiday;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::Calendar;
use crate::call::CallerId;
use crate::limits::Limit;
use crate::packs::{ConsentLevel, Purpose, Voice};
use crate::playbook;
use crate::pool::NumberChoice;
use crate::retry::RetryPolicy;
use crate::template::Template;

pub use holiday::{BadHoliday, OwnHoliday};

/// What a revision of a campaign says. An edit makes a new revision; each attempt
/// names the one it was made under.
///
/// Everything has a default, so `{}` is a valid set of rules. Unknown names are
/// refused, so that a typing error does not switch a rule off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// When people may be called, by their own clock. Default 10:00–19:00, Monday to Saturday.
    pub calendar: Calendar,
    /// The zone of leads that name none. Without either, a lead is held.
    #[serde(deserialize_with = "crate::calendar::read_zone")]
    pub zone: Option<Tz>,
    /// What is tried again, when, and how often.
    pub retry: RetryPolicy,
    /// How the campaign's calls are limited, beside the account's own limits.
    pub limits: Vec<Limit>,
    /// The numbers that calls come from, as the account knows them; one, or a list.
    #[serde(alias = "caller_id", deserialize_with = "one_or_several")]
    pub caller_ids: Vec<CallerId>,
    /// How one of them is picked for a call.
    pub number_choice: NumberChoice,
    /// What answers the phone.
    pub agent: Agent,
    /// What the agent is told of the person before the call, by the names that its prompts use.
    pub variables: BTreeMap<String, Template>,
    /// Whether the agent is also told the lead's own attributes, by their names.
    pub pass_attributes: bool,
    /// How long a phone rings before the carrier gives up, in seconds. 5 to 120; default 30.
    pub ring_timeout_s: u32,
    /// The longest call, in seconds. 1 to 14,400 (Exotel's bound); default 600.
    pub call_time_limit_s: u32,
    /// How long after the call results may still change the outcome, in
    /// milliseconds. Zero: the outcome is recorded with the end of the call.
    pub settle_ms: u32,
    /// Whether the carrier is to record the call.
    pub record: bool,
    /// What the calls are for; it decides which rules of a country hold.
    pub purpose: Purpose,
    /// Whose voice people hear; it decides which rules of a country hold.
    pub voice: Voice,
    /// The consent that everybody must have given, where the law asks for less. It cannot
    /// be set below what the law asks for.
    pub consent: Option<ConsentLevel>,
    /// How often one number is tried, beside the retries of one lead and the caps of the law.
    pub caps: Caps,
    /// Days on which nobody is called, by the calendar of the called person. At most
    /// [`MOST_HOLIDAYS`].
    pub holidays: Vec<OwnHoliday>,
    /// Nobody is called before this moment.
    pub starts_at: Option<Moment>,
    /// Nobody is called from this moment on.
    pub ends_at: Option<Moment>,
}

/// So many own holidays fit into a campaign's rules: one for each day of a leap year.
pub const MOST_HOLIDAYS: usize = 366;

/// The longest name of an agent or of a variable, in bytes.
const MOST_NAME: usize = 256;

/// Names that every carrier and every prompt can bear.
fn is_variable_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// So many numbers may a campaign call from.
pub const MOST_NUMBERS: usize = 1_000;

/// How often one number may be tried, over all campaigns of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Attempts in a day, by the calendar of the called person.
    pub per_day: Option<NonZeroU16>,
    /// Attempts ever. Once they are used up, this campaign finishes the lead.
    pub in_all: Option<NonZeroU16>,
}

/// What answers when the called person picks up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Agent {
    /// The carrier opens a media stream to us, where our own agent talks.
    Stream {
        /// The playbook that it goes by, by the client's name for it. Without one there is nothing to say: the
        /// stream proves that the call was answered, and is closed, which ends the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        playbook: Option<String>,
        /// Which version of it; `None` for the one that is the latest as the call is made. Zero is the one that
        /// comes with the program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
    /// A flow that was built at the carrier.
    Flow {
        /// The carrier's id for the flow.
        flow_id: String,
    },
    /// A flow of ours: the carrier asks us, step by step, what to say, ask and do.
    Ivr {
        /// The client's name for it.
        flow: String,
        /// Which version of it; `None` for the one that is the latest as the call begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// The playbook of its steps in which our own agent talks. A seat is kept for each call then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        playbook: Option<String>,
    },
    /// An agent that the carrier's side runs.
    Hosted {
        /// The carrier's name for it: an agent id, or the name that a worker registered under.
        agent_id: String,
        /// Which version of it; `None` for the one that the carrier takes by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
}

impl Default for Agent {
    fn default() -> Self {
        Self::Stream { playbook: None, version: None }
    }
}

impl Agent {
    /// The playbook that it goes by, and which version of it.
    pub fn playbook(&self) -> Option<(&str, Option<u32>)> {
        match self {
            Self::Stream { playbook: Some(name), version } => Some((name, *version)),
            Self::Ivr { playbook: Some(name), .. } => Some((name, None)),
            Self::Stream { playbook: None, .. }
            | Self::Ivr { playbook: None, .. }
            | Self::Flow { .. }
            | Self::Hosted { .. } => None,
        }
    }

    /// The flow of ours that calls go by, and which version of it.
    pub fn flow(&self) -> Option<(&str, Option<u32>)> {
        match self {
            Self::Ivr { flow, version, .. } => Some((flow, *version)),
            Self::Stream { .. } | Self::Flow { .. } | Self::Hosted { .. } => None,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            calendar: Calendar::default(),
            zone: None,
            retry: RetryPolicy::default(),
            limits: Vec::new(),
            caller_ids: Vec::new(),
            number_choice: NumberChoice::default(),
            agent: Agent::default(),
            variables: BTreeMap::new(),
            pass_attributes: false,
            ring_timeout_s: 30,
            call_time_limit_s: 600,
            settle_ms: 0,
            record: false,
            purpose: Purpose::default(),
            voice: Voice::default(),
            consent: None,
            caps: Caps::default(),
            holidays: Vec::new(),
            starts_at: None,
            ends_at: None,
        }
    }
}

/// A rule that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct RuleError {
    /// Which rule, by its name in the data.
    pub place: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Rules {
    /// The same for calls by which somebody tries a campaign out: one attempt each, and at once, as far as hours, consent,
    /// caps and the law allow.
    #[must_use]
    pub fn for_tests(self) -> Self {
        let retry = RetryPolicy { max_attempts: NonZeroU16::MIN, ..self.retry };
        Self { retry, limits: vec![], starts_at: None, ends_at: None, ..self }
    }

    /// Checks what types cannot say. Parsing alone has already refused impossible
    /// windows, unknown zones and unknown names.
    ///
    /// # Errors
    /// Names the first rule that is out of bounds.
    pub fn check(&self) -> Result<(), RuleError> {
        within("ring_timeout_s", self.ring_timeout_s, 5, 120)?;
        within("call_time_limit_s", self.call_time_limit_s, 1, 14_400)?;
        for limit in &self.limits {
            limit.check().map_err(|problem| RuleError { place: "limits", problem })?;
        }
        self.check_numbers()?;
        self.check_agent()?;
        if let Some(name) = self.variables.keys().find(|name| !is_variable_name(name)) {
            let problem =
                format!("`{name}` is no name for a variable; take letters, digits, `_`, `-` and `.`");
            return Err(RuleError { place: "variables", problem });
        }
        if self.holidays.len() > MOST_HOLIDAYS {
            let problem = format!("{} are too many; give at most {MOST_HOLIDAYS}", self.holidays.len());
            return Err(RuleError { place: "holidays", problem });
        }
        if let (Some(starts_at), Some(ends_at)) = (self.starts_at, self.ends_at)
            && ends_at <= starts_at
        {
            let problem = format!("{ends_at} is not after `starts_at`, {starts_at}; nobody could be called");
            return Err(RuleError { place: "ends_at", problem });
        }
        Ok(())
    }

    fn check_agent(&self) -> Result<(), RuleError> {
        let refused = |place, problem| Err(RuleError { place, problem });
        match &self.agent {
            Agent::Stream { playbook: Some(name), .. } if !playbook::is_name(name) => {
                refused("agent.playbook", playbook::no_name(name))
            }
            Agent::Stream { playbook: None, version: Some(_) } => {
                refused("agent.version", "say of which playbook, in `agent.playbook`".to_owned())
            }
            Agent::Stream { version: Some(version), .. } if i32::try_from(*version).is_err() => refused(
                "agent.version",
                format!("{version} is out of bounds; give one that the playbook has"),
            ),
            Agent::Ivr { flow, .. } if !playbook::is_name(flow) => {
                refused("agent.flow", playbook::no_name(flow))
            }
            Agent::Ivr { playbook: Some(name), .. } if !playbook::is_name(name) => {
                refused("agent.playbook", playbook::no_name(name))
            }
            Agent::Ivr { version: Some(version), .. } if i32::try_from(*version).is_err() => {
                refused("agent.version", format!("{version} is out of bounds; give one that the flow has"))
            }
            Agent::Flow { flow_id }
                if flow_id.is_empty()
                    || !flow_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') =>
            {
                let problem = format!("`{flow_id}` is not a flow id; copy it from the carrier's flow list");
                refused("agent.flow_id", problem)
            }
            Agent::Hosted { agent_id, .. }
                if agent_id.trim() != agent_id || !(1..=MOST_NAME).contains(&agent_id.len()) =>
            {
                let problem =
                    format!("`{agent_id}` names no agent; give its id, up to {MOST_NAME} characters");
                refused("agent.agent_id", problem)
            }
            Agent::Stream { .. } | Agent::Ivr { .. } | Agent::Flow { .. } | Agent::Hosted { .. } => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<(), RuleError> {
        let refused = |problem| Err(RuleError { place: "caller_ids", problem });
        if self.caller_ids.len() > MOST_NUMBERS {
            return refused(format!("{} are too many; give at most {MOST_NUMBERS}", self.caller_ids.len()));
        }
        for (place, number) in self.caller_ids.iter().enumerate() {
            if number.0.trim().is_empty() || number.0.trim() != number.0 {
                return refused(format!(
                    "`{number}` is not a number; give one that the account may call from"
                ));
            }
            if self.caller_ids[..place].contains(number) {
                return refused(format!("{number} is there twice; give each number once"));
            }
        }
        Ok(())
    }

    /// Whether the agent is told of the person before a call.
    pub fn tells_of_people(&self) -> bool {
        self.pass_attributes
            || !self.variables.is_empty()
            || self.agent.playbook().is_some()
            || self.agent.flow().is_some()
    }

    /// How long results may still change the outcome.
    pub fn settle(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.settle_ms.into())
    }

    /// The longest that a call can last from the moment it is accepted.
    pub fn longest_call(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.ring_timeout_s) + i64::from(self.call_time_limit_s))
    }
}

/// Revisions of before pools name one number, or none.
fn one_or_several<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<CallerId>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Several(Vec<CallerId>),
        One(Option<CallerId>),
    }
    Ok(match Given::deserialize(from)? {
        Given::Several(numbers) => numbers,
        Given::One(number) => number.into_iter().collect(),
    })
}

fn within(place: &'static str, value: u32, least: u32, most: u32) -> Result<(), RuleError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(RuleError { place, problem: format!("{value} is out of bounds; give {least} to {most}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Rules, String> {
        let rules: Rules = serde_json::from_str(text).map_err(|error| error.to_string())?;
        rules.check().map_err(|error| error.to_string())?;
        Ok(rules)
    }

    #[test]
    fn no_rules_at_all_are_the_defaults() {
        assert_eq!(parse("{}"), Ok(Rules::default()));
    }

    #[test]
    fn rules_read_back_as_what_was_written() {
        let text = serde_json::to_string(&Rules::default()).expect("serialises");
        assert_eq!(parse(&text), Ok(Rules::default()));
    }

    #[test]
    fn one_number_may_be_given_by_itself() {
        let one = parse(r#"{"caller_ids": ["08040000000"]}"#);
        assert_eq!(parse(r#"{"caller_id": "08040000000"}"#), one);
        assert_eq!(parse(r#"{"caller_id": null}"#), Ok(Rules::default()));
    }

    #[test]
    fn a_rule_that_cannot_be_kept_is_refused_by_name() {
        for (text, place) in [
            (r#"{"ring_timeout_s": 0}"#, "ring_timeout_s"),
            (r#"{"call_time_limit_s": 20000}"#, "call_time_limit_s"),
            (r#"{"max_atempts": 3}"#, "max_atempts"),
            (r#"{"agent": {"mode": "flow", "flow_id": "a/b"}}"#, "agent.flow_id"),
            (r#"{"agent": {"mode": "stream", "playbook": "Property enquiry"}}"#, "agent.playbook"),
            (r#"{"agent": {"mode": "stream", "version": 2}}"#, "agent.version"),
            (r#"{"agent": {"mode": "stream", "playbook": "p", "version": 3000000000}}"#, "agent.version"),
            (r#"{"agent": {"mode": "stream", "playbok": "p"}}"#, "playbok"),
            (r#"{"zone": "Asia/Bangalore"}"#, "Asia/Bangalore"),
            (r#"{"consent": "none"}"#, "express_written"),
            (r#"{"caps": {"per_day": 0}}"#, "nonzero"),
            (r#"{"caps": {"per_weak": 3}}"#, "per_weak"),
            (r#"{"holidays": ["24.12."]}"#, "24.12."),
            (r#"{"holidays": ["02-30"]}"#, "02-30"),
            (r#"{"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}"#, "ends_at"),
            (r#"{"limits": [{"limit": "spend", "per_day": 5, "per_call": 100}]}"#, "limits"),
            (r#"{"caller_ids": ["  "]}"#, "caller_ids"),
            (r#"{"caller_ids": ["08040000000", "08040000000"]}"#, "twice"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(place), "{text}: {error}");
        }
    }

    #[test]
    fn a_stream_of_before_playbooks_reads_as_one_without() {
        let stream = |text: &str| parse(&format!(r#"{{"agent": {text}}}"#)).map(|rules| rules.agent);
        assert_eq!(stream(r#"{"mode": "stream"}"#), Ok(Agent::default()));
        let written = serde_json::to_string(&Agent::default()).expect("serialises");
        assert_eq!(written, r#"{"mode":"stream"}"#, "an older version reads it, too");
        let named = r#"{"mode":"stream","playbook":"property-enquiry","version":3}"#;
        let agent = stream(named).expect("it is right");
        assert_eq!(agent.playbook(), Some(("property-enquiry", Some(3))));
        assert_eq!(serde_json::to_string(&agent).expect("serialises"), named);
    }

    #[test]
    fn holidays_read_back_as_what_was_written() {
        let text = r#"["public","2026-12-24","02-29"]"#;
        let days: Vec<OwnHoliday> = serde_json::from_str(text).expect("holidays");
        assert_eq!(serde_json::to_string(&days).expect("serialises"), text);
    }
}
