//! What Google answers besides CSV: redirects, pages for people, and the query endpoint's script.

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderValue, Response, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SERVER, SET_COOKIE},
    },
};
use futures_util::stream;

/// As captured from Google: pages are never kept.
const NEVER_KEPT: &str = "no-cache, no-store, max-age=0, must-revalidate";

/// As captured from Google, with a value of our own.
const COOKIE: &str =
    "NID=511=emulated; expires=Sat, 24-Dec-2022 21:08:49 GMT; path=/; domain=.google.com; HttpOnly";

/// The redirect as captured, 307 for the content host and 302 for signing in.
pub(super) fn redirect(status: StatusCode, to: &str) -> Response<Body> {
    let page = format!(
        "<HTML>\n<HEAD>\n<TITLE>Temporary Redirect</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\" TEXT=\"#000000\">\n\
         <H1>Temporary Redirect</H1>\nThe document has moved <A HREF=\"{}\">here</A>.\n</BODY>\n</HTML>\n",
        to.replace('&', "&amp;")
    );
    let mut response = html(status, page);
    // Addresses of ours are ASCII.
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, location);
    }
    response.headers_mut().insert(SET_COOKIE, HeaderValue::from_static(COOKIE));
    response
}

/// A page with one sentence on it.
pub(super) fn says(status: StatusCode, sentence: &str) -> Response<Body> {
    html(
        status,
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>Google Docs</title></head>\
             <body><p>{sentence}</p></body></html>"
        ),
    )
}

pub(super) fn not_found() -> Response<Body> {
    says(StatusCode::NOT_FOUND, "Sorry, the file you have requested does not exist.")
}

pub(super) fn bad_request() -> Response<Body> {
    says(StatusCode::BAD_REQUEST, "Sorry, unable to open the file at this time.")
}

/// The page that a redirect to sign in ends at.
pub(super) fn sign_in() -> Response<Body> {
    says(StatusCode::OK, "Sign in - Google Accounts")
}

/// The query endpoint's error, which comes with 200 whatever form was asked for.
pub(super) fn script(reason: &str) -> Response<Body> {
    let body = format!(
        "/*O_o*/\ngoogle.visualization.Query.setResponse({{\"version\":\"0.6\",\"reqId\":\"0\",\"status\":\"error\",\
         \"errors\":[{{\"reason\":\"{reason}\",\"message\":\"{}\",\"detailed_message\":\"emulated\"}}]}});",
        reason.to_uppercase()
    );
    typed(StatusCode::OK, "text/javascript; charset=utf-8", body)
}

fn html(status: StatusCode, page: String) -> Response<Body> {
    typed(status, "text/html; charset=UTF-8", page)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(chunked(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NEVER_KEPT));
    headers.insert(SERVER, HeaderValue::from_static("GSE"));
    response
}

/// A body whose length is not told beforehand, as Google's are not.
pub(super) fn chunked(body: Bytes) -> Body {
    Body::from_stream(stream::iter([Ok::<_, std::convert::Infallible>(body)]))
}
