//! Sends a subscriber what waits for it.
//!
//! There is one such job a subscriber while anything waits, known by the subscriber's id. Of each lead only the
//! earliest event is sent that has not been taken: the others wait for it, and other leads' do not. Dying in
//! the middle sends again what may have been taken; subscribers tell by the event's id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use outdial_workflows::Moment;
use outdial_workflows::delivering::{Next, Response, next};
use outdial_workflows::ids::{ClientId, LeadId};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::events::{SigningSecret, body, sign};
use crate::operations::subscribers;
use crate::store::deliveries::{About, Delivery, DeliveryState};
use crate::store::subscribers::Subscriber;
use crate::store::{self, StoreError};

/// How many events are taken up at once.
const PAGE: i64 = 64;
/// How many of them are under way at once.
const TOGETHER: usize = 8;
/// After so many in a row that were not taken, the rest is not tried.
const ENOUGH: usize = 5;
/// How long one run goes on before others have their turn.
const TURN: Duration = Duration::from_secs(20);
/// The most characters of an error that are kept.
const ERROR_CHARS: usize = 200;

/// Sends what is due.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Deliver {
    /// The tenant.
    pub client: ClientId,
    /// The subscriber.
    pub subscriber: Uuid,
}

#[async_trait]
impl Job for Deliver {
    const KIND: &'static str = "deliver.v1";
    /// So many that subscribers which do not answer leave room for the others.
    const SLOTS: usize = 64;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let began = Instant::now();
        while began.elapsed() < TURN && !ctx.engine.is_stopping() {
            let Some(work) = store::in_time(self.take(ctx)).await? else { break };
            let sent = work.send(ctx).await;
            store::in_time(self.settle(ctx, sent)).await?;
        }
        match store::in_time(self.finish(ctx)).await? {
            None => Ok(()),
            Some(pause) => Err(JobError::Later(pause)),
        }
    }
}

/// What is to be sent together.
struct Work {
    subscriber: Subscriber,
    deliveries: Vec<Delivery>,
    about: HashMap<LeadId, About>,
    now: Moment,
}

impl Deliver {
    async fn take(&self, ctx: &Ctx) -> Result<Option<Work>, StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let now = ctx.engine.now_in(&mut conn).await?;
        let found = store::subscribers::find(&mut conn, self.subscriber).await?;
        let may = |subscriber: &Subscriber| {
            subscriber.disabled_for.is_none()
                && subscriber.health.resting_until.is_none_or(|until| until <= now)
        };
        let Some(subscriber) = found.filter(may) else { return Ok(None) };
        // One that has been failing is tried with one event.
        let most = if subscriber.health.failures > 0 { 1 } else { PAGE };
        let deliveries = store::deliveries::due(&mut conn, self.subscriber, now, most).await?;
        if deliveries.is_empty() {
            return Ok(None);
        }
        let leads: Vec<Uuid> =
            deliveries.iter().filter_map(|delivery| Some(delivery.new.lead?.0.0)).collect();
        let about = store::deliveries::about(&mut conn, self.client, &leads).await?;
        let about = about.into_iter().map(|about| (about.lead, about)).collect();
        Ok(Some(Work { subscriber, deliveries, about, now }))
    }

    /// Writes down what came of it.
    async fn settle(&self, ctx: &Ctx, mut sent: Vec<(Delivery, Response)>) -> Result<(), StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let mut tx = conn.begin().await?;
        let Some(mut subscriber) = store::subscribers::lock(&mut tx, self.client, self.subscriber).await?
        else {
            return Ok(());
        };
        let now = ctx.engine.now_in(&mut tx).await?;
        let mut disabled = None;
        for (delivery, response) in &mut sent {
            settled(delivery, response, now);
            disabled = disabled.or(subscriber.health.hear(response, now));
        }
        let deliveries: Vec<Delivery> = sent.into_iter().map(|(delivery, _)| delivery).collect();
        store::deliveries::save(&mut tx, &deliveries).await?;
        if let Some(reason) = disabled.filter(|_| subscriber.disabled_for.is_none()) {
            tracing::warn!(subscriber.id = %subscriber.id, reason, "a subscriber is disabled");
            subscribers::disable(&mut tx, &mut subscriber, &reason, now).await?;
        }
        store::subscribers::save(&mut tx, &subscriber).await?;
        Ok(tx.commit().await?)
    }

    /// Removes the job if nothing waits; else says how long it has to. Whoever adds a delivery takes the same
    /// lock: none is added between the look and the removal.
    async fn finish(&self, ctx: &Ctx) -> Result<Option<Duration>, StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let mut tx = conn.begin().await?;
        let subscriber = store::subscribers::lock(&mut tx, self.client, self.subscriber).await?;
        let pause = match subscriber.filter(|subscriber| subscriber.disabled_for.is_none()) {
            Some(subscriber) => pause(ctx, &mut tx, &subscriber).await?,
            None => None,
        };
        if pause.is_none() {
            let now = ctx.engine.now_in(&mut tx).await?;
            store::queue::finish(&mut tx, self.client, &[ctx.lease], now).await?;
        }
        tx.commit().await?;
        Ok(pause)
    }
}

