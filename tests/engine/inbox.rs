//! News that bears the carrier's name for a call, and not our key: it may come before anybody here
//! knows of that call.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use outdial_emulators::exotel::{Quirk, Scenario};
use outdial_jobs::engine::Engine;
use outdial_jobs::providers::Provider;
use outdial_jobs::providers::exotel::Settings;
use outdial_jobs::store;
use outdial_jobs::store::inbox::CallOf;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, CallStatus, Source, Talk};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, DialKey, LeadId, new_id};
use outdial_workflows::input::{CallNews, Input};
use outdial_workflows::outcome::Outcome;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Position;
use uuid::Uuid;

use crate::support::world::{Setup, World, names, phones, settings, told, until};

const OPEN: &str = "select count(*) from webhook_inbox where applied_at is null";

/// A world in which requests vanish and nobody asks after them, with leads whose attempts are unknown.
async fn unknown(count: u32) -> (World, Vec<LeadId>) {
    let settings = Settings {
        ask_first_ms: 600_000,
        poll_first_ms: 600_000,
        ask_cap_ms: 600_000,
        silence_ms: 600_000,
        ..settings()
    };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    let campaign = world.draft(json!({})).await;
    let vanishes =
        Scenario::answered(Duration::from_secs(5)).with(Quirk::AcceptThenDrop).with(Quirk::NoCallbacks);
    let phones = phones(1, count);
    phones.iter().for_each(|phone| world.carrier.script(phone, [vanishes.clone()]));
    let leads = world.leads(campaign, &phones).await;
    world.order(campaign, outdial_jobs::operations::campaigns::Order::Start).await;
    // So many in a row would have the account rest.
    let closed = "update accounts set failing = 0, trips = 0, resting_until = null, resting_cause = null";
    until("all to be unknown", async || {
        world.run(closed).await;
        world.engine.admit(world.client).await.expect("a round");
        world.count("select count(*) from attempts where ledger = 'unknown'").await == i64::from(count)
    })
    .await;
    (world, leads)
}

fn call(n: usize) -> CallId {
    CallId(format!("call {n}"))
}

fn ringing() -> CallNews {
    let fact = CallFact::progress(None, CallStatus::Ringing);
    CallNews::Fact { fact, source: Source::Webhook }
}

fn ended() -> CallNews {
    let talk = Some(Talk { ms: 5_000 });
    let fact = CallFact::ended(None, CallEnd { result: CallResult::Answered, talk, cause: None });
    CallNews::Fact { fact, source: Source::Webhook }
}

async fn hear(world: &World, engine: &Engine, account: AccountId, call: &CallId, news: CallNews) {
    let of = CallOf { client: world.client, account, provider: Provider::Exotel, call };
    engine.call_news(&of, &news).await.expect("it is kept");
}

/// The carrier is found to have made this call for the lead.
async fn bind(world: &World, engine: &Engine, lead: LeadId, call: &CallId) {
    let fact = CallFact::progress(Some(call.clone()), CallStatus::Initiated);
    let news = Input::News { attempt: AttemptNumber::FIRST, fact, source: Source::Poll };
    engine.input(world.client, lead, news, None).await.expect("taken in");
}

fn times(names: &[&str], name: &str) -> usize {
    names.iter().filter(|event| **event == name).count()
}

#[tokio::test]
async fn news_that_came_before_its_call_was_known_is_taken_in_once_when_it_is() {
    let (world, leads) = unknown(1).await;
    for news in [ringing(), ended(), ended()] {
        hear(&world, &world.engine, world.account, &call(1), news).await;
    }
    let verdict = CallNews::Verdict { outcome: Outcome::SaleMade, source: Source::Webhook };
    hear(&world, &world.engine, world.account, &call(1), verdict).await;
    // Names of calls are unique within an account, and no further.
    hear(&world, &world.engine, AccountId(Uuid::from_u128(7)), &call(1), ended()).await;
    hear(&world, &world.engine, world.account, &call(2), ended()).await;
    assert_eq!(world.count(OPEN).await, 6);
    assert_eq!(told(&world.record(leads[0]).await), ["unknown"], "nobody's call yet");
    bind(&world, &world.engine, leads[0], &call(1)).await;
    world.finished(leads[0]).await;
    until("the news to be noted as taken in", async || world.count(OPEN).await == 2).await;
    world.engine.take_kept_news().await.expect("swept");
    assert_eq!(world.count(OPEN).await, 2, "what is of other calls stays");
    let record = world.until(leads[0], |now| now.workflow.outcome != Some(Outcome::Successful)).await;
    let names = names(&record);
    assert_eq!((times(&names, "progressed"), times(&names, "ended")), (1, 1), "{names:?}");
    assert_eq!(told(&record), ["bound: sale made"]);
    assert_eq!(record.attempts[0].ended.as_ref().and_then(|(_, end)| end.talk), Some(Talk { ms: 5_000 }));
    world.end().await;
}

