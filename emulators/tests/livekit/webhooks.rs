//! Webhooks: what is told, in which order, how it is signed, and what may go wrong with it.

use std::time::Duration;

use outdial_emulators::livekit::{
    Config, DisconnectReason, Events, Forgery, Key, LiveKit, Quirk, Scenario, Sip, Webhooks,
};
use serde_json::{Value, json};

use crate::harness::{Api, CALLEE, HANG, ROOM, Received, Receiver, events, fast, telling, within};

const MINUTE: Duration = Duration::from_secs(60);

async fn told(receiver: &mut Receiver, scenario: Scenario) -> (LiveKit, Vec<Received>) {
    let livekit = telling(receiver, Config::default()).await;
    livekit.script(CALLEE, [scenario]);
    Api::of(&livekit).dial(json!({})).await;
    let received = receiver.until("room_finished").await;
    (livekit, received)
}

const ALL: [&str; 6] = [
    "room_started",
    "participant_joined",
    "track_published",
    "track_unpublished",
    "participant_left",
    "room_finished",
];

#[tokio::test]
async fn a_call_is_told_from_the_opening_of_its_room_to_the_closing() {
    let mut receiver = Receiver::start().await;
    let (livekit, received) = told(&mut receiver, Scenario::answered(MINUTE)).await;
    assert_eq!(events(&received), ALL);
    let call = livekit.calls().remove(0);
    let joined = &received[1].json["participant"];
    assert_eq!((&joined["identity"], &joined["kind"]), (&"callee".into(), &"SIP".into()));
    assert_eq!((&joined["state"], &joined["sid"]), (&"ACTIVE".into(), &call.participant_id.into()));
    // Joined is not answered.
    assert_eq!(joined["attributes"]["sip.callStatus"], "dialing");
    let published = &received[2].json;
    assert_eq!(published["participant"].as_object().map(serde_json::Map::len), Some(2));
    assert!(published["track"]["sid"].as_str().expect("an id").starts_with("TR_"));
    let left = &received[4].json["participant"];
    assert_eq!(
        (&left["state"], &left["disconnectReason"]),
        (&"DISCONNECTED".into(), &"CLIENT_INITIATED".into())
    );
    assert_eq!(left["attributes"]["sip.callStatus"], "hangup");
    assert_eq!(left["attributes"]["sip.callID"], call.sip_call_id);
    assert_eq!(received[5].json["roomEndReason"], "ROOM_END_IDLE_TIMEOUT");
}

