//! From the journal to deliveries.

use std::time::Duration;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, JobId};
use outdial_workflows::outward::takes;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::envelope::{event_of, event_of_campaign};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job, deliver::Deliver};
use crate::store::deliveries::NewDelivery;
use crate::store::journal::Entry;
use crate::store::subscribers::Subscriber;
use crate::store::{self, StoreError};

/// How many commits are taken up at once.
const ENTRIES: i64 = 200;
/// How long commits are gathered before they are taken up.
const GATHER: Duration = Duration::from_millis(20);
/// A commit is read once every transaction that began before it has ended: for how long that is waited for
/// attentively, and how often is looked meanwhile.
const ATTENTIVE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
/// How often is looked otherwise while anybody subscribes: another process may have committed.
const FALLBACK: Duration = Duration::from_secs(1);
/// How often is looked whether anybody subscribes: it is announced, and nothing is lost in between.
const LOOK_FOR_SUBSCRIBERS: Duration = Duration::from_secs(60);

/// Turns journals into deliveries until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let mut followed: Vec<ClientId> = vec![];
    let mut read_again = Instant::now();
    let mut attentive_until = Instant::now();
    let mut happenings = engine.hub().happenings();
    while !stop.is_cancelled() {
        let now = Instant::now();
        if read_again <= now || engine.hub().subscribers_changed() {
            match store::in_time(clients(&engine)).await {
                Ok(clients) => followed = clients,
                Err(error) => warn(&error),
            }
            read_again = now + LOOK_FOR_SUBSCRIBERS;
        }
        for client in &followed {
            if let Err(error) = store::in_time(catch_up(&engine, *client)).await {
                warn(&error);
            }
        }
        let wait = match (followed.is_empty(), attentive_until > Instant::now()) {
            (true, _) => read_again.saturating_duration_since(Instant::now()),
            (false, true) => LOOK,
            (false, false) => FALLBACK,
        };
        tokio::select! {
            happened = timeout(wait, happenings.changed()) => if happened.is_ok() {
                attentive_until = Instant::now() + ATTENTIVE;
                tokio::time::sleep(GATHER).await;
            },
            () = stop.cancelled() => {}
        }
    }
}

fn warn(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "events could not be taken up");
}

async fn clients(engine: &Engine) -> Result<Vec<ClientId>, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    store::journal::followed(&mut conn).await
}

/// Takes up what a client's journal holds, unless another process is at it.
async fn catch_up(engine: &Engine, client: ClientId) -> Result<(), StoreError> {
    while page(engine, client).await? {}
    Ok(())
}

/// Takes up a page. Tells whether there may be more.
async fn page(engine: &Engine, client: ClientId) -> Result<bool, StoreError> {
    let mut session = engine.sessions().take().await?;
    let mut tx = session.begin().await?;
    let Some(from) = store::journal::lock_cursor(&mut tx, client).await? else {
        tx.rollback().await?;
        session.done();
        return Ok(false);
    };
    let entries = store::journal::behind(&mut tx, client, from, ENTRIES).await?;
    let Some(last) = entries.last().map(|entry| entry.position) else {
        tx.rollback().await?;
        session.done();
        return Ok(false);
    };
    let subscribers = store::subscribers::lock_of_client(&mut tx, client).await?;
    let new = deliveries(&mut tx, client, &subscribers, &entries).await?;
    let now = engine.now_in(&mut tx).await?;
    let mut queued = false;
    if !new.is_empty() {
        store::deliveries::insert(&mut tx, client, &new, now).await?;
        for subscriber in subscribers {
            if new.iter().any(|new| new.subscriber == subscriber.id) {
                queued |= wake(&mut tx, &subscriber, now).await?;
            }
        }
    }
    store::journal::move_cursor(&mut tx, client, last).await?;
    tx.commit().await?;
    session.done();
    if queued {
        engine.hub().signal(client, Signal::JOBS);
    }
    Ok(true)
}

/// What subscribers are to be told of these entries.
async fn deliveries(
    conn: &mut PgConnection,
    client: ClientId,
    subscribers: &[Subscriber],
    entries: &[Entry],
) -> Result<Vec<NewDelivery>, StoreError> {
    let events = || entries.iter().flat_map(|entry| &entry.events);
    let some_campaigns = subscribers.iter().any(|subscriber| !subscriber.campaigns.is_empty());
    let leads: Vec<_> = events().filter(|_| some_campaigns).map(|(lead, _)| lead.0).collect();
    let about =
        if leads.is_empty() { vec![] } else { store::deliveries::about(conn, client, &leads).await? };
    let of: std::collections::HashMap<_, _> =
        about.into_iter().map(|about| (about.lead, about.campaign)).collect();
    let mut new = vec![];
    for subscriber in subscribers {
        let its = |campaign: Option<&CampaignId>| {
            subscriber.campaigns.is_empty()
                || campaign.is_some_and(|campaign| subscriber.campaigns.contains(campaign))
        };
        for entry in entries {
            let of_leads = entry.events.iter().filter(|(lead, _)| its(of.get(lead)));
            let of_leads = of_leads.filter_map(|(lead, event)| event_of(subscriber.id, *lead, event));
            let of_campaign = entry.of_campaign.iter().filter(|happened| its(Some(&happened.campaign)));
            let of_campaign = of_campaign.map(|happened| event_of_campaign(subscriber.id, happened));
            let told = of_leads.chain(of_campaign);
            new.extend(told.filter(|delivery| takes(&subscriber.types, &delivery.kind)));
        }
    }
    Ok(new)
}

/// Queues the job that sends what waits for a subscriber, or has it run sooner. Tells whether it may run.
pub(crate) async fn wake(
    conn: &mut PgConnection,
    subscriber: &Subscriber,
    now: Moment,
) -> Result<bool, StoreError> {
    if subscriber.disabled_for.is_some() {
        return Ok(false);
    }
    let run_at = subscriber.health.resting_until.unwrap_or(now).max(now);
    let args = Deliver { client: subscriber.client, subscriber: subscriber.id };
    let args = serde_json::to_value(args).unwrap_or_default();
    // One job a subscriber, known by the subscriber's own id.
    let job = JobId(subscriber.id);
    store::queue::wake(conn, subscriber.client, job, Deliver::KIND, args, run_at, now).await?;
    let runs = run_at <= now;
    if runs {
        store::notify(conn, &Signal::JOBS.payload(subscriber.client)).await?;
    }
    Ok(runs)
}
