//! Placing, reading and changing a TeXML call (protocol page, §7.1 and §7.2).

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value};

use super::{Answer, Shown, request};
use crate::{
    socket::Wire,
    telnyx::{
        Hub,
        action::Action,
        call::{Call, Letter},
        config::Account,
        door::{self, Purpose},
        fields::Fields,
        place::{self, count_strangers, invalid},
        reply::{Refusal, texml_not_found},
    },
};

/// `POST /v2/texml/calls/{connection_id}`
pub(in crate::telnyx) async fn create(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Response {
    match enter(&hub, request).await {
        Ok((account, Ok(body))) => dial(hub, wire, account, &connection, body, Answer::Flat).await,
        Ok((_, Err(refusal))) => invalid(&hub, &refusal),
        Err(response) => *response,
    }
}

/// `POST /v2/texml/Accounts/{account_sid}/Calls`
pub(in crate::telnyx) async fn accounts_create(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path(account_sid): Path<String>,
    request: Request<Body>,
) -> Response {
    let (account, body) = match enter(&hub, request).await {
        Ok((account, _)) if account.id != account_sid => return texml_not_found(),
        Ok((account, Ok(body))) => (account, body),
        Ok((_, Err(refusal))) => return invalid(&hub, &refusal),
        Err(response) => return *response,
    };
    let connection = Fields(&body).required("ApplicationSid").map(str::to_owned);
    match connection {
        Ok(connection) => dial(hub, wire, account, &connection, body, Answer::Twilio).await,
        Err(refusal) => invalid(&hub, &refusal),
    }
}

type Entered = (Account, Result<Map<String, Value>, Refusal>);

async fn enter(hub: &Arc<Hub>, request: Request<Body>) -> Result<Entered, Box<Response>> {
    let config = hub.config();
    let headers = request.headers().clone();
    let body = door::body(request, true).await;
    let key = body.as_ref().ok().and_then(|body| request::key_of(Fields(body), &config));
    hub.change(|world| world.counters.requested(key.as_deref().unwrap_or_default()));
    Ok((door::enter(hub, &config, &headers, Purpose::Dial)?, body))
}

async fn dial(
    hub: Arc<Hub>,
    wire: Wire,
    account: Account,
    connection: &str,
    body: Map<String, Value>,
    answer: Answer,
) -> Response {
    let config = hub.config();
    if config.connection(connection).is_none() {
        return invalid(&hub, &Refusal::not_found());
    }
    let fields = Fields(&body);
    count_strangers(&hub, request::strangers(fields));
    match request::read(fields, connection, &config) {
        Ok(request) => place::place(hub, wire, account, request, body, answer).await,
        Err(refusal) => invalid(&hub, &refusal),
    }
}

/// `GET /v2/texml/Accounts/{account_sid}/Calls/{call_sid}`
pub(in crate::telnyx) async fn call(
    State(hub): State<Arc<Hub>>,
    Path((account_sid, sid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let config = hub.config();
    match door::enter(&hub, &config, &headers, Purpose::Other) {
        Ok(account) if account.id == account_sid => {}
        Ok(_) => return texml_not_found(),
        Err(response) => return *response,
    }
    let world = hub.read();
    let call = world.by_id(&sid).filter(|call| call.account() == account_sid);
    match call.and_then(|call| Some(Shown::at(call, &config)?.resource(call))) {
        Some(resource) => Json(resource).into_response(),
        None => texml_not_found(),
    }
}

/// `POST /v2/texml/Accounts/{account_sid}/Calls/{call_sid}`
pub(in crate::telnyx) async fn update(
    State(hub): State<Arc<Hub>>,
    Path((account_sid, sid)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let config = hub.config();
    let headers = request.headers().clone();
    let body = door::body(request, true).await;
    match door::enter(&hub, &config, &headers, Purpose::Other) {
        Ok(account) if account.id == account_sid => {}
        Ok(_) => return texml_not_found(),
        Err(response) => return *response,
    }
    let letter = match body.and_then(|body| letter(Fields(&body))) {
        Ok(letter) => letter,
        Err(refusal) => return refusal.respond(),
    };
    let world = hub.read();
    let Some(call) = world.by_id(&sid).filter(|call| call.account() == account_sid) else {
        return texml_not_found();
    };
    if call.status.is_terminal() {
        return Refusal::call_over().respond();
    }
    call.mailbox.post(letter);
    Json(resource_now(call)).into_response()
}

/// What the update asks for.
fn letter(fields: Fields<'_>) -> Result<Letter, Refusal> {
    if fields.one_of("Status", &["completed", "canceled"])?.is_some() {
        return Ok(Letter::Act(Action::Hangup));
    }
    match request::source_given(fields)? {
        Some(source) => Ok(Letter::Redirect(source)),
        None => Err(Refusal::missing("Url")),
    }
}

fn resource_now(call: &Call) -> Value {
    Shown::of(call).resource(call)
}
