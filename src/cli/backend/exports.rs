//! What is taken out of a campaign, and how calls went.

use bytes::Bytes;
use outdial_jobs::operations::analytics::{self, Asked};
use outdial_jobs::operations::exports::{Export, Format, What};
use outdial_workflows::analytics::Analysis;
use outdial_workflows::ids::{CampaignId, ClientId};
use reqwest::{Method, Response};

use super::Backend;
use crate::app::App;
use crate::client::Call;

/// An export, piece by piece.
pub(in crate::cli) enum Rows<'a> {
    Database { app: &'a App, export: Export, what: What, format: Format, head: bool },
    Server(Response),
}

impl Rows<'_> {
    /// The next piece; `None` at the end.
    pub(in crate::cli) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        match self {
            Self::Database { app, export, what, format, head } => {
                if std::mem::take(head) {
                    return Ok(Some(format.head(*what).into()));
                }
                let page = export.next(&app.engine).await?;
                Ok(page.map(|page| format.rows(*what, &page).into()))
            }
            Self::Server(response) => {
                let piece = response.chunk().await.map_err(reqwest::Error::without_url);
                piece.map_err(|error| anyhow::Error::from(error).context("the export was cut short"))
            }
        }
    }
}

impl<'a> Backend<'a> {
    /// Takes a campaign's rows out.
    pub(in crate::cli) async fn export(
        &self,
        (client, campaign): (ClientId, CampaignId),
        what: What,
        format: Format,
    ) -> anyhow::Result<Rows<'a>> {
        match self {
            Self::Database(app, _) => {
                let export = Export::new(client, campaign, what);
                Ok(Rows::Database { app, export, what, format, head: true })
            }
            Self::Server(server) => {
                let name = match format {
                    Format::Csv => "csv",
                    Format::JsonLines => "jsonl",
                };
                let call = Call::new(Method::GET, format!("/v1/campaigns/{campaign}/export")).long();
                let call = call.query("of", what.name()).query("format", name);
                Ok(Rows::Server(server.send(&call).await?))
            }
        }
    }

    /// How the calls of a client, or of one of its campaigns, went.
    pub(in crate::cli) async fn analytics(&self, client: ClientId, asked: Asked) -> anyhow::Result<Analysis> {
        match self {
            Self::Database(app, _) => Ok(analytics::calls(&app.engine, client, asked).await?),
            Self::Server(server) => {
                let Asked { campaign, from, until, zone } = asked;
                let path = match campaign {
                    Some(campaign) => format!("/v1/campaigns/{campaign}/analytics"),
                    None => format!("/v1/clients/{client}/analytics"),
                };
                let mut call = Call::new(Method::GET, path);
                for (name, time) in [("from", from), ("until", until)] {
                    if let Some(time) = time {
                        call = call.query(name, time.to_rfc3339());
                    }
                }
                if let Some(zone) = zone {
                    call = call.query("zone", zone.name());
                }
                Ok(server.read(&call).await?)
            }
        }
    }
}
