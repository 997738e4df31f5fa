//! The host that gives the files: `doc-XX-YY-sheets.googleusercontent.com`.

use std::io::{self, Write};
use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, EXPIRES},
    },
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_util::sync::CancellationToken;

use super::{
    hub::{File, Grant, Hub},
    pages,
    scenario::Scenario,
};
use crate::clock;

/// What [`Scenario::Huge`] sends, in bytes: more than the 20 MB that the protocol page advises to take.
const HUGE_BYTES: usize = 25_000_000;

/// What need not be encoded in `filename*` (RFC 5987, `attr-char`).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// As captured from Google, apart from those that depend on the file.
const HEADERS: [(&str, &str); 8] = [
    ("content-type", "text/csv"),
    ("cache-control", "private, max-age=300"),
    ("access-control-allow-origin", "*"),
    ("x-robots-tag", "noindex, nofollow, nosnippet"),
    ("x-content-type-options", "nosniff"),
    ("server", "GSE"),
    ("accept-ranges", "none"),
    ("vary", "Accept-Encoding"),
];

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/{kind}/{token}/{second}/{since_1970_ms}/{owner}/{star}/{document}", get(redeem))
        .fallback(async || pages::not_found())
}

/// Gives what the token is good for, once.
async fn redeem(
    State(hub): State<Arc<Hub>>,
    Path((_kind, token, ..)): Path<(String, String, String, String, String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(Grant { scenario, file, from }) = hub.redeem(&token) else { return pages::not_found() };
    let zips =
        headers.get(ACCEPT_ENCODING).is_some_and(|takes| takes.as_bytes().windows(4).any(|w| w == b"gzip"));
    match scenario {
        Scenario::Gzip if zips => gzipped(&file, &file.csv),
        Scenario::GzipBomb if zips => gzipped(&file, &huge().concat()),
        Scenario::Huge | Scenario::GzipBomb => {
            csv(&file, Body::from_stream(stream::iter(huge().into_iter().map(Ok::<_, io::Error>))))
        }
        Scenario::Slow => {
            tokio::time::sleep(hub.config.pause).await;
            whole(&file)
        }
        Scenario::Empty => csv(&file, Body::from_stream(stream::empty::<io::Result<Bytes>>())),
        Scenario::Stalls => csv(&file, stalling(&file.csv, hub.stopping.clone())),
        Scenario::BreaksOff => csv(&file, breaking_off(&file.csv)),
        Scenario::RedirectLoop => pages::redirect(StatusCode::TEMPORARY_REDIRECT, &from),
        _ => whole(&file),
    }
}

/// The file as it should come.
pub(super) fn whole(file: &File) -> Response<Body> {
    csv(file, pages::chunked(file.csv.clone()))
}

fn gzipped(file: &File, csv_bytes: &[u8]) -> Response<Body> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    let zipped = zip.write_all(csv_bytes).and_then(|()| zip.finish());
    let bytes = zipped.expect("memory takes what is written to it");
    let mut response = csv(file, pages::chunked(bytes.into()));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// A header line, and the same lead over and over.
fn huge() -> Vec<Bytes> {
    let rows = Bytes::from("\r\nAsha Rao,+91 98765 43210".repeat(2_000));
    let count = HUGE_BYTES.div_ceil(rows.len());
    [Bytes::from_static(b"name,phone")].into_iter().chain(std::iter::repeat_n(rows, count)).collect()
}

/// The first half, then nothing until the emulator stops.
fn stalling(bytes: &Bytes, stopping: CancellationToken) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    let rest = stream::once(async move {
        stopping.cancelled().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(rest))
}

/// The first half, then the end of the connection.
fn breaking_off(bytes: &Bytes) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    let rest = stream::once(async {
        // What is sent leaves the server before the connection does only if the body is not at once ready.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(rest))
}

fn csv(file: &File, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let expires = clock::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [(EXPIRES, expires), (CONTENT_DISPOSITION, disposition(&file.title))] {
        // Both are ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The name without spaces for old clients, and in full.
fn disposition(title: &str) -> String {
    let short: String = title.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let full = utf8_percent_encode(title, PLAIN);
    format!("attachment; filename=\"{short}.csv\"; filename*=UTF-8''{full}.csv")
}
