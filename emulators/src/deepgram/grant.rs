//! `POST /v1/auth/grant`: a token that is good for a short while.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use uuid::Uuid;

use super::{
    Hub, door,
    refusal::{Refusal, respond, with_id},
};
use crate::clock;

/// How long a token is good for unless the request says.
const TTL_SECONDS: u32 = 30;
/// The longest there is ("1 to 3600" in Deepgram's own types).
const TTL_MAX_SECONDS: u32 = 3600;

#[derive(Debug, Default, Deserialize)]
struct Ask {
    ttl_seconds: Option<u32>,
}

pub(super) async fn grant(State(hub): State<Arc<Hub>>, headers: HeaderMap, body: Bytes) -> Response {
    let (config, request_id) = (hub.config(), Uuid::new_v4());
    if !door::bears_key(&headers, &config.key) {
        return respond(&Refusal::InvalidAuth.reply(), request_id);
    }
    let ask = if body.is_empty() { Ok(Ask::default()) } else { serde_json::from_slice(&body) };
    let ttl = ask.map(|ask: Ask| ask.ttl_seconds.unwrap_or(TTL_SECONDS));
    match ttl {
        Ok(ttl) if (1..=TTL_MAX_SECONDS).contains(&ttl) => {
            let until = clock::now().timestamp_millis() + i64::from(ttl) * 1000;
            let token = json!({"access_token": token(&config.key, until), "expires_in": ttl});
            with_id(Json(token).into_response(), request_id)
        }
        Ok(_) | Err(_) => respond(&Refusal::BadPayload.reply(), request_id),
    }
}

/// A token that says itself how long it is good for, in milliseconds since 1970.
fn token(key: &str, until: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(until.to_string().as_bytes());
    format!("granted.{until}.{}", hex::encode(mac.finalize().into_bytes()))
}

/// Whether a token was granted under this key, and still holds.
pub(super) fn is_good(text: &str, key: &str, now: i64) -> bool {
    let until = text.split('.').nth(1).and_then(|until| until.parse().ok());
    until.is_some_and(|until: i64| now < until && text == token(key, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_until_its_time_and_under_its_key() {
        let granted = token("k", 5000);
        assert!(is_good(&granted, "k", 4999));
        assert!(!is_good(&granted, "k", 5000));
        assert!(!is_good(&granted, "other", 1));
        assert!(!is_good(&granted.replace("5000", "9000"), "k", 1));
    }
}
