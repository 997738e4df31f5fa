//! TeXML: placing, reading, instructions and callbacks.

use std::{collections::BTreeMap, time::Duration};

use outdial_emulators::telnyx::{Account, Answerer, Config, Reads, Scenario, Telnyx, TexmlKey};
use serde_json::{Value, json};

use crate::harness::{
    Answer, Api, CALLER, CONNECTION, CUSTOMER, MINUTE, Receiver, ended, fast, scripted, within,
};

const ALL: &str = "initiated ringing answered completed";

async fn place(api: &Api, more: &Value) -> Answer {
    let mut body = json!({"From": CALLER, "To": CUSTOMER});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    api.post(&format!("/v2/texml/calls/{CONNECTION}"), &body).await
}

async fn placed(api: &Api, more: &Value) -> String {
    let answer = place(api, more).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["call_sid"].as_str().expect("a SID").to_owned()
}

fn calls(rest: &str) -> String {
    format!("/v2/texml/Accounts/{}/Calls{rest}", Account::default().id)
}

/// The next callback as a form.
async fn form(hooks: &mut Receiver) -> BTreeMap<String, String> {
    hooks.next().await.form()
}

#[tokio::test]
async fn a_call_is_placed_flat_and_reports_its_progress() {
    let (telnyx, api) = scripted(Scenario::answered(Duration::from_secs(42))).await;
    let mut hooks = Receiver::start().await;
    let status = format!("{}/att_1?x=1", hooks.url);
    let answer = place(
        &api,
        &json!({
            "Texml": "<Response><Pause length=\"300\"/></Response>",
            "StatusCallback": status, "StatusCallbackEvent": ALL,
        }),
    )
    .await;
    assert_eq!((&answer.body["from"], &answer.body["status"]), (&json!(CALLER), &json!("queued")));
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(form(&mut hooks).await);
    }
    let story: Vec<_> =
        told.iter().map(|form| (form["CallStatus"].as_str(), form["SequenceNumber"].as_str())).collect();
    assert_eq!(story, [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")]);
    let last = &told[3];
    assert_eq!(last["CallSid"], answer.body["call_sid"].as_str().expect("a SID"));
    assert_eq!((last["CallDuration"].as_str(), last["HangupCause"].as_str()), ("42", "normal_clearing"));
    assert_eq!((last["HangupSource"].as_str(), last["SipHangupCause"].as_str()), ("callee", "200"));
    assert_eq!(last["CallbackSource"], "call-progress-events");
    assert_eq!(telnyx.dials().accepted("/hook/att_1?x=1"), 1);
}

#[tokio::test]
async fn by_default_only_the_end_is_reported_whichever_it_is() {
    for (scenario, status) in
        [(Scenario::busy(), "busy"), (Scenario::no_answer(), "no-answer"), (Scenario::failed(), "failed")]
    {
        let (telnyx, api) = scripted(scenario).await;
        let mut hooks = Receiver::start().await;
        placed(&api, &json!({"Texml": "<Response/>", "StatusCallback": hooks.url})).await;
        let form = form(&mut hooks).await;
        assert_eq!((form["CallStatus"].as_str(), form["SequenceNumber"].as_str()), (status, "2"));
        assert!(!form.contains_key("HangupCause"));
        within(telnyx.until(|totals| totals.callbacks_delivered == 1)).await;
        assert!(hooks.is_empty());
    }
}

#[tokio::test]
async fn the_twilio_shaped_endpoint_takes_forms_and_hides_the_sid() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let pairs =
        [("ApplicationSid", CONNECTION), ("From", CALLER), ("To", CUSTOMER), ("Url", "http://127.0.0.1:9/")];
    let request = api.http.post(format!("{}{}", api.base, calls(""))).form(&pairs);
    let answer = api.send(request).await.expect("a response");
    assert_eq!(answer.body, json!({"from": CALLER, "to": CUSTOMER, "status": "queued"}));
    assert_eq!(ended(&telnyx).await.status.name(), "busy");
}

