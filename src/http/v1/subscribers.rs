//! Who is told of events, and what they were told.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::subscribers::{self, Change, Delivery, DeliveryState, Spec, Subscriber, Which};
use outdial_jobs::operations::{OperationError, setup};
use outdial_workflows::ids::{CampaignId, ClientId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::paging::{counting, page_limit};
use super::{Asked, Body, Caller, Named};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// Who is to be told of what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriberInput {
    /// Where events are sent to, by https.
    #[schema(example = "https://crm.example.com/hooks/outdial")]
    url: String,
    /// What it is, for people.
    #[serde(default)]
    #[schema(max_length = 300)]
    description: String,
    /// Of which types: `call.ended`, or `call.*` for all that begin so. Left out or empty: all.
    #[serde(default)]
    types: Vec<String>,
    /// Of which campaigns. Left out or empty: all of the client.
    #[serde(default)]
    campaigns: Vec<Uuid>,
}

impl From<SubscriberInput> for Spec {
    fn from(input: SubscriberInput) -> Self {
        let SubscriberInput { url, description, types, campaigns } = input;
        Self { url, description, types, campaigns: campaigns.into_iter().map(CampaignId).collect() }
    }
}

/// A subscriber, and how it has been answering.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscriber)]
pub(crate) struct SubscriberBody {
    /// Its id.
    id: Uuid,
    /// The tenant.
    client: Uuid,
    /// Where events are sent to.
    url: String,
    /// What it is, for people.
    description: String,
    /// Of which types; empty for all.
    types: Vec<String>,
    /// Of which campaigns; empty for all.
    campaigns: Vec<Uuid>,
    /// Whether anything is sent to it.
    enabled: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_for: Option<String>,
    /// Failures since it last took an event.
    failures: u32,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime<Utc>>,
    /// Until when nothing is sent to it because of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_until: Option<DateTime<Utc>>,
    /// Who made it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    changed_at: DateTime<Utc>,
    /// What events are signed with, as the Standard Webhooks specification has it: told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<Subscriber> for SubscriberBody {
    fn from(subscriber: Subscriber) -> Self {
        Self {
            id: subscriber.id,
            client: subscriber.client.0,
            url: subscriber.url,
            description: subscriber.description,
            types: subscriber.types,
            campaigns: subscriber.campaigns.into_iter().map(|campaign| campaign.0).collect(),
            enabled: subscriber.disabled_for.is_none(),
            disabled_for: subscriber.disabled_for,
            failures: subscriber.health.failures,
            failing_since: subscriber.health.failing_since,
            resting_until: subscriber.health.resting_until,
            created_by: subscriber.created_by,
            created_at: subscriber.created_at,
            changed_at: subscriber.changed_at,
            secret: None,
        }
    }
}

/// A client's subscribers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subscribers {
    /// All of them: at most 50.
    items: Vec<SubscriberBody>,
}

/// List subscribers
#[utoipa::path(get, path = "/v1/clients/{client}/subscribers", tag = "events",
    params(("client" = Uuid, Path, description = "The client's id")), responses(
    (status = 200, description = "All of them", body = Subscribers),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
) -> Result<Json<Subscribers>, Problem> {
    caller.is(Role::Admin)?;
    let client = caller.sees(ClientId(client))?;
    setup::client(&api.engine, client).await?;
    let found = subscribers::list(&api.engine, client).await?;
    Ok(Json(Subscribers { items: found.into_iter().map(SubscriberBody::from).collect() }))
}

