//! What OpenAI refuses before a model sees it (§1, §4, §5).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{config::Config, error::Refusal, request::Ask, schema, tokens};

/// Every documented field of a request.
const FIELDS: [&str; 36] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "n",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "user",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "modalities",
    "audio",
    "prediction",
    "web_search_options",
    "moderation",
    "functions",
    "function_call",
];
const TOOLS_MAX: usize = 128;
const NAME_MAX: usize = 64;

/// Reads a body, or says why it is refused.
pub(super) fn read(body: &Value, config: &Config) -> Result<Ask, Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(Refusal::invalid("We could not parse the JSON body of your request."));
    };
    let stranger = fields.keys().find(|name| !FIELDS.contains(&name.as_str()));
    if let Some(stranger) = stranger.filter(|_| config.refuse_unknown_fields) {
        return Err(Refusal::invalid(format!("Unrecognized request argument supplied: {stranger}")));
    }
    if !fields.contains_key("model") {
        return Err(Refusal::invalid("you must provide a model parameter"));
    }
    let ask: Ask = serde_json::from_value(body.clone())
        .map_err(|error| Refusal::invalid(format!("Invalid type: {error}")).coded("invalid_type"))?;
    check(&ask, config)?;
    Ok(ask)
}

fn check(ask: &Ask, config: &Config) -> Result<(), Refusal> {
    if !config.models.is_empty() && !config.models.contains(&ask.model) {
        return Err(Refusal::no_model(&ask.model));
    }
    check_numbers(ask)?;
    if config.reasoning_models.iter().any(|family| ask.model.starts_with(family.as_str())) {
        check_reasoning(ask)?;
    }
    if ask.stream_options.is_some() && !ask.streams() {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::invalid(message).of("stream_options"));
    }
    check_tools(ask)?;
    check_messages(ask)?;
    check_format(ask)?;
    check_length(ask, config)
}

fn check_numbers(ask: &Ask) -> Result<(), Refusal> {
    let bounded = [
        ("temperature", ask.temperature, 0.0, 2.0),
        ("top_p", ask.top_p, 0.0, 1.0),
        ("frequency_penalty", ask.frequency_penalty, -2.0, 2.0),
        ("presence_penalty", ask.presence_penalty, -2.0, 2.0),
    ];
    for (name, value, least, most) in bounded {
        if value.is_some_and(|value| !(least..=most).contains(&value)) {
            let message = format!("Invalid '{name}': expected a value between {least} and {most}.");
            return Err(Refusal::invalid(message).of(name).coded("invalid_value"));
        }
    }
    if ask.n.is_some_and(|n| n != 1) {
        return Err(Refusal::invalid("Only one choice is emulated.").of("n").coded("unsupported_value"));
    }
    if ask.stops().len() > 4 {
        return Err(Refusal::invalid("At most 4 stop sequences are allowed.").of("stop"));
    }
    Ok(())
}

fn check_reasoning(ask: &Ask) -> Result<(), Refusal> {
    if ask.max_tokens.is_some() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. \
             Use 'max_completion_tokens' instead.";
        return Err(Refusal::invalid(message).of("max_tokens").coded("unsupported_parameter"));
    }
    if ask.stop.is_some() {
        let message = "Unsupported parameter: 'stop' is not supported with this model.";
        return Err(Refusal::invalid(message).of("stop").coded("unsupported_parameter"));
    }
    for (name, value, only) in [
        ("temperature", ask.temperature, 1.0),
        ("top_p", ask.top_p, 1.0),
        ("frequency_penalty", ask.frequency_penalty, 0.0),
        ("presence_penalty", ask.presence_penalty, 0.0),
    ] {
        if let Some(value) = value.filter(|value| (value - only).abs() > f64::EPSILON) {
            let message = format!(
                "Unsupported value: '{name}' does not support {value} with this model. \
                 Only the default ({only}) value is supported."
            );
            return Err(Refusal::invalid(message).of(name).coded("unsupported_value"));
        }
    }
    Ok(())
}

