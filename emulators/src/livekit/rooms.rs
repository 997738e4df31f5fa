//! All rooms, how they come and go, and what is told of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    DisconnectReason, Hub, World, agent,
    budget::Budgets,
    config::Config,
    id,
    participant::{Dispatch, JobStatus, Kind, Participant, State},
    room::{Room, Wishes},
    webhook::{self, Outgoing},
};
use crate::{
    carrier::{Forgery, Paced as _},
    clock,
};

/// What the server remembers besides calls.
#[derive(Debug, Default)]
pub struct Rooms {
    open: HashMap<String, Room>,
    /// What is to run as a task of its own; started by [`act`].
    chores: Vec<Chore>,
    /// Lives as long as this world: what is queued for another is not to be sent.
    era: Arc<()>,
    pub(super) budgets: Budgets,
}

/// Work that goes on beside the calls.
#[derive(Debug)]
pub(super) enum Chore {
    Keep { room: String, sid: String },
    Deliver(webhook::Outbox),
    Attend(agent::Assignment),
}

/// Changes the world, and then starts what the change calls for.
pub(super) fn act<T>(hub: &Arc<Hub>, change: impl FnOnce(&mut World) -> T) -> T {
    let (result, chores) = hub.change(|world| (change(world), std::mem::take(&mut world.more.chores)));
    for chore in chores {
        match chore {
            Chore::Keep { room, sid } => hub.spawn(keep(hub.clone(), room, sid)),
            Chore::Deliver(outbox) => hub.spawn(webhook::deliver(hub.clone(), outbox)),
            Chore::Attend(assignment) => hub.spawn(agent::attend(hub.clone(), assignment)),
        }
    }
    result
}

/// Closes a room once it has been empty for long enough.
async fn keep(hub: Arc<Hub>, name: String, sid: String) {
    let look = || {
        let world = hub.read();
        let room = world.more.get(&name).filter(|room| room.sid == sid)?;
        Some((room.pulse.clone(), room.closes_after()))
    };
    while let Some((pulse, closes_after)) = look() {
        let Some(after) = closes_after else {
            pulse.notified().await;
            continue;
        };
        tokio::select! {
            () = pulse.notified() => {}
            () = sleep(hub.config().pace().wall(after)) => {
                let config = hub.config();
                act(&hub, |world| {
                    let room = world.more.get(&name).filter(|room| room.sid == sid);
                    if room.is_some_and(|room| room.closes_after().is_some()) {
                        let reason = DisconnectReason::RoomClosed;
                        world.more.close(&config, &name, reason, "ROOM_END_IDLE_TIMEOUT");
                    }
                });
            }
        }
    }
}