#[tokio::test]
async fn news_of_a_call_that_is_known_already_is_taken_in_at_once() {
    let (world, leads) = unknown(1).await;
    bind(&world, &world.engine, leads[0], &call(1)).await;
    hear(&world, &world.engine, world.account, &call(1), ended()).await;
    assert_eq!(told(&world.finished(leads[0]).await), ["bound: successful"]);
    until("the news to be noted as taken in", async || world.count(OPEN).await == 0).await;
    world.end().await;
}

#[tokio::test]
async fn news_whose_call_was_bound_by_a_process_that_then_died_is_found_by_the_sweep() {
    let (world, leads) = unknown(1).await;
    bind(&world, &world.engine, leads[0], &call(1)).await;
    // As if it had been kept before, and nobody had come to look for it.
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let (now, call) = (world.database_time().await, call(1));
    let of = CallOf { client: world.client, account: world.account, provider: Provider::Exotel, call: &call };
    store::inbox::keep_unmatched(&mut conn, new_id(now), &of, &ended(), now).await.expect("kept");
    drop(conn);
    // Several may sweep at once.
    let elsewhere = world.another_engine().await;
    let (here, there) = tokio::join!(world.engine.take_kept_news(), elsewhere.take_kept_news());
    assert!(here.expect("swept") + there.expect("swept") >= 1);
    let record = world.finished(leads[0]).await;
    assert_eq!(times(&names(&record), "ended"), 1, "{:?}", names(&record));
    assert_eq!(world.count(OPEN).await, 0);
    elsewhere.stop().await;
    world.end().await;
}

#[tokio::test]
async fn news_and_its_binding_that_come_at_the_same_time_find_each_other() {
    const LEADS: u32 = 40;
    let (world, leads) = unknown(LEADS).await;
    let elsewhere = world.another_engine().await;
    let both = leads.iter().enumerate().map(|(n, lead)| {
        let (world, elsewhere) = (&world, &elsewhere);
        async move {
            let call = call(n);
            let news = hear(world, elsewhere, world.account, &call, ended());
            tokio::join!(news, bind(world, &world.engine, *lead, &call));
        }
    });
    join_all(both).await;
    // No sweep runs.
    world.all_finished().await;
    until("the news to be noted as taken in", async || world.count(OPEN).await == 0).await;
    for lead in leads {
        let record = world.record(lead).await;
        assert_eq!(times(&names(&record), "ended"), 1, "{:?}", names(&record));
    }
    elsewhere.stop().await;
    world.end().await;
}

#[tokio::test]
async fn news_of_nobodys_call_is_kept_for_a_week_and_not_longer() {
    let clock = Setup::clock_at("2026-01-14T06:30:00Z");
    let mut world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    hear(&world, &world.engine, world.account, &call(1), ended()).await;
    let runs = "select extract(epoch from last_at)::bigint from schedules where name = 'prune'";
    for (by, left) in [(TimeDelta::days(7), 1), (TimeDelta::seconds(301), 0)] {
        clock.advance(by);
        world.work_elsewhere().await;
        until("the sweep", async || {
            let pruned = "select count(*) from schedules where name = 'prune' and last_ms is not null";
            world.count(pruned).await == 1 && world.count(runs).await == clock.read().timestamp()
        })
        .await;
        until("the inbox to be as it should", async || world.count(OPEN).await == left).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_webhook_at_an_address_that_was_given_out_for_no_attempt_is_told_so_and_changes_nothing() {
    let world = World::new().await;
    let (client, lead, number) = (world.client, LeadId(Uuid::from_u128(7)), AttemptNumber::FIRST);
    let key = DialKey(AttemptRef { client, lead, number });
    let secret = world.engine.key().secret_of(key);
    for (path, status) in [
        (format!("webhooks/exotel/{key}/{secret}"), 404),
        (format!("webhooks/exotel/{key}/{}", "0".repeat(secret.len())), 401),
        (format!("webhooks/exotel/{}/{}", world.client, world.account), 401),
    ] {
        assert_eq!(post(&world, &path, "CallSid=a&Status=completed").await, status, "{path}");
    }
    assert_eq!(world.count("select count(*) from webhook_inbox").await, 0);
    world.end().await;
}

/// Posts a form, and gives the status of the answer.
async fn post(world: &World, path: &str, form: &str) -> u16 {
    let place = &world.public_url()[Position::BeforeHost..Position::AfterPort];
    let mut socket = TcpStream::connect(place).await.expect("it listens");
    let request = format!(
        "POST /{path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    socket.write_all(request.as_bytes()).await.expect("it takes requests");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}
