//! Status callbacks: which, when, in what form, and how often.

use std::time::Duration;

use outdial_emulators::exotel::{Callbacks, Config, Exotel, FormEncoding, Quirk, Scenario};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, EXOPHONE, HANG, Receiver, bot, fast, flow, within};

const EVENTS: [(&str, &str); 2] =
    [("StatusCallbackEvents[]", "terminal"), ("StatusCallbackEvents[]", "answered")];
const JSON: (&str, &str) = ("StatusCallbackContentType", "application/json");

async fn answering() -> (Exotel, Api) {
    scripted(Scenario::answered(Duration::from_secs(42))).await
}

async fn scripted(scenario: Scenario) -> (Exotel, Api) {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [scenario]);
    let api = Api::of(&exotel);
    (exotel, api)
}

async fn events(callbacks: &mut Receiver, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(callbacks.next().await.get("EventType").expect("an event"));
    }
    names
}

#[tokio::test]
async fn without_events_one_callback_comes_with_four_fields_and_no_custom_field() {
    let (exotel, api) = answering().await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let sid = api.dial(&[("StatusCallback", &url), ("CustomField", "att_1")]).await;
    let received = callbacks.next().await;
    assert!(received.content_type.starts_with("multipart/form-data; boundary="));
    let names: Vec<_> = received.form.keys().map(String::as_str).collect();
    assert_eq!(names, ["CallSid", "DateUpdated", "RecordingUrl", "Status"]);
    assert_eq!((received.get("CallSid"), received.get("Status")), (Some(sid), Some("completed".into())));
    within(exotel.until(|totals| totals.callbacks_delivered == 1)).await;
    assert!(callbacks.is_empty());
}

#[tokio::test]
async fn with_events_the_story_is_told_in_order_and_in_full() {
    let (_exotel, api) = answering().await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let more = [("StatusCallback", url.as_str()), ("CustomField", "att_1"), ("Record", "true"), JSON];
    let sid = api.dial(&[&more[..], &EVENTS].concat()).await;
    let answered = callbacks.next().await.json;
    assert_eq!(answered["EventType"], "answered");
    assert_eq!((&answered["Status"], &answered["EndTime"]), (&json!("in-progress"), &json!("")));
    let terminal = callbacks.next().await.json;
    assert_eq!(terminal["EventType"], "terminal");
    assert_eq!(terminal["CallSid"], sid);
    assert_eq!(terminal["Status"], "completed");
    assert_eq!(terminal["ConversationDuration"], 42);
    assert_eq!(terminal["CustomField"], "att_1");
    assert_eq!(terminal["From"], "09876543210");
    assert_eq!(terminal["To"], EXOPHONE);
    assert_eq!(terminal["Direction"], "outbound-api");
    assert_eq!(terminal["Legs"], json!([{"OnCallDuration": 42, "Status": "completed", "AnsweredBy": "NA"}]));
    assert!(terminal["RecordingUrl"].as_str().is_some_and(|url| url.ends_with(".mp3")));
    for date in ["DateCreated", "DateUpdated", "StartTime", "EndTime"] {
        assert_eq!(terminal[date].as_str().map(str::len), Some(19), "{date}");
    }
}

#[tokio::test]
async fn forms_flatten_the_legs_the_php_way() {
    for encoding in [FormEncoding::Multipart, FormEncoding::UrlEncoded] {
        let callbacks = Callbacks { encoding, ..Callbacks::default() };
        let exotel = fast(Config { callbacks, ..Config::default() }).await;
        let api = Api::of(&exotel);
        let mut callbacks = Receiver::start().await;
        let url = callbacks.url.clone();
        api.dial(&[("StatusCallback", &url), ("StatusCallbackEvents[0]", "terminal")]).await;
        let received = callbacks.next().await;
        let expected = match encoding {
            FormEncoding::Multipart => "multipart/form-data",
            FormEncoding::UrlEncoded => "application/x-www-form-urlencoded",
        };
        assert!(received.content_type.starts_with(expected), "{}", received.content_type);
        assert_eq!(received.get("Legs[0][Status]").as_deref(), Some("completed"));
        assert_eq!(received.get("Legs[0][AnsweredBy]").as_deref(), Some("NA"));
        assert_eq!(received.get("ConversationDuration").as_deref(), Some("60"));
        assert_eq!(received.get("CustomField").as_deref(), Some(""));
    }
}

