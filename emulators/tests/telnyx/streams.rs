//! The media stream, from `connected` to `stop`.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use outdial_emulators::telnyx::{Config, Quirk, Says, Scenario, StreamEnd, Telnyx};
use serde_json::{Value, json};

use crate::harness::{Api, Bot, CALLER, CONNECTION, CUSTOMER, MINUTE, Receiver, STATE, ended, within};

/// Ten times real speed: two frames every 4 ms.
async fn scripted(scenario: Scenario) -> (Telnyx, Api, Bot) {
    let mut config = Config { speed: 10.0, ..Config::default() };
    config.webhooks.in_order = true;
    let telnyx = Telnyx::start(config).await.expect("a free port");
    telnyx.script(CUSTOMER, [scenario.ringing_for(Duration::ZERO)]);
    let api = Api::of(&telnyx);
    (telnyx, api, Bot::start().await)
}

/// The next event, or `None` once the socket has closed.
async fn event(socket: &mut WebSocket) -> Option<Value> {
    loop {
        match within(socket.recv()).await {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => {}
        }
    }
}

async fn next_of(socket: &mut WebSocket, kind: &str) -> Value {
    loop {
        let event = event(socket).await.expect("an open socket");
        if event["event"] == kind {
            return event;
        }
    }
}

async fn rest(socket: &mut WebSocket) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(event) = event(socket).await {
        events.push(event);
    }
    events
}

async fn say(socket: &mut WebSocket, message: Value) {
    socket.send(Message::text(message.to_string())).await.expect("an open socket");
}

fn audio(bytes: usize) -> Value {
    json!({"event": "media", "media": {"payload": STANDARD.encode(vec![0xff; bytes])}})
}

#[tokio::test]
async fn a_stream_tells_its_story_from_connected_to_stop() {
    let scenario = Scenario::answered(3 * Duration::from_secs(1))
        .saying(Says::Tone { hz: 440.0 })
        .pressing('9', Duration::from_secs(1));
    let (telnyx, api, mut bot) = scripted(scenario).await;
    let mut hooks = Receiver::start().await;
    let id = api
        .dial(&json!({
            "stream_url": bot.url("/s/att_1"), "stream_auth_token": "secret", "client_state": STATE,
            "webhook_url": hooks.url,
        }))
        .await;
    let mut visit = bot.visit().await;
    assert_eq!(
        (visit.uri.path(), &visit.headers["authorization"]),
        ("/s/att_1", &"Bearer secret".parse().expect("ASCII"))
    );
    let socket = &mut visit.socket;
    assert_eq!(event(socket).await, Some(json!({"event": "connected", "version": "1.0.0"})));
    let start = event(socket).await.expect("a start");
    assert_eq!((&start["event"], &start["sequence_number"]), (&json!("start"), &json!("1")));
    let told = &start["start"];
    assert_eq!((&told["call_control_id"], &told["client_state"]), (&json!(id), &json!(STATE)));
    assert_eq!((&told["from"], &told["to"]), (&json!(CALLER), &json!(CUSTOMER)));
    assert_eq!(told["media_format"], json!({"encoding": "PCMU", "sample_rate": 8000, "channels": 1}));
    let events = rest(socket).await;
    let media: Vec<_> = events.iter().filter(|event| event["event"] == "media").collect();
    assert!(media.len() > 10, "{}", media.len());
    assert_eq!(media[1]["media"]["track"], "inbound");
    assert_eq!((&media[1]["media"]["chunk"], &media[1]["media"]["timestamp"]), (&json!("2"), &json!("20")));
    let payload = STANDARD.decode(media[0]["media"]["payload"].as_str().expect("one")).expect("base64");
    assert!(payload.len() == 160 && payload.iter().any(|byte| *byte != 0xff));
    assert!(events.iter().any(|event| event["dtmf"] == json!({"digit": "9"})));
    let last = events.last().expect("a stop");
    assert_eq!((&last["event"], &last["stop"]["call_control_id"]), (&json!("stop"), &json!(id)));
    assert_eq!(last["stream_id"], start["stream_id"]);
    let names = hooks.until("streaming.stopped").await;
    assert_eq!(
        names,
        [
            "call.initiated",
            "call.answered",
            "streaming.started",
            "call.dtmf.received",
            "call.hangup",
            "streaming.stopped"
        ]
    );
    let report = ended(&telnyx).await.stream.expect("a report");
    assert_eq!((report.ended_by, report.sockets, report.handshakes), (StreamEnd::Carrier, 1, 1));
}

