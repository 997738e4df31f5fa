//! `RoomService` (protocol page, §3).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    DisconnectReason, agents,
    dial::{check_attributes, check_metadata, check_name},
    door::Need,
    error::Refusal,
    room::{Wishes, merge},
    rooms::{act, asked},
    serve::{Answer, Ask},
    wire::messages,
};

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CreateRoom {
    name: String,
    empty_timeout: u32,
    departure_timeout: u32,
    max_participants: u32,
    metadata: String,
    agents: Vec<agents::Wanted>,
}

/// Opens a room, or shows the one there is.
pub(super) fn create(ask: &Ask) -> Answer {
    let wanted: CreateRoom = ask.read()?;
    ask.allow(Need::CreateRooms)?;
    if wanted.name.is_empty() {
        return Err(Refusal::invalid("missing room name"));
    }
    check_name("room name", &wanted.name)?;
    check_metadata(&wanted.metadata)?;
    let config = ask.hub.config();
    let wishes = Wishes {
        metadata: wanted.metadata,
        max_participants: wanted.max_participants,
        empty_timeout: asked(wanted.empty_timeout),
        departure_timeout: asked(wanted.departure_timeout),
    };
    let shown = act(&ask.hub, |world| {
        if world.more.open(&config, &wanted.name, wishes, |_| ()) {
            for agent in wanted.agents {
                world.more.dispatch(&config, &wanted.name, agent.dispatch());
            }
        }
        world.more.get(&wanted.name).map(super::room::Room::info)
    });
    Ok(ask.encoding.ok(messages::ROOM, &shown))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListRooms {
    names: Vec<String>,
}

/// Lists rooms, only those named if any are.
pub(super) fn list(ask: &Ask) -> Answer {
    let ListRooms { names } = ask.read()?;
    ask.allow(Need::ListRooms)?;
    let world = ask.hub.read();
    let rooms = world.more.all().into_iter();
    let rooms = rooms.filter(|room| names.is_empty() || names.contains(&room.name));
    let rooms: Vec<_> = rooms.map(|room| room.info()).collect();
    Ok(ask.encoding.ok(messages::ROOMS, &json!({ "rooms": rooms })))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InRoom {
    room: String,
    identity: String,
    metadata: String,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// Closes a room, and so ends its calls. This needs the right to create rooms.
pub(super) fn delete(ask: &Ask) -> Answer {
    let InRoom { room, .. } = ask.read()?;
    ask.allow(Need::CreateRooms)?;
    let config = ask.hub.config();
    let closed = act(&ask.hub, |world| {
        world.more.close(&config, &room, DisconnectReason::RoomDeleted, "ROOM_END_API_DELETE")
    });
    if closed { Ok(empty(ask)) } else { Err(Refusal::no_room()) }
}

/// Replaces a room's metadata.
pub(super) fn update(ask: &Ask) -> Answer {
    let InRoom { room, metadata, .. } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    check_metadata(&metadata)?;
    let shown = ask.hub.change(|world| {
        let room = world.more.get_mut(&room)?;
        room.metadata = metadata;
        Some(room.info())
    });
    shown.map(|room| ask.encoding.ok(messages::ROOM, &room)).ok_or_else(Refusal::no_room)
}

/// Lists who is in a room; nobody, if there is none.
pub(super) fn participants(ask: &Ask) -> Answer {
    let InRoom { room, .. } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    let world = ask.hub.read();
    let present = world.more.get(&room).into_iter().flat_map(|room| &room.participants);
    let shown: Vec<_> = present.map(|one| one.info(None)).collect();
    Ok(ask.encoding.ok(messages::PARTICIPANTS, &json!({ "participants": shown })))
}

/// Shows one of them.
pub(super) fn participant(ask: &Ask) -> Answer {
    let InRoom { room, identity, .. } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    let world = ask.hub.read();
    let one = world.more.get(&room).and_then(|room| room.by_identity(&identity));
    let shown = one.map(|one| one.info(None)).ok_or_else(Refusal::no_participant)?;
    Ok(ask.encoding.ok(messages::PARTICIPANT, &shown))
}

/// Throws one of them out, which hangs up a phone.
pub(super) fn remove(ask: &Ask) -> Answer {
    let InRoom { room, identity, .. } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    let config = ask.hub.config();
    let removed = act(&ask.hub, |world| {
        let sid = world.more.get(&room)?.by_identity(&identity)?.sid.clone();
        let reason = DisconnectReason::ParticipantRemoved;
        world.more.leave(&config, &room, &sid, reason).then_some(())
    });
    removed.map(|()| empty(ask)).ok_or_else(Refusal::no_participant)
}

/// Changes what is known of one of them. There is no webhook for it.
pub(super) fn update_participant(ask: &Ask) -> Answer {
    let InRoom { room, identity, metadata, name, attributes } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    check_name("participant name", &name)?;
    check_metadata(&metadata)?;
    check_attributes(&attributes)?;
    let shown = ask.hub.change(|world| {
        let one = world.more.get_mut(&room)?.by_identity_mut(&identity)?;
        if !metadata.is_empty() {
            one.metadata = metadata;
        }
        if !name.is_empty() {
            one.name = name;
        }
        merge(&mut one.attributes, attributes);
        one.version += 1;
        Some(one.info(None))
    });
    shown.map(|one| ask.encoding.ok(messages::PARTICIPANT, &one)).ok_or_else(Refusal::no_participant)
}

/// Takes a message to those in a room, none of whom would hear it here.
pub(super) fn send_data(ask: &Ask) -> Answer {
    let InRoom { room, .. } = ask.read()?;
    ask.allow(Need::Administer(&room))?;
    let known = ask.hub.read().more.get(&room).is_some();
    if known { Ok(empty(ask)) } else { Err(Refusal::no_room()) }
}

fn empty(ask: &Ask) -> axum::response::Response {
    ask.encoding.ok(messages::EMPTY, &Value::Object(serde_json::Map::new()))
}
