//! What bounds and stops dialling, accounts, and what is asked of campaigns beforehand and again and again.

use serde_json::json;

use super::{Remote, both, without, words};
use crate::support::world::World;

#[tokio::test]
async fn limits_and_pauses_are_set_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    for name in ["one", "other"] {
        remote.done(&["client", "create", name]).await;
        let base_url = world.carrier.base_url();
        let add =
            ["account", "add", name, "--client", name, "--base-url", base_url, "--account-sid", "acct1"];
        let secrets = ["--api-key", "key1", "--api-token", "token1", "--calls-per-second", "3"];
        let added = match name {
            "one" => remote.done(&[&add[..], &secrets].concat()).await,
            _ => world.says(&[&add[..], &secrets].concat()).await.0,
        };
        assert_eq!((&added["name"], added["check"]["ok"].is_boolean()), (&json!(name), true), "{added}");
    }
    for order in [
        "client limit NAME --max-concurrent 3 --calls-per-minute 60 --reason Test",
        "client limit NAME --calls-per-minute 30",
        "client limit NAME --clear",
        "account limit NAME --spend-per-day 5000 --cost-per-call 3.50 --spend-zone Asia/Kolkata",
        "number limit NAME +918040000000 --delay-between-calls 2s",
        "number limit NAME 080/4000%0000+ --max-concurrent 1",
        "number limit NAME 08040000000 --spend-per-day 5000 --cost-per-call 3.50",
        "number list NAME",
        "client pause NAME --until 2h",
        "client pause NAME",
        "client resume NAME",
        "client resume NAME",
        "account pause NAME --reason lunch",
        "account resume NAME",
        "account test NAME",
    ] {
        let told = both(&remote, |name| words(&order.replace("NAME", name)), &["resume_at"]).await;
        assert!(!told.is_null(), "{order}");
    }
    let trunk = remote.here.write("trunk.json", r#"{"sip_trunk_id": "ST_example"}"#).display().to_string();
    let keys = remote.here.write(
        "keys.json",
        r#"{"api_key": "APIexample", "api_secret": "s3cret-s3cret-s3cret-s3cret-s3cret"}"#,
    );
    let keys = keys.display().to_string();
    let livekit = |name| {
        let text = format!(
            "account add livekit --client {name} --provider livekit --no-test --base-url http://127.0.0.1:9"
        );
        [words(&text), words(&format!("--settings {trunk} --credentials {keys}"))].concat()
    };
    let added = both(&remote, livekit, &["id", "webhook_path"]).await;
    let path = added["webhook_path"].as_str().expect("LiveKit is told by hand where its webhooks go");
    assert!(
        path.starts_with("/webhooks/livekit/") && path.ends_with(added["id"].as_str().expect("an id")),
        "{path}"
    );
    let settings = remote.here.write("settings.json", r#"{"price_after_ms": 60000}"#).display().to_string();
    for order in [
        "account pause NAME --hang-up",
        "account resume NAME",
        "client pause NAME --hang-up --reason storm",
        "client resume NAME",
        "account disable NAME --reason moved",
        "account disable NAME",
        "account enable NAME",
        "account rotate NAME --account-sid acct1 --api-key key1 --api-token token1",
        "account rotate NAME --account-sid acct1 --api-key wrong --api-token token1",
        "account rotate NAME --account-sid acct1 --api-key wrong --api-token token1 --no-test",
        "account settings NAME SETTINGS",
        "account settings NAME nothing-there.json",
    ] {
        let given = |name| words(&order.replace("NAME", name).replace("SETTINGS", &settings));
        let told = both(&remote, given, &[]).await;
        let wrong = ["wrong --api-token token1", "nothing-there"];
        let refused = told["error"].is_string();
        assert_eq!(
            refused,
            wrong.iter().any(|wrong| order.contains(wrong) && !order.ends_with("no-test")),
            "{order}: {told}"
        );
    }
    let number = |name| ["number", "limit", name, "08040000001", "--max-concurrent", "1"];
    both(&remote, |name| number(name).map(str::to_owned).to_vec(), &[]).await;
    remote.alike(&["account", "list"]).await;
    remote.alike(&["number", "list", "one"]).await;
    let listed = remote.alike(&["number", "list", "other"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    let twice = [
        "account",
        "add",
        "one",
        "--client",
        "one",
        "--account-sid",
        "a",
        "--api-key",
        "b",
        "--api-token",
        "c",
    ];
    remote.alike(&twice).await;
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_cloned_listed_and_its_rules_are_shown_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    for name in ["one", "other"] {
        remote.done(&["campaign", "create", name, "--account", "Exotel", "--max-attempts", "7"]).await;
    }
    both(&remote, |name| words(&format!("campaign clone {name} clone-of-{name}")), &["id", "name"]).await;
    let again = remote.alike(&["campaign", "clone", "one", "other"]).await;
    assert!(again["error"].as_str().is_some_and(|text| text.contains("already")), "{again}");
    let rules = remote.alike(&["campaign", "rules", "clone-of-other"]).await;
    assert_eq!((&rules["revision"], &rules["rules"]["retry"]["max_attempts"]), (&json!(1), &json!(7)));
    for arguments in [
        ["campaign", "list"].as_slice(),
        &["campaign", "list", "--client", "A client", "--limit", "3"],
        &["campaign", "list", "--client", "Nobody's"],
        &["campaign", "rules", "Nobody's"],
    ] {
        remote.alike(arguments).await;
    }
    let listed = remote.done(&["campaign", "list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(4), "{listed}");
    let server = world.public_url().as_str();
    let environment = [("OUTDIAL_SERVER", server), ("OUTDIAL_API_KEY", remote.token.as_str())];
    for arguments in [["campaign", "list"].as_slice(), &["campaign", "rules", "one"]] {
        let through = remote.here.says(&environment, arguments).await;
        let direct = remote.here.hear(world.program(arguments), &[]).await;
        assert_eq!((through.code, &through.out), (Some(0), &direct.out), "{through:?}");
    }
    let text = remote.here.says(&environment, &["campaign", "rules", "one"]).await.out;
    assert!(text.contains("retry.max_attempts") && text.contains(" 7 "), "{text}");
    world.end().await;
}

#[tokio::test]
async fn campaigns_are_looked_ahead_at_and_scheduled_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &crate::support::world::phones(1, 5)).await;
    let campaign = campaign.to_string();
    let when = |told| without(told, &["groups", "finishes_at", "by_day"]);
    for arguments in [
        ["campaign", "preview", &campaign].as_slice(),
        &["campaign", "simulate", &campaign, "--answered", "70", "--talk-s", "30", "--seed", "5"],
        &["campaign", "simulate", &campaign, "--answered", "70", "--busy", "40"],
        &["campaign", "preview", "Nobody's"],
    ] {
        let (direct, code) = world.says(arguments).await;
        let said = remote.says(arguments).await;
        assert_eq!((when(said.json()), said.code), (when(direct), code), "{arguments:?}");
    }
    let previewed = remote.done(&["campaign", "preview", &campaign]).await;
    assert_eq!((&previewed["leads"], &previewed["groups"][0]["prospect"]), (&json!(5), &json!("now")));
    let add = ["campaign", "schedule", "add", &campaign, "--do", "pause", "--cron", "0 0 9 * * Mon-Fri"];
    let zone = ["--zone", "Asia/Kolkata", "--reason", "Test"];
    let added = remote.done(&[&add[..], &zone].concat()).await;
    let (direct, _) = world.says(&[&add[..], &zone].concat()).await;
    assert_eq!(without(added.clone(), &["id", "actor"]), without(direct, &["id", "actor"]));
    remote.alike(&["campaign", "schedule", "list", &campaign]).await;
    remote.alike(&["campaign", "schedule", "add", &campaign, "--do", "pause", "--cron", "daily"]).await;
    let id = added["id"].as_str().expect("an id");
    remote.done(&["campaign", "schedule", "remove", id]).await;
    for nobodys in [id, "nothing"] {
        remote.alike(&["campaign", "schedule", "remove", nobodys]).await;
    }
    let link = ["campaign", "status-link", &campaign, "--public-url", "https://calls.example.com/out"];
    remote.alike(&link).await;
    let own = remote.done(&["campaign", "status-link", &campaign]).await;
    assert!(own["url"].as_str().is_some_and(|url| url.starts_with(world.public_url().as_str())), "{own}");
    assert_eq!(world.says(&["campaign", "status-link", &campaign]).await.1, Some(2), "nobody knows where");
    world.end().await;
}
