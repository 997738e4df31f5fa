//! `POST /v2/create-phone-call`: placing a call, or failing to in style.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Hub, RetellV2, World,
    call::{Call, View},
    config::Config,
    dial::{self, DialRequest},
    door::{self, Purpose},
    limits::{DifferentBody, OverConcurrency},
    reply::{self, Refusal},
    workspace::WORKSPACE,
};
use crate::{
    carrier::{self, Order, Phone, Placement, Reply},
    socket::Wire,
};

pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let config = hub.config();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    hub.change(|world| world.counters.requested(dial::dial_key(&body).unwrap_or_default()));
    if let Err(refusal) = door::enter(&hub, &config, &headers, Purpose::Create) {
        return refusal.into_response();
    }
    let strangers = dial::strangers(&body);
    let request = DialRequest::read(body, &config);
    hub.count(|totals| {
        totals.unknown_parameters += u64::try_from(strangers).unwrap_or(u64::MAX);
        totals.invalid += u64::from(request.is_err());
    });
    match request {
        Ok(request) => carrier::dial(hub, wire, Create { request: Arc::new(request) }).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// One valid request.
#[derive(Clone)]
struct Create {
    request: Arc<DialRequest>,
}

impl Order<RetellV2> for Create {
    fn phone(&self) -> Phone {
        self.request.phone
    }

    fn replay(&self, world: &mut World, config: &Config) -> Option<Response> {
        let seen = world.more.seen(self.request.idempotency_key()?, config)?;
        let first = seen.call.clone();
        if first.request.body != self.request.body {
            match config.idempotency.different_body {
                DifferentBody::Refused { status } => {
                    world.counters.totals.invalid += 1;
                    let message = "idempotency_key was used with another request";
                    return Some(Refusal::new(status, message).into_response());
                }
                DifferentBody::FirstCall => {}
                DifferentBody::NewCall => return None,
            }
        }
        world.counters.totals.replayed += 1;
        let now = world.by_id(first.id()).filter(|_| config.idempotency.replay_shows_now);
        Some(created(now.unwrap_or(&first)))
    }

    fn place(&self, world: &mut World, config: &Config) -> Result<Call, Box<Response>> {
        let over = world.live(WORKSPACE) >= config.limits.outbound();
        if over {
            world.counters.totals.over_concurrency += 1;
        }
        if over && config.limits.over_concurrency == OverConcurrency::Refused {
            return Err(Box::new(door::throttled(config, 1).into_response()));
        }
        if let Err(wait) = world.more.draw_call(&self.request.from, config) {
            world.counters.totals.throttled += 1;
            return Err(Box::new(door::throttled(config, wait).into_response()));
        }
        let placement = Placement {
            id: call_id(),
            account: WORKSPACE.to_owned(),
            key: dial::dial_key(&self.request.body).map(str::to_owned),
            phone: self.request.phone,
            number: self.request.to.clone(),
            caller_id: self.request.from.clone(),
        };
        let call = world.place(placement, |base| Call::new(base, self.request.clone(), over));
        if let Some(key) = self.request.idempotency_key() {
            world.more.remember(key, &call, config);
        }
        Ok(call)
    }

    async fn accepted(&self, _hub: &Arc<Hub>, call: &Call) -> Response {
        created(call)
    }

    fn reply(&self, _config: &Config, reply: &Reply) -> Response {
        reply.respond(|reply, status| reply::error(status, &reply.message))
    }
}

fn created(call: &Call) -> Response {
    (StatusCode::CREATED, Json(call.object(View::Whole))).into_response()
}

/// As long as the documents' sample.
fn call_id() -> String {
    let mut id = format!("call_{}", Uuid::new_v4().simple());
    id.truncate("call_0123456789abcdef0123456789a".len());
    id
}
