//! `connect.json`: who may call, what must be sent, and what comes back.

use outdial_emulators::exotel::{AcceptedStatus, Account, Config, ErrorCode, Flow, Replies, Scenario};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, EXOPHONE, FLOW, bot, fast, flow, within};

const STREAM: &str = "ws://127.0.0.1:9/stream/att_1";

#[tokio::test]
async fn an_accepted_call_looks_in_progress_although_nobody_has_answered() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let response = api.connect(&flow(CUSTOMER, &[("CustomField", "att_1")])).await;
    let body: Value = response.expect("a response").json().await.expect("JSON");
    let call = &body["Call"];
    let sid = call["Sid"].as_str().expect("a Sid");
    assert!(sid.len() == 32 && sid.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{sid}");
    assert_eq!(call["Status"], "in-progress");
    assert_eq!(call["From"], "09876543210");
    assert_eq!(call["To"], "08040000000");
    assert_eq!(call["PhoneNumberSid"], "08040000000");
    assert_eq!(call["AccountSid"], "acct1");
    assert_eq!(call["Direction"], "outbound-api");
    assert_eq!(call["Uri"], format!("/v1/Accounts/acct1/Calls.json/{sid}"));
    for empty in ["ParentCallSid", "EndTime", "Duration", "Price", "AnsweredBy", "RecordingUrl"] {
        assert_eq!(call[empty], Value::Null, "{empty}");
    }
    assert_eq!(call.get("CustomField"), None);
    assert_eq!(exotel.dials().accepted("att_1"), 1);
}

#[tokio::test]
async fn dates_are_in_indian_time_without_a_zone() {
    let exotel = fast(Config::default()).await;
    let before = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let body = Api::of(&exotel).connect(&flow(CUSTOMER, &[])).await.expect("a response");
    let body: Value = body.json().await.expect("JSON");
    let shown = body["Call"]["DateCreated"].as_str().expect("a date").to_owned();
    let shown = chrono::NaiveDateTime::parse_from_str(&shown, "%Y-%m-%d %H:%M:%S").expect("plain");
    let ahead = shown - before.naive_utc();
    assert!((ahead.num_seconds() - 5 * 3600 - 1800).abs() <= 5, "{ahead}");
}

#[tokio::test]
async fn an_account_may_call_a_fresh_call_queued() {
    let replies = Replies { accepted_status: AcceptedStatus::Queued, ..Replies::default() };
    let exotel = fast(Config { replies, ..Config::default() }).await;
    let body = Api::of(&exotel).connect(&flow(CUSTOMER, &[])).await.expect("a response");
    assert_eq!(body.json::<Value>().await.expect("JSON")["Call"]["Status"], "queued");
}

#[tokio::test]
async fn multipart_and_urlencoded_bodies_are_read_alike() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let form = flow(CUSTOMER, &[("CustomField", "multi")])
        .into_iter()
        .fold(reqwest::multipart::Form::new(), |form, (name, value)| {
            form.text(name.to_owned(), value.to_owned())
        });
    let response = within(api.post("Calls/connect.json").multipart(form).send()).await;
    assert_eq!(response.expect("a response").status(), 200);
    api.dial(&[("CustomField", "plain")]).await;
    let dials = exotel.dials();
    assert_eq!((dials.accepted("multi"), dials.accepted("plain")), (1, 1));
    let json = within(api.post("Calls/connect.json").json(&json!({"From": CUSTOMER})).send()).await;
    assert_eq!(json.expect("a response").status(), 400);
}

#[tokio::test]
async fn without_the_json_suffix_the_answer_is_xml() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let response = within(api.post("Calls/connect").form(&flow(CUSTOMER, &[])).send()).await;
    let body = response.expect("a response").text().await.expect("text");
    assert!(body.contains("<TwilioResponse><Call>") && body.contains("<Sid>"), "{body}");
    let response = within(api.post("Calls/connect").form(&[("From", "1")]).send()).await;
    let body = response.expect("a response").text().await.expect("text");
    assert!(body.contains("<TwilioResponse><RestException>"), "{body}");
}

#[tokio::test]
async fn the_same_request_twice_is_two_calls() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let first = api.dial(&[("CustomField", "att_1")]).await;
    let second = api.dial(&[("CustomField", "att_1")]).await;
    assert_ne!(first, second);
    assert_eq!(exotel.dials().keys_rung_twice(), ["att_1"]);
}

