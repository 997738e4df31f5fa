//! `POST /v1/Accounts/{account}/Calls/connect[.json]`: placing a call, or failing to in style.

use std::{future, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{Html, IntoResponse as _, Response},
};
use serde_json::json;

use super::{
    call::{Call, Status},
    config::{AcceptedStatus, Config},
    dial::{self, DialRequest},
    door::{Entry, Purpose},
    form::Form,
    hub::Hub,
    reply::{self, Format, Refusal},
    scenario::{Quirk, Reply, ReplyBody},
    world::Ruling,
};
use crate::socket::Wire;

pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path((account, resource)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response {
    let config = hub.config();
    let (name, format) = Format::of(&resource);
    if name != "connect" {
        // Notably no way to cancel or change a call.
        let refusal = Refusal::not_found(format!("Calls/{resource} cannot be posted to"));
        return refusal.respond(format, config.replies.error_code);
    }
    let form = Form::read(request).await;
    hub.change(|world| {
        let key = form.as_ref().ok().and_then(|form| form.get("CustomField"));
        world.counters.requested(key.unwrap_or_default());
    });
    let entry = Entry::new(&hub, &config, &headers, &account, Purpose::Connect);
    let response = match &entry.refusal {
        Some(refusal) => refusal.respond(format, config.replies.error_code),
        None => match read(&hub, &config, &account, form) {
            Ok(request) => {
                let exchange = Exchange { hub, config: config.clone(), wire, account, format };
                exchange.run(request).await
            }
            Err(refusal) => refusal.respond(format, config.replies.error_code),
        },
    };
    entry.stamp(response, &config)
}

fn read(
    hub: &Hub,
    config: &Config,
    account: &str,
    form: Result<Form, String>,
) -> Result<DialRequest, Refusal> {
    let strangers = form.as_ref().map_or(0, dial::strangers);
    let request = form.and_then(|form| DialRequest::read(&form, account, config));
    hub.count(|totals| {
        totals.unknown_parameters += u64::try_from(strangers).unwrap_or(u64::MAX);
        totals.invalid += u64::from(request.is_err());
    });
    request.map_err(Refusal::bad_request)
}

/// One valid request and the connection it came on.
#[derive(Clone)]
struct Exchange {
    hub: Arc<Hub>,
    config: Arc<Config>,
    wire: Wire,
    account: String,
    format: Format,
}

impl Exchange {
    async fn run(self, request: DialRequest) -> Response {
        match self.rule(request.clone()) {
            Ruling::Fault(Quirk::SlowResponse { by, .. }) => {
                // A task of its own, since the carrier goes on when the client has gone.
                let tasks = self.hub.tasks.clone();
                let stopping = self.hub.stopping.clone();
                let wire = self.wire.clone();
                let slowly = stopping.run_until_cancelled_owned(self.run_after(by, request));
                let response = tasks.spawn(slowly).await.ok().flatten();
                response.unwrap_or_else(|| cut(&wire))
            }
            ruling => self.carry_out(ruling).await,
        }
    }

    async fn run_after(self, by: Duration, request: DialRequest) -> Response {
        let mut wait = by;
        loop {
            tokio::time::sleep(self.config.pace().wall(wait)).await;
            match self.rule(request.clone()) {
                Ruling::Fault(Quirk::SlowResponse { by, .. }) => wait = by,
                ruling => return self.carry_out(ruling).await,
            }
        }
    }

    fn rule(&self, request: DialRequest) -> Ruling {
        self.hub.change(|world| world.rule(&self.account, request, &self.config))
    }

    async fn carry_out(&self, ruling: Ruling) -> Response {
        match ruling {
            Ruling::Refused(refusal) => refusal.respond(self.format, self.config.replies.error_code),
            Ruling::Fault(fault) => self.suffer(&fault, None).await,
            Ruling::Placed { call, scenario, fault } => {
                self.hub.set_off(Call::clone(&call), scenario);
                match fault {
                    Some(fault) => self.suffer(&fault, Some(&call)).await,
                    None => self.accepted(&call),
                }
            }
        }
    }

    /// Answers, or does not, as `fault` has it; `call` is the one placed, if any.
    async fn suffer(&self, fault: &Quirk, call: Option<&Call>) -> Response {
        match fault {
            Quirk::AcceptThenDrop | Quirk::DropBeforeAccepting { .. } => {
                self.hub.count(|totals| totals.dropped += 1);
                cut(&self.wire)
            }
            Quirk::Hang { .. } => {
                self.hub.count(|totals| totals.hung += 1);
                future::pending().await
            }
            Quirk::Reply(reply) => {
                self.hub.count(|totals| totals.answered_by_quirk += 1);
                self.reply(reply)
            }
            Quirk::SlowResponse { by, .. } => {
                tokio::time::sleep(self.config.pace().wall(*by)).await;
                call.map_or_else(|| cut(&self.wire), |call| self.accepted(call))
            }
            Quirk::DuplicateCallbacks { .. }
            | Quirk::ReorderedCallbacks
            | Quirk::LateCallbacks { .. }
            | Quirk::NoCallbacks
            | Quirk::StreamBreaks { .. } => unreachable!("{fault:?} is no fault of a request"),
        }
    }

    fn accepted(&self, call: &Call) -> Response {
        let shown = match self.config.replies.accepted_status {
            AcceptedStatus::InProgress => Status::InProgress,
            AcceptedStatus::Queued => Status::Queued,
        };
        self.format.ok(&json!({"Call": call.v1(self.hub.zone(), Some(shown))}))
    }

    fn reply(&self, reply: &Reply) -> Response {
        let code = self.config.replies.error_code;
        let status = reply::status(reply.status);
        let mut response = match reply.body {
            ReplyBody::RestException => {
                let body = reply::rest_exception(reply.status, &reply.code, &reply.message, code);
                self.format.respond(status, &body)
            }
            ReplyBody::Html => {
                let page = format!("<html><body><h1>{}</h1></body></html>", reply.message);
                (status, Html(page)).into_response()
            }
            ReplyBody::Empty => status.into_response(),
        };
        if let Some(seconds) = reply.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Resets the connection; the response is never seen.
pub(super) fn cut(wire: &Wire) -> Response {
    wire.cut();
    StatusCode::NO_CONTENT.into_response()
}