#[tokio::test]
async fn keys_in_snake_case_are_not_read() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    let answer =
        api.post(&calls(""), &json!({"application_sid": CONNECTION, "from": CALLER, "to": CUSTOMER})).await;
    assert_eq!(answer.refusal(), (422, "10004"));
    assert_eq!(telnyx.totals().accepted, 0);
}

#[tokio::test]
async fn each_wrong_parameter_is_refused() {
    let (_telnyx, api) = scripted(Scenario::busy()).await;
    for (more, code) in [
        (json!({}), "10004"),
        (json!({"Url": "ftp://x/"}), "10027"),
        (json!({"Texml": "<Response/>", "To": "x"}), "10016"),
        (json!({"Texml": "<Response/>", "StatusCallbackEvent": "initiated over"}), "10032"),
        (json!({"Texml": "<Response/>", "Timeout": 121}), "10033"),
        (json!({"Texml": "<Response/>", "TimeLimit": 29}), "10033"),
        (json!({"Texml": "<Response/>", "MachineDetection": "Maybe"}), "10032"),
    ] {
        assert_eq!(place(&api, &more).await.refusal(), (422, code), "{more}");
    }
    let elsewhere = api.get("/v2/texml/Accounts/other/Calls").await;
    assert_eq!(
        (elsewhere.status, elsewhere.body),
        (404, json!({"errors": [{"detail": "Resource not found"}]}))
    );
}

#[tokio::test]
async fn instructions_are_fetched_with_the_calls_parameters_and_followed() {
    let (telnyx, api) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start().await.instructing([
        "<Say>Hello {{To}}</Say><Enqueue/><Redirect method=\"GET\">/next</Redirect>",
        "<Pause length=\"2\"/><Hangup/>",
    ]);
    let sid = placed(&api, &json!({"Url": hooks.url})).await;
    let first = hooks.next().await;
    assert_eq!((first.method.as_str(), first.uri.path()), ("POST", "/hook"));
    let form = first.form();
    assert_eq!((form["CallSid"].as_str(), form["CallStatus"].as_str()), (sid.as_str(), "in-progress"));
    assert_eq!((form["To"].as_str(), form["CallingPartyType"].as_str()), (CUSTOMER, "pstn"));
    let second = hooks.next().await;
    assert_eq!((second.method.as_str(), second.uri.path()), ("GET", "/next"));
    let call = ended(&telnyx).await;
    assert_eq!(call.hangup.map(|end| end.source.name()), Some("caller"));
    assert_eq!(call.ignored, ["Enqueue"]);
    // 18 characters of speech, and the pause.
    assert!(call.talk >= Duration::from_millis(18 * 60 + 2000), "{:?}", call.talk);
}

#[tokio::test]
async fn keys_are_gathered_and_sent_to_the_action() {
    let scenario = Scenario::answered(200 * MINUTE).pressing('4', 10 * MINUTE).pressing('2', 10 * MINUTE);
    let (telnyx, api) = scripted(scenario).await;
    let mut hooks = Receiver::start().await.instructing([
        "<Gather action=\"/digits\" numDigits=\"2\" timeout=\"3600\"><Say>Code?</Say></Gather><Hangup/>",
        "<Hangup/>",
    ]);
    placed(&api, &json!({"Url": hooks.url})).await;
    hooks.next().await;
    let gathered = hooks.next().await;
    assert_eq!((gathered.uri.path(), gathered.form()["Digits"].as_str()), ("/digits", "42"));
    ended(&telnyx).await;
}

#[tokio::test]
async fn without_keys_a_gather_goes_on_with_the_next_verb() {
    let (telnyx, api) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start()
        .await
        .instructing(["<Gather action=\"/digits\"/><Redirect>/silence</Redirect>", "<Reject/>"]);
    placed(&api, &json!({"Url": hooks.url})).await;
    hooks.next().await;
    assert_eq!(hooks.next().await.uri.path(), "/silence");
    ended(&telnyx).await;
}

