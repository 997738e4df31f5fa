//! What goes wrong by script.

use outdial_emulators::openai::{Answer, Config, Quirk, Reply, ReplyBody, RequestEnd, Turn};
use serde_json::{Value, json};

use crate::harness::{End, Events, World, ms, says, text, with, within};

async fn suffering(quirk: Quirk) -> (World, Events) {
    let world = World::new(Config::default()).await;
    world.openai.script([Turn::with(quirk)]);
    let events = world.stream(&says("Hello there")).await;
    (world, events)
}

#[tokio::test]
async fn throttling_says_when_to_come_back_and_lasts_as_long_as_scripted() {
    let world = World::new(Config::default()).await;
    let throttled = Reply::new(429, "rate_limit_exceeded", "Rate limit reached.").retry_after(ms(1500));
    world.openai.script(Turn::refusing(2, &throttled));
    for _ in 0..2 {
        let response = world.post(&says("Hello")).await;
        assert_eq!(response.status(), 429);
        assert_eq!(
            (&response.headers()["retry-after"], &response.headers()["retry-after-ms"]),
            (&"2".parse().expect("a value"), &"1500".parse().expect("a value"))
        );
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["error"]["type"], "requests");
    }
    world.complete(&says("Hello")).await;
}

#[tokio::test]
async fn refusals_are_typed_by_their_code_and_gateways_answer_in_html() {
    let world = World::new(Config::default()).await;
    for (status, code, kind, shown) in [
        (429, "insufficient_quota", "insufficient_quota", json!("insufficient_quota")),
        (500, "", "server_error", Value::Null),
        (503, "slow_down", "server_error", json!("slow_down")),
    ] {
        world.openai.script(Turn::refusing(1, &Reply::new(status, code, "No.")));
        let (seen, error) = world.refused(&says("Hello")).await;
        assert_eq!((seen, &error["type"], &error["code"]), (status, &json!(kind), &shown));
    }
    world.openai.script(Turn::refusing(1, &Reply::new(502, "", "Bad gateway").with_body(ReplyBody::Html)));
    let response = world.post(&says("Hello")).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (502, &"text/html; charset=utf-8".parse().expect("a value"))
    );
}

#[tokio::test]
async fn a_stall_in_the_middle_stays_open_until_the_client_has_enough() {
    let (world, mut events) = suffering(Quirk::Stall { after_tokens: 2 }).await;
    for _ in 0..3 {
        events.next().await.expect("a chunk");
    }
    assert!(tokio::time::timeout(ms(200), events.next()).await.is_err());
    drop(events);
    let report = world.ended().await;
    assert_eq!((report.text_sent.as_str(), report.ended), ("You said", Some(RequestEnd::Cancelled)));
}

#[tokio::test]
async fn a_cut_breaks_the_body_and_an_early_end_does_not() {
    let (world, mut events) = suffering(Quirk::Cut { after_tokens: 2 }).await;
    let (chunks, end) = events.rest().await;
    assert_eq!((chunks.len(), end), (3, End::Broken));
    assert_eq!(world.ended().await.ended, Some(RequestEnd::Cut));
    let (_world, mut events) = suffering(Quirk::EndEarly { after_tokens: 2 }).await;
    let (chunks, end) = events.rest().await;
    assert_eq!((chunks.len(), end), (3, End::Clean));
}

#[tokio::test]
async fn an_error_may_come_as_an_event() {
    let (_world, mut events) = suffering(Quirk::ErrorEvent { after_tokens: 1 }).await;
    let (chunks, end) = events.rest().await;
    let error: Value = serde_json::from_str(&chunks[2]).expect("JSON");
    assert_eq!((chunks.len(), end, &error["error"]["type"]), (3, End::Clean, &json!("server_error")));
}

#[tokio::test]
async fn a_malformed_chunk_and_an_empty_one_come_in_between() {
    let world = World::new(Config::default()).await;
    let quirks = vec![Quirk::MalformedChunk { after_tokens: 1 }, Quirk::EmptyChoices { after_tokens: 2 }];
    world.openai.script([Turn { answer: None, quirks }]);
    let (chunks, _) = world.stream(&says("Hi")).await.rest().await;
    let read: Vec<_> = chunks.iter().map(|chunk| serde_json::from_str::<Value>(chunk).ok()).collect();
    assert!(
        read[2].is_none() && read[4].as_ref().is_some_and(|chunk| chunk["choices"] == json!([])),
        "{chunks:?}"
    );
    assert_eq!(chunks.last().map(String::as_str), Some("[DONE]"));
}

