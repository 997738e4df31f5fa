//! Jobs, over the API.

use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::input::Command;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Answer, BY, Caller, each, key};
use crate::support::world::{World, phones};

async fn post(caller: &Caller<'_>, path: &str) -> Answer {
    caller.ask(Method::POST, path, None).await
}

/// Puts all jobs aside, as their last try does.
async fn put_aside(world: &World) {
    let aside = "with gone as (delete from jobs returning *)
        insert into quarantine (client_id, quarantine_id, lead_id, job_kind, item, error, created_at)
        select client_id, job_id, lead_id, kind,
            jsonb_build_object('kind', kind, 'number', number, 'args', args, 'tries', 20), 'it panicked', now()
        from gone";
    assert!(world.run(aside).await > 0);
}

#[tokio::test]
async fn jobs_are_listed_counted_hurried_and_given_up() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.order(campaign, Order::Cancel).await;
    let all = Filter::default();
    bulk::order(&world.engine, world.client, &all, Command::Pause, BY.actor, None).await.expect("ordered");
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let list = format!("/v1/clients/{}/jobs", world.client);
    let listed = caller.get(&list).await;
    assert_eq!(each(&listed, "state"), ["waiting", "waiting"]);
    let path = |kind: &str| {
        let job = listed.body["items"].as_array().expect("items").iter().find(|job| job["kind"] == kind);
        format!("/v1/jobs/{}", job.expect("it is queued")["id"].as_str().expect("an id"))
    };
    let (ends, bulk) = (path("end_campaign.v1"), path("bulk.v1"));

    let failed = "update jobs set run_at = now() + interval '1 hour', tries = 3, last_error = 'it panicked'";
    world.run(failed).await;
    let backs_off = caller.get(&ends).await.body;
    assert_eq!((&backs_off["state"], &backs_off["error"]), (&json!("backing_off"), &json!("it panicked")));
    assert_eq!(post(&caller, &format!("{}/retry", ends)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.get(&ends).await.body["state"], "waiting");
    let counted = caller.get(&format!("{list}/counts")).await;
    assert_eq!(each(&counted, "kind"), ["bulk.v1", "end_campaign.v1"]);
    assert_eq!(each(&counted, "state"), ["backing_off", "waiting"]);
    assert_eq!(each(&caller.get(&format!("{list}?state=backing_off")).await, "kind"), ["bulk.v1"]);
    assert_eq!(each(&caller.get(&format!("{list}?kind=end_campaign.v1")).await, "kind").len(), 1);

    let leased =
        "update jobs set lease_owner = job_id, lease_token = job_id, lease_until = now() + interval '1 hour'";
    world.run(leased).await;
    assert_eq!(each(&caller.get(&format!("{list}?state=running")).await, "kind").len(), 2);
    for order in ["retry", "discard"] {
        let busy = post(&caller, &format!("{}/{order}", ends)).await;
        assert_eq!(busy.status, StatusCode::CONFLICT, "{busy:?}");
    }
    world.run("update jobs set lease_owner = null, lease_token = null, lease_until = null").await;
    assert_eq!(post(&caller, &format!("{}/discard", ends)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.get(&ends).await.status, StatusCode::NOT_FOUND);
    // Its operation would seem to run for ever.
    let bulk = post(&caller, &format!("{}/discard", bulk)).await;
    assert_eq!(bulk.status, StatusCode::CONFLICT, "{bulk:?}");
    let audit = "select count(*) from audit where subject = 'job' and action in ('retry', 'discard')";
    assert_eq!(world.count(audit).await, 2);
    world.settle().await;
}

#[tokio::test]
async fn a_job_that_was_put_aside_is_carried_out_once_it_is_retried() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &phones(1, 3)).await;
    world.order(campaign, Order::Cancel).await;
    put_aside(&world).await;
    world.work().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/jobs", world.client);
    let aside = caller.get(&format!("{list}?state=quarantined")).await;
    assert_eq!((each(&aside, "tries"), each(&aside, "error")), (vec![json!(20)], vec![json!("it panicked")]));
    assert_eq!(each(&caller.get(&list).await, "state"), ["quarantined"], "with the live ones");
    let counted = caller.get(&format!("{list}/counts")).await;
    assert_eq!(
        counted.body["items"],
        json!([{ "kind": "end_campaign.v1", "state": "quarantined", "jobs": 1 }])
    );
    let path = format!("/v1/jobs/{}", aside.body["items"][0]["id"].as_str().expect("an id"));
    assert_eq!(post(&caller, &format!("{path}/retry")).await.status, StatusCode::NO_CONTENT);
    world.all_finished().await;
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_was_put_aside_goes_on_and_a_job_that_nobody_knows_is_given_up() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    world.run("update workflows set quarantined = true").await;
    let aside = format!(
        "insert into quarantine (client_id, quarantine_id, lead_id, job_kind, item, error, created_at) values
        ('{client}', gen_random_uuid(), '{lead}', null, '{{}}', 'it cannot be read', now()),
        ('{client}', gen_random_uuid(), null, 'newer.v9', '{{}}', 'nobody knows it', now())",
        client = world.client
    );
    world.run(&aside).await;
    let caller = key(&world, Role::Admin, Some(world.client)).await;
    let listed = caller.get(&format!("/v1/clients/{}/jobs", world.client)).await;
    for job in listed.body["items"].as_array().expect("items") {
        let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
        let (retry, discard) = (format!("{path}/retry"), format!("{path}/discard"));
        let (works, refused) = if job["kind"].is_null() { (retry, discard) } else { (discard, retry) };
        assert_eq!(post(&caller, &refused).await.status, StatusCode::CONFLICT, "{refused}");
        assert_eq!(post(&caller, &works).await.status, StatusCode::NO_CONTENT, "{works}");
        assert_eq!(post(&caller, &works).await.status, StatusCode::NOT_FOUND, "{works}");
    }
    assert_eq!(world.count("select count(*) from workflows where quarantined").await, 0);
    world.end().await;
}
