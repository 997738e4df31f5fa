//! Who calls, and through which application.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::millis;

/// A Telnyx account and its API key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// User id: `user_id` in reads and `AccountSid` in TeXML.
    pub id: String,
    /// API key, the bearer token of every request.
    pub api_key: String,
    /// Whether the account may do what it asks for.
    #[serde(default)]
    pub standing: Standing,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: "f5586561-8ff0-4291-a51b-c7dfe4139ff9".into(),
            api_key: "KEY0123456789ABCDEF".into(),
            standing: Standing::Good,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// What stands between an account and its calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing.
    #[default]
    Good,
    /// Its key was revoked: every request is 401 with 20002.
    Revoked,
    /// It is inactive: every request is 403 with 20012.
    Inactive,
    /// It has no money left: dials are refused with 20100, reads work.
    NoFunds,
}

/// A Call Control or TeXML application. What a request sets itself comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// Where webhooks go (Call Control).
    pub webhook_url: Option<String>,
    /// Where they go when the first address does not take them; TeXML callbacks too.
    pub webhook_failover_url: Option<String>,
    /// Real time in which a webhook must be answered.
    #[serde(rename = "webhook_timeout_ms", with = "millis")]
    pub webhook_timeout: Duration,
    /// Where TeXML instructions are fetched.
    pub voice_url: Option<String>,
    /// Calls in flight, then 90043. `None`: no limit.
    pub max_concurrent: Option<u32>,
    /// Whether `call.cost` is sent.
    pub call_cost: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            webhook_url: None,
            webhook_failover_url: None,
            webhook_timeout: Duration::from_secs(2),
            voice_url: None,
            max_concurrent: None,
            call_cost: false,
        }
    }
}
