//! `POST` (or `PUT`) `/v2/calls/{call_control_id}/actions/{name}`: letting a command through to its call.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use serde_json::Value;

use super::{
    Hub, World,
    action::Action,
    call::{Call, Letter, Status},
    door::{self, Purpose},
    fields::Fields,
    log::EventRow,
    reply::{self, Refusal},
};
use crate::clock;

/// The one command that is put; the others are posted, as the official client has it.
const PUT: &str = "client_state_update";

pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    Path((id, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    if name == PUT { Refusal::not_found().respond() } else { take(&hub, &id, &name, request).await }
}

pub(super) async fn put(
    State(hub): State<Arc<Hub>>,
    Path((id, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    if name == PUT { take(&hub, &id, &name, request).await } else { Refusal::not_found().respond() }
}

async fn take(hub: &Hub, id: &str, name: &str, request: Request<Body>) -> Response {
    let config = hub.config();
    let headers = request.headers().clone();
    let body = door::body(request, false).await;
    let account = match door::enter(hub, &config, &headers, Purpose::Other) {
        Ok(account) => account,
        Err(response) => return *response,
    };
    let done = body.and_then(|body| {
        let fields = Fields(&body);
        let state = fields.client_state("client_state")?;
        let command_id = fields.text("command_id")?;
        let inbound = matches!(name, "answer" | "reject");
        let action = if inbound { None } else { Action::read(name, fields, &config)? };
        hub.change(|world| {
            let call = live(world, id, &account.id)?;
            if inbound {
                return Err(Refusal::new(
                    422,
                    "90102",
                    "Outbound call",
                    format!("The command '{name}' is for inbound calls, and this one is outbound."),
                ));
            }
            let action = action.ok_or_else(Refusal::not_found)?;
            suits(&call, &action)?;
            if command_id.is_some_and(|command| world.more.is_repeated(id, command)) {
                return Ok(());
            }
            carry(world, &call, name, action, state, &body);
            Ok(())
        })
    });
    match done {
        Ok(()) => reply::ok(),
        Err(refusal) => refusal.respond(),
    }
}

fn live(world: &World, id: &str, account: &str) -> Result<Call, Refusal> {
    let call = world.by_id(id).filter(|call| call.account() == account);
    let call = call.ok_or_else(|| {
        let detail = "The call_control_id provided was not valid.";
        Refusal::new(422, "90015", "Invalid Call Control ID", detail)
    })?;
    if call.status.is_terminal() { Err(Refusal::call_over()) } else { Ok(call.clone()) }
}

/// Whether the call is in a state in which the command can be carried out.
fn suits(call: &Call, action: &Action) -> Result<(), Refusal> {
    if call.status != Status::InProgress && !action.suits_ringing() {
        let detail = "This call can't receive this command because it has not been answered yet.";
        return Err(Refusal::new(422, "90034", "Call has not been answered yet", detail));
    }
    match action {
        Action::StreamingStart(_) if call.streaming => {
            let detail = "Media streaming is already in use on this call.";
            Err(Refusal::new(422, "90045", "Media streaming is used", detail))
        }
        Action::StreamingStop if !call.streaming => {
            let detail = "Media streaming is not in use on this call.";
            Err(Refusal::new(422, "90048", "Media streaming is not used", detail))
        }
        _ => Ok(()),
    }
}

fn carry(
    world: &mut World,
    call: &Call,
    name: &str,
    action: Action,
    state: Option<&str>,
    body: &serde_json::Map<String, Value>,
) {
    world.update(call, |call| {
        if let Some(state) = state {
            call.client_state = Some(state.into());
        }
        match action {
            Action::StreamingStart(_) => call.streaming = true,
            Action::StreamingStop => call.streaming = false,
            _ => {}
        }
    });
    let row = EventRow::new(call, name, "command", clock::now(), Value::Object(body.clone()));
    world.more.events.write(call.id(), row);
    call.mailbox.post(Letter::Act(action));
}
