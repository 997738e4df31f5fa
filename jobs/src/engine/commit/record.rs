//! People's orders for single leads, put on record with what they change.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::{Command, Input};
use outdial_workflows::outcome::Outcome;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::super::fold::Case;
use crate::store::StoreError;
use crate::store::audit::{self, Entry};

/// An order that changed something.
pub(super) struct Order {
    lead: LeadId,
    actor: String,
    reason: Option<String>,
    action: &'static str,
    details: Value,
}

/// What an order is about, before and after it.
pub(super) fn standing(case: &Case, command: &Command) -> Value {
    let workflow = &case.run.workflow;
    match command {
        Command::Correct { attempt, .. } => {
            let outcome = case.run.attempt(*attempt).and_then(|attempt| attempt.outcome);
            json!({ "outcome": outcome.map(Outcome::name) })
        }
        Command::Prioritise { .. } => json!({ "priority": workflow.priority.name() }),
        Command::Pause
        | Command::Resume
        | Command::Cancel
        | Command::Retry
        | Command::Reschedule { .. }
        | Command::HangUp
        | Command::Transfer { .. }
        | Command::Undo => json!({ "state": workflow.state.name(), "due_at": workflow.wake_at }),
    }
}

/// What goes on record of an input, given how it was before: an order for this lead alone. Others are on record as the
/// order for many that they are part of.
pub(super) fn order(case: &Case, input: &Input, before: &Value) -> Option<Order> {
    let Input::Command { command, actor, reason, alone: true } = input else { return None };
    let mut details = json!({ "before": before, "after": standing(case, command) });
    match command {
        Command::Correct { attempt, .. } => details["attempt"] = json!(attempt),
        Command::Transfer { to, .. } => details["to"] = json!(to),
        Command::Pause
        | Command::Resume
        | Command::Cancel
        | Command::Retry
        | Command::Reschedule { .. }
        | Command::Prioritise { .. }
        | Command::HangUp
        | Command::Undo => {}
    }
    let lead = case.run.workflow.lead;
    Some(Order { lead, actor: actor.clone(), reason: reason.clone(), action: command.name(), details })
}

/// Puts orders on record, in the transaction that carries them out.
pub(super) async fn write(
    conn: &mut PgConnection,
    client: ClientId,
    orders: &[Order],
    now: Moment,
) -> Result<(), StoreError> {
    fn entry(Order { lead, actor, reason, action, details }: &Order) -> Entry<'_> {
        Entry { actor, action, subject: "lead", id: lead.0, reason: reason.as_deref(), details }
    }
    let entries: Vec<Entry<'_>> = orders.iter().map(entry).collect();
    audit::note_all(conn, client, &entries, now).await
}
