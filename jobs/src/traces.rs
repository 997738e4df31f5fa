//! Traces: each lead's workflow has one, from its acceptance to its end.
//!
//! Its id is the lead's, so that it is stored with the workflow as it is, and every process, whichever takes a job
//! or a webhook years later, goes on with it. The request that brought a lead in has a trace of its own, and the two
//! are linked: a file brings in a million.
//!
//! What is traced are spans of this target, which cost nothing while nobody wants them. They name clients, leads, kinds
//! and reasons; people's data is in none.

use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use outdial_workflows::ids::LeadId;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of spans that belong to leads' traces.
pub const TARGET: &str = "outdial::trace";

/// Of a page with more leads than this the acceptances are no spans: their traces begin with what comes next.
const ONE_BY_ONE: usize = 100;

/// The share of leads that are traced; see [`sample`].
static RATIO: OnceLock<f64> = OnceLock::new();

/// Has this share of leads traced, from 0 to 1. Every process that is told the same traces the same leads. The
/// first setting stays; without one, all are traced that anybody wants to hear of.
pub fn sample(ratio: f64) {
    let _ = RATIO.set(ratio);
}

/// The trace of a lead, as if begun elsewhere.
fn of_lead(lead: LeadId) -> Context {
    let random = lead.0.as_u64_pair().1;
    let ratio = RATIO.get().copied().unwrap_or(1.0);
    // The two highest bits are the same in every id; below them chance rules.
    let place = (random & (u64::MAX >> 2)) as f64 / (u64::MAX >> 2) as f64;
    let flags = if place < ratio || ratio >= 1.0 { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let root = SpanId::from(random.max(1));
    let trace = TraceId::from(lead.0.as_u128());
    Context::new().with_remote_span_context(SpanContext::new(trace, root, flags, true, TraceState::default()))
}

/// Whether anybody listens.
pub(crate) fn are_wanted() -> bool {
    tracing::span_enabled!(target: TARGET, tracing::Level::DEBUG)
}

/// Puts a new span into a lead's trace: below the span that is open, if that is in it, and linked to it if not.
pub fn in_trace_of(span: Span, lead: LeadId) -> Span {
    if span.is_disabled() {
        return span;
    }
    let open = Span::current().context();
    let open = open.span().span_context().clone();
    if open.trace_id() != TraceId::from(lead.0.as_u128()) {
        // Fails where nobody exports traces, and then there is nothing to do.
        let _ = span.set_parent(of_lead(lead));
        span.add_link(open);
    }
    span
}

/// A page of leads was accepted.
pub(crate) fn accepted(leads: &[LeadId]) {
    if are_wanted() && leads.len() <= ONE_BY_ONE {
        for lead in leads {
            let span = tracing::debug_span!(target: TARGET, "accepted", lead.id = %lead);
            in_trace_of(span, *lead).in_scope(|| ());
        }
    }
}

/// An attempt's outcome was recorded, or the lead finished.
pub(crate) fn came_to(lead: LeadId, event: &'static str, outcome: Option<&'static str>) {
    let span = tracing::debug_span!(target: TARGET, "outcome", otel.name = event, lead.id = %lead, outcome);
    in_trace_of(span, lead).in_scope(|| ());
}

#[cfg(test)]
mod tests {
    use outdial_workflows::Moment;
    use outdial_workflows::ids::new_id;

    use super::*;

    #[test]
    fn a_leads_trace_bears_its_id() {
        let lead = LeadId(new_id(Moment::UNIX_EPOCH));
        let context = of_lead(lead);
        let trace = context.span().span_context().trace_id().to_string();
        assert_eq!(trace, lead.0.simple().to_string());
        assert!(context.span().span_context().is_sampled() && context.span().span_context().is_valid());
    }
}
