//! Who may speak to this server, and what people ordered.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::TimeDelta;
use outdial_jobs::operations::audit::{self, Written};
use outdial_jobs::operations::keys::{self, ApiKey, KeySpec, Role};
use outdial_workflows::ids::ClientId;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::clients::{After, cut};
use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use crate::http::Api;
use crate::http::v1::input::{sought, wrong};
use crate::http::v1::names::RoleName;
use crate::http::v1::{Asked, Named};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/keys", get(list).post(create))
        .route("/admin/clients/{client}/keys/{key}/revoke", post(revoke))
        .route("/admin/clients/{client}/keys/{key}/rotate", post(rotate))
        .route("/admin/clients/{client}/audit", get(audit_log))
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    shell: Shell,
    keys: Vec<ApiKey>,
    next: Option<String>,
    /// A key that was just made, with its name, shown this once.
    made: Option<(String, String)>,
}

impl KeysPage {
    fn stands(&self, key: &ApiKey) -> Html {
        let now = self.shell.now;
        show::badge(match key {
            key if key.revoked_at.is_some_and(|at| at <= now) => "revoked",
            key if key.expires_at.is_some_and(|at| at <= now) => "expired",
            _ => "enabled",
        })
    }
}

/// Keys of the client: with a key for all clients those for all are in the list, too.
async fn keys_page(
    visit: &Visit,
    client: ClientId,
    after: &After,
    made: Option<(String, String)>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Admin)?;
    let mut shell = visit.shell(client, "keys", "Keys").await?;
    shell.path = format!("/admin/clients/{client}/keys");
    let scope = visit.caller.scope();
    let found = keys::list(&visit.api.engine, scope, after.part()).await?;
    let (mut keys, next) = cut(found, |key| key.id);
    keys.retain(|key| key.client.is_none_or(|of| of == client));
    page(&KeysPage { shell, keys, next, made })
}

async fn list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(after): Asked<After>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    keys_page(&visit, client, &after, None).await
}

#[derive(Deserialize)]
struct KeyForm {
    name: String,
    role: RoleName,
    #[serde(default)]
    days: String,
    #[serde(default)]
    everywhere: Option<String>,
}

/// The key is in the answer itself: no cookie, no address and no history of the browser holds it.
async fn create(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(form): Sent<KeyForm>,
) -> Result<Response, Failure> {
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    let of = match form.everywhere {
        Some(_) => {
            visit.caller.sees_all()?;
            None
        }
        None => Some(client),
    };
    let expires_at = match form.days.trim() {
        "" => None,
        days => {
            let days: u16 = days.parse().map_err(|_| wrong("days", "give a whole number of days"))?;
            Some(visit.signed.now + TimeDelta::days(days.into()))
        }
    };
    let spec = KeySpec { name: form.name.trim(), role: form.role.into(), client: of, expires_at };
    let (key, token) = keys::create(&visit.api.engine, spec, visit.caller.by()).await?;
    let made = Some((key.name, token.expose_secret().to_owned()));
    keys_page(&visit, client, &After::default(), made).await
}

async fn revoke(visit: Visit, Named((client, key)): Named<(Uuid, Uuid)>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    let key = keys::revoke(&visit.api.engine, key, visit.caller.scope(), visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/clients/{client}/keys"), format!("{} opens nothing any more.", key.name)))
}

async fn rotate(visit: Visit, Named((client, key)): Named<(Uuid, Uuid)>) -> Result<Response, Failure> {
    /// For so long the old key opens, too.
    const OVERLAP: TimeDelta = TimeDelta::hours(24);
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    let scope = visit.caller.scope();
    let (key, token) = keys::rotate(&visit.api.engine, key, scope, OVERLAP, visit.caller.by()).await?;
    let made = Some((key.name, token.expose_secret().to_owned()));
    keys_page(&visit, client, &After::default(), made).await
}

#[derive(Deserialize)]
struct AuditQuery {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    written: Vec<Written>,
    actor: String,
    subject: String,
    next: Option<String>,
}

impl AuditPage {
    /// Where what it is about is shown, if it has a page.
    fn about(&self, written: &Written) -> Option<String> {
        let id = written.subject_id;
        Some(match written.subject.as_str() {
            "campaign" => format!("/admin/campaigns/{id}"),
            "lead" => format!("/admin/leads/{id}"),
            "account" => format!("/admin/accounts/{id}"),
            "operation" => format!("/admin/operations/{id}"),
            "import" => format!("/admin/imports/{id}"),
            "subscriber" => format!("/admin/subscribers/{id}"),
            _ => return None,
        })
    }

    fn details(&self, written: &Written) -> Vec<(String, String)> {
        match &written.details {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), show::short(value))).collect()
            }
            Value::Null => vec![],
            other => vec![("details".into(), show::short(other))],
        }
    }
}

async fn audit_log(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(asked): Asked<AuditQuery>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "audit", "Audit log").await?;
    let subject = match asked.subject.trim() {
        "" => None,
        id => Some(id.parse::<Uuid>().map_err(|_| wrong("subject", "give an id"))?),
    };
    let actor = Some(sought("actor", asked.actor.trim())?).filter(|actor| !actor.is_empty());
    let after = After::read(&asked.after)?;
    let found = audit::list(&visit.api.engine, Some(client), subject, actor, after.part()).await?;
    let (written, next) = cut(found, |written| written.id);
    let next = next.map(|next| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [("actor", &asked.actor), ("subject", &asked.subject)];
        query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        match query.finish() {
            rest if rest.is_empty() => next,
            rest => format!("{rest}&{next}"),
        }
    });
    page(&AuditPage { shell, written, actor: asked.actor, subject: asked.subject, next })
}
