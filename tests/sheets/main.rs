//! Reading shared sheets from the emulated Google, over sockets.

mod failures;
mod world;

use outdial_emulators::sheets::{Document, Host, PUBLISHED, Scenario, Tab};
use outdial_jobs::sheets::Limits;
use sha2::{Digest, Sha256};

use world::{World, link};

#[tokio::test]
async fn a_shared_sheet_is_read_to_the_byte_with_its_hash_and_title() {
    let world = World::new().await;
    for scenario in [Scenario::Ok, Scenario::OkWithoutRedirect, Scenario::Gzip] {
        let fetched = world.fetch(scenario).await.expect("reads");
        assert_eq!(fetched.bytes, Document::sample().tabs[0].csv(), "{scenario:?}");
        // Of the protocol page's dialect vector.
        let sha256 = "c14364ef9ca10741f32fe6074ba780770087a83c75accf6af37054467f90c866";
        assert_eq!(hex(&fetched.sha256), sha256, "{scenario:?}");
        assert_eq!(fetched.title.as_deref(), Some("Spring Leads - Leads"), "{scenario:?}");
    }
}

#[tokio::test]
async fn the_tab_and_the_part_that_the_link_names_are_read() {
    let world = World::new().await;
    let id = Scenario::Ok.id();
    for (pasted, title, csv) in [
        (format!("{id}/edit?gid=7#gid=7"), "Spring Leads - Visits", "day,visits\r\nMonday,12\r\nTuesday,9"),
        (format!("{id}/edit#gid=7&range=A1:A2"), "Spring Leads - Visits", "day\r\nMonday"),
        (
            format!("e/{PUBLISHED}{id}/pubhtml?gid=7"),
            "Spring Leads - Visits",
            "day,visits\r\nMonday,12\r\nTuesday,9",
        ),
        (format!("{id}/edit?range=A1:B1"), "Spring Leads - Leads", "name,phone"),
    ] {
        let fetched = world.read(&link(&pasted), &Limits::default()).await.expect("reads");
        assert_eq!((fetched.title.as_deref(), &fetched.bytes[..]), (Some(title), csv.as_bytes()), "{pasted}");
    }
}

#[tokio::test]
async fn an_edit_gives_another_hash_and_nothing_changed_gives_the_same() {
    let world = World::new().await;
    let first = world.fetch(Scenario::Ok).await.expect("reads");
    let again = world.fetch(Scenario::Ok).await.expect("reads");
    assert_eq!(again, first);
    world.sheets.edit(&Scenario::Ok.id(), |sheet| sheet.tabs[0].rows[1][1] = "+91 98765 43211".to_owned());
    let edited = world.fetch(Scenario::Ok).await.expect("reads");
    assert_ne!(edited.sha256, first.sha256);
    assert_eq!(edited.sha256, <[u8; 32]>::from(Sha256::digest(&edited.bytes)));
    world.sheets.edit(&Scenario::Ok.id(), |sheet| *sheet = Document::sample());
    assert_eq!(world.fetch(Scenario::Ok).await.expect("reads"), first);
}

#[tokio::test]
async fn what_google_keeps_for_minutes_is_passed_by() {
    let world = World::new().await;
    let first = world.fetch(Scenario::Lags).await.expect("reads");
    let row = vec!["Ravi Iyer".to_owned(), "+91 98765 43219".to_owned()];
    world.sheets.edit(&Scenario::Lags.id(), |sheet| sheet.tabs[0].rows.push(row));
    let edited = world.fetch(Scenario::Lags).await.expect("reads");
    assert_ne!(edited.sha256, first.sha256);
    let mut asked = world.sheets.requests(Host::Docs);
    asked.dedup();
    assert_eq!(asked.len(), 2, "no address is asked twice: {asked:?}");
}

#[tokio::test]
async fn the_pasted_address_is_never_fetched() {
    let world = World::new().await;
    let id = Scenario::Ok.id();
    world.read(&link(&format!("{id}/edit?gid=0&x=1#gid=0")), &Limits::default()).await.expect("reads");
    let asked = world.sheets.requests(Host::Docs);
    let [asked] = asked.as_slice() else { panic!("one request: {asked:?}") };
    let expected = format!("/spreadsheets/d/{id}/export?format=csv&gid=0&_cb=");
    assert!(asked.starts_with(&expected), "{asked}");
}

#[tokio::test]
async fn a_slow_sheet_is_read_if_there_is_time() {
    let world = World::new().await;
    world.fetch(Scenario::Slow).await.expect("reads");
}

#[tokio::test]
async fn another_tab_than_the_one_meant_is_left_for_the_caller_to_notice() {
    let world = World::new().await;
    let pasted = link(&format!("{}/edit#gid=7", Scenario::GvizFirstTab.id()));
    let fetched = world.read(&pasted, &Limits::default()).await.expect("reads");
    assert_eq!(fetched.title.as_deref(), Some("Spring Leads - Leads"));
    assert!(fetched.bytes.starts_with(b"name,phone,"));
}

#[tokio::test]
async fn rows_stay_out_of_what_is_printed_for_logs() {
    let world = World::new().await;
    let tab = Tab::new(0, "Leads", [vec!["phone".to_owned()], vec!["+91 98765 43210".to_owned()]]);
    world.sheets.put(Scenario::Ok.id(), Document::new("Spring", [tab]), Scenario::Ok);
    let printed = format!("{:?}", world.fetch(Scenario::Ok).await.expect("reads"));
    assert!(printed.contains("Spring - Leads") && !printed.contains("43210"), "{printed}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
