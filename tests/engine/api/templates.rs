//! What agents are told of the people they call.

use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_workflows::workflow::State;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{key, place};
use crate::support::world::{World, told};

#[tokio::test]
async fn a_variable_that_can_never_have_a_value_is_refused_when_the_campaign_is_made() {
    let world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/campaigns", world.client);
    let with = async |variables: Value| {
        let rules = json!({ "calendar": "none", "variables": variables });
        caller.post(&list, json!({ "name": "Spring", "account": world.account, "rules": rules })).await
    };
    for (text, says) in [
        ("Hello {{ lead.nmae }}", "`lead.nmae` is not a variable"),
        ("{{ campaign.rules }}", "`campaign.rules` is not a variable"),
        ("{{ lead.attributes. }}", "is not a variable"),
        ("Hello {{ lead.name", "not closed"),
    ] {
        let refused = with(json!({ "greeting": text })).await;
        assert_eq!(place(&refused), "rules", "{text}");
        assert!(refused.body["detail"].as_str().is_some_and(|told| told.contains(says)), "{refused:?}");
    }
    assert_eq!(place(&with(json!({ "two words": "Hello" })).await), "variables");
    assert_eq!(world.count("select count(*) from campaigns").await, 0);
    let made = with(json!({ "greeting": "Hello {{ lead.name | you }} of {{ lead.attributes.area }}" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    world.end().await;
}

#[tokio::test]
async fn a_lead_without_a_value_is_held_with_the_reason_and_called_once_the_rules_do_without() {
    let world = World::working().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let variables = json!({ "greeting": "Hello {{ lead.name }} of {{ lead.attributes.area }}" });
    let campaign = world.draft(json!({ "variables": variables })).await;
    let of = |phone: &str, area: Value| {
        let mut spec = LeadSpec::new(phone.parse().expect("a number"));
        spec.name = Some("Asha".to_owned());
        spec.attributes.extend(area.as_object().cloned().unwrap_or_default());
        spec
    };
    let specs = [of("+919876500001", json!({})), of("+919876500002", json!({ "area": "Whitefield" }))];
    let mut accepted = vec![];
    for spec in &specs {
        let new = leads::accept(&world.engine, world.client, campaign, std::slice::from_ref(spec)).await;
        accepted.extend(new.expect("accepted").leads);
    }
    world.order(campaign, Order::Start).await;
    assert_eq!(told(&world.finished(accepted[1]).await), ["bound: successful"]);
    let lacking = accepted[0];
    let held = world.until(lacking, |record| record.workflow.state == State::Held).await;
    assert_eq!(told(&held), ["refused, not counted"]);
    let path = format!("/v1/leads/{lacking}");
    let why = caller.get(&format!("{path}/explanation")).await;
    assert!(
        why.body["why"].as_str().is_some_and(|why| why.contains("lead.attributes.area has no value")),
        "{why:?}"
    );
    // A lead is not edited; to resume it changes nothing of what is missing.
    let resumed = caller.post(&format!("{path}/orders"), json!({ "order": "resume" })).await;
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    let held = world
        .until(lacking, |record| record.attempts.len() == 2 && record.workflow.state == State::Held)
        .await;
    assert_eq!(told(&held), ["refused, not counted"; 2]);
    assert_eq!(world.carrier.totals().accepted, 1, "nobody was called without it");
    // The rules are: they may say what is said instead.
    let rules = format!("/v1/campaigns/{campaign}/rules");
    let read = caller.get(&rules).await;
    let mut edited = read.body["rules"].clone();
    edited["variables"]["greeting"] =
        json!("Hello {{ lead.name }} of {{ lead.attributes.area | your town }}");
    let put = caller.put(&rules, edited, read.etag.as_deref()).await;
    assert_eq!(put.status, StatusCode::OK, "{put:?}");
    assert_eq!(
        caller.post(&format!("{path}/orders"), json!({ "order": "resume" })).await.status,
        StatusCode::OK
    );
    let record = world.finished(lacking).await;
    assert_eq!(told(&record), ["refused, not counted", "refused, not counted", "bound: successful"]);
    world.end().await;
}
