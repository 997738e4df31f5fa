//! Access tokens: JSON Web Tokens signed with HMAC-SHA256. Each request is sent with one of its own,
//! which allows that request and no other; each webhook comes with one about its body.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_workflows::Moment;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Credentials;
use super::wire::{Claims, Grants, SipGrant, TokenHead, VideoGrant, WebhookClaims};

/// How long a token of ours is good, in seconds: it is made for one request and sent at once. LiveKit
/// allows for clocks that are off by another minute.
const GOOD_FOR: i64 = 60;

/// How far LiveKit's clock and ours may be apart, in seconds: what its own receivers allow.
const LEEWAY: i64 = 60;

/// `{"alg":"HS256","typ":"JWT"}`
const HEAD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need<'a> {
    CreateRoom,
    /// All about this room.
    Room(&'a str),
    Dial,
    /// Handing a call of this room to somebody else.
    Transfer(&'a str),
    Trunks,
}

impl<'a> Need<'a> {
    fn grants(self) -> Grants<'a> {
        let video = |video| Grants { video: Some(video), sip: None };
        let of_room = |room| VideoGrant { room_admin: true, room: Some(room), ..VideoGrant::default() };
        let sip = |admin, call| Grants { video: None, sip: Some(SipGrant { admin, call }) };
        match self {
            Self::CreateRoom => video(VideoGrant { room_create: true, ..VideoGrant::default() }),
            Self::Room(room) => video(of_room(room)),
            Self::Dial => sip(false, true),
            Self::Transfer(room) => Grants { video: Some(of_room(room)), ..sip(false, true) },
            Self::Trunks => sip(true, false),
        }
    }
}

/// A token for one request.
pub(super) fn mint(credentials: &Credentials, need: Need<'_>, now: Moment) -> String {
    let (nbf, iss) = (now.timestamp(), credentials.api_key.as_str());
    signed(credentials, &Claims { name: None, grants: need.grants(), sub: "", iss, nbf, exp: nbf + GOOD_FOR })
}

/// A token for somebody who listens in a room, without being heard or shown to anybody there.
pub(super) fn listener(
    credentials: &Credentials,
    room: &str,
    (identity, name): (&str, &str),
    (from, until): (Moment, Moment),
) -> String {
    // What is left out would be allowed.
    let video = VideoGrant {
        room_join: true,
        room: Some(room),
        can_publish: Some(false),
        can_subscribe: Some(true),
        can_publish_data: Some(false),
        hidden: true,
        ..VideoGrant::default()
    };
    let grants = Grants { video: Some(video), sip: None };
    let (nbf, exp) = (from.timestamp(), until.timestamp());
    signed(
        credentials,
        &Claims { name: Some(name), grants, sub: identity, iss: &credentials.api_key, nbf, exp },
    )
}

fn signed(credentials: &Credentials, claims: &Claims<'_>) -> String {
    let claims = serde_json::to_string(claims).expect("claims are texts, numbers and flags");
    sign(credentials.api_secret.expose_secret(), &claims)
}

pub(super) fn sign(secret: &str, claims: &str) -> String {
    let signed = format!("{HEAD}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.expect("HMAC takes keys of any length").chain_update(signed)
}

/// Checks that a webhook's token is of our key, is in time, and is about these very bytes.
///
/// # Errors
/// What is wrong with it, for our log.
pub(super) fn verify(
    credentials: &Credentials,
    token: &str,
    body: &[u8],
    now: Moment,
) -> Result<(), &'static str> {
    let malformed = "its Authorization is no token";
    let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (head, claims) = signed.split_once('.').ok_or(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed)?;
    let mac = mac(credentials.api_secret.expose_secret(), signed);
    mac.verify_slice(&signature).map_err(|_| "its token is not signed with our secret")?;
    let head: TokenHead = part(head).ok_or(malformed)?;
    if head.alg != "HS256" {
        return Err("its token is not signed with HS256");
    }
    let claims: WebhookClaims = part(claims).ok_or("its token does not say what a webhook's does")?;
    if claims.iss != credentials.api_key {
        return Err("its token is of another API key");
    }
    let now = now.timestamp();
    if claims.exp.saturating_add(LEEWAY) < now {
        return Err("its token is out of date");
    }
    if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > now) {
        return Err("its token is of the future");
    }
    let hash = STANDARD.encode(Sha256::digest(body));
    if bool::from(hash.as_bytes().ct_eq(claims.sha256.as_bytes())) {
        return Ok(());
    }
    Err("its token is about another body")
}

