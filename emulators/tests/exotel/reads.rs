//! Details, lists, v3 and the count of streams.

use std::time::Duration;

use outdial_emulators::exotel::{Account, Config, Exotel, Reads, Scenario};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, fast, flow, within};

fn number(n: u32) -> String {
    format!("+9198000{n:05}")
}

/// An emulator with one busy call to each of `count` numbers, all ended.
async fn with_calls(count: u32, reads: Reads) -> (Exotel, Api) {
    let fallback = outdial_emulators::exotel::Fallback::Always(Scenario::busy());
    let limits = crate::limits::none();
    let exotel = fast(Config { reads, fallback, limits, ..Config::default() }).await;
    let api = Api::of(&exotel);
    for n in 0..count {
        let number = number(n);
        let response = api.connect(&flow(&number, &[])).await.expect("a response");
        assert_eq!(response.status(), 200);
    }
    within(exotel.until(|totals| totals.finished == u64::from(count))).await;
    (exotel, api)
}

fn froms(list: &Value) -> Vec<&str> {
    let calls = list["Calls"].as_array().expect("calls");
    calls.iter().map(|call| call["From"].as_str().expect("a number")).collect()
}

#[tokio::test]
async fn details_are_complete_once_a_call_is_over() {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [Scenario::answered(Duration::from_secs(61))]);
    let api = Api::of(&exotel);
    let sid = api.dial(&[("CustomField", "att_1")]).await;
    within(exotel.until(|totals| totals.finished == 1)).await;
    let body = api.json(&format!("Calls/{sid}.json")).await;
    let call = &body["Call"];
    assert_eq!((&call["Status"], &call["Duration"]), (&json!("completed"), &json!("61")));
    assert_eq!((&call["Price"], call.get("Details")), (&json!("1.200"), None));
    assert!(call["EndTime"].is_string());
    assert_eq!(call.get("CustomField"), None, "v1 does not give the key back");
    let body = api.json(&format!("Calls/{sid}.json?details=true")).await;
    assert_eq!(
        body["Call"]["Details"],
        json!({
            "ConversationDuration": 61,
            "Leg1Status": "completed",
            "Leg2Status": null,
            "Legs": [{"Leg": {"Id": 1, "OnCallDuration": 61}}],
        })
    );
    let xml = api.get(&format!("Calls/{sid}")).await.text().await.expect("text");
    assert!(xml.contains("<Duration>61</Duration>"), "{xml}");
    assert_eq!(api.get("Calls/00000000000000000000000000000000.json").await.status(), 404);
}

#[tokio::test]
async fn details_lag_behind_the_end() {
    let lag = |seconds| Reads { details_lag: Duration::from_secs(seconds), ..Reads::default() };
    let (exotel, api) = with_calls(1, lag(1_000_000)).await;
    let resource = format!("Calls/{}.json", exotel.calls()[0].sid);
    let call = &api.json(&resource).await["Call"];
    assert_eq!((&call["Status"], &call["EndTime"]), (&json!("busy"), &Value::Null));
    assert_eq!((&call["Duration"], &call["Price"]), (&Value::Null, &Value::Null));
    let (exotel, api) = with_calls(1, lag(50)).await;
    let resource = format!("Calls/{}.json", exotel.calls()[0].sid);
    within(async { while api.json(&resource).await["Call"]["EndTime"].is_null() {} }).await;
    assert_eq!(api.json(&resource).await["Call"]["Duration"], "0");
}

