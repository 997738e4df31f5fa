//! What people take out of a campaign, and how its calls went.

use std::time::Duration;

use chrono_tz::Tz;
use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::By;
use outdial_jobs::operations::analytics::{self, Asked};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::providers::http_client;
use outdial_jobs::store;
use outdial_workflows::Moment;
use outdial_workflows::analytics::analyse;
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::world::{World, phones};

async fn get(world: &World, path: &str) -> Response {
    let spec = KeySpec { name: "a key", role: Role::Viewer, client: Some(world.client), expires_at: None };
    let (_, token) =
        keys::create(&world.engine, spec, By { actor: "a test", reason: None }).await.expect("a key");
    let request = http_client().expect("a client").get(world.address("/").join(path).expect("an address"));
    request.bearer_auth(token.expose_secret()).send().await.expect("an answer")
}

fn read(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let records = reader.records().map(|record| record.expect("CSV"));
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn a_campaign_is_exported_as_csv_and_as_lines_of_json_page_by_page() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    // More than a page, in parts that a busy machine has called in time.
    for part in 0..4 {
        world.leads(campaign, &phones(1 + part * 155, 155)).await;
        world.all_finished().await;
    }
    let path = |of: &str, format: &str| format!("/v1/campaigns/{campaign}/export?of={of}&format={format}");
    let answer = get(&world, &path("leads", "csv")).await;
    assert!(answer.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/csv")));
    assert!(answer.headers()["content-disposition"].to_str().is_ok_and(|name| name.contains("leads-")));
    let leads = read(&answer.text().await.expect("text"));
    assert_eq!(leads.len(), 621, "a header, and a row a lead");
    assert_eq!(leads[0][..3], ["lead", "external_id", "phone"]);
    let mut ids: Vec<&String> = leads[1..].iter().map(|row| &row[0]).collect();
    ids.dedup();
    assert_eq!(ids.len(), 620);
    assert!(leads[1..].iter().all(|row| row[6] == "finished" && row[7] == "successful"));
    let calls = get(&world, &path("calls", "jsonl")).await.text().await.expect("text");
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(calls.len(), world.carrier.dials().keys.len());
    assert!(calls.iter().all(|call| call["call_id"].is_string() && call["talk_ms"].is_number()));
    let outcomes = read(&get(&world, &path("outcomes", "csv")).await.text().await.expect("text"));
    assert_eq!(outcomes.len(), 621);
    let none = get(&world, &path("transcripts", "jsonl")).await.text().await.expect("text");
    assert_eq!(none, "");
    assert_eq!(get(&world, &path("everything", "csv")).await.status(), 422);
    // The same by the command line.
    let told = world
        .program(&["export", &campaign.to_string(), "--of", "attempts"])
        .output()
        .await
        .expect("it runs");
    assert_eq!(read(&String::from_utf8_lossy(&told.stdout)).len(), 621);
    world.end().await;
}

#[tokio::test]
async fn what_is_told_of_calls_is_what_the_ledger_holds_whatever_happened_to_them() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    for (nth, phone) in phones(1, 24).iter().enumerate() {
        let script = match nth % 4 {
            0 => vec![Scenario::answered(Duration::from_secs(20))],
            1 => vec![Scenario::busy(), Scenario::answered(Duration::from_secs(7))],
            2 => vec![Scenario::no_answer()],
            _ => vec![Scenario::failed(), Scenario::no_answer(), Scenario::busy()],
        };
        world.scripted(campaign, phone, script).await;
    }
    world.all_finished().await;
    assert!(world.count("select count(distinct outcome) from attempts").await >= 4);
    // As recounted from the ledger, by outcome and by attempt.
    let told: Value = get(&world, &format!("/v1/campaigns/{campaign}/analytics?zone=Asia/Kolkata"))
        .await
        .json()
        .await
        .expect("JSON");
    let recounted = world.count("select count(*) from attempts where outcome is not null").await;
    assert_eq!(told["total"]["attempts"], recounted, "{told}");
    let answered = world
        .count("select count(*) from attempts where outcome is not null and answered_at is not null")
        .await;
    assert_eq!(told["total"]["answered"], answered);
    let talk =
        world.count("select coalesce(sum(talk_ms), 0)::bigint from attempts where outcome is not null").await;
    assert_eq!(
        told["talk_s"].as_f64().map(|talk_s| (talk_s * 1000.0).round()),
        Some(f64::from(i32::try_from(talk).expect("in range")))
    );
    let sum = |name: &str| {
        told[name]
            .as_array()
            .expect("a list")
            .iter()
            .map(|rate| rate["attempts"].as_i64().unwrap_or(0))
            .sum::<i64>()
    };
    assert_eq!([sum("by_hour"), sum("by_weekday"), sum("by_attempt")], [recounted; 3]);
    let all: Value =
        get(&world, &format!("/v1/clients/{}/analytics", world.client)).await.json().await.expect("JSON");
    assert_eq!(all["total"], told["total"]);
    let later: Value =
        get(&world, &format!("/v1/clients/{}/analytics?from=2126-01-01T00:00:00Z", world.client))
            .await
            .json()
            .await
            .expect("JSON");
    assert_eq!(later["total"]["attempts"], 0);
    world.end().await;
}

#[tokio::test]
async fn a_year_of_calls_is_told_by_whoevers_clock_as_if_each_quarter_of_an_hour_were_looked_at() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    // In every third quarter of an hour, so that all of the week are met, across both changes of the clocks.
    let filled = format!(
        "insert into call_statistics (client_id, campaign_id, span, outcome, number, attempts, answered, talk_ms, priced,
            cost_micros)
        select '{}', '{campaign}', timestamptz '2025-06-01 00:00:00+00' + n * interval '45 minutes',
            (array['busy', 'successful'])[1 + n % 2]::outcome, 1 + n % 3, 1 + n % 5, n % 2, n, 1, 7
        from generate_series(0, 11680) n",
        world.client
    );
    assert_eq!(world.run(&filled).await, 11_681);
    let at = |text: &str| text.parse::<Moment>().expect("a time");
    for zone in [Tz::America__New_York, Tz::Asia__Kathmandu, Tz::UTC] {
        for within in [(None, None), (Some(at("2025-10-30T00:00:00Z")), Some(at("2025-11-03T12:15:00Z")))] {
            let (from, until) = within;
            let asked = Asked { campaign: Some(campaign), from, until, zone: Some(zone) };
            let told = analytics::calls(&world.engine, world.client, asked).await.expect("told");
            let mut conn = world.engine.pool().acquire().await.expect("a connection");
            let each = store::call_statistics::read(&mut conn, world.client, Some(campaign), within).await;
            let each = each.expect("the counts");
            assert!(each.len() > 100);
            assert_eq!(told, analyse(each.iter().map(|(key, sum)| (key, sum)), zone), "{zone} {within:?}");
        }
    }
    world.end().await;
}
