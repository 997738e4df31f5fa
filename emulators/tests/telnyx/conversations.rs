//! Callers who talk, and hear what the bot says to them.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use outdial_emulators::{
    audio::Encoding,
    speech::{self, Ear},
    telnyx::{Caller, Config, Line, Quirk, Scenario, Source, StreamEnd, Telnyx, When},
};
use serde_json::{Value, json};

use crate::harness::{Api, Bot, CALLER, CONNECTION, CUSTOMER, MINUTE, ended, within};

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A bot that understands what the caller says.
struct Talker {
    socket: WebSocket,
    said: (Encoding, u32),
    heard_as: Encoding,
    ear: Ear,
    /// What was heard since the last that was waited for.
    heard: String,
    marks: Vec<String>,
    over: bool,
}

impl Talker {
    fn new(socket: WebSocket, heard: (Encoding, u32), said: (Encoding, u32)) -> Self {
        let (heard_as, rate) = heard;
        let (heard, marks) = (String::new(), Vec::new());
        Self { socket, said, heard_as, ear: Ear::new(rate), heard, marks, over: false }
    }

    /// Hears and says what Telnyx does by itself.
    async fn of(bot: &mut Bot) -> Self {
        let usual = (Encoding::Mulaw, 8000);
        Self::new(bot.visit().await.socket, usual, usual)
    }

