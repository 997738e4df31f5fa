//! Reading calls and recordings back (protocol page, §4).

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::json;

use super::{
    Hub,
    call::{Call, Status},
    config::{Account, Config},
    door::{self, Purpose},
    instant,
    paging::Query,
    reply::{self, Refusal},
};
use crate::{carrier::Paced as _, clock};

/// `GET /v2/calls/{call_control_id}`
pub(super) async fn call(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, config| {
        let world = hub.read();
        let call = world.by_id(&id).filter(|call| call.account() == account.id);
        let call = call.filter(|call| !is_past(call, config)).ok_or_else(Refusal::not_found)?;
        let mut data = call.resource();
        if let Some(lasted) = so_far(call, config) {
            data["call_duration"] = lasted.into();
        }
        Ok(reply::data(&data))
    })
}

/// A call that ended long enough ago cannot be read any more.
fn is_past(call: &Call, config: &Config) -> bool {
    call.ended.is_some_and(|(_, ended)| ended.elapsed() >= config.reads.retention)
}

/// Nominal seconds that a call under way has been answered.
fn so_far(call: &Call, config: &Config) -> Option<u64> {
    let answered = call.answered.filter(|_| call.ended.is_none())?;
    let passed = (clock::now() - answered).to_std().unwrap_or_default();
    Some(config.pace().nominal(passed).as_secs())
}

/// `GET /v2/connections/{connection_id}/active_calls`
pub(super) async fn active_calls(
    State(hub): State<Arc<Hub>>,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, config| {
        config.connection(&connection).ok_or_else(Refusal::not_found)?;
        let world = hub.read();
        let is_active = |call: &&Call| {
            call.account() == account.id
                && call.request.connection == connection
                && matches!(call.status, Status::Queued | Status::Ringing | Status::InProgress)
        };
        let active: Vec<_> = world.calls(&[]).into_iter().filter(is_active).collect();
        Query::parse(query.as_deref()).page(&active, |call| {
            let mut item = call.identity();
            item["client_state"] = call.client_state.as_deref().unwrap_or_default().into();
            item["call_duration"] = so_far(call, config).unwrap_or_default().into();
            item
        })
    })
}

/// `GET /v2/recordings`
pub(super) async fn recordings(
    State(hub): State<Arc<Hub>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, _| {
        let query = Query::parse(query.as_deref());
        let made = query.range("created_at")?;
        let world = hub.read();
        let calls = world.calls(&[]).into_iter().rev();
        let theirs = calls.filter(|call| call.account() == account.id);
        let all = theirs.flat_map(|call| call.recordings.iter().map(move |saved| (call, saved)));
        let wanted = all.filter(|(call, saved)| {
            query.allows("connection_id", &call.request.connection)
                && query.allows("from", &call.request.from)
                && query.allows("to", &call.request.to)
                && query.allows("call_leg_id", &call.leg)
                && query.allows("call_session_id", &call.session)
                && made.holds(Some(saved.ended))
        });
        let found: Vec<_> = wanted.collect();
        query.page(&found, |(call, saved)| saved.resource(call))
    })
}

/// `GET /v2/public_key`: what webhooks are verified with.
pub(super) async fn public_key(State(hub): State<Arc<Hub>>, headers: HeaderMap) -> Response {
    answer(&hub, &headers, |_, config| {
        let data = json!({
            "record_type": "public_key",
            "public": config.public_key(),
            "created_at": instant(clock::now()),
        });
        Ok(reply::data(&data))
    })
}

/// Lets a read in, and answers it.
pub(super) fn answer(
    hub: &Hub,
    headers: &HeaderMap,
    serve: impl FnOnce(&Account, &Config) -> Result<Response, Refusal>,
) -> Response {
    let config = hub.config();
    match door::enter(hub, &config, headers, Purpose::Other) {
        Ok(account) => serve(&account, &config).unwrap_or_else(|refusal| refusal.respond()),
        Err(response) => *response,
    }
}
