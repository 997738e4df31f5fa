//! Webhooks: checked, taken in, and answered once that has committed.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use outdial_jobs::engine::EngineError;
use outdial_jobs::providers::{SharedCarrier, WebhookRequest};
use outdial_workflows::call::Source;
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::input::Input;

use super::{Api, Problem};

/// A commit that takes longer is answered 503; the carrier sends the webhook again.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Exotel signs nothing: the address itself is the proof, made anew for each attempt.
pub(super) async fn exotel(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let taken = tokio::time::timeout(PATIENCE, take(&api, &key, &secret, &headers, &body)).await;
    let late =
        || Err(("late", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "not yet; send it again")));
    match taken.unwrap_or_else(|_| late()) {
        Ok(()) => {
            api.metrics.webhook("taken");
            StatusCode::OK.into_response()
        }
        Err((result, problem)) => {
            api.metrics.webhook(result);
            problem.into_response()
        }
    }
}

type Refused = (&'static str, Problem);

async fn take(api: &Api, key: &str, secret: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Refused> {
    let key = authentic(api, key, secret)?;
    let carrier = carrier_of(api, key).await?;
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let webhook = carrier.webhook(WebhookRequest { content_type, body }).await.map_err(|error| {
        tracing::warn!(attempt = %key, %error, "a webhook could not be read");
        ("unreadable", Problem::new(StatusCode::BAD_REQUEST, "unreadable-webhook", error.to_string()))
    })?;
    if webhook.key.as_ref().is_some_and(|theirs| *theirs != key.to_string()) {
        let detail = "the webhook names another attempt than its address";
        return Err(("mismatched", Problem::new(StatusCode::BAD_REQUEST, "mismatched-webhook", detail)));
    }
    let AttemptRef { client, lead, number } = key.0;
    let news = Input::News { attempt: number, fact: webhook.fact, source: Source::Webhook };
    match api.engine.input(client, lead, news, None).await {
        // A quarantined workflow's news waits in the inbox.
        Ok(_) | Err(EngineError::Quarantined(_)) => Ok(()),
        Err(error) => {
            tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error, "a webhook was not taken in");
            let detail = "it could not be taken in; send it again";
            Err(("failed", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)))
        }
    }
}

/// The attempt that an address names, if we made that address. Nothing is looked up for a wrong one,
/// and the answer does not tell what was wrong with it.
pub(super) fn authentic(api: &Api, key: &str, secret: &str) -> Result<DialKey, Refused> {
    let key = key.parse::<DialKey>().ok().filter(|key| api.engine.key().is_secret_of(*key, secret));
    key.ok_or_else(|| {
        tracing::warn!("a webhook or stream came to an address that was never given out");
        let detail = "this address was never given out";
        ("unauthentic", Problem::new(StatusCode::UNAUTHORIZED, "unauthentic", detail))
    })
}

async fn carrier_of(api: &Api, key: DialKey) -> Result<SharedCarrier, Refused> {
    match api.engine.carrier_of(key.0).await {
        Ok(Some(carrier)) => Ok(carrier),
        Ok(None) => {
            tracing::warn!(attempt = %key, "a webhook came for an attempt that is not in the ledger");
            Err(("unknown", Problem::not_found("the ledger holds no such attempt")))
        }
        Err(error) => {
            tracing::error!(attempt = %key, error = &error as &dyn std::error::Error, "a webhook's account cannot be used");
            let detail = "it could not be taken in; send it again";
            Err(("failed", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)))
        }
    }
}
