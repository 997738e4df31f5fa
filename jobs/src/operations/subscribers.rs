//! Who is told of events: made, changed, tried, disabled; and what they were told.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::delivering::Health;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, new_id};
use outdial_workflows::outward;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::{SUBSCRIBERS, Signal};
use crate::events::{SigningSecret, wake};
use crate::store::audit::Entry;
use crate::store::deliveries::NewDelivery;
pub use crate::store::deliveries::{Delivery, DeliveryState};
pub use crate::store::subscribers::Subscriber;
use crate::store::{self, StoreError};

/// The most subscribers of a client.
pub const MOST: usize = 50;
/// The most characters of a description.
pub const DESCRIPTION_CHARS: usize = 300;
/// How long events are signed with the secret before, too, after a change.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// How long what waits for a subscriber is kept for it, and how long the journal is.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(7);

/// What somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Where events are sent to.
    pub url: String,
    /// What it is, for people.
    pub description: String,
    /// Of which types; empty for all.
    pub types: Vec<String>,
    /// Of which campaigns; empty for all.
    pub campaigns: Vec<CampaignId>,
}

impl Spec {
    fn check(&self, engine: &Engine) -> Result<(), OperationError> {
        let invalid = |place: &str, problem: String| OperationError::Invalid { place: place.into(), problem };
        let url =
            Url::parse(&self.url).map_err(|error| invalid("url", format!("it is no address: {error}")))?;
        engine.courier().check(&url).map_err(|error| invalid("url", error.to_string()))?;
        outward::check(&self.types).map_err(|problem| invalid("types", problem))?;
        if self.description.chars().count() > DESCRIPTION_CHARS {
            let problem = format!("it is longer than {DESCRIPTION_CHARS} characters; shorten it");
            return Err(invalid("description", problem));
        }
        Ok(())
    }

    async fn check_campaigns(&self, conn: &mut PgConnection, client: ClientId) -> Result<(), OperationError> {
        for campaign in &self.campaigns {
            if store::campaigns::lock_state(conn, client, *campaign).await?.is_none() {
                let problem = format!("there is no campaign `{campaign}`");
                return Err(OperationError::Invalid { place: "campaigns".into(), problem });
            }
        }
        Ok(())
    }
}

/// Makes a subscriber: it is told of what happens from now on. The secret is told once.
///
/// # Errors
/// If the address, a type or a campaign is not one, or there are [`MOST`] already.
pub async fn create(
    engine: &Engine,
    client: ClientId,
    spec: &Spec,
    by: By<'_>,
) -> Result<(Subscriber, SecretString), OperationError> {
    spec.check(engine)?;
    let mut tx = engine.pool().begin().await?;
    if !store::clients::exists(&mut tx, client).await? {
        return Err(OperationError::NotFound { kind: "client", given: client.to_string() });
    }
    spec.check_campaigns(&mut tx, client).await?;
    store::journal::begin_cursor(&mut tx, client).await?;
    if store::subscribers::lock_of_client(&mut tx, client).await?.len() >= MOST {
        let problem = format!("a client may have {MOST} subscribers; delete one that nobody needs");
        return Err(OperationError::NotPossible(problem));
    }
    let now = engine.now_in(&mut tx).await?;
    let id = new_id(now);
    let secret = SigningSecret::generate();
    let made = Subscriber {
        client,
        id,
        url: spec.url.clone(),
        description: spec.description.clone(),
        types: spec.types.clone(),
        campaigns: spec.campaigns.clone(),
        secret: engine.key().seal(client, AccountId(id), secret.bytes()),
        old_secret: None,
        disabled_for: None,
        health: Health::default(),
        created_by: by.actor.to_owned(),
        created_at: now,
        changed_at: now,
    };
    store::subscribers::insert(&mut tx, &made).await?;
    note(&mut tx, &made, "create", by, now).await?;
    changed(&mut tx).await?;
    tx.commit().await?;
    engine.hub().change_subscribers();
    Ok((made, secret.told()))
}

/// Tells every process that there is somebody to tell, or nobody any more.
async fn changed(conn: &mut PgConnection) -> Result<(), StoreError> {
    store::notify(conn, SUBSCRIBERS).await
}