#[tokio::test]
async fn there_is_no_way_to_cancel_a_call() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let sid = api.dial(&[]).await;
    let post = api.post(&format!("Calls/{sid}.json")).form(&[("Status", "completed")]);
    assert_eq!(within(post.send()).await.expect("a response").status(), 404);
    let delete = api.http.delete(format!("{}/v1/Accounts/acct1/Calls/{sid}.json", api.base));
    assert_eq!(within(delete.send()).await.expect("a response").status(), 405);
}

#[tokio::test]
async fn bad_parameters_are_refused_with_a_reason_and_no_call() {
    let exotel = fast(Config {
        limits: crate::limits::none(),
        exophones: vec![EXOPHONE.into()],
        flows: [("926".into(), Flow::default())].into(),
        ..Config::default()
    })
    .await;
    let api = Api::of(&exotel);
    let long_url = format!("ws://h/{}", "x".repeat(593));
    let long_key = "k".repeat(129);
    let bridge = [("From", CUSTOMER), ("To", "09876500000"), ("CallerId", EXOPHONE)];
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![("CallerId", EXOPHONE), FLOW], "From is mandatory"),
        (vec![("from", CUSTOMER), ("CallerId", EXOPHONE), FLOW], "CamelCase: 'from'"),
        (vec![("From", CUSTOMER), FLOW], "CallerId is mandatory"),
        (vec![("From", CUSTOMER), ("CallerId", "08049999999"), FLOW], "not an ExoPhone"),
        (vec![("From", CUSTOMER), ("CallerId", EXOPHONE)], "One of StreamUrl, Url or To"),
        (flow("not-a-number", &[]), "From is not a valid phone number"),
        (flow(CUSTOMER, &[("To", "09876500000")]), "mutually exclusive"),
        (flow(CUSTOMER, &[("StreamUrl", STREAM), ("StreamType", "bidirectional")]), "mutually exclusive"),
        (flow(CUSTOMER, &[("StreamType", "bidirectional")]), "StreamType needs a StreamUrl"),
        (bot("https://bot.example/", &[]), "ws:// or wss://"),
        (bot(&long_url, &[]), "shorter than 600"),
        (bot("ws://h/?a=1&b=2&c=3&d=4", &[]), "at most 3 custom parameters"),
        (bot(STREAM, &[("StreamType", "unidirectional")]), "must be bidirectional"),
        (bot(STREAM, &[("StreamName", "a name that is far too long, really")]), "at most 32"),
        (flow(CUSTOMER, &[("TimeLimit", "0")]), "TimeLimit must be an integer from 1 to 14400"),
        (flow(CUSTOMER, &[("TimeLimit", "14401")]), "TimeLimit must be an integer from 1 to 14400"),
        (flow(CUSTOMER, &[("TimeLimit", "a while")]), "TimeLimit must be an integer"),
        (flow(CUSTOMER, &[("TimeOut", "-1")]), "TimeOut must be an integer"),
        (flow(CUSTOMER, &[("CustomField", long_key.as_str())]), "CustomField must be at most 128"),
        (flow(CUSTOMER, &[("Record", "yes")]), "Record must be true or false"),
        (flow(CUSTOMER, &[("RecordingChannels", "stereo")]), "single or dual"),
        (flow(CUSTOMER, &[("CallType", "promo")]), "CallType must be trans"),
        (flow(CUSTOMER, &[("StatusCallback", "ftp://x/")]), "StatusCallback must be an http(s) URL"),
        (flow(CUSTOMER, &[("StatusCallbackEvents[]", "ringing")]), "ringing only with StreamUrl"),
        (flow(CUSTOMER, &[("StatusCallbackEvents[0]", "hangup")]), "terminal and answered"),
        (flow(CUSTOMER, &[("StatusCallbackContentType", "text/plain")]), "application/json"),
        (flow(CUSTOMER, &[("Url", "https://evil.example/acct1/exoml/start_voice/926")]), "my.exotel.com"),
        (flow(CUSTOMER, &[("Url", "http://my.exotel.com/acct2/exoml/start_voice/926")]), "my.exotel.com"),
        (flow(CUSTOMER, &[("Url", "http://my.exotel.com/acct1/exoml/start_voice/")]), "my.exotel.com"),
        (flow(CUSTOMER, &[("Url", "http://my.exotel.com/acct1/exoml/start_voice/927")]), "flow 927"),
        ([&bridge[..], &[("RecordingFormat", "wav")]].concat(), "mp3 or mp3-hq"),
    ];
    let count = cases.len() as u64;
    for (parameters, reason) in cases {
        let response = api.connect(&parameters).await.expect("a response");
        assert_eq!(response.status(), 400, "{parameters:?}");
        let body: Value = response.json().await.expect("JSON");
        let exception = &body["RestException"];
        assert_eq!((&exception["Status"], &exception["Code"]), (&json!(400), &json!("BAD_REQUEST")));
        let message = exception["Message"].as_str().expect("a message");
        assert!(message.contains(reason), "{parameters:?}: {message}");
    }
    let totals = exotel.totals();
    assert_eq!((totals.requests, totals.invalid, totals.accepted), (count, count, 0));
}

