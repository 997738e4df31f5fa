//! Looking for what happened: events and deliveries, which show with a lag (protocol page, §4).

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Hub,
    config::Config,
    log::{DeliveryRow, EventRow},
    paging::{Query, Range},
    reads::answer,
    reply::{self, Refusal},
};
use crate::carrier::Paced as _;

/// `GET /v2/call_events`
pub(super) async fn call_events(
    State(hub): State<Arc<Hub>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, config| {
        let query = Query::parse(query.as_deref());
        let occurred = query.range("occurred_at")?;
        let world = hub.read();
        let rows = world.more.events.rows().rev();
        let shown = rows.filter(|row| row.account == account.id && is_indexed(row.written, config));
        let found: Vec<_> = shown.filter(|row| is_wanted(row, &query, &occurred)).collect();
        query.page(&found, |row| row.resource())
    })
}

fn is_wanted(row: &EventRow, query: &Query, occurred: &Range) -> bool {
    query.allows("leg_id", &row.leg)
        && query.allows("application_session_id", &row.session)
        && query.allows("connection_id", &row.connection)
        && query.allows("product", row.product)
        && query.allows("from", &row.from)
        && query.allows("to", &row.to)
        && query.allows("name", &row.name)
        && query.allows("type", row.kind)
        && query.allows("status", "completed")
        && query.allows("failed", "false")
        && occurred.holds(Some(row.at))
}

/// `GET /v2/webhook_deliveries`
pub(super) async fn webhook_deliveries(
    State(hub): State<Arc<Hub>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, config| {
        let query = Query::parse(query.as_deref());
        let (started, finished) = (query.range("started_at")?, query.range("finished_at")?);
        let world = hub.read();
        let rows = world.more.deliveries.rows().rev();
        let shown = rows.filter(|row| row.account == account.id && is_indexed(row.written, config));
        let wanted = shown.filter(|row| {
            is_sought(row, &query) && started.holds(row.started()) && finished.holds(row.finished())
        });
        let found: Vec<_> = wanted.collect();
        query.page(&found, |row| row.resource())
    })
}

fn is_sought(row: &DeliveryRow, query: &Query) -> bool {
    let event = row.event["event_type"].as_str().unwrap_or_default();
    let holds = |text: Option<&str>, value: &dyn Fn() -> Value| {
        text.is_none_or(|text| value().to_string().contains(text))
    };
    query.filter("event_type").is_none_or(|listed| listed.split(',').any(|one| one.trim() == event))
        && query.allows("status", row.status())
        && holds(query.contains("webhook"), &|| row.event.clone())
        && holds(query.contains("attempts"), &|| row.attempts())
}

/// `GET /v2/webhook_deliveries/{id}`
pub(super) async fn webhook_delivery(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&hub, &headers, |account, config| {
        let world = hub.read();
        let mut rows = world.more.deliveries.rows();
        let is_it = |row: &&DeliveryRow| row.id == id && row.account == account.id;
        let row = rows.find(is_it).filter(|row| is_indexed(row.written, config));
        row.map(|row| reply::data(&row.resource())).ok_or_else(Refusal::not_found)
    })
}

fn is_indexed(written: Instant, config: &Config) -> bool {
    written.elapsed() >= config.pace().wall(config.reads.index_lag)
}
