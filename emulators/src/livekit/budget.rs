//! How many requests a key has made in the current minute.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::config::Config;
use crate::carrier::Paced as _;

/// By API key.
#[derive(Debug, Default)]
pub(super) struct Budgets(HashMap<String, Budget>);

/// Requests in the current fixed window.
#[derive(Debug)]
struct Budget {
    opened: Instant,
    used: u32,
}

impl Budgets {
    /// Draws one request; `Err` is the real time until there are more, in whole seconds.
    pub(super) fn draw(&mut self, key: &str, config: &Config) -> Result<(), u64> {
        let Some(limit) = config.limits.requests_per_minute else { return Ok(()) };
        let window = config.pace().wall(Duration::from_secs(60));
        let now = Instant::now();
        let budget = self.0.entry(key.to_owned()).or_insert(Budget { opened: now, used: 0 });
        if now.duration_since(budget.opened) >= window {
            *budget = Budget { opened: now, used: 0 };
        }
        if budget.used < limit {
            budget.used += 1;
            return Ok(());
        }
        let left = window.saturating_sub(now.duration_since(budget.opened));
        Err((left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1))
    }
}
