//! Sheets that cannot be read, and answers that break.

use outdial_emulators::sheets::{Host, Scenario};

use crate::harness::{World, header, location, within};

#[tokio::test]
async fn refusals_have_the_statuses_that_clients_report_and_come_as_pages_for_people() {
    let world = World::new().await;
    for (scenario, status) in [
        (Scenario::Private401, 401),
        (Scenario::Private403, 403),
        (Scenario::NotFound, 404),
        (Scenario::BadGid, 400),
        (Scenario::TooMany, 429),
        (Scenario::ServerError, 500),
    ] {
        let response = world.get(&world.export(scenario, "")).await;
        assert_eq!(response.status(), status, "{scenario:?}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=UTF-8", "{scenario:?}");
    }
    let unknown =
        format!("{}/spreadsheets/d/nobody_knows_this_sheet/export?format=csv", world.sheets.docs_url());
    let response = world.get(&unknown).await;
    assert_eq!(response.status(), 404);
    let page = response.text().await.expect("text");
    assert!(page.contains("Sorry, the file you have requested does not exist."), "{page}");
}

#[tokio::test]
async fn a_private_sheet_may_lead_to_a_sign_in_page_that_answers_200() {
    let world = World::new().await;
    let response = world.get(&world.export(Scenario::PrivateHtml, "")).await;
    assert_eq!(response.status(), 302);
    let to = location(&response);
    assert!(to.starts_with(&format!("{}/ServiceLogin?service=wise", world.sheets.accounts_url())), "{to}");
    let page = world.get(&to).await;
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (200, "text/html; charset=UTF-8"));
    let to = world.led(Scenario::PrivateSignIn).await;
    assert!(to.starts_with("https://accounts.google.com/ServiceLogin?"), "{to}");
}

#[tokio::test]
async fn errors_of_the_query_endpoint_come_with_200_and_a_script() {
    let world = World::new().await;
    for (url, reason) in [
        (world.export(Scenario::GvizErrorJs, ""), "invalid_query"),
        (world.export(Scenario::PrivateGviz, ""), "access_denied"),
        (world.query(Scenario::Ok, "&gid=8"), "invalid_query"),
        (world.query(Scenario::Ok, "&tq=select%20A"), "not_supported"),
    ] {
        let response = world.get(&url).await;
        assert_eq!(response.status(), 200);
        let script = response.text().await.expect("text");
        assert!(script.starts_with("/*O_o*/\ngoogle.visualization.Query.setResponse({"), "{script}");
        assert!(
            script.contains(&format!("\"status\":\"error\",\"errors\":[{{\"reason\":\"{reason}\"")),
            "{script}"
        );
    }
}

#[tokio::test]
async fn an_unknown_name_of_a_tab_silently_gives_the_first_one() {
    let world = World::new().await;
    for (name, first) in [("Visits", "\"day\""), ("Typo", "\"name\"")] {
        let response = world.get(&world.query(Scenario::Ok, &format!("&sheet={name}"))).await;
        assert_eq!(response.status(), 200);
        assert!(response.text().await.expect("text").starts_with(first), "{name}");
    }
    let csv = world.csv(&world.export(Scenario::GvizFirstTab, "&gid=7")).await;
    assert!(csv.starts_with("name,phone"), "{csv}");
}

#[tokio::test]
async fn an_empty_sheet_is_a_csv_file_without_a_byte() {
    let world = World::new().await;
    let response = world.followed(&world.export(Scenario::Empty, "")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/csv"));
    assert_eq!(response.bytes().await.expect("a body").len(), 0);
}

#[tokio::test]
async fn a_stall_sends_half_and_keeps_the_connection_until_the_emulator_ends() {
    let world = World::new().await;
    let mut response = world.get(&world.led(Scenario::Stalls).await).await;
    let half = within(response.chunk()).await.expect("half").expect("a chunk");
    assert_eq!(half.len(), 82);
    drop(world);
    within(response.chunk()).await.expect_err("no other half");
}

#[tokio::test]
async fn a_break_is_an_end_without_the_last_chunk() {
    let world = World::new().await;
    let response = world.get(&world.led(Scenario::BreaksOff).await).await;
    assert_eq!(response.status(), 200);
    within(response.bytes()).await.expect_err("half a body is an error");
}

#[tokio::test]
async fn a_slow_sheet_comes_whole_in_the_end() {
    let world = World::new().await;
    assert!(world.csv(&world.export(Scenario::Slow, "")).await.starts_with("name,phone"));
}

#[tokio::test]
async fn a_foreign_redirect_leads_to_a_host_that_counts_its_visitors() {
    let world = World::new().await;
    let to = world.led(Scenario::ForeignRedirect).await;
    assert!(to.starts_with(world.sheets.foreign_url()), "{to}");
    assert!(world.sheets.requests(Host::Foreign).is_empty());
    assert_eq!(world.get(&to).await.status(), 200);
    assert_eq!(world.sheets.requests(Host::Foreign).len(), 1);
}

#[tokio::test]
async fn a_loop_leads_back_and_forth() {
    let world = World::new().await;
    let mut url = world.export(Scenario::RedirectLoop, "");
    for turn in 0..10 {
        let host = if turn % 2 == 0 { world.sheets.docs_url() } else { world.sheets.content_url() };
        assert!(url.starts_with(host), "{url}");
        url = location(&world.get(&url).await);
    }
}
