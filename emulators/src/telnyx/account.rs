//! What the carrier's own rules remember: budgets, commands seen, events and deliveries.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    call::Call,
    config::Config,
    log::{DeliveryRow, EventRow, Log},
};
use crate::carrier::Paced as _;

/// Calls placed are counted over this much nominal time.
const DIAL_WINDOW: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// Over all accounts.
#[derive(Debug, Default)]
pub struct Books {
    dials: HashMap<String, VecDeque<Instant>>,
    requests: HashMap<String, VecDeque<Instant>>,
    /// Call placed, by the `command_id` of its dial.
    commands: HashMap<String, (Instant, String)>,
    /// In the order first seen, to be forgotten in it.
    commands_seen: VecDeque<(Instant, String)>,
    /// `command_id`s of other commands, by call.
    commands_of_calls: HashMap<String, Vec<String>>,
    pub(super) events: Log<EventRow>,
    pub(super) deliveries: Log<DeliveryRow>,
}

/// What is left of a budget, for the response headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Whole real seconds until the oldest request no longer counts.
    pub(super) reset_s: u64,
}

impl Books {
    /// Draws a request of any kind; `Err` if the account has none left.
    pub(super) fn draw_request(&mut self, account: &str, config: &Config) -> Result<Option<Quota>, Quota> {
        let Some(limit) = config.limits.requests_per_second else { return Ok(None) };
        let window = config.pace().wall(SECOND);
        draw(self.requests.entry(account.to_owned()).or_default(), limit, window).map(Some)
    }

    /// Draws a call to be placed.
    pub(super) fn draw_dial(&mut self, account: &str, config: &Config) -> Result<(), Quota> {
        let Some(limit) = config.limits.dials_per_5_s else { return Ok(()) };
        let window = config.pace().wall(DIAL_WINDOW);
        draw(self.dials.entry(account.to_owned()).or_default(), limit, window).map(|_| ())
    }

    /// What is left of the calls that may be placed.
    pub(super) fn dial_quota(&self, account: &str, config: &Config) -> Option<Quota> {
        let limit = config.limits.dials_per_5_s?;
        let window = config.pace().wall(DIAL_WINDOW);
        let used = self.dials.get(account);
        Some(used.map_or(Quota { limit, remaining: limit, reset_s: 0 }, |used| quota(used, limit, window)))
    }

    /// The call that a dial of this `command_id` has placed, while that is remembered.
    pub(super) fn placed_by(&mut self, command_id: &str, config: &Config) -> Option<String> {
        let window = config.replies.command_window;
        while let Some((at, old)) = self.commands_seen.pop_front_if(|(at, _)| at.elapsed() >= window) {
            if self.commands.get(&old).is_some_and(|(newest, _)| *newest == at) {
                self.commands.remove(&old);
            }
        }
        self.commands.get(command_id).map(|(_, call)| call.clone())
    }

    pub(super) fn remember_dial(&mut self, command_id: &str, call: &str) {
        let now = Instant::now();
        self.commands.insert(command_id.to_owned(), (now, call.to_owned()));
        self.commands_seen.push_back((now, command_id.to_owned()));
    }

    /// Whether the call has had a command of this id; from now on it has.
    pub(super) fn is_repeated(&mut self, call: &str, command_id: &str) -> bool {
        let seen = self.commands_of_calls.entry(call.to_owned()).or_default();
        let repeated = seen.iter().any(|known| known == command_id);
        if !repeated {
            seen.push(command_id.to_owned());
        }
        repeated
    }

    pub(super) fn forget(&mut self, call: &Call) {
        self.commands_of_calls.remove(call.id());
        self.events.forget(call.id());
        self.deliveries.forget(call.id());
    }
}

/// A rolling sum.
fn draw(used: &mut VecDeque<Instant>, limit: u32, window: Duration) -> Result<Quota, Quota> {
    while used.pop_front_if(|at| at.elapsed() >= window).is_some() {}
    if used.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
        return Err(quota(used, limit, window));
    }
    used.push_back(Instant::now());
    Ok(quota(used, limit, window))
}

fn quota(used: &VecDeque<Instant>, limit: u32, window: Duration) -> Quota {
    let recent = used.iter().filter(|at| at.elapsed() < window).count();
    let oldest = used.iter().find(|at| at.elapsed() < window);
    let left = oldest.map_or(Duration::ZERO, |at| window.saturating_sub(at.elapsed()));
    Quota {
        limit,
        remaining: limit.saturating_sub(u32::try_from(recent).unwrap_or(u32::MAX)),
        reset_s: left.as_secs() + u64::from(left.subsec_nanos() > 0),
    }
}
