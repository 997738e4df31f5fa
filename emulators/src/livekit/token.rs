//! Access tokens: JSON Web Tokens signed with HMAC-SHA256 (protocol page, §2).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::config::Key;

/// How far a clock may be off, in seconds.
const LEEWAY: i64 = 60;

/// What a token says, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    /// The API key it was signed with.
    pub(super) iss: String,
    pub(super) nbf: Option<i64>,
    pub(super) exp: Option<i64>,
    pub(super) video: Video,
    pub(super) sip: Sip,
}

/// Rights over rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Video {
    pub(super) room_create: bool,
    pub(super) room_list: bool,
    pub(super) room_admin: bool,
    pub(super) room: String,
}

/// Rights over telephony.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Sip {
    pub(super) admin: bool,
    pub(super) call: bool,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untrusted {
    /// Nobody has this API key.
    UnknownKey,
    /// It is no token, or its signature or its time is wrong.
    Invalid(&'static str),
}

/// Signs claims that are already JSON.
pub(super) fn sign(secret: &str, claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// Checks a token at `now`, in seconds since 1970.
pub(super) fn verify(token: &str, keys: &[Key], now: i64) -> Result<Claims, Untrusted> {
    let invalid = || Untrusted::Invalid("malformed");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = signed.split_once('.').ok_or_else(invalid)?;
    let header: Value = part(header).ok_or_else(invalid)?;
    let claims: Claims = part(claims).ok_or_else(invalid)?;
    let key = keys.iter().find(|key| key.api_key == claims.iss).ok_or(Untrusted::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
    let good = header["alg"] == "HS256" && mac(&key.api_secret, signed).verify_slice(&signature).is_ok();
    if !good {
        return Err(Untrusted::Invalid("error in cryptographic primitive"));
    }
    match claims.exp {
        None => return Err(Untrusted::Invalid("no expiry")),
        Some(exp) if exp.saturating_add(LEEWAY) < now => return Err(Untrusted::Invalid("token is expired")),
        Some(_) => {}
    }
    if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > now) {
        return Err(Untrusted::Invalid("token not valid yet"));
    }
    Ok(claims)
}

fn part<T: serde::de::DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.expect("HMAC takes keys of any length").chain_update(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn keys() -> Vec<Key> {
        vec![Key {
            api_key: "APIdevkey000001".into(),
            api_secret: "secret-that-is-at-least-32-bytes-long!!".into(),
        }]
    }

    fn signed(claims: &str) -> String {
        sign(&keys()[0].api_secret, claims)
    }

    /// Claims and what the official clients sign them to.
    const VECTORS: [(&str, &str); 3] = [
        (
            r#"{"sha256":"lJthaXPeG4T1ul6sA0V3bY0U/QIODa3HAEbAE+fpFmM=","sub":"","iss":"APIdevkey000001","nbf":1700000000,"exp":4102444800}"#,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzaGEyNTYiOiJsSnRoYVhQZUc0VDF1bDZzQTBWM2JZMFUvUUlPRGEzSEFFYkFFK2ZwRm1NPSIsInN1YiI6IiIsImlzcyI6IkFQSWRldmtleTAwMDAwMSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwfQ.TyX6yuopDI1lqiExFE2ONh-Ka6kZBOocLCQE3HQNACU",
        ),
        (
            r#"{"name":"Supervisor","video":{"roomJoin":true,"room":"call-42","canPublish":false,"canSubscribe":true,"canPublishData":false,"hidden":true},"sub":"supervisor-7","iss":"APIdevkey000001","nbf":1700000000,"exp":4102444800}"#,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiU3VwZXJ2aXNvciIsInZpZGVvIjp7InJvb21Kb2luIjp0cnVlLCJyb29tIjoiY2FsbC00MiIsImNhblB1Ymxpc2giOmZhbHNlLCJjYW5TdWJzY3JpYmUiOnRydWUsImNhblB1Ymxpc2hEYXRhIjpmYWxzZSwiaGlkZGVuIjp0cnVlfSwic3ViIjoic3VwZXJ2aXNvci03IiwiaXNzIjoiQVBJZGV2a2V5MDAwMDAxIiwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.10PSURfHchkxgd7lIqAQ-jRkM3w6H-OW-qpxuU59un8",
        ),
        (
            r#"{"video":{"canPublish":true,"canSubscribe":true,"canPublishData":true},"sip":{"admin":false,"call":true},"sub":"","iss":"APIdevkey000001","nbf":1700000000,"exp":4102444800}"#,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ2aWRlbyI6eyJjYW5QdWJsaXNoIjp0cnVlLCJjYW5TdWJzY3JpYmUiOnRydWUsImNhblB1Ymxpc2hEYXRhIjp0cnVlfSwic2lwIjp7ImFkbWluIjpmYWxzZSwiY2FsbCI6dHJ1ZX0sInN1YiI6IiIsImlzcyI6IkFQSWRldmtleTAwMDAwMSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwfQ.ML02UxJV6xOWQIvM8KisaoKgjLgbtPYr-_k2BjiBFrs",
        ),
    ];

    #[test]
    fn tokens_come_out_as_the_official_clients_sign_them() {
        for (claims, token) in VECTORS {
            assert_eq!(signed(claims), token);
        }
    }

    #[test]
    fn tokens_of_the_official_clients_are_read_with_their_grants() {
        let dial = verify(VECTORS[2].1, &keys(), NOW).expect("a good token");
        assert_eq!(dial.sip, Sip { admin: false, call: true });
        assert!(!dial.video.room_admin);
        let supervisor = verify(VECTORS[1].1, &keys(), NOW).expect("a good token");
        assert_eq!(supervisor.video.room, "call-42");
    }

    #[test]
    fn a_token_counts_from_a_minute_before_to_a_minute_after_its_time() {
        let token = signed(r#"{"iss":"APIdevkey000001","nbf":1000,"exp":2000}"#);
        for (now, good) in [(939, false), (940, true), (2060, true), (2061, false)] {
            assert_eq!(verify(&token, &keys(), now).is_ok(), good, "{now}");
        }
        let endless = signed(r#"{"iss":"APIdevkey000001"}"#);
        assert_eq!(verify(&endless, &keys(), NOW), Err(Untrusted::Invalid("no expiry")));
    }

    #[test]
    fn a_token_of_another_key_or_secret_is_not_taken() {
        let stranger = sign("x", r#"{"iss":"APIother","exp":4102444800}"#);
        assert_eq!(verify(&stranger, &keys(), NOW), Err(Untrusted::UnknownKey));
        let forged = sign("x", r#"{"iss":"APIdevkey000001","exp":4102444800}"#);
        assert!(matches!(verify(&forged, &keys(), NOW), Err(Untrusted::Invalid(_))));
        for text in ["", "a", "a.b", "a.b.c", "e30.e30.e30"] {
            assert!(verify(text, &keys(), NOW).is_err(), "{text}");
        }
    }
}
