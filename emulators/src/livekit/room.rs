//! One room: who is in it, which agents are wanted there, and the queues of its webhooks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    agent::AgentScript,
    call::Call,
    config::RoomDefaults,
    id,
    participant::{Dispatch, Kind, Participant},
    scenario::Events,
    webhook::Queue,
};
use crate::carrier::Manner;

/// A room that is open.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) sid: String,
    pub(super) name: String,
    pub(super) metadata: String,
    pub(super) max_participants: u32,
    pub(super) empty_timeout: Duration,
    pub(super) departure_timeout: Duration,
    pub(super) created: DateTime<Utc>,
    pub(super) participants: Vec<Participant>,
    pub(super) dispatches: Vec<Dispatch>,
    /// Whether anybody but an agent has ever been here.
    pub(super) visited: bool,
    /// Somebody came or went.
    pub(super) pulse: Arc<Notify>,
    /// What the agents here hear of the phone.
    pub(super) line: watch::Sender<Line>,
    /// How its webhooks are sent, as the scenario of its latest call has it.
    pub(super) manner: Arc<Manner>,
    pub(super) events: Arc<Events>,
    /// By the URL they go to.
    pub(super) queues: HashMap<String, Queue>,
}

/// The latest call in a room, as an agent perceives it.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// Which call it is.
    pub(super) call: Option<Arc<str>>,
    pub(super) answered: Option<Answered>,
    /// How long was talked, once the call is over.
    pub(super) over: Option<Duration>,
}

/// A call that somebody answered.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) call: Call,
    pub(super) at: Instant,
    /// How long it lasts, unless somebody ends it before.
    pub(super) at_most: Duration,
    pub(super) script: Arc<AgentScript>,
}

/// What a room's creator may ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    pub(super) metadata: String,
    pub(super) max_participants: u32,
    pub(super) empty_timeout: Option<Duration>,
    pub(super) departure_timeout: Option<Duration>,
}

impl Room {
    pub(super) fn new(name: &str, wishes: Wishes, defaults: &RoomDefaults, now: DateTime<Utc>) -> Self {
        Self {
            sid: id::new("RM_"),
            name: name.to_owned(),
            metadata: wishes.metadata,
            max_participants: wishes.max_participants,
            empty_timeout: wishes.empty_timeout.unwrap_or(defaults.empty_timeout),
            departure_timeout: wishes.departure_timeout.unwrap_or(defaults.departure_timeout),
            created: now,
            participants: Vec::new(),
            dispatches: Vec::new(),
            visited: false,
            pulse: Arc::new(Notify::new()),
            line: watch::Sender::new(Line::default()),
            manner: Arc::new(Manner::of(&[])),
            events: Arc::new(Events::default()),
            queues: HashMap::new(),
        }
    }

    /// The `Room` message.
    pub(super) fn info(&self) -> Value {
        let publishers = self.participants.iter().filter(|one| one.track.is_some()).count();
        json!({
            "sid": self.sid,
            "name": self.name,
            "empty_timeout": self.empty_timeout.as_secs(),
            "departure_timeout": self.departure_timeout.as_secs(),
            "max_participants": self.max_participants,
            "creation_time": self.created.timestamp(),
            "creation_time_ms": self.created.timestamp_millis(),
            "metadata": self.metadata,
            "num_participants": self.participants.len(),
            "num_publishers": publishers,
        })
    }

    pub(super) fn by_identity(&self, identity: &str) -> Option<&Participant> {
        self.participants.iter().find(|one| one.identity == identity)
    }

    pub(super) fn by_identity_mut(&mut self, identity: &str) -> Option<&mut Participant> {
        self.participants.iter_mut().find(|one| one.identity == identity)
    }

    pub(super) fn by_sid_mut(&mut self, sid: &str) -> Option<&mut Participant> {
        self.participants.iter_mut().find(|one| one.sid == sid)
    }

    pub(super) fn dispatch_mut(&mut self, id: &str) -> Option<&mut Dispatch> {
        self.dispatches.iter_mut().find(|one| one.id == id)
    }

    /// When the room closes, counted from the latest coming or going; `None` while somebody is here.
    /// Agents do not count: they leave with the last caller.
    pub(super) fn closes_after(&self) -> Option<Duration> {
        let empty = self.participants.iter().all(|one| one.kind == Kind::Agent);
        let after = if self.visited { self.departure_timeout } else { self.empty_timeout };
        empty.then_some(after)
    }

    /// Takes out whoever has this sid, as they were in the end.
    pub(super) fn take(&mut self, sid: &str) -> Option<Participant> {
        let place = self.participants.iter().position(|one| one.sid == sid)?;
        Some(self.participants.remove(place))
    }
}

/// Rewrites attributes as a request asks: an empty value deletes.
pub(super) fn merge(attributes: &mut BTreeMap<String, String>, changes: BTreeMap<String, String>) {
    for (name, value) in changes {
        if value.is_empty() {
            attributes.remove(&name);
        } else {
            attributes.insert(name, value);
        }
    }
}
