//! What is read of the workspace as a whole.

use serde_json::{Value, json};

use super::stub::Stub;
use crate::providers::Carrier;
use crate::providers::retell::fixtures;

#[tokio::test]
async fn outbound_calls_may_use_what_is_not_reserved_for_inbound_ones() {
    for (told, calls) in [
        (
            json!({"concurrency_limit": 100, "reserved_inbound_concurrency": 15, "base_concurrency": 20}),
            Ok(Some(85)),
        ),
        (json!({"concurrency_limit": 20}), Ok(Some(20))),
        (json!({"concurrency_limit": 5, "reserved_inbound_concurrency": 9}), Ok(Some(0))),
        (json!({"current_concurrency": 3}), Ok(None)),
        (json!([]), Ok(None)),
    ] {
        let stub = Stub::start([(200, told.clone())]).await;
        assert_eq!(fixtures::retell(&stub.url).calls_at_once().await, calls, "{told}");
        assert_eq!(stub.asked(), ["GET /get-concurrency"]);
    }
    let stub = Stub::start([(429, json!({"message": "Slow"}))]).await;
    let error = fixtures::retell(&stub.url).calls_at_once().await.expect_err("throttled");
    assert_eq!(error, "the concurrency cannot be read: HTTP 429: Slow");
}

#[tokio::test]
async fn a_test_of_the_account_says_what_to_do() {
    for (status, ok, says) in [
        (200, true, "takes the key; it allows 20 outbound calls at once"),
        (401, false, "copy api_key"),
        (402, false, "payment method"),
        (403, false, "whether the workspace is active"),
        (404, false, "check base_url"),
        (429, false, "again in a minute"),
        (302, false, "sends us elsewhere"),
        (500, false, "try again"),
    ] {
        let stub = Stub::start([(status, json!({"concurrency_limit": 20}))]).await;
        let check = fixtures::retell(&stub.url).check().await;
        assert_eq!(check.ok, ok, "{status}");
        assert!(check.message.contains(says), "{status}: {}", check.message);
        assert_eq!(stub.asked(), ["GET /get-concurrency"]);
    }
    let none = Stub::start([(200, json!({"concurrency_limit": 5, "reserved_inbound_concurrency": 5}))]).await;
    let check = fixtures::retell(&none.url).check().await;
    assert!(check.ok && check.message.contains("reserved for inbound"), "{}", check.message);
    let silent = Stub::start([(200, Value::Null)]).await;
    assert_eq!(fixtures::retell(&silent.url).check().await.message, "Retell takes the key");
    let check = fixtures::retell("http://127.0.0.1:1").check().await;
    assert!(!check.ok && check.message.contains("was not reached"), "{}", check.message);
}
