//! Who is looking: a key that was given once, sealed into a cookie.
//!
//! Nothing of a session is kept here. The cookie holds the key, sealed with the encryption key, so that a revoked
//! key opens nothing from that moment on and every node takes the session. Orders prove by a token that they come
//! from a page of that session.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Form, Query, Request, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use outdial_jobs::operations::keys;
use outdial_workflows::Moment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::{Serializer, parse};
use uuid::Uuid;

use super::outcome::{Done, Failure, Manner, Said, answered};
use super::shell::LoginPage;
use super::{FORM_BYTES, assets, page};
use crate::http::v1::Caller;
use crate::http::v1::input::wrong;
use crate::http::{Api, Problem};

/// How long a session lasts: a working day.
const LASTS: TimeDelta = TimeDelta::hours(12);
/// How many keys that open nothing are tried a minute, by everybody together.
const WRONG_A_MINUTE: u32 = 20;

const SESSION: &str = "outdial_session";
const BEFORE: &str = "outdial_login";
const SAID: &str = "outdial_said";
const THEME: &str = "outdial_theme";
/// The field and the header in which an order proves where it comes from.
const PROOF: &str = "csrf";
const PROOF_HEADER: &str = "x-outdial-csrf";

/// Wrong keys, counted.
#[derive(Clone)]
pub(super) struct Logins(Arc<DefaultDirectRateLimiter>);

impl Default for Logins {
    fn default() -> Self {
        let a_minute = NonZeroU32::new(WRONG_A_MINUTE).expect("not zero");
        Self(Arc::new(RateLimiter::direct(Quota::per_minute(a_minute))))
    }
}

/// What the cookie holds.
#[derive(Serialize, Deserialize)]
struct Session {
    id: Uuid,
    token: String,
    until: Moment,
}

/// Whoever is signed in, and how they want to see things.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// By their key.
    pub(super) caller: Caller,
    /// What orders from this session's pages prove themselves with.
    pub(super) proof: String,
    /// What they are told on the next page.
    pub(super) said: Option<Said>,
    /// `light` or `dark`, if they chose.
    pub(super) theme: Option<Theme>,
    /// The page's own address, with what is asked behind it.
    pub(super) path: String,
    /// What their clock is compared with.
    pub(super) now: Moment,
}

/// A choice against what the system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A cookie to be set.
pub(super) struct Cookie(String);

impl Cookie {
    fn new(api: &Api, name: &str, value: &str, seconds: i64) -> Self {
        let secure = if api.engine.public_url().scheme() == "https" { "; Secure" } else { "" };
        Self(format!("{name}={value}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"))
    }

    /// What the next page says.
    pub(super) fn said(api: &Api, said: &Said) -> Self {
        Self::new(api, SAID, &sealed(api, SAID, said), 60)
    }

    /// It was said.
    pub(super) fn nothing_said(api: &Api) -> Self {
        Self::new(api, SAID, "", 0)
    }

    /// Sets it.
    pub(super) fn put(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.append(SET_COOKIE, value);
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut each = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    each.find_map(|(known, value)| (known == name && !value.is_empty()).then_some(value))
}

fn sealed(api: &Api, purpose: &str, what: &impl Serialize) -> String {
    let plain = serde_json::to_vec(what).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(api.engine.key().seal_for(purpose, &plain))
}

fn opened<T: DeserializeOwned>(api: &Api, purpose: &str, headers: &HeaderMap) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(cookie(headers, purpose)?).ok()?;
    serde_json::from_slice(&api.engine.key().open_for(purpose, &sealed).ok()?).ok()
}

fn theme(headers: &HeaderMap) -> Option<Theme> {
    match cookie(headers, THEME)? {
        "light" => Some(Theme::Light),
        "dark" => Some(Theme::Dark),
        _ => None,
    }
}