impl Rooms {
    pub(super) fn get(&self, name: &str) -> Option<&Room> {
        self.open.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Room> {
        self.open.get_mut(name)
    }

    /// In the order opened.
    pub(super) fn all(&self) -> Vec<&Room> {
        let mut rooms: Vec<_> = self.open.values().collect();
        rooms.sort_by(|one, other| (one.created, &one.name).cmp(&(other.created, &other.name)));
        rooms
    }

    /// Opens a room unless there is one of this name; `prepare` is done before anything is told.
    pub(super) fn open(
        &mut self,
        config: &Config,
        name: &str,
        wishes: Wishes,
        prepare: impl FnOnce(&mut Room),
    ) -> bool {
        if let Some(known) = self.open.get_mut(name) {
            prepare(known);
            return false;
        }
        let mut room = Room::new(name, wishes, &config.rooms, clock::now());
        prepare(&mut room);
        self.chores.push(Chore::Keep { room: name.to_owned(), sid: room.sid.clone() });
        self.open.insert(name.to_owned(), room);
        self.tell(config, name, "room_started", json!({}));
        true
    }

    /// Lets somebody in who is not active yet. Whoever has the same identity has to go.
    pub(super) fn enter(&mut self, config: &Config, name: &str, participant: Participant) {
        let same = self.get(name).and_then(|room| room.by_identity(&participant.identity));
        if let Some(sid) = same.map(|same| same.sid.clone()) {
            self.leave(config, name, &sid, DisconnectReason::DuplicateIdentity);
        }
        let Some(room) = self.open.get_mut(name) else { return };
        room.visited |= participant.kind != Kind::Agent;
        room.participants.push(participant);
        room.pulse.notify_one();
    }

    /// Makes a participant active and lets it publish its audio.
    pub(super) fn join(&mut self, config: &Config, name: &str, sid: &str) {
        let Some(one) = self.get_mut(name).and_then(|room| room.by_sid_mut(sid)) else { return };
        one.state = State::Active;
        one.joined = clock::now();
        let joined = one.info(None);
        self.tell(config, name, "participant_joined", json!({"participant": joined}));
        if self.get(name).is_some_and(|room| room.events.unknown) {
            self.tell(config, name, "participant_mood_changed", json!({"participant": joined}));
        }
        let Some(one) = self.get_mut(name).and_then(|room| room.by_sid_mut(sid)) else { return };
        one.track = Some(id::new("TR_"));
        one.version += 1;
        let published = json!({"participant": one.brief(), "track": one.track_info()});
        self.tell(config, name, "track_published", published);
    }

    /// Takes somebody out; `false` if they were not there.
    pub(super) fn leave(&mut self, config: &Config, name: &str, sid: &str, reason: DisconnectReason) -> bool {
        let Some(room) = self.open.get_mut(name) else { return false };
        let Some(mut one) = room.take(sid) else { return false };
        room.pulse.notify_one();
        let status = one.attributes.get("sip.callStatus").map_or("", String::as_str);
        if matches!(status, "automation" | "active") {
            one.attributes.insert("sip.callStatus".into(), "hangup".into());
        }
        let was_active = one.was_active();
        one.state = State::Disconnected;
        if let Some(track) = one.track_info() {
            let unpublished = json!({"participant": one.brief(), "track": track});
            self.tell(config, name, "track_unpublished", unpublished);
            one.track = None;
        }
        let event = if was_active { "participant_left" } else { "participant_connection_aborted" };
        self.tell(config, name, event, json!({"participant": one.info(Some(reason))}));
        one.gone.send_replace(Some(reason));
        true
    }

    /// Closes a room; `false` if there is none. Agents at work end their jobs by themselves.
    pub(super) fn close(
        &mut self,
        config: &Config,
        name: &str,
        reason: DisconnectReason,
        end: &'static str,
    ) -> bool {
        let Some(room) = self.get(name) else { return false };
        let sids: Vec<_> = room.participants.iter().map(|one| one.sid.clone()).collect();
        for sid in sids {
            self.leave(config, name, &sid, reason);
        }
        let jobs = self.get(name).into_iter().flat_map(|room| &room.dispatches);
        let unfinished = |one: &&Dispatch| one.job.as_ref().is_some_and(|job| job.ended.is_none());
        let ids: Vec<String> = jobs.filter(unfinished).map(|one| one.id.clone()).collect();
        for id in ids {
            self.end_job(config, name, &id, None);
        }
        self.tell(config, name, "room_finished", json!({"room_end_reason": end}));
        self.open.remove(name);
        true
    }

    /// Notes a wish for an agent, who comes if one of that name is registered.
    pub(super) fn dispatch(&mut self, config: &Config, name: &str, mut dispatch: Dispatch) {
        let Some(room) = self.open.get_mut(name) else { return };
        if config.agents.contains(&dispatch.agent_name) {
            let job = agent::job();
            self.chores.push(Chore::Attend(agent::Assignment::new(room, &dispatch, &job)));
            dispatch.job = Some(job);
        }
        room.dispatches.push(dispatch);
    }

    /// Writes down how a job ended, once, and tells it.
    pub(super) fn end_job(&mut self, config: &Config, name: &str, dispatch: &str, error: Option<&str>) {
        let Some(room) = self.open.get_mut(name) else { return };
        let shown = room.info();
        let Some(dispatch) = room.dispatch_mut(dispatch) else { return };
        let Some(job) = dispatch.job.as_mut().filter(|job| job.ended.is_none()) else { return };
        job.ended = Some(clock::now());
        job.status = if error.is_some() { JobStatus::Failed } else { JobStatus::Success };
        job.error = error.unwrap_or_default().to_owned();
        let job = job.clone();
        let told = json!({"job": dispatch.job_info(&job, &shown)});
        self.tell(config, name, "agent_job_ended", told);
    }

    /// Queues an event of a room. What it says is as of now.
    pub(super) fn tell(&mut self, config: &Config, name: &str, event: &'static str, mut body: Value) {
        let Some(room) = self.open.get_mut(name) else { return };
        if config.webhooks.urls.is_empty() {
            return;
        }
        let lost = room.manner.none || room.events.lost.iter().any(|lost| lost == event);
        if lost || !config.webhooks.wants(event) {
            return;
        }
        body["event"] = event.into();
        body["room"] = room.info();
        body["id"] = id::new("EV_").into();
        body["created_at"] = clock::now().timestamp().into();
        let replayed = room.events.replayed || room.manner.forgery == Some(Forgery::Replayed);
        let outgoing = Outgoing::new(&body, room.manner.clone(), replayed);
        for url in &config.webhooks.urls {
            if !room.queues.contains_key(url) {
                let (queue, outbox) = webhook::queue(url, &self.era);
                room.queues.insert(url.clone(), queue);
                self.chores.push(Chore::Deliver(outbox));
            }
            room.queues[url].push(outgoing.clone(), Instant::now());
        }
    }
}

/// Whole seconds, or none where a request says 0.
pub(super) fn asked(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
