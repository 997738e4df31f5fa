//! What a call is to do that goes by a flow of ours, as its carrier asks at each step.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::flows::{self, Asked, Place};
use outdial_jobs::store::StoreError;

use super::{Api, Problem, webhooks};

/// The person hears nothing meanwhile. Telnyx gives up after ten seconds or so, which is not documented.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// What ends a call that cannot go on.
const HANG_UP: &str = "<Response><Hangup/></Response>";

/// A call begins.
pub(super) async fn begin(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    form: Bytes,
) -> Response {
    next(&api, (&key, &secret), Asked { place: None, silent: false, form: &form }).await
}

/// Something was heard where the call stands.
pub(super) async fn hear(
    State(api): State<Api>,
    Path((key, secret, place)): Path<(String, String, String)>,
    form: Bytes,
) -> Response {
    go_on(&api, (&key, &secret), &place, Some(&form)).await
}

/// Nothing was heard where the call stands, for as long as was waited.
pub(super) async fn hear_nothing(
    State(api): State<Api>,
    Path((key, secret, place)): Path<(String, String, String)>,
) -> Response {
    go_on(&api, (&key, &secret), &place, None).await
}

async fn go_on(api: &Api, proof: (&str, &str), place: &str, form: Option<&[u8]>) -> Response {
    let Ok(place) = place.parse::<Place>() else {
        return Problem::not_found("there is no such place in a flow").into_response();
    };
    let asked = Asked { place: Some(place), silent: form.is_none(), form: form.unwrap_or_default() };
    next(api, proof, asked).await
}

async fn next(api: &Api, (key, secret): (&str, &str), asked: Asked<'_>) -> Response {
    let key = match webhooks::authentic(api, key, secret) {
        Ok(key) => key,
        Err((_, problem)) => return problem.into_response(),
    };
    let late = |_| Err(StoreError::Silent { limit: ANSWERED_WITHIN }.into());
    let next = tokio::time::timeout(ANSWERED_WITHIN, flows::next(&api.engine, key, asked)).await;
    match next.unwrap_or_else(late) {
        // It tells of a person, and nobody else is to keep it.
        Ok(Some(texml)) => told(texml),
        Ok(None) => Problem::not_found("this call goes by no flow").into_response(),
        Err(error @ (OperationError::NotPossible(_) | OperationError::Invalid { .. })) => {
            tracing::error!(attempt = %key, error = &error as &dyn std::error::Error, "a call cannot go on by its flow, and is ended");
            told(HANG_UP.to_owned())
        }
        Err(error) => {
            tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error, "a carrier was not told how a call goes on");
            let detail = "not yet; ask again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).into_response()
        }
    }
}

fn told(texml: String) -> Response {
    ([(CONTENT_TYPE, "application/xml"), (CACHE_CONTROL, "no-store")], texml).into_response()
}
