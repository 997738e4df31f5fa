//! `POST /twirp/livekit.{service}/{method}`: from the bytes of a request to its handler.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method as Verb, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Hub, agents, dial, door,
    error::{Code, Refusal},
    rooms_api, sip, sip_api,
    token::Claims,
    wire::{Encoding, Message, messages},
};
use crate::{clock, socket::Wire};

/// Longest body read; LiveKit's own metadata fits several times over.
const BODY_MAX: usize = 8 * 1024 * 1024;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    CreateRoom,
    ListRooms,
    DeleteRoom,
    UpdateRoomMetadata,
    ListParticipants,
    GetParticipant,
    RemoveParticipant,
    UpdateParticipant,
    SendData,
    CreateSipParticipant,
    TransferSipParticipant,
    ListSipOutboundTrunk,
    CreateDispatch,
    ListDispatch,
    DeleteDispatch,
}

/// Path behind `/twirp/livekit.`, method and request.
const METHODS: [(&str, Method, Message); 15] = [
    ("RoomService/CreateRoom", Method::CreateRoom, messages::CREATE_ROOM),
    ("RoomService/ListRooms", Method::ListRooms, messages::LIST_ROOMS),
    ("RoomService/DeleteRoom", Method::DeleteRoom, messages::DELETE_ROOM),
    ("RoomService/UpdateRoomMetadata", Method::UpdateRoomMetadata, messages::UPDATE_ROOM),
    ("RoomService/ListParticipants", Method::ListParticipants, messages::LIST_PARTICIPANTS),
    ("RoomService/GetParticipant", Method::GetParticipant, messages::ROOM_PARTICIPANT),
    ("RoomService/RemoveParticipant", Method::RemoveParticipant, messages::ROOM_PARTICIPANT),
    ("RoomService/UpdateParticipant", Method::UpdateParticipant, messages::UPDATE_PARTICIPANT),
    ("RoomService/SendData", Method::SendData, messages::SEND_DATA),
    ("SIP/CreateSIPParticipant", Method::CreateSipParticipant, messages::CREATE_SIP_PARTICIPANT),
    ("SIP/TransferSIPParticipant", Method::TransferSipParticipant, messages::TRANSFER_SIP_PARTICIPANT),
    ("SIP/ListSIPOutboundTrunk", Method::ListSipOutboundTrunk, messages::LIST_TRUNKS),
    ("AgentDispatchService/CreateDispatch", Method::CreateDispatch, messages::CREATE_DISPATCH),
    ("AgentDispatchService/ListDispatch", Method::ListDispatch, messages::FIND_DISPATCH),
    ("AgentDispatchService/DeleteDispatch", Method::DeleteDispatch, messages::FIND_DISPATCH),
];

/// A request that was let in and understood.
pub(super) struct Ask {
    pub(super) hub: Arc<Hub>,
    pub(super) wire: Wire,
    pub(super) headers: HeaderMap,
    pub(super) claims: Option<Claims>,
    pub(super) encoding: Encoding,
    pub(super) value: Value,
}

impl Ask {
    /// The message as a struct.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let read = serde_json::from_value(self.value.clone());
        read.map_err(|error| Refusal::new(Code::Malformed, error.to_string()))
    }

    /// Checks the token's grants, which every handler does once, and counts.
    pub(super) fn allow(&self, need: door::Need<'_>) -> Result<(), Refusal> {
        let allowed = door::allow(self.claims.as_ref(), need);
        self.hub.count(|totals| match (&allowed, need) {
            (Err(_), _) => totals.unauthorized += 1,
            (Ok(()), door::Need::Dial) => {}
            (Ok(()), _) => totals.reads += 1,
        });
        allowed
    }
}

/// What comes of a request.
pub(super) type Answer = Result<Response, Refusal>;