fn check_tools(ask: &Ask) -> Result<(), Refusal> {
    let tools = ask.tools();
    if tools.is_empty() {
        return match (&ask.tools, &ask.tool_choice) {
            (Some(_), _) => Err(Refusal::invalid("[] is too short - 'tools'").of("tools")),
            (None, Some(choice)) if choice != "none" => {
                Err(Refusal::invalid("'tool_choice' is only allowed when 'tools' are specified.")
                    .of("tool_choice"))
            }
            (None, _) => Ok(()),
        };
    }
    if tools.len() > TOOLS_MAX {
        return Err(Refusal::invalid("At most 128 tools are allowed.").of("tools"));
    }
    for (place, tool) in tools.iter().enumerate() {
        let param = format!("tools[{place}].function");
        let function = match (&*tool.kind, &tool.function) {
            ("function", Some(function)) => function,
            ("custom", _) => continue,
            _ => return Err(Refusal::invalid(format!("Missing required parameter: '{param}'.")).of(param)),
        };
        if !is_name(&function.name) {
            let message = format!("Invalid '{param}.name': expected a pattern of '^[a-zA-Z0-9_-]{{1,64}}$'.");
            return Err(Refusal::invalid(message).of(format!("{param}.name")).coded("invalid_value"));
        }
        let strict = function.strict == Some(true);
        if let Some(parameters) = function.parameters.clone().filter(|_| strict) {
            schema::check(&Value::Object(parameters)).map_err(|why| {
                let message = format!("Invalid schema for function '{}': {why}", function.name);
                Refusal::invalid(message)
                    .of(format!("{param}.parameters"))
                    .coded("invalid_function_parameters")
            })?;
        }
    }
    let offered =
        |name: &str| tools.iter().any(|tool| tool.function.as_ref().is_some_and(|one| one.name == name));
    match ask.forced_tool() {
        Some(name) if !offered(name) => {
            let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(Refusal::invalid(message).of("tool_choice"))
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(fine)
}

/// Roles, and that every call of a tool is answered before anybody goes on.
fn check_messages(ask: &Ask) -> Result<(), Refusal> {
    if ask.messages.is_empty() {
        return Err(Refusal::invalid("[] is too short - 'messages'").of("messages"));
    }
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (place, message) in ask.messages.iter().enumerate() {
        let wrong = |message: String| Refusal::invalid(message).of(format!("messages.[{place}].role"));
        if message.role == "tool" {
            let answered = message.tool_call_id.as_deref().is_some_and(|id| open.remove(id));
            if !answered {
                let message =
                    "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
                return Err(wrong(format!("Invalid parameter: {message}")));
            }
            continue;
        }
        if !open.is_empty() {
            return Err(wrong(unanswered(&open)));
        }
        match &*message.role {
            "system" | "developer" | "user" if message.content.is_none() => {
                let message = "Invalid value for 'content': expected a string, got null.";
                return Err(Refusal::invalid(message).of(format!("messages.[{place}].content")));
            }
            "system" | "developer" | "user" => {}
            "assistant" => open.extend(message.tool_calls.iter().flatten().map(|call| call.id.as_str())),
            other => return Err(wrong(format!("Invalid value: '{other}'.")).coded("invalid_value")),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(unanswered(&open)).of("messages"))
}

fn unanswered(open: &BTreeSet<&str>) -> String {
    let ids: Vec<&str> = open.iter().copied().collect();
    format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        ids.join(", ")
    )
}

fn check_format(ask: &Ask) -> Result<(), Refusal> {
    let Some(format) = &ask.response_format else { return Ok(()) };
    match &*format.kind {
        "text" => Ok(()),
        // OpenAI wants to be told in the conversation, too.
        "json_object"
            if ask.messages.iter().any(|message| message.text().to_lowercase().contains("json")) =>
        {
            Ok(())
        }
        "json_object" => {
            let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of \
                 type 'json_object'.";
            Err(Refusal::invalid(message).of("messages"))
        }
        "json_schema" => match &format.json_schema {
            Some(wanted) if !is_name(&wanted.name) => {
                let message = "Invalid 'response_format.json_schema.name'.";
                Err(Refusal::invalid(message).of("response_format.json_schema.name").coded("invalid_value"))
            }
            Some(wanted) => {
                let strict = wanted.strict == Some(true);
                let checked = wanted.schema.as_ref().filter(|_| strict).map_or(Ok(()), schema::check);
                checked.map_err(|why| {
                    let message = format!("Invalid schema for response_format '{}': {why}", wanted.name);
                    Refusal::invalid(message).of("response_format")
                })
            }
            None => {
                let message = "Missing required parameter: 'response_format.json_schema'.";
                Err(Refusal::invalid(message)
                    .of("response_format.json_schema")
                    .coded("missing_required_parameter"))
            }
        },
        other => Err(Refusal::invalid(format!("Invalid value: '{other}'."))
            .of("response_format.type")
            .coded("invalid_value")),
    }
}

/// Tokens of the conversation.
pub(super) fn prompt_tokens(ask: &Ask) -> usize {
    let of_message = |message: &super::request::Message| {
        let calls = message.tool_calls.iter().flatten();
        let called: usize = calls
            .map(|call| tokens::count(&call.function.name) + tokens::count(&call.function.arguments))
            .sum();
        tokens::count(&message.text()) + called
    };
    ask.messages.iter().map(of_message).sum()
}

fn check_length(ask: &Ask, config: &Config) -> Result<(), Refusal> {
    let most = usize::try_from(config.context_tokens).unwrap_or(usize::MAX);
    let tokens = prompt_tokens(ask);
    if tokens <= most {
        return Ok(());
    }
    let message = format!(
        "This model's maximum context length is {most} tokens. However, your messages resulted in {tokens} \
         tokens. Please reduce the length of the messages."
    );
    Err(Refusal::invalid(message).of("messages").coded("context_length_exceeded"))
}
