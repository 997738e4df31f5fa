//! Each way in which a sheet is not read, and what is said of it.

use std::time::{Duration, Instant};

use outdial_emulators::sheets::{Host, Scenario};
use outdial_jobs::sheets::{Limits, SheetError};

use crate::world::{World, link};

#[tokio::test]
async fn each_refusal_of_googles_is_told_apart() {
    let world = World::new().await;
    for (scenario, expected, may_pass) in [
        (Scenario::NotFound, "NotFound", false),
        (Scenario::Private401, "NotShared", false),
        (Scenario::Private403, "NotShared", false),
        (Scenario::PrivateSignIn, "NotShared", false),
        (Scenario::PrivateGviz, "NotShared", false),
        (Scenario::TooMany, "Busy { status: 429 }", true),
        (Scenario::ServerError, "Busy { status: 500 }", true),
        (Scenario::BadGid, "Refused { status: 400 }", false),
        (Scenario::GvizErrorJs, r#"Query { reason: "invalid_query" }"#, false),
        (Scenario::Empty, "Empty", false),
        (Scenario::Huge, "TooLarge { max_bytes: 20000000 }", false),
        (Scenario::GzipBomb, "TooLarge { max_bytes: 20000000 }", false),
        (Scenario::RedirectLoop, "Circles", true),
    ] {
        let error = world.fetch(scenario).await.expect_err("no sheet");
        assert_eq!((format!("{error:?}").as_str(), error.may_pass()), (expected, may_pass), "{scenario:?}");
    }
    assert!(world.sheets.requests(Host::Accounts).is_empty());
}

#[tokio::test]
async fn a_sheet_that_was_deleted_and_a_tab_that_was_are_told_apart() {
    let world = World::new().await;
    let tab = link(&format!("{}/edit#gid=8", Scenario::Ok.id()));
    let error = world.read(&tab, &Limits::default()).await.expect_err("no such tab");
    assert!(matches!(error, SheetError::Refused { status: 400 }), "{error:?}");
    assert!(error.to_string().contains("the tab may have been deleted"), "{error}");
    world.sheets.delete(&Scenario::Ok.id());
    let error = world.fetch(Scenario::Ok).await.expect_err("no such sheet");
    assert!(matches!(error, SheetError::NotFound), "{error:?}");
}

#[tokio::test]
async fn a_sheet_that_stops_being_shared_is_noticed_and_so_is_its_return() {
    let world = World::new().await;
    let id = Scenario::Ok.id();
    let first = world.fetch(Scenario::Ok).await.expect("reads");
    world.sheets.behave(&id, Scenario::Private401);
    let error = world.fetch(Scenario::Ok).await.expect_err("private");
    assert!(error.to_string().contains("`Anyone with the link – Viewer`"), "{error}");
    world.sheets.behave(&id, Scenario::Ok);
    assert_eq!(world.fetch(Scenario::Ok).await.expect("reads"), first);
}

#[tokio::test]
async fn a_sign_in_page_is_no_sheet_even_where_it_is_followed_to() {
    let world = World::following_to_sign_in().await;
    let error = world.fetch(Scenario::PrivateHtml).await.expect_err("a page");
    assert!(matches!(error, SheetError::NotShared), "{error:?}");
    assert_eq!(world.sheets.requests(Host::Accounts).len(), 1);
}

#[tokio::test]
async fn a_foreign_redirect_is_refused_without_a_request_reaching_it() {
    let world = World::new().await;
    let error = world.fetch(Scenario::ForeignRedirect).await.expect_err("a foreign host");
    let SheetError::Redirected { origin } = &error else { panic!("{error:?}") };
    assert_eq!(origin, world.sheets.foreign_url());
    assert!(!error.may_pass());
    assert!(world.sheets.requests(Host::Foreign).is_empty());
}

#[tokio::test]
async fn five_redirects_are_followed_and_a_sixth_is_not() {
    let world = World::new().await;
    world.fetch(Scenario::RedirectLoop).await.expect_err("a loop");
    let requests = [Host::Docs, Host::Content].map(|host| world.sheets.requests(host).len());
    assert_eq!(requests, [3, 3]);
}

#[tokio::test]
async fn no_more_is_taken_than_allowed_to_the_byte() {
    let world = World::new().await;
    let limits = |max_bytes| Limits { max_bytes, ..Limits::default() };
    for scenario in [Scenario::Ok, Scenario::Gzip] {
        world.fetch_within(scenario, &limits(164)).await.expect("just fits");
        let error = world.fetch_within(scenario, &limits(163)).await.expect_err("a byte too many");
        assert!(matches!(error, SheetError::TooLarge { max_bytes: 163 }), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_slow_or_stalls_ends_when_its_time_is_over() {
    let world = World::new().await;
    let limits = Limits { within: Duration::from_millis(100), ..Limits::default() };
    for scenario in [Scenario::Slow, Scenario::Stalls] {
        let begun = Instant::now();
        let error = world.fetch_within(scenario, &limits).await.expect_err("too slow");
        assert!(matches!(error, SheetError::TooSlow { within } if within == limits.within), "{error:?}");
        assert!(error.may_pass());
        assert!(begun.elapsed() >= limits.within, "{scenario:?}");
    }
}

#[tokio::test]
async fn half_a_sheet_is_none() {
    let world = World::new().await;
    let error = world.fetch(Scenario::BreaksOff).await.expect_err("half");
    assert!(matches!(error, SheetError::Connection(_)) && error.may_pass(), "{error:?}");
}

#[tokio::test]
async fn a_google_that_is_not_there_may_come_back_and_signed_addresses_stay_out_of_errors() {
    let world = World::new().await;
    let broken = world.fetch(Scenario::BreaksOff).await.expect_err("half");
    assert!(!format!("{broken:?}").contains("/export/"), "{broken:?}");
    let World { sheets, reader } = world;
    drop(sheets);
    let link = link(&format!("{}/edit", Scenario::Ok.id()));
    let error = loop {
        // The listener closes soon after the emulator is dropped.
        match reader.fetch(&link, &Limits::default()).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SheetError::Connection(_)) && error.may_pass(), "{error:?}");
}
