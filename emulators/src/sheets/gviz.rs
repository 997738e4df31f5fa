//! The query endpoint, as far as CSV goes: it answers at once, and never says that it does not know
//! a tab's name.

use std::collections::HashMap;
use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderValue, Response, Uri, header::CONTENT_TYPE},
};

use super::{docs, hub::Hub, pages};

pub(super) async fn query(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    uri: Uri,
) -> Response<Body> {
    let Some(sheet) = hub.sheet(&id) else { return pages::not_found() };
    if let Some(refusal) = docs::refusal(&hub, sheet.scenario, &uri) {
        return refusal;
    }
    let csv = asked.get("tqx").is_some_and(|tqx| tqx.split(';').any(|pair| pair == "out:csv"));
    // Neither the query language nor the other forms are emulated.
    if !csv || asked.contains_key("tq") || asked.contains_key("range") {
        return pages::script("not_supported");
    }
    let tabs = &sheet.document.tabs;
    let tab = match (asked.get("gid"), asked.get("sheet")) {
        (Some(gid), _) => tabs.iter().find(|tab| tab.gid.to_string() == *gid),
        (None, Some(name)) => tabs.iter().find(|tab| tab.name == *name).or(tabs.first()),
        (None, None) => tabs.first(),
    };
    let Some(tab) = tab else { return pages::script("invalid_query") };
    let mut response = Response::new(pages::chunked(Bytes::from(tab.gviz())));
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, csv);
    response
}
