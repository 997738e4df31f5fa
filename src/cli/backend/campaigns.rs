//! Campaigns: made, ordered, edited, looked at.

use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Ordered, Status};
use outdial_jobs::store::attempts::Underway;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Ledger, Revision};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use outdial_workflows::rules::Rules;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Backend, by};
use crate::client::Call;

/// A campaign, and whose it is.
type Place = (ClientId, CampaignId);

#[derive(Deserialize)]
struct Made {
    id: CampaignId,
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
}

#[derive(Deserialize)]
struct GoesOn {
    lead: LeadId,
    attempt: u16,
    ledger: Ledger,
}

impl From<Answer> for Ordered {
    fn from(result: Answer) -> Self {
        let underway = result.underway.into_iter();
        let underway =
            underway.map(|GoesOn { lead, attempt, ledger }| Underway { lead, number: attempt, ledger });
        Self { state: result.state, changed: result.changed, underway: underway.collect() }
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

    /// Gives a campaign an order; a pause ends by itself at `resume_at`.
    pub(in crate::cli) async fn order_campaign(
        &self,
        (client, campaign): Place,
        order: Order,
        reason: Option<&str>,
        resume_at: Option<Moment>,
    ) -> anyhow::Result<Ordered> {
        match self {
            Self::Database(app, actor) => {
                let engine = &app.engine;
                let ordered =
                    campaigns::order_until(engine, client, campaign, order, actor, reason, resume_at);
                Ok(ordered.await?)
            }
            Self::Server(server) => {
                let call =
                    Call::post(format!("/v1/campaigns/{campaign}/{}", order.name())).because(reason)?;
                let call = call.json(json!({ "resume_at": resume_at }));
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
