//! Signatures of webhooks: Ed25519 over `timestamp|body` (protocol page, §5.1).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The private half of the account's key pair: 64 hex digits in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSeed(pub [u8; 32]);

impl SigningSeed {
    /// Base64 of the 32 bytes that verify.
    pub fn public_key(&self) -> String {
        STANDARD.encode(SigningKey::from_bytes(&self.0).verifying_key().as_bytes())
    }

    /// Base64 of the 64 bytes that go into `telnyx-signature-ed25519`.
    pub(super) fn sign(&self, timestamp: i64, body: &[u8]) -> String {
        let mut message = format!("{timestamp}|").into_bytes();
        message.extend_from_slice(body);
        STANDARD.encode(SigningKey::from_bytes(&self.0).sign(&message).to_bytes())
    }

    /// Somebody else's.
    pub(super) fn stranger(&self) -> Self {
        Self(self.0.map(|byte| !byte))
    }
}

/// Counts from 0 to 31, as in the protocol page's vector.
impl Default for SigningSeed {
    fn default() -> Self {
        let mut next = 0;
        Self([0; 32].map(|_: u8| {
            next += 1;
            next - 1
        }))
    }
}

impl fmt::Debug for SigningSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSeed(of {})", self.public_key())
    }
}

impl Serialize for SigningSeed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        to.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for SigningSeed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        unhex(&text).map(Self).ok_or_else(|| D::Error::custom("a signing seed is 64 hex digits"))
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut seed = [0; 32];
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMESTAMP: i64 = 1_767_225_600;

    #[test]
    fn a_json_body_is_signed_as_in_the_documented_vector() {
        let body = concat!(
            r#"{"data":{"event_type":"call.hangup","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0","#,
            r#""occurred_at":"2026-01-01T00:00:00.000000Z","payload":{"call_control_id":"#,
            r#""v3:test-call-control-id","call_leg_id":"428c31b6-7af4-4bcb-b7f5-5013ef9657c1","#,
            r#""call_session_id":"428c31b6-abf3-3bc1-b7f4-5013ef9657c1","client_state":"YXR0XzE=","#,
            r#""connection_id":"1494404757140276705","from":"+14155550100","hangup_cause":"#,
            r#""normal_clearing","hangup_source":"callee","sip_hangup_cause":"200","state":"hangup","#,
            r#""to":"+14155550123"},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"#,
            r#""https://example.com/webhooks"}}"#
        );
        assert_eq!(body.len(), 586);
        assert_eq!(
            SigningSeed::default().sign(TIMESTAMP, body.as_bytes()),
            "Oe5gMdHF7wDqzqVpg/WoGv2AUfTkWpzGMfBuHl1Ft/QXnqDQx4/50ruE3DBWNe8EjXYJQ9d56u/OMXEQTk9RDA=="
        );
    }

    #[test]
    fn a_form_body_is_signed_as_in_the_documented_vector() {
        let body = "AccountSid=f5586561-8ff0-4291-a51b-c7dfe4139ff9&CallSid=v3%3Atest-call-control-id\
            &CallStatus=no-answer&CallbackSource=call-progress-events&From=%2B14155550100\
            &To=%2B14155550123&SequenceNumber=2";
        assert_eq!(
            SigningSeed::default().sign(TIMESTAMP, body.as_bytes()),
            "TUJgfZvv1Q5Ww/Hgmji92zhN8bwrPKa/dO23AmGGQIDzrsNB1MyZZCSXl45m5ZBqgArVIXGIkFi+XitcLT4FAg=="
        );
    }

    #[test]
    fn a_seed_is_64_hex_digits_and_prints_as_its_public_half() {
        let text = serde_json::to_string(&SigningSeed::default()).expect("JSON");
        assert_eq!(text, r#""000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f""#);
        assert_eq!(serde_json::from_str::<SigningSeed>(&text).expect("a seed"), SigningSeed::default());
        for bad in ["\"00\"", "\"zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"", "1"] {
            assert!(serde_json::from_str::<SigningSeed>(bad).is_err(), "{bad}");
        }
        assert!(!format!("{:?}", SigningSeed::default()).contains("000102"));
    }
}
