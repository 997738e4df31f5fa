//! Retell's JSON as it is read: everything may be missing, and what has another form than documented counts as
//! missing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::requests::KEY_NAME;

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
