//! How campaigns would go, and what is ordered for them again and again.

use outdial_jobs::operations::forecast::{self, LaunchPreview};
use outdial_jobs::operations::{OperationError, recurring, status};
use outdial_jobs::store::recurring::{Action, Recurring};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::simulate::{Assumed, Simulated};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{Backend, by};
use crate::cli::exit::usage;
use crate::client::Call;

/// A campaign, and whose it is.
type Place = (ClientId, CampaignId);

/// A recurring order, as the API tells it.
#[derive(Deserialize)]
struct Told {
    id: Uuid,
    campaign: CampaignId,
    cron: String,
    zone: String,
    action: Action,
    actor: String,
    next_at: Option<Moment>,
    last_at: Option<Moment>,
    last_error: Option<String>,
}

impl Told {
    fn of(self, client: ClientId) -> Recurring {
        let Self { id, campaign, cron, zone, action, actor, next_at, last_at, last_error } = self;
        Recurring { id, client, campaign, cron, zone, action, actor, next_at, last_at, last_error }
    }
}

#[derive(Deserialize)]
struct Schedules {
    items: Vec<Told>,
}

#[derive(Deserialize)]
struct StatusLink {
    url: String,
}

impl Backend<'_> {
    /// What would become of a campaign's leads if it dialled now. `progress` is told how many were looked at, where
    /// that is known.
    pub(in crate::cli) async fn preview_campaign(
        &self,
        (client, campaign): Place,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<LaunchPreview> {
        match self {
            Self::Database(app, _) => Ok(forecast::preview(&app.engine, client, campaign, progress).await?),
            Self::Server(server) => {
                let call = Call::new(Method::GET, format!("/v1/campaigns/{campaign}/preview")).long();
                Ok(server.read(&call).await?)
            }
        }
    }

    /// Plays a campaign through on paper.
    pub(in crate::cli) async fn simulate_campaign(
        &self,
        (client, campaign): Place,
        assumed: Assumed,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Simulated> {
        match self {
            Self::Database(app, _) => {
                Ok(forecast::simulate(&app.engine, client, campaign, assumed, progress).await?)
            }
            Self::Server(server) => {
                let Assumed { answered_percent, busy_percent, ring_s, talk_s, seed } = assumed;
                let call = Call::post(format!("/v1/campaigns/{campaign}/simulate")).long().json(json!({
                    "answered_percent": answered_percent, "busy_percent": busy_percent,
                    "ring_s": ring_s, "talk_s": talk_s, "seed": seed,
                }));
                Ok(server.read(&call).await?)
            }
        }
    }

    /// Sets a recurring order up.
    pub(in crate::cli) async fn add_schedule(
        &self,
        (client, campaign): Place,
        action: Action,
        (cron, zone): (&str, &str),
        reason: Option<&str>,
    ) -> anyhow::Result<Recurring> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, reason);
                Ok(recurring::add(&app.engine, client, campaign, cron, zone, action, by).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/campaigns/{campaign}/schedules")).because(reason)?;
                let call = call.json(json!({ "action": action, "cron": cron, "zone": zone }));
                Ok(server.read::<Told>(&call).await?.of(client))
            }
        }
    }

    /// A campaign's recurring orders.
    pub(in crate::cli) async fn schedules(
        &self,
        (client, campaign): Place,
    ) -> anyhow::Result<Vec<Recurring>> {
        match self {
            Self::Database(app, _) => Ok(recurring::list(&app.engine, campaign).await?),
            Self::Server(server) => {
                let found: Schedules = server.get(&format!("/v1/campaigns/{campaign}/schedules")).await?;
                Ok(found.items.into_iter().map(|told| told.of(client)).collect())
            }
        }
    }

    /// Takes a recurring order back.
    pub(in crate::cli) async fn remove_schedule(
        &self,
        given: &str,
        reason: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(recurring::remove(&app.engine, given, by(actor, reason)).await?),
            Self::Server(server) => {
                let not_found = |_| OperationError::NotFound { kind: "schedule", given: given.to_owned() };
                let id = Uuid::try_parse(given).map_err(not_found)?;
                let call = Call::new(Method::DELETE, format!("/v1/schedules/{id}"));
                server.send(&call.because(reason)?).await?;
                Ok(())
            }
        }
    }

    /// Gives out the link to a campaign's status, under this public address; without one, under the server's own.
    pub(in crate::cli) async fn status_link(
        &self,
        (client, campaign): Place,
        public: Option<&Url>,
        reason: Option<&str>,
    ) -> anyhow::Result<String> {
        let under = |public: &Url, path: &str| format!("{}{path}", public.as_str().trim_end_matches('/'));
        match self {
            Self::Database(app, actor) => {
                let public = public.ok_or_else(|| {
                    usage(
                        "say where `outdial serve` is reached from outside: --public-url, or \
                           serve.public_url in the configuration file",
                    )
                })?;
                let path = status::give_link(&app.engine, client, campaign, by(actor, reason)).await?;
                Ok(under(public, &path))
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/campaigns/{campaign}/status-link")).because(reason)?;
                let StatusLink { url } = server.read(&call).await?;
                let path = url.rfind("/v1/campaigns/").and_then(|at| url.get(at..));
                Ok(public.zip(path).map(|(public, path)| under(public, path)).unwrap_or(url))
            }
        }
    }
}
