//! What an account has used up: its requests of the minute, and its streams.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{config::Config, reply::Quota};
use crate::{carrier::Paced as _, clock};

/// By account.
#[derive(Debug, Default)]
pub struct Accounts {
    budgets: HashMap<String, Budget>,
    streams: HashMap<Arc<str>, u32>,
}

/// Requests in the current fixed window.
#[derive(Debug)]
struct Budget {
    opened: Instant,
    used: u32,
}

impl Accounts {
    /// Draws one request from the account's budget.
    pub(super) fn draw(&mut self, account: &str, config: &Config) -> Option<Quota> {
        let limit = config.limits.calls_per_minute?;
        let window = config.pace().wall(Duration::from_secs(60));
        let now = Instant::now();
        let budget = self.budgets.entry(account.to_owned()).or_insert(Budget { opened: now, used: 0 });
        if now.duration_since(budget.opened) >= window {
            *budget = Budget { opened: now, used: 0 };
        }
        let left = window.saturating_sub(now.duration_since(budget.opened));
        let over = budget.used >= limit;
        budget.used += u32::from(!over);
        let left_s = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(Quota {
            limit,
            remaining: limit - budget.used,
            reset: clock::now().timestamp() + i64::try_from(left_s).unwrap_or(i64::MAX / 2),
            retry_after_s: over.then_some(left_s.max(1)),
        })
    }

    pub(super) fn streams(&self, account: &str) -> u32 {
        self.streams.get(account).copied().unwrap_or_default()
    }

    /// Takes one of the account's streams, if it has one left.
    pub(super) fn open_stream(&mut self, account: &Arc<str>, most: u32) -> bool {
        let open = self.streams.entry(account.clone()).or_default();
        let free = *open < most;
        *open += u32::from(free);
        free
    }

    pub(super) fn close_stream(&mut self, account: &Arc<str>) {
        let open = self.streams.entry(account.clone()).or_default();
        *open = open.saturating_sub(1);
    }
}
