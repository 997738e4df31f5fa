//! `x-retell-signature`: `v=<Unix milliseconds>,d=<64 lower-case hex digits>`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use outdial_workflows::Moment;
use sha2::Sha256;

/// How far apart signing and receipt may lie, in milliseconds. Retell's own clients allow just as much.
const TOLERANCE_MS: u64 = 300_000;

/// Whether `header` proves that whoever has `key` signed `body`, as it was received, not long ago.
///
/// # Errors
/// What is wrong.
pub(super) fn verify(key: &str, header: &str, body: &[u8], now: Moment) -> Result<(), &'static str> {
    let (signed_ms, digest) = parts(header).ok_or("its signature is not in the documented form")?;
    if now.timestamp_millis().abs_diff(signed_ms) > TOLERANCE_MS {
        return Err("its signature is stale");
    }
    // HMAC takes a key of any length, so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| "the key cannot sign")?;
    mac.update(body);
    mac.update(signed_ms.to_string().as_bytes());
    // Takes as long for a near miss as for a far one.
    mac.verify_slice(&digest).map_err(|_| "its signature is wrong")
}

fn parts(header: &str) -> Option<(i64, [u8; 32])> {
    let (time, digest) = header.strip_prefix("v=")?.split_once(",d=")?;
    let digits = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
    let lower_case = digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !digits || !lower_case {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest, &mut bytes).ok()?;
    Some((time.parse().ok()?, bytes))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const KEY: &str = "key_test_0123456789abcdef";
    const HEADER: &str = "v=1767225600000,d=87fc8b5b4c017bb6006b6d83c534773873f44b2bd0282c418048f907efb5fc18";
    const BODY: &str = concat!(
        r#"{"event":"call_ended","call":{"call_id":"call_0123456789abcdef0123456789a","#,
        r#""call_type":"phone_call","agent_id":"agent_test","call_status":"ended","#,
        r#""from_number":"+14155550100","to_number":"+14155550123","direction":"outbound","#,
        r#""metadata":{"attempt_id":"att_1"},"disconnection_reason":"user_hangup"}}"#,
    );

    fn verified(header: &str, body: &str, later_ms: i64) -> Result<(), &'static str> {
        let signed = Moment::from_timestamp_millis(1_767_225_600_000).expect("in range");
        verify(KEY, header, body.as_bytes(), signed + TimeDelta::milliseconds(later_ms))
    }

    #[test]
    fn signatures_of_the_official_clients_are_taken_for_five_minutes() {
        assert_eq!(BODY.len(), 297);
        for (later_ms, taken) in [
            (0, Ok(())),
            (300_000, Ok(())),
            (-300_000, Ok(())),
            (300_001, Err("its signature is stale")),
            (-300_001, Err("its signature is stale")),
        ] {
            assert_eq!(verified(HEADER, BODY, later_ms), taken, "{later_ms}");
        }
        let accented =
            r#"{"event":"call_analyzed","call":{"call_id":"call_x","metadata":{"name":"José ☎"}}}"#;
        let header = "v=1767225600000,d=a20405c7866f363bd3c853c2aaa865d5590dfab381a0daa4477f9232281cb978";
        assert_eq!(verified(header, accented, 0), Ok(()));
    }

    #[test]
    fn another_body_time_or_key_has_another_signature() {
        assert_eq!(verified(HEADER, &format!("{BODY} "), 0), Err("its signature is wrong"));
        let later = HEADER.replace("v=1767225600000", "v=1767225600001");
        assert_eq!(verified(&later, BODY, 0), Err("its signature is wrong"));
        let now = Moment::from_timestamp_millis(1_767_225_600_000).expect("in range");
        assert_eq!(verify("key_other", HEADER, BODY.as_bytes(), now), Err("its signature is wrong"));
    }

    #[test]
    fn what_is_no_signature_is_not_compared() {
        let digest = "0".repeat(64);
        for header in [
            String::new(),
            "v=1767225600000".into(),
            format!("v=,d={digest}"),
            format!("v=+1767225600000,d={digest}"),
            format!("v=99999999999999999999,d={digest}"),
            format!("v=1767225600000,d={digest}0"),
            format!("v=1767225600000, d={digest}"),
            HEADER.to_ascii_uppercase().replace("V=", "v=").replace(",D=", ",d="),
        ] {
            assert_eq!(
                verified(&header, BODY, 0),
                Err("its signature is not in the documented form"),
                "{header}"
            );
        }
    }
}
