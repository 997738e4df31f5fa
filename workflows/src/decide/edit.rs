//! Who a lead's person is, put right.

use crate::history::{Event, PersonPart};
use crate::ids::LaneId;
use crate::workflow::Workflow;

/// What an edit of its person makes of a workflow, and what its history says of it. It lies in the lane of where the person is
/// by now. Nothing else follows: the gate reads the person anew whenever it is asked.
pub fn person_edited(
    workflow: &Workflow,
    lane: LaneId,
    parts: &[PersonPart],
    actor: &str,
    reason: Option<&str>,
) -> (Workflow, Event) {
    let (actor, reason) = (actor.to_owned(), reason.map(ToOwned::to_owned));
    let event = Event::PersonEdited { parts: parts.to_vec(), actor, reason };
    (Workflow { lane, events: workflow.events + 1, ..workflow.clone() }, event)
}
