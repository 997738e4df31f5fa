//! A webhook ready to be sent: its bytes and its signature.

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::{
    delivery::{Body, Message},
    sign::SigningSeed,
};
use crate::{carrier::Forgery, clock};

/// How old a stale timestamp is; receivers allow for five minutes.
const STALE_S: i64 = 600;

/// Exactly what goes over the wire.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) url: Url,
    pub(super) get: bool,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// Timestamp and signature.
    pub(super) signature: Option<(String, String)>,
}

impl Sealed {
    /// The `nth` sending of a message, as the forger has it.
    pub(super) fn new(
        message: &Message,
        url: &Url,
        nth: usize,
        seed: &SigningSeed,
        forgery: Option<Forgery>,
    ) -> Self {
        let mut url = url.clone();
        let (content_type, mut body) = match &message.body {
            Body::Event(data) => {
                let meta = json!({"attempt": nth, "delivered_to": url});
                ("application/json", json!({"data": data, "meta": meta}).to_string())
            }
            Body::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields);
                ("application/x-www-form-urlencoded", form.finish())
            }
        };
        if message.route.get {
            add_query(&mut url, &message.body);
            body = String::new();
        }
        let body = Bytes::from(body);
        let signature = sign(seed, forgery, clock::now().timestamp(), &body);
        Self { url, get: message.route.get, content_type, body, signature }
    }
}

/// Timestamp and signature, as the forger has them.
fn sign(seed: &SigningSeed, forgery: Option<Forgery>, now: i64, body: &[u8]) -> Option<(String, String)> {
    let (seed, timestamp) = match forgery {
        None | Some(Forgery::Replayed) => (seed.clone(), now),
        Some(Forgery::WrongKey) => (seed.stranger(), now),
        Some(Forgery::Stale) => (seed.clone(), now - STALE_S),
        Some(Forgery::Missing) => return None,
    };
    Some((timestamp.to_string(), seed.sign(timestamp, body)))
}

/// A webhook by GET has the payload's plain values in the query.
fn add_query(url: &mut Url, body: &Body) {
    let mut query = url.query_pairs_mut();
    match body {
        Body::Form(fields) => {
            query.extend_pairs(fields);
        }
        Body::Event(event) => {
            for name in ["event_type", "id", "occurred_at"] {
                query.append_pair(name, event[name].as_str().unwrap_or_default());
            }
            for (name, value) in event["payload"].as_object().into_iter().flatten() {
                if let Some(text) = value.as_str() {
                    query.append_pair(name, text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forger_lacks_the_key_or_the_hour() {
        let seed = SigningSeed::default();
        let right = sign(&seed, None, 1000, b"body").expect("a signature");
        let wrong = sign(&seed, Some(Forgery::WrongKey), 1000, b"body").expect("a signature");
        assert!(wrong.0 == right.0 && wrong.1 != right.1);
        let stale = sign(&seed, Some(Forgery::Stale), 1000, b"body").expect("a signature");
        assert_eq!(stale, ("400".to_owned(), seed.sign(400, b"body")));
        assert_eq!(sign(&seed, Some(Forgery::Missing), 1000, b"body"), None);
    }
}
