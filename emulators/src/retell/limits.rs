//! How much the workspace may do, and how long it remembers what it did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::millis;

/// Budgets of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests of all kinds in a fixed window of a minute, then 429. Retell names no number.
    pub requests_per_minute: Option<u32>,
    /// Calls created in a fixed window of a second and `from_number`, then 429. Retell's own numbers
    /// have 1; that exceeding it is a 429 is a guess, so it is off unless set.
    pub calls_per_second: Option<u32>,
    /// Whether a 429 carries `Retry-After` (whole real seconds, at least 1). Not documented.
    pub retry_after: bool,
    /// Calls at once that are free.
    pub base_concurrency: u32,
    /// Calls at once that are paid for.
    pub purchased_concurrency: u32,
    /// Calls at once that may yet be bought.
    pub remaining_purchase_limit: u32,
    /// Calls at once kept for inbound ones: outbound may not use them.
    pub reserved_inbound_concurrency: u32,
    /// Whether outbound calls may use up to min(3 × limit, limit + 300) at once.
    pub concurrency_burst: bool,
    /// What becomes of a call beyond that.
    pub over_concurrency: OverConcurrency,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            calls_per_second: None,
            retry_after: false,
            base_concurrency: 20,
            purchased_concurrency: 0,
            remaining_purchase_limit: 100,
            reserved_inbound_concurrency: 0,
            concurrency_burst: false,
            over_concurrency: OverConcurrency::Refused,
        }
    }
}

impl Limits {
    /// `concurrency_limit`.
    pub(super) fn concurrency(&self) -> u32 {
        self.base_concurrency.saturating_add(self.purchased_concurrency)
    }

    /// `concurrency_burst_limit`: 0 when it is off.
    pub(super) fn burst(&self) -> u32 {
        let limit = self.concurrency();
        if self.concurrency_burst { limit.saturating_mul(3).min(limit.saturating_add(300)) } else { 0 }
    }

    /// Outbound calls at once.
    pub(super) fn outbound(&self) -> u32 {
        self.concurrency().max(self.burst()).saturating_sub(self.reserved_inbound_concurrency)
    }
}

/// What becomes of a call over the limit on calls at once, which Retell does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverConcurrency {
    /// 429.
    #[default]
    Refused,
    /// Accepted, and counted so; after 40 s without ringing it ends with `concurrency_limit_reached`.
    Accepted,
}

/// What `idempotency_key` does beyond what is documented: a repeated request within the hour makes
/// no second call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// Nominal time for which a key is remembered.
    #[serde(rename = "window_ms", with = "millis")]
    pub window: Duration,
    /// What becomes of a known key with another body.
    pub different_body: DifferentBody,
    /// Whether the repeated answer shows the call as it is now, rather than as it was accepted.
    pub replay_shows_now: bool,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3600),
            different_body: DifferentBody::Refused { status: 400 },
            replay_shows_now: false,
        }
    }
}

/// What becomes of a known key with another body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferentBody {
    /// No call, and this status.
    Refused {
        /// 400, 409 and 422 are likely ones.
        status: u16,
    },
    /// The first call is answered; the new body is not looked at.
    FirstCall,
    /// A new call.
    NewCall,
}
