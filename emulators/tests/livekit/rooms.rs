//! Rooms and who is in them.

use std::time::Duration;

use outdial_emulators::livekit::{Config, DisconnectReason, LiveKit, Scenario};
use serde_json::{Value, json};

use crate::harness::{Api, CALLEE, ROOM, Receiver, events, fast, telling, within};

/// An hour on the wall, at a thousand times real speed.
const LONG: Duration = Duration::from_secs(3_600_000);

/// An emulator in which somebody talks for long.
async fn talking(receiver: &Receiver) -> (LiveKit, Api, String) {
    let livekit = telling(receiver, Config::default()).await;
    livekit.script(CALLEE, [Scenario::answered(LONG)]);
    let api = Api::of(&livekit);
    let id = api.dial(json!({"wait_until_answered": true})).await;
    (livekit, api, id)
}

#[tokio::test]
async fn creating_a_room_twice_shows_the_first() {
    let livekit = LiveKit::start(Config::default()).await.expect("a free port");
    let api = Api::of(&livekit);
    let body = json!({"name": ROOM, "emptyTimeout": 300, "maxParticipants": 4, "metadata": "{\"a\":1}",
        "departureTimeout": 20});
    let room = api.ok("RoomService/CreateRoom", body).await;
    assert_eq!((&room["name"], &room["metadata"]), (&ROOM.into(), &"{\"a\":1}".into()));
    assert_eq!((&room["empty_timeout"], &room["max_participants"]), (&300.into(), &4.into()));
    assert_eq!((&room["num_participants"], &room["turn_password"]), (&0.into(), &"".into()));
    assert!(
        room["creation_time"].is_string() && room["sid"].as_str().is_some_and(|sid| sid.starts_with("RM_"))
    );
    let again = api.ok("RoomService/CreateRoom", json!({"name": ROOM, "metadata": "other"})).await;
    assert_eq!(again, room);
    api.ok("RoomService/CreateRoom", json!({"name": "second"})).await;
    let all = api.ok("RoomService/ListRooms", json!({})).await;
    let names: Vec<_> = all["rooms"].as_array().expect("a list").iter().map(|room| &room["name"]).collect();
    assert_eq!(names, [ROOM, "second"]);
    let one = api.ok("RoomService/ListRooms", json!({"names": ["second", "third"]})).await;
    assert_eq!(one["rooms"].as_array().map(Vec::len), Some(1));
    let changed = api.ok("RoomService/UpdateRoomMetadata", json!({"room": ROOM, "metadata": "m"})).await;
    assert_eq!(changed["metadata"], "m");
}

#[tokio::test]
async fn a_room_that_nobody_comes_to_closes_after_its_empty_timeout() {
    let mut receiver = Receiver::start().await;
    let livekit = telling(&receiver, Config::default()).await;
    Api::of(&livekit).ok("RoomService/CreateRoom", json!({"name": ROOM, "empty_timeout": 5})).await;
    let received = receiver.until("room_finished").await;
    assert_eq!(events(&received), ["room_started", "room_finished"]);
    assert_eq!(received[1].json["roomEndReason"], "ROOM_END_IDLE_TIMEOUT");
}

#[tokio::test]
async fn deleting_a_room_ends_its_call() {
    let mut receiver = Receiver::start().await;
    let (livekit, api, id) = talking(&receiver).await;
    assert_eq!(api.ok("RoomService/DeleteRoom", json!({"room": ROOM})).await, json!({}));
    within(livekit.until(|totals| totals.finished == 1)).await;
    let call = livekit.call(&id).expect("known");
    assert_eq!(call.disconnect_reason, Some(DisconnectReason::RoomDeleted));
    let received = receiver.until("room_finished").await;
    let told = events(&received);
    assert_eq!(told[told.len() - 2..], ["participant_left", "room_finished"]);
    let left = &received[received.len() - 2].json["participant"];
    assert_eq!(left["disconnectReason"], "ROOM_DELETED");
    assert_eq!(received.last().expect("some").json["roomEndReason"], "ROOM_END_API_DELETE");
    let (status, error) = api.call("RoomService/DeleteRoom", json!({"room": ROOM})).await;
    assert_eq!(status, 404);
    assert_eq!(error, json!({"code": "not_found", "msg": "requested room does not exist"}));
}

#[tokio::test]
async fn removing_the_participant_hangs_up() {
    let mut receiver = Receiver::start().await;
    let (livekit, api, id) = talking(&receiver).await;
    let who = json!({"room": ROOM, "identity": "callee"});
    assert_eq!(api.ok("RoomService/RemoveParticipant", who.clone()).await, json!({}));
    within(livekit.until(|totals| totals.finished == 1)).await;
    let call = livekit.call(&id).expect("known");
    assert_eq!(call.disconnect_reason, Some(DisconnectReason::ParticipantRemoved));
    let received = receiver.until("participant_left").await;
    let left = &received.last().expect("some").json["participant"];
    assert_eq!(
        (&left["disconnectReason"], &left["sid"]),
        (&"PARTICIPANT_REMOVED".into(), &call.participant_id.into())
    );
    for method in ["RemoveParticipant", "GetParticipant", "UpdateParticipant"] {
        let (status, error) = api.call(&format!("RoomService/{method}"), who.clone()).await;
        assert_eq!((status, error), (404, json!({"code": "not_found", "msg": "participant does not exist"})));
    }
}

#[tokio::test]
async fn a_dial_that_is_taken_back_while_it_rings_is_canceled() {
    let livekit = fast(Config::default()).await;
    livekit.script(CALLEE, [Scenario::answered(LONG).ringing_for(LONG)]);
    let api = Api::of(&livekit);
    let waiting = json!({"wait_until_answered": true, "ringing_timeout": "360000000s"});
    let waiting = tokio::spawn({
        let api = api.clone();
        async move { api.try_dial(waiting).await }
    });
    within(livekit.until(|totals| totals.accepted == 1)).await;
    api.ok("RoomService/DeleteRoom", json!({"room": ROOM})).await;
    let (status, error) = within(waiting).await.expect("no panic");
    assert_eq!((status, &error["code"]), (408, &"canceled".into()));
}

#[tokio::test]
async fn who_is_in_an_unknown_room_is_nobody() {
    let livekit = fast(Config::default()).await;
    let api = Api::of(&livekit);
    let answer = api.ok("RoomService/ListParticipants", json!({"room": "nowhere"})).await;
    assert_eq!(answer, json!({"participants": []}));
    let (status, _) = api.call("RoomService/SendData", json!({"room": "nowhere", "data": "aGk="})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_participant_can_be_changed_and_an_empty_attribute_deletes() {
    let receiver = Receiver::start().await;
    let (_livekit, api, _) = talking(&receiver).await;
    let change = |attributes: Value| json!({"room": ROOM, "identity": "callee", "name": "Bob", "metadata": "m", "attributes": attributes});
    let shown = api.ok("RoomService/UpdateParticipant", change(json!({"a": "1", "b": "2"}))).await;
    assert_eq!(
        (&shown["name"], &shown["metadata"], &shown["attributes"]["a"]),
        (&"Bob".into(), &"m".into(), &"1".into())
    );
    let shown = api.ok("RoomService/UpdateParticipant", change(json!({"a": ""}))).await;
    assert_eq!((&shown["attributes"]["a"], &shown["attributes"]["b"]), (&Value::Null, &"2".into()));
    assert_eq!(
        api.ok("RoomService/SendData", json!({"room": ROOM, "data": "aGk=", "topic": "t"})).await,
        json!({})
    );
}
