//! Which answer a conversation gets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    answer::{Answer, Quirk},
    request::{Ask, Function, Message},
    schema,
};

/// An answer, and the conversations that get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The conversations.
    #[serde(default)]
    pub when: When,
    /// The answer.
    #[serde(default)]
    pub answer: Answer,
    /// What goes wrong each time.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
}

impl Rule {
    /// A rule by which nothing goes wrong.
    pub fn new(when: When, answer: Answer) -> Self {
        Self { when, answer, quirks: Vec::new() }
    }
}

/// What must all be so; whatever is absent may be anything. Texts are searched without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// The last message is a user's and contains this.
    pub user: Option<String>,
    /// The last message is a tool's and contains this.
    pub tool_result: Option<String>,
    /// Some system or developer message contains this.
    pub system: Option<String>,
    /// This tool is offered.
    pub tool: Option<String>,
    /// The schema asked for has this name.
    pub schema: Option<String>,
    /// The model has this name.
    pub model: Option<String>,
}

impl When {
    /// The user has just said something with this in it.
    pub fn user(text: &str) -> Self {
        Self { user: Some(text.into()), ..Self::default() }
    }

    /// A tool has just answered something with this in it.
    pub fn tool_result(text: &str) -> Self {
        Self { tool_result: Some(text.into()), ..Self::default() }
    }

    /// An answer of this schema is asked for.
    pub fn schema(name: &str) -> Self {
        Self { schema: Some(name.into()), ..Self::default() }
    }

    fn fits(&self, ask: &Ask) -> bool {
        let last = ask.messages.last();
        let last_is = |role: &str, text: &str| last.is_some_and(|last| last.role == role && says(last, text));
        let instructs = |message: &Message, text: &str| {
            matches!(&*message.role, "system" | "developer") && says(message, text)
        };
        let offers = |name: &str| functions(ask).any(|function| function.name == name);
        holds(self.user.as_deref(), |text| last_is("user", text))
            && holds(self.tool_result.as_deref(), |text| last_is("tool", text))
            && holds(self.system.as_deref(), |text| {
                ask.messages.iter().any(|message| instructs(message, text))
            })
            && holds(self.tool.as_deref(), offers)
            && holds(self.schema.as_deref(), |name| ask.schema().is_some_and(|schema| schema.name == name))
            && holds(self.model.as_deref(), |model| ask.model == model)
    }
}

fn holds(wanted: Option<&str>, so: impl FnOnce(&str) -> bool) -> bool {
    wanted.is_none_or(so)
}

fn says(message: &Message, text: &str) -> bool {
    message.text().to_lowercase().contains(&text.to_lowercase())
}

fn functions(ask: &Ask) -> impl Iterator<Item = &Function> {
    ask.tools().iter().filter_map(|tool| tool.function.as_ref())
}

/// The first rule that fits, and its place.
pub(super) fn find<'a>(rules: &'a [Rule], ask: &Ask) -> Option<(usize, &'a Rule)> {
    rules.iter().enumerate().find(|(_, rule)| rule.when.fits(ask))
}

/// What is answered where no rule fits: the least that the schema or the forced tool takes, or what the
/// user said last.
pub(super) fn fallback(ask: &Ask) -> Answer {
    if let Some(schema) = ask.schema().and_then(|schema| schema.schema.as_ref()) {
        return Answer::json(schema::least(schema, schema));
    }
    let required = ask.tool_choice.as_ref().is_some_and(|choice| choice == "required");
    let forced = match ask.forced_tool() {
        Some(name) => functions(ask).find(|function| function.name == name),
        None => functions(ask).next().filter(|_| required),
    };
    if let Some(function) = forced {
        let parameters = function.parameters.clone().map_or(Value::Null, Value::Object);
        return Answer::call(
            &function.name,
            &schema::written(&schema::least(&parameters, &parameters), &parameters),
        );
    }
    let json = ask.response_format.as_ref().is_some_and(|format| format.kind == "json_object");
    let said =
        ask.messages.iter().rfind(|message| message.role == "user").map(Message::text).unwrap_or_default();
    if json {
        Answer::json(serde_json::json!({"said": said}))
    } else {
        Answer::text(&format!("You said: {said}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(value: Value) -> Ask {
        serde_json::from_value(value).expect("a request")
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [
            Rule::new(When { tool: Some("book".into()), ..When::user("BOOK") }, Answer::call("book", "{}")),
            Rule::new(When::user("book"), Answer::text("I cannot.")),
            Rule::new(When::tool_result("done"), Answer::text("Booked.")),
        ];
        let tools = json!([{"type": "function", "function": {"name": "book"}}]);
        let user = json!({"role": "user", "content": [{"type": "text", "text": "Please book it"}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "Done"});
        let place = |value| find(&rules, &ask(value)).map(|(place, _)| place);
        assert_eq!(place(json!({"messages": [user], "tools": tools})), Some(0));
        assert_eq!(place(json!({"messages": [user]})), Some(1));
        // What the user said before the tool answered is over.
        assert_eq!(place(json!({"messages": [user, result], "tools": tools})), Some(2));
        assert_eq!(place(json!({"messages": [{"role": "user", "content": "Hello"}]})), None);
    }

    #[test]
    fn without_a_rule_the_least_that_was_asked_for_is_answered() {
        let hello = json!([{"role": "user", "content": "Hello"}]);
        assert_eq!(fallback(&ask(json!({"messages": hello}))), Answer::text("You said: Hello"));
        let tools = json!([{"type": "function", "function": {"name": "end_call", "parameters": {
            "type": "object", "required": ["reason"], "properties": {"reason": {"type": "string"}},
        }}}]);
        let forced = json!({"messages": hello, "tools": tools, "tool_choice": "required"});
        assert_eq!(fallback(&ask(forced)), Answer::call("end_call", r#"{"reason":""}"#));
    }
}
