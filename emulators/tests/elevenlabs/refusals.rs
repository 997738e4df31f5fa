//! Requests that ElevenLabs would not take.

use outdial_emulators::elevenlabs::{Config, Reply, Speech, SpeechEnd};
use serde_json::{Value, json};

use crate::harness::{ULAW, World, body};

#[tokio::test]
async fn a_key_is_needed_and_must_be_right() {
    let world = World::new(Config::default()).await;
    for (key, code) in [(None, "missing_api_key"), (Some("wrong"), "invalid_api_key")] {
        let response = world.post_as(key, &format!("voice1?{ULAW}"), &json!({"text": "Hi"})).await;
        assert_eq!(response.status(), 401);
        let id = response.headers()["request-id"].to_str().expect("ASCII").to_owned();
        let body: Value = response.json().await.expect("JSON");
        let detail = &body["detail"];
        assert_eq!(
            (&detail["code"], &detail["status"], &detail["request_id"]),
            (&json!(code), &json!(code), &json!(id))
        );
    }
    assert_eq!(world.ended().await.ended, Some(SpeechEnd::Refused { status: 401 }));
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_by_its_code() {
    let world = World::new(Config { voices: vec!["voice1".into()], ..Config::default() }).await;
    let long = "a".repeat(3001);
    for (path, body, status, code) in [
        ("voice2", json!({"text": "Hi"}), 404, "voice_not_found"),
        ("voice1", json!({"text": "Hi", "model_id": "eleven_v9"}), 400, "model_not_found"),
        ("voice1", json!({"text": long, "model_id": "eleven_v3"}), 400, "max_character_limit_exceeded"),
        ("voice1", json!({"text": "Hi", "voice_settings": {"speed": 1.3}}), 400, "invalid_parameters"),
        ("voice1", json!({"text": " "}), 400, "invalid_parameters"),
    ] {
        let (seen, detail) = world.refused(&format!("{path}?{ULAW}"), &body).await;
        assert_eq!((seen, &detail["code"]), (status, &json!(code)), "{detail}");
    }
    for (query, body, place) in [
        (ULAW, json!({}), json!(["body", "text"])),
        (ULAW, json!([]), json!(["body"])),
        ("output_format=ulaw_16000", json!({"text": "Hi"}), json!(["query", "output_format"])),
    ] {
        let (status, detail) = world.refused(&format!("voice1?{query}"), &body).await;
        assert_eq!((status, &detail[0]["loc"]), (422, &place), "{detail}");
    }
    // What is not emulated is refused rather than faked, above all the default.
    for query in ["", "output_format=opus_48000_32"] {
        let (status, detail) = world.refused(&format!("voice1?{query}"), &json!({"text": "Hi"})).await;
        assert_eq!((status, &detail["param"]), (400, &json!("output_format")));
    }
    let (status, _) = world.refused("voice1/stream?output_format=wav_8000", &json!({"text": "Hi"})).await;
    assert_eq!(status, 400, "a stream has no header");
    assert_eq!(world.refused("voice1/elsewhere", &json!({})).await, (404, json!("Not Found")));
}

#[tokio::test]
async fn refusals_may_be_scripted_in_either_shape() {
    let quota = Reply::new(401, "quota_exceeded", "This request exceeds your quota.");
    let busy = Reply::new(429, "too_many_concurrent_requests", "Too many concurrent requests.");
    for older in [false, true] {
        let world = World::new(Config { older_errors: older, ..Config::default() }).await;
        world.elevenlabs.script(Speech::refusing(1, &quota).chain(Speech::refusing(2, &busy)));
        for (status, name) in [
            (401, "quota_exceeded"),
            (429, "too_many_concurrent_requests"),
            (429, "too_many_concurrent_requests"),
        ] {
            let (seen, detail) =
                world.refused(&format!("voice1/stream?{ULAW}"), &json!({"text": "Hi"})).await;
            assert_eq!(
                (seen, &detail["status"], detail.get("code").is_none()),
                (status, &json!(name), older)
            );
        }
        body(&mut world.stream("Hi").await).await;
    }
}
