//! Campaigns, over the API.

use outdial_jobs::operations::keys::Role;
use reqwest::StatusCode;
use serde_json::json;

use super::key;
use crate::support::world::World;

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