#[tokio::test]
async fn closing_the_socket_does_not_hang_up() {
    let (telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start().await;
    let id = api.dial(&json!({"stream_url": bot.url("/"), "webhook_url": hooks.url})).await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "media").await;
    socket.send(Message::Close(None)).await.expect("an open socket");
    hooks.next_of("streaming.stopped").await;
    assert_eq!(telnyx.calls()[0].status.name(), "in-progress");
    api.act(&id, "hangup", &json!({})).await;
    assert_eq!(ended(&telnyx).await.stream.map(|report| report.ended_by), Some(StreamEnd::Bot));
}

#[tokio::test]
async fn a_mark_comes_back_once_the_audio_before_it_was_played() {
    let (telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    let id = api.dial(&json!({"stream_url": bot.url("/"), "stream_bidirectional_mode": "rtp"})).await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "start").await;
    let began = std::time::Instant::now();
    // One second of audio, which takes 100 ms here.
    for _ in 0..5 {
        say(&mut socket, audio(1600)).await;
    }
    say(&mut socket, json!({"event": "mark", "mark": {"name": "end"}})).await;
    assert_eq!(next_of(&mut socket, "mark").await["mark"], json!({"name": "end"}));
    assert!(began.elapsed() >= Duration::from_millis(95), "{:?}", began.elapsed());
    api.act(&id, "hangup", &json!({})).await;
    rest(&mut socket).await;
    let report = ended(&telnyx).await.stream.expect("a report");
    assert_eq!((report.frames_received, report.bytes_received), (5, 8000));
    assert_eq!((report.marks_received, report.marks_returned), (1, 1));
}

#[tokio::test]
async fn clear_stops_playback_and_returns_all_queued_marks() {
    let (_telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    api.dial(&json!({"stream_url": bot.url("/"), "stream_bidirectional_mode": "rtp"})).await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "start").await;
    // Ten minutes: more than the test would wait for.
    for _ in 0..20 {
        say(&mut socket, audio(240_000)).await;
    }
    for name in ["a", "b"] {
        say(&mut socket, json!({"event": "mark", "mark": {"name": name}})).await;
    }
    say(&mut socket, json!({"event": "clear"})).await;
    say(&mut socket, json!({"event": "mark", "mark": {"name": "after"}})).await;
    for name in ["a", "b", "after"] {
        assert_eq!(next_of(&mut socket, "mark").await["mark"]["name"], name);
    }
}

