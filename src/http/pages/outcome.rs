//! What comes of what people ask for: something done, or a failure, each told in the way the browser can show it.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::session::{Cookie, Signed};
use super::shell::{ErrorPage, Shell};
use crate::http::v1::input::wrong;
use crate::http::{Api, Problem};

/// What a person is told on the next page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Said {
    /// That it went well.
    pub(super) good: bool,
    /// In a sentence.
    pub(super) text: String,
    /// What takes it back.
    pub(super) undo: Option<Undo>,
}

/// An order that takes another back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Undo {
    /// Where it is sent.
    pub(super) action: String,
    /// With what.
    pub(super) fields: Vec<(String, String)>,
}

/// Something was done; the browser goes on to a page that shows it.
#[derive(Clone, Debug)]
pub(super) struct Done {
    to: String,
    said: Said,
}

impl Done {
    /// It was, and `to` shows it.
    pub(super) fn at(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), said: Said { good: true, text: text.into(), undo: None } }
    }

    /// The same, and this order takes it back.
    pub(super) fn undone_by(mut self, action: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.said.undo = Some(Undo { action: action.into(), fields });
        self
    }
}

/// Nothing was done.
#[derive(Clone, Debug)]
pub(super) struct Failure(Problem);

impl<E> From<E> for Failure
where
    Problem: From<E>,
{
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

// How it is told is known only where the session is: `answered` does it.
impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = StatusCode::OK.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// What a form gives.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let read: Result<Form<T>, FormRejection> = Form::from_request(request, api).await;
        read.map(|Form(form)| Self(form)).map_err(|error| wrong("form", error.body_text()))
    }
}

/// How the answer to a request is given.
pub(super) struct Manner {
    /// What was asked.
    pub(super) method: Method,
    /// By a script, which shows refusals beside what was typed.
    pub(super) script: bool,
}

/// Tells what came of a request.
pub(super) fn answered(api: &Api, signed: &Signed, manner: &Manner, mut response: Response) -> Response {
    if let Some(Done { to, said }) = response.extensions_mut().remove::<Done>() {
        let mut response = match manner.script {
            true => Json(json!({ "to": to })).into_response(),
            false => Redirect::to(&to).into_response(),
        };
        Cookie::said(api, &said).put(response.headers_mut());
        return response;
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return failed(signed, manner, &problem);
    }
    if manner.method == Method::GET && signed.said.is_some() && is_page(&response) {
        Cookie::nothing_said(api).put(response.headers_mut());
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/html"))
}

fn failed(signed: &Signed, manner: &Manner, problem: &Problem) -> Response {
    if manner.script {
        let places: Vec<_> = problem.errors().iter().map(|error| &error.place).collect();
        return (problem.status(), Json(json!({ "said": problem.detail(), "places": places })))
            .into_response();
    }
    let shell = Shell::bare(signed, "That did not work");
    let page = ErrorPage { shell, status: problem.status().as_u16(), detail: problem.detail() };
    match super::page(&page) {
        Ok(page) => (problem.status(), page).into_response(),
        Err(Failure(problem)) => problem.into_response(),
    }
}
