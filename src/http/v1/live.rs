//! Conversations as they go on.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{Response, Sse};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use futures_util::stream::unfold;
use outdial_jobs::operations::following::{Followed, Following};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{OperationError, conversations, listening};
use outdial_workflows::ids::{AttemptRef, DialKey, LeadId};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::names::CallStatusName;
use super::{Asked, Caller, Named};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// How often a silent stream says that it lives, so that nothing between cuts it.
const ALIVE: Duration = Duration::from_secs(15);

/// A conversation of our own agent that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conversation {
    /// The attempt whose call it is.
    attempt: String,
    /// The client.
    client: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// The lead, which is the call's id where calls are ordered one by one.
    lead: Uuid,
    /// The process that holds it, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// The playbook that it goes by.
    playbook: String,
    /// Its version.
    version: u32,
    /// When it began.
    began_at: DateTime<Utc>,
    /// How many turns there were so far, of both sides.
    turns: u32,
    /// What the latest answer took from the end of the person's voice to our first sound, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u32>,
}

impl From<conversations::UnderWay> for Conversation {
    fn from(underway: conversations::UnderWay) -> Self {
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

/// A way to listen to a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listen {
    /// Where: the address that LiveKit's clients connect to.
    url: String,
    /// What lets one in: to hear everybody in the call's room, unheard and unseen.
    token: String,
    /// The room.
    room: String,
    /// Until when one may begin to listen.
    begins_until: DateTime<Utc>,
}

/// Listen to a call
///
/// A token for the room of a LiveKit call that is under way, for one listener, who is neither heard nor shown to
/// anybody. It is on record who asked for it.
#[utoipa::path(post, path = "/v1/clients/{client}/calls/{call}/listen", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The way to listen", body = Listen),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It cannot be listened to, by its type: `no-call`, `carrier-cannot`", body = ProblemDetails,
        content_type = "application/problem+json"),
))]
pub(crate) async fn listen(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
) -> Result<Json<Listen>, Problem> {
    caller.is(Role::Operator)?;
    let client = caller.client(&api, client).await?;
    let (way, until) = listening::listen(&api.engine, client, LeadId(call), caller.by()).await?;
    let token = way.token.expose_secret().to_owned();
    Ok(Json(Listen { url: way.url.into(), token, room: way.room, begins_until: until }))
}

/// Get a call's recording
///
/// Of the latest conversation that our own agent held and recorded: a WAV file whose left channel is the person. A part of
/// it can be asked for, as players do.
#[utoipa::path(get, path = "/v1/clients/{client}/calls/{call}/recording", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id"),
    ("Range" = Option<String>, Header, description = "Which bytes")), responses(
    (status = 200, description = "The recording", body = Vec<u8>, content_type = "audio/wav"),
    (status = 206, description = "The part that was asked for", body = Vec<u8>, content_type = "audio/wav"),
    (status = 404, description = "No such call, or it was not recorded", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn recording(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
    request: Request,
) -> Result<Response, Problem> {
    let client = caller.client(&api, client).await?;
    let path = conversations::recording(&api.engine, client, LeadId(call)).await?;
    let Ok(served) = ServeFile::new(path).oneshot(request).await;
    Ok(served.map(Body::new))
}

/// Whose conversations.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConversationsQuery {
    /// Of which client; all that the key sees, without it.
    client: Option<Uuid>,
}

/// List conversations
///
/// Those of our own agent that are under way, the latest first; at most 1,000.
#[utoipa::path(get, path = "/v1/conversations", tag = "calls", params(ConversationsQuery), responses(
    (status = 200, description = "The conversations", body = Vec<Conversation>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<ConversationsQuery>,
) -> Result<Json<Vec<Conversation>>, Problem> {
    let client = match asked.client {
        Some(client) => Some(caller.client(&api, client).await?),
        None => caller.scope(),
    };
    let found = conversations::under_way(&api.engine, client).await?;
    Ok(Json(found.into_iter().map(Into::into).collect()))
}

/// Follow a call
///
/// A stream of server-sent events: `turn`, whose data is a turn as in the call's transcript, from the first one on; and
/// `status`, whose data is an object with the `status` of the call. It ends once the call's lead has come to its end.
#[utoipa::path(get, path = "/v1/clients/{client}/calls/{call}/live", tag = "calls",
    params(("client" = Uuid, Path, description = "The client's id"), ("call" = Uuid, Path, description = "Its id"),
    ("Last-Event-ID" = Option<String>, Header, description = "Behind which turn, as a stream that is taken up again sends it")), responses(
    (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn follow(
    State(api): State<Api>,
    caller: Caller,
    Named((client, call)): Named<(Uuid, Uuid)>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let client = caller.client(&api, client).await?;
    let last = headers.get("last-event-id").map(|last| last.to_str().ok().and_then(|last| last.parse().ok()));
    let told = match last {
        None => 0,
        Some(Some(turn)) => turn,
        Some(None) => {
            let problem = "it is no number of a turn".to_owned();
            return Err(OperationError::Invalid { place: "Last-Event-ID".into(), problem }.into());
        }
    };
    let following = Following::begin(&api.engine, client, LeadId(call), told).await?;
    Ok(Sse::new(unfold(following, next)).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// The next event; the stream ends as the process stops, or where the database fails, and can be taken up again.
async fn next(mut following: Following) -> Option<(Result<Event, Infallible>, Following)> {
    let event = match following.next().await {
        Ok(Some(Followed::Turn { place, turn })) => event("turn", &json!(turn)).id(place.to_string()),
        Ok(Some(Followed::Status(status))) => {
            event("status", &json!({ "status": CallStatusName::from(status) }))
        }
        Ok(None) => return None,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a call is not followed any more");
            return None;
        }
    };
    Some((Ok(event), following))
}

fn event(kind: &str, data: &serde_json::Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
