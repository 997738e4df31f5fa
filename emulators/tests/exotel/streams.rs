//! The bot's socket, from `connected` to `stop`.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use outdial_emulators::exotel::{
    CallReport, Config, Exotel, Flow, Quirk, Says, Scenario, StreamEnd, Streams,
};
use serde_json::{Value, json};

use crate::harness::{Api, Bot, CUSTOMER, bot, flow, within};

const MINUTE: Duration = Duration::from_secs(60);

/// Ten times real speed: a frame every 10 ms.
async fn scripted(scenario: Scenario, streams: Streams) -> (Exotel, Api) {
    let scenario = scenario.ringing_for(Duration::ZERO);
    let exotel = Exotel::start(Config { speed: 10.0, streams, ..Config::default() }).await;
    let exotel = exotel.expect("a free port");
    exotel.script(CUSTOMER, [scenario]);
    let api = Api::of(&exotel);
    (exotel, api)
}

async fn dial(api: &Api, stream: &str, more: &[(&str, &str)]) -> String {
    let response = api.connect(&bot(stream, more)).await.expect("a response");
    let body: Value = response.json().await.expect("JSON");
    body["Call"]["Sid"].as_str().expect("a Sid").to_owned()
}

/// The next event, or `None` once the socket has closed.
async fn event(socket: &mut WebSocket) -> Option<Value> {
    loop {
        match within(socket.recv()).await {
            Some(Ok(Message::Text(text))) => {
                return Some(serde_json::from_str(&text).expect("JSON"));
            }
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

fn audio(stream: &Value, bytes: usize) -> Value {
    let payload = STANDARD.encode(vec![0; bytes]);
    json!({"event": "media", "stream_sid": stream, "media": {"payload": payload}})
}

async fn ended(exotel: &Exotel) -> CallReport {
    within(exotel.until(|totals| totals.finished == 1)).await;
    exotel.calls().remove(0)
}

#[tokio::test]
async fn a_stream_tells_its_story_from_connected_to_stop() {
    let scenario = Scenario::answered(Duration::from_millis(550))
        .saying(Says::Tone { hz: 440.0 })
        .pressing('9', Duration::from_millis(250));
    let (exotel, api) = scripted(scenario, Streams::default()).await;
    let mut bot = Bot::start().await;
    let sid = dial(&api, &bot.url("/s/att_1?attempt_id=att_1&sample-rate=16000"), &[]).await;
    let mut visit = bot.visit().await;
    assert_eq!(visit.uri.to_string(), "/s/att_1?sample-rate=16000");
    assert_eq!(event(&mut visit.socket).await, Some(json!({"event": "connected"})));
    let start = event(&mut visit.socket).await.expect("a start");
    let stream = &start["stream_sid"];
    assert_eq!((&start["event"], &start["sequence_number"]), (&json!("start"), &json!("1")));
    assert_eq!(
        start["start"],
        json!({
            "stream_sid": stream, "call_sid": sid, "account_sid": "acct1",
            "from": CUSTOMER, "to": "+918040000000",
            "custom_parameters": {"attempt_id": "att_1"},
            "media_format": {"encoding": "audio/x-raw", "sample_rate": "16000", "bit_rate": "16"},
        })
    );
    let events = rest(&mut visit.socket).await;
    let sequence: Vec<_> = events.iter().map(|event| event["sequence_number"].clone()).collect();
    let counted: Vec<_> = (2..=8).map(|n: u32| json!(n.to_string())).collect();
    assert_eq!(sequence, counted);
    let media: Vec<_> = events.iter().filter(|event| event["event"] == "media").collect();
    assert_eq!(media.len(), 5);
    assert_eq!((&media[1]["media"]["chunk"], &media[1]["media"]["timestamp"]), (&json!("2"), &json!("200")));
    let payload = media[0]["media"]["payload"].as_str().expect("a payload");
    let pcm = STANDARD.decode(payload).expect("base64");
    assert!(pcm.len() == 3200 && pcm.iter().any(|byte| *byte != 0));
    let dtmf = events.iter().find(|event| event["event"] == "dtmf").expect("a key");
    assert_eq!(dtmf["dtmf"], json!({"digit": "9", "duration": "100"}));
    let stop = events.last().expect("a stop");
    assert_eq!(stop["stop"], json!({"call_sid": sid, "account_sid": "acct1", "reason": "callended"}));
    let call = ended(&exotel).await;
    let report = call.stream.expect("a report");
    assert_eq!((report.ended_by, report.handshakes, report.frames_sent), (StreamEnd::Caller, 1, 5));
    assert_eq!((call.status.name(), call.talk), ("completed", Duration::from_millis(550)));
}

#[tokio::test]
async fn credentials_in_the_url_become_an_authorization_header() {
    let streams = Streams { custom_parameters_in_url: true, ..Streams::default() };
    let (_exotel, api) = scripted(Scenario::answered(MINUTE), streams).await;
    let mut bot = Bot::start().await;
    let url = format!("ws://KEY:TOKEN@{}/s?a=1", bot.address);
    dial(&api, &url, &[]).await;
    let visit = bot.visit().await;
    assert_eq!(visit.headers["authorization"], "Basic S0VZOlRPS0VO");
    assert_eq!(visit.headers["host"], bot.address.as_str());
    assert_eq!(visit.uri.to_string(), "/s?a=1");
}

#[tokio::test]
async fn numbers_may_be_numbers_and_swapped() {
    let streams = Streams { numbers_as_numbers: true, swap_numbers: true, ..Streams::default() };
    let (_exotel, api) = scripted(Scenario::answered(MINUTE), streams).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let mut socket = bot.visit().await.socket;
    let start = next_of(&mut socket, "start").await;
    assert_eq!((&start["sequence_number"], &start["start"]["to"]), (&json!(1), &json!(CUSTOMER)));
    let media = next_of(&mut socket, "media").await;
    assert_eq!((&media["media"]["chunk"], &media["media"]["timestamp"]), (&json!(1), &json!(100)));
}

#[tokio::test]
async fn a_bot_that_closes_its_socket_ends_the_call() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "media").await;
    let streams = api.json("ActiveStreams.json").await;
    assert_eq!(streams["active_streams"], 1);
    socket.send(Message::Close(None)).await.expect("an open socket");
    let call = ended(&exotel).await;
    assert_eq!(call.stream.map(|report| report.ended_by), Some(StreamEnd::Bot));
    assert_eq!(call.status.name(), "completed");
    assert!(call.talk < MINUTE && call.talk >= Duration::from_millis(100), "{:?}", call.talk);
    assert_eq!(api.json("ActiveStreams.json").await["active_streams"], 0);
}

#[tokio::test]
async fn a_mark_is_echoed_once_the_audio_before_it_was_played() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let mut socket = bot.visit().await.socket;
    let stream = next_of(&mut socket, "start").await["stream_sid"].clone();
    let began = std::time::Instant::now();
    // One second of audio, which takes 100 ms here.
    for _ in 0..5 {
        say(&mut socket, audio(&stream, 3200)).await;
    }
    say(&mut socket, json!({"event": "mark", "stream_sid": stream, "mark": {"name": "end"}})).await;
    let mark = next_of(&mut socket, "mark").await;
    assert_eq!(mark["mark"], json!({"name": "end"}));
    assert!(began.elapsed() >= Duration::from_millis(95), "{:?}", began.elapsed());
    drop(socket);
    let report = ended(&exotel).await.stream.expect("a report");
    assert_eq!((report.frames_received, report.bytes_received), (5, 16_000));
    assert_eq!((report.marks_received, report.marks_echoed), (1, 1));
}