async fn pause(
    ctx: &Ctx,
    conn: &mut PgConnection,
    subscriber: &Subscriber,
) -> Result<Option<Duration>, StoreError> {
    let Some(next) = store::deliveries::next_at(conn, subscriber.id).await? else { return Ok(None) };
    let at = subscriber.health.resting_until.map_or(next, |rest| rest.max(next));
    let now = ctx.engine.now_in(conn).await?;
    Ok(Some((at - now).to_std().unwrap_or(Duration::ZERO)))
}

impl Work {
    /// Sends them, some at once. Once several in a row were not taken, the rest is left for later.
    async fn send(self, ctx: &Ctx) -> Vec<(Delivery, Response)> {
        let Self { subscriber, deliveries, about, now } = self;
        let secrets = secrets(ctx, &subscriber, now);
        let in_a_row = AtomicUsize::new(0);
        let (subscriber, about, secrets, in_a_row) = (&subscriber, &about, &secrets, &in_a_row);
        let each = deliveries.into_iter().map(|delivery| async move {
            if in_a_row.load(Ordering::Relaxed) >= ENOUGH {
                return None;
            }
            let sent = send_one(ctx, subscriber, secrets, about, delivery, now).await;
            match sent.1 {
                Response::Took => in_a_row.store(0, Ordering::Relaxed),
                Response::Failed { .. } | Response::Gone => {
                    in_a_row.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(sent)
        });
        stream::iter(each).buffer_unordered(TOGETHER).filter_map(async |sent| sent).collect().await
    }
}

async fn send_one(
    ctx: &Ctx,
    subscriber: &Subscriber,
    secrets: &[SigningSecret],
    about: &HashMap<LeadId, About>,
    mut delivery: Delivery,
    now: Moment,
) -> (Delivery, Response) {
    let about = delivery.new.lead.and_then(|(lead, _)| about.get(&lead));
    let body = body(subscriber.client, &delivery.new, about);
    let timestamp = now.timestamp();
    let signatures: Vec<String> =
        secrets.iter().map(|secret| sign(secret, &delivery.new.event, timestamp, &body)).collect();
    let Ok(url) = Url::parse(&subscriber.url) else {
        delivery.last_error = Some("its address cannot be read".into());
        return (delivery, Response::Failed { retry_after: None });
    };
    let courier = ctx.engine.courier();
    let began = Instant::now();
    let sent = courier.send(&url, &delivery.new.event, timestamp, &signatures.join(" "), body).await;
    ctx.engine.metrics().delivered(&sent.response, began.elapsed());
    delivery.last_status = sent.status.and_then(|status| i16::try_from(status.as_u16()).ok());
    delivery.last_error = sent.error.map(|error| error.to_string().chars().take(ERROR_CHARS).collect());
    (delivery, sent.response)
}

/// The present secret, and the one before while it counts.
fn secrets(ctx: &Ctx, subscriber: &Subscriber, now: Moment) -> Vec<SigningSecret> {
    let old = subscriber.old_secret.as_ref().filter(|(_, until)| *until > now).map(|(sealed, _)| sealed);
    let sealed = std::iter::once(&subscriber.secret).chain(old);
    sealed.filter_map(|sealed| subscribers::open(&ctx.engine, subscriber, sealed)).collect()
}

/// Where a delivery stands after it was sent once more.
fn settled(delivery: &mut Delivery, response: &Response, now: Moment) {
    delivery.tries = delivery.tries.saturating_add(1);
    delivery.changed_at = now;
    let tries = u16::try_from(delivery.tries).unwrap_or(u16::MAX);
    (delivery.state, delivery.next_at) = match next(response, tries, now, rand::random()) {
        Next::Delivered => (DeliveryState::Delivered, None),
        Next::Again(at) => (DeliveryState::Waiting, Some(at)),
        Next::Failed => (DeliveryState::Failed, None),
    };
}
