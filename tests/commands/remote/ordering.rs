//! What is made and ordered.

use serde_json::json;

use super::{Remote, both, words};
use crate::support::world::World;

#[tokio::test]
async fn campaigns_are_made_and_ordered_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let create =
        |name| words(&format!("campaign create {name} --account Exotel --caller-id 08040000000 --flow 1001"));
    let made = both(&remote, create, &["id", "name"]).await;
    assert_eq!((&made["name"], made["id"].is_string()), (&json!("one"), true));
    both(&remote, create, &["error"]).await;
    for order in ["pause", "start", "start", "pause", "resume"] {
        both(&remote, |name| words(&format!("campaign {order} {name}")), &[]).await;
    }
    both(&remote, |name| words(&format!("campaign edit {name} --max-attempts 2 --days mon,tue")), &[]).await;
    both(&remote, |name| words(&format!("campaign edit {name} --max-attempts 2")), &[]).await;
    both(&remote, |name| words(&format!("campaign edit {name} --open-calendar --per-day 7")), &[]).await;
    let told = |name| {
        let mut words =
            words(&format!("campaign edit {name} --agent agent_1 --agent-version 3 --tell-attributes"));
        words.extend(["--record", "--tell", "greeting=Hello {{ lead.name | there }}"].map(str::to_owned));
        words
    };
    both(&remote, told, &[]).await;
    for name in ["one", "other"] {
        let rules = &remote.alike(&["campaign", "rules", name]).await["rules"];
        assert_eq!(rules["agent"], json!({ "mode": "hosted", "agent_id": "agent_1", "version": "3" }));
        assert_eq!(rules["variables"]["greeting"], "Hello {{ lead.name | there }}");
        assert_eq!((&rules["pass_attributes"], &rules["record"]), (&json!(true), &json!(true)));
    }
    both(&remote, |name| words(&format!("campaign edit {name} --tell-attributes=false --flow 1001")), &[])
        .await;
    let pause = |name| words(&format!("campaign pause {name} --until 2h --reason Müde"));
    both(&remote, pause, &[]).await;
    let status = both(
        &remote,
        |name| words(&format!("campaign status {name}")),
        &["id", "name", "changed_at", "changed_by"],
    );
    let status = status.await;
    assert_eq!((&status["state"], &status["reason"]), (&json!("paused"), &json!("Müde")), "{status}");
    let by = status["changed_by"].as_str().expect("somebody");
    assert!(by.starts_with("key a script (…"), "on record is whoever the key belongs to: {by}");
    let resumes =
        world.count("select count(distinct resume_at) from campaigns where resume_at > now()").await;
    assert_eq!(resumes, 2);
    both(&remote, |name| words(&format!("campaign cancel {name}")), &[]).await;
    both(&remote, |name| words(&format!("campaign start {name}")), &[]).await;
    world.run("delete from jobs").await;
    world.end().await;
}

#[tokio::test]
async fn leads_are_ordered_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let campaign = world.draft(json!({})).await;
    let (one, other) =
        (world.lead(campaign, "+919876500001").await, world.lead(campaign, "+919876500002").await);
    let lead = |name| if name == "one" { one.to_string() } else { other.to_string() };
    for order in ["pause", "resume", "hold", "release", "hang-up", "retry", "cancel", "cancel"] {
        both(&remote, |name| words(&format!("lead {order} {}", lead(name))), &["lead", "error"]).await;
    }
    let at = "reschedule --at 2030-01-14T10:00:00+05:30";
    both(&remote, |name| words(&format!("lead {at} {}", lead(name))), &["lead", "error"]).await;
    both(&remote, |name| words(&format!("lead retry {}", lead(name))), &["lead"]).await;
    both(&remote, |name| words(&format!("lead {at} {} --reason away", lead(name))), &["lead"]).await;
    both(&remote, |name| words(&format!("lead prioritise --to urgent {}", lead(name))), &["lead"]).await;
    let (one, other) = (world.record(one).await.workflow, world.record(other).await.workflow);
    assert_eq!((one.priority, one.wake_at), (other.priority, other.wake_at));
    world.end().await;
}

#[tokio::test]
async fn clients_and_keys_are_made_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    both(&remote, |name| words(&format!("client create {name}")), &["id", "name"]).await;
    both(&remote, |name| words(&format!("client create {name}")), &["error"]).await;
    let create =
        |name| words(&format!("key create {name} --role viewer --client {name} --expires-in 90days"));
    let of_its_own = ["id", "name", "client", "hint", "created_at", "created_by", "expires_at", "token"];
    let made = both(&remote, create, &of_its_own).await;
    let token = made["token"].as_str().expect("a key");
    let environment = [("OUTDIAL_SERVER", world.public_url().as_str()), ("OUTDIAL_API_KEY", token)];
    let said = remote.here.says(&environment, &["client", "list", "--json"]).await;
    assert_eq!(said.json()[0]["name"], "one", "it is good for its own client: {said:?}");
    let id = made["id"].as_str().expect("an id");
    let rotated = remote.done(&["key", "rotate", id, "--overlap", "1h"]).await;
    assert_ne!(rotated["token"], made["token"]);
    let revoked = remote.done(&["key", "revoke", id, "--reason", "lost"]).await;
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    let said = remote.here.says(&environment, &["client", "list", "--json"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let nobodys = remote.alike(&["key", "revoke", "0199f000-0000-7000-8000-000000000000"]).await;
    assert!(nobodys["error"].is_string(), "{nobodys}");
    world.end().await;
}

#[tokio::test]
async fn many_leads_are_ordered_alike() {
    let world = World::working().await;
    let remote = Remote::new(&world).await;
    let (one, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    for (campaign, first) in [(one, 1), (other, 11)] {
        world.leads(campaign, &crate::support::world::phones(first, 3)).await;
    }
    let campaign = |name| if name == "one" { one.to_string() } else { other.to_string() };
    let of_its_own = ["id", "filter", "actor", "created_at", "changed_at", "error"];
    for order in [
        "pause --preview --state waiting",
        "pause --yes --wait --state waiting,held --reason pause",
        "resume --yes --wait --why held_by_person --outcome busy",
        "reschedule --at 2030-01-14T10:00:00+05:30 --yes --wait",
        "prioritise --to low --yes --wait --priority normal",
        "hang-up --yes --wait --state waiting",
        "cancel --yes --wait --import 0199f000-0000-7000-8000-000000000000",
    ] {
        let given = |name| words(&format!("leads {order} --campaign {}", campaign(name)));
        both(&remote, given, &of_its_own).await;
    }
    let all = remote.alike(&["operation", "list"]).await;
    assert_eq!(all.as_array().map(Vec::len), Some(10), "{all}");
    let id = all[0]["id"].as_str().expect("an id").to_owned();
    for arguments in
        [["operation", "show", &id], ["operation", "cancel", &id], ["operation", "show", "nothing"]]
    {
        remote.alike(&arguments).await;
    }
    world.end().await;
}