pub(super) async fn twirp(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let path = parts.uri.path();
    let known = path.strip_prefix("/twirp/livekit.").unwrap_or_default();
    let known = METHODS.iter().find(|(name, ..)| *name == known);
    let dials = known.is_some_and(|(_, method, _)| *method == Method::CreateSipParticipant);
    if dials && parts.method == Verb::POST {
        count_dial(&hub, &parts.headers, &body);
    }
    let config = hub.config();
    let now = clock::now().timestamp();
    let claims = match door::admit(&config.keys, &parts.headers, parts.uri.query(), now) {
        Ok(claims) => claims,
        Err(refused) => {
            hub.count(|totals| totals.unauthorized += 1);
            return *refused;
        }
    };
    if let Some(over) = throttle(&hub, claims.as_ref(), dials) {
        return over;
    }
    let encoding = Encoding::of(&parts.headers);
    let (method, message, encoding) = match (known, encoding) {
        (Some((_, method, message)), Ok(encoding)) if parts.method == Verb::POST => {
            (*method, *message, encoding)
        }
        (known, encoding) => return bad_route(&parts.method, path, known.is_some(), encoding.err()),
    };
    let Some(decoded) = encoding.decode(message, &body) else {
        hub.count(|totals| totals.invalid += u64::from(dials));
        let form = if encoding == Encoding::Json { "json" } else { "protobuf" };
        return Refusal::new(Code::Malformed, format!("the {form} request could not be decoded")).respond();
    };
    hub.count(|totals| totals.unknown_parameters += if dials { decoded.strangers } else { 0 });
    let ask = Ask { hub, wire, headers: parts.headers, claims, encoding, value: decoded.value };
    let answer = match method {
        Method::CreateSipParticipant => sip::create(ask).await,
        other => handle(other, &ask),
    };
    answer.unwrap_or_else(|refusal| refusal.respond())
}

fn handle(method: Method, ask: &Ask) -> Answer {
    match method {
        Method::CreateRoom => rooms_api::create(ask),
        Method::ListRooms => rooms_api::list(ask),
        Method::DeleteRoom => rooms_api::delete(ask),
        Method::UpdateRoomMetadata => rooms_api::update(ask),
        Method::ListParticipants => rooms_api::participants(ask),
        Method::GetParticipant => rooms_api::participant(ask),
        Method::RemoveParticipant => rooms_api::remove(ask),
        Method::UpdateParticipant => rooms_api::update_participant(ask),
        Method::SendData => rooms_api::send_data(ask),
        Method::TransferSipParticipant => sip_api::transfer(ask),
        Method::ListSipOutboundTrunk => sip_api::trunks(ask),
        Method::CreateDispatch => agents::create(ask),
        Method::ListDispatch => agents::list(ask),
        Method::DeleteDispatch => agents::delete(ask),
        Method::CreateSipParticipant => unreachable!("it is dialled, and so not handled here"),
    }
}

/// A dial request counts as soon as it has arrived, whatever becomes of it.
fn count_dial(hub: &Hub, headers: &HeaderMap, body: &Bytes) {
    let read =
        Encoding::of(headers).ok().and_then(|form| form.decode(messages::CREATE_SIP_PARTICIPANT, body));
    let key = read.as_ref().map(|read| dial::key(&read.value)).unwrap_or_default();
    hub.change(|world| world.counters.requested(key));
}

/// The answer to a request over its key's budget.
fn throttle(hub: &Hub, claims: Option<&Claims>, dials: bool) -> Option<Response> {
    let config = hub.config();
    let over = hub.change(|world| world.more.budgets.draw(&claims?.iss, &config).err())?;
    hub.count(|totals| {
        totals.throttled += u64::from(dials);
        totals.reads_throttled += u64::from(!dials);
    });
    let mut response = Refusal::new(Code::ResourceExhausted, "rate limit exceeded").respond();
    if config.limits.retry_after {
        response.headers_mut().insert(RETRY_AFTER, over.into());
    }
    Some(response)
}

fn bad_route(verb: &Verb, path: &str, known: bool, content_type: Option<String>) -> Response {
    let message = match content_type {
        _ if verb != Verb::POST => format!("unsupported method {:?} (only POST is allowed)", verb.as_str()),
        Some(given) if known => format!("unexpected Content-Type: {given:?}"),
        _ => format!("no handler for path {path:?}"),
    };
    Refusal::new(Code::BadRoute, message).with("twirp_invalid_route", format!("{verb} {path}")).respond()
}

/// Everything that is not Twirp.
pub(super) async fn elsewhere(request: Request<Body>) -> Response {
    if request.uri().path() == "/" {
        return "OK".into_response();
    }
    (axum::http::StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
