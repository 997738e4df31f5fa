//! Handing a call over, over a socket: what is sent, once, and what answers mean.

use std::num::NonZeroU16;
use std::time::Instant;

use outdial_workflows::transfer::TransferTold;
use serde_json::{Value, json};

use super::stub::{Act, Stub, answer, json};
use crate::providers::livekit::fixtures;
use crate::providers::{Carrier, Permit, Question, Requests, TransferOrder};

/// What came of it, and what was sent.
async fn transfer(to: &str, act: Act, permit: Permit) -> (String, Vec<String>) {
    let stub = Stub::start([act]).await;
    let (attempt, rules, phone) = (fixtures::attempt(), fixtures::rules(), fixtures::phone());
    let (key, now, requests) = (fixtures::key(), fixtures::submitted_at(), &Requests::default());
    let question =
        Question { key, attempt: &attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    let (to, public_url) =
        (to.parse().expect("a place"), "https://calls.example.com/".parse().expect("a URL"));
    let (number, has_briefing, secret) = (NonZeroU16::MIN, false, "s3cret");
    let order = TransferOrder { question, number, to: &to, has_briefing, secret, public_url: &public_url };
    let told = match fixtures::livekit(&stub.url).transfer(permit, &order).await {
        TransferTold::UnderWay => "under way".to_owned(),
        TransferTold::Done => "done".to_owned(),
        TransferTold::Refused { cause } => format!("refused: {cause}"),
        TransferTold::Unknown { cause } => format!("unknown: {cause}"),
    };
    (told, stub.requests())
}

fn now() -> Permit {
    Permit::from_commit(Instant::now())
}

fn error(status: u16, code: &str, meta: &Value) -> Act {
    json(status, &json!({"code": code, "msg": "so it is", "meta": meta}))
}

#[tokio::test]
async fn a_number_is_referred_to_as_tel_and_a_sip_address_as_it_is() {
    for (to, uri) in [
        ("+14155550177", "tel:+14155550177"),
        ("sip:desk@pbx.example.com:5061", "sip:desk@pbx.example.com:5061"),
    ] {
        let (told, sent) = transfer(to, json(200, &json!({})), now()).await;
        assert_eq!((told.as_str(), sent.len()), ("done", 1));
        assert!(sent[0].starts_with("POST /twirp/livekit.SIP/TransferSIPParticipant HTTP/1.1\r\n"));
        let (_, body) = sent[0].split_once("\r\n\r\n").expect("a body");
        let room = fixtures::key().to_string();
        let expected = json!({"participant_identity": "callee", "room_name": room, "transfer_to": uri,
            "play_dialtone": true, "ringing_timeout": "30s"});
        assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), expected);
    }
}

#[tokio::test]
async fn an_answer_says_what_came_of_it_and_whatever_is_uncertain_is_unknown() {
    let described = |status: Value| {
        json(200, &json!({"transfer_id": "STR_1", "status": status, "reason": "STR_REJECTED"}))
    };
    let turned_down = json!({"sip_transfer_reason": "STR_REJECTED"});
    for (act, says) in [
        (described(json!("STS_TRANSFER_SUCCESSFUL")), "done"),
        (described(json!(2)), "done"),
        (described(json!("STS_TRANSFER_ONGOING")), "under way"),
        (json(200, &json!({"transfer_id": "STR_1"})), "under way"),
        (described(json!("STS_TRANSFER_FAILED")), "refused: it failed: STR_REJECTED"),
        (described(json!("STS_TRANSFER_DREAMT")), "unknown: HTTP 200"),
        (Act::Say(answer(200, "<html/>")), "unknown: HTTP 200"),
        (error(404, "not_found", &json!({})), "refused: HTTP 404"),
        (error(412, "failed_precondition", &json!({})), "refused: HTTP 412"),
        (error(403, "permission_denied", &json!({"sip_status_code": "603"})), "refused: HTTP 403"),
        (error(408, "deadline_exceeded", &turned_down), "refused: HTTP 408"),
        (Act::Say(answer(401, "invalid API key")), "refused: HTTP 401"),
        // LiveKit itself ran out of time.
        (error(408, "deadline_exceeded", &json!({})), "unknown: HTTP 408"),
        (error(503, "unavailable", &json!({})), "unknown: HTTP 503"),
        (Act::Say(answer(502, "<html/>")), "unknown: HTTP 502"),
        (Act::Reset, "unknown: sent, but no answer came"),
    ] {
        let (told, sent) = transfer("+14155550177", act.clone(), now()).await;
        assert!(told.starts_with(says), "{act:?}: {told}");
        assert_eq!(sent.len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_once_the_permit_has_run_out() {
    let old = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
    let (told, sent) = transfer("+14155550177", json(200, &json!({})), Permit::from_commit(old)).await;
    assert!(told.starts_with("refused: not sent"), "{told}");
    assert!(sent.is_empty());
}
