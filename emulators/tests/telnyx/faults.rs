//! Requests that go wrong: what the client sees, and whether a phone rang.

use std::time::Duration;

use outdial_emulators::telnyx::{Account, Config, Quirk, Reply, ReplyBody, Scenario, Standing};
use serde_json::json;

use crate::harness::{Api, CUSTOMER, STATE, ended, fast, scripted, within};

async fn quirky(quirk: Quirk) -> (outdial_emulators::telnyx::Telnyx, Api) {
    scripted(Scenario::busy().with(quirk)).await
}

fn request(api: &Api) -> reqwest::RequestBuilder {
    let body = crate::harness::dial_body(&json!({"client_state": STATE, "command_id": "c1"}));
    api.http.post(format!("{}/v2/calls", api.base)).json(&body)
}

#[tokio::test]
async fn a_lost_response_rings_the_phone_and_sending_the_command_again_finds_the_call() {
    let (telnyx, api) = quirky(Quirk::AcceptThenDrop).await;
    api.send(request(&api)).await.expect_err("the connection is reset");
    let again = api.send(request(&api)).await.expect("a response");
    assert_eq!(again.data()["call_control_id"], telnyx.calls()[0].id);
    let count = telnyx.dials().keys["att_1"];
    assert_eq!((count.requests, count.accepted), (2, 1));
}

#[tokio::test]
async fn a_drop_before_accepting_rings_nothing() {
    let (telnyx, api) = quirky(Quirk::DropBeforeAccepting { times: 1 }).await;
    api.send(request(&api)).await.expect_err("the connection is reset");
    assert_eq!(telnyx.totals().accepted, 0);
    assert_eq!(api.send(request(&api)).await.expect("a response").status, 200);
    assert_eq!(telnyx.dials().accepted("att_1"), 1);
}

#[tokio::test]
async fn a_scripted_reply_has_the_carriers_form() {
    let reply = Reply::refusal(503, "10007", "Unexpected error", 1);
    let (telnyx, api) = quirky(Quirk::Reply(reply)).await;
    let answer = api.send(request(&api)).await.expect("a response");
    assert_eq!(answer.refusal(), (503, "10007"));
    assert_eq!(telnyx.totals().accepted, 0);
    let html = Reply::server_error(502, true).with_body(ReplyBody::Html);
    let (telnyx, api) = quirky(Quirk::Reply(html)).await;
    let answer = api.send(request(&api)).await.expect("a response");
    assert!(answer.status == 502 && answer.body.as_str().is_some_and(|text| text.contains("<html>")));
    assert_eq!(telnyx.totals().accepted, 1);
}

#[tokio::test]
async fn a_request_may_hang_although_its_call_is_placed() {
    let (telnyx, api) = quirky(Quirk::Hang { accepted: true, times: 1 }).await;
    let hanging = tokio::spawn({
        let api = api.clone();
        async move { api.send(request(&api).timeout(Duration::from_secs(60))).await }
    });
    within(telnyx.until(|totals| totals.hung == 1)).await;
    assert_eq!(ended(&telnyx).await.status.name(), "busy");
    hanging.abort();
}

#[tokio::test]
async fn a_wrong_key_is_told_so_whatever_else_is_wrong() {
    let (telnyx, mut api) = scripted(Scenario::busy()).await;
    api.key = "KEYwrong".into();
    assert_eq!(api.try_dial(&json!({"to": null})).await.refusal(), (401, "10009"));
    assert_eq!(api.get("/v2/calls/v3:x").await.refusal(), (401, "10009"));
    let bare = within(api.http.get(format!("{}/v2/call_events", api.base)).send()).await;
    assert_eq!(bare.expect("a response").status(), 401);
    assert_eq!((telnyx.totals().unauthorized, telnyx.totals().accepted), (3, 0));
}

#[tokio::test]
async fn an_accounts_standing_decides_what_it_may_do() {
    for (standing, status, code) in [
        (Standing::Revoked, 401, "20002"),
        (Standing::Inactive, 403, "20012"),
        (Standing::NoFunds, 402, "20100"),
    ] {
        let accounts = vec![Account { standing, ..Account::default() }];
        let telnyx = fast(Config { accounts, ..Config::default() }).await;
        let api = Api::of(&telnyx);
        assert_eq!(api.try_dial(&json!({})).await.refusal(), (status, code), "{standing:?}");
        let reads = api.get("/v2/call_events").await.status;
        assert_eq!(reads == 200, standing == Standing::NoFunds, "{standing:?}");
        assert_eq!(telnyx.totals().accepted, 0);
    }
}

#[tokio::test]
async fn insufficient_funds_may_be_403() {
    let accounts = vec![Account { standing: Standing::NoFunds, ..Account::default() }];
    let mut config = Config { accounts, ..Config::default() };
    config.replies.no_funds_status = 403;
    let telnyx = fast(config).await;
    assert_eq!(Api::of(&telnyx).try_dial(&json!({})).await.refusal(), (403, "20100"));
}

#[tokio::test]
async fn a_call_in_progress_outlives_a_change_of_settings() {
    let (telnyx, api) = scripted(Scenario::answered(Duration::from_secs(100_000))).await;
    let id = api.dial(&json!({})).await;
    let accounts = vec![Account { standing: Standing::Revoked, ..Account::default() }];
    telnyx.configure(Config { accounts, ..telnyx.config() }).expect("settings");
    assert_eq!(api.get(&format!("/v2/calls/{id}")).await.refusal(), (401, "20002"));
    telnyx.configure(Config { accounts: vec![Account::default()], ..telnyx.config() }).expect("settings");
    assert_eq!(api.get(&format!("/v2/calls/{id}")).await.data()["is_alive"], true);
    assert_eq!(telnyx.calls()[0].number, CUSTOMER);
}

#[tokio::test]
async fn settings_survive_a_trip_through_json_and_print_without_secrets() {
    let config = Config { fallback: outdial_emulators::telnyx::Fallback::Mix, ..Config::default() };
    let text = serde_json::to_string(&config).expect("JSON");
    assert_eq!(serde_json::from_str::<Config>(&text).expect("a config"), config);
    let printed = format!("{config:?}");
    assert!(!printed.contains(&Account::default().api_key) && !printed.contains("000102"), "{printed}");
}

#[tokio::test]
async fn another_process_can_script_a_number_with_all_that_results_say() {
    let telnyx = fast(Config::default()).await;
    let api = Api::of(&telnyx);
    let script = json!({"number": CUSTOMER, "scenarios": [{
        "outcome": {"answered": {"talk_ms": 9000}}, "answerer": "fax", "ring_ms": 0,
        "hangup": {"cause": "unspecified", "source": "unknown", "sip": "500"},
        "quirks": [{"duplicate_callbacks": {"extra": 1}}],
    }]});
    assert_eq!(api.post("/_emulator/scripts", &script).await.status, 204);
    api.dial(&json!({})).await;
    let end = ended(&telnyx).await.hangup.expect("it has ended");
    assert_eq!((end.cause.name(), end.source.name(), end.sip.as_str()), ("unspecified", "unknown", "500"));
    let bad = json!({"number": CUSTOMER, "scenarios": [{"outcome": "asleep"}]});
    assert_eq!(api.post("/_emulator/scripts", &bad).await.status, 422);
}
