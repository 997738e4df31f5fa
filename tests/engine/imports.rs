//! `outdial leads import` against a real database: what it reports is there, once, whatever happens
//! to it on the way.

use std::collections::BTreeSet;
use std::io::Write;

use outdial_jobs::operations::leads::PAGE;
use outdial_workflows::ids::CampaignId;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::support::world::{World, until};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(text.as_bytes()).expect("it can be written");
    file
}

/// So many good rows, told apart by their numbers.
fn rows(count: usize) -> String {
    let row = |n| format!("+9198{n:08},Person {n}\n");
    std::iter::once("phone,name\n".to_owned()).chain((0..count).map(row)).collect()
}

fn arguments<'a>(file: &'a NamedTempFile, campaign: &'a str) -> [&'a str; 5] {
    ["leads", "import", file.path().to_str().expect("it is text"), "--campaign", campaign]
}

async fn import(world: &World, file: &NamedTempFile, campaign: CampaignId) -> (Value, Option<i32>) {
    world.says(&arguments(file, &campaign.to_string())).await
}

/// New leads, those that were there, and rows that are no leads.
fn tally(summary: &Value) -> [u64; 3] {
    ["accepted", "duplicates", "problems_total"].map(|name| summary[name].as_u64().unwrap_or(u64::MAX))
}

/// Every lead has its workflow, its first event, and its place in the counts.
async fn assert_whole(world: &World, leads: i64) {
    for query in [
        "select count(*) from leads",
        "select count(distinct (phone, name)) from leads",
        "select count(*) from leads join workflows using (client_id, lead_id, campaign_id)",
        "select count(*) from leads join workflow_events using (client_id, lead_id) where seq = 1",
        "select (select coalesce(sum(count), 0) from statistics_deltas)::bigint
            + (select coalesce(sum(count), 0) from statistics)::bigint",
    ] {
        assert_eq!(world.count(query).await, leads, "{query}");
    }
}

#[tokio::test]
async fn good_rows_go_in_bad_ones_are_reported_and_the_same_file_again_adds_nothing() {
    let world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let file = file(
        "phone,name,zone\n\
        +919800000001,Asha,Asia/Kolkata\n\
        12,Too short,\n\
        +919800000002,Bela,\n\
        ,Nobody,\n\
        +919800000001,asha ,Asia/Kolkata\n\
        +919800000001,Another at the same number,\n",
    );
    let (summary, code) = import(&world, &file, campaign).await;
    assert_eq!((tally(&summary), code), ([3, 1, 2], Some(0)), "{summary}");
    let lines: Vec<&Value> =
        summary["problems"].as_array().expect("a list").iter().map(|row| &row["line"]).collect();
    assert_eq!(lines, [&json!(3), &json!(5)], "{summary}");
    assert_whole(&world, 3).await;
    let (again, code) = import(&world, &file, campaign).await;
    assert_eq!((tally(&again), code), ([0, 4, 2], Some(0)), "{again}");
    assert_whole(&world, 3).await;
    // Nothing but bad rows is a failure, and so is a campaign that is not there.
    let bad = self::file("phone\n12\n13\n");
    let (summary, code) = import(&world, &bad, campaign).await;
    assert_eq!((tally(&summary), code), ([0, 0, 2], Some(1)), "{summary}");
    let (said, code) = world.says(&arguments(&file, "No such campaign")).await;
    assert!(said["error"].is_string() && code == Some(1), "{said}");
    assert_whole(&world, 3).await;
    world.end().await;
}

#[tokio::test]
async fn a_running_campaign_calls_what_is_imported() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let (summary, _) = import(&world, &file(&rows(40)), campaign).await;
    assert_eq!(tally(&summary), [40, 0, 0], "{summary}");
    world.all_finished().await;
    assert_eq!(world.count("select count(*) from workflows where outcome = 'successful'").await, 40);
    // More of the same file later: only what is new is called.
    let (summary, _) = import(&world, &file(&rows(45)), campaign).await;
    assert_eq!(tally(&summary), [5, 40, 0], "{summary}");
    world.all_finished().await;
    let dialled: BTreeSet<String> = world.carrier.dials().keys.into_keys().collect();
    assert_eq!((dialled.len(), world.carrier.totals().accepted), (45, 45));
    world.end().await;
}

#[tokio::test]
async fn an_import_that_is_killed_keeps_whole_pages_and_its_repetition_adds_the_rest() {
    const ROWS: usize = 5_000;
    let pages = i64::try_from(PAGE).expect("in range");
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let file = file(&rows(ROWS));
    // A row of the third page stands in its way: held by somebody who has not committed yet.
    let mut blocker = world.db.pool().begin().await.expect("a transaction");
    let blocked = PAGE * 5 / 2;
    sqlx::query(
        "insert into leads (client_id, lead_id, campaign_id, phone, name, dedupe_key, created_at)
        select client_id, gen_random_uuid(), campaign_id, '+9198' || $1, 'Person', '+9198' || $1 || ' person ' || $2, now()
        from campaigns",
    )
    .bind(format!("{blocked:08}"))
    .bind(blocked.to_string())
    .execute(&mut *blocker)
    .await
    .expect("inserted");
    let campaign_text = campaign.to_string();
    let mut killed = world.program(&arguments(&file, &campaign_text)).spawn().expect("it starts");
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like 'insert into leads%'";
    until("the import to be stopped in its third page", async || world.count(waits).await == 1).await;
    assert_whole(&world, 2 * pages).await;
    killed.kill().await.expect("it is killed");
    blocker.rollback().await.expect("rolled back");
    until("its session to end", async || {
        let sessions = "select count(*) from pg_stat_activity
            where datname = current_database() and query like 'insert into leads%' and state <> 'idle'";
        world.count(sessions).await == 0
    })
    .await;
    assert_whole(&world, 2 * pages).await;
    let (summary, code) = import(&world, &file, campaign).await;
    let (rows, there) = (u64::try_from(ROWS).expect("in range"), u64::try_from(2 * pages).expect("in range"));
    assert_eq!((tally(&summary), code), ([rows - there, there, 0], Some(0)), "{summary}");
    assert_whole(&world, 5 * pages).await;
    assert_eq!(world.count("select count(distinct created_at) from leads").await, 5, "a commit a page");
    world.end().await;
}
