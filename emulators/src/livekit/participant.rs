//! Who is in a room, and what a job of an agent is.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{DisconnectReason, id};

/// A participant's part in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    Sip,
    Agent,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum State {
    Joining,
    Active,
    Disconnected,
}

/// Somebody in a room.
#[derive(Debug, Clone)]
pub(super) struct Participant {
    pub(super) sid: String,
    pub(super) identity: String,
    pub(super) name: String,
    pub(super) metadata: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) joined: DateTime<Utc>,
    pub(super) version: u32,
    /// Its audio, once it is active.
    pub(super) track: Option<String>,
    /// Tells whoever plays it that it is gone, and why.
    pub(super) gone: Arc<watch::Sender<Option<DisconnectReason>>>,
}

impl Participant {
    pub(super) fn new(kind: Kind, identity: String, now: DateTime<Utc>) -> Self {
        Self {
            sid: id::new("PA_"),
            identity,
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            kind,
            state: State::Joining,
            joined: now,
            version: 1,
            track: None,
            gone: Arc::new(watch::Sender::new(None)),
        }
    }

    /// A `ParticipantInfo`.
    pub(super) fn info(&self, reason: Option<DisconnectReason>) -> Value {
        json!({
            "sid": self.sid,
            "identity": self.identity,
            "state": self.state,
            "tracks": self.track_info().into_iter().collect::<Vec<_>>(),
            "metadata": self.metadata,
            "joined_at": self.joined.timestamp(),
            "joined_at_ms": self.joined.timestamp_millis(),
            "name": self.name,
            "version": self.version,
            "permission": {
                "can_subscribe": true,
                "can_publish": true,
                "can_publish_data": true,
                "can_update_metadata": self.kind == Kind::Agent,
                "agent": self.kind == Kind::Agent,
            },
            "is_publisher": self.track.is_some(),
            "kind": self.kind,
            "attributes": self.attributes,
            "disconnect_reason": reason,
        })
    }

    /// Whether it was ever active.
    pub(super) fn was_active(&self) -> bool {
        self.state == State::Active
    }

    /// All that an event about a track says of its participant.
    pub(super) fn brief(&self) -> Value {
        json!({"sid": self.sid, "identity": self.identity})
    }

    pub(super) fn track_info(&self) -> Option<Value> {
        let sid = self.track.as_ref()?;
        Some(json!({"sid": sid, "source": "MICROPHONE", "mime_type": "audio/opus", "mid": "0"}))
    }
}

/// Where an agent's job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum JobStatus {
    #[serde(rename = "JS_PENDING")]
    Pending,
    #[serde(rename = "JS_RUNNING")]
    Running,
    #[serde(rename = "JS_SUCCESS")]
    Success,
    #[serde(rename = "JS_FAILED")]
    Failed,
}

/// What an agent was given to do.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) status: JobStatus,
    pub(super) error: String,
    pub(super) identity: String,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
}

/// A wish to have an agent in a room.
#[derive(Debug, Clone)]
pub(super) struct Dispatch {
    pub(super) id: String,
    pub(super) agent_name: String,
    pub(super) metadata: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) restart_policy: Value,
    pub(super) deployment: String,
    pub(super) created: DateTime<Utc>,
    /// None where no such agent is registered.
    pub(super) job: Option<Job>,
}

fn nanos(at: Option<DateTime<Utc>>) -> i64 {
    at.and_then(|at| at.timestamp_nanos_opt()).unwrap_or_default()
}

impl Dispatch {
    /// An `AgentDispatch`.
    pub(super) fn info(&self, room: &str, deleted: Option<DateTime<Utc>>) -> Value {
        let jobs: Vec<_> = self.job.iter().map(|job| self.job_info(job, &json!({"name": room}))).collect();
        json!({
            "id": self.id,
            "agent_name": self.agent_name,
            "room": room,
            "metadata": self.metadata,
            "state": {"jobs": jobs, "created_at": nanos(Some(self.created)), "deleted_at": nanos(deleted)},
            "restart_policy": self.restart_policy,
            "deployment": self.deployment,
            "attributes": self.attributes,
        })
    }

    /// A `Job`, in its room.
    pub(super) fn job_info(&self, job: &Job, room: &Value) -> Value {
        json!({
            "id": job.id,
            "type": "JT_ROOM",
            "room": room,
            "metadata": self.metadata,
            "agent_name": self.agent_name,
            "state": {
                "status": job.status,
                "error": job.error,
                "started_at": nanos(job.started),
                "ended_at": nanos(job.ended),
                "updated_at": nanos(job.ended.or(job.started)),
                "participant_identity": job.identity,
                "worker_id": "AW_emulator",
            },
            "dispatch_id": self.id,
            "deployment": self.deployment,
            "attributes": self.attributes,
        })
    }
}
