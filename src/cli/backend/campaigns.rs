//! Campaigns: made, ordered, edited, looked at.

use outdial_jobs::operations::Part;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Ordered, Status};
use outdial_jobs::operations::hanging_up::{self, HungUp};
use outdial_jobs::store::attempts::Underway;
use outdial_jobs::store::campaigns::Campaign;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Ledger, Revision};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use outdial_workflows::rules::Rules;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::names::tenants;
use super::{Backend, by};
use crate::client::Call;

/// A campaign, and whose it is.
type Place = (ClientId, CampaignId);

#[derive(Deserialize)]
struct Made {
    id: CampaignId,
}

/// A campaign of a list, as the API tells it.
#[derive(Serialize, Deserialize)]
pub(in crate::cli) struct Listed {
    pub(in crate::cli) client: ClientId,
    #[serde(flatten)]
    pub(in crate::cli) campaign: Campaign,
}

#[derive(Deserialize)]
struct RulesOf {
    revision: i32,
    rules: Rules,
}

/// How an order went, as the API tells it.
#[derive(Deserialize)]
struct Answer {
    state: CampaignState,
    changed: bool,
    underway: Vec<GoesOn>,
    hung_up: Option<HungUp>,
}

/// A call that goes on, as the API tells it.
#[derive(Deserialize)]
pub(super) struct GoesOn {
    lead: LeadId,
    attempt: u16,
    account: AccountId,
    ledger: Ledger,
}

pub(super) fn underway(goes_on: Vec<GoesOn>) -> Vec<Underway> {
    let one = |GoesOn { lead, attempt, account, ledger }| Underway { lead, number: attempt, account, ledger };
    goes_on.into_iter().map(one).collect()
}

impl From<Answer> for Ordered {
    fn from(result: Answer) -> Self {
        Self {
            state: result.state,
            changed: result.changed,
            underway: underway(result.underway),
            hung_up: result.hung_up,
        }
    }
}

impl Backend<'_> {
    /// Makes a campaign, in draft.
    pub(in crate::cli) async fn create_campaign(
        &self,
        (client, account): (ClientId, AccountId),
        name: &str,
        rules: &Rules,
    ) -> anyhow::Result<CampaignId> {
        match self {
            Self::Database(app, actor) => {
                let spec = CampaignSpec { name, account, rules, actor };
                Ok(campaigns::create(&app.engine, client, spec).await?)
            }
            Self::Server(server) => {
                let body = json!({ "name": name, "account": account, "rules": rules });
                let call = Call::post(format!("/v1/clients/{client}/campaigns")).json(body);
                Ok(server.read::<Made>(&call).await?.id)
            }
        }
    }

    /// Makes a campaign like another, in draft.
    pub(in crate::cli) async fn clone_campaign(
        &self,
        (client, campaign): Place,
        name: &str,
    ) -> anyhow::Result<CampaignId> {
        match self {
            Self::Database(app, actor) => {
                Ok(campaigns::clone(&app.engine, client, campaign, name, actor).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/campaigns/{campaign}/clone"));
                Ok(server.read::<Made>(&call.json(json!({ "name": name }))).await?.id)
            }
        }
    }

    /// Campaigns, the newest first, of one client or of all; at most so many.
    pub(in crate::cli) async fn campaigns(
        &self,
        client: Option<ClientId>,
        most: usize,
    ) -> anyhow::Result<Vec<Listed>> {
        let clients: Vec<ClientId> = match (client, self) {
            (Some(client), _) => vec![client],
            (None, Self::Database(..)) => self.clients().await?.into_iter().map(|(id, _)| id).collect(),
            (None, Self::Server(server)) => tenants(server).await?.into_iter().map(|of| of.id).collect(),
        };
        let mut found: Vec<Listed> = vec![];
        for client in clients {
            match self {
                Self::Database(app, _) => {
                    let part = Part::newest(i64::try_from(most).unwrap_or(i64::MAX));
                    let campaigns = campaigns::list(&app.engine, client, None, part).await?;
                    found.extend(campaigns.into_iter().map(|campaign| Listed { client, campaign }));
                }
                Self::Server(server) => {
                    let path = format!("/v1/clients/{client}/campaigns");
                    found.extend(server.list::<Listed>(&path, &[], most).await?);
                }
            }
        }
        // Ids begin with the time at which they were made.
        found.sort_by_key(|listed| std::cmp::Reverse(listed.campaign.id));
        found.truncate(most);
        Ok(found)
    }

    /// Gives a campaign an order; a pause ends by itself at `resume_at`. With `hang_up`, calls under way are
    /// ended.
    pub(in crate::cli) async fn order_campaign(
        &self,
        (client, campaign): Place,
        order: Order,
        reason: Option<&str>,
        resume_at: Option<Moment>,
        hang_up: bool,
    ) -> anyhow::Result<Ordered> {
        match self {
            Self::Database(app, actor) => {
                let engine = &app.engine;
                let ordered =
                    campaigns::order_until(engine, client, campaign, order, actor, reason, resume_at);
                let mut ordered = ordered.await?;
                if hang_up {
                    let by = by(actor, reason);
                    ordered.hung_up = Some(hanging_up::hang_up(engine, client, &ordered.underway, by).await?);
                }
                Ok(ordered)
            }
            Self::Server(server) => {
                let call =
                    Call::post(format!("/v1/campaigns/{campaign}/{}", order.name())).because(reason)?;
                let call = call.json(json!({ "resume_at": resume_at, "hang_up": hang_up }));
                Ok(server.read::<Answer>(&call).await?.into())
            }
        }
    }

    /// A campaign's rules, and their revision.
    pub(in crate::cli) async fn campaign_rules(
        &self,
        (client, campaign): Place,
    ) -> anyhow::Result<(Revision, Rules)> {
        match self {
            Self::Database(app, _) => Ok(campaigns::rules(&app.engine, client, campaign).await?),
            Self::Server(server) => {
                let RulesOf { revision, rules } =
                    server.get(&format!("/v1/campaigns/{campaign}/rules")).await?;
                Ok((Revision(revision), rules))
            }
        }
    }

    /// Gives a campaign new rules, made on the revision `from`.
    pub(in crate::cli) async fn edit_campaign(
        &self,
        (client, campaign): Place,
        from: Revision,
        rules: &Rules,
        reason: Option<&str>,
    ) -> anyhow::Result<Revision> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, reason);
                Ok(campaigns::edit(&app.engine, client, campaign, from, rules, by).await?)
            }
            Self::Server(server) => {
                let call = Call::new(Method::PUT, format!("/v1/campaigns/{campaign}/rules"));
                let call = call.header("if-match", &format!("\"{}\"", from.0))?.because(reason)?;
                let edited: RulesOf = server.read(&call.json(json!(rules))).await?;
                Ok(Revision(edited.revision))
            }
        }
    }

    /// How a campaign stands.
    pub(in crate::cli) async fn campaign_status(&self, (client, campaign): Place) -> anyhow::Result<Status> {
        match self {
            Self::Database(app, _) => Ok(campaigns::status(&app.engine, client, campaign).await?),
            Self::Server(server) => Ok(server.get(&format!("/v1/campaigns/{campaign}")).await?),
        }
    }
}
