//! `/v1`: who may do what, and what is said of what is wrong.

mod access;
mod accounts;
mod attempts;
mod audit;
mod calls;
mod campaigns;
mod contactability;
mod hanging_up;
mod held_accounts;
mod jobs;
mod keys;
mod leads;
mod lists;
mod once;
mod operations;
mod playbooks;
mod reading;
mod reports;
mod roles;
mod templates;
mod transferring;
mod webhooks;

use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::{KeySpec, Role, create};
use outdial_jobs::providers::http_client;
use outdial_workflows::ids::ClientId;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::support::world::World;

const BY: By<'static> = By { actor: "a test", reason: None };

/// What the API answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    content_type: String,
    /// It was given before.
    replayed: bool,
    etag: Option<String>,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// A header, as text.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// A caller with a key, or without.
struct Caller<'a> {
    world: &'a World,
    token: Option<String>,
}

impl Caller<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_once(method, path, body, None).await
    }

    async fn ask_once(&self, method: Method, path: &str, body: Option<Value>, once: Option<&str>) -> Answer {
        let headers = once.map(|once| ("idempotency-key", once.to_owned()));
        self.ask_with(method, path, body, headers).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        extra: Option<(&str, String)>,
    ) -> Answer {
        let mut request = http_client().expect("a client").request(method, self.world.address(path));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request = match body {
            // A text is a file.
            Some(Value::String(csv)) => request.header("content-type", "text/csv").body(csv),
            Some(body) => request.json(&body),
            None => request,
        };
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("an answer");
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert!(header("x-request-id").is_some(), "every answer bears an id");
        let (status, content_type) = (response.status(), header("content-type").unwrap_or_default());
        if status == StatusCode::UNAUTHORIZED {
            assert_eq!(header("www-authenticate").as_deref(), Some("Bearer"));
        }
        let (replayed, etag) = (header("idempotent-replayed").is_some(), header("etag"));
        let headers = response.headers().clone();
        // A stream does not end.
        let streams = content_type == "text/event-stream";
        let body = if streams { Value::Null } else { response.json().await.unwrap_or_default() };
        Answer { status, content_type, replayed, etag, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }
}

async fn key(world: &World, role: Role, client: Option<ClientId>) -> Caller<'_> {
    let spec = KeySpec { name: "a key", role, client, expires_at: None };
    let (_, token) = create(&world.engine, spec, BY).await.expect("a key");
    Caller { world, token: Some(token.expose_secret().to_owned()) }
}

impl Caller<'_> {
    /// Puts something in the place of what was read with this `ETag`.
    async fn put(&self, path: &str, body: Value, etag: Option<&str>) -> Answer {
        let if_match = etag.map(|etag| ("if-match", etag.to_owned()));
        self.ask_with(Method::PUT, path, Some(body), if_match).await
    }
}

/// What a list holds, by one of its fields.
fn each(page: &Answer, field: &str) -> Vec<Value> {
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    page.body["items"].as_array().expect("items").iter().map(|item| item[field].clone()).collect()
}

/// Which part of a request is said to be wrong.
fn place(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    answer.body["errors"][0]["place"].as_str().expect("a place")
}
