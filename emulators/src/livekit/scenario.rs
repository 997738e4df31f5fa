//! What one dial of a number leads to: what the phone does, what the agent reports, and what goes wrong.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    agent::AgentScript,
    failure::{DisconnectReason, SipStatus},
    mix,
};
use crate::{
    carrier::{self, Phone, Quirk},
    millis,
};

/// One dial, from the request to the last webhook. All times are nominal.
///
/// ```
/// use outdial_emulators::livekit::{Outcome, Scenario};
/// let read: Scenario = serde_json::from_str(
///     r#"{"outcome": {"answered": {"talk_ms": 9000}}, "disconnect_reason": "MEDIA_FAILURE",
///         "quirks": ["reordered_callbacks", {"duplicate_callbacks": {"extra": 2}}]}"#,
/// ).expect("a scenario");
/// assert_eq!(read.quirks.len(), 2);
/// assert!(matches!(read.outcome, Outcome::Answered { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the phone does.
    pub outcome: Outcome,
    /// How long it rings before that.
    #[serde(rename = "ring_ms", with = "millis", default = "carrier::usual_ring")]
    pub ring: Duration,
    /// What goes wrong besides. Faults of the request play in this order, see [`Quirk`].
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// The final answer to the INVITE, where it is not the outcome's usual one.
    #[serde(default)]
    pub sip_status: Option<SipStatus>,
    /// Why the SIP participant leaves, where it is not for the usual reason.
    #[serde(default)]
    pub disconnect_reason: Option<DisconnectReason>,
    /// Attributes that the telephone company's answer adds, such as `sip.twilio.callSid`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What an agent dispatched to the room does.
    #[serde(default)]
    pub agent: AgentScript,
    /// What comes of a transfer.
    #[serde(default)]
    pub transfer: Transfer,
    /// What is wrong with the room's webhooks besides.
    #[serde(default)]
    pub events: Events,
}

/// What the phone does once it has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Somebody, or a voicemail, answers: on the wire the two are alike.
    Answered {
        /// Time until they hang up.
        #[serde(rename = "talk_ms", with = "millis")]
        talk: Duration,
    },
    /// Rings out: 480, unless our own ringing timeout comes first, which has no SIP status.
    NoAnswer,
    /// Engaged: 486, before it rings.
    Busy,
    /// Declined by whoever it rang for: 603.
    Rejected,
    /// There is no such number: 404, before it rings.
    InvalidNumber,
    /// The telephone company fails: 503, before it rings.
    Failed,
    /// Answered, but no audio ever comes, so that the bridge gives up after 30 s.
    NoMedia,
    /// Nothing is heard of it again: no webhook, and the participant stays at `dialing` until ringing
    /// timeout and longest duration have both passed, then is gone.
    Silent,
}

/// What comes of `TransferSIPParticipant`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transfer {
    /// The callee is handed over and leaves the room.
    #[default]
    Completed,
    /// The other side refuses; the call goes on.
    Rejected(SipStatus),
    /// The other side does not answer; the call goes on.
    RingingTimeout,
    /// The callee is handed over and leaves the room, and the connection breaks before the answer.
    Lost,
}

/// What is wrong with a room's webhooks, beyond the [`Quirk`]s that every carrier has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Events of these names are never sent.
    pub lost: Vec<String>,
    /// After each `participant_joined` comes an event of a type that nobody knows.
    pub unknown: bool,
    /// When the room is done, the first delivery comes once more, byte for byte, signature included.
    pub replayed: bool,
}

impl Scenario {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            ring: carrier::usual_ring(),
            quirks: Vec::new(),
            sip_status: None,
            disconnect_reason: None,
            attributes: BTreeMap::new(),
            agent: AgentScript::default(),
            transfer: Transfer::default(),
            events: Events::default(),
        }
    }

    /// Answered, and hung up after `talk`.
    pub fn answered(talk: Duration) -> Self {
        Self::new(Outcome::Answered { talk })
    }

    /// Declined.
    pub fn rejected() -> Self {
        Self::new(Outcome::Rejected)
    }

    /// No such number.
    pub fn invalid_number() -> Self {
        Self::new(Outcome::InvalidNumber)
    }

    /// Answered without a sound.
    pub fn no_media() -> Self {
        Self::new(Outcome::NoMedia)
    }

    /// The same with another final answer to the INVITE.
    pub fn with_status(self, code: u16, reason: &str) -> Self {
        Self { sip_status: Some(SipStatus::new(code, reason)), ..self }
    }

    /// The same with another reason to leave.
    pub fn leaving(self, reason: DisconnectReason) -> Self {
        Self { disconnect_reason: Some(reason), ..self }
    }

    /// The same with another agent.
    pub fn with_agent(self, agent: AgentScript) -> Self {
        Self { agent, ..self }
    }

    /// The same with another end of transfers.
    pub fn transferring(self, transfer: Transfer) -> Self {
        Self { transfer, ..self }
    }

    /// The same with these things wrong with webhooks.
    pub fn with_events(self, events: Events) -> Self {
        Self { events, ..self }
    }

    /// The final answer to the INVITE, if it is not 200.
    pub(super) fn refused_with(&self) -> Option<SipStatus> {
        let (code, reason) = match self.outcome {
            Outcome::Answered { .. } | Outcome::NoMedia | Outcome::Silent => return None,
            Outcome::NoAnswer => (480, "Temporarily Unavailable"),
            Outcome::Busy => (486, "Busy Here"),
            Outcome::Rejected => (603, "Decline"),
            Outcome::InvalidNumber => (404, "Not Found"),
            Outcome::Failed => (503, "Service Unavailable"),
        };
        Some(self.sip_status.clone().unwrap_or_else(|| SipStatus::new(code, reason)))
    }

    /// Whether the other side says that it rings.
    pub(super) fn rings(&self) -> bool {
        match self.outcome {
            Outcome::Answered { .. } | Outcome::NoAnswer | Outcome::Rejected | Outcome::NoMedia => true,
            Outcome::Busy | Outcome::InvalidNumber | Outcome::Failed | Outcome::Silent => false,
        }
    }
}

carrier::scenario!(Scenario, Outcome, mix::scenario);
