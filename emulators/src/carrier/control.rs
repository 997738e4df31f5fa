//! `/_emulator/…`: the same levers as [`Emulator`](super::Emulator) has, for tests in another process.

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

use super::{Call as _, Dials, Hub, Protocol, Settings as _, Totals};
use crate::control::{self, refuse};

pub(super) fn routes<P: Protocol>() -> Router<Arc<Hub<P>>> {
    Router::new()
        .route("/_emulator/health", get(|| future::ready(Json(json!({"emulates": P::NAME})))))
        .route("/_emulator/config", get(config::<P>).patch(patch_config::<P>))
        .route("/_emulator/scripts", post(add_scripts::<P>).delete(delete_scripts::<P>))
        .route("/_emulator/dials", get(dials::<P>))
        .route("/_emulator/totals", get(totals::<P>))
        .route("/_emulator/calls", get(calls::<P>))
        .route("/_emulator/calls/{id}/proceed", post(proceed::<P>))
        .route("/_emulator/reset", post(reset::<P>))
}

async fn config<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Json<P::Config> {
    Json(P::Config::clone(&hub.config()))
}

/// Objects are merged, anything else replaced.
async fn patch_config<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Json(patch): Json<Value>) -> Response {
    let checked = control::patched(&*hub.config(), patch).and_then(|config: P::Config| {
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    });
    match checked {
        Ok(config) => {
            hub.configure(config.clone());
            Json(config).into_response()
        }
        Err(message) => refuse(&message),
    }
}

/// One number's script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberScript<S> {
    number: String,
    scenarios: Vec<S>,
}

/// Takes one script or a list of them.
async fn add_scripts<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Json(scripts): Json<Value>) -> Response {
    let many = if scripts.is_array() { scripts } else { json!([scripts]) };
    let scripts: Vec<NumberScript<P::Scenario>> = match serde_json::from_value(many) {
        Ok(scripts) => scripts,
        Err(error) => return refuse(&error.to_string()),
    };
    let known: Option<Vec<_>> =
        scripts.into_iter().map(|one| Some((P::phone(&one.number)?, one.scenarios))).collect();
    let Some(known) = known else { return refuse("a number is not a phone number") };
    hub.change(|world| known.into_iter().for_each(|(phone, script)| world.script(phone, script)));
    StatusCode::NO_CONTENT.into_response()
}

async fn delete_scripts<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> StatusCode {
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

async fn dials<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Query(only): Query<Only>) -> Json<Dials> {
    let mut dials = hub.read().counters.snapshot();
    if let Some(key) = &only.key {
        dials.keys.retain(|known, _| known == key);
        dials.timeline.retain(|dial| dial.key.as_ref() == Some(key));
    }
    if let Some(phone) = only.number.as_deref().and_then(P::phone) {
        dials.numbers.retain(|known, _| P::phone(known) == Some(phone));
        dials.timeline.retain(|dial| P::phone(&dial.number) == Some(phone));
    }
    Json(dials)
}

async fn totals<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Json<Totals> {
    Json(hub.read().counters.totals)
}

async fn calls<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Query(only): Query<Only>,
) -> Json<Vec<<P::Call as super::Call>::Report>> {
    let phones: Vec<_> = only.number.as_deref().and_then(P::phone).into_iter().collect();
    let world = hub.read();
    let mut calls = world.calls(&phones);
    calls.retain(|call| only.key.is_none() || call.base().key.as_deref() == only.key.as_deref());
    Json(calls.into_iter().map(|call| call.report()).collect())
}

async fn proceed<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Path(id): Path<String>) -> StatusCode {
    if hub.proceed(&id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn reset<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> StatusCode {
    hub.reset();
    StatusCode::NO_CONTENT
}
