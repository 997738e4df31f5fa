//! What the workspace remembers besides its calls: budgets, and the idempotency keys of the hour.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{call::Call, config::Config};
use crate::carrier::Paced as _;

/// All calls are one workspace's.
pub(super) const WORKSPACE: &str = "workspace";

/// Budgets and keys.
#[derive(Debug, Default)]
pub struct Workspace {
    requests: Budget,
    calls: HashMap<String, Budget>,
    keys: HashMap<String, Seen>,
    /// The same keys, oldest first.
    ages: VecDeque<(Instant, String)>,
}

/// Uses of the current fixed window.
#[derive(Debug, Default)]
struct Budget {
    opened: Option<Instant>,
    used: u32,
}

/// A call that was placed under an idempotency key, as it then was.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) call: Call,
    at: Instant,
}

impl Workspace {
    /// Draws one request; `Err` is how long to wait, in whole seconds.
    pub(super) fn draw_request(&mut self, config: &Config) -> Result<(), u64> {
        let window = config.pace().wall(Duration::from_secs(60));
        config.limits.requests_per_minute.map_or(Ok(()), |limit| self.requests.draw(limit, window))
    }

    /// Draws one call of the number `from`.
    pub(super) fn draw_call(&mut self, from: &str, config: &Config) -> Result<(), u64> {
        let Some(limit) = config.limits.calls_per_second else { return Ok(()) };
        let window = config.pace().wall(Duration::from_secs(1));
        self.calls.entry(from.to_owned()).or_default().draw(limit, window)
    }

    /// The call placed under `key`, while that is remembered.
    pub(super) fn seen(&self, key: &str, config: &Config) -> Option<&Seen> {
        let window = config.pace().wall(config.idempotency.window);
        self.keys.get(key).filter(|seen| seen.at.elapsed() < window)
    }

    /// Remembers `call` under `key`, and forgets keys out of the window, which bounds memory.
    pub(super) fn remember(&mut self, key: &str, call: &Call, config: &Config) {
        let window = config.pace().wall(config.idempotency.window);
        while self.ages.front().is_some_and(|(at, _)| at.elapsed() >= window) {
            let Some((at, old)) = self.ages.pop_front() else { break };
            if self.keys.get(&old).is_some_and(|seen| seen.at == at) {
                self.keys.remove(&old);
            }
        }
        let at = Instant::now();
        self.keys.insert(key.to_owned(), Seen { call: call.clone(), at });
        self.ages.push_back((at, key.to_owned()));
    }
}

impl Budget {
    fn draw(&mut self, limit: u32, window: Duration) -> Result<(), u64> {
        let now = Instant::now();
        let opened = match self.opened.filter(|opened| now.duration_since(*opened) < window) {
            Some(opened) => opened,
            None => {
                self.used = 0;
                *self.opened.insert(now)
            }
        };
        if self.used < limit {
            self.used += 1;
            return Ok(());
        }
        let left = window.saturating_sub(now.duration_since(opened));
        Err((left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_until_its_window_closes() {
        let mut budget = Budget::default();
        let minute = Duration::from_secs(60);
        assert_eq!((budget.draw(1, minute), budget.draw(1, minute)), (Ok(()), Err(60)));
        assert_eq!(budget.draw(1, Duration::ZERO), Ok(()));
    }
}
