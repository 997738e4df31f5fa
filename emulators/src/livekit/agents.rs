//! `AgentDispatchService` (protocol page, §5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    DisconnectReason,
    door::Need,
    error::{Code, Refusal},
    id,
    participant::Dispatch,
    room::Wishes,
    rooms::act,
    serve::{Answer, Ask},
    wire::messages,
};
use crate::clock;

/// An agent that somebody wants in a room.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    agent_name: String,
    metadata: String,
    restart_policy: Value,
    deployment: String,
    attributes: BTreeMap<String, String>,
    room: String,
}

impl Wanted {
    pub(super) fn dispatch(self) -> Dispatch {
        Dispatch {
            id: id::new("AD_"),
            agent_name: self.agent_name,
            metadata: self.metadata,
            attributes: self.attributes,
            restart_policy: self.restart_policy,
            deployment: self.deployment,
            created: clock::now(),
            job: None,
        }
    }
}

/// Wants an agent in a room, which is opened if need be. It does not matter whether there is such an
/// agent.
pub(super) fn create(ask: &Ask) -> Answer {
    let wanted: Wanted = ask.read()?;
    let room = wanted.room.clone();
    ask.allow(Need::Administer(&room))?;
    if room.is_empty() {
        return Err(Refusal::invalid("missing room name"));
    }
    let config = ask.hub.config();
    let dispatch = wanted.dispatch();
    let id = dispatch.id.clone();
    let shown = act(&ask.hub, |world| {
        world.more.open(&config, &room, Wishes::default(), |_| ());
        world.more.dispatch(&config, &room, dispatch);
        world.more.get_mut(&room)?.dispatch_mut(&id).map(|dispatch| dispatch.info(&room, None))
    });
    Ok(ask.encoding.ok(messages::DISPATCH, &shown))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Which {
    dispatch_id: String,
    room: String,
}

/// Lists a room's wishes, only one if it is named.
pub(super) fn list(ask: &Ask) -> Answer {
    let Which { dispatch_id, room } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    let world = ask.hub.read();
    let all = world.more.get(&room).into_iter().flat_map(|room| &room.dispatches);
    let named = all.filter(|one| dispatch_id.is_empty() || one.id == dispatch_id);
    let shown: Vec<_> = named.map(|one| one.info(&room, None)).collect();
    Ok(ask.encoding.ok(messages::DISPATCHES, &json!({ "agent_dispatches": shown })))
}

/// Takes a wish back; an agent that has come has to go.
pub(super) fn delete(ask: &Ask) -> Answer {
    let Which { dispatch_id, room: name } = ask.read()?;
    ask.allow(Need::Administer(&name))?;
    let config = ask.hub.config();
    let shown = act(&ask.hub, |world| {
        let room = world.more.get_mut(&name)?;
        let identity = room.dispatch_mut(&dispatch_id)?.job.as_ref().map(|job| job.identity.clone());
        let agent = identity.and_then(|identity| room.by_identity(&identity)).map(|one| one.sid.clone());
        if let Some(sid) = agent {
            world.more.leave(&config, &name, &sid, DisconnectReason::ParticipantRemoved);
        }
        world.more.end_job(&config, &name, &dispatch_id, None);
        let room = world.more.get_mut(&name)?;
        let place = room.dispatches.iter().position(|one| one.id == dispatch_id)?;
        Some(room.dispatches.remove(place).info(&name, Some(clock::now())))
    });
    let gone = || Refusal::new(Code::NotFound, "requested dispatch does not exist");
    shown.map(|dispatch| ask.encoding.ok(messages::DISPATCH, &dispatch)).ok_or_else(gone)
}
