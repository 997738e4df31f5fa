//! Retell's JSON as it is sent.

use std::collections::BTreeMap;

use serde::Serialize;

/// The top-level name in `metadata` under which our key travels.
pub(super) const KEY_NAME: &str = "attempt_id";

/// A dial request.
#[derive(Debug, Serialize)]
pub(super) struct CreateCall<'a> {
    pub(super) from_number: &'a str,
    pub(super) to_number: &'a str,
    pub(super) idempotency_key: &'a str,
    pub(super) override_agent_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) override_agent_version: Option<AgentVersion<'a>>,
    pub(super) agent_override: AgentOverride<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) retell_llm_dynamic_variables: &'a BTreeMap<String, String>,
    pub(super) metadata: Metadata<'a>,
    pub(super) honor_internal_dnc: bool,
}

/// A number, or the name of one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum AgentVersion<'a> {
    Number(u32),
    Name(&'a str),
}

/// What is otherwise for one call.
#[derive(Debug, Serialize)]
pub(super) struct AgentOverride<'a> {
    pub(super) agent: AgentSettings<'a>,
}

/// Settings of the agent itself.
#[derive(Debug, Serialize)]
pub(super) struct AgentSettings<'a> {
    pub(super) ring_duration_ms: u32,
    pub(super) max_call_duration_ms: u32,
    pub(super) webhook_url: &'a str,
    pub(super) webhook_events: &'a [&'a str],
}

/// What comes back with everything that is told of a call.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) attempt_id: &'a str,
}

/// A question for calls.
#[derive(Debug, Serialize)]
pub(super) struct ListCalls<'a> {
    pub(super) filter_criteria: Criteria<'a>,
    pub(super) limit: u32,
    pub(super) sort_order: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pagination_key: Option<&'a str>,
}

/// Which calls; all of it must hold.
#[derive(Debug, Serialize)]
pub(super) struct Criteria<'a> {
    pub(super) metadata: [Is<'a>; 1],
    pub(super) to_number: Is<'a>,
}

/// A text that must be just so.
#[derive(Debug, Serialize)]
pub(super) struct Is<'a> {
    r#type: &'a str,
    op: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    value: &'a str,
}

impl<'a> Is<'a> {
    pub(super) fn text(value: &'a str) -> Self {
        Self { r#type: "string", op: "eq", key: None, value }
    }

    pub(super) fn entry(key: &'a str, value: &'a str) -> Self {
        Self { key: Some(key), ..Self::text(value) }
    }
}
