//! `Idempotency-Key`: a POST that is sent again under the same key is answered as before, and not carried
//! out again.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use outdial_jobs::operations::idempotency::{self, Begun};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::problem::FieldError;
use super::super::{Api, Problem};
use super::{BATCH_BODY_LIMIT, Caller};

pub(super) const HEADER: &str = "idempotency-key";
/// Says of an answer that it was given before.
const REPLAYED: &str = "idempotent-replayed";
/// The longest key.
pub(super) const KEY_CHARS: usize = 255;

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    content_type: String,
    body: String,
}

/// Carries out once what bears a key.
pub(super) async fn once(State(api): State<Api>, caller: Caller, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(HEADER).filter(|_| request.method() == Method::POST) else {
        return next.run(request).await;
    };
    let key = match key.to_str() {
        Ok(key) if (1..=KEY_CHARS).contains(&key.len()) => key.to_owned(),
        Ok(_) | Err(_) => {
            let problem = format!("it is to be 1 to {KEY_CHARS} characters of ASCII");
            return Problem::invalid(vec![FieldError::new("Idempotency-Key", problem)]).into_response();
        }
    };
    // Whoever asked may hang up: what was begun is carried out and its answer kept all the same.
    let work = tokio::spawn(async move { carry_out(&api, &caller, &key, request, next).await });
    match work.await {
        Ok(response) => response,
        Err(error) => Problem::ours(&error).into_response(),
    }
}

async fn carry_out(api: &Api, caller: &Caller, key: &str, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.to_string();
    // A file goes through as it comes: of its content only the length tells requests apart.
    let (asked, body) = if is_file(&parts.headers) {
        let length = parts.headers.get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes);
        (fingerprint(&uri, length.unwrap_or_default()), body)
    } else {
        // Each route has a limit of its own besides.
        let Ok(body) = to_bytes(body, BATCH_BODY_LIMIT).await else {
            let detail = format!("a request may have {BATCH_BODY_LIMIT} bytes");
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).into_response();
        };
        (fingerprint(&uri, &body), Body::from(body))
    };
    let name = (caller.key_id(), key);
    match idempotency::begin(&api.engine, name, &asked).await {
        Err(error) => return Problem::from(error).into_response(),
        Ok(Begun::New) => {}
        Ok(Begun::UnderWay) => {
            let detail = "a request under this Idempotency-Key is being carried out; ask again in a moment";
            return Problem::new(StatusCode::CONFLICT, "under-way", detail).into_response();
        }
        Ok(Begun::Another) => {
            let problem = "another request was sent under this key; take a new one for each".to_owned();
            return Problem::invalid(vec![FieldError::new("Idempotency-Key", problem)]).into_response();
        }
        Ok(Begun::Answered(status, kept)) => return replay(status, &kept),
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let kept = match parts.status.is_server_error() {
        // It may be carried out next time.
        true => idempotency::forget(&api.engine, name).await,
        false => {
            let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            let kept = Kept { content_type, body: String::from_utf8_lossy(&body).into_owned() };
            let kept = serde_json::to_vec(&kept).unwrap_or_default();
            idempotency::answered(&api.engine, name, parts.status.as_u16(), &kept).await
        }
    };
    if let Err(error) = kept {
        // Sent again within a minute it is told to wait, and later it is carried out again.
        tracing::warn!(error = &error as &dyn std::error::Error, "an answer could not be kept");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replay(status: u16, kept: &[u8]) -> Response {
    let (Ok(status), Ok(Kept { content_type, body })) =
        (StatusCode::from_u16(status), serde_json::from_slice(kept))
    else {
        let detail = "it was answered before, by a version that this one cannot read";
        return Problem::new(StatusCode::CONFLICT, "answered", detail).into_response();
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn is_file(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("multipart/") || kind.starts_with("text/csv")
}

fn fingerprint(uri: &str, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix(uri.as_bytes());
    hash.update([0]);
    hash.update(body);
    hash.finalize().to_vec()
}
