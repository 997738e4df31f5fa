//! Whether a webhook is Telnyx's: Ed25519 over the timestamp's header and the raw body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use super::settings::SettingsError;
use crate::providers::{WebhookError, WebhookRequest};

/// A signature this much older or younger than its receipt is stale, in seconds: the bound of Telnyx's own
/// clients.
const TOLERANCE_S: u64 = 300;

/// The account's key, as the portal shows it.
pub(super) fn key(text: &str) -> Result<VerifyingKey, SettingsError> {
    let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.ok_or(SettingsError::PublicKey)
}

/// Refuses what is not Telnyx's. Nothing secret is compared, so how long it takes gives nothing away.
pub(super) fn verify(key: &VerifyingKey, request: &WebhookRequest<'_>) -> Result<(), WebhookError> {
    let header = |name| request.header(name).ok_or_else(|| unauthentic(&format!("it has no {name}")));
    let timestamp = header("telnyx-timestamp")?;
    let signed = header("telnyx-signature-ed25519")?;
    let at: i64 = timestamp.trim().parse().map_err(|_| unauthentic("its timestamp is not a number"))?;
    if request.now.timestamp().abs_diff(at) > TOLERANCE_S {
        return Err(unauthentic("its signature is stale"));
    }
    let bytes = STANDARD.decode(signed.trim()).map_err(|_| unauthentic("its signature is not base64"))?;
    let signature =
        Signature::from_slice(&bytes).map_err(|_| unauthentic("its signature has no 64 bytes"))?;
    let message = [timestamp.as_bytes(), b"|", request.body].concat();
    key.verify_strict(&message, &signature).map_err(|_| unauthentic("its signature is wrong"))
}

fn unauthentic(why: &str) -> WebhookError {
    WebhookError::Unauthentic(why.to_owned())
}
