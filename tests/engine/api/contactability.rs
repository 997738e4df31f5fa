//! Suppressions and consents, over the API.

use chrono::TimeDelta;
use outdial_jobs::operations::keys::Role;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{each, key, place};
use crate::support::world::{Setup, World};

#[tokio::test]
async fn numbers_are_suppressed_by_client_or_campaign_listed_and_lifted() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let campaign = world.draft(json!({})).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/suppressions", world.client);
    let numbers = ["+91 98765 00001", "+919876500002", "+919876500001"];
    let added = caller.post(&list, json!({ "phones": numbers, "source": "a wish" })).await;
    assert_eq!((added.status, &added.body["added"]), (StatusCode::OK, &json!(2)), "{added:?}");
    clock.advance(TimeDelta::seconds(1));
    let until = "2026-01-15T06:30:00Z";
    let bounded = json!({ "phones": ["+919876500001"], "campaign": campaign, "expires_at": until });
    assert_eq!(caller.post(&list, bounded.clone()).await.body["added"], 1);
    assert_eq!(caller.post(&list, bounded).await.body["already"], 1);
    let listed = caller.get(&list).await;
    assert_eq!(each(&listed, "phone")[0], "+919876500001", "the newest first");
    assert_eq!(listed.body["items"][0]["campaign"], campaign.to_string());
    // Some forget to escape the +.
    for number in ["%2B919876500001", "+919876500001", "%2B91+98765+00001"] {
        assert_eq!(each(&caller.get(&format!("{list}?phone={number}")).await, "id").len(), 2, "{number}");
    }
    let of_campaign = caller.get(&format!("{list}?campaign={campaign}")).await;
    assert_eq!(each(&of_campaign, "source"), ["operator"]);
    let first = caller.get(&format!("{list}?limit=2&order=asc")).await;
    assert_eq!(each(&first, "source"), ["a wish", "a wish"]);
    let cursor = first.body["next"].as_str().expect("more follow");
    let rest = caller.get(&format!("{list}?limit=2&order=asc&cursor={cursor}")).await;
    assert_eq!((each(&rest, "source").len(), rest.body["next"].is_null()), (1, true));
    let entry = format!("{list}/{}", listed.body["items"][0]["id"].as_str().expect("an id"));
    assert_eq!(caller.delete(&entry).await.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.delete(&entry).await.status, StatusCode::NOT_FOUND, "it holds no more");
    assert_eq!(each(&caller.get(&list).await, "id").len(), 2);
    let ends = caller.post(&list, json!({ "phones": ["+919876500003"], "expires_at": until })).await;
    assert_eq!(ends.body["added"], 1, "{ends:?}");
    assert_eq!(each(&caller.get(&list).await, "id").len(), 3);
    clock.advance(TimeDelta::days(2));
    assert_eq!(each(&caller.get(&list).await, "id").len(), 2, "its time is over");
    let lifted = format!(
        "select count(*) from audit where action = 'unsuppress' and subject_id = '{campaign}'
        and actor like 'key %'"
    );
    assert_eq!(world.count(&lifted).await, 1);
    world.settle().await;
}

#[tokio::test]
async fn what_is_wrong_with_numbers_to_be_suppressed_is_said_and_none_of_them_is() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, None).await;
    let list = format!("/v1/clients/{}/suppressions", world.client);
    let some = caller.post(&list, json!({ "phones": ["+919876500001", "12"] })).await;
    assert_eq!(place(&some), "phones[1]");
    assert_eq!(place(&caller.post(&list, json!({ "phones": [] })).await), "phones");
    let over = json!({ "phones": ["+919876500001"], "expires_at": "2026-01-01T00:00:00Z" });
    assert_eq!(place(&caller.post(&list, over).await), "expires_at");
    let elsewhere = json!({ "phones": ["+919876500001"], "campaign": Uuid::new_v4() });
    assert_eq!(caller.post(&list, elsewhere).await.status, StatusCode::NOT_FOUND);
    assert_eq!(place(&caller.get(&format!("{list}?phone=12")).await), "phone");
    assert_eq!(world.count("select count(*) from suppressions").await, 0);
    world.end().await;
}

#[tokio::test]
async fn consent_is_recorded_listed_and_taken_back() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/consents", world.client);
    let consent = json!({ "level": "express_written", "purpose": "service", "source": "a form" });
    let add = json!({ "phone": "+91 98765 00001", "consent": consent, "reason": "the form came in" });
    let added = caller.post(&list, add.clone()).await;
    assert_eq!((&added.body["new"], &added.body["released"]), (&json!(true), &json!(0)), "{added:?}");
    assert_eq!(caller.post(&list, add).await.body["new"], false, "it is on record already");
    let listed = caller.get(&format!("{list}?phone=%2B919876500001")).await;
    assert_eq!(
        (each(&listed, "level"), each(&listed, "purpose"), each(&listed, "revoked_at")),
        (vec![json!("express_written")], vec![json!("service")], vec![json!(null)])
    );
    let revoked = caller.post(&format!("{list}/revoke"), json!({ "phone": "+919876500001" })).await;
    assert_eq!(revoked.body["taken_back"], 1, "{revoked:?}");
    let listed = caller.get(&format!("{list}?phone=%2B919876500001")).await;
    assert!(each(&listed, "revoked_at").iter().all(|at| at.is_string()), "{listed:?}");
    assert_eq!(place(&caller.get(&list).await), "query", "whose?");
    for given_at in ["-9999-01-01T00:00:00Z", "-250000-01-01T00:00:00Z"] {
        let ancient = json!({ "level": "express", "source": "a stone", "given_at": given_at });
        let ancient = caller.post(&list, json!({ "phone": "+919876500002", "consent": ancient })).await;
        assert_eq!(ancient.status, StatusCode::UNPROCESSABLE_ENTITY, "{ancient:?}");
    }
    let nameless = json!({ "phone": "+919876500001", "consent": { "level": "express", "source": "" } });
    assert_eq!(place(&caller.post(&list, nameless).await), "consent");
    let audit = "select count(*) from audit where action = 'consent add' and reason = 'the form came in'
        and details::text not like '%98765%'";
    assert_eq!(world.count(audit).await, 2);
    world.settle().await;
}