#[tokio::test]
async fn a_dial_rings_a_second_leg_and_tells_its_action_how_that_went() {
    let (telnyx, api) = scripted(Scenario::answered(200 * MINUTE)).await;
    telnyx.script("+14155550177", [Scenario::answered(Duration::from_secs(30))]);
    let mut hooks = Receiver::start()
        .await
        .instructing(["<Dial action=\"/dialled\"><Number>+14155550177</Number></Dial>", "<Hangup/>"]);
    placed(&api, &json!({"Url": hooks.url})).await;
    hooks.next().await;
    let dialled = hooks.next().await.form();
    assert_eq!(dialled["DialCallStatus"], "completed");
    assert!(dialled.contains_key("DialCallSid") && dialled.contains_key("DialCallDuration"));
    within(telnyx.until(|totals| totals.finished == 2)).await;
}

#[tokio::test]
async fn a_recording_ends_with_a_key_and_is_told_to_its_action() {
    let scenario = Scenario::answered(200 * MINUTE).pressing('#', 5 * MINUTE);
    let (telnyx, api) = scripted(scenario).await;
    let mut hooks = Receiver::start()
        .await
        .instructing(["<Record action=\"/recorded\" maxLength=\"3600\"/>", "<Hangup/>"]);
    placed(&api, &json!({"Url": hooks.url})).await;
    hooks.next().await;
    let recorded = hooks.next().await.form();
    assert!(recorded["RecordingUrl"].ends_with(".mp3"), "{recorded:?}");
    assert_eq!(recorded["Digits"], "#");
    ended(&telnyx).await;
}

#[tokio::test]
async fn instructions_that_cannot_be_had_come_from_the_fallback_or_end_the_call() {
    let (telnyx, api) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks = Receiver::start().await.answering([500]).instructing(["<Hangup/>"]);
    placed(&api, &json!({"Url": hooks.url, "FallbackUrl": format!("{}/fallback", hooks.url)})).await;
    hooks.next().await;
    assert_eq!(hooks.next().await.uri.path(), "/hook/fallback");
    within(telnyx.until(|totals| totals.finished == 1)).await;
    let hooks = Receiver::start().await;
    placed(&api, &json!({"Url": hooks.url})).await;
    within(telnyx.until(|totals| totals.finished == 2)).await;
}

#[tokio::test]
async fn detection_is_waited_for_or_told_apart() {
    let machine = Scenario::answered(200 * MINUTE).by(Answerer::Machine);
    let (telnyx, api) = scripted(machine.clone()).await;
    let mut hooks = Receiver::start().await.instructing(["<Hangup/>"]);
    let sid = placed(&api, &json!({"Url": hooks.url, "MachineDetection": "Enable"})).await;
    assert_eq!(form(&mut hooks).await["AnsweredBy"], "machine_start");
    ended(&telnyx).await;
    let read = api.get(&calls(&format!("/{sid}"))).await;
    assert_eq!(read.body["answered_by"], "machine");

    let (_telnyx, api) = scripted(machine).await;
    let mut amd = Receiver::start().await;
    placed(
        &api,
        &json!({
            "Texml": "<Response><Pause length=\"600\"/></Response>", "MachineDetection": "Enable",
            "AsyncAmd": true, "AsyncAmdStatusCallback": amd.url,
        }),
    )
    .await;
    let told = form(&mut amd).await;
    assert_eq!(
        (told["AnsweredBy"].as_str(), told["MachineDetectionDuration"].as_str()),
        ("machine_start", "3000")
    );
}

