//! Google Sheets that campaigns take their leads from.

use outdial_jobs::import::Options;
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::imports::ImportState;
use outdial_jobs::operations::sheets::{self, NewLink, Sheet, SheetResult, Times};
use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Backend, by};
use crate::client::Call;

/// A sheet, as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Linked {
    pub(in crate::cli) id: Uuid,
    client: ClientId,
    campaign: CampaignId,
    pub(in crate::cli) link: String,
    pub(in crate::cli) region: Option<String>,
    pub(in crate::cli) consent: Option<Value>,
    pub(in crate::cli) cron: Option<String>,
    pub(in crate::cli) zone: Option<String>,
    pub(in crate::cli) next_at: Option<Moment>,
    pub(in crate::cli) refreshing: bool,
    /// How often in a row it failed for what may pass.
    pub(in crate::cli) failures: i16,
    pub(in crate::cli) last_at: Option<Moment>,
    pub(in crate::cli) last_result: Option<SheetResult>,
    pub(in crate::cli) last_error: Option<String>,
    pub(in crate::cli) title: Option<String>,
    pub(in crate::cli) import: Option<Uuid>,
    pub(in crate::cli) import_state: Option<ImportState>,
    pub(in crate::cli) import_failed_for: Option<String>,
    actor: String,
    created_at: Moment,
}

impl From<Sheet> for Linked {
    fn from(sheet: Sheet) -> Self {
        let said = |name: &str| sheet.options.get(name).filter(|said| !said.is_null()).cloned();
        Self {
            region: said("default_region").and_then(|region| region.as_str().map(str::to_owned)),
            consent: said("consent"),
            id: sheet.id,
            client: sheet.client,
            campaign: sheet.campaign,
            link: sheet.link,
            cron: sheet.cron,
            zone: sheet.zone,
            next_at: sheet.next_at,
            refreshing: sheet.refresh.is_some(),
            failures: sheet.failures,
            last_at: sheet.last_at,
            last_result: sheet.last_result,
            last_error: sheet.last_error,
            title: sheet.last_title,
            import: sheet.last_import,
            import_state: sheet.import_state,
            import_failed_for: sheet.import_failed_for,
            actor: sheet.actor,
            created_at: sheet.created_at,
        }
    }
}

/// What is said of a sheet's rows, and when it is refreshed by itself.
pub(in crate::cli) struct Said<'a> {
    pub(in crate::cli) options: Options,
    pub(in crate::cli) cron: Option<&'a str>,
    pub(in crate::cli) zone: Option<&'a str>,
}

impl Said<'_> {
    fn body(&self) -> Value {
        let Options { default_region, consent, .. } = &self.options;
        json!({ "region": default_region, "consent": consent, "cron": self.cron, "zone": self.zone })
    }
}

fn path(given: &str) -> Result<String, OperationError> {
    let not_found = |_| OperationError::NotFound { kind: "sheet", given: given.to_owned() };
    Ok(format!("/v1/sheets/{}", Uuid::try_parse(given).map_err(not_found)?))
}

impl Backend<'_> {
    /// Links a sheet to a campaign.
    pub(in crate::cli) async fn link_sheet(
        &self,
        (client, campaign): (ClientId, CampaignId),
        link: &str,
        said: &Said<'_>,
        reason: Option<&str>,
    ) -> anyhow::Result<Linked> {
        match self {
            Self::Database(app, actor) => {
                let (options, by) = (&said.options, by(actor, reason));
                let times = Times::given(said.cron, said.zone)?;
                let new = NewLink { client, campaign, link, options, times, by };
                Ok(sheets::link(&app.engine, new).await?.into())
            }
            Self::Server(server) => {
                let mut body = said.body();
                body["link"] = json!(link);
                let call = Call::post(format!("/v1/campaigns/{campaign}/sheets")).because(reason)?;
                Ok(server.read(&call.json(body)).await?)
            }
        }
    }

    /// A campaign's sheets, the latest first, at most so many.
    pub(in crate::cli) async fn sheets(
        &self,
        (client, campaign): (ClientId, CampaignId),
        most: u32,
    ) -> anyhow::Result<Vec<Linked>> {
        match self {
            Self::Database(app, _) => {
                let found = sheets::list(&app.engine, client, campaign, None, most.into()).await?;
                Ok(found.into_iter().map(Linked::from).collect())
            }
            Self::Server(server) => {
                Ok(server.list(&format!("/v1/campaigns/{campaign}/sheets"), &[], most as usize).await?)
            }
        }
    }

    /// The sheet with this id.
    pub(in crate::cli) async fn sheet(&self, given: &str) -> anyhow::Result<Linked> {
        match self {
            Self::Database(app, _) => Ok(sheets::find(&app.engine, given).await?.into()),
            Self::Server(server) => Ok(server.get(&path(given)?).await?),
        }
    }

    /// Asks for a refresh.
    pub(in crate::cli) async fn refresh_sheet(
        &self,
        given: &str,
        reason: Option<&str>,
    ) -> anyhow::Result<Linked> {
        match self {
            Self::Database(app, actor) => {
                Ok(sheets::refresh_now(&app.engine, given, by(actor, reason)).await?.into())
            }
            Self::Server(server) => {
                let call = Call::post(format!("{}/refresh", path(given)?)).because(reason)?;
                Ok(server.read(&call).await?)
            }
        }
    }

    /// Says anew what is said of a sheet's rows, and when it is refreshed by itself: all of it.
    pub(in crate::cli) async fn change_sheet(
        &self,
        given: &str,
        said: &Said<'_>,
        reason: Option<&str>,
    ) -> anyhow::Result<Linked> {
        match self {
            Self::Database(app, actor) => {
                let times = Times::given(said.cron, said.zone)?;
                let by = by(actor, reason);
                Ok(sheets::change(&app.engine, given, &said.options, times, by).await?.into())
            }
            Self::Server(server) => {
                let call = Call::new(Method::PUT, path(given)?).because(reason)?;
                Ok(server.read(&call.json(said.body())).await?)
            }
        }
    }

    /// Unlinks a sheet.
    pub(in crate::cli) async fn unlink_sheet(&self, given: &str, reason: Option<&str>) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => Ok(sheets::unlink(&app.engine, given, by(actor, reason)).await?),
            Self::Server(server) => {
                server.send(&Call::new(Method::DELETE, path(given)?).because(reason)?).await?;
                Ok(())
            }
        }
    }
}
