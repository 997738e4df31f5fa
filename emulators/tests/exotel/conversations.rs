//! Callers who talk, and hear what the bot says to them.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use outdial_emulators::{
    audio::Encoding,
    exotel::{CallReport, Caller, Config, Exotel, Line, Says, Scenario, StreamEnd, When},
    speech::{self, Ear},
};
use serde_json::{Value, json};

use crate::harness::{Api, Bot, CUSTOMER, bot, within};

const RATE: u32 = 16_000;
const HOUR: Duration = Duration::from_secs(3600);

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A bot that understands what the caller says.
struct Talker {
    socket: WebSocket,
    stream: Value,
    ear: Ear,
    /// What was heard since the last that was waited for.
    heard: String,
    marks: Vec<String>,
    over: bool,
}

impl Talker {
    /// Answers the next call.
    async fn of(bot: &mut Bot) -> Self {
        let socket = bot.visit().await.socket;
        let (ear, heard, marks) = (Ear::new(RATE), String::new(), Vec::new());
        let mut talker = Self { socket, stream: Value::Null, ear, heard, marks, over: false };
        while talker.stream.is_null() {
            talker.listen().await;
        }
        talker
    }

    /// Takes what comes next.
    async fn listen(&mut self) {
        match within(self.socket.recv()).await {
            Some(Ok(Message::Text(text))) => self.take(&serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.over = true,
            Some(Ok(_)) => {}
        }
    }

    fn take(&mut self, event: &Value) {
        match event["event"].as_str() {
            Some("start") => self.stream = event["stream_sid"].clone(),
            Some("mark") => self.marks.push(event["mark"]["name"].as_str().expect("a name").to_owned()),
            Some("media") => {
                let payload = event["media"]["payload"].as_str().expect("a payload");
                let audio = Encoding::Linear16.decode(&STANDARD.decode(payload).expect("base64"));
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

    async fn send(&mut self, event: &str, body: Value) {
        let mut message = json!({"event": event, "stream_sid": self.stream});
        message[event] = body;
        self.socket.send(Message::text(message.to_string())).await.expect("an open socket");
    }

    /// Sends it three seconds at a time, which are played without a gap however busy this machine is.
    async fn says(&mut self, text: &str) {
        let mut audio = Encoding::Linear16.encode(&speech::say(text, RATE));
        audio.resize(audio.len().next_multiple_of(3200), 0);
        for frame in audio.chunks(96_000) {
            self.send("media", json!({"payload": STANDARD.encode(frame)})).await;
        }
    }

    async fn rest(&mut self) {
        while !self.over {
            self.listen().await;
        }
    }
}

/// Calls somebody like this, five times faster than life.
async fn call(scenario: Scenario) -> (Exotel, String, Talker) {
    let exotel = Exotel::start(Config { speed: 5.0, ..Config::default() }).await.expect("a free port");
    exotel.script(CUSTOMER, [scenario.ringing_for(Duration::ZERO)]);
    let mut host = Bot::start().await;
    let url = host.url("/?sample-rate=16000");
    let response = Api::of(&exotel).connect(&bot(&url, &[])).await.expect("a response");
    let body: Value = response.json().await.expect("JSON");
    let sid = body["Call"]["Sid"].as_str().expect("a Sid").to_owned();
    let talker = Talker::of(&mut host).await;
    (exotel, sid, talker)
}

async fn ended(exotel: &Exotel) -> CallReport {
    within(exotel.until(|totals| totals.finished == 1)).await;
    exotel.calls().remove(0)
}

#[tokio::test]
async fn a_caller_says_their_lines_in_answer_and_hangs_up() {
    let caller = Caller::saying([
        Line::at(ms(200), "Hello?"),
        Line::in_answer("Yes."),
        Line::then(ms(300), "Tell me more."),
        Line::in_answer("No, thanks."),
    ]);
    let scenario = Scenario::answered(HOUR).with_caller(caller.hanging_up(When::Then { after: ms(400) }));
    let (exotel, _, mut talker) = call(scenario).await;
    talker.hears("Hello?").await;
    talker.says("Is this Asha?").await;
    talker.hears("Yes.").await;
    talker.hears("Tell me more.").await;
    talker.says("We build houses.").await;
    talker.hears("No, thanks.").await;
    talker.rest().await;
    let call = ended(&exotel).await;
    let report = call.stream.expect("a report");
    assert_eq!(report.ended_by, StreamEnd::Caller);
    assert_eq!(
        report.conversation.to_string(),
        "caller: Hello?\n\
         bot: Is this Asha?\n\
         caller: Yes.\n\
         caller: Tell me more.\n\
         bot: We build houses.\n\
         caller: No, thanks."
    );
    assert!(call.talk < HOUR, "{:?}", call.talk);
    let turns = &report.conversation.turns;
    // Nobody is answered before they have spoken and then been quiet for half a second.
    assert!(turns[2].start >= turns[1].end + ms(400), "{turns:?}");
    // Thirteen characters of 60 ms, played at the pace of speech however fast they came.
    assert!(turns[1].end.abs_diff(turns[1].start + ms(13 * 60)) <= ms(20), "{turns:?}");
}

#[tokio::test]
async fn a_caller_who_interrupts_hears_no_more_than_was_played_before_the_clear() {
    let long = "The price is five thousand a month, and there is much more to say of it, \
                which nobody wants to hear, and which would go on for half a minute.";
    let scenario = Scenario::answered(HOUR).talking([Line::once_heard("price", "Stop!")]);
    let (exotel, sid, mut talker) = call(scenario).await;
    talker.says(long).await;
    talker.send("mark", json!({"name": "all"})).await;
    talker.hears("Stop!").await;
    talker.send("clear", Value::Null).await;
    talker.says("Sorry.").await;
    talker.send("mark", json!({"name": "sorry"})).await;
    talker.hears_mark("sorry").await;
    assert_eq!(talker.marks, ["sorry"], "what was cleared is not answered");
    assert!(exotel.proceed(&sid));
    talker.rest().await;
    let report = ended(&exotel).await.stream.expect("a report");
    let [price, stop, sorry] = &*report.conversation.turns else { panic!("{}", report.conversation) };
    assert!(long.starts_with(&price.text) && price.text.starts_with("The price"), "{price:?}");
    assert!(price.text.len() < long.len() && price.end < stop.end + Duration::from_secs(5), "{price:?}");
    assert_eq!((stop.text.as_str(), sorry.text.as_str()), ("Stop!", "Sorry."));
    assert!(stop.start < price.end, "it was said into the bot's words");
}

#[tokio::test]
async fn what_is_said_is_seen_while_the_call_goes_on() {
    let scenario = Scenario::answered(HOUR).talking([Line::in_answer("Go on."), Line::at(HOUR, "Never.")]);
    let (exotel, sid, mut talker) = call(scenario).await;
    talker.says("Good morning.").await;
    let said =
        |call: &CallReport| call.stream.as_ref().is_some_and(|stream| stream.conversation.said() == "Go on.");
    let call = within(exotel.until_call(&sid, said)).await.expect("a call");
    let report = call.stream.expect("a report");
    assert_eq!((report.ended_by, call.status.name()), (StreamEnd::Open, "in-progress"));
    assert_eq!(report.conversation.to_string(), "bot: Good morning.\ncaller: Go on.");
    assert_eq!(within(exotel.until_call("nobody", |_| false)).await, None);
}

#[tokio::test]
async fn a_machine_greets_beeps_and_records() {
    let greeting = "Leave a message.".to_owned();
    let scenario = Scenario::answered(HOUR).saying(Says::Machine { greeting });
    let (exotel, _, mut talker) = call(scenario).await;
    talker.hears("Leave a message.").await;
    talker.says("This is Acme. We will call again.").await;
    talker.send("mark", json!({"name": "end"})).await;
    talker.hears_mark("end").await;
    talker.socket.send(Message::Close(None)).await.expect("an open socket");
    let report = ended(&exotel).await.stream.expect("a report");
    assert_eq!(report.conversation.heard(), "This is Acme. We will call again.");
    assert_eq!(report.conversation.said(), "Leave a message.");
    assert_eq!((report.ended_by, report.frames_misaligned), (StreamEnd::Bot, 0));
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_a_word_has_said_and_heard_no_more() {
    let scenario = Scenario::answered(ms(1000)).talking([Line::at(ms(700), "Wait a moment.")]);
    let (exotel, _, mut talker) = call(scenario).await;
    talker.says("This takes more than a second.").await;
    talker.rest().await;
    let conversation = ended(&exotel).await.stream.expect("a report").conversation;
    assert_eq!(conversation.said(), "Wait ");
    let heard = conversation.heard();
    assert!(
        "This takes more than a second.".starts_with(&heard) && (5..=17).contains(&heard.len()),
        "{heard}"
    );
}

#[tokio::test]
async fn callers_are_scripted_and_overheard_over_http() {
    let exotel = Exotel::start(Config { speed: 5.0, ..Config::default() }).await.expect("a free port");
    let api = Api::of(&exotel);
    let script = json!({"number": CUSTOMER, "scenarios": [{
        "outcome": {"answered": {"talk_ms": 3_600_000}},
        "ring_ms": 0,
        "caller": {
            "says": {"lines": [{"text": "Who is it?"}]},
            "hangs_up": {"then": {"after_ms": 0}},
        },
    }]});
    let url = format!("{}/_emulator/scripts", exotel.base_url());
    assert_eq!(api.http.post(url).json(&script).send().await.expect("a response").status(), 204);
    let mut host = Bot::start().await;
    let url = host.url("/?sample-rate=16000");
    api.connect(&bot(&url, &[])).await.expect("a response");
    let mut talker = Talker::of(&mut host).await;
    talker.says("Hello.").await;
    talker.rest().await;
    ended(&exotel).await;
    let calls: Value = api.get_path("/_emulator/calls").await.json().await.expect("JSON");
    let turns = &calls[0]["stream"]["conversation"];
    assert_eq!((&turns[0]["speaker"], &turns[0]["text"]), (&json!("bot"), &json!("Hello.")));
    assert_eq!((&turns[1]["speaker"], &turns[1]["text"]), (&json!("caller"), &json!("Who is it?")));
    assert!(turns[1]["start_ms"].as_u64() >= turns[0]["end_ms"].as_u64(), "{turns}");
}
