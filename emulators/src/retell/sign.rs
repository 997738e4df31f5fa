//! `x-retell-signature` (protocol page, §7.1).

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::carrier::Forgery;

/// How old a signature may be before nobody may accept it.
const ACCEPTED_FOR: Duration = Duration::from_secs(300);

/// The header's value for `body`, signed at `now_ms` by the epoch's clock; `None` if it is left out.
pub(super) fn header(key: &str, body: &[u8], now_ms: i64, forgery: Option<Forgery>) -> Option<String> {
    let stale_ms = i64::try_from(ACCEPTED_FOR.as_millis()).unwrap_or(i64::MAX) + 1000;
    match forgery {
        None | Some(Forgery::Replayed) => Some(signed(key, body, now_ms)),
        Some(Forgery::WrongKey) => Some(signed(&format!("not {key}"), body, now_ms)),
        Some(Forgery::Missing) => None,
        Some(Forgery::Stale) => Some(signed(key, body, now_ms.saturating_sub(stale_ms))),
    }
}

/// The message is the body and, without anything between, the decimal milliseconds.
fn signed(key: &str, body: &[u8], at_ms: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.update(at_ms.to_string().as_bytes());
    format!("v={at_ms},d={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key_test_0123456789abcdef";
    const AT: i64 = 1_767_225_600_000;
    const BODY: &str = concat!(
        r#"{"event":"call_ended","call":{"call_id":"call_0123456789abcdef0123456789a","#,
        r#""call_type":"phone_call","agent_id":"agent_test","call_status":"ended","#,
        r#""from_number":"+14155550100","to_number":"+14155550123","direction":"outbound","#,
        r#""metadata":{"attempt_id":"att_1"},"disconnection_reason":"user_hangup"}}"#,
    );

    #[test]
    fn the_signatures_are_those_of_the_official_client() {
        assert_eq!(BODY.len(), 297);
        let expected = "v=1767225600000,d=87fc8b5b4c017bb6006b6d83c534773873f44b2bd0282c418048f907efb5fc18";
        assert_eq!(header(KEY, BODY.as_bytes(), AT, None).as_deref(), Some(expected));
        let accented =
            r#"{"event":"call_analyzed","call":{"call_id":"call_x","metadata":{"name":"José ☎"}}}"#;
        let expected = "v=1767225600000,d=a20405c7866f363bd3c853c2aaa865d5590dfab381a0daa4477f9232281cb978";
        assert_eq!(header(KEY, accented.as_bytes(), AT, None).as_deref(), Some(expected));
    }

    #[test]
    fn forgeries_are_signed_by_another_key_or_too_early_or_not_at_all() {
        let forged = |forgery| header(KEY, b"{}", AT, Some(forgery));
        let right = header(KEY, b"{}", AT, None);
        assert_eq!(forged(Forgery::Replayed), right);
        assert_eq!(forged(Forgery::Missing), None);
        let wrong = forged(Forgery::WrongKey).expect("a signature");
        assert!(wrong.starts_with("v=1767225600000,d=") && Some(&wrong) != right.as_ref());
        assert_eq!(forged(Forgery::Stale), Some(signed(KEY, b"{}", AT - 301_000)));
    }
}
