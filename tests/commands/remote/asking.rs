//! What is only looked at.

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup;
use outdial_workflows::rules::Rules;
use serde_json::{Value, json};

use super::{Remote, without};
use crate::support::world::World;

#[tokio::test]
async fn whatever_is_looked_at_looks_the_same() {
    let world = World::working().await;
    let remote = Remote::new(&world).await;
    let campaign = world.campaign(json!({})).await;
    let lead = world
        .scripted(campaign, "+919876500001", [Scenario::answered(std::time::Duration::from_secs(5))])
        .await;
    world.finished(lead).await;
    let (client, campaign, lead) = (world.client.to_string(), campaign.to_string(), lead.to_string());
    for arguments in [
        ["client", "list"].as_slice(),
        &["account", "list"],
        &["account", "list", "--client", "A client"],
        &["account", "list", "--client", &client],
        &["account", "list", "--client", "Nobody's"],
        &["campaign", "status", &campaign],
        &["campaign", "edit", &campaign, "--max-attempts", "2", "--preview"],
        &["lead", "explain", &lead],
        &["lead", "explain", "+919876500001"],
        &["lead", "explain", "Nobody's"],
        &["lead", "explain", "0199f000-0000-7000-8000-000000000000"],
        &["import", "list", "--campaign", &campaign],
        &["analytics", "--campaign", &campaign, "--zone", "Asia/Kolkata"],
        &["analytics", "--client", "A client", "--until", "1h"],
        &["analytics", "--client", &client, "--from", "2030-01-01T00:00:00Z"],
        &["import", "show", "0199f000-0000-7000-8000-000000000000"],
        &["import", "show", "nothing"],
    ] {
        remote.alike(arguments).await;
    }
    let named = world.says(&["campaign", "status", &campaign]).await.0["name"].clone();
    let named = remote.alike(&["campaign", "status", named.as_str().expect("a name")]).await;
    assert_eq!(named["by_state"], json!({ "finished": 1 }), "{named}");
    // The key that asks is used by asking.
    let unused = |keys: Value| -> Vec<Value> {
        keys.as_array().expect("keys").iter().map(|key| without(key.clone(), &["used_at"])).collect()
    };
    for arguments in [["key", "list"].as_slice(), &["key", "list", "--client", "A client"]] {
        let direct = world.says(arguments).await.0;
        assert_eq!(unused(remote.done(arguments).await), unused(direct));
    }
    world.end().await;
}

#[tokio::test]
async fn people_read_the_same_text() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await.to_string();
    world.lead(campaign.parse().expect("an id"), "+919876500001").await;
    let server = world.public_url().as_str();
    let environment = [("OUTDIAL_SERVER", server), ("OUTDIAL_API_KEY", remote.token.as_str())];
    for arguments in [
        ["client", "list"].as_slice(),
        &["account", "list"],
        &["campaign", "status", &campaign],
        &["lead", "explain", "+919876500001"],
        &["campaign", "status", "Nobody's"],
        &["analytics", "--campaign", &campaign],
        &["export", &campaign],
        &["export", &campaign, "--format", "jsonl"],
        &["export", &campaign, "--of", "attempts"],
        &["export", "Nobody's"],
    ] {
        let through = remote.here.says(&environment, arguments).await;
        let direct = remote.here.hear(world.program(arguments), &[]).await;
        assert_eq!((through.out, through.err, through.code), (direct.out, direct.err, direct.code));
    }
    world.end().await;
}

#[tokio::test]
async fn a_name_that_several_have_is_ambiguous_and_another_clients_is_not_there() {
    let world = World::new().await;
    let other = setup::create_client(&world.engine, "Another client").await.expect("a client");
    world
        .run(&format!(
            "insert into accounts select (jsonb_populate_record(a,
                jsonb_build_object('client_id', '{other}', 'account_id', gen_random_uuid()))).* from accounts a"
        ))
        .await;
    let (everyone, one) = (Remote::new(&world).await, Remote::with(&world, Role::Admin, Some(other)).await);
    let status = everyone.alike(&["campaign", "create", "Spring", "--account", "Exotel"]).await;
    assert!(status["error"].as_str().is_some_and(|text| text.contains("more than one account")), "{status}");
    let made = one.done(&["campaign", "create", "Spring", "--account", "Exotel"]).await;
    let rules = Rules::default();
    let spec = CampaignSpec { name: "Spring", account: world.account, rules: &rules, actor: "a test" };
    campaigns::create(&world.engine, world.client, spec).await.expect("a campaign");
    let status = everyone.alike(&["campaign", "status", "Spring"]).await;
    assert!(status["error"].as_str().is_some_and(|text| text.contains("more than one campaign")), "{status}");
    assert_eq!(one.done(&["campaign", "status", "Spring"]).await["id"], made["id"]);
    assert_eq!(one.says(&["account", "list", "--client", "A client"]).await.code, Some(3));
    world.end().await;
}

#[tokio::test]
async fn what_has_no_command_is_asked_by_its_address() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await.to_string();
    let phones: Vec<String> = (0..5).map(|n| format!("+91987650000{n}")).collect();
    let leads: Vec<Value> = phones.iter().map(|phone| json!({ "phone": phone })).collect();
    let file = remote.here.write("leads.json", &json!(leads).to_string());
    let path = format!("/v1/campaigns/{campaign}/leads");
    let data = format!("@{}", file.display());
    let sent = remote.done(&["api", "POST", &path, "--data", &data]).await;
    assert_eq!(sent["leads"].as_array().map(Vec::len), Some(5), "{sent}");
    let page = remote.done(&["api", "get", &format!("campaigns/{campaign}/leads?limit=2")]).await;
    assert!(
        page["items"].as_array().is_some_and(|items| items.len() == 2) && page["next"].is_string(),
        "{page}"
    );
    let all = remote.done(&["api", "GET", &path, "--all", "--query", "state=waiting"]).await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(5), "{all}");
    let none = remote.done(&["api", "GET", "clients", "--query", "name=No & body"]).await;
    assert_eq!(none["items"], json!([]));
    let rules = format!("campaigns/{campaign}/rules");
    let edited = ["api", "PUT", &rules, "--data", "{}", "--header", "If-Match: \"1\"", "--reason", "Größe"];
    assert_eq!(remote.done(&edited).await["revision"], 2);
    let reason = "select count(*) from audit where reason = 'Größe'";
    assert_eq!(world.count(reason).await, 1, "reasons are in any language");
    assert_eq!(remote.says(&["api", "GET", "/health"]).await.out, "ok", "what is no JSON comes as it is");
    let wrong =
        remote.says(&["api", "POST", &path, "--data", "[{\"phone\": \"1\"}, {\"phone\": \"2\"}]"]).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    let told = wrong.json()["error"].as_str().expect("a text").to_owned();
    assert!(told.contains("[0].phone: ") && told.contains("\n  [1].phone: "), "{told}");
    for (arguments, code) in [
        (["api", "GET", "nothing"].as_slice(), 3),
        (&["api", "GET", "clients", "--all", "--query", "limit=1"], 2),
        (&["api", "POST", "clients", "--data", "{"], 2),
        (&["api", "FETCH", "clients"], 2),
    ] {
        assert_eq!(remote.says(arguments).await.code, Some(code), "{arguments:?}");
    }
    world.end().await;
}
