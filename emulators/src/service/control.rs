//! `/_emulator/…`: the same levers as [`Emulator`](super::Emulator) has, for tests in another process.

use std::{future, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{Hub, Service, Settings as _};
use crate::control::{patched, refuse};

pub(super) fn routes<S: Service>() -> Router<Arc<Hub<S>>> {
    Router::new()
        .route("/_emulator/health", get(|| future::ready(Json(json!({"emulates": S::NAME})))))
        .route("/_emulator/config", get(config::<S>).patch(patch_config::<S>))
        .route("/_emulator/script", post(script::<S>))
        .route("/_emulator/reports", get(reports::<S>))
        .route("/_emulator/reset", post(reset::<S>))
}

async fn config<S: Service>(State(hub): State<Arc<Hub<S>>>) -> Json<S::Config> {
    Json(S::Config::clone(&hub.config()))
}

/// Objects are merged, anything else replaced.
async fn patch_config<S: Service>(State(hub): State<Arc<Hub<S>>>, Json(patch): Json<Value>) -> Response {
    let checked = patched(&*hub.config(), patch).and_then(|config: S::Config| {
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

/// Takes a list of steps, which the next requests meet in order.
async fn script<S: Service>(State(hub): State<Arc<Hub<S>>>, Json(steps): Json<Value>) -> Response {
    match serde_json::from_value::<Vec<S::Step>>(steps) {
        Ok(steps) => {
            hub.script(steps);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refuse(&error.to_string()),
    }
}

async fn reports<S: Service>(State(hub): State<Arc<Hub<S>>>) -> Json<Vec<S::Report>> {
    Json(hub.reports())
}

async fn reset<S: Service>(State(hub): State<Arc<Hub<S>>>) -> StatusCode {
    hub.reset();
    StatusCode::NO_CONTENT
}
