//! What is sent, and how it is signed: in the manner of the Standard Webhooks specification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use outdial_workflows::Moment;
use outdial_workflows::history::Recorded;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::outward;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;
use uuid::Uuid;

use crate::store::deliveries::{About, NewDelivery};
use crate::store::journal::Happened;

/// What every signing secret begins with, as the specification has it.
const PREFIX: &str = "whsec_";
/// Random bytes of a secret: within the 24 to 64 that the specification allows, and what SHA-256 is worth.
const BYTES: usize = 32;

/// A key that events are signed with.
pub struct SigningSecret(SecretBox<Vec<u8>>);

impl SigningSecret {
    /// A fresh one.
    pub fn generate() -> Self {
        let mut bytes = vec![0; BYTES];
        rand::rng().fill(bytes.as_mut_slice());
        Self::of(bytes)
    }

    /// One that was stored.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Its bytes, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As subscribers are told it.
    pub fn told(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.bytes())).into()
    }
}

/// A signature: HMAC-SHA-256 over the event's id, the time in seconds and the body, joined by dots.
pub fn sign(secret: &SigningSecret, event: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("any length serves");
    mac.update(format!("{event}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// An event as it is sent.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    /// Its type.
    #[serde(rename = "type")]
    kind: &'a str,
    /// When it happened.
    timestamp: Moment,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    /// The same however often it is sent, and for every subscriber.
    event: &'a str,
    client: ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Lead<'a>>,
    /// The event's place in the lead's history: events of a lead are sent in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    #[serde(flatten)]
    told: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct Lead<'a> {
    id: LeadId,
    external_id: Option<&'a str>,
    phone: Option<&'a str>,
    name: Option<&'a str>,
}

/// The body of a delivery. Who the person is is looked up as it is sent: of an erased person nothing is.
pub(crate) fn body(client: ClientId, delivery: &NewDelivery, about: Option<&About>) -> Vec<u8> {
    let nothing = Map::new();
    let lead = delivery.lead.map(|(id, _)| Lead {
        id,
        external_id: about.and_then(|about| about.external_id.as_deref()),
        phone: about.and_then(|about| about.phone.as_deref()),
        name: about.and_then(|about| about.name.as_deref()),
    });
    let data = Data {
        event: &delivery.event,
        client,
        campaign: about.map(|about| about.campaign.0),
        lead,
        sequence: delivery.lead.map(|(_, sequence)| sequence),
        told: delivery.told.as_object().unwrap_or(&nothing),
    };
    let envelope = Envelope { kind: &delivery.kind, timestamp: delivery.at, data };
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// An event of a lead's history as a subscriber is told of it; `None` for steps within.
pub(crate) fn event_of(subscriber: Uuid, lead: LeadId, recorded: &Recorded) -> Option<NewDelivery> {
    let mut told = outward::told(&recorded.event)?;
    if let Some(attempt) = recorded.event.attempt() {
        told.fields.insert("attempt".into(), attempt.get().into());
    }
    Some(NewDelivery {
        subscriber,
        event: format!("{lead}.{}", recorded.seq),
        kind: told.kind.to_owned(),
        at: recorded.at,
        lead: Some((lead, recorded.seq)),
        told: Value::Object(told.fields),
    })
}

/// What happened to a campaign as a whole, as a subscriber is told of it.
pub(crate) fn event_of_campaign(subscriber: Uuid, happened: &Happened) -> NewDelivery {
    let mut told = outward::told_of_campaign(&happened.what);
    told.fields.insert("campaign".into(), happened.campaign.to_string().into());
    NewDelivery {
        subscriber,
        event: happened.event.to_string(),
        kind: told.kind.to_owned(),
        at: happened.at,
        lead: None,
        told: Value::Object(told.fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_what_subscribers_libraries_expect() {
        let secret = SigningSecret::of(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64"));
        assert_eq!(secret.told().expose_secret(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
