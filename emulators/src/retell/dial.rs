//! A request for a call that has passed every check of the protocol page, §2.

use serde_json::{Map, Value};

use super::{
    agent::{Agent, object},
    config::Config,
    reply::Refusal,
};
use crate::carrier::Phone;

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct DialRequest {
    pub(super) phone: Phone,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) agent_id: String,
    /// Its settings, as overridden for this call.
    pub(super) agent: Agent,
    pub(super) agent_tag: Option<String>,
    /// All of it, as sent.
    pub(super) body: Value,
}

/// `metadata` in bytes at most. The limit is documented for updates.
const METADATA_MAX: usize = 50 * 1024;

/// Every field of the page's table.
const FIELDS: [&str; 11] = [
    "from_number",
    "to_number",
    "idempotency_key",
    "override_agent_id",
    "override_agent_version",
    "agent_override",
    "retell_llm_dynamic_variables",
    "metadata",
    "custom_sip_headers",
    "honor_internal_dnc",
    "ignore_e164_validation",
];

/// How many fields the protocol does not have.
pub(super) fn strangers(body: &Value) -> usize {
    let known = |field: &String| FIELDS.contains(&field.as_str());
    body.as_object().map_or(0, |fields| fields.keys().filter(|field| !known(field)).count())
}

/// Our dial key: the idempotency key, or else what the metadata calls the attempt.
pub(super) fn dial_key(body: &Value) -> Option<&str> {
    body["idempotency_key"].as_str().or_else(|| body["metadata"]["attempt_id"].as_str())
}

impl DialRequest {
    pub(super) fn read(body: Value, config: &Config) -> Result<Self, Refusal> {
        if !body.is_object() {
            return Err(Refusal::invalid("the body must be a JSON object"));
        }
        let to = required(&body, "to_number")?;
        let phone =
            Phone::e164(to).ok_or_else(|| Refusal::invalid(format!("to_number is not E.164: '{to}'")))?;
        let from = from_number(&body, config)?;
        if body["honor_internal_dnc"] == true && config.do_not_call.iter().any(|number| number == to) {
            return Err(Refusal::invalid("the contact is marked do_not_call"));
        }
        check(&body, config).map_err(Refusal::invalid)?;
        let (agent_id, agent) = agent(&body, config)?;
        let (version, agent_tag) = version(&body, agent.version).map_err(Refusal::invalid)?;
        let agent = Agent { version, ..agent };
        let agent = agent.overridden(&body["agent_override"], config).map_err(Refusal::invalid)?;
        let (to, from, agent_id) = (to.to_owned(), from.to_owned(), agent_id.to_owned());
        Ok(Self { phone, to, from, agent_id, agent, agent_tag, body })
    }

    /// `None` lets every repetition be a call of its own.
    pub(super) fn idempotency_key(&self) -> Option<&str> {
        self.body["idempotency_key"].as_str()
    }
}

fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body[name].as_str().ok_or_else(|| Refusal::invalid(format!("{name} must be a string")))
}

fn from_number<'a>(body: &'a Value, config: &Config) -> Result<&'a str, Refusal> {
    let from = required(body, "from_number")?;
    if Phone::e164(from).is_none() && body["ignore_e164_validation"] != true {
        return Err(Refusal::invalid(format!("from_number is not E.164: '{from}'")));
    }
    if config.from_numbers.is_empty() || config.from_numbers.iter().any(|owned| owned == from) {
        Ok(from)
    } else {
        Err(Refusal::no_such_asset(format!("phone number {from} not found under this API key")))
    }
}

/// The types of what the emulator does not act on.
fn check(body: &Value, config: &Config) -> Result<(), String> {
    match &body["idempotency_key"] {
        Value::Null => {}
        Value::String(key) if !key.is_empty() => {}
        _ => return Err("idempotency_key must be a string that is not empty".into()),
    }
    for name in ["honor_internal_dnc", "ignore_e164_validation"] {
        if !matches!(body[name], Value::Null | Value::Bool(_)) {
            return Err(format!("{name} must be true or false"));
        }
    }
    metadata(&body["metadata"])?;
    strings(&body["custom_sip_headers"], "custom_sip_headers")?;
    let variables = "retell_llm_dynamic_variables";
    if config.replies.any_dynamic_variables {
        object(&body[variables], variables).map(|_| ())
    } else {
        strings(&body[variables], variables).map(|_| ())
    }
}