#[tokio::test]
async fn clear_drops_audio_and_its_marks() {
    for clear_echoes_marks in [false, true] {
        let streams = Streams { clear_echoes_marks, ..Streams::default() };
        let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), streams).await;
        let mut bot = Bot::start().await;
        dial(&api, &bot.url("/"), &[]).await;
        let mut socket = bot.visit().await.socket;
        let stream = next_of(&mut socket, "start").await["stream_sid"].clone();
        let mark = |name| json!({"event": "mark", "stream_sid": stream, "mark": {"name": name}});
        // Over three minutes: more than the test would wait for.
        for _ in 0..40 {
            say(&mut socket, audio(&stream, 96_000)).await;
        }
        say(&mut socket, mark("unheard")).await;
        say(&mut socket, json!({"event": "clear", "stream_sid": stream})).await;
        say(&mut socket, mark("after")).await;
        let mut echoed = vec![next_of(&mut socket, "mark").await["mark"]["name"].clone()];
        if clear_echoes_marks {
            echoed.push(next_of(&mut socket, "mark").await["mark"]["name"].clone());
        }
        let expected = if clear_echoes_marks { vec!["unheard", "after"] } else { vec!["after"] };
        assert_eq!(echoed, expected);
        drop(socket);
        assert_eq!(ended(&exotel).await.stream.map(|report| report.clears), Some(1));
    }
}

