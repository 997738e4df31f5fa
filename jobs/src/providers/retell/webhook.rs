//! Webhooks: signed, and read leniently.

use outdial_workflows::call::{CallFact, CallStatus};

use super::wire::{Call, Envelope};
use super::{mapping, results, signature};
use crate::providers::{Webhook, WebhookError, WebhookRequest};

/// An hour's transcript with the time of each word is under 2 MB.
const BODY_MAX: usize = 8 * 1024 * 1024;

/// The signature's header.
const SIGNATURE: &str = "x-retell-signature";

/// No event has a longer name that is worth keeping, in characters.
const NAME_MAX: usize = 80;

/// Reads a webhook that was signed with `key`.
///
/// # Errors
/// If it was not, or names no event, or no call where its event is about one.
pub(super) fn read(request: &WebhookRequest<'_>, key: &str) -> Result<Webhook, WebhookError> {
    if request.body.len() > BODY_MAX {
        return Err(WebhookError::Unreadable(format!("it is longer than {BODY_MAX} bytes")));
    }
    let unauthentic = |problem: &str| WebhookError::Unauthentic(problem.into());
    let signed = request.header(SIGNATURE).ok_or_else(|| unauthentic("it has no signature"))?;
    signature::verify(key, signed, request.body, request.now).map_err(unauthentic)?;
    let envelope: Envelope = serde_json::from_slice(request.body)
        .map_err(|error| WebhookError::Unreadable(format!("bad JSON: {error}")))?;
    told(envelope)
}

fn told(envelope: Envelope) -> Result<Webhook, WebhookError> {
    let missing = |what: &str| WebhookError::Unreadable(format!("{what} is missing"));
    let event = envelope.event.ok_or_else(|| missing("event"))?;
    let tell: fn(&Call) -> Option<CallFact> = match event.as_str() {
        "call_started" => |call| Some(mapping::connected(call)),
        "call_ended" => |call| Some(mapping::ended(call)),
        "call_analyzed" => |call| Some(mapping::latest(call)),
        "transcript_updated" => transcript,
        "transfer_started" | "transfer_bridged" | "transfer_cancelled" | "transfer_ended" => |_| None,
        _ => return Ok(Webhook::Stranger { event: event.chars().take(NAME_MAX).collect() }),
    };
    let call = envelope.call.ok_or_else(|| missing("call"))?;
    if mapping::name(&call).is_none() {
        return Err(missing("call.call_id"));
    }
    match tell(&call).filter(|_| is_ours(&call)) {
        Some(fact) => Ok(Webhook::News { key: call.key().map(str::to_owned), fact }),
        None => Ok(Webhook::Nothing { event }),
    }
}

/// An agent that we dial with may answer calls too, on the phone or in a browser.
fn is_ours(call: &Call) -> bool {
    call.direction.as_deref() != Some("inbound") && call.call_type.as_deref() != Some("web_call")
}

/// What was said so far. It may come once more when the call is over, even if nobody said anything.
fn transcript(call: &Call) -> Option<CallFact> {
    let results = Some(results::spoken(call)?);
    Some(CallFact { results, ..CallFact::progress(mapping::name(call), CallStatus::InProgress) })
}
