//! Whoever is told of events, and what became of each telling.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::TimeDelta;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::subscribers::{self, Change, Delivery, DeliveryState, Spec, Subscriber, Which};
use outdial_workflows::outward::TYPES;
use secrecy::ExposeSecret;
use serde::Deserialize;
use uuid::Uuid;

use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::show;
use crate::http::Api;
use crate::http::v1::input::wrong;
use crate::http::v1::{self, Asked, Named};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/subscribers", get(list).post(create))
        .route("/admin/subscribers/{subscriber}", get(show_one).post(edit))
        .route("/admin/subscribers/{subscriber}/orders", post(order))
        .route("/admin/subscribers/{subscriber}/secret", post(rotate))
        .route("/admin/subscribers/{subscriber}/redeliver", post(redeliver))
}

#[derive(Template)]
#[template(path = "subscribers.html")]
struct ListPage {
    shell: Shell,
    subscribers: Vec<Subscriber>,
    types: &'static [(&'static str, &'static str)],
    /// A secret that was just made, for whom, shown this once.
    secret: Option<(String, String)>,
}

async fn list_page(
    visit: &Visit,
    client: Uuid,
    secret: Option<(String, String)>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    let mut shell = visit.shell(client, "subscribers", "Webhooks").await?;
    shell.path = format!("/admin/clients/{client}/subscribers");
    let subscribers = subscribers::list(&visit.api.engine, client).await?;
    page(&ListPage { shell, subscribers, types: &TYPES, secret })
}

async fn list(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    list_page(&visit, client, None).await
}

#[derive(Deserialize)]
struct SpecForm {
    url: String,
    description: String,
    types: String,
}

impl SpecForm {
    fn spec(&self) -> Spec {
        let types = self.types.split([',', '\n', ' ']).map(str::trim).filter(|kind| !kind.is_empty());
        Spec {
            url: self.url.trim().to_owned(),
            description: self.description.trim().to_owned(),
            types: types.map(str::to_owned).collect(),
            campaigns: vec![],
        }
    }
}

/// The secret is in the answer itself: no cookie, no address and no history of the browser holds it.
async fn create(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(form): Sent<SpecForm>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Admin)?;
    let of = visit.client(client).await?;
    let made = subscribers::create(&visit.api.engine, of, &form.spec(), visit.caller.by()).await?;
    let (subscriber, secret) = made;
    list_page(&visit, client, Some((subscriber.url, secret.expose_secret().to_owned()))).await
}

async fn rotate(visit: Visit, Named(id): Named<Uuid>) -> Result<Response, Failure> {
    visit.caller.is(Role::Admin)?;
    v1::subscribers::visible(&visit.api, &visit.caller, id).await?;
    let (subscriber, secret) = subscribers::rotate(&visit.api.engine, id, visit.caller.by()).await?;
    list_page(&visit, subscriber.client.0, Some((subscriber.url, secret.expose_secret().to_owned()))).await
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    state: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "subscriber.html")]
struct OnePage {
    shell: Shell,
    subscriber: Subscriber,
    deliveries: Vec<Delivery>,
    state: String,
    next: Option<String>,
    types: &'static [(&'static str, &'static str)],
}

async fn show_one(
    visit: Visit,
    Named(id): Named<Uuid>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    const ROWS: usize = 50;
    visit.caller.is(Role::Admin)?;
    let subscriber = v1::subscribers::visible(&visit.api, &visit.caller, id).await?;
    let shell = visit.shell(subscriber.client, "subscribers", subscriber.url.clone()).await?;
    let state = match wanted.state.as_str() {
        "" => None,
        "waiting" => Some(DeliveryState::Waiting),
        "delivered" => Some(DeliveryState::Delivered),
        "failed" => Some(DeliveryState::Failed),
        _ => return Err(wrong("state", "a delivery waits, is delivered or failed").into()),
    };
    let limit = i64::try_from(ROWS).unwrap_or(i64::MAX) + 1;
    let engine = &visit.api.engine;
    let mut deliveries = subscribers::deliveries(engine, id, state, wanted.before, limit).await?;
    let more = deliveries.len() > ROWS;
    deliveries.truncate(ROWS);
    let last = deliveries.last().filter(|_| more);
    let next = last.map(|last| format!("state={}&before={}", wanted.state, last.id));
    page(&OnePage { shell, subscriber, deliveries, state: wanted.state, next, types: &TYPES })
}

async fn edit(visit: Visit, Named(id): Named<Uuid>, Sent(form): Sent<SpecForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let found = v1::subscribers::visible(&visit.api, &visit.caller, id).await?;
    let spec = Spec { campaigns: found.campaigns, ..form.spec() };
    subscribers::change(&visit.api.engine, id, &Change::Edit(spec), visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/subscribers/{id}"), "It is changed."))
}

#[derive(Deserialize)]
struct OrderForm {
    order: String,
}

async fn order(visit: Visit, Named(id): Named<Uuid>, Sent(form): Sent<OrderForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let found = v1::subscribers::visible(&visit.api, &visit.caller, id).await?;
    let (engine, by, here) = (&visit.api.engine, visit.caller.by(), format!("/admin/subscribers/{id}"));
    let done = match form.order.as_str() {
        "ping" => {
            subscribers::ping(engine, id, by).await?;
            Done::at(here, "A test event is under way to it.")
        }
        "enable" => {
            subscribers::change(engine, id, &Change::Enable, by).await?;
            Done::at(here, "It is told of events again.")
        }
        "disable" => {
            subscribers::change(engine, id, &Change::Disable, by).await?;
            let done = Done::at(here.clone(), "It is told of nothing more.");
            done.undone_by(format!("{here}/orders"), &[("order", "enable")])
        }
        "delete" => {
            subscribers::delete(engine, id, by).await?;
            Done::at(format!("/admin/clients/{}/subscribers", found.client), "It is gone.")
        }
        other => return Err(wrong("order", format!("`{other}` is no order")).into()),
    };
    Ok(done)
}

#[derive(Deserialize)]
struct RedeliverForm {
    which: String,
}

async fn redeliver(
    visit: Visit,
    Named(id): Named<Uuid>,
    Sent(form): Sent<RedeliverForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    v1::subscribers::visible(&visit.api, &visit.caller, id).await?;
    let which = match form.which.as_str() {
        "failed" => Which::FailedSince(visit.signed.now - TimeDelta::days(7)),
        one => Which::One(one.parse().map_err(|_| wrong("which", "say which delivery"))?),
    };
    let count = subscribers::redeliver(&visit.api.engine, id, which, visit.caller.by()).await?;
    let text = format!("{} deliveries are made again.", show::n(&count));
    Ok(Done::at(format!("/admin/subscribers/{id}"), text))
}
