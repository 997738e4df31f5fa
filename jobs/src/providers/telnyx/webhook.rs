//! One webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use super::mapping::{self, Told};
use super::wire::{Envelope, Event};
use super::{signature, texml, transfer};
use crate::providers::{Webhook, WebhookError, WebhookRequest};

/// A webhook is a few KB; one with a conversation's messages is larger.
const BODY_MAX: usize = 512 * 1024;

/// A type's name is shorter than this.
const NAME_MAX: usize = 80;

/// Reads a webhook once it has proved to be Telnyx's.
pub(super) fn read(request: &WebhookRequest<'_>, key: &VerifyingKey) -> Result<Webhook, WebhookError> {
    if request.body.len() > BODY_MAX {
        return Err(WebhookError::Unreadable(format!("it is longer than {BODY_MAX} bytes")));
    }
    signature::verify(key, request)?;
    if is_form(request) {
        return texml::callback::read(request.body, request.addressed);
    }
    let envelope: Envelope<Event> = serde_json::from_slice(request.body)
        .map_err(|problem| WebhookError::Unreadable(format!("bad JSON: {problem}")))?;
    let event = envelope.data;
    let kind = event.event_type.as_deref();
    let kind = kind.ok_or_else(|| WebhookError::Unreadable("data.event_type is missing".into()))?;
    let name = || kind.chars().take(NAME_MAX).collect();
    if let Some((key, number, told)) = our_key(&event).and_then(|state| transfer::told(&event, &state)) {
        return Ok(match told {
            Some(told) => Webhook::Transfer { key, number, told },
            None => Webhook::Nothing { event: name() },
        });
    }
    Ok(match mapping::told(&event) {
        Told::News(fact) => Webhook::News { key: our_key(&event), fact },
        Told::Nothing => Webhook::Nothing { event: name() },
        Told::Stranger => Webhook::Stranger { event: name() },
    })
}

/// Call Control sends JSON, and TeXML forms.
fn is_form(request: &WebhookRequest<'_>) -> bool {
    let media_type = request.content_type().split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case(texml::FORM)
}

/// What we gave the call as its state; another program's, if it shares the application.
fn our_key(event: &Event) -> Option<String> {
    let bytes = STANDARD.decode(event.payload.client_state.as_deref()?).ok()?;
    String::from_utf8(bytes).ok()
}
