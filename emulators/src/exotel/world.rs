//! All that the emulator remembers, behind one lock that is never held across an await.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::{
    call::{Call, Status},
    config::{Config, Fallback},
    counters::{Counters, Dial},
    dial::DialRequest,
    phone::Phone,
    reply::{Quota, Refusal},
    scenario::{Quirk, Scenario},
};
use crate::clock;

/// Calls, scripts, budgets and tallies.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) counters: Counters,
    /// In the order accepted.
    calls: BTreeMap<u64, Call>,
    by_sid: HashMap<Arc<str>, u64>,
    by_phone: HashMap<Phone, Vec<u64>>,
    scripts: HashMap<Phone, Arc<[Scenario]>>,
    budgets: HashMap<String, Budget>,
    live: HashMap<Arc<str>, Live>,
    finished: VecDeque<(Instant, u64)>,
    sequence: u64,
}

/// What an account has open.
#[derive(Debug, Default)]
struct Live {
    calls: u32,
    streams: u32,
}

/// Requests in the current fixed window.
#[derive(Debug)]
struct Budget {
    opened: Instant,
    used: u32,
}

/// What becomes of a connect request.
#[derive(Debug)]
pub(super) enum Ruling {
    /// A call is placed; `fault` says if the client is not simply told so.
    Placed { call: Box<Call>, scenario: Scenario, fault: Option<Quirk> },
    /// No call, because of this quirk.
    Fault(Quirk),
    /// No call, by the rules.
    Refused(Refusal),
}

impl World {
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

    /// Decides on a valid request, and places its call unless something forbids it.
    pub(super) fn rule(&mut self, account: &str, request: DialRequest, config: &Config) -> Ruling {
        let scenario = self.scenario(request.phone, config);
        let line = self.counters.lines.entry(request.phone).or_default();
        let fault = due_fault(&scenario, line.faults);
        if let Some(fault) = fault.filter(|fault| !places_call(fault)) {
            line.faults += 1;
            return Ruling::Fault(fault.clone());
        }
        let live = self.live.entry(account.into()).or_default();
        if config.limits.max_concurrent.is_some_and(|most| live.calls >= most) {
            self.counters.totals.over_concurrency += 1;
            let status = config.limits.max_concurrent_status;
            let message = "Concurrent call limit reached";
            return Ruling::Refused(Refusal::new(status, "CONCURRENT_CALL_LIMIT_EXCEEDED", message));
        }
        live.calls += 1;
        let fault = fault.cloned();
        Ruling::Placed { call: Box::new(self.place(account, request)), scenario, fault }
    }

    fn scenario(&self, phone: Phone, config: &Config) -> Scenario {
        let dial = self.counters.lines.get(&phone).map_or(0, |line| line.step);
        match (self.scripts.get(&phone), &config.fallback) {
            (Some(script), _) => {
                let step = usize::try_from(dial).unwrap_or(usize::MAX).min(script.len() - 1);
                script[step].clone()
            }
            (None, Fallback::Always(scenario)) => scenario.clone(),
            (None, Fallback::Mix) => Scenario::by_phone(phone, dial),
        }
    }

    fn place(&mut self, account: &str, request: DialRequest) -> Call {
        self.sequence += 1;
        let now = clock::now();
        let call = Call {
            sequence: self.sequence,
            sid: Uuid::new_v4().simple().to_string().into(),
            account: account.into(),
            request: Arc::new(request),
            status: Status::Queued,
            created: now,
            updated: now,
            answered: None,
            ended: None,
            settled: None,
            talk: Duration::ZERO,
            stream: None,
            nudge: Arc::new(Notify::new()),
        };
        let dial = Dial {
            at: now,
            key: call.request.custom_field.clone(),
            from: call.request.from.clone(),
            caller_id: call.request.exophone.to_string(),
            sid: call.sid.to_string(),
        };
        self.counters.accepted(call.phone(), dial);
        self.by_sid.insert(call.sid.clone(), call.sequence);
        self.by_phone.entry(call.phone()).or_default().push(call.sequence);
        self.calls.insert(call.sequence, call.clone());
        call
    }

    /// Applies `change` and returns the call as it then is; `None` if a reset has swept it away.
    pub(super) fn update(&mut self, call: &Call, change: impl FnOnce(&mut Call)) -> Option<Call> {
        let known = self.calls.get_mut(&call.sequence).filter(|known| known.sid == call.sid)?;
        known.updated = clock::now();
        change(known);
        Some(known.clone())
    }

