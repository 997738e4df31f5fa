//! A placed call: what is known of it, and how a test sees it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    dial::DialRequest,
    error::Refusal,
    failure::{DisconnectReason, SipStatus},
    scenario::Scenario,
};
use crate::{
    carrier::{self, Base},
    millis,
};

/// A call's status, as the attribute `sip.callStatus` shows it. A call that nobody answers stays at
/// the status it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The INVITE is out.
    Dialing,
    /// The other side says that it rings.
    Ringing,
    /// Answered; keys are being pressed.
    Automation,
    /// Answered.
    Active,
    /// Was answered, is over.
    Hangup,
}

impl Status {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Automation => "automation",
            Self::Active => "active",
            Self::Hangup => "hangup",
        }
    }
}

/// A call as the test's author sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// `SCL_…`, also the attribute `sip.callID`.
    pub sip_call_id: String,
    /// `PA_…` of the SIP participant.
    pub participant_id: String,
    /// Its identity.
    pub participant_identity: String,
    /// The room's name, which is also the dial key.
    pub room_name: String,
    /// The API key that it was dialled with.
    pub account: String,
    /// The callee, E.164.
    pub number: String,
    /// Where it stands.
    pub status: Status,
    /// The final answer to the INVITE, if it is not 200.
    pub sip_status: Option<SipStatus>,
    /// Why it is over, once it is.
    pub disconnect_reason: Option<DisconnectReason>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When somebody answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Nominal time talked.
    #[serde(rename = "talk_ms", with = "millis")]
    pub talk: Duration,
    /// How often it was to be transferred, once it was answered.
    pub transfers: u32,
    /// Reports of agents that got a 2xx.
    pub reports_delivered: u32,
    /// Reports of agents that were given up.
    pub reports_lost: u32,
}

/// What a request that waits for the answer is told.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Pending,
    Answered,
    Failed(Refusal),
}

/// The emulator's record of a call. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) base: Base,
    pub(super) request: Arc<DialRequest>,
    pub(super) scenario: Arc<Scenario>,
    /// The SIP participant's.
    pub(super) participant: Arc<str>,
    pub(super) status: Status,
    pub(super) sip_status: Option<SipStatus>,
    pub(super) reason: Option<DisconnectReason>,
    pub(super) answered: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    pub(super) talk: Duration,
    pub(super) transfers: u32,
    pub(super) reports_delivered: u32,
    pub(super) reports_lost: u32,
    pub(super) verdict: Arc<watch::Sender<Verdict>>,
    /// Set when the SIP participant is taken out of its room.
    pub(super) gone: Arc<watch::Sender<Option<DisconnectReason>>>,
}

impl carrier::Call for Call {
    type Report = CallReport;

    fn base(&self) -> &Base {
        &self.base
    }

    fn base_mut(&mut self) -> &mut Base {
        &mut self.base
    }

    fn report(&self) -> CallReport {
        CallReport {
            sip_call_id: self.base.id.to_string(),
            participant_id: self.participant.to_string(),
            participant_identity: self.request.identity.clone(),
            room_name: self.request.room.clone(),
            account: self.base.account.to_string(),
            number: self.base.phone.to_string(),
            status: self.status,
            sip_status: self.sip_status.clone(),
            disconnect_reason: self.reason,
            accepted_at: self.base.created,
            answered_at: self.answered,
            ended_at: self.ended,
            talk: self.talk,
            transfers: self.transfers,
            reports_delivered: self.reports_delivered,
            reports_lost: self.reports_lost,
        }
    }
}
