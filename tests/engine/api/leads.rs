//! Leads, over the API.

use outdial_jobs::operations::keys::Role;
use outdial_workflows::ids::LeadId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::key;
use crate::support::world::{World, phones};

#[tokio::test]
async fn leads_are_taken_one_by_one_or_many_at_once_and_again_without_harm() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/v1/campaigns/{campaign}/leads");
    let one = json!({ "phone": "+91 98765 00001", "name": "Asha", "attributes": { "flat": 7 } });
    let taken = caller.post(&path, one.clone()).await;
    assert_eq!((taken.status, &taken.body["duplicates"]), (StatusCode::CREATED, &json!(0)), "{taken:?}");
    let consent = json!({ "level": "express", "source": "a form" });
    let several = json!([one, { "phone": "+919876500002", "priority": "urgent", "consent": consent }]);
    let taken = caller.post(&path, several).await.body;
    assert_eq!((taken["leads"].as_array().map(Vec::len), &taken["duplicates"]), (Some(1), &json!(1)));
    assert_eq!(taken["consents"], 1);
    let started = caller.ask(Method::POST, &format!("/v1/campaigns/{campaign}/start"), None).await.body;
    assert_eq!((&started["state"], &started["changed"]), (&json!("running"), &json!(true)));
    world.all_finished().await;
    let status = caller.get(&format!("/v1/campaigns/{campaign}")).await.body;
    assert_eq!((&status["leads"], &status["finished"]), (&json!(2), &json!(2)), "{status}");
    let lead = taken["leads"][0].as_str().expect("a lead");
    let told = caller.get(&format!("/v1/leads/{lead}/explanation")).await.body;
    assert_eq!(told["state"], "finished", "{told}");
    world.settle().await;
}

#[tokio::test]
async fn leads_are_listed_by_where_they_stand_and_ordered_about() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    // Those that come together are listed in any order, and always in the same.
    let mut leads = world.leads(campaign, &phones(1, 5)).await;
    leads.sort_unstable_by_key(|lead| lead.0);
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let order = |lead: LeadId, body: Value| {
        let path = format!("/v1/leads/{lead}/orders");
        let caller = &caller;
        async move { caller.post(&path, body).await }
    };
    let reason = json!({ "order": "cancel", "reason": "moved away" });
    let cancelled = order(leads[1], reason).await;
    assert_eq!(
        (&cancelled.body["deferred"], &cancelled.body["lead"]["state"]),
        (&json!(false), &json!("finished"))
    );
    assert_eq!(order(leads[3], json!({ "order": "pause" })).await.body["lead"]["state"], "held");
    let urgent = json!({ "order": "prioritise", "priority": "urgent" });
    assert_eq!(order(leads[0], urgent).await.body["lead"]["priority"], "urgent");
    let again = order(leads[1], json!({ "order": "pause" })).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    let when = order(leads[0], json!({ "order": "reschedule" })).await;
    assert_eq!(when.body["errors"][0]["place"], "at", "{when:?}");
    let listed = |query: &str| {
        let path = format!("/v1/campaigns/{campaign}/leads{query}");
        let caller = &caller;
        async move {
            let page = caller.get(&path).await.body;
            let ids = page["items"].as_array().expect("items").iter().map(|lead| lead["id"].clone());
            (ids.collect::<Vec<_>>(), page["next"].clone())
        }
    };
    let ids = |at: &[usize]| at.iter().map(|at| json!(leads[*at].to_string())).collect::<Vec<_>>();
    assert_eq!(listed("").await, (ids(&[0, 1, 2, 3, 4]), Value::Null));
    assert_eq!(listed("?state=waiting").await.0, ids(&[0, 2, 4]));
    let (first, next) = listed("?limit=2").await;
    assert_eq!(first, ids(&[0, 1]));
    let cursor = next.as_str().expect("more follow");
    assert_eq!(listed(&format!("?limit=2&cursor={cursor}")).await.0, ids(&[2, 3]));
    let told = caller.get(&format!("/v1/leads/{}", leads[3])).await.body;
    assert!(told["why"].as_str().expect("a reason").contains("key a key"), "{told}");
    let wrong = caller.get(&format!("/v1/campaigns/{campaign}/leads?outcome=great")).await;
    assert_eq!(wrong.body["errors"][0]["place"], "outcome", "{wrong:?}");
    world.settle().await;
}

#[tokio::test]
async fn people_are_edited_over_the_api_and_what_is_wrong_is_named() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500061").await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/v1/leads/{lead}");
    let patch = async |body: Value| caller.ask(Method::PATCH, &path, Some(body)).await;
    let edited = patch(json!({ "phone": "+91 98765 00062", "name": "Asha", "reason": "they wrote" })).await;
    assert_eq!(edited.body["changed"], json!(["number", "name"]), "{edited:?}");
    assert_eq!(
        (&edited.body["lead"]["phone"], &edited.body["consents"]),
        (&json!("+919876500062"), &json!(0))
    );
    let without = patch(json!({ "name": null })).await;
    assert_eq!(without.body["changed"], json!(["name"]), "{without:?}");
    assert!(without.body["lead"]["name"].is_null());
    for (body, place) in [
        (json!({ "phone": "12" }), "phone"),
        (json!({ "zone": "Asia/Bangalore" }), "zone"),
        (json!({ "region": "Narnia" }), "region"),
    ] {
        let wrong = patch(body).await;
        assert_eq!(wrong.body["errors"][0]["place"], place, "{wrong:?}");
    }
    world.end().await;
}
