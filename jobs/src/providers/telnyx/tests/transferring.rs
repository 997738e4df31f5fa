//! Handing a call over, over a socket: what is sent, how often, and what answers and news mean.

use std::num::NonZeroU16;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outdial_workflows::attempt::{Attempt, Ledger};
use outdial_workflows::call::{CallId, CallerId};
use outdial_workflows::transfer::TransferTold;
use serde_json::{Value, json};

use crate::providers::stub::{Act, Stub, json as answer};
use crate::providers::telnyx::compose::client_state;
use crate::providers::telnyx::wire::Event;
use crate::providers::telnyx::{fixtures, transfer};
use crate::providers::{Carrier, Permit, Question, Requests, TransferOrder};

fn bound() -> Attempt {
    Attempt { ledger: Ledger::Bound, call_id: Some(CallId("v3:a".into())), ..fixtures::attempt() }
}

fn ok() -> Act {
    answer(200, &json!({"data": {"result": "ok"}}))
}

fn error(status: u16, code: &str) -> Act {
    answer(status, &json!({"errors": [{"code": code, "title": "So it is"}]}))
}

/// What came of it, and what was sent.
async fn transfer(attempt: &Attempt, to: &str, acts: Vec<Act>, permit: Permit) -> (String, Vec<String>) {
    let stub = Stub::start(acts).await;
    let (rules, phone, requests) = (fixtures::rules(), fixtures::phone(), &Requests::default());
    let (key, now) = (fixtures::key(), fixtures::submitted_at());
    let question = Question { key, attempt, rules: &rules, phone: &phone, now, requests, others: &[] };
    // Numbers are told something first, and SIP addresses nothing.
    let (has_briefing, secret) = (to.starts_with('+'), "s3cret");
    let (to, public_url) =
        (to.parse().expect("a place"), "https://calls.example.com/".parse().expect("a URL"));
    let number = NonZeroU16::new(12).expect("not zero");
    let order = TransferOrder { question, number, to: &to, has_briefing, secret, public_url: &public_url };
    let told = match fixtures::telnyx(&stub.url).transfer(permit, &order).await {
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

fn body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test]
async fn the_second_leg_shows_our_number_and_says_whose_it_is() {
    let (told, sent) = transfer(&bound(), "+14155550177", vec![ok()], now()).await;
    assert_eq!((told.as_str(), sent.len()), ("under way", 1));
    assert!(sent[0].starts_with("POST /v2/calls/v3:a/actions/transfer HTTP/1.1\r\n"), "{}", sent[0]);
    let state = format!("transfer.000c/{}", fixtures::key());
    let (client, account) = (fixtures::key().0.client, fixtures::attempt().account);
    assert_eq!(
        body(&sent[0]),
        json!({
            "to": "+14155550177",
            "from": "+14155550100",
            "command_id": state,
            "target_leg_client_state": STANDARD.encode(&state),
            "webhook_url": format!("https://calls.example.com/webhooks/telnyx/{client}/{account}"),
            "webhook_url_method": "POST",
            "timeout_secs": 30,
            "audio_url": format!("https://calls.example.com/briefings/{}/s3cret/12", fixtures::key()),
        })
    );
    let anonymous = Attempt { caller_id: Some(CallerId("08040000000".into())), ..bound() };
    let (_, sent) = transfer(&anonymous, "sip:desk@pbx.example.com", vec![ok()], now()).await;
    let body = body(&sent[0]);
    assert_eq!((&body["to"], &body["from"]), (&json!("sip:desk@pbx.example.com"), &Value::Null));
    assert_eq!(body["audio_url"], Value::Null);
}

#[tokio::test]
async fn without_a_certain_answer_the_very_same_is_sent_once_more() {
    let (told, sent) = transfer(&bound(), "+14155550177", vec![Act::Reset, ok()], now()).await;
    assert_eq!(told, "under way");
    assert_eq!((sent.len(), body(&sent[0])), (2, body(&sent[1])));
    for (second, says) in [
        (error(422, "90018"), "no answer came"),
        (error(500, "10007"), "no answer came"),
        (Act::Reset, "no answer came"),
    ] {
        let (told, sent) = transfer(&bound(), "+14155550177", vec![Act::Reset, second], now()).await;
        assert!(told.starts_with("unknown: ") && told.contains(says), "{told}");
        assert_eq!(sent.len(), 2);
    }
}

#[tokio::test]
async fn what_is_certainly_not_carried_out_is_refused_and_not_repeated() {
    for (status, code) in [(422, "90018"), (422, "90034"), (422, "90015"), (404, "10005"), (429, "10011")] {
        let (told, sent) = transfer(&bound(), "+14155550177", vec![error(status, code)], now()).await;
        assert!(told.starts_with(&format!("refused: HTTP {status}")), "{told}");
        assert_eq!(sent.len(), 1);
    }
    let old = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
    let (told, sent) = transfer(&bound(), "+14155550177", vec![ok()], Permit::from_commit(old)).await;
    assert!(told.starts_with("refused: not sent"), "{told}");
    assert!(sent.is_empty());
    let (told, sent) = transfer(&fixtures::attempt(), "+14155550177", vec![], now()).await;
    assert!(told.starts_with("refused: Telnyx has not named the call"), "{told}");
    assert!(sent.is_empty());
}

#[test]
fn what_the_second_leg_does_tells_of_the_transfer() {
    let of = |kind: &str, payload: Value| -> Option<String> {
        let event = json!({"event_type": kind, "payload": payload});
        let event: Event = serde_json::from_value(event).expect("an event");
        let state = format!("transfer.0001/{}", fixtures::key());
        let (key, number, told) = transfer::told(&event, &state)?;
        assert_eq!((key, number), (fixtures::key(), NonZeroU16::MIN));
        Some(match told? {
            TransferTold::Refused { cause } => format!("refused: {cause}"),
            told => format!("{told:?}"),
        })
    };
    let over = |cause: &str| of("call.hangup", json!({"hangup_cause": cause}));
    assert_eq!(of("call.initiated", json!({})).as_deref(), Some("UnderWay"));
    assert_eq!(of("call.bridged", json!({})).as_deref(), Some("Done"));
    assert_eq!(of("call.answered", json!({})), None);
    assert_eq!(over("normal_clearing").as_deref(), Some("Done"));
    for cause in ["user_busy", "timeout", "call_rejected", "not_found", "originator_cancel", "unspecified"] {
        let told = over(cause).expect("it is told");
        assert!(told.starts_with("refused: ") && told.ends_with(cause), "{told}");
    }
}

#[test]
fn a_state_is_a_transfers_only_if_we_gave_it_to_one_and_holds_no_other() {
    let event: Event = serde_json::from_value(json!({"event_type": "call.bridged"})).expect("an event");
    let key = fixtures::key();
    for state in [
        key.to_string(),
        "att_1".into(),
        format!("transfer.0000/{key}"),
        format!("transfer.x/{key}"),
        "transfer.0001/somebody".into(),
    ] {
        assert_eq!(transfer::told(&event, &state), None, "{state}");
    }
    // Logs are searched for the first leg's state, and must not yield the second leg's events.
    for number in ["0001", "00ff", "ffff"] {
        let leg = STANDARD.encode(format!("transfer.{number}/{key}"));
        assert!(!leg.contains(client_state(key).trim_end_matches('=')), "{number}");
    }
}
