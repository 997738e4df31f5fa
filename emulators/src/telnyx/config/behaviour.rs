//! Budgets, and switches for what the documents leave open.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::millis;

/// Budgets of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls placed in any five nominal seconds, then 429 with 90103. `None`: no limit.
    pub dials_per_5_s: Option<u32>,
    /// Requests of all kinds in a nominal second, then 429 with 10011. `None`: no limit.
    pub requests_per_second: Option<u32>,
    /// Whether `x-ratelimit-limit`, `-remaining` and `-reset` are sent.
    pub headers: bool,
    /// Whether a 429 carries `Retry-After`, which is not documented.
    pub retry_after: bool,
    /// Calls in flight per account, then 90041. `None`: no limit.
    pub max_concurrent: Option<u32>,
    /// Status of 90041 and 90043. Telnyx documents none; their SIP equivalent is 403.
    pub max_concurrent_status: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dials_per_5_s: Some(150),
            requests_per_second: None,
            headers: true,
            retry_after: false,
            max_concurrent: None,
            max_concurrent_status: 403,
        }
    }
}

/// How responses look where the documents are silent or disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replies {
    /// What a repeated dial is told.
    pub duplicate: DuplicateReply,
    /// Real time during which a `command_id` is remembered.
    #[serde(rename = "command_window_ms", with = "millis")]
    pub command_window: Duration,
    /// Status of 20100: 402 or 403.
    pub no_funds_status: u16,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            duplicate: DuplicateReply::SameCall,
            command_window: Duration::from_secs(60),
            no_funds_status: 402,
        }
    }
}

/// What a dial is told whose `command_id` was seen before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateReply {
    /// The ids of the call that the first one placed.
    #[default]
    SameCall,
    /// `{"data":{"result":"ok"}}`, as other commands are answered.
    ResultOk,
}

/// How calls, events and deliveries are read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reads {
    /// Real time after its end during which a call can be read by its id.
    #[serde(rename = "retention_ms", with = "millis")]
    pub retention: Duration,
    /// Nominal time until an event or a delivery is found by `GET /v2/call_events` and
    /// `/v2/webhook_deliveries`. Not documented.
    #[serde(rename = "index_lag_ms", with = "millis")]
    pub index_lag: Duration,
    /// Nominal time until a change of a call shows in TeXML reads, which are eventually consistent.
    #[serde(rename = "texml_lag_ms", with = "millis")]
    pub texml_lag: Duration,
}

impl Default for Reads {
    fn default() -> Self {
        Self { retention: Duration::from_secs(600), index_lag: Duration::ZERO, texml_lag: Duration::ZERO }
    }
}

/// How webhooks behave, TeXML callbacks included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Whether a webhook waits until the one before it was delivered or given up. Telnyx sends
    /// concurrently and promises no order.
    pub in_order: bool,
    /// Nominal waits before each retry, at the first address and then at the failover one, unless
    /// the dial names its own. Not documented.
    #[serde(rename = "retry_gaps_ms")]
    pub retry_gaps_ms: Vec<u64>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { in_order: false, retry_gaps_ms: vec![1000, 5000, 15_000] }
    }
}

/// How the media stream behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// Whether `stream_auth_token` is sent as `Authorization: Bearer`. Which header carries it is
    /// not documented.
    pub bearer_token: bool,
    /// Real time for a handshake; one retry follows.
    #[serde(rename = "handshake_timeout_ms", with = "millis")]
    pub handshake_timeout: Duration,
    /// How often a TeXML stream that broke is opened again, if `enableReconnect` allows it.
    pub reconnects: u32,
}

impl Default for Streams {
    fn default() -> Self {
        Self { bearer_token: true, handshake_timeout: Duration::from_secs(5), reconnects: 1 }
    }
}

/// How TeXML behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texml {
    /// What of the status callback's address counts as our dial key.
    pub key: TexmlKey,
    /// Whether the Twilio-shaped endpoint names the call that it placed. Not documented.
    pub accounts_calls_return_sid: bool,
    /// Whether the log of events repeats requests for calls, callbacks and all. Not documented.
    pub log_repeats_requests: bool,
    /// Real time in which instructions must be fetched.
    #[serde(rename = "fetch_timeout_ms", with = "millis")]
    pub fetch_timeout: Duration,
    /// Nominal length of what `<Play>` and `playback_start` play; the file is not fetched.
    #[serde(rename = "play_ms", with = "millis")]
    pub play: Duration,
}

impl Default for Texml {
    fn default() -> Self {
        Self {
            key: TexmlKey::PathAndQuery,
            accounts_calls_return_sid: false,
            log_repeats_requests: true,
            fetch_timeout: Duration::from_secs(5),
            play: Duration::from_secs(5),
        }
    }
}

/// The part of `StatusCallback` that identifies a dial to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TexmlKey {
    /// `/status/att_1?x=1`.
    #[default]
    PathAndQuery,
    /// The path's segment of this index, from 0.
    Segment(usize),
    /// The query's value of this name.
    Query(String),
}
