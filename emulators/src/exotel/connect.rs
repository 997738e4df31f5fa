//! `POST /v1/Accounts/{account}/Calls/connect[.json]`: placing a call, or failing to in style.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    ExotelV1, Hub, World,
    call::{Call, Status},
    config::{AcceptedStatus, Config},
    dial::{self, DialRequest},
    door::{Entry, Purpose},
    form::Form,
    reply::{self, Format, Refusal},
};
use crate::{
    carrier::{self, Order, Phone, Placement, Reply},
    socket::Wire,
};

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
                let order = Connect { account, format, request: Arc::new(request) };
                carrier::dial(hub, wire, order).await
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

/// One valid request.
#[derive(Clone)]
struct Connect {
    account: String,
    format: Format,
    request: Arc<DialRequest>,
}

impl Order<ExotelV1> for Connect {
    fn phone(&self) -> Phone {
        self.request.phone
    }

    fn place(&self, world: &mut World, config: &Config) -> Result<Call, Box<Response>> {
        if config.limits.max_concurrent.is_some_and(|most| world.live(&self.account) >= most) {
            world.counters.totals.over_concurrency += 1;
            let status = config.limits.max_concurrent_status;
            let message = "Concurrent call limit reached";
            let refusal = Refusal::new(status, "CONCURRENT_CALL_LIMIT_EXCEEDED", message);
            return Err(Box::new(refusal.respond(self.format, config.replies.error_code)));
        }
        let placement = Placement {
            id: Uuid::new_v4().simple().to_string(),
            account: self.account.clone(),
            key: self.request.custom_field.clone(),
            phone: self.request.phone,
            number: self.request.from.clone(),
            caller_id: self.request.exophone.to_string(),
        };
        Ok(world.place(placement, |base| Call {
            base,
            request: self.request.clone(),
            status: Status::Queued,
            answered: None,
            ended: None,
            settled: None,
            talk: Duration::ZERO,
            stream: None,
        }))
    }

    async fn accepted(&self, hub: &Arc<Hub>, call: &Call) -> Response {
        let config = hub.config();
        let shown = match config.replies.accepted_status {
            AcceptedStatus::InProgress => Status::InProgress,
            AcceptedStatus::Queued => Status::Queued,
        };
        self.format.ok(&json!({"Call": call.v1(config.zone(), Some(shown))}))
    }

    fn reply(&self, config: &Config, reply: &Reply) -> Response {
        reply.respond(|reply, status| {
            let code = config.replies.error_code;
            let body = reply::rest_exception(reply.status, &reply.code, &reply.message, code);
            self.format.respond(status, &body)
        })
    }
}