/// Subscribe
///
/// From now on, events are sent to the address by POST, signed as the Standard Webhooks specification says
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`), until it answers 2xx: for more than a day, in order for
/// each lead. An event may come twice; its `webhook-id` tells.
#[utoipa::path(post, path = "/v1/clients/{client}/subscribers", tag = "events",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = SubscriberInput, responses(
    (status = 201, description = "The subscriber, with its secret", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "There are 50 already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<SubscriberInput>,
) -> Result<(StatusCode, Json<SubscriberBody>), Problem> {
    caller.is(Role::Admin)?;
    let client = caller.sees(ClientId(client))?;
    setup::client(&api.engine, client).await?;
    let (made, secret) = subscribers::create(&api.engine, client, &input.into(), caller.by()).await?;
    let secret = Some(secret.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(SubscriberBody { secret, ..made.into() })))
}

pub(in crate::http) async fn visible(
    api: &Api,
    caller: &Caller,
    subscriber: Uuid,
) -> Result<Subscriber, Problem> {
    let found = subscribers::find(&api.engine, subscriber).await?;
    let not_found = || OperationError::NotFound { kind: "subscriber", given: subscriber.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Show a subscriber
#[utoipa::path(get, path = "/v1/subscribers/{subscriber}", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The subscriber", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<Json<SubscriberBody>, Problem> {
    caller.is(Role::Admin)?;
    Ok(Json(visible(&api, &caller, subscriber).await?.into()))
}

async fn changed(
    api: &Api,
    caller: &Caller,
    subscriber: Uuid,
    change: &Change,
) -> Result<Json<SubscriberBody>, Problem> {
    caller.is(Role::Admin)?;
    visible(api, caller, subscriber).await?;
    Ok(Json(subscribers::change(&api.engine, subscriber, change, caller.by()).await?.into()))
}

/// Edit a subscriber
#[utoipa::path(put, path = "/v1/subscribers/{subscriber}", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), request_body = SubscriberInput, responses(
    (status = 200, description = "As it is now", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn edit(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
    Body(input): Body<SubscriberInput>,
) -> Result<Json<SubscriberBody>, Problem> {
    changed(&api, &caller, subscriber, &Change::Edit(input.into())).await
}

/// Disable a subscriber
///
/// Nothing is sent to it; what happens meanwhile waits for it, for a week.
#[utoipa::path(post, path = "/v1/subscribers/{subscriber}/disable", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "As it is now", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn disable(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<Json<SubscriberBody>, Problem> {
    changed(&api, &caller, subscriber, &Change::Disable).await
}

/// Enable a subscriber
///
/// What waits for it is sent first.
#[utoipa::path(post, path = "/v1/subscribers/{subscriber}/enable", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "As it is now", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn enable(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<Json<SubscriberBody>, Problem> {
    changed(&api, &caller, subscriber, &Change::Enable).await
}

/// Delete a subscriber
#[utoipa::path(delete, path = "/v1/subscribers/{subscriber}", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "Nothing is sent to it any more"),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn delete(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Admin)?;
    visible(&api, &caller, subscriber).await?;
    subscribers::delete(&api.engine, subscriber, caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change a subscriber's secret
///
/// For a day, events are signed with the one before, too.
#[utoipa::path(post, path = "/v1/subscribers/{subscriber}/rotate", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The subscriber, with its new secret", body = SubscriberBody),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn rotate(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<Json<SubscriberBody>, Problem> {
    caller.is(Role::Admin)?;
    visible(&api, &caller, subscriber).await?;
    let (changed, secret) = subscribers::rotate(&api.engine, subscriber, caller.by()).await?;
    Ok(Json(SubscriberBody { secret: Some(secret.expose_secret().to_owned()), ..changed.into() }))
}

/// Try a subscriber
///
/// Sends an event of the type `ping`; the deliveries tell what came of it.
#[utoipa::path(post, path = "/v1/subscribers/{subscriber}/ping", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), responses(
    (status = 202, description = "It will be sent"),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn ping(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Admin)?;
    visible(&api, &caller, subscriber).await?;
    subscribers::ping(&api.engine, subscriber, caller.by()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub(crate) enum StateName {
    /// It is to be sent, or sent again.
    Waiting,
    /// The subscriber took it.
    Delivered,
    /// The subscriber never took it.
    Failed,
}

/// An event that a subscriber is told of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryBody {
    /// Its place among its subscriber's.
    id: i64,
    /// The event's id, as `webhook-id` has it.
    event: String,
    /// The event's type.
    #[serde(rename = "type")]
    kind: String,
    /// When it happened.
    at: DateTime<Utc>,
    /// The lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Uuid>,
    /// Where it stands.
    state: StateName,
    /// How often it was sent.
    tries: i16,
    /// When it is sent next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime<Utc>>,
    /// The HTTP status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i16>,
    /// What was wrong with the last sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When it last changed.
    changed_at: DateTime<Utc>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.new.event,
            kind: delivery.new.kind,
            at: delivery.new.at,
            lead: delivery.new.lead.map(|(lead, _)| lead.0),
            state: match delivery.state {
                DeliveryState::Waiting => StateName::Waiting,
                DeliveryState::Delivered => StateName::Delivered,
                DeliveryState::Failed => StateName::Failed,
            },
            tries: delivery.tries,
            next_at: delivery.next_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            changed_at: delivery.changed_at,
        }
    }
}

/// Which deliveries are asked for.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// The `next` of the page before.
    #[param(minimum = 0)]
    cursor: Option<i64>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only those that stand so.
    state: Option<StateName>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deliveries {
    /// What is on it.
    items: Vec<DeliveryBody>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// List what a subscriber was told
///
/// The latest first; kept for 30 days.
#[utoipa::path(get, path = "/v1/subscribers/{subscriber}/deliveries", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id"), DeliveriesQuery), responses(
    (status = 200, description = "A page of them", body = Deliveries),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn deliveries(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
    Asked(asked): Asked<DeliveriesQuery>,
) -> Result<Json<Deliveries>, Problem> {
    caller.is(Role::Admin)?;
    visible(&api, &caller, subscriber).await?;
    let (limit, cursor) = (page_limit(asked.limit)?, counting(asked.cursor)?);
    let state = asked.state.map(|state| match state {
        StateName::Waiting => DeliveryState::Waiting,
        StateName::Delivered => DeliveryState::Delivered,
        StateName::Failed => DeliveryState::Failed,
    });
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let mut found = subscribers::deliveries(&api.engine, subscriber, state, cursor, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|delivery| delivery.id).filter(|_| more);
    Ok(Json(Deliveries { items: found.into_iter().map(DeliveryBody::from).collect(), next }))
}

/// Which deliveries are to be sent anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedeliverInput {
    /// This one.
    delivery: Option<i64>,
    /// Those of events that happened from then on.
    since: Option<DateTime<Utc>>,
    /// With `since`: also what was delivered, for a subscriber that lost what it took.
    #[serde(default)]
    delivered_too: bool,
}

/// How many deliveries are sent anew.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Redelivered {
    /// So many.
    deliveries: u64,
}

/// Send deliveries anew
///
/// One by its id, or those that failed since a moment.
#[utoipa::path(post, path = "/v1/subscribers/{subscriber}/redeliver", tag = "events",
    params(("subscriber" = Uuid, Path, description = "Its id")), request_body = RedeliverInput, responses(
    (status = 202, description = "They will be sent", body = Redelivered),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such subscriber, or delivery", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn redeliver(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(subscriber): Named<Uuid>,
    Body(input): Body<RedeliverInput>,
) -> Result<(StatusCode, Json<Redelivered>), Problem> {
    caller.is(Role::Admin)?;
    visible(&api, &caller, subscriber).await?;
    let which = match (input.delivery, input.since, input.delivered_too) {
        (Some(delivery), None, false) => Which::One(delivery),
        (None, Some(since), false) => Which::FailedSince(since),
        (None, Some(since), true) => Which::AllSince(since),
        _ => {
            let problem = "give `delivery`, or `since`".to_owned();
            return Err(OperationError::Invalid { place: "body".into(), problem }.into());
        }
    };
    let deliveries = subscribers::redeliver(&api.engine, subscriber, which, caller.by()).await?;
    Ok((StatusCode::ACCEPTED, Json(Redelivered { deliveries })))
}
