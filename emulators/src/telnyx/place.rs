//! `POST /v2/calls`, and what placing a call through either API has in common.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Hub, TelnyxV2, World,
    call::{self, Call},
    config::{Account, Config, DuplicateReply, Standing},
    dial::{self, DialRequest},
    door::{self, Purpose},
    fields::Fields,
    instant,
    log::EventRow,
    reply::{self, Refusal},
    texml::Answer,
};
use crate::{
    carrier::{self, Order, Phone, Placement, Reply},
    clock,
    socket::Wire,
};

pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
) -> Response {
    let config = hub.config();
    let headers = request.headers().clone();
    let body = door::body(request, false).await;
    hub.change(|world| {
        let text = |name| body.as_ref().ok().and_then(|body| body.get(name)?.as_str());
        let key = dial::key(text("client_state"), text("command_id"));
        world.counters.requested(key.as_deref().unwrap_or_default());
    });
    let account = match door::enter(&hub, &config, &headers, Purpose::Dial) {
        Ok(account) => account,
        Err(response) => return *response,
    };
    let read = body.and_then(|body| {
        let fields = Fields(&body);
        count_strangers(&hub, dial::strangers(fields));
        Ok((DialRequest::read(fields, &config)?, body))
    });
    match read {
        Ok((request, body)) => place(hub, wire, account, request, body, Answer::Data).await,
        Err(refusal) => invalid(&hub, &refusal),
    }
}

pub(super) fn count_strangers(hub: &Hub, strangers: usize) {
    hub.count(|totals| totals.unknown_parameters += u64::try_from(strangers).unwrap_or(u64::MAX));
}

pub(super) fn invalid(hub: &Hub, refusal: &Refusal) -> Response {
    hub.count(|totals| totals.invalid += 1);
    refusal.respond()
}

/// Carries out a valid dial, whose body is kept for the log.
pub(super) async fn place(
    hub: Arc<Hub>,
    wire: Wire,
    account: Account,
    request: DialRequest,
    body: Map<String, Value>,
    answer: Answer,
) -> Response {
    let config = hub.config();
    let id = account.id.clone();
    let order = Dial { account, request: Arc::new(request), body: Arc::new(body.into()), answer };
    let mut response = carrier::dial(hub.clone(), wire, order).await;
    let quota = hub.read().more.dial_quota(&id, &config);
    if let Some(quota) = quota {
        let over = response.status() == StatusCode::TOO_MANY_REQUESTS;
        door::stamp(&mut response, quota, &config, over);
    }
    response
}

/// One valid request.
#[derive(Clone)]
struct Dial {
    account: Account,
    request: Arc<DialRequest>,
    body: Arc<Value>,
    answer: Answer,
}

impl Order<TelnyxV2> for Dial {
    fn phone(&self) -> Phone {
        self.request.phone
    }

    fn replay(&self, world: &mut World, config: &Config) -> Option<Response> {
        let id = world.more.placed_by(self.request.command_id.as_deref()?, config)?;
        let call = world.by_id(&id)?;
        Some(match config.replies.duplicate {
            DuplicateReply::SameCall => reply::data(&accepted(call)),
            DuplicateReply::ResultOk => reply::ok(),
        })
    }

    fn place(&self, world: &mut World, config: &Config) -> Result<Call, Box<Response>> {
        self.check_funds(config)?;
        self.check_channels(world, config)?;
        if world.more.draw_dial(&self.account.id, config).is_err() {
            world.counters.totals.throttled += 1;
            let detail = "The number of calls per second that the account may place is exceeded.";
            return Err(Refusal::new(429, "90103", "Dials per second limit exceeded", detail).into());
        }
        let call = place_leg(world, &self.account.id, &self.request);
        if let Some(command_id) = &self.request.command_id {
            world.more.remember_dial(command_id, call.id());
        }
        if self.request.texml.is_none() || config.texml.log_repeats_requests {
            let row = EventRow::new(&call, "dial", "command", clock::now(), (*self.body).clone());
            world.more.events.write(call.id(), row);
        }
        Ok(call)
    }

    async fn accepted(&self, hub: &Arc<Hub>, call: &Call) -> Response {
        match self.answer {
            Answer::Data => reply::data(&accepted(call)),
            Answer::Flat => Json(flat(call, true)).into_response(),
            Answer::Twilio => Json(flat(call, hub.config().texml.accounts_calls_return_sid)).into_response(),
        }
    }

    fn reply(&self, _config: &Config, reply: &Reply) -> Response {
        reply.respond(|reply, status| {
            reply::respond(status, &reply.code, &reply.message, &reply.message, None)
        })
    }
}

impl Dial {
    fn check_funds(&self, config: &Config) -> Result<(), Box<Response>> {
        if self.account.standing != Standing::NoFunds {
            return Ok(());
        }
        let detail = "You do not have enough funds to perform this action.";
        Err(Refusal::new(config.replies.no_funds_status, "20100", "Insufficient Funds", detail).into())
    }

    fn check_channels(&self, world: &mut World, config: &Config) -> Result<(), Box<Response>> {
        let connection = &self.request.connection;
        let over_user = config.limits.max_concurrent.is_some_and(|most| world.live(&self.account.id) >= most);
        let most = config.connection(connection).and_then(|connection| connection.max_concurrent);
        let alive = |call: &&&Call| call.request.connection == *connection && !call.status.is_terminal();
        let over_connection = || {
            let most = most.and_then(|most| usize::try_from(most).ok());
            most.is_some_and(|most| world.calls(&[]).iter().filter(alive).count() >= most)
        };
        let (code, title) = if over_user {
            ("90041", "User channel limit exceeded")
        } else if over_connection() {
            ("90043", "Connection channel limit exceeded")
        } else {
            return Ok(());
        };
        world.counters.totals.over_concurrency += 1;
        let detail = "The number of calls in flight has reached its limit.";
        Err(Refusal::new(config.limits.max_concurrent_status, code, title, detail).into())
    }
}

/// Writes down a call that rings from now on; its life is still to be set off.
pub(super) fn place_leg(world: &mut World, account: &str, request: &Arc<DialRequest>) -> Call {
    let placement = Placement {
        id: call::new_id(),
        account: account.to_owned(),
        key: request.key(),
        phone: request.phone,
        number: request.to.clone(),
        caller_id: request.from.clone(),
    };
    world.place(placement, |base| Call::new(base, request.clone()))
}

/// What a dial is told: nothing has begun yet, however late the answer is given.
fn accepted(call: &Call) -> Value {
    let mut data = call.identity();
    if call.client_state.as_deref() != call.request.client_state.as_deref() {
        data["client_state"] = call.request.client_state.clone().into();
    }
    data["is_alive"] = false.into();
    data["start_time"] = instant(call.base.created).into();
    if let Some(record) = &call.request.record {
        data["recording_id"] = record.id.clone().into();
    }
    data
}

fn flat(call: &Call, with_sid: bool) -> Value {
    let mut body = json!({"from": call.request.from, "to": call.request.to, "status": "queued"});
    if with_sid {
        body["call_sid"] = call.id().into();
    }
    body
}
