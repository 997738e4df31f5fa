//! `outdial leads import` against a real database: what it reports is there, once, whatever happens
//! to it on the way.

use std::collections::BTreeSet;
use std::io::Write;

use outdial_jobs::operations::campaigns::Order;
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
    assert!(said["error"].is_string() && code == Some(3), "{said}");
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
async fn an_import_that_is_killed_keeps_whole_pages_and_goes_on_behind_them() {
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
    assert_eq!(world.count("select line from imports where state = 'running'").await, 2 * pages + 1);
    // It goes on where it stood, and says what came of all of it.
    let (summary, code) = import(&world, &file, campaign).await;
    let rows = u64::try_from(ROWS).expect("in range");
    assert_eq!((tally(&summary), code), ([rows, 0, 0], Some(0)), "{summary}");
    assert_eq!(world.count("select count(*) from imports where state = 'done' and rows = 5000").await, 1);
    assert_whole(&world, 5 * pages).await;
    assert_eq!(world.count("select count(distinct created_at) from leads").await, 5, "a commit a page");
    world.end().await;
}

/// A line that says how many rows stand where.
async fn states(world: &World) -> Vec<(String, i64)> {
    let counted =
        "select state::text || ' ' || coalesce(why->>'why', '') as standing, count(*) from workflows
        group by 1 order by 1";
    sqlx::query_as(counted).fetch_all(world.db.pool()).await.expect("counted")
}

#[tokio::test]
async fn an_import_is_undone_for_those_who_were_not_called_and_they_can_come_anew() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    import(&world, &file("phone,name\n+919700000001,\n"), campaign).await;
    let file = file(
        "phone,name,consent,consent source\n\
        +919800000001,Asha,express,form 7\n\
        +919800000002,Bela,,\n\
        +919800000003,Cora,,\n\
        +919700000001,,express,form 7\n",
    );
    let (summary, _) = import(&world, &file, campaign).await;
    assert_eq!(tally(&summary), [3, 1, 0], "{summary}");
    let id = summary["import"].as_str().expect("an id").to_owned();
    let listed = world.says(&["import", "list", "--campaign", &campaign.to_string()]).await.0;
    assert_eq!((&listed[0]["import"], &listed[0]["accepted"]), (&json!(id), &json!(3)), "{listed}");
    // One is called before it is undone.
    let bela: String = sqlx::query_scalar("select lead_id::text from leads where name = 'Bela'")
        .fetch_one(world.db.pool())
        .await
        .expect("Bela");
    let others = ["leads", "pause", "--campaign", &campaign.to_string(), "--yes"].map(str::to_owned);
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    world.says(&others).await;
    world.work().await;
    until("all to be held", async || {
        world.count("select count(*) from workflows where state = 'held'").await == 4
    })
    .await;
    world.says(&["lead", "resume", &bela]).await;
    world.order(campaign, Order::Start).await;
    until("Bela to be called", async || {
        world.count("select count(*) from workflows where state = 'finished'").await == 1
    })
    .await;
    let (undone, code) = world.says(&["import", "undo", &id, "--yes"]).await;
    assert_eq!(code, Some(0), "{undone}");
    until("it to be undone", async || {
        world
            .count(
                "select count(*) from bulk_operations where state = 'done' and changed = 2 and declined = 1",
            )
            .await
            == 1
    })
    .await;
    let expected = [("finished settled", 1), ("finished undone", 2), ("held held_by", 1)]
        .map(|(name, count)| (name.to_owned(), count));
    assert_eq!(states(&world).await, expected);
    assert_eq!(world.count("select count(*) from consents where expires_at <= clock_timestamp()").await, 2);
    let (again, code) = world.says(&["import", "undo", &id, "--yes"]).await;
    assert!(code == Some(1) && again["error"].as_str().is_some_and(|said| said.contains("undone already")));
    // The same file again: those who were undone are new, and whoever was called is not called twice.
    let (summary, _) = import(&world, &file, campaign).await;
    assert_eq!(tally(&summary), [2, 2, 0], "{summary}");
    assert_eq!(summary["consents"], json!(2), "{summary}");
    until("the new ones to be called", async || {
        world.count("select count(*) from workflows where why->>'why' = 'settled'").await == 3
    })
    .await;
    assert_eq!(world.carrier.totals().accepted, 3);
    world.end().await;
}

#[tokio::test]
async fn each_bad_row_and_each_that_adds_nothing_is_noted_with_its_place() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let file = file(
        "phone,name,zone\n+919800000001,Asha,\n12,Too short,\n+919800000001,asha,\n+919800000002,\"two\nlines\",Moon\n",
    );
    let (summary, _) = import(&world, &file, campaign).await;
    let id = summary["import"].as_str().expect("an id").to_owned();
    let told = world.program(&["import", "notes", &id]).output().await.expect("it runs");
    let told = String::from_utf8(told.stdout).expect("text");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "line,note,column,value,problem");
    assert!(lines[1].starts_with("3,problem,phone,**,"), "{told}");
    assert_eq!(lines[2], "4,duplicate,,,the campaign has this lead already");
    assert!(lines[3].starts_with("5,problem,zone,"), "{told}");
    assert_eq!(lines.len(), 4, "{told}");
    let told =
        world.program(&["import", "notes", &id, "--only", "duplicates"]).output().await.expect("it runs");
    assert_eq!(String::from_utf8_lossy(&told.stdout).lines().count(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_csv_fails_as_a_whole_and_says_why() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let (said, code) = import(&world, &file("name,city\nAsha,Pune\n"), campaign).await;
    let error = said["error"].as_str().unwrap_or_default();
    assert!(code == Some(1) && error.contains("no column holds phone numbers"), "{said}");
    assert_eq!(
        world.count("select count(*) from imports where state = 'failed' and failed_for is not null").await,
        1
    );
    world.end().await;
}
