//! Sheets that are shared: the redirect, the file, its headers, and edits.

use outdial_emulators::sheets::{Document, Host, PUBLISHED, Scenario, Tab};

use crate::harness::{World, header, location, within};

#[tokio::test]
async fn an_export_is_a_307_to_the_content_host_as_captured() {
    let world = World::new().await;
    let response = world.get(&world.export(Scenario::Ok, "&gid=0")).await;
    assert_eq!(response.status(), 307);
    assert_eq!(header(&response, "content-type"), "text/html; charset=UTF-8");
    assert_eq!(header(&response, "cache-control"), "no-cache, no-store, max-age=0, must-revalidate");
    assert_eq!(header(&response, "server"), "GSE");
    assert_eq!(header(&response, "transfer-encoding"), "chunked");
    assert!(header(&response, "set-cookie").contains("domain=.google.com; HttpOnly"));
    let to = location(&response);
    let path = to.strip_prefix(world.sheets.content_url()).expect("the content host");
    assert!(path.starts_with("/export/"), "{path}");
    assert!(path.ends_with(&format!("/*/{}?format=csv&gid=0", Scenario::Ok.id())), "{path}");
    let body = response.text().await.expect("text");
    assert!(body.contains("<TITLE>Temporary Redirect</TITLE>"), "{body}");
}

#[tokio::test]
async fn the_file_has_the_headers_of_the_capture_and_no_length_or_etag() {
    let world = World::new().await;
    let response = world.followed(&world.export(Scenario::Ok, "")).await;
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "text/csv"),
        ("cache-control", "private, max-age=300"),
        (
            "content-disposition",
            "attachment; filename=\"SpringLeads-Leads.csv\"; filename*=UTF-8''Spring%20Leads%20-%20Leads.csv",
        ),
        ("access-control-allow-origin", "*"),
        ("x-robots-tag", "noindex, nofollow, nosnippet"),
        ("x-content-type-options", "nosniff"),
        ("server", "GSE"),
        ("accept-ranges", "none"),
        ("vary", "Accept-Encoding"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    assert!(header(&response, "expires").ends_with(" GMT"));
    for absent in ["content-length", "etag", "last-modified", "content-encoding"] {
        assert!(!response.headers().contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn a_signed_address_works_once_and_an_invented_one_never() {
    let world = World::new().await;
    let to = world.led(Scenario::Ok).await;
    assert_eq!(world.get(&to).await.status(), 200);
    assert_eq!(world.get(&to).await.status(), 404);
    let invented = format!("{}/export/t1/t2/1656191325000/1/*/x?format=csv", world.sheets.content_url());
    assert_eq!(world.get(&invented).await.status(), 404);
    assert_eq!(world.sheets.requests(Host::Content).len(), 3);
}

#[tokio::test]
async fn some_sheets_come_without_a_redirect() {
    let world = World::new().await;
    let response = world.get(&world.export(Scenario::OkWithoutRedirect, "")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/csv"));
    assert!(world.sheets.requests(Host::Content).is_empty());
}

#[tokio::test]
async fn tabs_are_told_apart_by_gid_and_the_first_is_meant_without_one() {
    let world = World::new().await;
    assert!(world.csv(&world.export(Scenario::Ok, "")).await.starts_with("name,phone"));
    assert!(world.csv(&world.export(Scenario::Ok, "&gid=7")).await.starts_with("day,visits"));
    assert_eq!(world.get(&world.export(Scenario::Ok, "&gid=8")).await.status(), 400);
    // Export does not know names of tabs.
    assert!(world.csv(&world.export(Scenario::Ok, "&sheet=Visits")).await.starts_with("name,phone"));
}

#[tokio::test]
async fn a_published_sheet_has_an_id_of_its_own_at_an_address_of_its_own() {
    let world = World::new().await;
    let (docs, id) = (world.sheets.docs_url(), format!("{PUBLISHED}{}", Scenario::Ok.id()));
    let url = format!("{docs}/spreadsheets/d/e/{id}/pub?gid=7&single=true&output=csv");
    let to = location(&world.get(&url).await);
    assert!(to.contains("/pub/") && to.contains(&format!("/*/e@{id}?gid=7")), "{to}");
    assert!(world.csv(&url).await.starts_with("day,visits"));
    let export = format!("{docs}/spreadsheets/d/{id}/export?format=csv");
    assert_eq!(world.get(&export).await.status(), 404);
}

#[tokio::test]
async fn an_edit_shows_in_the_next_export_and_a_new_sheet_can_be_shared() {
    let world = World::new().await;
    let url = world.export(Scenario::Ok, "");
    let before = world.csv(&url).await;
    let edited =
        world.sheets.edit(&Scenario::Ok.id(), |document| document.tabs[0].rows.push(vec!["Ravi".to_owned()]));
    assert!(edited);
    assert_eq!(world.csv(&url).await, format!("{before}\r\nRavi,,,"));
    let tab = Tab::new(3, "Only", [vec!["phone".to_owned()]]);
    world.sheets.put("a_sheet_that_is_put_there", Document::new("Two words", [tab]), Scenario::Ok);
    let put =
        format!("{}/spreadsheets/d/a_sheet_that_is_put_there/export?format=csv", world.sheets.docs_url());
    assert_eq!(world.csv(&put).await, "phone");
    assert!(world.sheets.delete("a_sheet_that_is_put_there"));
    assert_eq!(world.get(&put).await.status(), 404);
}

#[tokio::test]
async fn a_sheet_that_lags_shows_edits_only_at_another_address() {
    let world = World::new().await;
    let before = world.csv(&world.export(Scenario::Lags, "")).await;
    world.sheets.edit(&Scenario::Lags.id(), |document| document.tabs[0].rows.clear());
    assert_eq!(world.csv(&world.export(Scenario::Lags, "")).await, before);
    assert_eq!(world.csv(&world.export(Scenario::Lags, "&_cb=1")).await, "");
}

#[tokio::test]
async fn gzip_comes_only_to_those_who_take_it() {
    let world = World::new().await;
    let plain = world.get(&world.led(Scenario::Gzip).await).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let zipped = world.get_zipped(&world.led(Scenario::Gzip).await).await;
    assert_eq!(header(&zipped, "content-encoding"), "gzip");
    let magic = zipped.bytes().await.expect("a body").slice(..2);
    assert_eq!(magic, &b"\x1f\x8b"[..]);
}

#[tokio::test]
async fn a_huge_sheet_has_more_than_20_mb_and_a_bomb_few_bytes_on_the_wire() {
    let world = World::new().await;
    let huge = world.get(&world.led(Scenario::Huge).await).await;
    assert!(within(huge.bytes()).await.expect("a body").len() > 20_000_000);
    let bomb = world.get_zipped(&world.led(Scenario::GzipBomb).await).await;
    assert!(within(bomb.bytes()).await.expect("a body").len() < 200_000);
}
