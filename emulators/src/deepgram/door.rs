//! From an upgrade request to its socket, or to a refusal.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts as _, Request, State, ws::WebSocketUpgrade},
    http::{
        HeaderMap,
        header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
    },
    response::Response,
};
use uuid::Uuid;

use super::{
    Hub, grant,
    parameters::Parameters,
    refusal::{Refusal, respond, with_id},
    report::{SessionEnd, SessionReport},
    scenario::{Quirk, Session},
    session::Socket,
};
use crate::{clock, service::Reply, socket::READ, socket::Wire};

pub(super) async fn listen(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let config = hub.config();
    let request_id = Uuid::new_v4();
    let query = parts.uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let report = hub.open(SessionReport {
        request_id: request_id.to_string(),
        parameters: pairs.clone(),
        ..SessionReport::default()
    });
    let refuse = |reply: &Reply| {
        hub.note(report, |report| report.ended = Some(SessionEnd::Refused { status: reply.status }));
        respond(reply, request_id)
    };
    if !may_enter(&parts.headers, &config.key) {
        return refuse(&Refusal::InvalidAuth.reply());
    }
    let parameters = match Parameters::read(&pairs, config.unknown_parameters) {
        Ok(parameters) => parameters,
        Err(refusal) => return refuse(&refusal.reply()),
    };
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &hub).await else {
        return refuse(&Refusal::NotAWebSocket.reply());
    };
    // Only a request that is right takes a step of the script.
    let session = hub.next_step().unwrap_or_else(|| config.session.clone());
    if let Some(reply) = refused(&session) {
        return refuse(reply);
    }
    let socket = Socket { hub: hub.clone(), config, wire, report, request_id, parameters, session };
    let tracked = hub.tasks.token();
    let opened =
        upgrade.protocols(["token", "bearer"]).read_buffer_size(READ).on_upgrade(async move |socket_io| {
            socket.run(socket_io).await;
            drop(tracked);
        });
    with_id(opened, request_id)
}

fn refused(session: &Session) -> Option<&Reply> {
    session.quirks.iter().find_map(|quirk| match quirk {
        Quirk::Refuse(reply) => Some(reply),
        _ => None,
    })
}

/// A key or a granted token, in a header or, as browsers do, in the list of subprotocols.
fn may_enter(headers: &HeaderMap, key: &str) -> bool {
    let credentials = authorization(headers).or_else(|| subprotocols(headers));
    credentials.is_some_and(|(scheme, secret)| match &*scheme.to_ascii_lowercase() {
        "token" => secret == key,
        "bearer" => secret == key || grant::is_good(secret, key, clock::now().timestamp_millis()),
        _ => false,
    })
}

/// Whether the API key itself is in the header.
pub(super) fn bears_key(headers: &HeaderMap, key: &str) -> bool {
    authorization(headers)
        .is_some_and(|(scheme, secret)| scheme.eq_ignore_ascii_case("token") && secret == key)
}

/// The scheme, whose name has no case by RFC 9110, and what follows it.
fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')
}

fn subprotocols(headers: &HeaderMap) -> Option<(&str, &str)> {
    let (scheme, secret) = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split_once(',')?;
    Some((scheme.trim(), secret.trim()))
}

/// Any other path.
pub(super) async fn elsewhere() -> Response {
    respond(&Refusal::NoSuchPath.reply(), Uuid::new_v4())
}
