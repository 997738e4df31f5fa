//! Recordings: what is asked for and what comes of it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{call::Call, fields::Fields, instant, reply::Refusal};

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) channels: &'static str,
    pub(super) format: &'static str,
}

/// A recording that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) recording: Recording,
    pub(super) started: DateTime<Utc>,
    pub(super) ended: DateTime<Utc>,
    /// Nominal milliseconds.
    pub(super) duration_ms: u64,
    pub(super) initiated_by: &'static str,
}

impl Recording {
    pub(super) fn new(channels: &'static str, format: &'static str) -> Self {
        Self { id: Uuid::new_v4().to_string(), channels, format }
    }

    /// `record` and what belongs to it, in a dial.
    pub(super) fn from_answer(fields: Fields<'_>) -> Result<Option<Self>, Refusal> {
        let wanted = fields.one_of("record", &["record-from-answer"])?;
        let channels = fields.one_of("record_channels", &["single", "dual"])?;
        let format = fields.one_of("record_format", &["wav", "mp3"])?;
        fields.one_of("record_track", &["both", "inbound", "outbound"])?;
        fields.one_of("record_trim", &["trim-silence"])?;
        fields.whole("record_max_length", 0..=14_400, "10033")?;
        fields.whole("record_timeout_secs", 0..=14_400, "10033")?;
        Ok(wanted.map(|_| Self::new(channels.unwrap_or("dual"), format.unwrap_or("mp3"))))
    }

    /// The command `record_start`.
    pub(super) fn started(fields: Fields<'_>) -> Result<Self, Refusal> {
        let channels = fields.one_of("channels", &["single", "dual"])?;
        let format = fields.one_of("format", &["wav", "mp3"])?;
        let channels = channels.ok_or_else(|| Refusal::missing("channels"))?;
        Ok(Self::new(channels, format.ok_or_else(|| Refusal::missing("format"))?))
    }
}

impl Saved {
    pub(super) fn url(&self) -> String {
        let Recording { id, format, .. } = &self.recording;
        format!("https://s3.amazonaws.com/telephony-recorder-prod/{id}.{format}")
    }

    /// What `call.recording.saved` says besides.
    pub(super) fn event(&self) -> Value {
        let mut urls = json!({});
        urls[self.recording.format] = self.url().into();
        json!({
            "recording_id": self.recording.id,
            "channels": self.recording.channels,
            "format": self.recording.format,
            "recording_started_at": instant(self.started),
            "recording_ended_at": instant(self.ended),
            "recording_urls": urls,
            "public_recording_urls": {},
        })
    }

    /// An item of `GET /v2/recordings`.
    pub(super) fn resource(&self, call: &Call) -> Value {
        let mut urls = json!({});
        urls[self.recording.format] = self.url().into();
        json!({
            "record_type": "recording",
            "id": self.recording.id,
            "call_control_id": call.id(),
            "call_leg_id": &*call.leg,
            "call_session_id": &*call.session,
            "connection_id": call.request.connection,
            "channels": self.recording.channels,
            "from": call.request.from,
            "to": call.request.to,
            "duration_millis": self.duration_ms,
            "recording_started_at": instant(self.started),
            "recording_ended_at": instant(self.ended),
            "created_at": instant(self.ended),
            "updated_at": instant(self.ended),
            "source": "call",
            "status": "completed",
            "initiated_by": self.initiated_by,
            "download_urls": urls,
        })
    }
}
