//! The host that people's links lead to: `docs.google.com`.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{Response, StatusCode, Uri},
    routing::get,
};
use serde::Deserialize;

use super::{
    PUBLISHED, content, gviz,
    hub::{File, Grant, Hub, Sheet},
    pages,
    range::Range,
    scenario::Scenario,
};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/spreadsheets/d/{id}/export", get(export))
        .route("/spreadsheets/d/{id}/gviz/tq", get(gviz::query))
        .route("/spreadsheets/d/e/{id}/pub", get(publication))
        .fallback(async || pages::not_found())
}

/// The parameters that count. Others, such as one that gets past caches, do no harm.
#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    output: Option<String>,
    gid: Option<u64>,
    range: Option<String>,
}

async fn export(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    uri: Uri,
) -> Response<Body> {
    let Some(sheet) = hub.sheet(&id) else { return pages::not_found() };
    match asked {
        Ok(Query(asked)) if asked.format.as_deref() == Some("csv") => answer(&hub, &id, &sheet, &asked, &uri),
        _ => pages::bad_request(),
    }
}

/// A sheet under the id that publishing gave it.
async fn publication(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    uri: Uri,
) -> Response<Body> {
    let Some(sheet) = id.strip_prefix(PUBLISHED).and_then(|id| hub.sheet(id)) else {
        return pages::not_found();
    };
    match asked {
        Ok(Query(asked)) if asked.output.as_deref() == Some("csv") => answer(&hub, &id, &sheet, &asked, &uri),
        _ => pages::bad_request(),
    }
}

fn answer(hub: &Hub, id: &str, sheet: &Sheet, asked: &Asked, uri: &Uri) -> Response<Body> {
    if let Some(refusal) = refusal(hub, sheet.scenario, uri) {
        return refusal;
    }
    let Some(file) = file(sheet, asked) else { return pages::bad_request() };
    let address = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
    let file = match sheet.scenario {
        Scenario::Lags => hub.first(address, file),
        _ => file,
    };
    if sheet.scenario == Scenario::OkWithoutRedirect {
        return content::whole(&file);
    }
    let grant = Grant { scenario: sheet.scenario, file, from: format!("{}{address}", hub.origins.docs) };
    let to = hub.grant(id, uri.query().unwrap_or_default(), grant);
    pages::redirect(StatusCode::TEMPORARY_REDIRECT, &to)
}

/// The tab that is asked for, or the part of it.
fn file(sheet: &Sheet, asked: &Asked) -> Option<File> {
    let gid = if sheet.scenario == Scenario::GvizFirstTab { None } else { asked.gid };
    let tab = sheet.document.tab(gid)?;
    let range = match &asked.range {
        Some(text) => Some(Range::parse(text)?),
        None => None,
    };
    Some(File::of(&sheet.document, tab, range))
}

/// What the scenario answers in place of a tab.
pub(super) fn refusal(hub: &Hub, scenario: Scenario, uri: &Uri) -> Option<Response<Body>> {
    let says = |status, sentence| Some(pages::says(status, sentence));
    let sign_in = |origin: &str| {
        let query = "service=wise&passive=1209600&continue=https://docs.google.com/spreadsheets/";
        Some(pages::redirect(StatusCode::FOUND, &format!("{origin}/ServiceLogin?{query}")))
    };
    match scenario {
        Scenario::Private401 => says(StatusCode::UNAUTHORIZED, "Unauthorized"),
        Scenario::Private403 => says(StatusCode::FORBIDDEN, "You need access"),
        Scenario::PrivateHtml => sign_in(&hub.origins.accounts),
        Scenario::PrivateSignIn => sign_in("https://accounts.google.com"),
        Scenario::PrivateGviz => Some(pages::script("access_denied")),
        Scenario::GvizErrorJs => Some(pages::script("invalid_query")),
        Scenario::NotFound => Some(pages::not_found()),
        Scenario::BadGid => Some(pages::bad_request()),
        Scenario::TooMany => says(
            StatusCode::TOO_MANY_REQUESTS,
            "Our systems have detected unusual traffic from your network.",
        ),
        Scenario::ServerError => says(StatusCode::INTERNAL_SERVER_ERROR, "Sorry, unable to open the file."),
        Scenario::ForeignRedirect => {
            let to = format!("{}{}", hub.origins.foreign, uri.path());
            Some(pages::redirect(StatusCode::TEMPORARY_REDIRECT, &to))
        }
        Scenario::Ok
        | Scenario::OkWithoutRedirect
        | Scenario::Gzip
        | Scenario::Slow
        | Scenario::Lags
        | Scenario::GvizFirstTab
        | Scenario::Empty
        | Scenario::Stalls
        | Scenario::BreaksOff
        | Scenario::Huge
        | Scenario::GzipBomb
        | Scenario::RedirectLoop => None,
    }
}