#[tokio::test]
async fn nonsense_is_answered_with_its_error() {
    let (telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    let id = api.dial(&json!({"stream_url": bot.url("/")})).await;
    let mut socket = bot.visit().await.socket;
    for (message, code) in [
        (json!({"event": "hangup"}), 100_003),
        (json!({"event": "media", "media": {"payload": "?"}}), 100_004),
    ] {
        say(&mut socket, message).await;
        assert_eq!(next_of(&mut socket, "error").await["payload"]["code"], code);
    }
    // Two files within a second.
    say(&mut socket, audio(400)).await;
    say(&mut socket, audio(400)).await;
    assert_eq!(next_of(&mut socket, "error").await["payload"]["title"], "rate_limit_reached");
    api.act(&id, "hangup", &json!({})).await;
    rest(&mut socket).await;
    let report = ended(&telnyx).await.stream.expect("a report");
    assert_eq!((report.nonsense, report.frames_received), (3, 1));
}

#[tokio::test]
async fn a_stream_can_be_started_and_stopped_by_command() {
    let (telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start().await;
    let id = api.dial(&json!({"webhook_url": hooks.url})).await;
    hooks.next_of("call.answered").await;
    let wish = json!({
        "stream_url": bot.url("/"), "stream_codec": "L16", "stream_track": "both_tracks",
        "custom_parameters": [{"name": "a", "value": "1"}],
    });
    assert_eq!(api.act(&id, "streaming_start", &wish).await.status, 200);
    assert_eq!(api.act(&id, "streaming_start", &wish).await.refusal(), (422, "90045"));
    let mut socket = bot.visit().await.socket;
    let start = next_of(&mut socket, "start").await;
    assert_eq!(start["start"]["custom_parameters"], json!({"a": "1"}));
    assert_eq!(start["start"]["media_format"]["sample_rate"], 16_000);
    let tracks = [next_of(&mut socket, "media").await, next_of(&mut socket, "media").await];
    assert_eq!(tracks.map(|media| media["media"]["track"].clone()), ["inbound", "outbound"]);
    assert_eq!(api.act(&id, "streaming_stop", &json!({})).await.status, 200);
    assert_eq!(rest(&mut socket).await.last().expect("a stop")["event"], "stop");
    hooks.next_of("streaming.stopped").await;
    assert_eq!(telnyx.totals().streams, 1);
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_is_told_and_the_call_goes_on() {
    let (telnyx, api, _bot) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start().await;
    // A web server that knows no sockets.
    let url = hooks.url.replace("http:", "ws:");
    api.dial(&json!({"stream_url": url, "webhook_url": hooks.url})).await;
    let failed = loop {
        let received = hooks.next().await;
        if !received.body.is_empty() && received.event() == "streaming.failed" {
            break received.payload();
        }
    };
    assert_eq!(
        (&failed["failure_reason"], &failed["stream_type"]),
        (&json!("connection_failed"), &json!("websocket"))
    );
    assert_eq!(telnyx.calls()[0].status.name(), "in-progress");
    assert_eq!(telnyx.totals().handshakes_failed, 2);
}

#[tokio::test]
async fn a_stream_may_be_opened_before_the_phone_rings() {
    let (telnyx, api, mut bot) = scripted(Scenario::busy()).await;
    telnyx.script(CUSTOMER, [Scenario::busy().ringing_for(10 * MINUTE)]);
    let id = api
        .dial(&json!({
            "stream_url": bot.url("/"), "stream_establish_before_call_originate": true, "timeout_secs": 600,
        }))
        .await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "start").await;
    assert!(telnyx.proceed(&id));
    assert_eq!(rest(&mut socket).await.last().expect("a stop")["event"], "stop");
    assert_eq!(ended(&telnyx).await.status.name(), "busy");
}

#[tokio::test]
async fn a_texml_stream_that_breaks_is_opened_again() {
    let breaks = Quirk::StreamBreaks { after: Duration::from_millis(200) };
    let (telnyx, api, mut bot) = scripted(Scenario::answered(200 * MINUTE).with(breaks)).await;
    let texml = format!(
        "<Response><Connect><Stream url=\"{}\" bidirectionalMode=\"rtp\"/></Connect></Response>",
        bot.url("/")
    );
    let path = format!("/v2/texml/calls/{CONNECTION}");
    let placed = api.post(&path, &json!({"From": CALLER, "To": CUSTOMER, "Texml": texml})).await;
    assert_eq!(placed.status, 200, "{}", placed.body);
    let mut first = bot.visit().await.socket;
    assert!(rest(&mut first).await.iter().all(|event| event["event"] != "stop"));
    let mut second = bot.visit().await.socket;
    next_of(&mut second, "start").await;
    second.send(Message::Close(None)).await.expect("an open socket");
    // With the stream the document ends, and with it the call.
    let call = ended(&telnyx).await;
    let report = call.stream.expect("a report");
    assert_eq!((report.sockets, report.ended_by), (2, StreamEnd::Bot));
    assert_eq!(call.hangup.map(|end| end.source.name()), Some("caller"));
}
