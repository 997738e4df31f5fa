//! `/_emulator/…`: the same levers as [`Exotel`](super::Exotel) has, for tests in another process.

use std::{future, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::CallReport,
    config::Config,
    counters::{Dials, Totals},
    hub::Hub,
    phone::Phone,
    scenario::Scenario,
};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/_emulator/health", get(|| future::ready(Json(json!({"emulates": "exotel"})))))
        .route("/_emulator/config", get(config).patch(patch_config))
        .route("/_emulator/scripts", post(add_scripts).delete(delete_scripts))
        .route("/_emulator/dials", get(dials))
        .route("/_emulator/totals", get(totals))
        .route("/_emulator/calls", get(calls))
        .route("/_emulator/calls/{sid}/proceed", post(proceed))
        .route("/_emulator/reset", post(reset))
}

async fn config(State(hub): State<Arc<Hub>>) -> Json<Config> {
    Json(Config::clone(&hub.config()))
}

/// Objects are merged, anything else replaced.
async fn patch_config(State(hub): State<Arc<Hub>>, Json(patch): Json<Value>) -> Response {
    let patched = serde_json::to_value(&*hub.config()).and_then(|mut config| {
        merge(&mut config, patch);
        serde_json::from_value::<Config>(config)
    });
    match patched.map_err(|error| error.to_string()) {
        Ok(config) => match config.check() {
            Ok(()) => {
                hub.configure(config.clone());
                Json(config).into_response()
            }
            Err(error) => refuse(&error.to_string()),
        },
        Err(message) => refuse(&message),
    }
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

/// One number's script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberScript {
    number: String,
    scenarios: Vec<Scenario>,
}

/// Takes one script or a list of them.
async fn add_scripts(State(hub): State<Arc<Hub>>, Json(scripts): Json<Value>) -> Response {
    let many = if scripts.is_array() { scripts } else { json!([scripts]) };
    let scripts: Vec<NumberScript> = match serde_json::from_value(many) {
        Ok(scripts) => scripts,
        Err(error) => return refuse(&error.to_string()),
    };
    let known: Option<Vec<_>> =
        scripts.into_iter().map(|one| Some((Phone::parse(&one.number)?, one.scenarios))).collect();
    let Some(known) = known else { return refuse("a number is not a phone number") };
    hub.change(|world| known.into_iter().for_each(|(phone, script)| world.script(phone, script)));
    StatusCode::NO_CONTENT.into_response()
}

async fn delete_scripts(State(hub): State<Arc<Hub>>) -> StatusCode {
    hub.change(|world| world.clear_scripts());
    StatusCode::NO_CONTENT
}

/// What to show; absent shows all.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Only {
    key: Option<String>,
    number: Option<String>,
}

async fn dials(State(hub): State<Arc<Hub>>, Query(only): Query<Only>) -> Json<Dials> {
    let mut dials = hub.read().counters.snapshot();
    if let Some(key) = &only.key {
        dials.keys.retain(|known, _| known == key);
        dials.timeline.retain(|dial| dial.key.as_ref() == Some(key));
    }
    if let Some(phone) = only.number.as_deref().and_then(Phone::parse) {
        dials.numbers.retain(|known, _| Phone::parse(known) == Some(phone));
        dials.timeline.retain(|dial| Phone::parse(&dial.from) == Some(phone));
    }
    Json(dials)
}

async fn totals(State(hub): State<Arc<Hub>>) -> Json<Totals> {
    Json(hub.read().counters.totals)
}

async fn calls(State(hub): State<Arc<Hub>>, Query(only): Query<Only>) -> Json<Vec<CallReport>> {
    let phones: Vec<_> = only.number.as_deref().and_then(Phone::parse).into_iter().collect();
    let world = hub.read();
    let mut calls = world.calls(&phones);
    calls.retain(|call| only.key.is_none() || call.request.custom_field == only.key);
    Json(calls.into_iter().map(|call| call.report()).collect())
}

async fn proceed(State(hub): State<Arc<Hub>>, Path(sid): Path<String>) -> StatusCode {
    if hub.proceed(&sid) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn reset(State(hub): State<Arc<Hub>>) -> StatusCode {
    hub.reset();
    StatusCode::NO_CONTENT
}

fn refuse(message: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": message }))).into_response()
}
