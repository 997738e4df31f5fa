//! Reading: one call, and the concurrency in use (protocol page, §4 and §6).

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    Hub, World,
    call::{Call, View},
    config::Config,
    door::{self, Purpose},
    reply::{self, Refusal},
    workspace::WORKSPACE,
};

/// `GET /v2/get-call/{call_id}`
pub(super) async fn call(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |config| {
        let world = hub.read();
        find(&world, config, &id).map(|call| call.object(View::Whole))
    })
}

/// `GET /get-concurrency`
pub(super) async fn concurrency(State(hub): State<Arc<Hub>>, headers: HeaderMap) -> Response {
    answer(&hub, &headers, |config| {
        let limits = &config.limits;
        let purchasable = limits.purchased_concurrency.saturating_add(limits.remaining_purchase_limit);
        Ok(json!({
            "current_concurrency": hub.read().live(WORKSPACE),
            "concurrency_limit": limits.concurrency(),
            "base_concurrency": limits.base_concurrency,
            "purchased_concurrency": limits.purchased_concurrency,
            "concurrency_purchase_limit": purchasable,
            "remaining_purchase_limit": limits.remaining_purchase_limit,
            "concurrency_burst_enabled": limits.concurrency_burst,
            "concurrency_burst_limit": limits.burst(),
            "reserved_inbound_concurrency": limits.reserved_inbound_concurrency,
        }))
    })
}

/// The call, unless it is unknown, forgotten or deleted.
pub(super) fn find<'a>(world: &'a World, config: &Config, id: &str) -> Result<&'a Call, Refusal> {
    let known = world.by_id(id).filter(|call| !call.deleted);
    known.ok_or_else(|| Refusal::new(config.replies.unknown_call_status, format!("call {id} not found")))
}

/// Lets the request in, and wraps what `serve` makes of it.
pub(super) fn answer(
    hub: &Hub,
    headers: &HeaderMap,
    serve: impl FnOnce(&Config) -> Result<Value, Refusal>,
) -> Response {
    let config = hub.config();
    let served = door::enter(hub, &config, headers, Purpose::Other).and_then(|()| serve(&config));
    reply::answer(StatusCode::OK, served)
}
