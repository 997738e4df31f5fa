//! Requests that OpenAI would not take.

use outdial_emulators::openai::{Config, RequestEnd};
use serde_json::{Value, json};

use crate::harness::{World, says, with};

#[tokio::test]
async fn a_key_is_needed_and_must_be_right() {
    let world = World::new(Config::default()).await;
    for (key, code, text) in [
        ("Bearer sk-wrong-key", json!("invalid_api_key"), "Incorrect API key provided: sk-***."),
        ("Basic abc", Value::Null, "You didn't provide an API key."),
    ] {
        let response = world.post_as(key, &says("Hello")).await;
        assert_eq!(response.status(), 401);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(
            (&body["error"]["type"], &body["error"]["code"]),
            (&json!("invalid_request_error"), &code)
        );
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.starts_with(text)), "{body}");
    }
    assert_eq!(world.ended().await.ended, Some(RequestEnd::Refused { status: 401 }));
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_and_what_is_wrong_named() {
    let world =
        World::new(Config { models: vec!["gpt-4o-mini".into(), "o3-mini".into()], ..Config::default() })
            .await;
    let schema = json!({"type": "object", "properties": {}, "required": []});
    let format = |strict| json!({"type": "json_schema", "json_schema": {"name": "A", "strict": strict, "schema": schema}});
    let tool = |name: &str| json!([{"type": "function", "function": {"name": name}}]);
    let reasoning = |more: Value| with(says("Hi"), &with(json!({"model": "o3-mini"}), &more));
    let more = |more: Value| with(says("Hi"), &more);
    for (body, status, param, code, text) in [
        (json!([]), 400, Value::Null, Value::Null, "parse the JSON body"),
        (json!({"messages": []}), 400, Value::Null, Value::Null, "model parameter"),
        (more(json!({"model": "gpt-9"})), 404, Value::Null, json!("model_not_found"), "`gpt-9`"),
        (more(json!({"messages": []})), 400, json!("messages"), Value::Null, "too short"),
        (more(json!({"temprature": 1})), 400, Value::Null, Value::Null, "temprature"),
        (more(json!({"temperature": 2.1})), 400, json!("temperature"), json!("invalid_value"), "temperature"),
        (
            more(json!({"stream_options": {}})),
            400,
            json!("stream_options"),
            Value::Null,
            "'stream' is enabled",
        ),
        (more(json!({"tool_choice": "auto"})), 400, json!("tool_choice"), Value::Null, "only allowed when"),
        (
            more(json!({"tools": tool("end call")})),
            400,
            json!("tools[0].function.name"),
            json!("invalid_value"),
            "pattern",
        ),
        (
            more(json!({"response_format": format(true)})),
            400,
            json!("response_format"),
            Value::Null,
            "Invalid schema for response_format 'A': In context=(), 'additionalProperties' is required to be \
             supplied and to be false.",
        ),
        (
            more(json!({"response_format": {"type": "json_object"}})),
            400,
            json!("messages"),
            Value::Null,
            "the word 'json'",
        ),
        (
            reasoning(json!({"max_tokens": 5})),
            400,
            json!("max_tokens"),
            json!("unsupported_parameter"),
            "max_completion_tokens",
        ),
        (
            reasoning(json!({"temperature": 0.5})),
            400,
            json!("temperature"),
            json!("unsupported_value"),
            "default (1)",
        ),
    ] {
        let (seen, error) = world.refused(&body).await;
        assert_eq!((seen, &error["param"], &error["code"]), (status, &param, &code), "{body} {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(text)), "{body} {error}");
    }
    world.complete(&more(json!({"response_format": format(false)}))).await;
}

#[tokio::test]
async fn every_call_of_a_tool_must_be_answered_before_anybody_goes_on() {
    let world = World::new(Config::default()).await;
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "a", "arguments": "{}"}});
    let assistant = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "done"});
    let user = json!({"role": "user", "content": "Hello"});
    let asked = |messages: Value| json!({"model": "gpt-4o-mini", "messages": messages});
    for (messages, text) in [
        (json!([user, assistant, user]), "did not have response messages: call_1"),
        (json!([user, assistant]), "did not have response messages: call_1"),
        (json!([user, assistant, result("call_2")]), "must be a response"),
        (json!([user, result("call_1")]), "must be a response"),
        (json!([user, {"role": "robot", "content": "x"}]), "Invalid value: 'robot'"),
    ] {
        let (status, error) = world.refused(&asked(messages.clone())).await;
        assert_eq!(status, 400, "{messages}");
        assert!(
            error["message"].as_str().is_some_and(|message| message.contains(text)),
            "{messages} {error}"
        );
    }
    world.complete(&asked(json!([user, assistant, result("call_1"), user]))).await;
}

#[tokio::test]
async fn a_conversation_may_not_outgrow_the_context() {
    let world = World::new(Config { context_tokens: 10, ..Config::default() }).await;
    world.complete(&says(&"a".repeat(40))).await;
    let (status, error) = world.refused(&says(&"a".repeat(41))).await;
    assert_eq!((status, &error["code"]), (400, &json!("context_length_exceeded")));
    let text = "maximum context length is 10 tokens. However, your messages resulted in 11 tokens.";
    assert!(error["message"].as_str().is_some_and(|message| message.contains(text)), "{error}");
}