#[tokio::test]
async fn a_call_can_be_redirected_and_ended_from_outside() {
    let (telnyx, api) = scripted(Scenario::answered(200 * MINUTE)).await;
    let mut hooks =
        Receiver::start().await.instructing(["<Pause length=\"9000\"/>", "<Pause length=\"9000\"/>"]);
    let sid = placed(&api, &json!({"Url": hooks.url})).await;
    hooks.next().await;
    let path = calls(&format!("/{sid}"));
    let moved = api.post(&path, &json!({"Url": format!("{}/other", hooks.url)})).await;
    assert_eq!((moved.status, &moved.body["status"]), (200, &json!("in-progress")));
    assert_eq!(hooks.next().await.uri.path(), "/hook/other");
    assert_eq!(api.post(&path, &json!({"Status": "gone"})).await.refusal(), (422, "10032"));
    let request = api.http.post(format!("{}{path}", api.base)).form(&[("Status", "completed")]);
    assert_eq!(api.send(request).await.expect("a response").status, 200);
    assert_eq!(ended(&telnyx).await.status.name(), "completed");
    assert_eq!(api.post(&path, &json!({"Status": "completed"})).await.refusal(), (422, "90018"));
}

#[tokio::test]
async fn calls_are_listed_by_number_status_and_day() {
    let (telnyx, api) = scripted(Scenario::busy()).await;
    telnyx.script("+14155550177", [Scenario::answered(Duration::from_secs(11))]);
    let inline = json!({"Texml": "<Response><Pause length=\"60\"/></Response>"});
    let mut other = inline.clone();
    other["To"] = json!("+14155550177");
    placed(&api, &inline).await;
    let sid = placed(&api, &other).await;
    within(telnyx.until(|totals| totals.finished == 2)).await;
    let list = async |query: &str| api.get(&calls(query)).await.body;
    assert_eq!(list("").await["calls"].as_array().map(Vec::len), Some(2));
    let found =
        list("?To=%2B14155550177&Status=completed&StartTime%3E=2020-01-01&StartTime%3C=2999-01-01").await;
    assert_eq!((found["calls"].as_array().map(Vec::len), &found["calls"][0]["sid"]), (Some(1), &json!(sid)));
    assert_eq!((&found["calls"][0]["duration"], &found["page"]), (&json!("11"), &json!(0)));
    assert_eq!(list("?EndTime%3E=2999-01-01").await["calls"], json!([]));
    let page = list("?PageSize=1").await;
    let next = page["next_page_uri"].as_str().expect("a second page");
    let last = api.get(next).await.body;
    assert_eq!((&last["calls"][0]["to"], &last["next_page_uri"]), (&json!(CUSTOMER), &Value::Null));
    assert_eq!(api.get(&calls("?Status=ringing")).await.refusal(), (422, "10032"));
}

#[tokio::test]
async fn reads_lag_behind() {
    let reads = Reads { texml_lag: 100_000 * MINUTE, ..Reads::default() };
    let telnyx = fast(Config { reads, ..Config::default() }).await;
    let api = Api::of(&telnyx);
    let sid = placed(&api, &json!({"Texml": "<Response/>"})).await;
    within(telnyx.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.get(&calls(&format!("/{sid}"))).await.status, 404);
    assert_eq!(api.get(&calls("")).await.body["calls"], json!([]));
    telnyx.configure(Config { reads: Reads::default(), ..telnyx.config() }).expect("settings");
    assert_eq!(api.get(&calls(&format!("/{sid}"))).await.body["status"], "completed");
}

#[tokio::test]
async fn the_key_may_be_a_segment_of_the_callback() {
    let mut config = Config::default();
    config.texml.key = TexmlKey::Segment(1);
    let telnyx: Telnyx = fast(config).await;
    let more = json!({"Texml": "<Response/>", "StatusCallback": "http://127.0.0.1:9/status/att_1"});
    placed(&Api::of(&telnyx), &more).await;
    let count = telnyx.dials().keys["att_1"];
    assert_eq!((count.requests, count.accepted), (1, 1));
}