/// A signing secret that was stored; `None` if another key sealed it.
pub(crate) fn open(engine: &Engine, subscriber: &Subscriber, sealed: &[u8]) -> Option<SigningSecret> {
    engine.key().open(subscriber.client, AccountId(subscriber.id), sealed).ok().map(SigningSecret::of)
}

/// The subscriber with this id.
///
/// # Errors
/// If there is none.
pub async fn find(engine: &Engine, id: Uuid) -> Result<Subscriber, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    store::subscribers::find(&mut conn, id).await?.ok_or_else(|| not_found(id))
}

fn not_found(id: Uuid) -> OperationError {
    OperationError::NotFound { kind: "subscriber", given: id.to_string() }
}

/// A client's subscribers.
///
/// # Errors
/// The database.
pub async fn list(engine: &Engine, client: ClientId) -> Result<Vec<Subscriber>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::subscribers::of_client(&mut conn, client).await?)
}

/// What is ordered for a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is told of other things, or elsewhere.
    Edit(Spec),
    /// Nothing is sent to it; what happens meanwhile waits for it, for a week.
    Disable,
    /// It is sent to again, first of all what waits for it.
    Enable,
}

/// Carries an order out.
///
/// # Errors
/// If there is no such subscriber, or an edit is not sound.
pub async fn change(
    engine: &Engine,
    id: Uuid,
    change: &Change,
    by: By<'_>,
) -> Result<Subscriber, OperationError> {
    let client = find(engine, id).await?.client;
    let mut tx = engine.pool().begin().await?;
    let mut subscriber = store::subscribers::lock(&mut tx, client, id).await?.ok_or_else(|| not_found(id))?;
    let now = engine.now_in(&mut tx).await?;
    let action = match change {
        Change::Edit(spec) => {
            spec.check(engine)?;
            spec.check_campaigns(&mut tx, client).await?;
            let Spec { url, description, types, campaigns } = spec.clone();
            subscriber = Subscriber { url, description, types, campaigns, ..subscriber };
            "edit"
        }
        Change::Disable => {
            subscriber.disabled_for = Some(format!("by {}", by.actor));
            "disable"
        }
        Change::Enable => {
            subscriber.disabled_for = None;
            subscriber.health = Health::default();
            "enable"
        }
    };
    subscriber.changed_at = now;
    store::subscribers::save(&mut tx, &subscriber).await?;
    note(&mut tx, &subscriber, action, by, now).await?;
    let runs = wake(&mut tx, &subscriber, now).await?;
    tx.commit().await?;
    if runs {
        engine.hub().signal(client, Signal::JOBS);
    }
    Ok(subscriber)
}

/// Disables a subscriber that does not answer, and tells the client's others.
pub(crate) async fn disable(
    conn: &mut PgConnection,
    subscriber: &mut Subscriber,
    reason: &str,
    now: Moment,
) -> Result<(), StoreError> {
    subscriber.disabled_for = Some(reason.to_owned());
    subscriber.changed_at = now;
    let by = By { actor: "outdial", reason: Some(reason) };
    note(conn, subscriber, "disable", by, now).await?;
    let kind = "subscriber.disabled";
    let others = store::subscribers::of_client(conn, subscriber.client).await?;
    let others: Vec<&Subscriber> = others
        .iter()
        .filter(|other| other.id != subscriber.id && outward::takes(&other.types, kind))
        .collect();
    let new: Vec<NewDelivery> = others
        .iter()
        .map(|other| NewDelivery {
            subscriber: other.id,
            event: format!("{}.disabled.{}", subscriber.id, now.timestamp_micros()),
            kind: kind.to_owned(),
            at: now,
            lead: None,
            told: json!({ "subscriber": subscriber.id, "reason": reason }),
        })
        .collect();
    store::deliveries::insert(conn, subscriber.client, &new, now).await?;
    for other in others {
        wake(conn, other, now).await?;
    }
    Ok(())
}

/// Deletes a subscriber: nothing is sent to it any more.
///
/// # Errors
/// If there is none.
pub async fn delete(engine: &Engine, id: Uuid, by: By<'_>) -> Result<(), OperationError> {
    let subscriber = find(engine, id).await?;
    let client = subscriber.client;
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let all = store::subscribers::lock_of_client(&mut tx, client).await?;
    store::subscribers::delete(&mut tx, client, id, now).await?;
    if all.iter().all(|one| one.id == id) {
        store::journal::end_cursor(&mut tx, client).await?;
    }
    note(&mut tx, &subscriber, "delete", by, now).await?;
    changed(&mut tx).await?;
    tx.commit().await?;
    engine.hub().change_subscribers();
    Ok(())
}

