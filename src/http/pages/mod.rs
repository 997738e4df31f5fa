//! The dashboard: pages for people, in one binary with what they show.
//!
//! Pages do what the handlers of `/v1` do: they read, ask who it is, call an operation and show what came of
//! it, as HTML (`dashboards/admin/`, compiled in). They work without scripts, but for files that are sent; scripts
//! keep them live, and what is typed in place where an order is refused.

mod accounts;
mod assets;
mod calls;
mod campaigns;
mod charts;
mod clients;
mod contact;
mod filters;
mod jobs;
mod keys;
mod leads;
mod limits;
mod live;
mod orders;
mod outcome;
mod overview;
mod playbooks;
mod session;
mod shell;
mod show;
mod subscribers;
mod wizard;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};

use super::Api;
use outcome::Failure;

/// What a page may load, and from where: only what this server serves. Nothing in a page is a script or a style
/// by itself, so whatever somebody manages to have shown is no program. What is played is our own recordings: those that lie
/// with carriers are opened there.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      media-src 'self'; manifest-src 'self'";

/// A form is small, even one with the rules of a campaign.
const FORM_BYTES: usize = 1024 * 1024;

/// The routes.
pub(super) fn router(api: &Api) -> Router<Api> {
    let signed_in = Router::new()
        .merge(overview::routes())
        .merge(clients::routes())
        .merge(campaigns::routes())
        .merge(wizard::routes())
        .merge(leads::routes())
        .merge(orders::routes())
        .merge(calls::routes())
        .merge(jobs::routes())
        .merge(filters::routes())
        .merge(accounts::routes())
        .merge(contact::routes())
        .merge(playbooks::routes())
        .merge(subscribers::routes())
        .merge(keys::routes())
        .route("/admin/logout", post(session::log_out))
        .route("/admin/theme", post(session::set_theme))
        .route("/admin/{*rest}", get(nothing))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(middleware::from_fn_with_state(api.clone(), session::let_in));
    let logins = session::Logins::default();
    Router::new()
        .merge(signed_in)
        .route("/admin/login", get(session::login_page).post(session::log_in))
        .layer(axum::Extension(logins))
        .route("/admin/assets/{version}/{name}", get(assets::serve))
        .layer(middleware::map_response(harden))
        .route("/", get(|| async { Redirect::temporary("/admin") }))
}

async fn nothing(State(_): State<Api>) -> Failure {
    super::Problem::not_found("there is no such page; it may have moved, or its address was cut short").into()
}

/// Says to browsers what they may do with an answer. Pages are kept nowhere: they show people's numbers.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A page that is filled in.
fn page(filled: &impl askama::Template) -> Result<Response, Failure> {
    let html = filled.render().map_err(|error| super::Problem::ours(&error))?;
    Ok(axum::response::Html(html).into_response())
}
