//! Counting leads by where they stand, as differences.
//!
//! Each commit writes what it changed, as a few delta rows; the sum over all
//! deltas is the present count, and the sum over an hour is what that hour did.
//! No count ever scans the leads, and the whole can be rebuilt from them.

use std::collections::BTreeMap;

use crate::Moment;
use crate::ids::{CampaignId, LaneId};
use crate::outcome::Outcome;
use crate::workflow::{State, Workflow};

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The campaign.
    pub campaign: CampaignId,
    /// The lane.
    pub lane: LaneId,
    /// [`State`] by its place in [`State::ALL`].
    state: u8,
    /// Why a lead waits or is held, by [`Why::name`](crate::why::Why::name); none in all other states.
    pub reason: Option<&'static str>,
    /// The outcome of finished leads.
    pub outcome: Option<Outcome>,
    /// The hour in which the change happened, as its beginning.
    pub hour: Moment,
}

impl Key {
    /// The state that is counted.
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.state)]
    }

    fn of(workflow: &Workflow, now: Moment) -> Self {
        let place = State::ALL.iter().position(|state| *state == workflow.state).unwrap_or_default();
        Self {
            campaign: workflow.campaign,
            lane: workflow.lane,
            state: u8::try_from(place).unwrap_or_default(),
            reason: reason(workflow),
            outcome: workflow.outcome,
            hour: hour_of(now),
        }
    }
}

fn reason(workflow: &Workflow) -> Option<&'static str> {
    match workflow.state {
        State::Waiting | State::Held => Some(workflow.why.name()),
        State::Dialling | State::Calling | State::Settling | State::Finished => None,
    }
}

/// The beginning of the hour that holds `at`.
pub fn hour_of(at: Moment) -> Moment {
    let seconds = at.timestamp().div_euclid(3_600) * 3_600;
    Moment::from_timestamp(seconds, 0).unwrap_or(at)
}

/// Differences that add up to nothing are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas(BTreeMap<Key, i64>);

impl Deltas {
    /// A lead was accepted.
    pub fn accepted(&mut self, workflow: &Workflow, now: Moment) {
        self.add(Key::of(workflow, now), 1);
    }

    /// A lead moved from one place to another.
    pub fn moved(&mut self, before: &Workflow, after: &Workflow, now: Moment) {
        let (from, to) = (Key::of(before, now), Key::of(after, now));
        if from != to {
            self.add(from, -1);
            self.add(to, 1);
        }
    }

    fn add(&mut self, key: Key, by: i64) {
        let count = self.0.entry(key).or_default();
        *count += by;
        if *count == 0 {
            self.0.remove(&key);
        }
    }

    /// The differences, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, i64)> {
        self.0.iter().map(|(key, count)| (key, *count))
    }

    /// True if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