fn part<T: serde::de::DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use chrono::TimeZone as _;

    use crate::providers::livekit::fixtures::{BODY, SIGNED, vector_credentials};

    fn at(seconds: i64) -> Moment {
        Moment::from_timestamp(seconds, 0).expect("in range")
    }

    /// Claims, and what the official clients sign them to.
    const VECTORS: [(&str, &str); 3] = [
        (
            r#"{"sha256":"lJthaXPeG4T1ul6sA0V3bY0U/QIODa3HAEbAE+fpFmM=","sub":"","iss":"APIdevkey000001","nbf":1700000000,"exp":4102444800}"#,
            SIGNED,
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
            assert_eq!(sign(vector_credentials().api_secret.expose_secret(), claims), token);
        }
    }

    #[test]
    fn each_request_is_allowed_what_it_does_and_nothing_else() {
        let minted = |need| {
            let token = mint(&vector_credentials(), need, at(1_000));
            let claims = token.split('.').nth(1).expect("claims");
            part::<Value>(claims).expect("JSON").to_string()
        };
        let rest = r#""exp":1060,"iss":"APIdevkey000001","nbf":1000,"#;
        for (need, grants) in [
            (Need::CreateRoom, r#""sub":"","video":{"roomCreate":true}"#),
            (Need::Room("r"), r#""sub":"","video":{"room":"r","roomAdmin":true}"#),
            (Need::Dial, r#""sip":{"admin":false,"call":true},"sub":"""#),
            (
                Need::Transfer("r"),
                r#""sip":{"admin":false,"call":true},"sub":"","video":{"room":"r","roomAdmin":true}"#,
            ),
            (Need::Trunks, r#""sip":{"admin":true,"call":false},"sub":"""#),
        ] {
            assert_eq!(minted(need), format!("{{{rest}{grants}}}"), "{need:?}");
        }
    }

    #[test]
    fn the_webhook_that_the_official_receivers_accept_is_accepted() {
        assert_eq!(BODY.len(), 557);
        let verify =
            |token: &str, body: &str, now| verify(&vector_credentials(), token, body.as_bytes(), at(now));
        assert_eq!(verify(SIGNED, BODY, 1_700_000_100), Ok(()));
        assert!(verify(&format!("Bearer {SIGNED}"), BODY, 1_700_000_100).is_err());
        let longer = format!("{BODY} ");
        assert_eq!(verify(SIGNED, &longer, 1_700_000_100), Err("its token is about another body"));
        // Within a minute of its time on either side.
        for (now, good) in
            [(1_699_999_939, false), (1_699_999_940, true), (4_102_444_860, true), (4_102_444_861, false)]
        {
            assert_eq!(verify(SIGNED, BODY, now).is_ok(), good, "{now}");
        }
    }

    #[test]
    fn tokens_that_prove_nothing_are_refused_whatever_they_say() {
        let secret = "secret-that-is-at-least-32-bytes-long!!";
        let hash = STANDARD.encode(Sha256::digest(BODY));
        let claims = |iss: &str, rest: &str| format!(r#"{{"iss":"{iss}"{rest},"sha256":"{hash}"}}"#);
        let good = claims("APIdevkey000001", r#","exp":2000"#);
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", URL_SAFE_NO_PAD.encode(&good));
        let other_head = {
            let signed =
                format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(&good));
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes()))
        };
        let ours = vector_credentials();
        let dialling = mint(&ours, Need::Dial, at(1_000));
        for (token, says) in [
            (sign(secret, &good), None),
            (sign("another", &good), Some("not signed with our secret")),
            (unsigned, Some("not signed with our secret")),
            (other_head, Some("HS256")),
            (sign(secret, &claims("APIother", r#","exp":2000"#)), Some("another API key")),
            (sign(secret, &claims("APIdevkey000001", "")), Some("does not say")),
            (dialling, Some("does not say")),
            (String::new(), Some("no token")),
            ("a.b.AAAA".into(), Some("our secret")),
            ("a.b.!".into(), Some("no token")),
        ] {
            let verified = verify(&ours, &token, BODY.as_bytes(), at(1_000));
            match says {
                None => assert_eq!(verified, Ok(())),
                Some(says) => {
                    assert!(verified.is_err_and(|error| error.contains(says)), "{verified:?} {says}");
                }
            }
        }
    }

    #[test]
    fn a_listener_hears_one_room_and_is_neither_heard_nor_shown() {
        let at = |s| chrono::Utc.timestamp_opt(s, 0).single().expect("a time");
        let token = listener(
            &vector_credentials(),
            "call-42",
            ("supervisor-7", "Supervisor"),
            (at(1_700_000_000), at(4_102_444_800)),
        );
        // As LiveKit's own libraries write it.
        assert_eq!(
            token,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiU3VwZXJ2aXNvciIsInZpZGVvIjp7InJvb21Kb2luIjp0cnVlLCJyb29\
             tIjoiY2FsbC00MiIsImNhblB1Ymxpc2giOmZhbHNlLCJjYW5TdWJzY3JpYmUiOnRydWUsImNhblB1Ymxpc2hEYXRhIjpmYWxzZSwiaGl\
             kZGVuIjp0cnVlfSwic3ViIjoic3VwZXJ2aXNvci03IiwiaXNzIjoiQVBJZGV2a2V5MDAwMDAxIiwibmJmIjoxNzAwMDAwMDAwLCJleHA\
             iOjQxMDI0NDQ4MDB9.10PSURfHchkxgd7lIqAQ-jRkM3w6H-OW-qpxuU59un8"
        );
    }
}
