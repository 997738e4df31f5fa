//! A request under way, whose client may go before it is answered.

use std::sync::Arc;

use super::{Hub, ReportId, Service};

/// A report that has an end.
pub(crate) trait Conclude {
    type End;
    /// The client went first.
    const CANCELLED: Self::End;

    fn conclude(&mut self, end: Self::End);
}

/// A request that is being answered. Dropping it before its end means that the client has gone.
pub(crate) struct Ongoing<S: Service<Report: Conclude>> {
    hub: Arc<Hub<S>>,
    report: ReportId,
    over: bool,
}

impl<S: Service<Report: Conclude>> Ongoing<S> {
    pub(crate) fn new(hub: Arc<Hub<S>>, report: ReportId) -> Self {
        Self { hub, report, over: false }
    }

    pub(crate) fn report(&self) -> ReportId {
        self.report
    }

    /// This is how it ends; what comes after changes nothing.
    pub(crate) fn end(&mut self, end: <S::Report as Conclude>::End) {
        if !std::mem::replace(&mut self.over, true) {
            self.hub.note(self.report, |report| report.conclude(end));
        }
    }
}

impl<S: Service<Report: Conclude>> Drop for Ongoing<S> {
    fn drop(&mut self) {
        self.end(<S::Report as Conclude>::CANCELLED);
    }
}
