//! A placed call: what is known of it, and how each API shows it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    dial::{DialRequest, Mode},
    phone::domestic,
    stream::StreamReport,
};
use crate::{
    carrier::{self, Base, Phone},
    millis,
};

/// Call status as v1 shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Accepted, not yet ringing.
    Queued,
    /// Ringing.
    Ringing,
    /// Answered, or given up as silent.
    InProgress,
    /// Was answered, is over.
    Completed,
    /// Could not be placed.
    Failed,
    /// Engaged.
    Busy,
    /// Rang out.
    NoAnswer,
    /// Cancelled by the carrier.
    Canceled,
}

impl Status {
    /// All of them, in the order of the documents.
    pub(super) const ALL: [Self; 8] = [
        Self::Queued,
        Self::Ringing,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Busy,
        Self::NoAnswer,
        Self::Canceled,
    ];

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
    /// SID.
    pub sid: String,
    /// Account SID.
    pub account: String,
    /// The request's `CustomField`.
    pub key: Option<String>,
    /// The customer, E.164.
    pub number: String,
    /// Where it stands.
    pub status: Status,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When somebody answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Nominal time talked.
    #[serde(rename = "talk_ms", with = "millis")]
    pub talk: Duration,
    /// What happened on the bot's socket, once that has closed.
    pub stream: Option<StreamReport>,
}

/// The emulator's record of a call. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) base: Base,
    pub(super) request: Arc<DialRequest>,
    pub(super) status: Status,
    pub(super) answered: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    /// When `EndTime`, `Duration` and `Price` may be shown.
    pub(super) settled: Option<Instant>,
    pub(super) talk: Duration,
    pub(super) stream: Option<StreamReport>,
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
            sid: self.sid().to_owned(),
            account: self.account().to_owned(),
            key: self.request.custom_field.clone(),
            number: self.phone().to_string(),
            status: self.status,
            accepted_at: self.base.created,
            answered_at: self.answered,
            ended_at: self.ended,
            talk: self.talk,
            stream: self.stream.clone(),
        }
    }
}

impl Call {
    pub(super) fn sid(&self) -> &str {
        &self.base.id
    }

    pub(super) fn account(&self) -> &str {
        &self.base.account
    }

    pub(super) fn phone(&self) -> Phone {
        self.base.phone
    }

    /// `To`: the second person, or else the ExoPhone.
    pub(super) fn to(&self) -> Phone {
        match self.request.mode {
            Mode::Bridge { to } => to,
            Mode::Bot(_) | Mode::Flow { .. } => self.request.exophone,
        }
    }

    pub(super) fn recording_url(&self) -> Option<String> {
        let recorded = self.request.record && self.status == Status::Completed;
        recorded.then(|| format!("https://recordings.exotel.com/{}/{}.mp3", self.account(), self.sid()))
    }

    /// The object inside `{"Call": …}`; `shown` replaces the true status in the connect response.
    pub(super) fn v1(&self, zone: Zone, shown: Option<Status>) -> Value {
        let settled = self.settled.is_some_and(|at| at <= Instant::now());
        json!({
            "Sid": self.sid(),
            "ParentCallSid": null,
            "DateCreated": zone.v1(self.base.created),
            "DateUpdated": zone.v1(self.base.updated),
            "AccountSid": self.account(),
            "To": domestic(self.to()),
            "From": domestic(self.phone()),
            "PhoneNumberSid": domestic(self.request.exophone),
            "Status": shown.unwrap_or(self.status).name(),
            "StartTime": zone.v1(self.answered.unwrap_or(self.base.created)),
            "EndTime": self.ended.filter(|_| settled).map(|at| zone.v1(at)),
            "Duration": settled.then(|| self.talk.as_secs().to_string()),
            "Price": settled.then(|| self.price()),
            "Direction": "outbound-api",
            "AnsweredBy": null,
            "ForwardedFrom": null,
            "CallerName": null,
            "Uri": format!("/v1/Accounts/{}/Calls.json/{}", self.account(), self.sid()),
            "RecordingUrl": self.recording_url(),
        })
    }