/// Lets in who is signed in, takes orders from pages of the session only, and tells what came of them.
pub(super) async fn let_in(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    // A body may not be shared: what is looked at is taken out.
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let signed = match signed(&api, &headers, &uri).await {
        Ok(Some(signed)) => signed,
        Ok(None) => return to_login(&request),
        Err(problem) => return problem.into_response(),
    };
    let script = request.headers().contains_key(PROOF_HEADER);
    if let Some(uri) = without_empty(request.uri()) {
        *request.uri_mut() = uri;
    }
    let manner = Manner { method: request.method().clone(), script };
    if manner.method != Method::GET && manner.method != Method::HEAD {
        request = match proven(&signed.proof, request).await {
            Ok(request) => request,
            Err(problem) => return answered(&api, &signed, &manner, Failure::from(problem).into_response()),
        };
    }
    request.extensions_mut().insert(signed.caller.clone());
    request.extensions_mut().insert(signed.clone());
    let response = next.run(request).await;
    answered(&api, &signed, &manner, response)
}

/// An address without what a form left empty, if there is any.
fn without_empty(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let filled = |pair: &&str| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty());
    let kept: Vec<&str> = query.split('&').filter(filled).collect();
    if kept.len() == query.split('&').count() {
        return None;
    }
    format!("{}?{}", uri.path(), kept.join("&")).parse().ok()
}

async fn signed(api: &Api, headers: &HeaderMap, uri: &Uri) -> Result<Option<Signed>, Problem> {
    let Some(session) = opened::<Session>(api, SESSION, headers) else { return Ok(None) };
    let now = api.engine.now().await?;
    if session.until <= now {
        return Ok(None);
    }
    let Ok(key) = keys::authenticate(&api.engine, &session.token).await? else { return Ok(None) };
    let path = uri.path_and_query().map_or("/admin", |path| path.as_str()).to_owned();
    let proof = api.engine.key().proof_of(PROOF, &session.id.to_string());
    let said = opened(api, SAID, headers);
    Ok(Some(Signed { caller: Caller::new(key, headers), proof, said, theme: theme(headers), path, now }))
}

/// Whether a session goes on: its key may have been revoked.
pub(super) async fn goes_on(api: &Api, headers: &HeaderMap) -> bool {
    let Some(session) = opened::<Session>(api, SESSION, headers) else { return false };
    match (api.engine.now().await, keys::authenticate(&api.engine, &session.token).await) {
        (Ok(now), Ok(Ok(_))) => session.until > now,
        _ => false,
    }
}

/// Where somebody signs in who wanted to see a page. A strict cookie does not come along when a page is opened
/// from another site, as from a chat: then the page is asked for once more, from here.
fn to_login(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/admin", |path| path.as_str());
    if from_elsewhere(request.headers()) && request.method() == Method::GET {
        let again =
            "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=0><title>Outdial</title>";
        return response::Html(again).into_response();
    }
    if request.headers().contains_key(PROOF_HEADER) {
        let said = serde_json::json!({ "said": "your session is over; sign in again in another tab, then repeat this" });
        return (StatusCode::UNAUTHORIZED, response::Json(said)).into_response();
    }
    let next = if request.method() == Method::GET { path } else { "/admin" };
    let asked = Serializer::new(String::new()).append_pair("next", next).finish();
    Redirect::to(&format!("/admin/login?{asked}")).into_response()
}

fn from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn unproven() -> Problem {
    let detail =
        "this did not come from a page of your session, which may be over; load the page again and repeat it";
    Problem::forbidden(detail)
}

