//! What whoever a call is handed to is told first, as carriers fetch it to play it.

use std::num::NonZeroU16;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use outdial_jobs::media::briefing::{self, Told};
use outdial_jobs::providers::http_client;
use outdial_workflows::ids::DialKey;
use url::Url;

use super::streams::PASSED;
use super::{Api, Problem, webhooks};

/// Whoever answered hears nothing meanwhile: as long as another process may take to speak it.
const PASSED_WITHIN: Duration = Duration::from_secs(11);

pub(super) async fn briefing(
    State(api): State<Api>,
    Path((key, secret, transfer)): Path<(String, String, NonZeroU16)>,
    headers: HeaderMap,
) -> Response {
    let key = match webhooks::authentic(&api, &key, &secret) {
        Ok(key) => key,
        Err((_, problem)) => return problem.into_response(),
    };
    let told = briefing::tell(&api.engine, key, transfer, !headers.contains_key(PASSED)).await;
    let wav = match told {
        Ok(Told::Spoken(wav)) => Ok(Some(wav)),
        Ok(Told::By(address)) => passed_on(&address, key, &secret, transfer).await,
        Ok(Told::Nothing) => Ok(None),
        Err(error) => Err(error.into()),
    };
    match wav {
        // It tells of a person, and nobody else is to keep it.
        Ok(Some(wav)) => {
            ([(CONTENT_TYPE, "audio/wav"), (CACHE_CONTROL, "no-store")], Body::from(wav)).into_response()
        }
        Ok(None) => Problem::not_found("nothing is to be said here").into_response(),
        Err(error) => {
            tracing::warn!(attempt = %key, error = &*error as &dyn std::error::Error, "a briefing was not told");
            let detail = "it could not be spoken";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unspoken", detail).into_response()
        }
    }
}

/// Has another process speak it.
async fn passed_on(
    address: &Url,
    key: DialKey,
    secret: &str,
    transfer: NonZeroU16,
) -> anyhow::Result<Option<Vec<u8>>> {
    let url = format!("{}/briefings/{key}/{secret}/{transfer}", address.as_str().trim_end_matches('/'));
    let asked = http_client()?.get(url).header(PASSED, "1").timeout(PASSED_WITHIN).send().await?;
    if asked.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    Ok(Some(asked.error_for_status()?.bytes().await?.into()))
}
