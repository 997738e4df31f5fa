//! What filters know of a call, without building the whole call object.

use serde_json::{Value, json};

use crate::retell::call::Call;

/// The call's value of this name, if it has one.
pub(super) fn fact(call: &Call, name: &str) -> Option<Value> {
    let request = &call.request;
    let analysis = |name: &str| call.analysed.then(|| call.results.analysed(call.ending())[name].take());
    let value = match name {
        "call_id" => call.id().into(),
        "call_type" => "phone_call".into(),
        "call_status" => call.status.name().into(),
        "direction" => "outbound".into(),
        "from_number" => request.from.as_str().into(),
        "to_number" => request.to.as_str().into(),
        "agent_id" => request.agent_id.as_str().into(),
        "version" => request.agent.version.into(),
        "agent_tag" => request.agent_tag.as_deref()?.into(),
        "disconnection_reason" => json!(call.reason.as_ref()?),
        "data_storage_setting" => json!(call.updates.storage),
        "start_timestamp" => call.started?.timestamp_millis().into(),
        "end_timestamp" => call.ended?.timestamp_millis().into(),
        "duration_ms" => call.started.and(call.ended).map(|_| crate::millis::whole(call.talk))?.into(),
        "combined_cost" => call.ended.map(|_| call.results.cost(call.ending())["combined_cost"].take())?,
        "e2e_latency_p50" => call.answered.and(call.ended).map(|_| call.results.latency_p50_ms)?.into(),
        "user_sentiment" | "in_voicemail" | "call_successful" => analysis(name)?,
        // Nothing is called in batches here.
        _ => return None,
    };
    Some(value)
}

/// The value under `key` of one of the call's maps.
pub(super) fn entry(call: &Call, map: &str, key: &str) -> Option<Value> {
    let value = match map {
        "metadata" => call.metadata().get(key)?.clone(),
        "dynamic_variables" => call.request.body["retell_llm_dynamic_variables"].get(key)?.clone(),
        "custom_attributes" => call.updates.attributes.get(key)?.clone(),
        "custom_analysis_data" if call.analysed => {
            call.results.analysis.custom_analysis_data.get(key)?.clone()
        }
        _ => return None,
    };
    Some(value)
}
