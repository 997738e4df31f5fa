//! Who a lead's person is, put right.

use crate::history::Event;
use crate::ids::LaneId;
use crate::workflow::Workflow;

/// What an edit of its person makes of a workflow, and what its history says of it: which parts were edited, and not what
/// they were, since histories name nobody. It lies in the lane of where the person is by now. Nothing else follows: the
/// gate reads the person anew whenever it is asked.
pub fn person_edited(
    workflow: &Workflow,
    lane: LaneId,
    changed: &[&str],
    actor: &str,
    reason: Option<&str>,
) -> (Workflow, Event) {
    let event = Event::Commanded {
        command: format!("edit {}", changed.join(", ")),
        actor: actor.to_owned(),
        reason: reason.map(ToOwned::to_owned),
        deferred: false,
    };
    (Workflow { lane, events: workflow.events + 1, ..workflow.clone() }, event)
}
