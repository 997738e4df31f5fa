//! What came of a call: the outcomes people sort their leads by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What came of an attempt and, once no further attempt follows, of the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person answered, and nothing more particular was reported.
    Successful,
    /// A meeting was agreed.
    AppointmentScheduled,
    /// The person qualifies for the offer.
    QualifiedLead,
    /// Something was sold.
    SaleMade,
    /// The person declined.
    NotInterested,
    /// It rang and nobody answered.
    NoAnswer,
    /// A machine answered.
    Voicemail,
    /// Somebody else has this number.
    WrongNumber,
    /// The person asked not to be called again; the number is suppressed.
    DoNotCall,
    /// The carrier could not put the call through.
    Failed,
    /// The line was engaged.
    Busy,
    /// The carrier says that there is no such number.
    InvalidNumber,
    /// It cannot be known whether the call took place.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order in which reports list them.
    pub const ALL: [Self; 13] = [
        Self::Successful,
        Self::AppointmentScheduled,
        Self::QualifiedLead,
        Self::SaleMade,
        Self::NotInterested,
        Self::NoAnswer,
        Self::Voicemail,
        Self::WrongNumber,
        Self::DoNotCall,
        Self::Failed,
        Self::Busy,
        Self::InvalidNumber,
        Self::Unknown,
    ];

    /// Whether whoever talked with the person may say so: what only a carrier can tell, such as an engaged line, they
    /// cannot.
    pub fn is_told_by_agents(self) -> bool {
        match self {
            Self::Successful
            | Self::AppointmentScheduled
            | Self::QualifiedLead
            | Self::SaleMade
            | Self::NotInterested
            | Self::Voicemail
            | Self::WrongNumber
            | Self::DoNotCall => true,
            Self::NoAnswer | Self::Failed | Self::Busy | Self::InvalidNumber | Self::Unknown => false,
        }
    }

    /// The name used in data and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::AppointmentScheduled => "appointment_scheduled",
            Self::QualifiedLead => "qualified_lead",
            Self::SaleMade => "sale_made",
            Self::NotInterested => "not_interested",
            Self::NoAnswer => "no_answer",
            Self::Voicemail => "voicemail",
            Self::WrongNumber => "wrong_number",
            Self::DoNotCall => "do_not_call",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::InvalidNumber => "invalid_number",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}

/// The text names no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an outcome; one of: {all}", all = Outcome::ALL.map(Outcome::name).join(", "))]
pub struct NotAnOutcome(pub String);

impl FromStr for Outcome {
    type Err = NotAnOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|outcome| outcome.name() == text);
        named.ok_or_else(|| NotAnOutcome(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_the_same_name_in_text_and_in_data() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.name().parse(), Ok(outcome));
            assert_eq!(
                serde_json::to_value(outcome).expect("serialises"),
                serde_json::Value::from(outcome.name())
            );
        }
    }
}
