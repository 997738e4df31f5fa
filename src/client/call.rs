//! A request, before it is sent.

use std::fmt;
use std::io;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::multipart::Form;
use reqwest::{Body, Method};
use serde_json::Value;

use super::ClientError;

/// The header by which the server knows a request that it had before.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says why an order is given.
const REASON: HeaderName = HeaderName::from_static("x-outdial-reason");

/// What a request brings. What holds a file is made anew each time it is sent.
pub enum Content<'a> {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(Value),
    /// A form with a file in it.
    File(&'a (dyn Fn() -> BoxFuture<'static, io::Result<Form>> + Sync)),
    /// A file of CSV by itself, made anew likewise.
    Csv(&'a (dyn Fn() -> io::Result<Body> + Sync)),
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Json(_) => "Json",
            Self::File(_) => "File",
            Self::Csv(_) => "Csv",
        })
    }
}

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) content: Content<'a>,
    pub(super) long: bool,
}

impl<'a> Call<'a> {
    /// A request for this path, which begins with `/`.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let (query, headers) = (vec![], HeaderMap::new());
        Self { method, path: path.into(), query, headers, content: Content::Nothing, long: false }
    }

    /// A POST.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A GET.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A PUT.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// With this behind the question mark, too.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn json(self, body: Value) -> Self {
        Self { content: Content::Json(body), ..self }
    }

    /// With this form.
    #[must_use]
    pub fn form(self, form: &'a (dyn Fn() -> BoxFuture<'static, io::Result<Form>> + Sync)) -> Self {
        Self { content: Content::File(form), long: true, ..self }
    }

    /// With this file of CSV.
    #[must_use]
    pub fn csv(self, body: &'a (dyn Fn() -> io::Result<Body> + Sync)) -> Self {
        Self { content: Content::Csv(body), long: true, ..self }
    }

    /// However long its answer takes, as that of a stream.
    #[must_use]
    pub fn long(self) -> Self {
        Self { long: true, ..self }
    }

    /// With this header.
    ///
    /// # Errors
    /// If it cannot stand in one.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ClientError> {
        let unfit = || ClientError::Header(format!("the header {name}"));
        let name = HeaderName::try_from(name).map_err(|_| unfit())?;
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unfit())?);
        Ok(self)
    }

    /// With why it is sent, for the record.
    ///
    /// # Errors
    /// If the reason is of several lines.
    pub fn because(mut self, reason: Option<&str>) -> Result<Self, ClientError> {
        if let Some(reason) = reason {
            let value = HeaderValue::from_bytes(reason.as_bytes());
            self.headers.insert(REASON, value.map_err(|_| ClientError::Header("the reason".into()))?);
        }
        Ok(self)
    }
}