/// A request that proves that it comes from one of the session's pages. Forms do so in a field, which is taken out;
/// scripts that send something else in a header.
async fn proven(proof: &str, request: Request) -> Result<Request, Problem> {
    if from_elsewhere(request.headers()) {
        return Err(unproven());
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let given = request.headers().get(PROOF_HEADER).and_then(|given| given.to_str().ok());
        return match given.is_some_and(|given| same(given, proof)) {
            true => Ok(request),
            false => Err(unproven()),
        };
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, FORM_BYTES).await else {
        let detail = format!("a form may have {FORM_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
    };
    let (mut rest, mut is_proven) = (Serializer::new(String::new()), false);
    for (name, value) in parse(&body) {
        if name == PROOF {
            is_proven |= same(&value, proof);
        } else if value.contains('\0') {
            return Err(wrong(&name, "it holds the character U+0000; leave it out"));
        } else {
            // Lines of a form end as in mail.
            rest.append_pair(&name, &value.replace("\r\n", "\n"));
        }
    }
    match is_proven {
        true => Ok(Request::from_parts(parts, Body::from(rest.finish()))),
        false => Err(unproven()),
    }
}

fn same(given: &str, proof: &str) -> bool {
    outdial_jobs::seal::same(given, proof)
}

/// Where to go once signed in.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

/// Only pages of the dashboard.
fn next(asked: Option<&str>) -> String {
    let inside = |next: &&str| {
        (*next == "/admin" || next.starts_with("/admin/") || next.starts_with("/admin?"))
            && !next.contains('\\')
    };
    asked.filter(inside).unwrap_or("/admin").to_owned()
}

fn login(api: &Api, headers: &HeaderMap, next: String, refused: Option<String>) -> Response {
    let id = Uuid::new_v4().to_string();
    let form = LoginPage {
        base: assets::base(),
        theme: theme(headers).map(Theme::name),
        proof: api.engine.key().proof_of(BEFORE, &id),
        next,
        refused,
    };
    match page(&form) {
        Ok(mut page) => {
            Cookie::new(api, BEFORE, &id, 3_600).put(page.headers_mut());
            page
        }
        Err(failure) => failure.into_response(),
    }
}

/// The form to sign in with.
pub(super) async fn login_page(
    State(api): State<Api>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    login(&api, &headers, next(asked.next.as_deref()), None)
}

/// What the form gives.
#[derive(Deserialize)]
pub(super) struct Login {
    key: String,
    #[serde(default)]
    csrf: String,
    next: Option<String>,
}

/// Signs in.
pub(super) async fn log_in(
    State(api): State<Api>,
    Extension(Logins(failures)): Extension<Logins>,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Response {
    let to = next(form.next.as_deref());
    let refuse = |status: StatusCode, text: &str| {
        (status, login(&api, &headers, to.clone(), Some(text.to_owned()))).into_response()
    };
    let is_ours =
        cookie(&headers, BEFORE).is_some_and(|id| same(&form.csrf, &api.engine.key().proof_of(BEFORE, id)));
    if !is_ours || from_elsewhere(&headers) {
        return refuse(StatusCode::FORBIDDEN, "This form was too old. Try again.");
    }
    let token = form.key.trim();
    let now = match api.engine.now().await {
        Ok(now) => now,
        Err(error) => return Problem::from(error).into_response(),
    };
    match keys::authenticate(&api.engine, token).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) if failures.check().is_err() => {
            let text = "Too many wrong keys were tried. Wait a minute, then try again.";
            return refuse(StatusCode::TOO_MANY_REQUESTS, text);
        }
        Ok(Err(why)) => return refuse(StatusCode::UNAUTHORIZED, &format!("The key {why}.")),
        Err(error) => return Problem::from(error).into_response(),
    }
    let session = Session { id: Uuid::new_v4(), token: token.to_owned(), until: now + LASTS };
    let mut response = Redirect::to(&to).into_response();
    Cookie::new(&api, SESSION, &sealed(&api, SESSION, &session), LASTS.num_seconds())
        .put(response.headers_mut());
    Cookie::new(&api, BEFORE, "", 0).put(response.headers_mut());
    response
}

/// Ends the session.
pub(super) async fn log_out(State(api): State<Api>) -> Response {
    let mut response = Redirect::to("/admin/login").into_response();
    Cookie::new(&api, SESSION, "", 0).put(response.headers_mut());
    response
}

/// What is to be seen.
#[derive(Deserialize)]
pub(super) struct ThemeForm {
    /// Absent: as the system prefers.
    theme: Option<Theme>,
    back: Option<String>,
}

/// Chooses light or dark.
pub(super) async fn set_theme(State(api): State<Api>, Form(form): Form<ThemeForm>) -> Response {
    let mut response = Redirect::to(&next(form.back.as_deref())).into_response();
    let name = form.theme.map_or("", Theme::name);
    Cookie::new(&api, THEME, name, if name.is_empty() { 0 } else { 31_536_000 }).put(response.headers_mut());
    response
}

/// A page that orders were given from, if it is one of the dashboard's.
pub(super) fn back_to(back: Option<&str>, otherwise: &str) -> String {
    match back {
        Some(back) if next(Some(back)) == back => back.to_owned(),
        _ => otherwise.to_owned(),
    }
}

impl Done {
    /// It was, and the page that it was ordered from shows it.
    pub(super) fn back(back: Option<&str>, otherwise: &str, text: impl Into<String>) -> Self {
        Self::at(back_to(back, otherwise), text)
    }
}
