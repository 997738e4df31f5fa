//! Styles and scripts: compiled in, and kept by browsers for as long as they do not change.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::Problem;

/// Declares what is served: its name, type and content.
macro_rules! assets {
    ($($name:literal as $kind:literal,)+) => {
        const ALL: &[(&str, &str, &[u8])] = &[$((
            $name,
            $kind,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards/admin/assets/", $name)),
        ),)+];
    };
}

assets! {
    "admin.css" as "text/css; charset=utf-8",
    "charts.js" as "text/javascript; charset=utf-8",
    "files.js" as "text/javascript; charset=utf-8",
    "forms.js" as "text/javascript; charset=utf-8",
    "icon.svg" as "image/svg+xml",
    "keys.js" as "text/javascript; charset=utf-8",
    "live.js" as "text/javascript; charset=utf-8",
    "main.js" as "text/javascript; charset=utf-8",
    "times.js" as "text/javascript; charset=utf-8",
    "toasts.js" as "text/javascript; charset=utf-8",
}

/// Where they stand. All of them have one version, so that modules find each other by their names.
static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, _, content) in ALL {
        hash.update(name.as_bytes());
        hash.update(content);
    }
    format!("/admin/assets/{}", hex::encode(&hash.finalize()[..8]))
});

/// The address under which all of them are served.
pub(super) fn base() -> &'static str {
    &BASE
}

/// Serves one. Of another version there is none: a page of an older program loads what it can, and is loaded anew.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asset = ALL.iter().find(|(known, ..)| *known == name);
    match asset.filter(|_| base().ends_with(&version)) {
        Some((_, kind, content)) => {
            let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            Ok((headers, *content).into_response())
        }
        None => Err(Problem::not_found("there is nothing at this address")),
    }
}
