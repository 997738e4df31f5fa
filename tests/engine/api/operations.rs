//! Orders for many leads, over the API.

use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::{each, key, place};
use crate::support::world::{World, phones, until};

#[tokio::test]
async fn an_order_for_many_leads_is_counted_first_then_carried_out_and_followed() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 5)).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/operations", world.client);
    let filter = json!({ "campaign": campaign, "states": ["waiting"], "leads": &leads[..3] });
    let counted = json!({ "filter": filter, "order": "pause", "dry_run": true });
    let counted = caller.post(&list, counted).await;
    assert_eq!((counted.status, &counted.body), (StatusCode::OK, &json!({ "leads": 3, "exact": true })));
    assert_eq!(each(&caller.get(&list).await, "id").len(), 0, "nothing was ordered");
    let order = json!({ "filter": filter, "order": "pause", "reason": "a holiday" });
    let ordered = caller.post(&list, order).await;
    assert_eq!((ordered.status, &ordered.body["order"]), (StatusCode::ACCEPTED, &json!("pause")));
    let path = format!("/v1/operations/{}", ordered.body["id"].as_str().expect("an id"));
    until("it is done", async || caller.get(&path).await.body["state"] == "done").await;
    let done = caller.get(&path).await.body;
    assert_eq!((&done["changed"], &done["reason"]), (&json!(3), &json!("a holiday")), "{done}");
    assert_eq!(world.count("select count(*) from workflows where state = 'held'").await, 3);
    let over = caller.ask(Method::POST, &format!("{path}/cancel"), None).await;
    assert_eq!(over.status, StatusCode::CONFLICT, "{over:?}");
    assert_eq!(each(&caller.get(&list).await, "id").len(), 1);
    world.settle().await;
}

#[tokio::test]
async fn an_order_for_many_leads_says_what_is_wrong_with_it_and_is_stopped() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.lead(campaign, "+919876500001").await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/operations", world.client);
    let late = json!({ "filter": {}, "order": "reschedule" });
    assert_eq!(place(&caller.post(&list, late).await), "at");
    let misspelt = json!({ "filter": { "state": ["waiting"] }, "order": "pause" });
    assert_eq!(place(&caller.post(&list, misspelt).await), "body");
    let many: Vec<Uuid> = (0..1_001).map(Uuid::from_u128).collect();
    let many = json!({ "filter": { "leads": many }, "order": "pause" });
    assert_eq!(place(&caller.post(&list, many).await), "filter.leads");
    for dry_run in [true, false] {
        let filter = json!({ "campaign": Uuid::new_v4() });
        let elsewhere = json!({ "filter": filter, "order": "pause", "dry_run": dry_run });
        assert_eq!(caller.post(&list, elsewhere).await.status, StatusCode::NOT_FOUND);
    }
    // Nobody works here, so it waits.
    let waits = caller.post(&list, json!({ "filter": {}, "order": "cancel" })).await;
    let path = format!("/v1/operations/{}/cancel", waits.body["id"].as_str().expect("an id"));
    assert_eq!(caller.ask(Method::POST, &path, None).await.body["state"], "cancelled");
    world.settle().await;
}
