//! Files of leads.

use outdial_jobs::operations::keys::Role;
use serde_json::{Value, json};

use super::{Remote, without};
use crate::support::world::World;

/// Three good rows, one of which stands there twice, and two that are no leads.
const FILE: &str = "phone,name,city\n98765 00001,Asha,Pune\n98765 00002,Bela,Pune\n12,Chetan,Pune\n\
                    98765 00003,Devi,Pune\n98765 00001,Asha,Pune\nnone,Esha,Pune\n";

#[tokio::test]
async fn a_file_is_sent_taken_in_and_told_of_as_where_the_database_is() {
    let world = World::working().await;
    let remote = Remote::new(&world).await;
    let (one, other) = (world.draft(json!({})).await.to_string(), world.draft(json!({})).await.to_string());
    let file = remote.here.write("leads.csv", FILE);
    let file = file.to_str().expect("a path");
    let import = |campaign: &str| -> Vec<String> {
        let consent =
            ["--consent", "express", "--consent-source", "form of 12 March", "--consent-at", "2026-01-14"];
        let about = ["leads", "import", file, "--campaign", campaign, "--region", "IN"];
        about.iter().chain(&consent).map(|&word| word.to_owned()).collect()
    };
    let (through, direct) = (import(&one), import(&other));
    let through = remote.done(&through.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (direct, code) = world.says(&direct.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(0));
    // Consents are the client's: the second file brings none that are new.
    let own = ["import", "consents"];
    assert_eq!(without(through.clone(), &own), without(direct, &own));
    let counts = ["rows", "accepted", "duplicates", "problems_total", "consents"];
    let counts = counts.map(|name| through[name].as_u64());
    assert_eq!(counts, [Some(6), Some(3), Some(1), Some(2), Some(3)], "{through}");
    assert_eq!(through["problems"][0]["line"], 4, "{through}");
    let id = through["import"].as_str().expect("an id");
    remote.alike(&["import", "show", id]).await;
    remote.alike(&["import", "list", "--campaign", &one]).await;
    for only in [["--only", "problem"].as_slice(), &["--only", "duplicate"], &[]] {
        let arguments = [["import", "notes", id].as_slice(), only].concat();
        let said = remote.says(&arguments).await;
        let direct = remote.here.hear(world.program(&arguments), &[("OUTDIAL_JSON", "true")]).await;
        assert_eq!((said.out.lines().count() > 0, said.out), (true, direct.out));
    }
    // The same again adds nothing, and is no failure.
    let again = remote.done(&["leads", "import", file, "--campaign", &one, "--region", "IN"]).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(4)), "{again}");
    let undone = remote.done(&["import", "undo", id, "--yes", "--reason", "the wrong file"]).await;
    assert_eq!((&undone["order"], &undone["reason"]), (&json!("undo"), &json!("the wrong file")), "{undone}");
    assert_eq!(remote.alike(&["import", "undo", id, "--yes"]).await["error"], "it was undone already");
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_only_checked_or_cannot_be_read_is_told_of_alike() {
    let world = World::working().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await.to_string();
    let file = |name: &str, text: &str| remote.here.write(name, text).display().to_string();
    let (good, bad) = (file("good.csv", FILE), file("bad.csv", "phone\n12\n13\n"));
    let (headless, empty) = (file("headless.csv", "name\nAsha\n"), file("empty.csv", ""));
    for (name, code) in [(&good, 0), (&bad, 1), (&headless, 1), (&empty, 1)] {
        for more in [["--dry-run"].as_slice(), &[]] {
            let about = ["leads", "import", name, "--campaign", &campaign, "--region", "IN"];
            let arguments = [about.as_slice(), more].concat();
            let through = remote.says(&arguments).await;
            let (direct, exit) = world.says(&arguments).await;
            assert_eq!((through.code, exit), (Some(code), Some(code)), "{arguments:?}: {through:?}");
            let through: Value = through.json();
            let own: &[&str] = if code == 0 { &["import", "accepted", "duplicates"] } else { &["import"] };
            assert_eq!(without(through, own), without(direct, own), "{arguments:?}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn whoever_does_not_wait_is_told_how_to_go_on() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await.to_string();
    let here = super::Alone::new();
    let file = here.write("leads.csv", FILE).display().to_string();
    let arguments = ["leads", "import", &file, "--campaign", &campaign, "--region", "IN", "--no-wait"];
    let id = {
        let remote = Remote::new(&world).await;
        let kept = remote.done(&arguments).await;
        assert_eq!((&kept["state"], &kept["rows"]), (&json!("running"), &json!(0)), "{kept}");
        kept["import"].as_str().expect("an id").to_owned()
    };
    assert_eq!(world.says(&arguments).await.1, Some(2), "the database waits for nobody");
    world.work().await;
    crate::support::world::until("the import to end", async || {
        world.count("select count(*) from imports where state = 'running'").await == 0
    })
    .await;
    let remote = Remote::new(&world).await;
    assert_eq!(remote.alike(&["import", "show", &id]).await["accepted"], 3);
    world.end().await;
}

#[tokio::test]
async fn a_large_file_that_is_refused_says_why() {
    let world = World::new().await;
    let remote = Remote::with(&world, Role::Viewer, None).await;
    let campaign = world.draft(json!({})).await.to_string();
    let rows: String = (0..400_000).map(|n| format!("+9198{n:08},Person {n}\n")).collect();
    let file = remote.here.write("leads.csv", &format!("phone,name\n{rows}")).display().to_string();
    let said = remote.says(&["leads", "import", &file, "--campaign", &campaign]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("this takes the role operator"), "{said:?}");
    world.end().await;
}
