//! Status callbacks: what they say (protocol page, §3) and how they are delivered.

use std::time::Duration;

use reqwest::{RequestBuilder, multipart};
use serde_json::{Map, Value, json};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

use super::{
    call::{Call, Status, Zone},
    config::FormEncoding,
    dial::{CallbackRequest, Event},
    hub::Hub,
    scenario::Quirk,
};

/// A moment in a call's life.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) event: Event,
    /// The call as it then was.
    pub(super) call: Call,
    pub(super) at: Instant,
}

/// Delivers a call's callbacks, one after the other, until the sender is dropped.
pub(super) async fn deliver(
    hub: &Hub,
    call: &Call,
    quirks: &[Quirk],
    mut inbox: mpsc::UnboundedReceiver<Notice>,
) {
    let Some(request) = &call.request.callback else { return };
    let manner = Manner::of(quirks);
    if manner.none {
        return;
    }
    let mut held = Vec::new();
    while let Some(notice) = inbox.recv().await {
        if !is_wanted(request, notice.event) {
            continue;
        }
        if manner.reordered {
            held.push(notice);
        } else {
            send_copies(hub, request, &notice, &manner).await;
        }
    }
    for notice in held.iter().rev() {
        send_copies(hub, request, notice, &manner).await;
    }
}

/// How the scenario wants a call's callbacks.
#[derive(Debug, Default)]
struct Manner {
    copies: u32,
    reordered: bool,
    late: Duration,
    none: bool,
}

impl Manner {
    fn of(quirks: &[Quirk]) -> Self {
        let mut manner = Self { copies: 1, ..Self::default() };
        for quirk in quirks {
            match quirk {
                Quirk::DuplicateCallbacks { extra } => manner.copies += extra,
                Quirk::ReorderedCallbacks => manner.reordered = true,
                Quirk::LateCallbacks { by } => manner.late += *by,
                Quirk::NoCallbacks => manner.none = true,
                Quirk::AcceptThenDrop
                | Quirk::DropBeforeAccepting { .. }
                | Quirk::Reply(_)
                | Quirk::Hang { .. }
                | Quirk::SlowResponse { .. }
                | Quirk::StreamBreaks { .. } => {}
            }
        }
        manner
    }
}

/// Without events, the end alone is reported.
fn is_wanted(request: &CallbackRequest, event: Event) -> bool {
    if request.events.is_empty() { event == Event::Terminal } else { request.events.contains(&event) }
}

async fn send_copies(hub: &Hub, request: &CallbackRequest, notice: &Notice, manner: &Manner) {
    let late = hub.config().pace().wall(manner.late);
    time::sleep_until(notice.at + late).await;
    let fields = fields(notice, request, hub.zone());
    for _ in 0..manner.copies {
        // Boxed: a call waits far longer than it sends, and should not carry room for a request.
        let delivered = Box::pin(attempt(hub, request, &fields)).await;
        hub.count(|totals| {
            totals.callbacks_delivered += u64::from(delivered);
            totals.callbacks_lost += u64::from(!delivered);
        });
    }
}

/// Tries until a 2xx or the attempts are used up.
async fn attempt(hub: &Hub, request: &CallbackRequest, fields: &Map<String, Value>) -> bool {
    let config = hub.config();
    for attempt in 1..=config.callbacks.attempts {
        let body = hub.http.post(request.url.clone()).timeout(config.callbacks.timeout);
        let body = if request.json {
            body.json(fields)
        } else {
            with_form(body, form(fields), config.callbacks.encoding)
        };
        if send(hub, body).await {
            return true;
        }
        if attempt < config.callbacks.attempts {
            time::sleep(config.pace().wall(config.callbacks.retry_gap)).await;
        }
    }
    false
}

async fn send(hub: &Hub, request: RequestBuilder) -> bool {
    let _turn = hub.callbacks.acquire().await.expect("the semaphore is never closed");
    hub.count(|totals| totals.callback_requests += 1);
    match request.send().await {
        Ok(response) => {
            let accepted = response.status().is_success();
            // Read to its end, so that the connection can be used again.
            response.bytes().await.is_ok() && accepted
        }
        Err(error) => {
            tracing::debug!(%error, "a callback was not delivered");
            false
        }
    }
}

fn with_form(
    request: RequestBuilder,
    fields: Vec<(String, String)>,
    encoding: FormEncoding,
) -> RequestBuilder {
    match encoding {
        FormEncoding::UrlEncoded => request.form(&fields),
        FormEncoding::Multipart => {
            let parts = fields.into_iter();
            request
                .multipart(parts.fold(multipart::Form::new(), |form, (name, value)| form.text(name, value)))
        }
    }
}

fn fields(notice: &Notice, request: &CallbackRequest, zone: Zone) -> Map<String, Value> {
    let call = &notice.call;
    let mut body = json!({
        "CallSid": &*call.sid,
        "DateUpdated": zone.v1(call.updated),
        "Status": call.status.name(),
        "RecordingUrl": call.recording_url(),
    });
    if !request.events.is_empty() {
        add_event_fields(&mut body, notice, zone);
    }
    match body {
        Value::Object(fields) => fields,
        other => unreachable!("{other} was built as an object above"),
    }
}

fn add_event_fields(body: &mut Value, notice: &Notice, zone: Zone) {
    let call = &notice.call;
    body["EventType"] = notice.event.name().into();
    body["DateCreated"] = zone.v1(call.created).into();
    body["To"] = call.to().domestic().into();
    body["From"] = call.phone().domestic().into();
    body["PhoneNumberSid"] = call.request.exophone.domestic().into();
    body["StartTime"] = zone.v1(call.answered.unwrap_or(call.created)).into();
    body["EndTime"] = call.ended.map(|at| zone.v1(at)).unwrap_or_default().into();
    body["ConversationDuration"] = call.talk.as_secs().into();
    body["Direction"] = "outbound-api".into();
    body["CustomField"] = call.request.custom_field.clone().into();
    if notice.event == Event::Terminal {
        body["Legs"] = call.legs().map(|status| leg(call, status)).collect();
    }
}

fn leg(call: &Call, status: Option<Status>) -> Value {
    json!({
        "OnCallDuration": call.talk.as_secs(),
        "Status": status.map(Status::name),
        "AnsweredBy": "NA",
    })
}

/// Flattens the way PHP reads it back: `Legs[0][Status]=completed`; null becomes an empty value.
fn form(fields: &Map<String, Value>) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (name, value) in fields {
        flatten(name, value, &mut flat);
    }
    flat
}

fn flatten(name: &str, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Null => flat.push((name.to_owned(), String::new())),
        Value::String(text) => flat.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => flat.push((name.to_owned(), value.to_string())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), item, flat);
            }
        }
        Value::Object(fields) => {
            for (field, item) in fields {
                flatten(&format!("{name}[{field}]"), item, flat);
            }
        }
    }
}