    /// Ends a call, once.
    pub(super) fn finish(
        &mut self,
        call: &Call,
        status: Status,
        talk: Duration,
        config: &Config,
    ) -> Option<Call> {
        let lag = config.pace().wall(config.reads.details_lag);
        let ended = self.update(call, |call| {
            call.status = status;
            call.talk = talk;
            call.ended = Some(call.updated);
            call.settled = Some(Instant::now() + lag);
        })?;
        self.counters.finished(ended.phone());
        self.live.entry(ended.account.clone()).or_default().calls -= 1;
        self.finished.push_back((Instant::now(), ended.sequence));
        if let Some(keep) = config.forget_finished_after {
            self.forget(keep);
        }
        Some(ended)
    }

    /// Drops calls that ended longer ago than `keep`. Runs whenever a call ends, so memory is
    /// bounded by what ends within `keep`.
    fn forget(&mut self, keep: Duration) {
        while let Some((ended, sequence)) = self.finished.front().copied() {
            if ended.elapsed() < keep {
                break;
            }
            self.finished.pop_front();
            let Some(call) = self.calls.remove(&sequence) else { continue };
            self.by_sid.remove(&call.sid);
            if let Some(same) = self.by_phone.get_mut(&call.phone()) {
                same.retain(|other| *other != sequence);
                if same.is_empty() {
                    self.by_phone.remove(&call.phone());
                }
            }
            self.counters.forget(call.request.custom_field.as_deref().unwrap_or_default());
        }
        self.counters.forget_timeline(self.calls.len());
    }

    pub(super) fn find(&self, account: &str, sid: &str) -> Option<&Call> {
        self.by_sid(sid).filter(|call| &*call.account == account)
    }

    pub(super) fn by_sid(&self, sid: &str) -> Option<&Call> {
        self.calls.get(self.by_sid.get(sid)?)
    }

    /// All calls in the order accepted; only those to `phones` if any are named.
    pub(super) fn calls(&self, phones: &[Phone]) -> Vec<&Call> {
        if phones.is_empty() {
            return self.calls.values().collect();
        }
        let named = phones.iter().filter_map(|phone| self.by_phone.get(phone));
        let mut sequences: Vec<_> = named.flatten().collect();
        sequences.sort_unstable();
        sequences.dedup();
        sequences.into_iter().filter_map(|sequence| self.calls.get(sequence)).collect()
    }

    /// Sets what the next dials of `phone` lead to; an empty script removes it.
    pub(super) fn script(&mut self, phone: Phone, scenarios: Vec<Scenario>) {
        if scenarios.is_empty() {
            self.scripts.remove(&phone);
        } else {
            self.scripts.insert(phone, scenarios.into());
        }
        let line = self.counters.lines.entry(phone).or_default();
        (line.step, line.faults) = (0, 0);
    }

    pub(super) fn clear_scripts(&mut self) {
        self.scripts.clear();
    }

    pub(super) fn streams(&self, account: &str) -> u32 {
        self.live.get(account).map_or(0, |live| live.streams)
    }

    /// Takes one of the account's streams, if it has one left.
    pub(super) fn open_stream(&mut self, account: &Arc<str>, most: u32) -> bool {
        let live = self.live.entry(account.clone()).or_default();
        let free = live.streams < most;
        live.streams += u32::from(free);
        free
    }

    pub(super) fn close_stream(&mut self, account: &Arc<str>) {
        let live = self.live.entry(account.clone()).or_default();
        live.streams = live.streams.saturating_sub(1);
    }
}

/// The fault of the request that has already seen `suffered` of them in this step.
fn due_fault(scenario: &Scenario, suffered: u32) -> Option<&Quirk> {
    let mut before = suffered;
    for quirk in &scenario.quirks {
        let times = match quirk {
            Quirk::DropBeforeAccepting { times } | Quirk::Hang { accepted: false, times } => *times,
            Quirk::Reply(reply) if !reply.accepted => reply.times,
            Quirk::AcceptThenDrop | Quirk::Reply(_) | Quirk::Hang { .. } => 1,
            Quirk::SlowResponse { .. } => 1,
            Quirk::DuplicateCallbacks { .. }
            | Quirk::ReorderedCallbacks
            | Quirk::LateCallbacks { .. }
            | Quirk::NoCallbacks
            | Quirk::StreamBreaks { .. } => continue,
        };
        match before.checked_sub(times) {
            None => return Some(quirk),
            Some(rest) => before = rest,
        }
    }
    None
}

/// Whether a request that suffers this places its call all the same.
fn places_call(fault: &Quirk) -> bool {
    match fault {
        Quirk::DropBeforeAccepting { .. } => false,
        Quirk::Reply(reply) => reply.accepted,
        Quirk::Hang { accepted, .. } => *accepted,
        // The wait comes first; the request is ruled on again after it.
        Quirk::SlowResponse { accepted_last, .. } => !accepted_last,
        Quirk::AcceptThenDrop
        | Quirk::DuplicateCallbacks { .. }
        | Quirk::ReorderedCallbacks
        | Quirk::LateCallbacks { .. }
        | Quirk::NoCallbacks
        | Quirk::StreamBreaks { .. } => true,
    }
}
