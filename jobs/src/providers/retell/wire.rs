//! Retell's JSON: what is sent, and what is read, leniently. Of what is read everything may be missing, and
//! what has another form than documented counts as missing.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

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

/// A page of calls. Both fields are required: a body without them is no empty list.
#[derive(Debug, Deserialize)]
pub(super) struct CallList {
    pub(super) items: Vec<Call>,
    pub(super) has_more: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pagination_key: Option<String>,
}

/// A webhook.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) event: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) call: Option<Call>,
}

/// A call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    #[serde(deserialize_with = "lenient")]
    pub(super) call_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) call_type: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) direction: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) call_status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) metadata: Map<String, Value>,
    #[serde(deserialize_with = "whole")]
    pub(super) start_timestamp: Option<i64>,
    #[serde(deserialize_with = "whole")]
    pub(super) end_timestamp: Option<i64>,
    #[serde(deserialize_with = "whole")]
    pub(super) duration_ms: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) disconnection_reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) recording_url: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) scrubbed_recording_url: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) transcript_object: Vec<Utterance>,
    #[serde(deserialize_with = "lenient")]
    pub(super) scrubbed_transcript_with_tool_calls: Vec<Utterance>,
    #[serde(deserialize_with = "lenient")]
    pub(super) call_analysis: Analysis,
    #[serde(deserialize_with = "lenient")]
    pub(super) call_cost: CallCost,
}

impl Call {
    /// Our key, as the call echoes it.
    pub(super) fn key(&self) -> Option<&str> {
        self.metadata.get(KEY_NAME)?.as_str()
    }
}

/// One thing that was said, or done: `role` tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Utterance {
    #[serde(deserialize_with = "lenient")]
    pub(super) role: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) content: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) words: Vec<Word>,
}

/// A word, and when it began, in seconds of the call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Word {
    #[serde(deserialize_with = "lenient")]
    pub(super) start: Option<f64>,
}

/// What Retell makes of a call afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Analysis {
    #[serde(deserialize_with = "lenient")]
    pub(super) call_summary: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) in_voicemail: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub(super) user_sentiment: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) call_successful: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub(super) custom_analysis_data: Map<String, Value>,
}

/// What a call cost, in cents.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallCost {
    #[serde(deserialize_with = "lenient")]
    pub(super) combined_cost: Option<f64>,
}

/// How many calls the workspace may have.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Concurrency {
    #[serde(deserialize_with = "lenient")]
    pub(super) concurrency_limit: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) reserved_inbound_concurrency: Option<u32>,
}

/// What every answer says that is no success.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refused {
    #[serde(deserialize_with = "lenient")]
    pub(super) message: Option<String>,
}

/// Anything unexpected is the default, and so is an empty text.
fn lenient<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(from: D) -> Result<T, D::Error> {
    let value = Value::deserialize(from)?;
    let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
    Ok(if blank { T::default() } else { serde_json::from_value(value).unwrap_or_default() })
}

/// A whole number, though it be written with a fraction.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let number = lenient::<D, Option<Number>>(from)?;
    Ok(number.and_then(|number| {
        let rounded = || format!("{:.0}", number.as_f64()?).parse().ok();
        number.as_i64().or_else(rounded)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_another_form_than_documented_counts_as_missing() {
        let call: Call = serde_json::from_value(json!({
            "call_id": "c1", "metadata": ["attempt_id"], "start_timestamp": 1_767_225_600_000.0,
            "duration_ms": "soon", "recording_url": "", "disconnection_reason": 7,
            "transcript_object": {"role": "agent"}, "call_analysis": null, "call_cost": "free",
        }))
        .expect("reads");
        assert_eq!((call.call_id.as_deref(), call.key()), (Some("c1"), None));
        assert_eq!(call.start_timestamp, Some(1_767_225_600_000));
        assert_eq!((call.duration_ms, call.recording_url, call.disconnection_reason), (None, None, None));
        assert!(call.transcript_object.is_empty() && call.call_cost.combined_cost.is_none());
    }

    #[test]
    fn a_body_without_calls_is_no_list() {
        for text in [
            r"{}",
            r#"{"items": []}"#,
            r#"{"has_more": false}"#,
            "[]",
            r#"{"items": [1], "has_more": false}"#,
        ] {
            assert!(serde_json::from_str::<CallList>(text).is_err(), "{text}");
        }
        let list: CallList =
            serde_json::from_str(r#"{"items": [{}], "has_more": true, "pagination_key": "k"}"#)
                .expect("a list");
        assert_eq!((list.items.len(), list.has_more, list.pagination_key.as_deref()), (1, true, Some("k")));
    }
}
