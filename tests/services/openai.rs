use futures_util::StreamExt as _;
use outdial_emulators::openai::{
    Answer, Config, OpenAi as Emulator, Quirk, Reply, ReplyBody, RequestEnd, Turn,
};
use outdial_jobs::media::http::http_client;
use outdial_jobs::media::openai::{Endpoint, ExtractError, OpenAi};
use outdial_jobs::media::services::Model as _;
use outdial_workflows::conversation::{Message, Piece, Prompt, ToolCall};
use outdial_workflows::playbook::{Tool, ToolSpec};
use serde_json::{Value, json};

use crate::{all, ms, within};

const TEXT: &str = "नमस्ते! How may I help you?";

async fn started(config: Config) -> Emulator {
    Emulator::start(config).await.expect("a free port")
}

fn endpoint(emulator: &Emulator) -> Endpoint {
    let base = format!("{}/v1", emulator.base_url()).parse().expect("a URL");
    Endpoint { base, key: emulator.config().key.into(), model: "gpt-4o-mini".into() }
}

fn model(endpoint: Endpoint, fallback: Option<Endpoint>) -> OpenAi {
    OpenAi::new(http_client().expect("a client"), endpoint, fallback).expect("settings")
}

fn prompt() -> Prompt {
    let tool = ToolSpec {
        tool: Tool::EndCall,
        about: "End the call.",
        parameters: json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
    };
    let messages = vec![Message::Person("Hello?".into())];
    Prompt { instructions: "Be kind.".into(), messages, tools: vec![tool] }
}

/// An answer in a few words: its text, its calls, and how it ended.
fn told(pieces: &[Piece]) -> Vec<String> {
    let mut told = vec![String::new()];
    for piece in pieces {
        match piece {
            Piece::Text(text) => told[0].push_str(text),
            Piece::Call(ToolCall { name, arguments, .. }) => told.push(format!("{name}({arguments})")),
            Piece::Done => told.push("done".into()),
            Piece::Failed(why) => told.push(format!("failed: {why}")),
        }
    }
    told
}

async fn answered(emulator: &Emulator, turn: Turn) -> Vec<String> {
    emulator.script([turn]);
    told(&all(model(endpoint(emulator), None).answer(&prompt(), false)).await)
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece_and_is_done() {
    let emulator = started(Config { obfuscation: true, ..Config::default() }).await;
    emulator.script([Turn::answering(Answer::text(TEXT))]);
    let pieces = all(model(endpoint(&emulator), None).answer(&prompt(), false)).await;
    assert!(pieces.len() > 3, "{pieces:?}");
    assert_eq!(told(&pieces), [TEXT, "done"]);
    let reports = within(emulator.until(|reports| reports[0].ended == Some(RequestEnd::Answered))).await;
    let request = &reports[0].request;
    assert_eq!((&request["model"], &request["stream"]), (&json!("gpt-4o-mini"), &json!(true)));
    assert_eq!(
        request["messages"],
        json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}])
    );
    assert_eq!(request["tools"][0]["function"]["name"], "end_call");
}