#[tokio::test]
async fn v3_details_know_the_custom_field() {
    let exotel = fast(Config::default()).await;
    exotel.script(CUSTOMER, [Scenario::answered(Duration::from_secs(1_000_000)), Scenario::no_answer()]);
    let api = Api::of(&exotel);
    let live = api.dial(&[("CustomField", "att_1")]).await;
    let body: Value =
        api.get_path(&format!("/v3/accounts/acct1/calls/{live}")).await.json().await.expect("JSON");
    let details = &body["response"]["call_details"];
    assert_eq!((&body["http_code"], &body["response"]["status"]), (&json!(200), &json!("success")));
    assert_eq!((&details["state"], &details["status"]), (&json!("active"), &Value::Null));
    assert_eq!(details["custom_field"], "att_1");
    assert_eq!(details["end_time"], "1970-01-01 05:30:00+05:30");
    let over = api.dial(&[("CustomField", "att_2")]).await;
    within(exotel.until(|totals| totals.finished == 1)).await;
    let body: Value =
        api.get_path(&format!("/v3/accounts/acct1/calls/{over}")).await.json().await.expect("JSON");
    let details = &body["response"]["call_details"];
    assert_eq!((&details["state"], &details["custom_field"]), (&json!("terminal"), &json!("att_2")));
    assert_eq!(details["status"], "from_leg_unanswered");
}

#[tokio::test]
async fn v3_errors_come_in_their_own_envelope() {
    let exotel = fast(Config::default()).await;
    let response = Api::of(&exotel).get_path("/v3/accounts/acct1/calls/none").await;
    assert_eq!(response.status(), 404);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["response"]["error_data"]["code"], 1000);
    let wrong = Account { api_key: "guess".into(), ..Account::default() };
    let response = Api::with(&exotel, wrong).get_path("/v3/accounts/acct1/calls/none").await;
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!((&body["http_code"], &body["response"]["error_data"]["code"]), (&json!(401), &json!(1010)));
}

#[tokio::test]
async fn a_list_is_paged_forwards_and_back_by_its_own_uris() {
    let (_exotel, api) = with_calls(7, Reads::default()).await;
    let first = api.json("Calls.json?PageSize=3&SortBy=DateCreated:asc").await;
    assert_eq!((&first["Metadata"]["Total"], &first["Metadata"]["PageSize"]), (&json!(7), &json!(3)));
    assert_eq!(first["Metadata"]["PrevPageUri"], Value::Null);
    let (mut page, mut seen) = (first.clone(), froms(&first).join(" "));
    let mut middle = Value::Null;
    while let Some(next) = page["Metadata"]["NextPageUri"].as_str() {
        middle = page.clone();
        page = api.get_path(next).await.json().await.expect("JSON");
        seen = format!("{seen} {}", froms(&page).join(" "));
    }
    let expected: Vec<_> = (0..7).map(|n| number(n).replace("+91", "0")).collect();
    assert_eq!(seen, expected.join(" "));
    let back = page["Metadata"]["PrevPageUri"].as_str().expect("a page before");
    let back: Value = api.get_path(back).await.json().await.expect("JSON");
    assert_eq!(back["Calls"], middle["Calls"]);
    let home = page["Metadata"]["FirstPageUri"].as_str().expect("a first page");
    let home: Value = api.get_path(home).await.json().await.expect("JSON");
    assert_eq!(home["Calls"], first["Calls"]);
}

#[tokio::test]
async fn a_list_begins_with_the_newest_and_pages_may_be_named_at_top_level() {
    let reads = Reads { paging_in_metadata: false, ..Reads::default() };
    let (_exotel, api) = with_calls(3, reads).await;
    let page = api.json("Calls.json?PageSize=2").await;
    assert_eq!(froms(&page), ["09800000002", "09800000001"]);
    let next = page["NextPageUri"].as_str().expect("a next page");
    let next: Value = api.get_path(next).await.json().await.expect("JSON");
    assert_eq!(froms(&next), ["09800000000"]);
    assert!(next["PrevPageUri"].is_string() && next["NextPageUri"].is_null());
}

