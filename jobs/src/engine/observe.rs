//! Tells whoever measures the engine what it has just done.
//!
//! Nobody listens in service, and then nothing is put together either.

use std::sync::OnceLock;

use outdial_workflows::ids::LeadId;
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
    let freed = case.before.live().is_some() && case.run.live().is_none();
    let finished = case.is_changed() && workflow.state == State::Finished;
    queued.chain(freed.then_some(Happened::SlotFreed)).chain(finished.then_some(Happened::Finished))
}