#[tokio::test]
async fn answers_may_be_cut_short_or_have_half_their_arguments() {
    let world = World::new(Config::default()).await;
    for (quirk, finish) in [
        (Quirk::Length { after_tokens: 1 }, "length"),
        (Quirk::ContentFilter { after_tokens: 1 }, "content_filter"),
    ] {
        world.openai.script([Turn::with(quirk)]);
        let answer = world.complete(&says("Hello")).await;
        let choice = &answer["choices"][0];
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!("You "), &json!(finish))
        );
    }
    let answer = Some(Answer::call("end_call", r#"{"reason":"done"}"#));
    world.openai.script([Turn { answer, quirks: vec![Quirk::MalformedArguments] }]);
    let answer = world.complete(&says("Hello")).await;
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(call, r#"{"reason"#);
}

#[tokio::test]
async fn bytes_may_be_split_anywhere_and_lines_be_commented() {
    let world = World::new(Config::default()).await;
    let quirks = vec![Quirk::SplitBytes { size: 3 }, Quirk::Comments];
    world.openai.script([Turn { answer: Some(Answer::text("नमस्ते, näm.")), quirks }]);
    let chunks = world.stream(&says("Hello")).await.chunks().await;
    assert_eq!(text(&chunks), "नमस्ते, näm.");
    let report = world.ended().await;
    assert_eq!((report.text_sent.as_str(), report.ended), ("नमस्ते, näm.", Some(RequestEnd::Answered)));
}

#[tokio::test]
async fn a_slow_first_token_and_none_at_all() {
    let (_world, mut events) = suffering(Quirk::SlowFirstToken { by: ms(300) }).await;
    assert!(tokio::time::timeout(ms(100), events.next()).await.is_err());
    assert_eq!(text(&events.chunks().await), "You said: Hello there");
    let world = World::new(Config::default()).await;
    world.openai.script([Turn::with(Quirk::Hang)]);
    let body = with(says("Hello"), &json!({"stream": true}));
    assert!(tokio::time::timeout(ms(200), world.try_post(&body)).await.is_err());
    assert_eq!(world.ended().await.ended, Some(RequestEnd::Cancelled));
}

#[tokio::test]
async fn a_whole_answer_may_be_cut_and_a_stop_ends_what_hangs() {
    let world = World::new(Config::default()).await;
    world
        .openai
        .script([Turn::with(Quirk::Cut { after_tokens: 3 }), Turn::with(Quirk::Stall { after_tokens: 0 })]);
    assert!(world.try_post(&says("Hello")).await.is_err());
    let body = with(says("Hello"), &json!({"stream": true}));
    let mut events = world.stream(&body).await;
    events.next().await.expect("a role");
    within(world.openai.stop()).await;
    assert_eq!(events.rest().await, (vec![], End::Broken));
}

#[tokio::test]
async fn a_stream_may_pause_in_the_middle_and_go_on() {
    let (world, mut events) = suffering(Quirk::Pause { after_tokens: 2, length: ms(400) }).await;
    for _ in 0..3 {
        events.next().await.expect("a chunk");
    }
    assert!(tokio::time::timeout(ms(150), events.next()).await.is_err());
    assert_eq!(text(&events.chunks().await), ": Hello there");
    assert_eq!(world.ended().await.ended, Some(RequestEnd::Answered));
}

#[tokio::test]
async fn gateways_announce_an_error_by_name() {
    let (_world, mut events) = suffering(Quirk::NamedErrorEvent { after_tokens: 1 }).await;
    let mut whole = String::new();
    while let Ok(Some(piece)) = within(events.response.chunk()).await {
        whole.push_str(&String::from_utf8_lossy(&piece));
    }
    let (_, last) = whole.split_once("event: error\n").expect("a named event");
    let error: Value = serde_json::from_str(last.trim().trim_start_matches("data: ")).expect("JSON");
    assert_eq!(error["error"]["type"], "server_error");
}

#[tokio::test]
async fn the_two_rate_limits_are_told_apart() {
    let world = World::new(Config::default()).await;
    let text = "Rate limit reached for gpt-4o-mini on tokens per min (TPM): Limit 30000.";
    world.openai.script(Turn::refusing(1, &Reply::new(429, "rate_limit_exceeded", text)));
    let (_, error) = world.refused(&says("Hello")).await;
    assert_eq!((&error["type"], &error["code"]), (&json!("tokens"), &json!("rate_limit_exceeded")));
}

#[tokio::test]
async fn a_refusal_is_streamed_in_its_own_field() {
    let world = World::new(Config::default()).await;
    world.openai.script([Turn::answering(Answer::refusing("I will not say that."))]);
    let chunks = world.stream(&says("Swear!")).await.chunks().await;
    let refusal: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["refusal"].as_str()).collect();
    assert_eq!((refusal.as_str(), text(&chunks).as_str()), ("I will not say that.", ""));
    assert_eq!(chunks.last().expect("chunks")["choices"][0]["finish_reason"], "stop");
}
