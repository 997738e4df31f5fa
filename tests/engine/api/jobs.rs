//! Jobs, over the API.

use std::collections::HashMap;

use chrono::TimeDelta;
use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::jobs;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::store;
use outdial_jobs::store::queue::NewJob;
use outdial_workflows::ids::{AttemptNumber, JobId, NodeId};
use outdial_workflows::input::Command;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

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
    let over = caller.get(&ends).await;
    assert_eq!((&over.body["state"], &over.body["tries"]), (&json!("discarded"), &json!(3)), "{over:?}");
    assert_eq!(each(&caller.get(&format!("{list}?state=discarded")).await, "kind"), ["end_campaign.v1"]);
    for order in ["retry", "discard"] {
        let again = post(&caller, &format!("{ends}/{order}")).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND, "{again:?}");
    }
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

#[tokio::test]
async fn jobs_that_are_over_are_kept_with_the_errors_of_their_tries_and_steps_that_went_well_are_not() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let now = world.database_time().await;
    let job = |kind, step| NewJob {
        id: JobId::new(now),
        kind,
        step,
        args: json!({}),
        priority: 1,
        born_claimed: None,
    };
    let at = |number| Some((lead, AttemptNumber::new(number).expect("a number")));
    let queued = [
        job("await_status.v1", at(1)),
        job("await_status.v1", at(2)),
        job("await_status.v1", at(3)),
        job("refresh_sheet.v1", None),
    ];
    let [well, badly, needless, of_no_lead] = queued.each_ref().map(|job| job.id);
    let client = world.client;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    store::queue::insert(&mut conn, client, &queued, now).await.expect("queued");
    let node = NodeId(Uuid::new_v4());
    let kinds = ["await_status.v1".to_owned(), "refresh_sheet.v1".to_owned()];
    let until = now + TimeDelta::seconds(12);
    let claim = async |conn: &mut PgConnection| {
        let claimed = store::queue::claim(conn, node, &kinds, &[5, 5], now, until).await.expect("claimed");
        claimed.into_iter().map(|claimed| (claimed.lease.job, claimed.lease)).collect::<HashMap<_, _>>()
    };
    let first = claim(&mut conn).await;
    for (job, error) in [(badly, "The carrier hung up"), (needless, "it panicked")] {
        let given = store::queue::hand_back(&mut conn, first[&job], now, false, Some(error), now).await;
        assert!(given.expect("given back"));
    }
    // Asking again later is no failure.
    let later = store::queue::hand_back(&mut conn, first[&well], now, true, Some("later"), now).await;
    assert!(later.expect("given back"));
    let second = claim(&mut conn).await;
    let done = [second[&well], second[&badly], first[&of_no_lead]];
    store::queue::finish(&mut conn, client, &done, now).await.expect("finished");
    store::queue::drop_steps(&mut conn, client, &[lead.0], &[3], now).await.expect("dropped");
    drop(conn);

    let caller = key(&world, Role::Viewer, Some(client)).await;
    let list = format!("/v1/clients/{client}/jobs");
    let over = caller.get(&format!("{list}?state=done&order=asc")).await;
    // They ended at one instant: which comes first is their ids' to say.
    let mut ended = [(badly, 2), (of_no_lead, 1)];
    ended.sort_unstable_by_key(|(id, _)| id.0);
    assert_eq!(each(&over, "id"), ended.map(|(id, _)| json!(id.0)));
    let items = over.body["items"].as_array().expect("a list");
    let failed = &items.iter().find(|job| job["id"] == json!(badly.0)).expect("listed")["failed"];
    assert_eq!(
        (&failed[0]["number"], &failed[0]["error"]),
        (&json!(1), &json!("The carrier hung up")),
        "{over:?}"
    );
    assert_eq!(each(&over, "tries"), ended.map(|(_, tries)| tries));
    assert!(each(&over, "finished_at").iter().all(Value::is_string));
    assert_eq!(each(&caller.get(&format!("{list}?state=dropped")).await, "id"), [json!(needless.0)]);
    for (asked, found) in
        [("error=CARRIER", 1), ("error=panicked", 0), ("kind=refresh_sheet.v1", 1), ("kind=dial.v1", 0)]
    {
        let fitting = caller.get(&format!("{list}?state=done&{asked}")).await;
        assert_eq!(each(&fitting, "id").len(), found, "{asked}");
    }
    assert_eq!(caller.get(&format!("/v1/jobs/{}", badly.0)).await.body["state"], "done");
    assert_eq!(caller.get(&format!("/v1/jobs/{}", well.0)).await.status, StatusCode::NOT_FOUND);
    // After a week they are gone.
    world.run("update finished_jobs set finished_at = finished_at - interval '8 days'").await;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let erased = store::jobs::erase_finished(&mut conn, now - jobs::KEPT_FOR, 100).await.expect("erased");
    drop(conn);
    assert_eq!((erased, world.count("select count(*) from finished_jobs").await), (3, 0));
    world.settle().await;
}