    /// `Details`, which `details=true` adds.
    pub(super) fn details(&self) -> Value {
        let settled = self.settled.is_some_and(|at| at <= Instant::now());
        let talk = settled.then_some(self.talk.as_secs());
        let second = match self.request.mode {
            Mode::Bridge { .. } => self.legs().nth(1).flatten(),
            Mode::Bot(_) | Mode::Flow { .. } => None,
        };
        let leg = |(id, _)| json!({"Leg": {"Id": id, "OnCallDuration": talk}});
        json!({
            "ConversationDuration": talk,
            "Leg1Status": self.legs().next().flatten().map(Status::name),
            "Leg2Status": second.map(Status::name),
            "Legs": (1..).zip(self.legs()).map(leg).collect::<Vec<_>>(),
        })
    }

    /// The status of each leg; `None` while it runs or if it was not tried.
    pub(super) fn legs(&self) -> impl Iterator<Item = Option<Status>> {
        let first = Some(self.status).filter(|status| status.is_terminal());
        let second = match self.request.mode {
            Mode::Bridge { .. } => Some(first.filter(|status| *status == Status::Completed)),
            Mode::Bot(_) | Mode::Flow { .. } => None,
        };
        std::iter::once(first).chain(second)
    }

    /// `call_details` of the v3 read.
    pub(super) fn v3(&self, zone: Zone, origin: &str) -> Value {
        let end = self.ended.unwrap_or(DateTime::UNIX_EPOCH);
        json!({
            "sid": self.sid(),
            "direction": "outbound-api",
            "virtual_number": self.request.exophone.to_string(),
            "state": if self.status.is_terminal() { "terminal" } else { "active" },
            "status": self.v3_status(),
            "created_time": zone.v3(self.base.created),
            "updated_time": zone.v3(self.base.updated),
            "start_time": zone.v3(self.answered.unwrap_or(self.base.created)),
            "end_time": zone.v3(end),
            "total_duration": self.talk.as_secs(),
            "total_talk_time": self.talk.as_secs(),
            "custom_field": self.request.custom_field,
            "app_id": match &self.request.mode {
                Mode::Flow { id, .. } => Some(id),
                Mode::Bot(_) | Mode::Bridge { .. } => None,
            },
            "digits": null,
            "recordings": self.recording_url().map(|url| json!({"url": url})).into_iter().collect::<Vec<_>>(),
            "legs": format!("{origin}/v3/accounts/{}/calls/{}/legs", self.account(), self.sid()),
        })
    }

    fn v3_status(&self) -> Option<&'static str> {
        match self.status {
            Status::Queued | Status::Ringing | Status::InProgress => None,
            Status::Completed => Some("completed"),
            Status::NoAnswer | Status::Busy => Some("from_leg_unanswered"),
            Status::Failed => Some("from_leg_no_dial"),
            Status::Canceled => Some("from_leg_cancelled"),
        }
    }

    /// Sixty paise for each begun minute.
    fn price(&self) -> String {
        let minutes = self.talk.as_millis().div_ceil(60_000);
        format!("{}.{}00", minutes * 6 / 10, minutes * 6 % 10)
    }
}

/// Local time of the account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone(FixedOffset);

impl Zone {
    /// `minutes` east of UTC, as a checked config has it.
    pub(super) fn new(minutes: i32) -> Self {
        Self(FixedOffset::east_opt(minutes * 60).expect("a checked config's zone is within a day"))
    }

    pub(super) fn offset(self) -> FixedOffset {
        self.0
    }

    /// Without a zone.
    pub(super) fn v1(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// With one.
    fn v3(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).format("%Y-%m-%d %H:%M:%S%:z").to_string()
    }
}
