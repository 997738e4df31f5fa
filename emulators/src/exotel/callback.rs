//! Status callbacks: what they say (protocol page, §3) and how they are delivered.

use reqwest::{RequestBuilder, multipart};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{
    Hub,
    call::{Call, Status, Zone},
    config::FormEncoding,
    dial::{CallbackRequest, Event},
    phone::domestic,
};
use crate::carrier::{self, Manner, Notice, Quirk, Schedule};

/// A moment in a call's life.
#[derive(Debug)]
pub(super) struct News {
    pub(super) event: Event,
    /// The call as it then was.
    pub(super) call: Call,
}

/// Delivers a call's callbacks, one after the other, until the sender is dropped.
pub(super) async fn deliver(
    hub: &Hub,
    call: &Call,
    quirks: &[Quirk],
    inbox: mpsc::UnboundedReceiver<Notice<News>>,
) {
    let Some(to) = &call.request.callback else { return };
    let config = hub.config();
    let retries = usize::try_from(config.callbacks.attempts).unwrap_or(usize::MAX).saturating_sub(1);
    let schedule = Schedule { gaps: vec![config.callbacks.retry_gap; retries], again: |_| true };
    let request = |news: &News, _| request(hub, to, news);
    carrier::deliver(hub, &Manner::of(quirks), &schedule, inbox, |news| is_wanted(to, news.event), request)
        .await;
}

/// Without events, the end alone is reported.
fn is_wanted(request: &CallbackRequest, event: Event) -> bool {
    if request.events.is_empty() { event == Event::Terminal } else { request.events.contains(&event) }
}

fn request(hub: &Hub, to: &CallbackRequest, news: &News) -> RequestBuilder {
    let config = hub.config();
    let fields = fields(news, to, config.zone());
    let request = hub.http.post(to.url.clone()).timeout(config.callbacks.timeout);
    if to.json { request.json(&fields) } else { with_form(request, form(&fields), config.callbacks.encoding) }
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

fn fields(news: &News, request: &CallbackRequest, zone: Zone) -> Map<String, Value> {
    let call = &news.call;
    let mut body = json!({
        "CallSid": call.sid(),
        "DateUpdated": zone.v1(call.base.updated),
        "Status": call.status.name(),
        "RecordingUrl": call.recording_url(),
    });
    if !request.events.is_empty() {
        add_event_fields(&mut body, news, zone);
    }
    match body {
        Value::Object(fields) => fields,
        other => unreachable!("{other} was built as an object above"),
    }
}

fn add_event_fields(body: &mut Value, news: &News, zone: Zone) {
    let call = &news.call;
    body["EventType"] = news.event.name().into();
    body["DateCreated"] = zone.v1(call.base.created).into();
    body["To"] = domestic(call.to()).into();
    body["From"] = domestic(call.phone()).into();
    body["PhoneNumberSid"] = domestic(call.request.exophone).into();
    body["StartTime"] = zone.v1(call.answered.unwrap_or(call.base.created)).into();
    body["EndTime"] = call.ended.map(|at| zone.v1(at)).unwrap_or_default().into();
    body["ConversationDuration"] = call.talk.as_secs().into();
    body["Direction"] = "outbound-api".into();
    body["CustomField"] = call.request.custom_field.clone().into();
    if news.event == Event::Terminal {
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
