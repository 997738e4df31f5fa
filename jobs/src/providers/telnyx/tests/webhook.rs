//! Webhooks, beginning with the documented vectors.

use bytes::Bytes;
use outdial_workflows::Moment;
use outdial_workflows::call::{CallId, CallResult};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use crate::providers::telnyx::fixtures;
use crate::providers::{Carrier, Webhook, WebhookError, WebhookRequest};

const TIMESTAMP: i64 = 1_767_225_600;

const BODY: &str = concat!(
    r#"{"data":{"event_type":"call.hangup","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0","#,
    r#""occurred_at":"2026-01-01T00:00:00.000000Z","payload":{"call_control_id":"#,
    r#""v3:test-call-control-id","call_leg_id":"428c31b6-7af4-4bcb-b7f5-5013ef9657c1","#,
    r#""call_session_id":"428c31b6-abf3-3bc1-b7f4-5013ef9657c1","client_state":"YXR0XzE=","#,
    r#""connection_id":"1494404757140276705","from":"+14155550100","hangup_cause":"#,
    r#""normal_clearing","hangup_source":"callee","sip_hangup_cause":"200","state":"hangup","#,
    r#""to":"+14155550123"},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"#,
    r#""https://example.com/webhooks"}}"#
);

const SIGNATURE: &str =
    "Oe5gMdHF7wDqzqVpg/WoGv2AUfTkWpzGMfBuHl1Ft/QXnqDQx4/50ruE3DBWNe8EjXYJQ9d56u/OMXEQTk9RDA==";

const FORM: &str = "AccountSid=f5586561-8ff0-4291-a51b-c7dfe4139ff9&CallSid=v3%3Atest-call-control-id\
    &CallStatus=no-answer&CallbackSource=call-progress-events&From=%2B14155550100\
    &To=%2B14155550123&SequenceNumber=2";

const FORM_SIGNATURE: &str =
    "TUJgfZvv1Q5Ww/Hgmji92zhN8bwrPKa/dO23AmGGQIDzrsNB1MyZZCSXl45m5ZBqgArVIXGIkFi+XitcLT4FAg==";

fn signed(signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("telnyx-timestamp", TIMESTAMP.into());
    headers.insert("telnyx-signature-ed25519", signature.parse().expect("a header"));
    headers
}

async fn read(headers: &HeaderMap, body: &str, seconds_later: i64) -> Result<Webhook, WebhookError> {
    let body = Bytes::from(body.to_owned());
    let now = Moment::from_timestamp(TIMESTAMP + seconds_later, 999_000_000).expect("in range");
    fixtures::telnyx("http://127.0.0.1:1")
        .webhook(WebhookRequest { headers, body: &body, addressed: None, now })
        .await
}

#[tokio::test]
async fn the_documented_hang_up_is_authentic_and_read() {
    assert_eq!(BODY.len(), 586);
    let read = read(&signed(SIGNATURE), BODY, 0).await;
    let Ok(Webhook::News { key, fact }) = read else { panic!("{read:?}") };
    assert_eq!(key.as_deref(), Some("att_1"));
    insta::assert_json_snapshot!(fact, @r#"
    {
      "call_id": "v3:test-call-control-id",
      "status": "completed",
      "answered_at": null,
      "end": {
        "result": "answered",
        "talk": null,
        "cause": "normal_clearing, SIP 200"
      },
      "recording_url": null
    }
    "#);
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes() {
    for (seconds_later, good) in [(300, true), (301, false), (-300, true), (-301, false), (1_000_000, false)]
    {
        let read = read(&signed(SIGNATURE), BODY, seconds_later).await;
        assert_eq!(read.is_ok(), good, "{seconds_later}: {read:?}");
        assert!(good || matches!(read, Err(WebhookError::Unauthentic(_))));
    }
}

#[tokio::test]
async fn what_is_not_signed_as_it_is_is_not_telnyxs() {
    let mut nameless = signed(SIGNATURE);
    nameless.remove("telnyx-signature-ed25519");
    let mut timeless = signed(SIGNATURE);
    timeless.remove("telnyx-timestamp");
    let mut odd = signed(SIGNATURE);
    odd.insert("telnyx-timestamp", "yesterday".parse().expect("a header"));
    let mut other = signed(SIGNATURE);
    other.insert("telnyx-timestamp", (TIMESTAMP + 1).into());
    let mut extreme = signed(SIGNATURE);
    extreme.insert("telnyx-timestamp", i64::MIN.into());
    let longer = format!("{BODY} ");
    for (headers, body) in [
        (&HeaderMap::new(), BODY),
        (&nameless, BODY),
        (&timeless, BODY),
        (&odd, BODY),
        (&other, BODY),
        (&extreme, BODY),
        (&signed(FORM_SIGNATURE), BODY),
        (&signed("AAAA"), BODY),
        (&signed("?"), BODY),
        (&signed(SIGNATURE), &longer),
        (&signed(SIGNATURE), "{}"),
    ] {
        let read = read(headers, body, 0).await;
        assert!(matches!(read, Err(WebhookError::Unauthentic(_))), "{headers:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_form_that_does_not_say_that_it_is_one_is_none_of_our_webhooks() {
    let read = read(&signed(FORM_SIGNATURE), FORM, 0).await;
    assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{read:?}");
}

#[tokio::test]
async fn the_documented_callback_is_authentic_and_of_the_attempt_whose_address_it_came_to() {
    let mut headers = signed(FORM_SIGNATURE);
    headers
        .insert(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8".parse().expect("a header"));
    let read = |body: String, at| {
        let headers = headers.clone();
        async move {
            let (body, now) =
                (Bytes::from(body), Moment::from_timestamp(TIMESTAMP + at, 0).expect("in range"));
            let request =
                WebhookRequest { headers: &headers, body: &body, addressed: Some(fixtures::key()), now };
            fixtures::telnyx("http://127.0.0.1:1").webhook(request).await
        }
    };
    let Ok(Webhook::News { key, fact }) = read(FORM.into(), 0).await else { panic!("it is news") };
    assert_eq!(key, Some(fixtures::key().to_string()));
    assert_eq!(fact.call_id, Some(CallId("v3:test-call-control-id".into())));
    assert_eq!(fact.end.map(|end| end.result), Some(CallResult::NoAnswer));
    for (body, at) in
        [(format!("{FORM} "), 0), (FORM.replace("no-answer", "completed"), 0), (FORM.into(), 301)]
    {
        let read = read(body, at).await;
        assert!(matches!(read, Err(WebhookError::Unauthentic(_))), "{read:?}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_even_verified() {
    let read = read(&HeaderMap::new(), &"x".repeat(600_000), 0).await;
    assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{read:?}");
}
