//! Status callbacks, in every form they are known or expected to come in.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use chrono_tz::Tz;
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
use outdial_workflows::call::{CallFact, CallId, CallStatus};
use serde_json::Value;
use url::Url;

use super::mapping::{self, Ending, Stage};
use super::wire;
use crate::providers::{Webhook, WebhookError, WebhookRequest};

/// A callback is under 2 KB.
const BODY_MAX: usize = 64 * 1024;

/// Field names in lower case, as one page of the documents writes them, with nested ones as PHP
/// writes them: `legs[0][status]`.
type Fields = BTreeMap<String, String>;

/// Reads a callback: multipart, url-encoded or JSON, in the default four-field form or the event
/// form. Fields that we do not know are ignored. Dates without a zone are read in `zone`.
///
/// # Errors
/// If it is in none of these forms, or lacks what says which call it is or how that stands.
pub(super) async fn read(request: &WebhookRequest<'_>, zone: Tz) -> Result<Webhook, WebhookError> {
    let fields = fields(request).await?;
    let get = |name: &str| fields.get(name).map(String::as_str);
    let sid = get("callsid").ok_or_else(|| WebhookError::Unreadable("CallSid is missing".into()))?;
    let fact = fact(&get, CallId(sid.to_owned()), zone)?;
    Ok(Webhook::News { key: get("customfield").map(str::to_owned), fact })
}

/// What the fields say. A status that is an end counts whatever the event is called: one page of
/// the documents says that `answered` is only sent once the call is over.
fn fact<'a>(
    get: &impl Fn(&str) -> Option<&'a str>,
    call_id: CallId,
    zone: Tz,
) -> Result<CallFact, WebhookError> {
    let word = get("status").or_else(|| get("legs[0][status]"));
    let event = get("eventtype").map(str::to_ascii_lowercase);
    let moment = |name| get(name).and_then(|text| wire::moment(text, zone));
    match (event.as_deref(), word.and_then(mapping::stage)) {
        (_, Some(Stage::Over(result))) => {
            let ending = Ending {
                word: word.unwrap_or_default(),
                talk_s: get("conversationduration"),
                ended_at: moment("endtime"),
                recording_url: get("recordingurl").filter(|text| is_web_address(text)),
            };
            Ok(mapping::ended(Some(call_id), result, &ending))
        }
        (Some("answered"), _) => {
            let answered_at = moment("dateupdated");
            Ok(CallFact { answered_at, ..CallFact::progress(Some(call_id), CallStatus::Connected) })
        }
        (Some("ringing"), _) => Ok(CallFact::progress(Some(call_id), CallStatus::Ringing)),
        (Some("terminal"), _) => Err(not_understood("EventType is terminal, but Status", word)),
        (_, Some(Stage::Under(status))) => Ok(CallFact::progress(Some(call_id), status)),
        (_, None) => Err(not_understood("Status", word)),
    }
}

fn not_understood(what: &str, word: Option<&str>) -> WebhookError {
    WebhookError::Unreadable(match word {
        Some(word) => format!("{what} is `{}`", word.chars().take(40).collect::<String>()),
        None => format!("{what} is missing"),
    })
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

async fn fields(request: &WebhookRequest<'_>) -> Result<Fields, WebhookError> {
    if request.body.len() > BODY_MAX {
        return Err(WebhookError::Unreadable(format!("it is longer than {BODY_MAX} bytes")));
    }
    let media_type = request.content_type().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "multipart/form-data" => multipart(request.content_type(), request.body).await,
        "application/json" => json(request.body),
        "application/x-www-form-urlencoded" => Ok(url_encoded(request.body)),
        _ if request.body.trim_ascii_start().starts_with(b"{") => json(request.body),
        "" => Ok(url_encoded(request.body)),
        other => Err(WebhookError::Unreadable(format!(
            "its Content-Type is {}",
            other.chars().take(80).collect::<String>()
        ))),
    }
}

async fn multipart(content_type: &str, body: &Bytes) -> Result<Fields, WebhookError> {
    let bad = |error: multer::Error| WebhookError::Unreadable(format!("bad multipart form: {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(bad)?;
    let body = stream::iter([Ok::<_, Infallible>(body.clone())]);
    let whole = u64::try_from(BODY_MAX).unwrap_or(u64::MAX);
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole));
    let mut parts = Multipart::with_constraints(body, boundary, limits);
    let mut fields = Fields::new();
    while let Some(part) = parts.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or_default().to_owned();
        add(&mut fields, &name, &part.text().await.map_err(bad)?);
    }
    Ok(fields)
}

fn url_encoded(body: &Bytes) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        add(&mut fields, &name, &value);
    }
    fields
}

fn json(body: &Bytes) -> Result<Fields, WebhookError> {
    let value = serde_json::from_slice(body)
        .map_err(|error| WebhookError::Unreadable(format!("bad JSON: {error}")))?;
    let Value::Object(object) = value else {
        return Err(WebhookError::Unreadable("its JSON is not an object".into()));
    };
    let mut fields = Fields::new();
    for (name, value) in &object {
        flatten(&mut fields, name, value);
    }
    Ok(fields)
}

/// A form's field; `Legs` may be JSON inside it.
fn add(fields: &mut Fields, name: &str, text: &str) {
    match serde_json::from_str(text) {
        Ok(list @ Value::Array(_)) => flatten(fields, name, &list),
        _ => flatten(fields, name, &Value::String(text.to_owned())),
    }
}

/// Depth is bounded by serde_json's own limit of 128.
fn flatten(fields: &mut Fields, name: &str, value: &Value) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(inner, value)| flatten(fields, &format!("{name}[{inner}]"), value));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| flatten(fields, &format!("{name}[{at}]"), value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.extend(wire::scalar(value).map(|text| (name.to_ascii_lowercase(), text)));
        }
    }
}
