//! A placed call: what is known of it, and how each API shows it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::{action::Action, dial::DialRequest, hangup::Hangup, instant, recording::Saved, stream, texml};
use crate::{
    carrier::{self, Base},
    millis,
};

/// Where a call stands, in TeXML's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Accepted, not yet ringing.
    Queued,
    /// Ringing.
    Ringing,
    /// Answered.
    InProgress,
    /// Was answered, is over.
    Completed,
    /// Could not be placed, or was declined.
    Failed,
    /// Engaged.
    Busy,
    /// Rang out.
    NoAnswer,
    /// Given up by us while it rang.
    Canceled,
}

impl Status {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is over.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Busy | Self::NoAnswer | Self::Canceled => true,
        }
    }
}

/// A call as the test's author sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// Call control id, which is TeXML's call SID.
    pub id: String,
    /// Id of the leg.
    pub leg_id: String,
    /// Id that the legs of one call share.
    pub session_id: String,
    /// Account id.
    pub account: String,
    /// Our dial key.
    pub key: Option<String>,
    /// The number dialled, E.164.
    pub number: String,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub hangup: Option<Hangup>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When somebody answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Nominal time talked.
    #[serde(rename = "talk_ms", with = "millis")]
    pub talk: Duration,
    /// What happened on the media stream, once that has closed.
    pub stream: Option<stream::StreamReport>,
    /// Keys that commands had the carrier press.
    pub digits_sent: String,
    /// What was played to whoever answered a second leg, before it was bridged, as far as it is words.
    pub briefed: Option<String>,
    /// What in the TeXML is not emulated and was left out.
    pub ignored: Vec<String>,
    /// What was said and played to the person by documents.
    pub told: Vec<String>,
}

/// The emulator's record of a call. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) base: Base,
    pub(super) leg: Arc<str>,
    pub(super) session: Arc<str>,
    pub(super) request: Arc<DialRequest>,
    /// Base64; a command may replace it.
    pub(super) client_state: Option<Arc<str>>,
    pub(super) status: Status,
    pub(super) answered: Option<DateTime<Utc>>,
    pub(super) ended: Option<(DateTime<Utc>, Instant)>,
    pub(super) talk: Duration,
    pub(super) hangup: Option<Hangup>,
    /// What detection found, in TeXML's words.
    pub(super) answered_by: Option<&'static str>,
    pub(super) streaming: bool,
    pub(super) stream: Option<stream::StreamReport>,
    pub(super) recordings: Arc<[Saved]>,
    pub(super) digits_sent: Arc<str>,
    pub(super) briefed: Option<Arc<str>>,
    pub(super) ignored: Arc<[String]>,
    pub(super) told: Arc<[String]>,
    /// What it was like, for reads that lag behind.
    pub(super) past: Vec<(Instant, texml::Shown)>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// What a call is told from outside.
#[derive(Debug)]
pub(super) enum Letter {
    /// A command.
    Act(Action),
    /// Other TeXML is to be carried out from now on.
    Redirect(texml::Source),
    /// From its media stream.
    Stream(stream::News),
    /// Its second leg was answered.
    LegAnswered,
    /// Its second leg is over.
    LegOver(Box<Call>),
}

/// Where letters wait until the call's life reads them.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<VecDeque<Letter>>,
    pub(super) arrived: Notify,
}

impl Mailbox {
    pub(super) fn post(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push_back(letter);
        self.arrived.notify_one();
    }

    pub(super) fn take(&self) -> Option<Letter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// A fresh `call_control_id`: opaque, with the characters that must survive a URL.
pub(super) fn new_id() -> String {
    let (first, second) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
    format!("v3:{}-{}_{}", &first[..22], &first[22..], second)
}

impl Call {
    pub(super) fn new(base: Base, request: Arc<DialRequest>) -> Self {
        let leg: Arc<str> = Uuid::new_v4().to_string().into();
        let session = request
            .partner
            .as_ref()
            .map_or_else(|| Uuid::new_v4().to_string().into(), |partner| partner.session.clone());
        let client_state = request.client_state.as_deref().map(Into::into);
        Self {
            base,
            leg,
            session,
            request,
            client_state,
            status: Status::Queued,
            answered: None,
            ended: None,
            talk: Duration::ZERO,
            hangup: None,
            answered_by: None,
            streaming: false,
            stream: None,
            recordings: Arc::new([]),
            digits_sent: "".into(),
            briefed: None,
            ignored: Arc::new([]),
            told: Arc::new([]),
            past: Vec::new(),
            mailbox: Arc::default(),
        }
    }

    /// `call_control_id`
    pub(super) fn id(&self) -> &str {
        &self.base.id
    }

    pub(super) fn account(&self) -> &str {
        &self.base.account
    }

    /// Keeps what reads that lag behind will show.
    pub(super) fn remember(&mut self) {
        let shown = texml::Shown::of(self);
        self.past.push((Instant::now(), shown));
    }

    /// `data` of the dial and of `GET /v2/calls/{id}`.
    pub(super) fn resource(&self) -> Value {
        let mut data = self.identity();
        data["is_alive"] = (!self.status.is_terminal() && self.status != Status::Queued).into();
        data["start_time"] = instant(self.base.created).into();
        data["call_duration"] = self.talk.as_secs().into();
        if let Some((ended, _)) = self.ended {
            data["end_time"] = instant(ended).into();
        }
        data
    }

    /// The ids, and the client state if there is one.
    pub(super) fn identity(&self) -> Value {
        let mut data = json!({
            "record_type": "call",
            "call_control_id": self.id(),
            "call_leg_id": &*self.leg,
            "call_session_id": &*self.session,
        });
        if let Some(state) = &self.client_state {
            data["client_state"] = state.as_ref().into();
        }
        data
    }
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
            id: self.id().to_owned(),
            leg_id: self.leg.to_string(),
            session_id: self.session.to_string(),
            account: self.account().to_owned(),
            key: self.base.key.as_deref().map(str::to_owned),
            number: self.base.phone.to_string(),
            status: self.status,
            hangup: self.hangup.clone(),
            accepted_at: self.base.created,
            answered_at: self.answered,
            ended_at: self.ended.map(|(at, _)| at),
            talk: self.talk,
            stream: self.stream.clone(),
            digits_sent: self.digits_sent.to_string(),
            briefed: self.briefed.as_deref().map(str::to_owned),
            ignored: self.ignored.to_vec(),
            told: self.told.to_vec(),
        }
    }
}