#[tokio::test]
async fn the_widest_allowed_parameters_are_accepted() {
    let exotel = fast(Config::default()).await;
    let api = Api::of(&exotel);
    let stream = format!("ws://127.0.0.1:9/{}", "x".repeat(599 - "ws://127.0.0.1:9/".len()));
    let key = "ё".repeat(128);
    for parameters in [
        bot(&stream, &[("CustomField", &key), ("TimeLimit", "14400"), ("StreamName", "n")]),
        flow("09876543210", &[("TimeLimit", "1"), ("TimeOut", "20"), ("CallType", "trans")]),
        vec![("From", CUSTOMER), ("To", "9876500000"), ("CallerId", "+918040000000")],
    ] {
        let response = api.connect(&parameters).await.expect("a response");
        assert_eq!(response.status(), 200, "{parameters:?}");
    }
    assert_eq!(exotel.totals().unknown_parameters, 0);
}

#[tokio::test]
async fn parameters_that_the_protocol_does_not_have_are_ignored_but_counted() {
    let exotel = fast(Config::default()).await;
    Api::of(&exotel).dial(&[("IfMachine", "Hangup"), ("StatusCallbackEvents", "terminal")]).await;
    assert_eq!(exotel.totals().unknown_parameters, 2);
}

#[tokio::test]
async fn only_an_accounts_own_credentials_open_it() {
    let account = |n: u8| Account {
        sid: format!("acct{n}"),
        api_key: format!("key{n}"),
        api_token: format!("token{n}"),
    };
    let config = Config { accounts: vec![account(1), account(2)], ..Config::default() };
    let exotel = fast(config).await;
    let wrong = Account { api_token: "guess".into(), ..account(1) };
    let elsewhere = Account { sid: "acct9".into(), ..account(1) };
    let others = Account { sid: "acct2".into(), ..account(1) };
    for (account, status) in [(wrong, 401), (elsewhere, 404), (others, 401), (account(1), 200)] {
        let response = Api::with(&exotel, account).connect(&flow(CUSTOMER, &[])).await;
        let response = response.expect("a response");
        assert_eq!(response.status(), status);
        let challenged = response.headers().contains_key("www-authenticate");
        assert_eq!(challenged, status == 401);
    }
    let totals = exotel.totals();
    assert_eq!((totals.unauthorized, totals.unknown_account, totals.accepted), (2, 1, 1));
}

#[tokio::test]
async fn error_codes_are_text_or_numbers_or_absent() {
    for (form, code) in [
        (ErrorCode::Text, json!("UNAUTHORIZED")),
        (ErrorCode::Number, json!(401)),
        (ErrorCode::Absent, Value::Null),
    ] {
        let replies = Replies { error_code: form, ..Replies::default() };
        let exotel = fast(Config { replies, ..Config::default() }).await;
        let wrong = Account { api_key: "guess".into(), ..Account::default() };
        let response = Api::with(&exotel, wrong).connect(&[]).await.expect("a response");
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["RestException"]["Code"], code);
        assert_eq!(body["RestException"]["Message"], "Authentication failed");
    }
}

#[tokio::test]
async fn a_script_plays_once_per_accepted_call_and_its_last_scenario_repeats() {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [Scenario::busy(), Scenario::failed(), Scenario::no_answer()]);
    let api = Api::of(&exotel);
    for dialled in 1..=4 {
        api.dial(&[]).await;
        within(exotel.until(|totals| totals.finished == dialled)).await;
    }
    let ends: Vec<_> = exotel.calls().iter().map(|call| call.status.name()).collect();
    assert_eq!(ends, ["busy", "failed", "no-answer", "no-answer"]);
}
