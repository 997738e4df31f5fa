//! Whole answers: what is said, and why.

use outdial_emulators::openai::{Answer, Config, RequestEnd, Rule, Turn, When};
use serde_json::{Value, json};

use crate::harness::{World, says, with};

fn end_call() -> Value {
    json!([{"type": "function", "function": {"name": "end_call", "parameters": {
        "type": "object", "required": ["reason"], "additionalProperties": false,
        "properties": {"reason": {"type": "string"}},
    }, "strict": true}}])
}

#[tokio::test]
async fn without_a_rule_what_the_user_said_comes_back() {
    let world = World::new(Config::default()).await;
    let answer = world.complete(&says("Good morning")).await;
    let choice = &answer["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": "You said: Good morning", "refusal": null, "annotations": []})
    );
    assert_eq!((&choice["finish_reason"], &answer["object"]), (&json!("stop"), &json!("chat.completion")));
    assert_eq!(answer["id"], "chatcmpl-00000000");
    // 12 characters asked, 22 answered, four a token.
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(3), &json!(6), &json!(9))
    );
    let report = world.ended().await;
    assert_eq!(
        (report.text_sent.as_str(), report.ended),
        ("You said: Good morning", Some(RequestEnd::Answered))
    );
    assert_eq!(report.request["messages"][0]["content"], "Good morning");
}

#[tokio::test]
async fn a_rule_calls_a_tool_and_another_speaks_of_its_result() {
    let rules = vec![
        Rule::new(When::user("stop calling"), Answer::call("end_call", r#"{"reason":"opt-out"}"#)),
        Rule::new(When::tool_result("ended"), Answer::text("Goodbye.")),
    ];
    let world = World::new(Config { rules, ..Config::default() }).await;
    let asked = with(says("Please STOP calling me"), &json!({"tools": end_call()}));
    let answer = world.complete(&asked).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &answer["choices"][0]["finish_reason"]),
        (&Value::Null, &json!("tool_calls"))
    );
    let call = &message["tool_calls"][0];
    assert_eq!(call["function"], json!({"name": "end_call", "arguments": r#"{"reason":"opt-out"}"#}));
    let mut messages = asked["messages"].as_array().expect("messages").clone();
    messages.push(message.clone());
    messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "ended"}));
    let answer = world.complete(&with(asked, &json!({"messages": messages}))).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "Goodbye.");
    let rules: Vec<_> = world.openai.reports().iter().map(|report| report.rule).collect();
    assert_eq!(rules, [Some(0), Some(1)]);
}

#[tokio::test]
async fn a_script_answers_the_next_requests_before_any_rule() {
    let rules = vec![Rule::new(When::default(), Answer::text("always"))];
    let world = World::new(Config { rules, ..Config::default() }).await;
    world
        .openai
        .script([Turn::answering(Answer::text("first")), Turn::answering(Answer::refusing("I won't."))]);
    let mut said = Vec::new();
    for _ in 0..3 {
        let answer = world.complete(&says("Hello")).await;
        let message = &answer["choices"][0]["message"];
        said.push((message["content"].clone(), message["refusal"].clone()));
    }
    assert_eq!(
        said,
        [(json!("first"), Value::Null), (Value::Null, json!("I won't.")), (json!("always"), Value::Null)]
    );
}

#[tokio::test]
async fn structured_answers_follow_their_schema_in_its_order() {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["outcome", "notes"],
        "properties": {
            "outcome": {"type": "string", "enum": ["interested", "not_interested"]},
            "notes": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    });
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "Analysis", "strict": true, "schema": schema}});
    let asked = with(says("Analyse"), &json!({"response_format": format}));
    let given = Answer::json(json!({"notes": "call back", "outcome": "not_interested"}));
    let rules = vec![Rule::new(When { model: Some("scripted".into()), ..When::schema("Analysis") }, given)];
    let world = World::new(Config { rules, ..Config::default() }).await;
    let content = |answer: Value| answer["choices"][0]["message"]["content"].clone();
    let least = content(world.complete(&asked).await);
    assert_eq!(least, r#"{"outcome":"interested","notes":""}"#);
    let scripted = content(world.complete(&with(asked, &json!({"model": "scripted"}))).await);
    assert_eq!(scripted, r#"{"outcome":"not_interested","notes":"call back"}"#);
}

#[tokio::test]
async fn every_answer_says_how_much_is_left_and_what_to_call_it() {
    let world = World::new(Config::default()).await;
    for (body, status) in [(says("Hello"), 200), (json!({}), 400)] {
        let response = world.post(&body).await;
        assert_eq!(response.status(), status);
        let header = |name: &str| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert!(header("x-request-id").starts_with("req_"));
        assert_eq!(header("openai-version"), "2020-10-01");
        assert_eq!(header("x-ratelimit-limit-requests"), "10000");
        assert_eq!(header("x-ratelimit-remaining-requests"), "9999");
        assert_eq!(header("x-ratelimit-reset-requests"), "6ms");
        for name in ["limit-tokens", "remaining-tokens", "reset-tokens"] {
            header(&format!("x-ratelimit-{name}"));
        }
    }
}

#[tokio::test]
async fn an_answer_ends_where_it_was_asked_to() {
    let world = World::new(Config::default()).await;
    let short = world.complete(&with(says("Hello"), &json!({"max_completion_tokens": 2}))).await;
    let choice = &short["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("You said"), &json!("length"))
    );
    let stopped = world.complete(&with(says("Hello"), &json!({"stop": ":"}))).await;
    assert_eq!(stopped["choices"][0]["message"]["content"], "You said");
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
}
