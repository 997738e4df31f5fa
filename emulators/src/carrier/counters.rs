//! What was asked of the emulator and what came of it. This is the evidence for "never twice".

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Phone;

/// Sums over all accounts since the start or the last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Dial requests whose body arrived, whatever became of them.
    pub requests: u64,
    /// Calls placed: each is a phone that rang.
    pub accepted: u64,
    /// Dial requests and reads with missing or wrong credentials.
    pub unauthorized: u64,
    /// Dial requests and reads for an account that does not exist.
    pub unknown_account: u64,
    /// Dial requests refused for their parameters.
    pub invalid: u64,
    /// Parameters sent that the protocol does not have (misspelt, or in lower case).
    pub unknown_parameters: u64,
    /// Dial requests that the carrier took for one it had seen: no new call.
    pub replayed: u64,
    /// Dial requests over the carrier's budget.
    pub throttled: u64,
    /// Dial requests over the limit on concurrent calls.
    pub over_concurrency: u64,
    /// Dial requests that a scenario answered with [`Quirk::Reply`](super::Quirk::Reply).
    pub answered_by_quirk: u64,
    /// Dial requests whose connection was reset; those with a call placed count in `accepted` too.
    pub dropped: u64,
    /// Dial requests that were left without an answer.
    pub hung: u64,
    /// Details, lists and other reads that were let in.
    pub reads: u64,
    /// Reads over the carrier's budget.
    pub reads_throttled: u64,
    /// Calls in flight now.
    pub live: u64,
    /// Most calls in flight at once.
    pub live_max: u64,
    /// Calls that have ended.
    pub finished: u64,
    /// Webhook requests sent, copies and retries included.
    pub callback_requests: u64,
    /// Webhooks, copies included, that got a 2xx.
    pub callbacks_delivered: u64,
    /// Webhooks given up after the last attempt.
    pub callbacks_lost: u64,
    /// Bot sockets opened.
    pub streams: u64,
    /// Handshakes with a bot that failed.
    pub handshakes_failed: u64,
}

/// What happened under one of our dial keys, wherever the carrier has us put it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCount {
    /// Dial requests received, refused ones included.
    pub requests: u32,
    /// Calls placed. More than one means that a person was rung twice for one attempt.
    pub accepted: u32,
}

/// What happened on one phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberCount {
    /// Calls placed.
    pub accepted: u32,
    /// Most calls at one time. More than one means that we rang a phone that was on a call of ours.
    pub overlapping_max: u32,
}

/// A call placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// When, by the emulator's clock.
    pub at: DateTime<Utc>,
    /// Our dial key, if the request has one.
    pub key: Option<String>,
    /// The number dialled, as sent.
    pub number: String,
    /// The number that the call comes from, in E.164.
    pub caller_id: String,
    /// The carrier's name for the call.
    pub call_id: String,
}

/// All evidence at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dials {
    /// Sums.
    pub totals: Totals,
    /// By dial key; requests without one are under the empty string. Keys whose call was
    /// forgotten are left out, unless they were rung twice.
    pub keys: BTreeMap<String, KeyCount>,
    /// By phone, in E.164.
    pub numbers: BTreeMap<String, NumberCount>,
    /// Calls placed, in order; forgotten ones are left out.
    pub timeline: Vec<Dial>,
}

impl Dials {
    /// How often a phone rang for `key`.
    pub fn accepted(&self, key: &str) -> u32 {
        self.keys.get(key).map_or(0, |count| count.accepted)
    }

    /// Keys for which a phone rang more than once. Empty unless somebody broke "never twice".
    pub fn keys_rung_twice(&self) -> Vec<&str> {
        let twice = self.keys.iter().filter(|(key, count)| !key.is_empty() && count.accepted > 1);
        twice.map(|(key, _)| key.as_str()).collect()
    }

    /// Phones that had two calls at the same time.
    pub fn overlapping_numbers(&self) -> Vec<&str> {
        let overlapping = self.numbers.iter().filter(|(_, count)| count.overlapping_max > 1);
        overlapping.map(|(number, _)| number.as_str()).collect()
    }
}

/// What is known of one phone, its place in its script included.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) count: NumberCount,
    /// Calls placed since the script was set.
    pub(crate) step: u32,
    /// Requests that the current step has already failed.
    pub(crate) faults: u32,
    live: u32,
}

/// The tallies behind [`Dials`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) totals: Totals,
    pub(crate) lines: HashMap<Phone, Line>,
    keys: HashMap<String, KeyCount>,
    /// Counts of keys whose calls were forgotten, by hash: a redial must still be seen.
    old_keys: HashMap<u64, KeyCount>,
    hasher: RandomState,
    timeline: VecDeque<Dial>,
}

impl Counters {
    pub(crate) fn requested(&mut self, key: &str) {
        self.totals.requests += 1;
        self.key(key).requests += 1;
    }

    pub(crate) fn accepted(&mut self, phone: Phone, dial: Dial) {
        self.totals.accepted += 1;
        self.totals.live += 1;
        self.totals.live_max = self.totals.live_max.max(self.totals.live);
        self.key(dial.key.as_deref().unwrap_or_default()).accepted += 1;
        let line = self.lines.entry(phone).or_default();
        line.step += 1;
        line.faults = 0;
        line.live += 1;
        line.count.accepted += 1;
        line.count.overlapping_max = line.count.overlapping_max.max(line.live);
        self.timeline.push_back(dial);
    }

    pub(crate) fn finished(&mut self, phone: Phone) {
        self.totals.live -= 1;
        self.totals.finished += 1;
        if let Some(line) = self.lines.get_mut(&phone) {
            line.live -= 1;
        }
    }

    /// Shrinks what is kept of a finished call to two counters. Evidence of a key rung twice stays.
    pub(crate) fn forget(&mut self, key: &str) {
        if self.keys.get(key).is_some_and(|count| count.accepted <= 1)
            && let Some(count) = self.keys.remove(key)
        {
            self.old_keys.insert(self.hasher.hash_one(key), count);
        }
    }

    /// Keeps the newest `keep` entries, one for each call still remembered.
    pub(crate) fn forget_timeline(&mut self, keep: usize) {
        let surplus = self.timeline.len().saturating_sub(keep);
        self.timeline.drain(..surplus);
    }

    pub(crate) fn snapshot(&self) -> Dials {
        let line = |(phone, line): (&Phone, &Line)| (phone.to_string(), line.count);
        Dials {
            totals: self.totals,
            keys: self.keys.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            numbers: self.lines.iter().map(line).collect(),
            timeline: self.timeline.iter().cloned().collect(),
        }
    }

    fn key(&mut self, key: &str) -> &mut KeyCount {
        if !self.keys.contains_key(key) {
            let old = self.old_keys.remove(&self.hasher.hash_one(key)).unwrap_or_default();
            self.keys.insert(key.to_owned(), old);
        }
        self.keys.get_mut(key).expect("inserted above if it was missing")
    }
}
