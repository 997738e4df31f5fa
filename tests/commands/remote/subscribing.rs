//! Who is told of events, and sheets that leads come from.

use serde_json::json;

use super::{Remote, both, without, words};
use crate::support::world::World;

#[tokio::test]
async fn subscribers_are_made_and_changed_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await.to_string();
    let add = |more: &str| {
        let client = world.client;
        let words = words(&format!("subscriber add --client {client} --campaign {campaign} {more}"));
        move |_: &'static str| words.clone()
    };
    let own = ["id", "secret"];
    let made =
        both(&remote, add("--url https://crm.example.com/hook --type call.*,lead.finished"), &own).await;
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
    both(&remote, add("--url http://crm.example.com/hook"), &[]).await;
    both(&remote, add("--url https://crm.example.com/hook --type call.nothing"), &[]).await;
    let listed = remote.alike(&["subscriber", "list", "--client", "A client"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    let id = |name| {
        let at = if name == "one" { 0 } else { 1 };
        listed[at]["id"].as_str().expect("an id").to_owned()
    };
    for order in [
        "subscriber edit ID --url https://crm.example.com/other --description Kunden",
        "subscriber disable ID --reason away",
        "subscriber enable ID",
        "subscriber ping ID",
        "subscriber redeliver ID --since 2h --delivered-too",
        "subscriber redeliver ID --delivery 7",
        "subscriber rotate ID",
    ] {
        let names = ["id", "secret", "subscriber", "disabled_for"];
        let given = |name| words(&order.replace("ID", &id(name)));
        let told = both(&remote, given, &names).await;
        assert!(!told.is_null(), "{order}");
    }
    remote.alike(&["subscriber", "deliveries", &id("one"), "--state", "waiting"]).await;
    remote.alike(&["subscriber", "deliveries", &id("other"), "--limit", "1"]).await;
    both(&remote, |name| words(&format!("subscriber delete {}", id(name))), &["subscriber"]).await;
    both(&remote, |name| words(&format!("subscriber ping {}", id(name))), &["error"]).await;
    world.run("delete from jobs").await;
    world.end().await;
}

#[tokio::test]
async fn sheets_are_linked_and_edited_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let (one, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    let campaign = |name| if name == "one" { one } else { other };
    let sheet = "https://docs.google.com/spreadsheets/d/1Fictional-Sheet_of_Spring-Leads/edit#gid=0";
    let link = |name| {
        let campaign = campaign(name);
        words(&format!(
            "sheet link {sheet} --campaign {campaign} --region IN --consent express --consent-source form"
        ))
    };
    let own = ["id", "campaign", "actor", "created_at", "next_at", "error", "refresh", "unlinked"];
    let linked = both(&remote, link, &own).await;
    assert_eq!((&linked["region"], &linked["refreshing"]), (&json!("IN"), &json!(true)), "{linked}");
    both(&remote, link, &["error"]).await;
    let (first, _) = world.says(&["sheet", "list", "--campaign", &one.to_string()]).await;
    let (second, _) = world.says(&["sheet", "list", "--campaign", &other.to_string()]).await;
    let id = |name| {
        let listed = if name == "one" { &first } else { &second };
        listed[0]["id"].as_str().expect("an id").to_owned()
    };
    for edit in [
        "--region DE",
        "--zone Asia/Kolkata --no-consent --no-region",
        "--consent written --consent-source paper --reason Test",
        "--no-cron",
    ] {
        let cron = |name| {
            let mut given = words(&format!("sheet edit {} {edit}", id(name)));
            if !edit.contains("no-cron") {
                given.extend(["--cron".to_owned(), "0 0 9 * * *".to_owned()]);
            }
            given
        };
        let edited = both(&remote, cron, &own).await;
        let (region, consent) = (&edited["region"], &edited["consent"]["level"]);
        match edit {
            "--region DE" => {
                assert_eq!(
                    (region, consent, &edited["zone"]),
                    (&json!("DE"), &json!("express"), &json!("UTC"))
                );
            }
            "--no-cron" => {
                assert_eq!((&edited["cron"], consent), (&json!(null), &json!("express_written")), "{edited}");
            }
            _ => assert_eq!((region, &edited["zone"]), (&json!(null), &json!("Asia/Kolkata")), "{edited}"),
        }
    }
    both(&remote, |name| words(&format!("sheet refresh {}", id(name))), &own).await;
    let listed = remote.alike(&["sheet", "list", "--campaign", &one.to_string()]).await;
    assert_eq!(without(listed[0].clone(), &own)["link"], linked["link"]);
    both(&remote, |name| words(&format!("sheet unlink {}", id(name))), &own).await;
    both(&remote, |name| words(&format!("sheet refresh {}", id(name))), &own).await;
    remote.alike(&["sheet", "refresh", "nothing"]).await;
    world.run("delete from jobs").await;
    world.end().await;
}
