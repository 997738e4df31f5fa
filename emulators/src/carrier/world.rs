//! All that an emulator remembers, behind one lock that is never held across an await.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{sync::Notify, time::Instant};

use super::{
    Call as _, Counters, Dial, Fallback, Phone, Protocol, Quirk, Scenario as _, Settings as _,
    quirk::{due_fault, places_call},
};
use crate::clock;

/// What every placed call has, whichever the carrier. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Base {
    /// Counts accepted calls from 1; cursors are made of it.
    pub(crate) sequence: u64,
    /// The carrier's name for it.
    pub(crate) id: Arc<str>,
    /// Whose call it is.
    pub(crate) account: Arc<str>,
    /// Our dial key, if the request has one.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) phone: Phone,
    pub(crate) created: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    /// Ends what the call waits for: ringing, or talking.
    pub(crate) nudge: Arc<Notify>,
}

/// What is to be written down of a call that is placed.
pub(crate) struct Placement {
    /// The carrier's name for it.
    pub(crate) id: String,
    /// Whose call it is.
    pub(crate) account: String,
    /// Our dial key.
    pub(crate) key: Option<String>,
    /// Whom it rings.
    pub(crate) phone: Phone,
    /// The same, as sent.
    pub(crate) number: String,
    /// The number it comes from.
    pub(crate) caller_id: String,
}

/// Calls, scripts and tallies, and what the carrier's own rules need besides.
pub struct World<P: Protocol> {
    pub(crate) counters: Counters,
    /// In the order accepted.
    calls: BTreeMap<u64, P::Call>,
    by_id: HashMap<Arc<str>, u64>,
    by_phone: HashMap<Phone, Vec<u64>>,
    scripts: HashMap<Phone, Arc<[P::Scenario]>>,
    live: HashMap<Arc<str>, u32>,
    finished: VecDeque<(Instant, u64)>,
    sequence: u64,
    pub(crate) more: P::More,
}

impl<P: Protocol> Default for World<P> {
    fn default() -> Self {
        Self {
            counters: Counters::default(),
            calls: BTreeMap::new(),
            by_id: HashMap::new(),
            by_phone: HashMap::new(),
            scripts: HashMap::new(),
            live: HashMap::new(),
            finished: VecDeque::new(),
            sequence: 0,
            more: P::More::default(),
        }
    }
}

impl<P: Protocol> World<P> {
    /// The fault that the next dial of `phone` suffers instead of being placed; it is then used up.
    pub(crate) fn fault(&mut self, phone: Phone, config: &P::Config) -> Option<Quirk> {
        let scenario = self.scenario(phone, config);
        let line = self.counters.lines.entry(phone).or_default();
        let fault = due_fault(scenario.quirks(), line.faults).filter(|fault| !places_call(fault))?;
        line.faults += 1;
        Some(fault.clone())
    }

    /// The fault that a dial of `phone` suffers although its call is placed.
    pub(crate) fn fault_of_placed(&self, phone: Phone, config: &P::Config) -> Option<Quirk> {
        let suffered = self.counters.lines.get(&phone).map_or(0, |line| line.faults);
        due_fault(self.scenario(phone, config).quirks(), suffered).filter(|fault| places_call(fault)).cloned()
    }

    /// What the next dial of `phone` leads to.
    pub(crate) fn scenario(&self, phone: Phone, config: &P::Config) -> P::Scenario {
        let dial = self.counters.lines.get(&phone).map_or(0, |line| line.step);
        match (self.scripts.get(&phone), config.fallback()) {
            (Some(script), _) => {
                let step = usize::try_from(dial).unwrap_or(usize::MAX).min(script.len() - 1);
                script[step].clone()
            }
            (None, Fallback::Always(scenario)) => scenario.clone(),
            (None, Fallback::Mix) => P::Scenario::by_phone(phone, dial),
        }
    }

    /// Places a call; the number's script moves on.
    pub(crate) fn place(&mut self, placement: Placement, call: impl FnOnce(Base) -> P::Call) -> P::Call {
        self.sequence += 1;
        let now = clock::now();
        let Placement { id, account, key, phone, number, caller_id } = placement;
        let base = Base {
            sequence: self.sequence,
            id: id.as_str().into(),
            account: account.into(),
            key: key.as_deref().map(Into::into),
            phone,
            created: now,
            updated: now,
            nudge: Arc::new(Notify::new()),
        };
        *self.live.entry(base.account.clone()).or_default() += 1;
        self.counters.accepted(phone, Dial { at: now, key, number, caller_id, call_id: id });
        self.by_id.insert(base.id.clone(), base.sequence);
        self.by_phone.entry(phone).or_default().push(base.sequence);
        let call = call(base);
        self.calls.insert(call.base().sequence, call.clone());
        call
    }

    /// Writes down something that only a test's author sees, unless a reset has swept the call away.
    pub(crate) fn note(&mut self, call: &P::Call, change: impl FnOnce(&mut P::Call)) {
        let known = self.calls.get_mut(&call.base().sequence);
        if let Some(known) = known.filter(|known| known.base().id == call.base().id) {
            change(known);
        }
    }

    /// Applies `change` and returns the call as it then is; `None` if a reset has swept it away.
    pub(crate) fn update(&mut self, call: &P::Call, change: impl FnOnce(&mut P::Call)) -> Option<P::Call> {
        self.note(call, |known| {
            known.base_mut().updated = clock::now();
            change(known);
        });
        self.by_id(&call.base().id).cloned()
    }

    /// Ends a call, which is to be done once; `change` writes how.
    pub(crate) fn finish(
        &mut self,
        call: &P::Call,
        config: &P::Config,
        change: impl FnOnce(&mut P::Call),
    ) -> Option<P::Call> {
        let ended = self.update(call, change)?;
        let base = ended.base();
        self.counters.finished(base.phone);
        *self.live.entry(base.account.clone()).or_default() -= 1;
        self.finished.push_back((Instant::now(), base.sequence));
        if let Some(keep) = config.forget_finished_after() {
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
            let base = call.base();
            self.by_id.remove(&base.id);
            if let Some(same) = self.by_phone.get_mut(&base.phone) {
                same.retain(|other| *other != sequence);
                if same.is_empty() {
                    self.by_phone.remove(&base.phone);
                }
            }
            self.counters.forget(base.key.as_deref().unwrap_or_default());
            P::forgotten(&mut self.more, &call);
        }
        self.counters.forget_timeline(self.calls.len());
    }

    /// The call of this name.
    pub(crate) fn by_id(&self, id: &str) -> Option<&P::Call> {
        self.calls.get(self.by_id.get(id)?)
    }

    /// All calls in the order accepted; only those to `phones` if any are named.
    pub(crate) fn calls(&self, phones: &[Phone]) -> Vec<&P::Call> {
        if phones.is_empty() {
            return self.calls.values().collect();
        }
        let named = phones.iter().filter_map(|phone| self.by_phone.get(phone));
        let mut sequences: Vec<_> = named.flatten().collect();
        sequences.sort_unstable();
        sequences.dedup();
        sequences.into_iter().filter_map(|sequence| self.calls.get(sequence)).collect()
    }

    /// Calls of the account that have not ended.
    pub(crate) fn live(&self, account: &str) -> u32 {
        self.live.get(account).copied().unwrap_or_default()
    }

    /// Sets what the next dials of `phone` lead to; an empty script removes it.
    pub(super) fn script(&mut self, phone: Phone, scenarios: Vec<P::Scenario>) {
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
}
