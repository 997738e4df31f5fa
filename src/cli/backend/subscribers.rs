//! Who is told of events, and what they were told.

use outdial_jobs::operations::subscribers::{self, Change, Delivery, DeliveryState, Spec, Subscriber, Which};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Backend, by};
use crate::client::Call;

/// A subscriber, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Subscribed {
    pub(in crate::cli) id: Uuid,
    client: ClientId,
    pub(in crate::cli) url: String,
    pub(in crate::cli) description: String,
    pub(in crate::cli) types: Vec<String>,
    campaigns: Vec<CampaignId>,
    enabled: bool,
    pub(in crate::cli) disabled_for: Option<String>,
    pub(in crate::cli) failures: u32,
    failing_since: Option<Moment>,
    pub(in crate::cli) resting_until: Option<Moment>,
}

impl From<Subscriber> for Subscribed {
    fn from(subscriber: Subscriber) -> Self {
        Self {
            id: subscriber.id,
            client: subscriber.client,
            url: subscriber.url,
            description: subscriber.description,
            types: subscriber.types,
            campaigns: subscriber.campaigns,
            enabled: subscriber.disabled_for.is_none(),
            disabled_for: subscriber.disabled_for,
            failures: subscriber.health.failures,
            failing_since: subscriber.health.failing_since,
            resting_until: subscriber.health.resting_until,
        }
    }
}

/// A subscriber whose secret is told.
#[derive(Deserialize)]
struct WithSecret {
    #[serde(flatten)]
    subscriber: Subscribed,
    secret: SecretString,
}

/// A delivery, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Delivered {
    pub(in crate::cli) id: i64,
    pub(in crate::cli) event: String,
    #[serde(rename = "type")]
    pub(in crate::cli) kind: String,
    at: Moment,
    lead: Option<LeadId>,
    pub(in crate::cli) state: DeliveryState,
    pub(in crate::cli) tries: i16,
    pub(in crate::cli) next_at: Option<Moment>,
    pub(in crate::cli) last_status: Option<i16>,
    pub(in crate::cli) last_error: Option<String>,
}

impl From<Delivery> for Delivered {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.new.event,
            kind: delivery.new.kind,
            at: delivery.new.at,
            lead: delivery.new.lead.map(|(lead, _)| lead),
            state: delivery.state,
            tries: delivery.tries,
            next_at: delivery.next_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
        }
    }
}

#[derive(Deserialize)]
struct Found {
    items: Vec<Subscribed>,
}

#[derive(Deserialize)]
struct Redelivered {
    deliveries: u64,
}

fn asked(spec: &Spec) -> Value {
    let Spec { url, description, types, campaigns } = spec;
    json!({ "url": url, "description": description, "types": types, "campaigns": campaigns })
}

