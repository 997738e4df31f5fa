//! What every `/_emulator/…` does alike: settings changed in part, and orders refused.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The settings with a change applied: objects are merged, anything else replaced.
pub(crate) fn patched<C: Serialize + DeserializeOwned>(config: &C, patch: Value) -> Result<C, String> {
    let merged = serde_json::to_value(config).and_then(|mut config| {
        merge(&mut config, patch);
        serde_json::from_value(config)
    });
    merged.map_err(|error| error.to_string())
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(fields.entry(name).or_insert(Value::Null), change);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// The answer to an order that cannot be carried out.
pub(crate) fn refuse(message: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": message }))).into_response()
}