/// Makes a new signing secret, which is told once. Events are signed with the one before, too, for [`OVERLAP`].
///
/// # Errors
/// If there is no such subscriber.
pub async fn rotate(
    engine: &Engine,
    id: Uuid,
    by: By<'_>,
) -> Result<(Subscriber, SecretString), OperationError> {
    let client = find(engine, id).await?.client;
    let mut tx = engine.pool().begin().await?;
    let mut subscriber = store::subscribers::lock(&mut tx, client, id).await?.ok_or_else(|| not_found(id))?;
    let now = engine.now_in(&mut tx).await?;
    let secret = SigningSecret::generate();
    let sealed = engine.key().seal(client, AccountId(id), secret.bytes());
    subscriber.old_secret = Some((std::mem::replace(&mut subscriber.secret, sealed), now + OVERLAP));
    subscriber.changed_at = now;
    store::subscribers::save(&mut tx, &subscriber).await?;
    note(&mut tx, &subscriber, "rotate", by, now).await?;
    tx.commit().await?;
    Ok((subscriber, secret.told()))
}

/// Sends an event of the type `ping`, to see whether a subscriber takes it.
///
/// # Errors
/// If there is no such subscriber.
pub async fn ping(engine: &Engine, id: Uuid, by: By<'_>) -> Result<(), OperationError> {
    let subscriber = find(engine, id).await?;
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    store::subscribers::lock(&mut tx, subscriber.client, id).await?;
    let new = NewDelivery {
        subscriber: id,
        event: format!("{id}.ping.{}", now.timestamp_micros()),
        kind: outward::PING.to_owned(),
        at: now,
        lead: None,
        told: json!({ "by": by.actor }),
    };
    store::deliveries::insert(&mut tx, subscriber.client, &[new], now).await?;
    let runs = wake(&mut tx, &subscriber, now).await?;
    tx.commit().await?;
    if runs {
        engine.hub().signal(subscriber.client, Signal::JOBS);
    }
    Ok(())
}

/// A subscriber's deliveries before `before`, the latest first.
///
/// # Errors
/// The database.
pub async fn deliveries(
    engine: &Engine,
    id: Uuid,
    state: Option<DeliveryState>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::deliveries::list(&mut conn, id, state, before, limit).await?)
}

/// Which deliveries are sent anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(i64),
    /// All that failed since.
    FailedSince(Moment),
    /// All since, delivered or not: for a subscriber that lost what it took.
    AllSince(Moment),
}

/// Sends deliveries anew. Returns how many.
///
/// # Errors
/// If there is no such subscriber, or delivery.
pub async fn redeliver(engine: &Engine, id: Uuid, which: Which, by: By<'_>) -> Result<u64, OperationError> {
    let subscriber = find(engine, id).await?;
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    store::subscribers::lock(&mut tx, subscriber.client, id).await?;
    let wanted = match which {
        Which::One(delivery) => (Some(delivery), None, None),
        Which::FailedSince(since) => (None, Some(DeliveryState::Failed), Some(since)),
        Which::AllSince(since) => (None, None, Some(since)),
    };
    let again = store::deliveries::again(&mut tx, id, wanted, now).await?;
    if let (Which::One(delivery), 0) = (which, again) {
        return Err(OperationError::NotFound { kind: "delivery", given: delivery.to_string() });
    }
    note(&mut tx, &subscriber, "redeliver", by, now).await?;
    let runs = wake(&mut tx, &subscriber, now).await?;
    tx.commit().await?;
    if runs {
        engine.hub().signal(subscriber.client, Signal::JOBS);
    }
    Ok(again)
}

async fn note(
    conn: &mut PgConnection,
    subscriber: &Subscriber,
    action: &str,
    By { actor, reason }: By<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let details: Value = json!({ "url": subscriber.url, "types": subscriber.types });
    let entry = Entry { actor, action, subject: "subscriber", id: subscriber.id, reason, details: &details };
    store::audit::note(conn, subscriber.client, entry, now).await
}
