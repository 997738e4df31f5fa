//! Conversations of our own agent.

use std::collections::VecDeque;

use anyhow::Context;
use futures_util::StreamExt;
use outdial_jobs::operations::conversations::{self, UnderWay};
use outdial_jobs::operations::following::{self, Following};
use outdial_jobs::sse::Events;
use outdial_workflows::Moment;
use outdial_workflows::call::CallStatus;
use outdial_workflows::ids::{AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::results::Turn;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Backend;
use crate::client::Call;

/// A conversation that is under way, as the API tells it.
#[derive(Serialize, Deserialize)]
pub(in crate::cli) struct Held {
    attempt: String,
    client: Uuid,
    campaign: Uuid,
    /// Whom it is held with.
    pub(in crate::cli) lead: Uuid,
    /// The process that holds it.
    pub(in crate::cli) node: Option<String>,
    pub(in crate::cli) playbook: String,
    pub(in crate::cli) version: u32,
    pub(in crate::cli) began_at: Moment,
    pub(in crate::cli) turns: u32,
    /// What the latest answer took.
    pub(in crate::cli) latency_ms: Option<u32>,
}

impl From<UnderWay> for Held {
    fn from(underway: UnderWay) -> Self {
        let AttemptRef { client, lead, .. } = underway.attempt;
        Self {
            attempt: DialKey(underway.attempt).to_string(),
            client: client.0,
            campaign: underway.campaign.0,
            lead: lead.0,
            node: underway.node,
            playbook: underway.playbook,
            version: underway.version,
            began_at: underway.began_at,
            turns: underway.turns,
            latency_ms: underway.latency_ms,
        }
    }
}

/// What is new about a call, as the API streams it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in crate::cli) enum Followed {
    /// Something was said.
    Turn(Turn),
    /// The call stands so.
    Status {
        /// How.
        status: CallStatus,
    },
}

impl Backend<'_> {
    /// The conversations that are under way, of a client or of all, the latest first.
    pub(in crate::cli) async fn conversations(&self, client: Option<ClientId>) -> anyhow::Result<Vec<Held>> {
        match self {
            Self::Database(app, _) => {
                let held = conversations::under_way(&app.engine, client).await?;
                Ok(held.into_iter().map(Into::into).collect())
            }
            Self::Server(server) => {
                let mut call = Call::get("/v1/conversations");
                if let Some(client) = client {
                    call = call.query("client", client.to_string());
                }
                Ok(server.read(&call).await?)
            }
        }
    }

    /// Tells all that is said in a call from its beginning, until its lead has come to its end.
    pub(in crate::cli) async fn follow(
        &self,
        (client, call): (ClientId, LeadId),
        mut tell: impl FnMut(Followed),
    ) -> anyhow::Result<()> {
        let server = match self {
            Self::Database(app, _) => {
                let mut following = Following::begin(&app.engine, client, call, 0).await?;
                while let Some(next) = following.next().await? {
                    tell(match next {
                        following::Followed::Turn { turn, .. } => Followed::Turn(turn),
                        following::Followed::Status(status) => Followed::Status { status },
                    });
                }
                return Ok(());
            }
            Self::Server(server) => server,
        };
        let asked = server.send(&Call::get(format!("/v1/clients/{client}/calls/{call}/live"))).await?;
        let (mut stream, mut events, mut read) = (asked.bytes_stream(), Events::default(), VecDeque::new());
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.context("the server ended the stream; follow the call anew")?;
            let whole = events.read(&bytes, &mut read);
            whole.map_err(|_| anyhow::anyhow!("the server sent an event without an end"))?;
            for event in read.drain(..) {
                tell(
                    serde_json::from_str(&event)
                        .context("the server sent what is neither a turn nor a status")?,
                );
            }
        }
        Ok(())
    }
}
