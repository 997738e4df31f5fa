//! From an upgrade request to its socket, or to a refusal.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts as _, Path, Request, State, ws::WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
};
use uuid::Uuid;

use super::{
    Hub,
    config::Config,
    error::{self, Refusal},
    format::{self, Format},
    http::{admit, pairs},
    model,
    report::{SpeechEnd, SpeechReport},
    request::{self, last},
    scenario::{Quirk, Speech},
    session::{Opened, Socket},
};
use crate::socket::{READ, Wire};

/// Longest `inactivity_timeout`, in seconds.
const INACTIVITY_MAX: u64 = 180;
/// The one unless the query says.
const INACTIVITY: u64 = 20;

pub(super) async fn open(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path(voice): Path<String>,
    request: Request<Body>,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let config = hub.config();
    let query = pairs(parts.uri.query());
    let request_id = Uuid::new_v4().simple().to_string();
    let report = hub.open(SpeechReport {
        request_id: request_id.clone(),
        voice_id: voice.clone(),
        model_id: last(&query, "model_id").unwrap_or_else(|| model::DEFAULT.to_owned()),
        output_format: last(&query, "output_format").unwrap_or_else(|| format::DEFAULT.to_owned()),
        socket: true,
        ..SpeechReport::default()
    });
    let refused = |status| hub.note(report, |report| report.ended = Some(SpeechEnd::Refused { status }));
    let key = key(&parts.headers, &query);
    let checked = check(&voice, &query, key.as_deref(), &config);
    if let (Err(refusal), true) = (&checked, config.refuses_upgrades) {
        refused(refusal.status());
        return refusal.respond(config.older_errors, &request_id);
    }
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &hub).await else {
        refused(Refusal::NotAWebSocket.status());
        return Refusal::NotAWebSocket.respond(config.older_errors, &request_id);
    };
    // Only a request that is right takes a step of the script.
    let step = checked.as_ref().ok().and_then(|_| hub.next_step());
    let Speech { quirks } = step.unwrap_or_default();
    let reply =
        quirks.iter().find_map(|quirk| if let Quirk::Reply(reply) = quirk { Some(reply) } else { None });
    if let Some(reply) = reply {
        refused(reply.status);
        return error::scripted(reply, config.older_errors, &request_id);
    }
    let tracked = hub.tasks.token();
    let socket = Socket { hub, config, wire, report, needs_key: key.is_none(), opened: checked, quirks };
    upgrade.read_buffer_size(READ).on_upgrade(async move |socket_io| {
        socket.run(socket_io).await;
        drop(tracked);
    })
}

/// The key of an upgrade; there may be none, since the first message may bring it.
fn key(headers: &HeaderMap, query: &[(String, String)]) -> Option<String> {
    let header = headers.get("xi-api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let bearer = last(query, "authorization");
    header.or_else(|| bearer.map(|given| given.strip_prefix("Bearer ").unwrap_or(&given).to_owned()))
}

fn check(
    voice: &str,
    query: &[(String, String)],
    key: Option<&str>,
    config: &Config,
) -> Result<Opened, Refusal> {
    if key.is_some() {
        admit(key, config)?;
    }
    request::check_voice(voice, config)?;
    let model = request::model(last(query, "model_id").as_deref())?;
    if !model.sockets {
        return Err(Refusal::ModelUnfit(model.id.to_owned()));
    }
    let format: Format = request::format(query, true)?;
    let inactivity = match last(query, "inactivity_timeout") {
        None => INACTIVITY,
        Some(given) => {
            given.parse().ok().filter(|seconds| (1..=INACTIVITY_MAX).contains(seconds)).ok_or_else(|| {
                Refusal::Parameter {
                    param: "inactivity_timeout",
                    why: format!("inactivity_timeout must be between 1 and {INACTIVITY_MAX} seconds."),
                }
            })?
        }
    };
    let auto = last(query, "auto_mode").as_deref() == Some("true");
    Ok(Opened { format, inactivity: Duration::from_secs(inactivity), auto })
}
