//! What happened, as `GET /v2/call_events` and `GET /v2/webhook_deliveries` show it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{call::Call, instant};

/// Rows in the order written, which can be forgotten call by call.
#[derive(Debug)]
pub(super) struct Log<T> {
    rows: BTreeMap<u64, T>,
    by_call: HashMap<String, Vec<u64>>,
    next: u64,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), by_call: HashMap::new(), next: 0 }
    }
}

impl<T> Log<T> {
    pub(super) fn write(&mut self, call: &str, row: T) {
        self.rows.insert(self.next, row);
        self.by_call.entry(call.to_owned()).or_default().push(self.next);
        self.next += 1;
    }

    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }

    pub(super) fn forget(&mut self, call: &str) {
        for row in self.by_call.remove(call).unwrap_or_default() {
            self.rows.remove(&row);
        }
    }
}

/// A command that came in, or an event that was told.
#[derive(Debug, Clone)]
pub(super) struct EventRow {
    pub(super) written: Instant,
    pub(super) at: DateTime<Utc>,
    pub(super) account: String,
    pub(super) leg: String,
    pub(super) session: String,
    pub(super) connection: String,
    pub(super) product: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) name: String,
    /// `command` or `webhook`.
    pub(super) kind: &'static str,
    pub(super) metadata: Value,
}

impl EventRow {
    pub(super) fn new(
        call: &Call,
        name: &str,
        kind: &'static str,
        at: DateTime<Utc>,
        metadata: Value,
    ) -> Self {
        Self {
            written: Instant::now(),
            at,
            account: call.account().to_owned(),
            leg: call.leg.to_string(),
            session: call.session.to_string(),
            connection: call.request.connection.clone(),
            product: call.request.product(),
            from: call.request.from.clone(),
            to: call.request.to.clone(),
            name: name.to_owned(),
            kind,
            metadata,
        }
    }

    pub(super) fn resource(&self) -> Value {
        json!({
            "record_type": "call_event",
            "call_leg_id": self.leg,
            "call_session_id": self.session,
            "event_timestamp": instant(self.at),
            "name": self.name,
            "type": self.kind,
            "metadata": self.metadata,
        })
    }
}

/// One webhook and all attempts to deliver it.
#[derive(Debug, Clone)]
pub(super) struct DeliveryRow {
    pub(super) written: Instant,
    pub(super) id: String,
    pub(super) account: String,
    pub(super) delivered: bool,
    pub(super) attempts: Vec<AttemptRow>,
    /// The event as it was sent, without `meta`.
    pub(super) event: Value,
}

/// One sending.
#[derive(Debug, Clone)]
pub(super) struct AttemptRow {
    pub(super) started: DateTime<Utc>,
    pub(super) finished: DateTime<Utc>,
    pub(super) url: String,
    /// `None` if nobody answered in time.
    pub(super) status: Option<u16>,
}

impl AttemptRow {
    fn resource(&self) -> Value {
        let delivered = self.status.is_some_and(|status| (200..300).contains(&status));
        let response = self.status.map(|status| json!({"status": status, "headers": [], "body": ""}));
        json!({
            "status": word(delivered),
            "started_at": instant(self.started),
            "finished_at": instant(self.finished),
            "http": {
                "request": {"url": self.url, "headers": [["Content-Type", "application/json"]]},
                "response": response,
            },
            "errors": [],
        })
    }
}

impl DeliveryRow {
    pub(super) fn started(&self) -> Option<DateTime<Utc>> {
        self.attempts.first().map(|attempt| attempt.started)
    }

    pub(super) fn finished(&self) -> Option<DateTime<Utc>> {
        self.attempts.last().map(|attempt| attempt.finished)
    }

    pub(super) fn status(&self) -> &'static str {
        word(self.delivered)
    }

    pub(super) fn attempts(&self) -> Value {
        self.attempts.iter().map(AttemptRow::resource).collect()
    }

    pub(super) fn resource(&self) -> Value {
        json!({
            "record_type": "webhook_delivery",
            "id": self.id,
            "user_id": self.account,
            "status": self.status(),
            "started_at": self.started().map(instant),
            "finished_at": self.finished().map(instant),
            "attempts": self.attempts(),
            "webhook": self.event,
        })
    }
}

fn word(delivered: bool) -> &'static str {
    if delivered { "delivered" } else { "failed" }
}