#[tokio::test]
async fn every_webhook_is_signed_over_its_bytes_with_the_configured_key() {
    let other = Key { api_key: "APIother".into(), api_secret: "another secret of 32 characters!".into() };
    let mut receiver = Receiver::start().await;
    let webhooks = Webhooks {
        api_key: Some(other.api_key.clone()),
        urls: vec![receiver.url.clone()],
        ..Webhooks::default()
    };
    let keys = vec![Key::default(), other.clone()];
    let livekit = fast(Config { keys, webhooks, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy()]);
    Api::of(&livekit).dial(json!({})).await;
    let mut ids = Vec::new();
    for received in receiver.until("room_finished").await {
        let claims = received.verified(&other).expect("a good signature");
        assert_eq!(claims["iss"], "APIother");
        assert_eq!(claims["exp"].as_i64().zip(claims["nbf"].as_i64()).map(|(exp, nbf)| exp - nbf), Some(300));
        assert_eq!(received.headers["content-type"], "application/webhook+json");
        assert_eq!(received.headers["user-agent"], "LiveKit");
        assert!(received.json["createdAt"].is_string());
        assert_eq!(received.json["room"]["name"], ROOM);
        ids.push(received.json["id"].as_str().expect("an id").to_owned());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert!(ids.len() == count && ids.iter().all(|id| id.starts_with("EV_")));
}

#[tokio::test]
async fn the_reason_to_leave_is_told_unless_it_is_unknown() {
    for (scenario, reason) in [
        (Scenario::busy(), json!("USER_REJECTED")),
        (Scenario::rejected(), json!("USER_REJECTED")),
        (Scenario::no_answer(), json!("USER_UNAVAILABLE")),
        (Scenario::invalid_number(), json!("USER_UNAVAILABLE")),
        (Scenario::failed(), Value::Null),
        (Scenario::no_media(), Value::Null),
        (Scenario::answered(MINUTE).leaving(DisconnectReason::MediaFailure), json!("MEDIA_FAILURE")),
    ] {
        let mut receiver = Receiver::start().await;
        let (_livekit, received) = told(&mut receiver, scenario).await;
        let left = received.iter().find(|one| one.event() == "participant_left").expect("it leaves");
        assert_eq!(left.json["participant"]["disconnectReason"], reason);
    }
}

#[tokio::test]
async fn a_call_that_fails_before_it_has_joined_is_told_as_aborted() {
    let mut receiver = Receiver::start().await;
    let sip = Sip { connect: Duration::from_secs(2), ..Sip::default() };
    let livekit = telling(&receiver, Config { sip, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy().ringing_for(Duration::from_secs(1))]);
    Api::of(&livekit).dial(json!({})).await;
    let received = receiver.until("room_finished").await;
    assert_eq!(events(&received), ["room_started", "participant_connection_aborted", "room_finished"]);
}

#[tokio::test]
async fn a_webhook_is_retried_on_a_5xx_a_429_and_silence_but_on_no_other_refusal() {
    let mut receiver = Receiver::start().await.answering([500, 429, HANG, 503, 200, 404]);
    let webhooks =
        Webhooks { urls: vec![receiver.url.clone()], timeout: Duration::from_secs(1), ..Webhooks::default() };
    let livekit = fast(Config { webhooks, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy()]);
    Api::of(&livekit).dial(json!({})).await;
    let received = receiver.until("room_finished").await;
    let told = events(&received);
    assert_eq!(told[..5], ["room_started"; 5]);
    assert_eq!(told[5..7], ["participant_joined", "track_published"]);
    assert!(received[..5].iter().all(|one| one.body == received[0].body));
    let totals = within(livekit.until(|totals| totals.callbacks_delivered == 5)).await;
    assert_eq!(totals.callbacks_lost, 1);
}

#[tokio::test]
async fn after_four_retries_an_event_is_lost_and_the_next_one_comes() {
    let mut receiver = Receiver::start().await.answering([503; 5]);
    let (livekit, received) = told(&mut receiver, Scenario::busy()).await;
    assert_eq!(events(&received)[..6], [&["room_started"; 5][..], &["participant_joined"]].concat());
    assert_eq!(livekit.totals().callbacks_lost, 1);
}

#[tokio::test]
async fn an_event_that_has_waited_too_long_for_those_before_it_is_dropped() {
    let mut receiver = Receiver::start().await.answering([HANG]);
    let webhooks = Webhooks {
        urls: vec![receiver.url.clone()],
        retry_gaps_ms: Vec::new(),
        timeout: Duration::from_secs(1),
        ..Webhooks::default()
    };
    let livekit = fast(Config { webhooks: webhooks.clone(), ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy()]);
    Api::of(&livekit).dial(json!({})).await;
    assert_eq!(receiver.next().await.event(), "room_started");
    // From now on any wait is too long, and the others wait until the first is given up.
    let webhooks = Webhooks { drop_older_than: Duration::ZERO, ..webhooks };
    livekit.configure(Config { webhooks, ..livekit.config() }).expect("settings that make sense");
    within(livekit.until(|totals| totals.callbacks_lost == 6)).await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn events_can_be_chosen_on_the_server() {
    let mut receiver = Receiver::start().await;
    let webhooks = Webhooks {
        urls: vec![receiver.url.clone()],
        include_events: vec!["participant_left".into(), "room_finished".into(), "room_started".into()],
        exclude_events: vec!["room_started".into()],
        ..Webhooks::default()
    };
    let livekit = fast(Config { webhooks, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy()]);
    Api::of(&livekit).dial(json!({})).await;
    assert_eq!(events(&receiver.until("room_finished").await), ["participant_left", "room_finished"]);
}

#[tokio::test]
async fn every_url_is_told_by_a_queue_of_its_own() {
    let (mut one, mut other) = (Receiver::start().await.answering([HANG]), Receiver::start().await);
    let webhooks = Webhooks { urls: vec![one.url.clone(), other.url.clone()], ..Webhooks::default() };
    let livekit = fast(Config { webhooks, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::busy()]);
    Api::of(&livekit).dial(json!({})).await;
    let first = one.next().await;
    assert_eq!(other.until("room_finished").await[0].body, first.body);
}

#[tokio::test]
async fn copies_say_the_same_under_the_same_id() {
    let mut receiver = Receiver::start().await;
    let (_livekit, received) =
        told(&mut receiver, Scenario::busy().with(Quirk::DuplicateCallbacks { extra: 1 })).await;
    assert!(receiver.next().await.json == received.last().expect("some").json);
    for pair in received.chunks_exact(2) {
        assert_eq!(pair[0].body, pair[1].body);
    }
}

#[tokio::test]
async fn reordered_webhooks_come_at_the_end_with_the_last_first() {
    let mut receiver = Receiver::start().await;
    let livekit = telling(&receiver, Config::default()).await;
    livekit.script(CALLEE, [Scenario::answered(MINUTE).with(Quirk::ReorderedCallbacks)]);
    Api::of(&livekit).dial(json!({})).await;
    let received = receiver.until("room_started").await;
    let mut backwards = ALL;
    backwards.reverse();
    assert_eq!(events(&received), backwards);
}

#[tokio::test]
async fn late_webhooks_still_come() {
    let mut receiver = Receiver::start().await;
    let late = Quirk::LateCallbacks { by: MINUTE };
    let (_livekit, received) = told(&mut receiver, Scenario::answered(MINUTE).with(late)).await;
    assert_eq!(events(&received), ALL);
}

#[tokio::test]
async fn without_webhooks_the_room_still_shows_what_happens() {
    let receiver = Receiver::start().await;
    let livekit = telling(&receiver, Config::default()).await;
    for scenario in [Scenario::busy().with(Quirk::NoCallbacks), Scenario::silent()] {
        livekit.reset();
        livekit.script(CALLEE, [scenario]);
        let api = Api::of(&livekit);
        let id = api.dial(json!({})).await;
        assert!(livekit.proceed(&id));
        within(livekit.until(|totals| totals.finished == 1)).await;
        // Until the room has closed, too.
        while api.ok("RoomService/ListRooms", json!({})).await != json!({"rooms": []}) {}
    }
    assert_eq!(livekit.totals().callback_requests, 0);
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn signatures_can_be_wrong_missing_or_stale() {
    for forgery in [Forgery::WrongKey, Forgery::Missing, Forgery::Stale] {
        let mut receiver = Receiver::start().await;
        let (_livekit, received) = told(&mut receiver, Scenario::busy().with(Quirk::Forged(forgery))).await;
        for one in received {
            let claims = one.verified(&Key::default());
            match forgery {
                Forgery::WrongKey => assert!(claims.is_none() && one.authorization().is_some()),
                Forgery::Missing => assert_eq!(one.authorization(), None),
                Forgery::Stale => {
                    let created: i64 =
                        one.json["createdAt"].as_str().and_then(|at| at.parse().ok()).expect("s");
                    let expires = claims.expect("signed")["exp"].as_i64().expect("a time");
                    assert!(created - expires > 600, "{created} {expires}");
                }
                Forgery::Replayed => unreachable!("it is right, and has a test of its own"),
            }
        }
    }
}

#[tokio::test]
async fn a_replay_is_an_earlier_delivery_byte_for_byte() {
    let mut receiver = Receiver::start().await;
    let replayed = Events { replayed: true, ..Events::default() };
    let as_others = Scenario::busy().with(Quirk::Forged(Forgery::Replayed));
    for scenario in [Scenario::busy().with_events(replayed), as_others] {
        let (_livekit, received) = told(&mut receiver, scenario).await;
        let again = receiver.next().await;
        assert_eq!(again.body, received[0].body);
        assert_eq!(again.authorization(), received[0].authorization());
    }
}

#[tokio::test]
async fn events_can_be_lost_one_kind_at_a_time_and_unknown_ones_come_between() {
    let mut receiver = Receiver::start().await;
    let odd = Events { lost: vec!["participant_left".into()], unknown: true, ..Events::default() };
    let (_livekit, received) = told(&mut receiver, Scenario::busy().with_events(odd)).await;
    let told = events(&received);
    assert!(!told.contains(&"participant_left"));
    assert!(told.contains(&"participant_mood_changed"));
}