impl Backend<'_> {
    /// Makes a subscriber. Its secret is told once.
    pub(in crate::cli) async fn subscribe(
        &self,
        client: ClientId,
        spec: &Spec,
    ) -> anyhow::Result<(Subscribed, SecretString)> {
        match self {
            Self::Database(app, actor) => {
                let made = subscribers::create(&app.engine, client, spec, by(actor, None)).await?;
                Ok((made.0.into(), made.1))
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{client}/subscribers")).json(asked(spec));
                let WithSecret { subscriber, secret } = server.read(&call).await?;
                Ok((subscriber, secret))
            }
        }
    }

    /// A client's subscribers.
    pub(in crate::cli) async fn subscribers(&self, client: ClientId) -> anyhow::Result<Vec<Subscribed>> {
        match self {
            Self::Database(app, _) => {
                let found = subscribers::list(&app.engine, client).await?;
                Ok(found.into_iter().map(Subscribed::from).collect())
            }
            Self::Server(server) => {
                Ok(server.get::<Found>(&format!("/v1/clients/{client}/subscribers")).await?.items)
            }
        }
    }

    /// Changes a subscriber.
    pub(in crate::cli) async fn change_subscriber(
        &self,
        id: Uuid,
        change: &Change,
        reason: Option<&str>,
    ) -> anyhow::Result<Subscribed> {
        match self {
            Self::Database(app, actor) => {
                Ok(subscribers::change(&app.engine, id, change, by(actor, reason)).await?.into())
            }
            Self::Server(server) => {
                let path = format!("/v1/subscribers/{id}");
                let call = match change {
                    Change::Edit(spec) => Call::new(Method::PUT, path).json(asked(spec)),
                    Change::Enable => Call::post(path + "/enable"),
                    Change::Disable => Call::post(path + "/disable"),
                };
                Ok(server.read(&call.because(reason)?).await?)
            }
        }
    }

    /// Makes a new secret for a subscriber, which is told once.
    pub(in crate::cli) async fn rotate_subscriber(
        &self,
        id: Uuid,
        reason: Option<&str>,
    ) -> anyhow::Result<(Subscribed, SecretString)> {
        match self {
            Self::Database(app, actor) => {
                let (changed, secret) = subscribers::rotate(&app.engine, id, by(actor, reason)).await?;
                Ok((changed.into(), secret))
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/subscribers/{id}/rotate")).because(reason)?;
                let WithSecret { subscriber, secret } = server.read(&call).await?;
                Ok((subscriber, secret))
            }
        }
    }

    /// Sends a subscriber an event of the type ping.
    pub(in crate::cli) async fn ping_subscriber(&self, id: Uuid, reason: Option<&str>) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(subscribers::ping(&app.engine, id, by(actor, reason)).await?),
            Self::Server(server) => {
                server.send(&Call::post(format!("/v1/subscribers/{id}/ping")).because(reason)?).await?;
                Ok(())
            }
        }
    }

    /// Deletes a subscriber.
    pub(in crate::cli) async fn delete_subscriber(
        &self,
        id: Uuid,
        reason: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(subscribers::delete(&app.engine, id, by(actor, reason)).await?),
            Self::Server(server) => {
                let call = Call::new(Method::DELETE, format!("/v1/subscribers/{id}"));
                server.send(&call.because(reason)?).await?;
                Ok(())
            }
        }
    }

    /// What a subscriber was told, the latest first, at most so many.
    pub(in crate::cli) async fn deliveries(
        &self,
        id: Uuid,
        state: Option<DeliveryState>,
        most: u32,
    ) -> anyhow::Result<Vec<Delivered>> {
        match self {
            Self::Database(app, _) => {
                subscribers::find(&app.engine, id).await?;
                let found = subscribers::deliveries(&app.engine, id, state, None, most.into()).await?;
                Ok(found.into_iter().map(Delivered::from).collect())
            }
            Self::Server(server) => {
                let state = state.map(|state| ("state", state.name()));
                let path = format!("/v1/subscribers/{id}/deliveries");
                Ok(server.list(&path, state.as_slice(), most as usize).await?)
            }
        }
    }

    /// Sends deliveries anew. Returns how many.
    pub(in crate::cli) async fn redeliver(&self, id: Uuid, which: Which) -> anyhow::Result<u64> {
        match self {
            Self::Database(app, actor) => {
                Ok(subscribers::redeliver(&app.engine, id, which, by(actor, None)).await?)
            }
            Self::Server(server) => {
                let body = match which {
                    Which::One(delivery) => json!({ "delivery": delivery }),
                    Which::FailedSince(since) => json!({ "since": since }),
                    Which::AllSince(since) => json!({ "since": since, "delivered_too": true }),
                };
                let call = Call::post(format!("/v1/subscribers/{id}/redeliver")).json(body);
                Ok(server.read::<Redelivered>(&call).await?.deliveries)
            }
        }
    }
}

/// A subscriber with its secret, for whoever asked for it.
pub(in crate::cli) fn told_with(subscriber: &Subscribed, secret: &SecretString) -> Value {
    let mut told = json!(subscriber);
    told["secret"] = json!(secret.expose_secret());
    told
}
