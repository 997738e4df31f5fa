//! Who may come in, and how often: checked before anything else is looked at.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, header::AUTHORIZATION, header::CONTENT_TYPE, header::RETRY_AFTER},
    response::Response,
};
use serde_json::{Map, Value};

use super::{
    Hub,
    account::Quota,
    config::{Account, Config, Standing},
    reply::Refusal,
};

/// Largest body read; ours are a few KB.
const BODY_MAX: usize = 256 * 1024;

/// What the request is for; each has its own tallies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Placing a call.
    Dial,
    /// A command or a read.
    Other,
}

/// Lets a request in, or says why not.
pub(super) fn enter(
    hub: &Hub,
    config: &Config,
    headers: &HeaderMap,
    purpose: Purpose,
) -> Result<Account, Box<Response>> {
    let account = check_key(config, headers).inspect_err(|refusal| {
        hub.count(|totals| match refusal.status {
            401 => totals.unauthorized += 1,
            _ => totals.unknown_account += 1,
        });
    })?;
    let drawn = hub.change(|world| world.more.draw_request(&account.id, config));
    hub.count(|totals| match (purpose, drawn.is_err()) {
        (Purpose::Dial, true) => totals.throttled += 1,
        (Purpose::Dial, false) => {}
        (Purpose::Other, true) => totals.reads_throttled += 1,
        (Purpose::Other, false) => totals.reads += 1,
    });
    match drawn {
        Ok(_) => Ok(account),
        Err(quota) => {
            let detail = "You have exceeded the maximum number of allowed requests.";
            let mut response = Refusal::new(429, "10011", "Too many requests", detail).respond();
            stamp(&mut response, quota, config, true);
            Err(Box::new(response))
        }
    }
}

/// Adds the budget's headers.
pub(super) fn stamp(response: &mut Response, quota: Quota, config: &Config, over: bool) {
    let headers = response.headers_mut();
    if config.limits.headers {
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), quota.limit.into());
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), quota.remaining.into());
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), quota.reset_s.into());
    }
    if over && config.limits.retry_after {
        headers.insert(RETRY_AFTER, quota.reset_s.max(1).into());
    }
}

fn check_key(config: &Config, headers: &HeaderMap) -> Result<Account, Refusal> {
    let key = bearer(headers).ok_or_else(Refusal::unauthorized)?;
    let account = config.accounts.iter().find(|account| account.api_key == key);
    let account = account.ok_or_else(Refusal::unauthorized)?;
    match account.standing {
        Standing::Good | Standing::NoFunds => Ok(account.clone()),
        Standing::Revoked => {
            let detail = "The API key you provided has been revoked.";
            Err(Refusal::new(401, "20002", "API Key revoked", detail))
        }
        Standing::Inactive => {
            let detail = "The account is inactive; it may be out of funds.";
            Err(Refusal::new(403, "20012", "Account inactive", detail))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// The parameters of a request: JSON, or a form where `forms` are allowed too. No body is an empty
/// object.
pub(super) async fn body(request: Request<Body>, forms: bool) -> Result<Map<String, Value>, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let unreadable = |_| Refusal::new(400, "10015", "Bad Request", "The body cannot be read.");
    let bytes = axum::body::to_bytes(request.into_body(), BODY_MAX).await.map_err(unreadable)?;
    match kind.as_str() {
        _ if bytes.is_empty() => Ok(Map::new()),
        "application/json" => serde_json::from_slice(&bytes).map_err(|_| {
            let detail = "The request body is not a valid JSON object.";
            Refusal::new(400, "10023", "Invalid JSON", detail)
        }),
        "application/x-www-form-urlencoded" if forms => {
            let pairs = url::form_urlencoded::parse(&bytes).into_owned();
            Ok(pairs.map(|(name, value)| (name, Value::String(value))).collect())
        }
        _ => {
            let detail = "The Content-Type of the request must be application/json.";
            Err(Refusal::new(400, "10029", "Invalid Content-Type", detail))
        }
    }
}
