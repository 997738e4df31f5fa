//! Who is asking, and what they may.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use outdial_jobs::operations::keys::{self, ApiKey, Role};
use outdial_jobs::operations::{By, OperationError, setup};
use outdial_workflows::ids::ClientId;
use uuid::Uuid;

use super::super::{Api, Problem};

/// Where an order may say why it was given.
const REASON: &str = "x-outdial-reason";

/// Whoever sent the request, by their key.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    key: ApiKey,
    /// As orders are put on record.
    actor: String,
    reason: Option<String>,
}

impl Caller {
    /// Whoever has this key; the headers may say why they ask.
    pub(in crate::http) fn new(key: ApiKey, headers: &HeaderMap) -> Self {
        let actor = format!("key {} (…{})", key.name, key.hint);
        // In UTF-8, as people write, though HTTP knows of no such thing.
        let reason = headers.get(REASON).and_then(|reason| str::from_utf8(reason.as_bytes()).ok());
        Self { key, actor, reason: reason.map(str::to_owned) }
    }

    /// Their key's id.
    pub(super) fn key_id(&self) -> Uuid {
        self.key.id
    }

    /// Their key.
    pub(in crate::http) fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Their key.
    pub(crate) fn into_key(self) -> ApiKey {
        self.key
    }

    /// The one client that they may see; `None`: all.
    pub(crate) fn scope(&self) -> Option<ClientId> {
        self.key.client
    }

    /// Who gives an order, for the record.
    pub(crate) fn by(&self) -> By<'_> {
        By { actor: &self.actor, reason: self.reason.as_deref() }
    }

    /// The same, with a reason that takes the place of the header's.
    pub(crate) fn by_for<'a>(&'a self, reason: Option<&'a str>) -> By<'a> {
        By { actor: &self.actor, reason: reason.or(self.reason.as_deref()) }
    }

    /// Whether they may see this client's things. Others do not exist for them.
    pub(crate) fn sees(&self, client: ClientId) -> Result<ClientId, Problem> {
        match self.key.client {
            Some(only) if only != client => {
                let (kind, given) = ("client", client.to_string());
                Err(OperationError::NotFound { kind, given }.into())
            }
            _ => Ok(client),
        }
    }

    /// The client with this id, if they may see it.
    pub(crate) async fn client(&self, api: &Api, client: Uuid) -> Result<ClientId, Problem> {
        let client = self.sees(ClientId(client))?;
        match self.key.client {
            Some(_) => Ok(client),
            None => Ok(setup::client(&api.engine, client).await?.id),
        }
    }

    /// Whether they are to see all clients.
    pub(crate) fn sees_all(&self) -> Result<(), Problem> {
        match self.key.client {
            None => Ok(()),
            Some(_) => Err(Problem::forbidden("this takes a key for all clients, and yours is for one")),
        }
    }

    /// Whether their role is enough.
    pub(crate) fn is(&self, role: Role) -> Result<(), Problem> {
        if self.key.role >= role {
            return Ok(());
        }
        let (needed, has) = (role.name(), self.key.role.name());
        Err(Problem::forbidden(format!("this takes the role {needed}, and your key has {has}")))
    }
}

/// Lets in who has a key, and nobody else.
pub(super) async fn let_in(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let Some(token) = bearer(request.headers()) else {
        let detail = "give a key: `Authorization: Bearer outdial_…`; `outdial key create` makes one";
        return Problem::unauthorized(detail).into_response();
    };
    match keys::authenticate(&api.engine, token).await {
        Ok(Ok(key)) => {
            let caller = Caller::new(key, request.headers());
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(Err(why)) => Problem::unauthorized(format!("the key {why}")).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::unauthorized("give a key"))
    }
}