    async fn listen(&mut self) {
        match within(self.socket.recv()).await {
            Some(Ok(Message::Text(text))) => self.take(&serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.over = true,
            Some(Ok(_)) => {}
        }
    }

    fn take(&mut self, event: &Value) {
        match event["event"].as_str() {
            Some("mark") => self.marks.push(event["mark"]["name"].as_str().expect("a name").to_owned()),
            Some("media") if event["media"]["track"] == "inbound" => {
                let payload = event["media"]["payload"].as_str().expect("a payload");
                let audio = self.heard_as.decode(&STANDARD.decode(payload).expect("base64"));
                let letters = self.ear.hear(&audio).into_iter().filter_map(|tick| tick.letter);
                self.heard.extend(letters.map(|letter| letter.character));
            }
            _ => {}
        }
    }

    /// Waits until the caller has said this.
    async fn hears(&mut self, text: &str) {
        while !self.heard.contains(text) {
            assert!(!self.over, "over before {text:?}, after {:?}", self.heard);
            self.listen().await;
        }
        self.heard.clear();
    }

    async fn hears_mark(&mut self, name: &str) {
        while !self.marks.iter().any(|mark| mark == name) {
            assert!(!self.over, "over before the mark {name}");
            self.listen().await;
        }
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("an open socket");
    }

    /// Sends it seconds at a time, which are played without a gap however busy this machine is.
    async fn says(&mut self, text: &str) {
        let (encoding, rate) = self.said;
        let audio = encoding.encode(&speech::say(text, rate));
        for chunk in audio.chunks(48_000) {
            self.send(json!({"event": "media", "media": {"payload": STANDARD.encode(chunk)}})).await;
        }
    }

    async fn rest(&mut self) {
        while !self.over {
            self.listen().await;
        }
    }
}

/// Telnyx, five times faster than life, with somebody who answers like this.
async fn scripted(scenario: Scenario) -> (Telnyx, Api, Bot) {
    let telnyx = Telnyx::start(Config { speed: 5.0, ..Config::default() }).await.expect("a free port");
    telnyx.script(CUSTOMER, [scenario.ringing_for(Duration::ZERO)]);
    let api = Api::of(&telnyx);
    (telnyx, api, Bot::start().await)
}

#[tokio::test]
async fn a_caller_says_their_lines_in_answer_and_hangs_up() {
    let caller = Caller::saying([
        Line::at(ms(200), "Hello?"),
        Line::in_answer("Who is it?"),
        Line::in_answer("Goodbye."),
    ]);
    let scenario =
        Scenario::answered(200 * MINUTE).with_caller(caller.hanging_up(When::Then { after: ms(200) }));
    let (telnyx, api, mut bot) = scripted(scenario).await;
    api.dial(&json!({"stream_url": bot.url("/"), "stream_bidirectional_mode": "rtp"})).await;
    let mut talker = Talker::of(&mut bot).await;
    talker.hears("Hello?").await;
    talker.says("Good morning!").await;
    talker.hears("Who is it?").await;
    talker.says("It is Acme.").await;
    talker.hears("Goodbye.").await;
    talker.rest().await;
    let call = ended(&telnyx).await;
    assert_eq!(call.hangup.map(|hangup| hangup.source), Some(Source::Callee));
    assert!(call.talk < MINUTE, "{:?}", call.talk);
    let report = call.stream.expect("a report");
    assert_eq!(
        report.conversation.to_string(),
        "caller: Hello?\nbot: Good morning!\ncaller: Who is it?\nbot: It is Acme.\ncaller: Goodbye."
    );
    assert_eq!(report.ended_by, StreamEnd::Carrier);
}

#[tokio::test]
async fn words_are_understood_in_every_codec_both_ways() {
    for (heard, said, wish) in [
        (
            (Encoding::Linear16, 16_000),
            (Encoding::Linear16, 24_000),
            json!({"stream_codec": "L16", "stream_bidirectional_codec": "L16",
                   "stream_bidirectional_sampling_rate": 24_000}),
        ),
        (
            (Encoding::Alaw, 8000),
            (Encoding::Alaw, 8000),
            json!({"stream_codec": "PCMA", "stream_bidirectional_codec": "PCMA"}),
        ),
    ] {
        let caller = Scenario::answered(200 * MINUTE).talking([Line::in_answer("Yes.")]);
        let (telnyx, api, mut bot) = scripted(caller).await;
        let mut wish = wish;
        wish["stream_url"] = bot.url("/").into();
        wish["stream_bidirectional_mode"] = "rtp".into();
        wish["stream_track"] = "both_tracks".into();
        let id = api.dial(&wish).await;
        let mut talker = Talker::new(bot.visit().await.socket, heard, said);
        talker.says("Is it you?").await;
        talker.hears("Yes.").await;
        api.act(&id, "hangup", &json!({})).await;
        let conversation = ended(&telnyx).await.stream.expect("a report").conversation;
        assert_eq!(conversation.to_string(), "bot: Is it you?\ncaller: Yes.", "{wish}");
    }
}

#[tokio::test]
async fn a_caller_who_interrupts_hears_no_more_than_was_played_before_the_clear() {
    let long = "The price is five thousand a month, and there is much more to say of it, \
                which nobody wants to hear, and which would go on for half a minute.";
    let caller = Scenario::answered(200 * MINUTE).talking([Line::once_heard("price", "Stop!")]);
    let (telnyx, api, mut bot) = scripted(caller).await;
    let id = api.dial(&json!({"stream_url": bot.url("/"), "stream_bidirectional_mode": "rtp"})).await;
    let mut talker = Talker::of(&mut bot).await;
    talker.says(long).await;
    talker.send(json!({"event": "mark", "mark": {"name": "all"}})).await;
    talker.hears("Stop!").await;
    assert!(talker.marks.is_empty(), "it has not all been played");
    talker.send(json!({"event": "clear"})).await;
    talker.hears_mark("all").await;
    talker.says("Sorry.").await;
    talker.send(json!({"event": "mark", "mark": {"name": "sorry"}})).await;
    talker.hears_mark("sorry").await;
    api.act(&id, "hangup", &json!({})).await;
    let conversation = ended(&telnyx).await.stream.expect("a report").conversation;
    let [price, stop, sorry] = &*conversation.turns else { panic!("{conversation}") };
    assert!(long.starts_with(&price.text) && price.text.starts_with("The price"), "{price:?}");
    assert!(price.text.len() < long.len(), "{price:?}");
    assert_eq!((stop.text.as_str(), sorry.text.as_str()), ("Stop!", "Sorry."));
}

#[tokio::test]
async fn a_conversation_goes_on_over_another_socket() {
    let breaks = Quirk::StreamBreaks { after: ms(1500) };
    let caller = Scenario::answered(200 * MINUTE)
        .with(breaks)
        .talking([Line::at(ms(100), "Hello?"), Line::in_answer("Are you still there?")]);
    let (telnyx, api, mut bot) = scripted(caller).await;
    let texml = format!(
        "<Response><Connect><Stream url=\"{}\" bidirectionalMode=\"rtp\"/></Connect></Response>",
        bot.url("/")
    );
    let path = format!("/v2/texml/calls/{CONNECTION}");
    let placed = api.post(&path, &json!({"From": CALLER, "To": CUSTOMER, "Texml": texml})).await;
    assert_eq!(placed.status, 200, "{}", placed.body);
    let mut first = Talker::of(&mut bot).await;
    first.hears("Hello?").await;
    first.rest().await;
    let mut second = Talker::of(&mut bot).await;
    second.says("Hello again.").await;
    second.hears("Are you still there?").await;
    second.socket.send(Message::Close(None)).await.expect("an open socket");
    let report = ended(&telnyx).await.stream.expect("a report");
    assert_eq!(report.sockets, 2);
    assert_eq!(
        report.conversation.to_string(),
        "caller: Hello?\nbot: Hello again.\ncaller: Are you still there?"
    );
    let turns = report.conversation.turns;
    assert!(turns[1].start >= ms(1400), "times go on too: {turns:?}");
}

#[tokio::test]
async fn what_comes_as_mp3_is_played_but_not_understood() {
    let caller = Scenario::answered(200 * MINUTE).talking([Line::at(ms(100), "Hello?")]);
    let (telnyx, api, mut bot) = scripted(caller).await;
    let id = api.dial(&json!({"stream_url": bot.url("/")})).await;
    let mut talker = Talker::of(&mut bot).await;
    talker.send(json!({"event": "media", "media": {"payload": STANDARD.encode([0; 400])}})).await;
    talker.send(json!({"event": "mark", "mark": {"name": "end"}})).await;
    talker.hears("Hello?").await;
    talker.hears_mark("end").await;
    api.act(&id, "hangup", &json!({})).await;
    let conversation = ended(&telnyx).await.stream.expect("a report").conversation;
    assert_eq!(conversation.to_string(), "caller: Hello?");
}
