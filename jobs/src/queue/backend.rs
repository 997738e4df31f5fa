//! The queue as apalis sees it: a source of tickets that never fails.
//!
//! apalis drops all running handlers when a backend yields an error or a handler
//! panics, tells the backend nothing of free slots, and has no acknowledgement of its
//! own. So the claimer looks after slots and errors, the permit rides in the ticket,
//! and the handler only spawns the work elsewhere and waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use tokio::sync::{Mutex, mpsc};
use tower::layer::util::Identity;

use super::Holding;
use super::desk::Slot;
use crate::store::queue::Claimed;

/// A claimed job with the slot it runs in.
#[derive(Debug)]
pub struct Ticket {
    /// The job.
    pub claimed: Claimed,
    /// Keeps the job's lease renewed until the ticket is dropped.
    pub holding: Holding,
    /// Freed when the ticket is dropped.
    pub slot: Slot,
}

/// Claimed jobs on their way to the workers. Shared, because apalis rebuilds a
/// worker that ended.
#[derive(Clone)]
pub struct Backlog {
    tickets: Arc<Mutex<mpsc::Receiver<Ticket>>>,
}

impl Backlog {
    pub(super) fn new(tickets: mpsc::Receiver<Ticket>) -> Self {
        Self { tickets: Arc::new(Mutex::new(tickets)) }
    }
}

impl Backend for Backlog {
    type Task = Task<Ticket>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Ticket>, Infallible>>> {
        // Only one worker is built at a time; a lock that is held belongs to one that is ending.
        let Ok(mut tickets) = self.tickets.try_lock() else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        tickets.poll_recv(cx).map(|ticket| ticket.map(|ticket| Ok(Task::new(ticket))))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Backlog {
    type Args = Ticket;
    type Id = ();
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
