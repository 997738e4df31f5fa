//! Webhooks: how an event is signed, and the queue that it waits in (protocol page, §6).

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Hub,
    config::{Config, Key},
    token,
    wire::{self, messages},
};
use crate::{
    carrier::{Forgery, Manner, Notice, Schedule, send_copies},
    clock,
};

/// How long a signature counts, in seconds.
const GOOD_FOR: i64 = 300;

/// How old a stale one is: past its time by far more than the leeway.
const STALE: i64 = 3600;

/// An event on its way.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    body: Bytes,
    manner: Arc<Manner>,
    replayed: bool,
    /// The signature of its first sending, should that come again.
    signature: Arc<OnceLock<String>>,
}

impl Outgoing {
    pub(super) fn new(event: &Value, manner: Arc<Manner>, replayed: bool) -> Self {
        let body = wire::to_webhook(messages::WEBHOOK, event).into();
        Self { body, manner, replayed, signature: Arc::default() }
    }
}

/// Where a room puts its events for one URL.
#[derive(Debug)]
pub(super) struct Queue(mpsc::UnboundedSender<Notice<Outgoing>>);

/// Its other end.
#[derive(Debug)]
pub(super) struct Outbox {
    url: String,
    inbox: mpsc::UnboundedReceiver<Notice<Outgoing>>,
    era: Weak<()>,
}

pub(super) fn queue(url: &str, era: &Arc<()>) -> (Queue, Outbox) {
    let (sender, inbox) = mpsc::unbounded_channel();
    (Queue(sender), Outbox { url: url.to_owned(), inbox, era: Arc::downgrade(era) })
}

impl Queue {
    pub(super) fn push(&self, outgoing: Outgoing, at: Instant) {
        // Nobody listens once the emulator stops.
        let _ = self.0.send(Notice { news: outgoing, at });
    }
}

/// Delivers a room's events to one URL, in order, until the room is gone.
pub(super) async fn deliver(hub: Arc<Hub>, mut outbox: Outbox) {
    if outbox.era.upgrade().is_none() {
        return;
    }
    let (mut held, mut first) = (Vec::new(), None);
    while let Some(notice) = outbox.inbox.recv().await {
        if first.is_none() && notice.news.replayed {
            first = Some(notice.news.clone());
        }
        let config = hub.config();
        if notice.news.manner.reordered {
            held.push(notice);
        } else if is_late(&notice, &config, Instant::now())
            || outbox.inbox.len() > config.webhooks.queue_depth
        {
            hub.count(|totals| totals.callbacks_lost += 1);
        } else {
            send(&hub, &outbox.url, &notice).await;
        }
    }
    for notice in held.iter().rev() {
        send(&hub, &outbox.url, notice).await;
    }
    if let Some(again) = first {
        let honest = Outgoing { manner: Arc::new(Manner::of(&[])), ..again };
        send(&hub, &outbox.url, &Notice::now(honest)).await;
    }
}

/// The time that a scenario delays it does not count.
fn is_late(notice: &Notice<Outgoing>, config: &Config, now: Instant) -> bool {
    now.duration_since(notice.at) > config.webhooks.drop_older_than
}

async fn send(hub: &Hub, url: &str, notice: &Notice<Outgoing>) {
    let config = hub.config();
    let gaps = config.webhooks.retry_gaps_ms.iter().copied().map(Duration::from_millis).collect();
    let schedule = Schedule { gaps, again };
    let request = |news: &Outgoing, _| request(hub, url, news);
    send_copies(hub, &notice.news.manner, &schedule, notice, &request).await;
}