#[tokio::test]
async fn each_filter_of_a_list_filters() {
    let (exotel, api) = with_calls(4, Reads::default()).await;
    let calls = exotel.calls();
    let sids = format!("{},{}", calls[1].sid, calls[3].sid);
    let at = |seconds: i64| {
        let at = calls[0].accepted_at + chrono::TimeDelta::seconds(seconds + 5 * 3600 + 1800);
        at.format("%Y-%m-%d %H:%M:%S").to_string()
    };
    for (name, value, expected) in [
        ("From", "+919800000002", 1),
        ("From", "09800000002,9800000003", 2),
        ("From", "+919899999999", 0),
        ("To", "+918040000000", 4),
        ("To", "+918040000001", 0),
        ("PhoneNumber", "08040000000", 4),
        ("PhoneNumber", "08040000001", 0),
        ("Sid", &sids, 2),
        ("Status", "busy", 4),
        ("Status", "completed", 0),
        ("Direction", "outbound-api", 4),
        ("Direction", "inbound", 0),
        ("DateCreated", &format!("gte:{};lte:{}", at(-60), at(60)), 4),
        ("DateCreated", &format!("gte:{}", at(120)), 0),
        ("DateCreated", &format!("lte:{}", at(-120)), 0),
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        let list = api.json(&format!("Calls.json?{query}")).await;
        assert_eq!(froms(&list).len(), expected, "{name}={value}");
        assert_eq!(list["Metadata"]["Total"], expected, "{name}={value}");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_understood_is_refused() {
    let (_exotel, api) = with_calls(0, Reads::default()).await;
    for query in [
        "PageSize=0",
        "PageSize=101",
        "Status=asleep",
        "SortBy=Price",
        "From=1,2,3,4,5,6",
        "From=nobody",
        "After=here",
        "DateCreated=2026-01-15",
        "DateCreated=gte:2026-01-15T00:00:00",
        "DateCreated=gte:2020-01-01 00:00:00;lte:2020-01-02 00:00:00",
        "DateCreated=gte:2026-01-01 00:00:00;lte:2026-03-01 00:00:00",
        "Duration=gte:10s",
    ] {
        let response = api.get(&format!("Calls.json?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn live_calls_may_be_missing_from_the_list() {
    for (hidden, shown) in [(true, 0), (false, 1)] {
        let reads = Reads { list_hides_live_calls: hidden, ..Reads::default() };
        let exotel = fast(Config { reads, ..Config::default() }).await;
        exotel.script(CUSTOMER, [Scenario::answered(Duration::from_secs(1_000_000))]);
        let api = Api::of(&exotel);
        let sid = api.dial(&[]).await;
        let query = "Calls.json?From=%2B919876543210";
        assert_eq!(froms(&api.json(query).await).len(), shown);
        assert_eq!(api.json(&format!("Calls/{sid}.json")).await["Call"]["EndTime"], Value::Null);
        within(async {
            while exotel.totals().live > 0 {
                exotel.proceed(&sid);
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(froms(&api.json(query).await).len(), 1);
    }
}

#[tokio::test]
async fn an_account_sees_only_its_own_calls() {
    let second = Account { sid: "acct2".into(), api_key: "k".into(), api_token: "t".into() };
    let accounts = vec![Account::default(), second.clone()];
    let exotel = fast(Config { accounts, ..Config::default() }).await;
    let sid = Api::of(&exotel).dial(&[]).await;
    let other = Api::with(&exotel, second);
    assert_eq!(other.get(&format!("Calls/{sid}.json")).await.status(), 404);
    assert!(froms(&other.json("Calls.json").await).is_empty());
}

#[tokio::test]
async fn names_in_paths_are_case_sensitive() {
    let (_exotel, api) = with_calls(0, Reads::default()).await;
    let streams = api.json("ActiveStreams.json").await;
    assert_eq!((&streams["active_streams"], &streams["max_allowed_streams"]), (&json!(0), &json!(100)));
    let xml = api.get("ActiveStreams").await.text().await.expect("text");
    let expected =
        "<Stream><ActiveStreamCount>0</ActiveStreamCount><ThrottleLimit>100</ThrottleLimit></Stream>";
    assert!(xml.contains(expected), "{xml}");
    for path in ["activestreams.json", "calls.json"] {
        assert_eq!(api.get(path).await.status(), 404, "{path}");
    }
    assert_eq!(api.get_path("/v1/accounts/acct1/Calls.json").await.status(), 404);
}