/// Checks what is to be stored as `metadata`.
pub(super) fn metadata(given: &Value) -> Result<(), String> {
    match object(given, "metadata")? {
        Some(_) if given.to_string().len() > METADATA_MAX => Err("metadata exceeds 50 kB".into()),
        _ => Ok(()),
    }
}

/// The object of strings at `name`; `None` if it is left out.
pub(super) fn strings<'a>(given: &'a Value, name: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    let fields = object(given, name)?;
    match fields.into_iter().flatten().find(|(_, value)| !value.is_string()) {
        Some((field, _)) => Err(format!("{name}.{field} must be a string")),
        None => Ok(fields),
    }
}

fn agent<'a>(body: &'a Value, config: &'a Config) -> Result<(&'a str, Agent), Refusal> {
    let id = match &body["override_agent_id"] {
        Value::Null => config.bound_agent.as_str(),
        Value::String(id) => id,
        _ => return Err(Refusal::invalid("override_agent_id must be a string")),
    };
    match config.agents.get(id) {
        Some(agent) => Ok((id, agent.clone())),
        None if config.agents.is_empty() => Ok((id, Agent::default())),
        None => Err(Refusal::no_such_asset(format!("agent {id} not found under this API key"))),
    }
}

/// A number is the version itself, a word points at one: here always the newest.
fn version(body: &Value, newest: u32) -> Result<(u32, Option<String>), String> {
    match &body["override_agent_version"] {
        Value::Null => Ok((newest, None)),
        Value::String(word) if word == "latest" || word == "latest_published" => Ok((newest, None)),
        Value::String(tag) => Ok((newest, Some(tag.clone()))),
        given => {
            let version = given.as_u64().and_then(|version| u32::try_from(version).ok());
            Ok((version.ok_or("override_agent_version must be an integer or a string")?, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(more: &Value) -> Result<DialRequest, u16> {
        let mut body = json!({"from_number": "+14155550100", "to_number": "+14155550123"});
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        DialRequest::read(body, &Config::default()).map_err(|refusal| refusal.status)
    }

    #[test]
    fn our_key_is_the_idempotency_key_or_else_the_attempt_in_the_metadata() {
        let both = json!({"idempotency_key": "a", "metadata": {"attempt_id": "b"}});
        assert_eq!(dial_key(&both), Some("a"));
        assert_eq!(dial_key(&json!({"metadata": {"attempt_id": "b"}})), Some("b"));
        assert_eq!(dial_key(&json!({"metadata": {"attempt_id": 7}})), None);
        assert_eq!(dial_key(&json!([])), None);
    }

    #[test]
    fn a_version_is_a_number_a_tag_or_the_newest() {
        let versions = [json!(7), json!("latest"), json!("staging")].map(|version| {
            let request = read(&json!({ "override_agent_version": version })).expect("valid");
            (request.agent.version, request.agent_tag)
        });
        assert_eq!(versions, [(7, None), (1, None), (1, Some("staging".into()))]);
    }

    #[test]
    fn a_request_of_the_wrong_types_is_refused() {
        for more in [
            json!({"to_number": "4155550123"}),
            json!({"from_number": null}),
            json!({"from_number": "100"}),
            json!({"idempotency_key": ""}),
            json!({"metadata": "att_1"}),
            json!({"metadata": {"big": "x".repeat(METADATA_MAX)}}),
            json!({"retell_llm_dynamic_variables": {"age": 7}}),
            json!({"custom_sip_headers": {"X-A": true}}),
            json!({"override_agent_version": 1.5}),
            json!({"honor_internal_dnc": "yes"}),
            json!({"agent_override": {"agent": {"ring_duration_ms": 1}}}),
        ] {
            assert_eq!(read(&more).err(), Some(400), "{more}");
        }
        assert!(read(&json!({"from_number": "100", "ignore_e164_validation": true})).is_ok());
    }

    #[test]
    fn fields_that_the_protocol_does_not_have_are_counted() {
        assert_eq!(strangers(&json!({"to_number": "+1", "toNumber": "+1", "agent_id": "a"})), 2);
    }
}
