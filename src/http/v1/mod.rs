//! `/v1`: what people and programs do with Outdial over HTTP.
//!
//! The OpenAPI document is made from the handlers' own types and is served beside them, with a page to
//! browse it. Handlers read, ask who it is, call an operation and show what came of it; what may be done
//! is decided by the operations.

pub(super) mod accounts;
mod analytics;
mod attempts;
mod audit;
mod auth;
mod calls;
pub(super) mod campaigns;
mod clients;
mod consents;
mod document;
mod erasures;
mod events;
pub(super) mod exports;
pub(super) mod imports;
mod incoming;
pub(super) mod input;
pub(super) mod jobs;
pub(super) mod keys;
pub(super) mod leads;
mod limits;
mod live;
pub(super) mod names;
mod numbers;
mod once;
pub(super) mod operations;
mod pace;
mod paging;
mod pausing;
mod placed;
mod playbooks;
mod reports;
mod sheets;
pub(super) mod status;
pub(super) mod subscribers;
pub(super) mod suppressions;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

pub(crate) use auth::Caller;
pub(crate) use input::{Asked, Body, Named};
pub(crate) use paging::{NamedQuery, Page, PageQuery};

use super::Api;
use super::access::{self, Pace};

/// A thousand leads with all their attributes fit well into it.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// The same of the ten thousand people of a batch.
const BATCH_BODY_LIMIT: usize = 16 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Outdial",
        description = "Outbound calls as durable workflows. Errors are `application/problem+json`; lists come in \
                       pages, each with the cursor of the next; the header `X-Outdial-Reason` of an order says why \
                       it was given, for the record; every answer bears an `X-Request-Id`, and says in \
                       `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` how many requests a minute \
                       your key has, how many are left, and in how many seconds all of them are back."
    ),
    security(("key" = [])),
    modifiers(&Keys),
    tags(
        (name = "keys", description = "Who may speak to the API"),
        (name = "clients", description = "Tenants"),
        (name = "accounts", description = "Accounts with carriers"),
        (name = "campaigns", description = "Sets of leads called under the same rules"),
        (name = "playbooks", description = "What our own agent says and asks in calls, in versions that stay"),
        (name = "leads", description = "People to call"),
        (name = "imports", description = "Files of leads"),
        (name = "sheets", description = "Google Sheets that campaigns take their leads from"),
        (name = "events", description = "What happened, told to whoever subscribes"),
        (name = "attempts", description = "Attempts to reach leads, at most one call each"),
        (name = "calls", description = "What came of the attempts that carriers took"),
        (name = "operations", description = "Orders for many leads"),
        (name = "jobs", description = "What is done in the background, and what of it failed"),
        (name = "audit", description = "Who ordered what"),
        (name = "suppressions", description = "Numbers that must not be called"),
        (name = "consents", description = "What people agreed to, and took back"),
        (name = "erasures", description = "People who were erased, with certificates"),
    )
)]
struct Document;

/// How callers prove who they are.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key, as `outdial key create` or `POST /v1/keys` makes them."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token of one call, which its agent is given when it is dispatched."))
            .build();
        components.add_security_scheme("call_token", SecurityScheme::Http(scheme));
    }
}

fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(keys::me))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(clients::list, clients::create))
        .routes(routes!(clients::get))
        .routes(routes!(pausing::pause_client))
        .routes(routes!(pausing::resume_client))
        .routes(routes!(limits::client, limits::set_client))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::get))
        .routes(routes!(accounts::test))
        .routes(routes!(accounts::rotate))
        .routes(routes!(accounts::change_settings))
        .routes(routes!(accounts::disable))
        .routes(routes!(accounts::enable))
        .routes(routes!(pausing::pause_account))
        .routes(routes!(pausing::resume_account))
        .routes(routes!(limits::account, limits::set_account))
        .routes(routes!(numbers::list))
        .routes(routes!(limits::number, limits::set_number))
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(campaigns::get))
        .routes(routes!(campaigns::orders::start))
        .routes(routes!(campaigns::orders::pause))
        .routes(routes!(campaigns::orders::resume))
        .routes(routes!(campaigns::orders::cancel))
        .routes(routes!(campaigns::rules::rules, campaigns::rules::edit))
        .routes(routes!(campaigns::revisions::list))
        .routes(routes!(campaigns::clone))
        .routes(routes!(playbooks::list, playbooks::add))
        .routes(routes!(playbooks::get))
        .routes(routes!(playbooks::versions))
        .routes(routes!(playbooks::check))
        .routes(routes!(imports::list, imports::send).layer(DefaultBodyLimit::disable()))
        .routes(routes!(imports::get))
        .routes(routes!(imports::notes))
        .routes(routes!(imports::undo))
        .routes(routes!(sheets::list, sheets::link))
        .routes(routes!(sheets::get, sheets::change, sheets::unlink))
        .routes(routes!(sheets::refresh))
        .routes(routes!(status::leads))
        .routes(routes!(status::link))
        .routes(routes!(subscribers::list, subscribers::create))
        .routes(routes!(subscribers::get, subscribers::edit, subscribers::delete))
        .routes(routes!(subscribers::enable))
        .routes(routes!(subscribers::disable))
        .routes(routes!(subscribers::rotate))
        .routes(routes!(subscribers::ping))
        .routes(routes!(subscribers::deliveries))
        .routes(routes!(subscribers::redeliver))
        .routes(routes!(events::follow))
        .routes(routes!(exports::export))
        .routes(routes!(analytics::campaign))
        .routes(routes!(analytics::client))
        .routes(routes!(campaigns::forecast::preview))
        .routes(routes!(campaigns::forecast::simulate))
        .routes(routes!(campaigns::schedules::list, campaigns::schedules::add))
        .routes(routes!(campaigns::schedules::remove))
        .routes(routes!(campaigns::schedules::take_back))
        .routes(routes!(leads::find))
        .routes(routes!(leads::list::list))
        .routes(routes!(leads::accept::accept))
        .routes(routes!(leads::get, leads::person::edit))
        .routes(routes!(leads::orders::order))
        .routes(routes!(leads::explanation))
        .routes(routes!(attempts::of_lead))
        .routes(routes!(attempts::of_campaign))
        .routes(routes!(attempts::get))
        .routes(routes!(attempts::correct))
        .routes(routes!(calls::list))
        .routes(routes!(placed::list, placed::place))
        .routes(routes!(placed::batch).layer(DefaultBodyLimit::max(BATCH_BODY_LIMIT)))
        .routes(routes!(placed::get))
        .routes(routes!(live::follow))
        .routes(routes!(live::list))
        .routes(routes!(live::listen))
        .routes(routes!(live::recording))
        .routes(routes!(placed::cancel))
        .routes(routes!(placed::transfer))
        .routes(routes!(operations::list, operations::order))
        .routes(routes!(operations::get))
        .routes(routes!(operations::cancel))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::count))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::discard))
        .routes(routes!(jobs::kinds))
        .routes(routes!(jobs::pause_kind))
        .routes(routes!(jobs::resume_kind))
        .routes(routes!(audit::of_client))
        .routes(routes!(audit::of_all))
        .routes(routes!(suppressions::list, suppressions::add))
        .routes(routes!(suppressions::lift))
        .routes(routes!(suppressions::import::import).layer(DefaultBodyLimit::disable()))
        .routes(routes!(erasures::list, erasures::erase))
        .routes(routes!(consents::list, consents::add))
        .routes(routes!(consents::revoke))
}

/// What the agents of calls may do, each with the token of its call.
fn of_agents() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(reports::turns)).routes(routes!(reports::result))
}

/// The routes; all but those of agents, the document and its page want a key.
pub(super) fn router(api: &Api) -> Router<Api> {
    let (routes, mut document) = described().split_for_parts();
    let (of_agents, theirs) = of_agents().split_for_parts();
    document.merge(theirs);
    document::complete(&mut document);
    let page = utoipa_swagger_ui::SwaggerUi::new("/docs").url("/v1/openapi.json", document);
    let pace = api.access.requests_per_minute.map(Pace::new);
    let routes = routes
        .layer(middleware::from_fn_with_state(api.clone(), once::once))
        .layer(middleware::from_fn_with_state(pace, pace::keep))
        .layer(middleware::from_fn_with_state(api.clone(), auth::let_in))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    let routes = routes.merge(of_agents.layer(DefaultBodyLimit::max(BODY_LIMIT)));
    let routes = match api.access.cors_origins.is_empty() {
        true => routes,
        false => routes.layer(access::cors(&api.access)),
    };
    routes.merge(page)
}