/// Other refusals are final.
fn again(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn request(hub: &Hub, url: &str, news: &Outgoing) -> RequestBuilder {
    let config = hub.config();
    let request = hub
        .http
        .post(url)
        .timeout(config.webhooks.timeout)
        .header(CONTENT_TYPE, "application/webhook+json")
        .header(USER_AGENT, "LiveKit")
        .body(news.body.clone());
    let now = clock::now().timestamp();
    let fresh = || sign(config.webhook_key(), &news.body, news.manner.forgery, now);
    let signed = if news.replayed {
        news.signature.get_or_init(|| fresh().unwrap_or_default()).clone()
    } else {
        fresh().unwrap_or_default()
    };
    // No `Bearer` before it: the official receivers take none.
    if signed.is_empty() { request } else { request.header(AUTHORIZATION, signed) }
}

/// The `Authorization` of a body that is sent at `now`.
fn sign(key: &Key, body: &[u8], forgery: Option<Forgery>, now: i64) -> Option<String> {
    let wrong = format!("not-{}", key.api_secret);
    let (secret, at) = match forgery {
        None | Some(Forgery::Replayed) => (&key.api_secret, now),
        Some(Forgery::WrongKey) => (&wrong, now),
        Some(Forgery::Stale) => (&key.api_secret, now - STALE),
        Some(Forgery::Missing) => return None,
    };
    let claims = json!({
        "sha256": STANDARD.encode(Sha256::digest(body)),
        "sub": "",
        "iss": key.api_key,
        "nbf": at,
        "exp": at + GOOD_FOR,
    });
    Some(token::sign(secret, &claims.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"event":"participant_left","room":{"sid":"RM_qA1b2C3d4E5f","name":"call-42","emptyTimeout":300,"creationTime":"1700000000","departureTimeout":20,"creationTimeMs":"1700000000123"},"participant":{"sid":"PA_zY9x8W7v6U5t","identity":"sip_+15550100","state":"DISCONNECTED","joinedAt":"1700000010","kind":"SIP","attributes":{"sip.callStatus":"hangup","sip.callID":"SCL_k3J2h1G0f9E8","sip.trunkID":"ST_a1B2c3D4e5F6","sip.phoneNumber":"+15550100"},"disconnectReason":"CLIENT_INITIATED","joinedAtMs":"1700000010456"},"id":"EV_abc123DEF456","createdAt":"1700000100"}"#;

    fn key() -> Key {
        Key {
            api_key: "APIdevkey000001".into(),
            api_secret: "secret-that-is-at-least-32-bytes-long!!".into(),
        }
    }

    #[test]
    fn the_hash_of_a_body_is_the_one_that_the_official_receivers_accept() {
        assert_eq!(BODY.len(), 557);
        let hash = STANDARD.encode(Sha256::digest(BODY));
        assert_eq!(hash, "lJthaXPeG4T1ul6sA0V3bY0U/QIODa3HAEbAE+fpFmM=");
    }

    #[test]
    fn a_body_is_written_as_the_server_writes_it() {
        let event = json!({
            "event": "participant_left", "id": "EV_abc123DEF456", "created_at": 1_700_000_100,
            "room": {"sid": "RM_qA1b2C3d4E5f", "name": "call-42", "empty_timeout": 300, "departure_timeout": 20,
                "creation_time": 1_700_000_000, "creation_time_ms": 1_700_000_000_123_u64, "metadata": ""},
            "participant": {"sid": "PA_zY9x8W7v6U5t", "identity": "sip_+15550100", "state": "DISCONNECTED",
                "joined_at": 1_700_000_010, "joined_at_ms": 1_700_000_010_456_u64, "kind": "SIP",
                "disconnect_reason": "CLIENT_INITIATED", "tracks": [],
                "attributes": {"sip.callStatus": "hangup", "sip.callID": "SCL_k3J2h1G0f9E8",
                    "sip.trunkID": "ST_a1B2c3D4e5F6", "sip.phoneNumber": "+15550100"}},
        });
        let written: Value =
            serde_json::from_str(&wire::to_webhook(messages::WEBHOOK, &event)).expect("JSON");
        assert_eq!(written, serde_json::from_str::<Value>(BODY).expect("JSON"));
    }

    #[test]
    fn a_signature_counts_for_five_minutes_and_a_forged_one_not_at_all() {
        let keys = [key()];
        let check = |forgery, now| {
            let signed = sign(&key(), BODY.as_bytes(), forgery, 1000).expect("signed");
            token::verify(&signed, &keys, now).is_ok()
        };
        assert!(check(None, 1000) && check(None, 1360));
        assert!(!check(None, 1361));
        assert!(!check(Some(Forgery::WrongKey), 1000));
        assert!(!check(Some(Forgery::Stale), 1000));
        assert_eq!(sign(&key(), b"", Some(Forgery::Missing), 1000), None);
    }
}
