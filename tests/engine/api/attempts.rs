//! Attempts and calls, over the API.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, each, key, place};
use crate::support::world::World;

/// A list read to its end, so many at a time.
async fn all(caller: &Caller<'_>, path: &str, limit: usize) -> Vec<Value> {
    let mut found = vec![];
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("{path}&limit={limit}{cursor}")).await;
        let items = each(&page, "id");
        assert!(items.len() <= limit, "{page:?}");
        found.extend(items);
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn attempts_and_calls_are_listed_by_lead_and_campaign_and_told_one_by_one() {
    let world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let talk = || Scenario::answered(Duration::from_secs(5));
    let twice = world.scripted(campaign, "+919876500001", [Scenario::busy(), talk()]).await;
    for number in 2..6 {
        world.scripted(campaign, &format!("+91987650000{number}"), [talk()]).await;
    }
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    let caller = key(&world, Role::Viewer, Some(world.client)).await;

    let of_lead = format!("/v1/leads/{twice}/attempts");
    let listed = caller.get(&of_lead).await;
    assert_eq!(each(&listed, "number"), [1, 2], "in their order");
    assert_eq!(each(&listed, "result"), ["busy", "answered"]);
    assert_eq!(each(&caller.get(&format!("{of_lead}?order=desc")).await, "number"), [2, 1]);
    assert_eq!(each(&caller.get(&format!("{of_lead}?result=busy")).await, "number"), [1]);
    assert_eq!(all(&caller, &format!("{of_lead}?order=desc"), 1).await.len(), 2);

    let of_campaign = format!("/v1/campaigns/{campaign}/attempts");
    let newest = all(&caller, &format!("{of_campaign}?order=desc"), 2).await;
    let mut oldest = all(&caller, &format!("{of_campaign}?order=asc"), 4).await;
    assert_eq!(newest.len(), 6);
    assert_eq!(newest[0], listed.body["items"][1]["id"], "the second attempt came last");
    oldest.reverse();
    assert_eq!(oldest, newest, "the same either way round");
    let answered = format!("{of_campaign}?result=answered&order=asc");
    assert_eq!(all(&caller, &answered, 2).await.len(), 5);
    let reserved = listed.body["items"][1]["reserved_at"].as_str().expect("a time");
    let since = all(&caller, &format!("{of_campaign}?since={reserved}"), 9).await;
    assert_eq!(since, newest[..1]);
    assert_eq!(all(&caller, &format!("{of_campaign}?until={reserved}"), 9).await, newest[1..]);

    let id = newest[0].as_str().expect("an id");
    let one = caller.get(&format!("/v1/attempts/{id}")).await;
    assert_eq!((one.status, &one.body), (StatusCode::OK, &listed.body["items"][1]));
    assert_eq!((&one.body["ledger"], &one.body["phone"]), (&json!("bound"), &json!("+919876500001")));
    for nothing in [&format!("{id}0"), "1", &Uuid::new_v4().to_string()] {
        let answer = caller.get(&format!("/v1/attempts/{nothing}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }

    let calls = caller.get(&format!("/v1/calls?lead={twice}")).await;
    assert_eq!(each(&calls, "result"), ["answered", "busy"], "the latest first");
    assert_eq!(each(&calls, "id")[0], one.body["call_id"]);
    let successful = caller.get(&format!("/v1/calls?campaign={campaign}&outcome=successful")).await;
    assert_eq!(each(&successful, "to").len(), 5);
    assert!(each(&successful, "talk_ms").iter().all(Value::is_number), "{successful:?}");
    world.end().await;
}

#[tokio::test]
async fn what_the_carrier_did_not_take_is_an_attempt_and_no_call() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    world.engine.admit(world.client).await.expect("a round");
    let caller = key(&world, Role::Viewer, Some(world.client)).await;
    let attempts = caller.get(&format!("/v1/leads/{lead}/attempts")).await;
    assert_eq!(each(&attempts, "ledger"), ["reserved"]);
    assert_eq!(each(&caller.get(&format!("/v1/calls?lead={lead}")).await, "id").len(), 0);
    assert_eq!(each(&caller.get(&format!("/v1/calls?campaign={campaign}")).await, "id").len(), 0);
    assert_eq!(place(&caller.get("/v1/calls").await), "campaign", "whose?");
    assert_eq!(place(&caller.get(&format!("/v1/calls?campaign={campaign}&lead={lead}")).await), "lead");
    let cursor = caller.get(&format!("/v1/campaigns/{campaign}/attempts?cursor=1.2.3")).await;
    assert_eq!(place(&cursor), "cursor");
    let elsewhere = caller.get(&format!("/v1/calls?campaign={}", Uuid::new_v4())).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    world.settle().await;
}