#[tokio::test]
async fn each_outcome_has_its_status_and_only_an_answer_is_announced() {
    let (exotel, api) = answering().await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let more = [&[("StatusCallback", url.as_str())][..], &EVENTS].concat();
    for (scenario, status) in [
        (Scenario::no_answer(), "no-answer"),
        (Scenario::busy(), "busy"),
        (Scenario::failed(), "failed"),
        (Scenario::canceled(), "canceled"),
    ] {
        exotel.script(CUSTOMER, [scenario]);
        api.dial(&more).await;
        let received = callbacks.next().await;
        assert_eq!(received.get("EventType").as_deref(), Some("terminal"));
        assert_eq!(received.get("Status").as_deref(), Some(status));
        assert_eq!(received.get("Legs[0][Status]").as_deref(), Some(status));
        assert_eq!(received.get("ConversationDuration").as_deref(), Some("0"));
    }
}

#[tokio::test]
async fn a_call_between_two_people_has_two_legs() {
    let (exotel, api) = answering().await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let bridge = [
        ("From", CUSTOMER),
        ("To", "+919876500000"),
        ("CallerId", EXOPHONE),
        ("StatusCallback", &url),
        ("StatusCallbackEvents[]", "terminal"),
        JSON,
    ];
    for (scenario, second) in
        [(Scenario::answered(Duration::from_secs(1)), json!("completed")), (Scenario::busy(), Value::Null)]
    {
        exotel.script(CUSTOMER, [scenario]);
        assert_eq!(api.connect(&bridge).await.expect("a response").status(), 200);
        let received = callbacks.next().await.json;
        assert_eq!(received["To"], "09876500000");
        assert_eq!(received["Legs"][1]["Status"], second);
    }
}

#[tokio::test]
async fn ringing_is_announced_to_a_bot_that_asks() {
    let (_exotel, api) = scripted(Scenario::no_answer()).await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let more = [("StatusCallback", url.as_str()), ("StatusCallbackEvents[]", "ringing")];
    let more = [&more[..], &EVENTS].concat();
    let response = api.connect(&bot("ws://127.0.0.1:9/", &more)).await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(events(&mut callbacks, 2).await, ["ringing", "terminal"]);
}

#[tokio::test]
async fn events_may_need_two_numbers() {
    let callbacks = Callbacks { events_in_bot_modes: false, ..Callbacks::default() };
    let exotel = fast(Config { callbacks, ..Config::default() }).await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let more = [&[("StatusCallback", url.as_str())][..], &EVENTS].concat();
    Api::of(&exotel).dial(&more).await;
    let received = callbacks.next().await;
    assert_eq!((received.form.len(), received.get("EventType")), (4, None));
}

#[tokio::test]
async fn copies_say_the_same_though_a_multipart_boundary_differs() {
    let (exotel, api) = scripted(Scenario::busy().with(Quirk::DuplicateCallbacks { extra: 2 })).await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    api.dial(&[("StatusCallback", &url), JSON]).await;
    let first = callbacks.next().await;
    assert_eq!(callbacks.next().await, first);
    assert_eq!(callbacks.next().await, first);
    api.dial(&[("StatusCallback", &url)]).await;
    let first = callbacks.next().await;
    for _ in 0..2 {
        let copy = callbacks.next().await;
        assert_eq!(copy.form, first.form);
        assert_ne!(copy.content_type, first.content_type);
    }
    let totals = within(exotel.until(|totals| totals.callbacks_delivered == 6)).await;
    assert_eq!(totals.accepted, 2);
}

