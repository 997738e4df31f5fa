//! Campaigns, over the API.

use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{each, key, place};
use crate::support::world::{World, phones};

#[tokio::test]
async fn a_campaign_is_made_edited_on_the_revision_that_was_read_and_cloned() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/campaigns", world.client);
    let rules = json!({ "caller_ids": ["+918040000000"], "calendar": "none" });
    let input = json!({ "name": "Spring", "account": world.account, "rules": rules });
    let made = caller.post(&list, input.clone()).await;
    assert_eq!((made.status, &made.body["state"]), (StatusCode::CREATED, &json!("draft")), "{made:?}");
    assert_eq!(caller.post(&list, input).await.status, StatusCode::CONFLICT, "the name is taken");
    let wrong = json!({ "name": "Summer", "account": world.account, "rules": { "ring_timeout": 3 } });
    let wrong = caller.post(&list, wrong).await;
    assert_eq!(wrong.body["errors"][0]["place"], "rules", "{wrong:?}");
    assert!(wrong.body["detail"].as_str().expect("a detail").contains("ring_timeout"), "{wrong:?}");
    let path = format!("/v1/campaigns/{}", made.body["id"].as_str().expect("an id"));
    let read = caller.get(&format!("{path}/rules")).await;
    assert_eq!((read.etag.as_deref(), &read.body["rules"]["ring_timeout_s"]), (Some("\"1\""), &json!(30)));
    let mut edited = read.body["rules"].clone();
    edited["ring_timeout_s"] = json!(45);
    let rules = format!("{path}/rules");
    let put = async |etag: Option<String>| caller.put(&rules, edited.clone(), etag.as_deref()).await;
    assert_eq!(put(None).await.status, StatusCode::PRECONDITION_REQUIRED);
    let done = put(read.etag.clone()).await;
    assert_eq!((done.status, &done.body["revision"]), (StatusCode::OK, &json!(2)), "{done:?}");
    assert_eq!(put(read.etag).await.status, StatusCode::PRECONDITION_FAILED, "it has revision 2 by now");
    assert_eq!(done.etag.as_deref(), Some("\"2\""));
    let clone = caller.post(&format!("{path}/clone"), json!({ "name": "Autumn" })).await;
    let its = format!("/v1/campaigns/{}/rules", clone.body["id"].as_str().expect("an id"));
    assert_eq!(caller.get(&its).await.body["rules"], edited);
    world.settle().await;
}

#[tokio::test]
async fn a_campaign_whose_name_looks_like_anothers_id_is_not_taken_for_it() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let other = world.draft(json!({})).await;
    world.run(&format!("update campaigns set name = '{campaign}' where campaign_id = '{other}'")).await;
    let caller = key(&world, Role::Viewer, Some(world.client)).await;
    let read = caller.get(&format!("/v1/campaigns/{campaign}")).await;
    assert_eq!((read.status, &read.body["id"]), (StatusCode::OK, &json!(campaign.to_string())), "{read:?}");
    world.settle().await;
}

#[tokio::test]
async fn the_revisions_of_a_campaign_tell_who_changed_what() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let input = json!({ "name": "Spring", "account": world.account, "rules": { "ring_timeout_s": 20 } });
    let made = caller.post(&format!("/v1/clients/{}/campaigns", world.client), input).await;
    let path = format!("/v1/campaigns/{}", made.body["id"].as_str().expect("an id"));
    for max_attempts in [5, 6] {
        let read = caller.get(&format!("{path}/rules")).await;
        let mut rules = read.body["rules"].clone();
        rules["retry"]["max_attempts"] = json!(max_attempts);
        let done = caller.put(&format!("{path}/rules"), rules, read.etag.as_deref()).await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
    }
    let listed = caller.get(&format!("{path}/revisions?limit=2")).await;
    assert_eq!(each(&listed, "revision"), [3, 2]);
    let changed = json!([{ "rule": "retry.max_attempts", "before": 5, "after": 6 }]);
    assert_eq!(listed.body["items"][0]["changes"], changed);
    assert!(listed.body["items"][0]["actor"].as_str().is_some_and(|actor| actor.starts_with("key a key")));
    let cursor = listed.body["next"].as_str().expect("more follow");
    let first = caller.get(&format!("{path}/revisions?cursor={cursor}")).await;
    assert_eq!((each(&first, "revision"), first.body["next"].is_null()), (vec![json!(1)], true));
    let rule = &first.body["items"][0]["changes"][0];
    assert_eq!((&rule["rule"], &rule["after"]), (&json!("ring_timeout_s"), &json!(20)), "from the defaults");
    world.settle().await;
}

#[tokio::test]
async fn a_campaign_is_looked_at_before_it_is_started() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &phones(1, 5)).await;
    let caller = key(&world, Role::Viewer, Some(world.client)).await;
    let preview = caller.get(&format!("/v1/campaigns/{campaign}/preview")).await.body;
    assert_eq!((&preview["leads"], &preview["now"]), (&json!(5), &json!(5)), "{preview}");
    assert_eq!(preview["groups"][0]["prospect"], "now", "{preview}");
    let path = format!("/v1/campaigns/{campaign}/simulate");
    let all = caller.post(&path, json!({ "answered_percent": 100, "busy_percent": 0 })).await.body;
    assert_eq!((&all["calls"], &all["by_outcome"]), (&json!(5), &json!({ "successful": 5 })), "{all}");
    let usual = caller.ask(Method::POST, &path, None).await.body;
    assert_eq!(usual["leads"], 5, "{usual}");
    let many = caller.post(&path, json!({ "answered_percent": 60, "busy_percent": 50 })).await;
    assert_eq!(place(&many), "answered_percent");
    assert_eq!(world.count("select count(*) from attempts").await, 0, "nobody was called");
    world.settle().await;
}

#[tokio::test]
async fn a_campaign_is_started_and_paused_on_schedules_until_they_are_taken_back() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/campaigns/{campaign}/schedules");
    let daily = json!({ "action": "again", "cron": "0 30 9 * * Mon-Fri", "zone": "Asia/Kolkata" });
    let added = caller.post(&list, daily).await;
    assert_eq!((added.status, added.body["next_at"].is_string()), (StatusCode::CREATED, true), "{added:?}");
    for (part, value) in [("cron", "half past nine"), ("zone", "Mars/Olympus"), ("cron", "0 0 0 1 1 * 2020")]
    {
        let mut wrong = json!({ "action": "start", "cron": "0 30 9 * * *", "zone": "UTC" });
        wrong[part] = Value::from(value);
        assert_eq!(place(&caller.post(&list, wrong).await), "schedule", "{value}");
    }
    assert_eq!(each(&caller.get(&list).await, "action"), ["again"]);
    let other = world.draft(json!({})).await;
    let id = added.body["id"].as_str().expect("an id");
    let elsewhere = caller.delete(&format!("/v1/campaigns/{other}/schedules/{id}")).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.delete(&format!("{list}/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(each(&caller.get(&list).await, "action").len(), 0);
    let audit =
        format!("select count(*) from audit where subject_id = '{campaign}' and action like '%schedule'");
    assert_eq!(world.count(&audit).await, 2);
    world.settle().await;
}
