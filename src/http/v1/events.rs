//! Events as they happen.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use outdial_jobs::engine::Engine;
use outdial_jobs::events::{Followed, Follower, Place};
use outdial_jobs::operations::{OperationError, setup};
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::outward;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Asked, Caller, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// How long commits are gathered before they are read.
const GATHER: Duration = Duration::from_millis(50);
/// How often is looked at least: another process may have committed.
const LOOK: Duration = Duration::from_secs(1);
/// How often a silent stream says that it lives, so that nothing between cuts it.
const ALIVE: Duration = Duration::from_secs(15);

/// Which events are asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Whose. Needed with a key for all clients.
    client: Option<Uuid>,
    /// Of which campaign.
    campaign: Option<Uuid>,
    /// Of which types, with commas between: `call.ended,lead.*`.
    types: Option<String>,
    /// Behind which event, by its id; as the header `Last-Event-ID`, which goes before it.
    after: Option<String>,
}

/// Follow events
///
/// A stream of server-sent events, from now on or behind an event of up to a week ago: each with its id, its type,
/// and as data what subscribers are sent. Of a lead, `sequence` gives their order.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventsQuery,
    ("Last-Event-ID" = Option<String>, Header, description = "Behind which event, as a stream that is taken up again sends it")), responses(
    (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
    (status = 404, description = "No such client or campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn follow(
    Shared(api): Shared<Api>,
    caller: Caller,
    Asked(asked): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let invalid = |place: &str, problem: String| OperationError::Invalid { place: place.into(), problem };
    let client = match asked.client.map(ClientId).or(caller.scope()) {
        Some(client) => caller.sees(client)?,
        None => return Err(invalid("client", "say whose: your key is for all clients".into()).into()),
    };
    setup::client(&api.engine, client).await?;
    let campaign = match asked.campaign {
        None => None,
        Some(campaign) => Some(of(&api, &caller, client, campaign).await?),
    };
    let types: Vec<String> =
        asked.types.iter().flat_map(|types| types.split(',')).map(str::to_owned).collect();
    outward::check(&types).map_err(|problem| invalid("types", problem))?;
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()).map(str::to_owned);
    let place = last.or(asked.after).map(|last| last.parse::<Place>()).transpose();
    let place = place.map_err(|error| invalid("after", error.to_string()))?;
    // Before the first look, so that nothing is missed after it.
    let happenings = api.engine.hub().happenings();
    let follower = Follower::new(&api.engine, client, types, campaign, place).await?;
    let stream = Following { engine: api.engine, follower, happenings, read: VecDeque::new(), more: true };
    Ok(Sse::new(unfold(stream, Following::next)).keep_alive(KeepAlive::new().interval(ALIVE)))
}

async fn of(api: &Api, caller: &Caller, client: ClientId, campaign: Uuid) -> Result<CampaignId, Problem> {
    let (owner, campaign) = campaigns::visible(api, caller, campaign).await?;
    if owner != client {
        let given = campaign.to_string();
        return Err(OperationError::NotFound { kind: "campaign", given }.into());
    }
    Ok(campaign)
}

struct Following {
    engine: Engine,
    follower: Follower,
    happenings: watch::Receiver<()>,
    read: VecDeque<Followed>,
    /// Whether there may be more at once.
    more: bool,
}

impl Following {
    /// The next event; the stream ends as the process stops, or where the database fails, and can be taken up
    /// again.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.read.pop_front() {
                let data = String::from_utf8_lossy(&event.body).into_owned();
                let told = Event::default().id(event.place.to_string()).event(event.kind).data(data);
                return Some((Ok(told), self));
            }
            if !self.more {
                // Ended only with the hub itself.
                let _ = tokio::time::timeout(LOOK, self.happenings.changed()).await;
                tokio::time::sleep(GATHER).await;
            }
            if self.engine.is_stopping() {
                return None;
            }
            match self.follower.read(&self.engine).await {
                Ok((read, more)) => {
                    self.read.extend(read);
                    self.more = more;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a stream of events ends");
                    return None;
                }
            }
        }
    }
}
