//! Streamed answers, event by event.

use std::time::Instant;

use outdial_emulators::openai::{Answer, Config, Pacing, RequestEnd, Turn};
use serde_json::{Value, json};

use crate::harness::{World, ms, says, text, with};

#[tokio::test]
async fn text_comes_token_by_token_between_a_role_and_a_finish() {
    let world = World::new(Config::default()).await;
    let chunks = world.stream(&says("Hi")).await.chunks().await;
    let deltas: Vec<Value> = chunks.iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    assert_eq!(
        deltas,
        [
            json!({"role": "assistant", "content": "", "refusal": null}),
            json!({"content": "You "}),
            json!({"content": "said"}),
            json!({"content": ": Hi"}),
            json!({}),
        ]
    );
    let finishes: Vec<_> = chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).collect();
    assert_eq!(finishes, [&Value::Null, &Value::Null, &Value::Null, &Value::Null, &json!("stop")]);
    assert!(
        chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk.get("usage").is_none())
    );
    assert_eq!(world.ended().await.tokens_sent, 3);
}

#[tokio::test]
async fn usage_comes_last_and_without_choices_if_it_was_asked_for() {
    let world = World::new(Config::default()).await;
    let asked = with(says("Hi"), &json!({"stream_options": {"include_usage": true}}));
    let chunks = world.stream(&asked).await.chunks().await;
    let (last, before) = chunks.split_last().expect("chunks");
    assert!(before.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(3)));
}

#[tokio::test]
async fn calls_come_as_fragments_of_their_arguments() {
    let world = World::new(Config::default()).await;
    let two = Answer::call("book", r#"{"rooms":2}"#).and_call("note", "{}");
    world.openai.script([
        Turn::answering(Answer { text: Some("Wait.".into()), ..two.clone() }),
        Turn::answering(two),
    ]);
    for spoken in [true, false] {
        let chunks = world.stream(&says("Book")).await.chunks().await;
        let first = &chunks[0]["choices"][0]["delta"];
        assert_eq!((&first["role"], first["content"].is_string()), (&json!("assistant"), spoken));
        let mut calls: Vec<(Value, String)> = Vec::new();
        for chunk in &chunks {
            for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let arguments = call["function"]["arguments"].as_str().expect("a text");
                let index = usize::try_from(call["index"].as_u64().expect("an index")).expect("small");
                if call.get("id").is_some() {
                    assert_eq!((index, arguments), (calls.len(), ""));
                    calls.push((call["function"]["name"].clone(), String::new()));
                } else {
                    assert_eq!(call.as_object().map(|fields| fields.len()), Some(2), "{call}");
                    calls[index].1.push_str(arguments);
                }
            }
        }
        assert_eq!(calls, [(json!("book"), r#"{"rooms":2}"#.to_owned()), (json!("note"), "{}".to_owned())]);
        assert_eq!(text(&chunks), if spoken { "Wait." } else { "" });
        assert_eq!(chunks.last().expect("chunks")["choices"][0]["finish_reason"], "tool_calls");
    }
}

#[tokio::test]
async fn tokens_come_at_their_pace() {
    let pacing = Pacing { first_token: ms(150), tokens_per_second: Some(20) };
    let world = World::new(Config { pacing, ..Config::default() }).await;
    let began = Instant::now();
    let mut events = world.stream(&says("Hi")).await;
    events.next().await.expect("a role");
    assert!(began.elapsed() >= ms(150), "{:?}", began.elapsed());
    assert_eq!(events.chunks().await.len(), 4);
    assert!(began.elapsed() >= ms(250), "three tokens have two gaps: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_has_heard_enough_is_told_from_one_that_heard_all() {
    let pacing = Pacing { tokens_per_second: Some(50), ..Pacing::default() };
    let world = World::new(Config { pacing, ..Config::default() }).await;
    let mut events = world.stream(&says(&"a long story ".repeat(100))).await;
    for _ in 0..4 {
        events.next().await.expect("a token");
    }
    drop(events);
    let report = world.ended().await;
    assert_eq!(report.ended, Some(RequestEnd::Cancelled));
    assert!((3..100).contains(&report.tokens_sent), "{report:?}");
    assert!(report.text_sent.starts_with("You said: a "), "{report:?}");
}

#[tokio::test]
async fn chunks_may_be_padded_unless_the_request_says_not_to() {
    let world = World::new(Config { obfuscation: true, ..Config::default() }).await;
    let padded = world.stream(&says("Hi")).await.chunks().await;
    assert!(padded.iter().all(|chunk| chunk["obfuscation"].is_string()));
    let plain = with(says("Hi"), &json!({"stream_options": {"include_obfuscation": false}}));
    assert!(world.stream(&plain).await.chunks().await.iter().all(|chunk| chunk.get("obfuscation").is_none()));
}
