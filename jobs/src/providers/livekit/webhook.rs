//! Webhooks of a project: all of its rooms', of which only the attempts' own say something here.

use outdial_workflows::ids::DialKey;

use super::ask::is_callee;
use super::wire::WebhookEvent;
use super::{Credentials, mapping, token};
use crate::providers::{Webhook, WebhookError, WebhookRequest};

/// A room's metadata takes up to 512 KiB, and a webhook shows it beside a participant's as large.
const BODY_MAX: usize = 2 * 1024 * 1024;

/// More of an event's name is cut off.
const EVENT_MAX: usize = 80;

/// Events that the documents name and that say nothing of a call.
const DOCUMENTED: [&str; 14] = [
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
    "track_published",
    "track_unpublished",
    "egress_started",
    "egress_updated",
    "egress_ended",
    "ingress_started",
    "ingress_ended",
    "agent_job_started",
    "agent_job_ended",
];

/// Checks that a webhook is the project's, and reads it.
///
/// # Errors
/// If it is not, or not JSON of the documented form.
pub(super) fn read(request: &WebhookRequest<'_>, credentials: &Credentials) -> Result<Webhook, WebhookError> {
    if request.body.len() > BODY_MAX {
        return Err(WebhookError::Unreadable(format!("it is longer than {BODY_MAX} bytes")));
    }
    let unauthentic = |why: &str| WebhookError::Unauthentic(why.to_owned());
    let token = request.header("authorization").ok_or_else(|| unauthentic("it has no Authorization"))?;
    token::verify(credentials, token, request.body, request.now).map_err(unauthentic)?;
    let event: WebhookEvent = serde_json::from_slice(request.body)
        .map_err(|error| WebhookError::Unreadable(format!("bad JSON: {error}")))?;
    Ok(told(event))
}

fn told(WebhookEvent { event, room, participant }: WebhookEvent) -> Webhook {
    if !DOCUMENTED.contains(&event.as_str()) {
        return Webhook::Stranger { event: event.chars().take(EVENT_MAX).collect() };
    }
    // Other rooms of the project are none of our business, nor are others in ours.
    let ours = room.name.parse::<DialKey>().is_ok() && is_callee(&participant);
    let fact = match event.as_str() {
        "participant_joined" if ours => Some(mapping::present(&participant)),
        "participant_left" | "participant_connection_aborted" if ours => mapping::gone(&participant),
        _ => None,
    };
    match fact {
        Some(fact) => Webhook::News { key: Some(room.name), fact },
        None => Webhook::Nothing { event },
    }
}