#[tokio::test]
async fn what_a_bot_does_badly_is_reported() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let mut socket = bot.visit().await.socket;
    let stream = next_of(&mut socket, "start").await["stream_sid"].clone();
    say(&mut socket, audio(&stream, 640)).await;
    say(&mut socket, audio(&stream, 3201)).await;
    say(&mut socket, audio(&stream, 100_160)).await;
    say(&mut socket, audio(&json!("another stream"), 3200)).await;
    say(&mut socket, json!({"event": "media", "streamSid": stream, "media": {"payload": ""}})).await;
    say(&mut socket, json!({"event": "media", "stream_sid": stream, "media": {"payload": "?"}})).await;
    say(&mut socket, json!({"event": "hangup", "stream_sid": stream})).await;
    let extra = json!({"event": "media", "stream_sid": stream, "sequence_number": "4",
        "media": {"chunk": "1", "timestamp": "0", "payload": STANDARD.encode([0; 3200])}});
    say(&mut socket, extra).await;
    socket.send(Message::Close(None)).await.expect("an open socket");
    let report = ended(&exotel).await.stream.expect("a report");
    assert_eq!((report.frames_received, report.nonsense), (4, 4));
    let faults = (report.frames_too_small, report.frames_misaligned, report.frames_too_big);
    assert_eq!(faults, (1, 1, 1));
}

#[tokio::test]
async fn a_failed_handshake_is_tried_once_more() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await.refusing(1);
    dial(&api, &bot.url("/"), &[]).await;
    next_of(&mut bot.visit().await.socket, "start").await;
    let totals = exotel.totals();
    assert_eq!((totals.handshakes_failed, totals.streams), (1, 1));
}

#[tokio::test]
async fn a_call_whose_bot_cannot_be_reached_is_dropped() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let bot = Bot::start().await.refusing(2);
    dial(&api, &bot.url("/"), &[]).await;
    let call = ended(&exotel).await;
    assert_eq!((call.status.name(), call.talk), ("completed", Duration::ZERO));
    let report = call.stream.expect("a report");
    assert_eq!((report.ended_by, report.handshakes), (StreamEnd::Unreachable, 2));
}

#[tokio::test]
async fn the_time_limit_stops_a_stream() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[("TimeLimit", "1")]).await;
    let events = rest(&mut bot.visit().await.socket).await;
    assert_eq!(events.last().expect("a stop")["stop"]["reason"], "stopped");
    assert_eq!(ended(&exotel).await.talk, Duration::from_secs(1));
}

#[tokio::test]
async fn a_caller_can_be_made_to_hang_up() {
    let (exotel, api) = scripted(Scenario::answered(100 * MINUTE), Streams::default()).await;
    let mut bot = Bot::start().await;
    let sid = dial(&api, &bot.url("/"), &[]).await;
    let mut socket = bot.visit().await.socket;
    next_of(&mut socket, "media").await;
    assert!(exotel.proceed(&sid));
    assert_eq!(rest(&mut socket).await.last().expect("a stop")["stop"]["reason"], "callended");
    ended(&exotel).await;
}

#[tokio::test]
async fn a_broken_stream_ends_without_stop() {
    let breaks = Quirk::StreamBreaks { after: Duration::from_millis(300) };
    let (exotel, api) = scripted(Scenario::answered(MINUTE).with(breaks), Streams::default()).await;
    let mut bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let events = rest(&mut bot.visit().await.socket).await;
    assert!(events.iter().all(|event| event["event"] != "stop"));
    let call = ended(&exotel).await;
    assert_eq!(call.stream.map(|report| report.ended_by), Some(StreamEnd::Broken));
}

#[tokio::test]
async fn a_flow_with_a_voicebot_connects_to_its_fixed_address() {
    let mut bot = Bot::start().await;
    let voicebot = Flow { stream_url: Some(format!("ws://u:p@{}/bot", bot.address)) };
    let flows = [("926".to_owned(), voicebot)].into();
    let config = Config { speed: 10.0, flows, ..Config::default() };
    let exotel = Exotel::start(config).await.expect("a free port");
    exotel.script(CUSTOMER, [Scenario::answered(MINUTE).ringing_for(Duration::ZERO)]);
    let api = Api::of(&exotel);
    assert_eq!(api.connect(&flow(CUSTOMER, &[])).await.expect("a response").status(), 200);
    let mut visit = bot.visit().await;
    assert_eq!(
        (visit.uri.path(), &visit.headers["authorization"]),
        ("/bot", &"Basic dTpw".parse().expect("ASCII"))
    );
    let start = next_of(&mut visit.socket, "start").await;
    assert_eq!(start["start"]["call_sid"], exotel.calls()[0].sid);
}

#[tokio::test]
async fn an_unanswered_call_never_reaches_the_bot() {
    let (exotel, api) = scripted(Scenario::busy(), Streams::default()).await;
    let bot = Bot::start().await;
    dial(&api, &bot.url("/"), &[]).await;
    let call = ended(&exotel).await;
    assert_eq!((call.status.name(), call.stream), ("busy", None));
    assert_eq!(exotel.totals().streams, 0);
}