#[tokio::test]
async fn reordered_callbacks_begin_with_the_end() {
    let scenario = Scenario::answered(Duration::from_secs(1)).with(Quirk::ReorderedCallbacks);
    let (_exotel, api) = scripted(scenario).await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    api.dial(&[&[("StatusCallback", url.as_str())][..], &EVENTS].concat()).await;
    assert_eq!(events(&mut callbacks, 2).await, ["terminal", "answered"]);
}

#[tokio::test]
async fn late_callbacks_come_long_after_the_end() {
    let late = Quirk::LateCallbacks { by: Duration::from_secs(200) };
    let (exotel, api) = scripted(Scenario::busy().with(late)).await;
    let mut callbacks = Receiver::start().await;
    let url = callbacks.url.clone();
    let sid = api.dial(&[("StatusCallback", &url)]).await;
    within(exotel.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.json(&format!("Calls/{sid}.json")).await["Call"]["Status"], "busy");
    callbacks.next().await;
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let late = now - exotel.calls()[0].ended_at.expect("it has ended");
    assert!(late.num_milliseconds() >= 200, "{late}");
}

#[tokio::test]
async fn without_callbacks_the_details_still_tell_the_end() {
    let (exotel, api) = scripted(Scenario::busy().with(Quirk::NoCallbacks)).await;
    let callbacks = Receiver::start().await;
    let sid = api.dial(&[("StatusCallback", &callbacks.url)]).await;
    within(exotel.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.json(&format!("Calls/{sid}.json")).await["Call"]["Status"], "busy");
    assert_eq!(exotel.totals().callback_requests, 0);
}

#[tokio::test]
async fn a_callback_is_tried_three_times_and_then_given_up() {
    let (exotel, api) = scripted(Scenario::busy()).await;
    let mut callbacks = Receiver::start().await.answering([503, 302, 500, 503, 200]);
    let url = callbacks.url.clone();
    api.dial(&[("StatusCallback", &url)]).await;
    let totals = within(exotel.until(|totals| totals.callbacks_lost == 1)).await;
    assert_eq!((totals.callback_requests, totals.callbacks_delivered), (3, 0));
    api.dial(&[("StatusCallback", &url)]).await;
    let totals = within(exotel.until(|totals| totals.callbacks_delivered == 1)).await;
    assert_eq!((totals.callback_requests, totals.callbacks_lost), (5, 1));
    for _ in 0..5 {
        callbacks.next().await;
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_tried_again() {
    let callbacks = Callbacks { timeout: Duration::from_millis(50), ..Callbacks::default() };
    let exotel = fast(Config { callbacks, ..Config::default() }).await;
    let mut callbacks = Receiver::start().await.answering([HANG]);
    let url = callbacks.url.clone();
    Api::of(&exotel).dial(&[("StatusCallback", &url)]).await;
    let first = callbacks.next().await;
    assert_eq!(callbacks.next().await.form, first.form);
}

#[tokio::test]
async fn ring_timeout_and_time_limit_cut_a_call_short() {
    let exotel = fast(Config::default()).await;
    let scenario = Scenario::answered(Duration::from_secs(5000)).ringing_for(Duration::from_secs(20));
    exotel.script(CUSTOMER, [scenario]);
    let api = Api::of(&exotel);
    api.connect(&flow(CUSTOMER, &[("TimeLimit", "30")])).await.expect("a response");
    within(exotel.until(|totals| totals.finished == 1)).await;
    api.connect(&flow(CUSTOMER, &[("TimeOut", "19")])).await.expect("a response");
    within(exotel.until(|totals| totals.finished == 2)).await;
    let ends: Vec<_> = exotel.calls().iter().map(|call| (call.status.name(), call.talk.as_secs())).collect();
    assert_eq!(ends, [("completed", 30), ("no-answer", 0)]);
}
