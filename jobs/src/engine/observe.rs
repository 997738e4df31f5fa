//! Tells whoever measures the engine what it has just done.
//!
//! Nobody listens in service, and then nothing is put together either.

use std::sync::OnceLock;

use outdial_workflows::Moment;
use outdial_workflows::history::Event;
use outdial_workflows::ids::{AttemptNumber, CampaignId, LeadId};
use outdial_workflows::workflow::State;

use super::fold::Case;

/// What the engine has done. Commits have returned by the time that they are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A step of this lead was queued by a commit.
    JobQueued(LeadId),
    /// The handler of a job that is about this lead starts.
    JobBegun(LeadId),
    /// A dial request goes out.
    Dialling,
    /// An attempt's end was committed: its slot is free.
    SlotFreed,
    /// A lead's end was committed.
    Finished,
}

/// What a commit did to a lead, to be counted.
pub(crate) struct Counted<'a> {
    pub(crate) campaign: CampaignId,
    /// The campaign's carrier, by name.
    pub(crate) provider: &'static str,
    pub(crate) events: &'a [Event],
    /// When the called side picked up, of the attempts at hand.
    pub(crate) answered_at: Vec<(AttemptNumber, Moment)>,
    /// Whether its number was busy with another call, which leaves no event.
    pub(crate) collided: bool,
    /// Whether its slot is free again.
    pub(crate) freed: bool,
}

impl<'a> Counted<'a> {
    pub(super) fn of(case: &'a Case, provider: &'static str) -> Self {
        let answered = case.run.attempts.iter();
        let answered = answered.filter_map(|attempt| Some((attempt.number, attempt.answered_at?)));
        Self {
            campaign: case.run.workflow.campaign,
            provider,
            events: &case.events,
            answered_at: answered.collect(),
            collided: case.run.workflow.collisions > case.before.workflow.collisions,
            freed: is_freed(case),
        }
    }
}

fn is_freed(case: &Case) -> bool {
    case.before.live().is_some() && case.run.live().is_none()
}

type Listener = Box<dyn Fn(Happened) + Send + Sync>;

/// Where what happens is told; see [`super::Engine::observe`].
#[derive(Default)]
pub(super) struct Observed {
    listener: OnceLock<Listener>,
}

impl Observed {
    /// The first listener stays.
    pub(super) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    pub(super) fn tell(&self, happened: Happened) {
        if let Some(listener) = self.listener.get() {
            listener(happened);
        }
    }

    /// What a commit of these cases will have done, if anybody wants to know.
    pub(super) fn of_commit<'a>(&self, cases: impl Iterator<Item = &'a Case>) -> Vec<Happened> {
        if self.listener.get().is_none() {
            return vec![];
        }
        cases.flat_map(of_case).collect()
    }
}

fn of_case(case: &Case) -> impl Iterator<Item = Happened> {
    let workflow = &case.run.workflow;
    let queued = case.jobs.iter().map(|_| Happened::JobQueued(workflow.lead));
    let freed = is_freed(case);
    let finished = case.is_changed() && workflow.state == State::Finished;
    queued.chain(freed.then_some(Happened::SlotFreed)).chain(finished.then_some(Happened::Finished))
}
