//! Reading calls back: details, v3 details and the count of streams (protocol page, §2.4 and §4).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Hub,
    config::Config,
    door::{Entry, Purpose},
    list,
    reply::{Format, Refusal},
};

/// `GET /v1/Accounts/{account}/Calls/{sid}[.json]`
pub(super) async fn call(
    State(hub): State<Arc<Hub>>,
    Path((account, resource)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (sid, format) = Format::of(&resource);
    answer(&hub, &headers, &account, format, |_| {
        let world = hub.read();
        let call = world.by_id(sid).filter(|call| call.account() == account);
        let call = call.ok_or_else(|| Refusal::not_found(format!("Call {sid} does not exist")))?;
        let mut shown = call.v1(hub.config().zone(), None);
        if asks_for_details(query.as_deref().unwrap_or_default()) {
            shown["Details"] = call.details();
        }
        Ok(json!({ "Call": shown }))
    })
}

fn asks_for_details(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "details" && value == "true")
}

/// `GET /v1/Accounts/{account}/Calls[.json]` and `…/ActiveStreams[.json]`
pub(super) async fn collection(
    State(hub): State<Arc<Hub>>,
    Path((account, resource)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (name, format) = Format::of(&resource);
    answer(&hub, &headers, &account, format, |config| match name {
        "Calls" => list::page(&hub, config, &account, query.as_deref().unwrap_or_default()),
        "ActiveStreams" => Ok(active_streams(&hub, config, &account, format)),
        _ => Err(Refusal::not_found(format!("{name} does not exist (names are case sensitive)"))),
    })
}

/// The two documented bodies disagree; XML has the one, JSON the other.
fn active_streams(hub: &Hub, config: &Config, account: &str, format: Format) -> Value {
    let active = hub.read().more.streams(account);
    let most = config.limits.max_streams;
    match format {
        Format::Xml => json!({"Stream": {"ActiveStreamCount": active, "ThrottleLimit": most}}),
        Format::Json => json!({
            "status": "success",
            "active_streams": active,
            "max_allowed_streams": most,
            "account_sid": account,
        }),
    }
}

/// `GET /v3/accounts/{account}/calls/{sid}`
pub(super) async fn call_v3(
    State(hub): State<Arc<Hub>>,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let config = hub.config();
    let entry = Entry::new(&hub, &config, &headers, &account, Purpose::Read);
    let response = match &entry.refusal {
        Some(refusal) => refusal.respond_v3(),
        None => match hub.read().by_id(&sid).filter(|call| call.account() == account) {
            Some(call) if config.reads.v3_details => Json(json!({
                "request_id": Uuid::new_v4().simple().to_string(),
                "method": "GET",
                "http_code": 200,
                "response": {
                    "code": 200,
                    "error_data": null,
                    "status": "success",
                    "call_details": call.v3(hub.config().zone(), &hub.origin),
                },
            }))
            .into_response(),
            _ => Refusal::not_found("Not found").respond_v3(),
        },
    };
    entry.stamp(response, &config)
}

/// Lets the request in, and wraps what `serve` makes of it.
fn answer(
    hub: &Hub,
    headers: &HeaderMap,
    account: &str,
    format: Format,
    serve: impl FnOnce(&Config) -> Result<Value, Refusal>,
) -> Response {
    let config = hub.config();
    let entry = Entry::new(hub, &config, headers, account, Purpose::Read);
    let served = match &entry.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => serve(&config),
    };
    let response = match served {
        Ok(body) => format.ok(&body),
        Err(refusal) => refusal.respond(format, config.replies.error_code),
    };
    entry.stamp(response, &config)
}
