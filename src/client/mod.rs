//! A client of the API: what a program on another machine does with Outdial, over HTTP.
//!
//! A request that may be sent again is: for a few seconds, where the server is away or busy, and a POST under
//! the same `Idempotency-Key`, so that it is carried out once.

mod call;
mod error;
mod list;

use std::time::Duration;

use outdial_jobs::tls;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::{Host, Url};
use uuid::Uuid;

pub use call::{Call, Content, IDEMPOTENCY_KEY};
pub use error::{ClientError, FieldError, Problem};

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long an answer may take, unless a file is sent or a stream is read.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is waited before a request is sent again, each time.
const WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Somebody with a key, and the server that it is for.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    key: SecretString,
}

impl Client {
    /// A client of the server at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// If the key could not stand in a header, or the TLS library refuses its own defaults.
    pub fn new(server: Url, key: SecretString) -> Result<Self, ClientError> {
        bearer(&key)?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::http11())
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECTING);
        // A proxy of the environment is for other machines.
        let builder = if is_here(&server) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| ClientError::unreachable(&server, error))?;
        Ok(Self { http, server, key })
    }

    /// Where the server is.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// What is there.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read(&Call::new(Method::GET, path)).await
    }

    /// Sends a request, and reads what is answered.
    ///
    /// # Errors
    /// Whatever keeps it from being carried out, or its answer from being read.
    pub async fn read<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        self.json(self.send(call).await?).await
    }

    /// The same without patience: a server that is away is told at once.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn read_once<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        self.json(self.send_once(call, &Uuid::new_v4().to_string()).await?).await
    }

    /// What an answer holds.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let text = response.bytes().await.map_err(|error| ClientError::unreachable(&self.server, error))?;
        serde_json::from_slice(&text).map_err(ClientError::Unreadable)
    }

    /// Sends a request until it is answered with anything but "later", for a few seconds at most.
    ///
    /// # Errors
    /// Whatever keeps it from being carried out.
    pub async fn send(&self, call: &Call<'_>) -> Result<Response, ClientError> {
        let once = Uuid::new_v4().to_string();
        let mut waits = WAITS.into_iter();
        loop {
            let failed = match self.send_once(call, &once).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            match waits.next().filter(|_| failed.may_pass(&call.method)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(failed),
            }
        }
    }

    /// Sends a request a single time, a POST under the key `once`.
    async fn send_once(&self, call: &Call<'_>, once: &str) -> Result<Response, ClientError> {
        let mut request = self.http.request(call.method.clone(), self.address(call));
        request = request.header(AUTHORIZATION, bearer(&self.key)?);
        if call.method == Method::POST && !call.headers.contains_key(IDEMPOTENCY_KEY) {
            request = request.header(IDEMPOTENCY_KEY, once);
        }
        request = request.headers(call.headers.clone());
        if !call.long {
            request = request.timeout(PATIENCE);
        }
        request = match &call.content {
            Content::Nothing => request,
            Content::Json(body) => request.json(body),
            Content::Csv(body) => {
                request.header(CONTENT_TYPE, "text/csv").body(body().map_err(ClientError::File)?)
            }
            Content::File(form) => request.multipart(form().await.map_err(ClientError::File)?),
        };
        let response = request.send().await.map_err(|error| ClientError::unreachable(&self.server, error))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(ClientError::told(&self.server, response).await),
        }
    }

    /// Behind whatever path the server's own address has, as behind a proxy.
    fn address(&self, call: &Call<'_>) -> Url {
        let mut address = self.server.clone();
        let (before, after) = (self.server.path().trim_end_matches('/'), call.path.trim_start_matches('/'));
        address.set_path(&format!("{before}/{after}"));
        if !call.query.is_empty() {
            address.query_pairs_mut().extend_pairs(&call.query);
        }
        address
    }
}

fn bearer(key: &SecretString) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()));
    let mut value = value.map_err(|_| ClientError::Header("the key".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether that is this machine.
pub(crate) fn is_here(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