#[tokio::test]
async fn calls_are_put_together_from_their_pieces_behind_the_text() {
    let emulator = started(Config::default()).await;
    let answer = Answer { text: Some(TEXT.into()), ..Answer::default() }
        .and_call("note", r#"{"name":"Asha","rooms":2}"#)
        .and_call("end_call", "{}");
    let whole = [TEXT, r#"note({"name":"Asha","rooms":2})"#, "end_call({})", "done"];
    for quirks in [
        vec![],
        vec![Quirk::SplitBytes { size: 1 }],
        vec![Quirk::SplitBytes { size: 7 }, Quirk::Comments],
        vec![Quirk::Comments, Quirk::EmptyChoices { after_tokens: 2 }],
        vec![Quirk::SlowFirstToken { by: ms(150) }, Quirk::Pause { after_tokens: 1, length: ms(50) }],
    ] {
        let turn = Turn { answer: Some(answer.clone()), quirks: quirks.clone() };
        assert_eq!(answered(&emulator, turn).await, whole, "{quirks:?}");
    }
    let only = Answer::call("end_call", r#"{"reason":"done"}"#);
    assert_eq!(
        answered(&emulator, Turn::answering(only)).await,
        ["", r#"end_call({"reason":"done"})"#, "done"]
    );
}

#[tokio::test]
async fn a_conversation_with_tools_is_one_that_openai_accepts() {
    let emulator = started(Config::default()).await;
    let call = |id: &str| ToolCall { id: id.into(), name: "note".into(), arguments: "{}".into() };
    let said = |text: &str, calls| Message::Agent { text: text.into(), calls };
    let result = |id: &str| Message::Result { call: id.into(), text: "ok".into() };
    let person = |text: &str| Message::Person(text.into());
    let messages = vec![
        Message::Happened("The person picked up.".into()),
        said("Hello.", vec![]),
        person("Two rooms."),
        said("", vec![call("a"), call("b")]),
        person("I mean, three."),
        result("b"),
        said("Fine.", vec![call("a")]),
        said("", vec![]),
        result("c"),
        person("Are you there?"),
    ];
    let prompt = Prompt { messages, tools: vec![], ..prompt() };
    let pieces = all(model(endpoint(&emulator), None).answer(&prompt, false)).await;
    assert_eq!(told(&pieces), ["You said: Are you there?", "done"]);
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_the_last_piece_in_a_line_without_the_key() {
    let emulator = started(Config::default()).await;
    let key = emulator.config().key;
    let loud = Reply::new(400, "invalid_value", &format!("The key {key}\nis not for this."));
    let reply = |status, code, message| Quirk::Reply(Reply::new(status, code, message));
    let page = Quirk::Reply(Reply::new(502, "", "Bad gateway").with_body(ReplyBody::Html));
    for (quirk, says) in [
        (
            reply(429, "rate_limit_exceeded", "Slow down."),
            "answered HTTP 429: rate_limit_exceeded: Slow down.",
        ),
        (reply(429, "insufficient_quota", "No credit."), "429: insufficient_quota"),
        (reply(503, "", "Overloaded."), "503: server_error: Overloaded."),
        (page, "answered HTTP 502"),
        (Quirk::Reply(loud), "The key [key] is not for this."),
        (Quirk::Cut { after_tokens: 1 }, "broke off"),
        (Quirk::EndEarly { after_tokens: 1 }, "broke off"),
        (Quirk::ErrorEvent { after_tokens: 1 }, "failed in the middle: server_error"),
        (Quirk::NamedErrorEvent { after_tokens: 1 }, "failed in the middle: server_error"),
        (Quirk::MalformedChunk { after_tokens: 1 }, "no chunk of an answer"),
        (Quirk::ContentFilter { after_tokens: 1 }, "filter"),
        (Quirk::Length { after_tokens: 0 }, "limit before it said anything"),
    ] {
        let turn = Turn { answer: Some(Answer::text(TEXT)), quirks: vec![quirk.clone()] };
        let told = answered(&emulator, turn).await;
        let [_, last] = &told[..] else { panic!("{quirk:?}: {told:?}") };
        assert!(last.starts_with("failed: ") && last.contains(says), "{quirk:?}: {last}");
        assert!(!last.contains(&key), "{last}");
    }
}

#[tokio::test]
async fn a_wrong_key_an_unknown_model_and_a_server_that_is_not_there_are_told_of() {
    let emulator = started(Config { models: vec!["gpt-4o-mini".into()], ..Config::default() }).await;
    let there = endpoint(&emulator);
    let stranger = Endpoint { key: "sk-wrong-key".into(), ..there.clone() };
    for (endpoint, says) in
        [(stranger, "401: invalid_api_key"), (there.with_model("gpt-9"), "404: model_not_found")]
    {
        let told = told(&all(model(endpoint, None).answer(&prompt(), false)).await);
        assert!(told[1].contains(says) && !told[1].contains("sk-wrong-key"), "{told:?}");
    }
    emulator.stop().await;
    let told = told(&all(model(there, None).answer(&prompt(), false)).await);
    assert!(told[1].contains("could not be reached"), "{told:?}");
}

#[tokio::test]
async fn an_answer_that_reached_its_limit_is_what_there_is_of_it() {
    let emulator = started(Config::default()).await;
    let answer = Answer::text("One two").and_call("note", "{}").and_call("note", r#"{"a":1,"b":2}"#);
    // "One ", "two", "{}" and the beginning of the second call's arguments.
    let turn = Turn { answer: Some(answer), quirks: vec![Quirk::Length { after_tokens: 4 }] };
    assert_eq!(answered(&emulator, turn).await, ["One two", "note({})", "done"]);
}

#[tokio::test]
async fn a_refusal_is_what_the_model_says_and_wrong_arguments_are_left_to_the_conversation() {
    let emulator = started(Config::default()).await;
    let refusal = Turn::answering(Answer::refusing("I cannot help with that."));
    assert_eq!(answered(&emulator, refusal).await, ["I cannot help with that.", "done"]);
    let call = Answer::call("note", r#"{"a":1}"#);
    let malformed = Turn { answer: Some(call), quirks: vec![Quirk::MalformedArguments] };
    assert_eq!(answered(&emulator, malformed).await, ["", r#"note({"a)"#, "done"]);
}

#[tokio::test]
async fn interrupting_hangs_up() {
    let emulator = started(Config::default()).await;
    let stalled = Quirk::Stall { after_tokens: 2 };
    for (place, quirk) in [Quirk::Hang, stalled].into_iter().enumerate() {
        emulator.script([Turn { answer: Some(Answer::text(TEXT)), quirks: vec![quirk] }]);
        let mut answer = model(endpoint(&emulator), None).answer(&prompt(), false);
        let sent = if place == 0 { 0 } else { 2 };
        tokio::select! {
            () = async { while answer.next().await.is_some() {} } => panic!("it ended"),
            _ = within(emulator.until(|reports| {
                reports.get(place).is_some_and(|report| report.tokens_sent >= sent)
            })) => {}
        }
        drop(answer);
        let cancelled = Some(RequestEnd::Cancelled);
        within(emulator.until(|reports| reports[place].ended == cancelled)).await;
    }
}

#[tokio::test]
async fn the_other_model_is_asked_at_its_own_place_and_the_usual_one_where_there_is_no_other() {
    let usual = started(Config::default()).await;
    let other = started(Config { key: "sk-other".into(), ..Config::default() }).await;
    let fallback = endpoint(&other).with_model("gpt-4o");
    let both = model(endpoint(&usual), Some(fallback));
    for (fallback, asked) in [(false, (1, 0)), (true, (1, 1))] {
        assert_eq!(told(&all(both.answer(&prompt(), fallback)).await), ["You said: Hello?", "done"]);
        assert_eq!((usual.reports().len(), other.reports().len()), asked);
    }
    assert_eq!(other.reports()[0].request["model"], "gpt-4o");
    let alone = model(endpoint(&usual), None);
    assert_eq!(told(&all(alone.answer(&prompt(), true)).await), ["You said: Hello?", "done"]);
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "outcome": { "type": "string", "enum": ["sold", "not"] } },
        "required": ["outcome"],
        "additionalProperties": false,
    })
}

async fn extracted(
    emulator: &Emulator,
    turns: impl IntoIterator<Item = Turn>,
) -> Result<Value, ExtractError> {
    emulator.reset();
    emulator.script(turns);
    let model = model(endpoint(emulator), None);
    within(model.extract("call", &schema(), "Say what came of it.", "Person: I take it.")).await
}

#[tokio::test]
async fn what_is_extracted_has_the_shape_that_was_asked_for() {
    let emulator = started(Config::default()).await;
    let found = Turn::answering(Answer::json(json!({"outcome": "sold"})));
    assert_eq!(extracted(&emulator, [found]).await, Ok(json!({"outcome": "sold"})));
    let format = &emulator.reports()[0].request["response_format"];
    assert_eq!(format["json_schema"], json!({"name": "call", "strict": true, "schema": schema()}));
}

#[tokio::test]
async fn extracting_is_tried_again_for_as_long_as_what_goes_wrong_may_pass() {
    let emulator = started(Config::default()).await;
    let reply = |status, code| Reply::new(status, code, "Not now.").retry_after(ms(1));
    let found = || Turn::answering(Answer::json(json!({"outcome": "not"})));
    let broken = Turn { quirks: vec![Quirk::Cut { after_tokens: 0 }], ..found() };
    let refused = |reply: &Reply| Turn::with(Quirk::Reply(reply.clone()));
    let (throttled, failed) = (reply(429, "rate_limit_exceeded"), reply(500, ""));
    let turns = [refused(&throttled), broken, refused(&failed), found()];
    assert_eq!(extracted(&emulator, turns).await, Ok(json!({"outcome": "not"})));
    let error = extracted(&emulator, Turn::refusing(9, &throttled)).await.expect_err("throttled");
    assert!(error.to_string().contains("429: rate_limit_exceeded"), "{error}");
    assert_eq!(emulator.reports().len(), 4);
    for (status, code) in [(429, "insufficient_quota"), (400, "invalid_value"), (401, "invalid_api_key")] {
        let error = extracted(&emulator, [refused(&reply(status, code))]).await.expect_err("refused");
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(emulator.reports().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_and_an_answer_without_its_end_are_not_taken_for_what_was_asked() {
    let emulator = started(Config::default()).await;
    let found = Answer::json(json!({"outcome": "sold"}));
    let with = |quirk| Turn { answer: Some(found.clone()), quirks: vec![quirk] };
    for (turn, error) in [
        (Turn::answering(Answer::refusing("I will not.")), ExtractError::Refused("I will not.".into())),
        (with(Quirk::Length { after_tokens: 2 }), ExtractError::CutShort),
        (with(Quirk::ContentFilter { after_tokens: 2 }), ExtractError::Filtered),
        (Turn::answering(Answer::text("Sold!")), ExtractError::NotJson),
    ] {
        assert_eq!(extracted(&emulator, [turn]).await, Err(error));
    }
}
