//! Which accounts can be opened.

use crate::providers::http_client;
use crate::providers::telnyx::{Credentials, Detection, Settings, SettingsError, Telnyx, fixtures};

fn open(base_url: &str, credentials: Credentials) -> Result<Telnyx, SettingsError> {
    let http = http_client().expect("a client");
    Telnyx::new(http, base_url.parse().expect("a URL"), credentials, fixtures::settings())
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    assert_eq!(fixtures::settings().check(), Ok(()));
    for (text, name) in [
        (r#"{}"#, "connection_id"),
        (r#"{"connection_id": "1/2"}"#, "connection_id"),
        (r#"{"connection_id": "1", "account_sid": ""}"#, "account_sid"),
        (r#"{"connection_id": "1", "account_sid": "a/b"}"#, "account_sid"),
        (r#"{"connection_id": "1", "texml_url": "file:///flow.xml"}"#, "texml_url"),
        (r#"{"connection_id": "1", "texml_url": "https://u:p@example.com/flow.xml"}"#, "texml_url"),
        (r#"{"connection_id": "1", "webhook_retries_ms": [1, 1, 1, 1, 1, 1]}"#, "webhook_retries_ms"),
        (r#"{"connection_id": "1", "webhook_retries_ms": [60001]}"#, "webhook_retries_ms"),
        (r#"{"connection_id": "1", "request_timeout_ms": 0}"#, "request_timeout_ms"),
        (r#"{"connection_id": "1", "silence_ms": 12000}"#, "silence_ms"),
        (r#"{"connection_id": "1", "ask_cap_ms": 10}"#, "ask_cap_ms"),
        (r#"{"connection_id": "1", "ask_cap_ms": 300001}"#, "ask_cap_ms"),
        (r#"{"connection_id": "1", "reads_per_minute": 0}"#, "reads_per_minute"),
    ] {
        let read: Settings = serde_json::from_str(text).expect(text);
        assert!(read.check().expect_err(text).to_string().contains(name), "{text}");
    }
    let flows = r#"{"connection_id": "1", "account_sid": "f5586561-8ff0-4291-a51b-c7dfe4139ff9",
        "texml_url": "https://example.com/flow.xml?v=1"}"#;
    assert_eq!(serde_json::from_str::<Settings>(flows).expect("settings").check(), Ok(()));
    assert!(serde_json::from_str::<Settings>(r#"{"conection_id": "1"}"#).is_err());
    assert!(serde_json::from_str::<Settings>(r#"{"answering_machine_detection": "eaten"}"#).is_err());
}

#[test]
fn every_way_of_detection_is_written_as_telnyx_writes_it() {
    for word in [
        "premium",
        "premium_ios_call_screening_detection",
        "detect",
        "detect_beep",
        "detect_words",
        "greeting_end",
        "disabled",
    ] {
        let text = format!("\"{word}\"");
        let read: Detection = serde_json::from_str(&text).expect(word);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    }
}

#[test]
fn an_account_without_a_key_or_with_a_strange_address_is_not_opened() {
    for url in
        ["https://api.telnyx.com/v2", "https://api.telnyx.com/?a", "ftp://x", "https://u:p@api.telnyx.com"]
    {
        assert_eq!(open(url, fixtures::credentials()).err(), Some(SettingsError::Address), "{url}");
    }
    let url = "https://api.telnyx.com";
    assert!(open(url, fixtures::credentials()).is_ok());
    let keyless = Credentials { api_key: " ".into(), ..fixtures::credentials() };
    assert_eq!(open(url, keyless).err(), Some(SettingsError::NoKey));
    for key in ["", "A6EHv", "not base64!", "AAAA"] {
        let wrong = Credentials { public_key: key.into(), ..fixtures::credentials() };
        assert_eq!(open(url, wrong).err(), Some(SettingsError::PublicKey), "{key}");
    }
}

#[test]
fn credentials_are_never_printed() {
    let shown = format!("{:?}", fixtures::telnyx("https://api.telnyx.com"));
    assert!(shown.contains(fixtures::PUBLIC_KEY) && !shown.contains("KEY1secret"), "{shown}");
}
