//! What people agreed to, and numbers that must not be called.

use serde_json::json;

use super::{Remote, both, words};
use crate::support::world::World;

/// The number of a person, one whom the server is told of and one who is told of directly.
fn phone(name: &str, last: u8) -> String {
    format!("+9198765000{}{last}", if name == "one" { 0 } else { 1 })
}

#[tokio::test]
async fn consent_is_recorded_and_taken_back_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let person = |name| format!("{} --client {}", phone(name, 1), world.client);
    for order in [
        "consent add PERSON --source form --at 2026-01-14 --expires 2030-01-14T10:00:00+05:30 --reason Bogen",
        "consent add PERSON --source form --level written --purpose service",
        "consent add PERSON --source form --level written --purpose service",
        "consent revoke PERSON --purpose service",
        "consent revoke PERSON --reason asked",
        "consent add PERSON --source form",
        "consent add PERSON --source form --at 2026-01-14 --expires 2026-01-13",
    ] {
        both(&remote, |name| words(&order.replace("PERSON", &person(name))), &[]).await;
    }
    let list = |name| words(&format!("consent list {}", person(name)));
    let one = list("one");
    let listed = remote.alike(&one.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    let reasons = "select count(*) from audit where reason = 'Bogen'";
    assert_eq!(world.count(reasons).await, 2);
    remote.alike(&["consent", "list", "12", "--client", "A client"]).await;
    remote.alike(&["consent", "list", "+919876500001", "--client", "Nobody's"]).await;
    world.end().await;
}

#[tokio::test]
async fn numbers_are_put_on_lists_and_taken_off_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await;
    let of_client = "--client A_client".replace("A_client", &world.client.to_string());
    let of_campaign = format!("--campaign {campaign}");
    for list in [&of_client, &of_campaign] {
        for order in ["add PHONE --until 2h", "add PHONE", "add PHONE --until 1h --reason wish"] {
            let given =
                |name| words(&format!("suppression {order} {list}").replace("PHONE", &phone(name, 2)));
            both(&remote, given, &[]).await;
        }
    }
    let one = phone("one", 2);
    for arguments in [
        ["suppression", "list", "--client", "A client"].as_slice(),
        &["suppression", "list", "--client", "A client", "--limit", "1"],
        &["suppression", "list", "--campaign", &campaign.to_string()],
        &["suppression", "list", "--client", "A client", "--phone", &one],
        &["suppression", "list", "--client", "A client", "--phone", "+919876500099"],
        &["suppression", "add", "+919876500099", "--client", "A client", "--until", "2020-01-01T00:00:00Z"],
    ] {
        remote.alike(arguments).await;
    }
    for list in [&of_client, &of_client, &of_campaign] {
        let given = |name| words(&format!("suppression remove {} {list} --reason mended", phone(name, 2)));
        both(&remote, given, &[]).await;
    }
    assert_eq!(world.count("select count(*) from suppressions where removed_at is null").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_file_of_numbers_is_put_on_a_list_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let file = |name: &str, text: &str| remote.here.write(name, text).display().to_string();
    let numbers = |from: u32| -> String {
        (0..2_300).map(|n| format!("{}\n", 9_800_000_000_u64 + u64::from(from + n))).collect()
    };
    let (one, other) = (
        file("one.csv", &format!("Mobile No\n12\n{}9800000001\n", numbers(0))),
        file("other.csv", &format!("Mobile No\n12\n{}9800010001\n", numbers(10_000))),
    );
    let import = |name: &str| format!("suppression import {}", if name == "one" { &one } else { &other });
    let whose = "--client A_client --region IN --source DND --until 30days";
    for _ in 0..2 {
        let given = |name: &'static str| {
            let words = words(&format!("{} {whose}", import(name)));
            words.into_iter().map(|word| word.replace("A_client", "A client")).collect()
        };
        both(&remote, given, &[]).await;
    }
    let counts = "select count(*) from suppressions where source = 'DND' and expires_at > now()";
    assert_eq!(world.count(counts).await, 4_600);
    let bad = file("bad.csv", "12\nnothing\n");
    let book = file("book.csv", "PK\u{3}\u{4}workbook");
    for given in [&bad, &book, "nowhere.csv"] {
        let region = ["suppression", "import", given, "--client", "A client", "--region", "IN"];
        let said = remote.says(&region).await;
        let direct = remote.here.hear(world.program(&region), &[("OUTDIAL_JSON", "true")]).await;
        assert_eq!((said.json(), said.code), (direct.json(), direct.code), "{given}");
        assert_eq!(said.code, Some(1), "{given}: {said:?}");
    }
    world.end().await;
}
