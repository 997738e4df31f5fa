//! Stopping, changing and deleting calls (protocol page, §4).

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{
    Hub,
    agent::object,
    call::{Call, Storage, Updates, View},
    config::{Config, StopRinging},
    dial,
    door::{self, Purpose},
    reads::{self, answer},
    reason::Status,
    reply::Refusal,
};

/// `POST /v2/stop-call/{call_id}`
pub(super) async fn stop(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    without_content(&hub, &headers, |config| {
        hub.change(|world| {
            let call = reads::find(world, config, &id)?.clone();
            let ends = match (call.status, config.replies.stop_ringing) {
                (Status::Ongoing, _) | (Status::Registered, StopRinging::Ends) => true,
                (Status::Registered, StopRinging::Ignored) => false,
                (Status::Registered, StopRinging::Refused)
                | (Status::Ended | Status::NotConnected | Status::Error, _) => {
                    return Err(Refusal::invalid(format!("call {id} is not ongoing")));
                }
            };
            if ends {
                world.update(&call, |call| call.stopped = true);
                call.base.nudge.notify_one();
            }
            Ok(())
        })
    })
}

/// `DELETE /v2/delete-call/{call_id}`: the record alone; the call goes on.
pub(super) async fn delete(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    without_content(&hub, &headers, |config| {
        hub.change(|world| {
            let call = reads::find(world, config, &id)?.clone();
            world.update(&call, |call| call.deleted = true);
            Ok(())
        })
    })
}

/// `PATCH /v2/update-call/{call_id}`
pub(super) async fn update(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&hub, &headers, |config| {
        let body = json_object(&body)?;
        change(&hub, config, &id, &body, |_| Ok(())).map(|call| call.object(View::Whole))
    })
}

/// `PATCH /v2/update-live-call/{call_id}`: what it tells the agent to do is heard by nobody here.
pub(super) async fn update_live(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&hub, &headers, |config| {
        let body = json_object(&body)?;
        let fields = &body["fields_to_override"];
        object(fields, "fields_to_override").map_err(Refusal::invalid)?;
        let variables = "override_dynamic_variables";
        dial::strings(&fields[variables], variables).map_err(Refusal::invalid)?;
        object(&body["call_control"], "call_control").map_err(Refusal::invalid)?;
        let ongoing = |call: &Call| match call.status {
            Status::Ongoing => Ok(()),
            Status::Registered | Status::Ended | Status::NotConnected | Status::Error => {
                Err(Refusal::invalid(format!("call {id} is not ongoing")))
            }
        };
        change(&hub, config, &id, fields, ongoing).map(|_| json!({"success": true}))
    })
}

/// Changes the call as `fields` say, if `allowed`.
fn change(
    hub: &Hub,
    config: &Config,
    id: &str,
    fields: &Value,
    allowed: impl FnOnce(&Call) -> Result<(), Refusal>,
) -> Result<Call, Refusal> {
    hub.change(|world| {
        let call = reads::find(world, config, id)?.clone();
        allowed(&call)?;
        let updates = Arc::new(updated(&call.updates, fields, config).map_err(Refusal::invalid)?);
        world.update(&call, |call| call.updates = updates);
        reads::find(world, config, id).cloned()
    })
}

/// `Err` is the message of a 400.
fn updated(before: &Updates, fields: &Value, config: &Config) -> Result<Updates, String> {
    let mut updates = before.clone();
    dial::metadata(&fields["metadata"])?;
    if !fields["metadata"].is_null() {
        updates.metadata = Some(fields["metadata"].clone());
    }
    if !fields["data_storage_setting"].is_null() {
        let storage = Storage::deserialize(&fields["data_storage_setting"])
            .map_err(|error| format!("data_storage_setting: {error}"))?;
        if storage < updates.storage {
            return Err("data_storage_setting can only become more restrictive".into());
        }
        updates.storage = storage;
    }
    for (id, value) in object(&fields["custom_attributes"], "custom_attributes")?.into_iter().flatten() {
        if value.is_null() || value.is_array() || value.is_object() {
            return Err(format!("custom_attributes.{id} must be a string, a number or a boolean"));
        }
        if config.custom_attributes.contains(id) {
            updates.attributes.insert(id.clone(), value.clone());
        }
    }
    Ok(updates)
}

/// The body as JSON.
pub(super) fn json_object(body: &[u8]) -> Result<Value, Refusal> {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.filter(Value::is_object).ok_or_else(|| Refusal::invalid("the body must be a JSON object"))
}

fn without_content(
    hub: &Hub,
    headers: &HeaderMap,
    serve: impl FnOnce(&Config) -> Result<(), Refusal>,
) -> Response {
    let config = hub.config();
    let entered = door::enter(hub, &config, headers, Purpose::Other);
    match entered.and_then(|()| serve(&config)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
