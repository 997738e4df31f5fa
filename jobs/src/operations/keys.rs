//! Who may speak to the API: keys, each with a role, for one client or for all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, new_id};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{By, OperationError, Part, audit};
use crate::engine::Engine;
use crate::store::audit::Entry;
pub use crate::store::keys::{ApiKey, Role};
use crate::store::{self, StoreError};

/// What every key begins with, so that people, and tools that look for leaked secrets, know one when they
/// see it.
const PREFIX: &str = "outdial_";
/// Random bytes of a key: as many as its hash has.
const BYTES: usize = 32;
/// How many characters of a key are stored to tell it by.
const HINT: usize = 4;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct KeySpec<'a> {
    /// Whose it is, for people; it names who gave an order.
    pub name: &'a str,
    /// What it allows.
    pub role: Role,
    /// The one client that it is good for; `None` for all.
    pub client: Option<ClientId>,
    /// From when on it is good for nothing.
    pub expires_at: Option<Moment>,
}

/// Makes a key. It is told once, and cannot be told again.
///
/// # Errors
/// If the name is empty, the end has passed, or the client does not exist.
pub async fn create(
    engine: &Engine,
    spec: KeySpec<'_>,
    by: By<'_>,
) -> Result<(ApiKey, SecretString), OperationError> {
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let made = make(&mut tx, spec, by, now, "create").await?;
    tx.commit().await?;
    Ok(made)
}

async fn make(
    conn: &mut sqlx::PgConnection,
    spec: KeySpec<'_>,
    by: By<'_>,
    now: Moment,
    action: &str,
) -> Result<(ApiKey, SecretString), OperationError> {
    let name = spec.name.trim();
    if name.is_empty() {
        let problem = "a name is needed, to tell by whose key an order was given".into();
        return Err(OperationError::Invalid { place: "name".into(), problem });
    }
    if let Some(at) = spec.expires_at.filter(|at| *at <= now) {
        let problem = format!("{at} has passed; give a later time, or none");
        return Err(OperationError::Invalid { place: "expires_at".into(), problem });
    }
    let token = random_token();
    let key = ApiKey {
        id: new_id(now),
        client: spec.client,
        name: name.to_owned(),
        role: spec.role,
        hint: hint(token.expose_secret()),
        created_by: by.actor.to_owned(),
        created_at: now,
        expires_at: spec.expires_at,
        revoked_at: None,
        used_at: None,
    };
    let written = store::keys::insert(conn, &key, &hash(token.expose_secret())).await;
    written.map_err(|error| match error.constraint() {
        Some("api_keys_client_id_fkey") => {
            let given = spec.client.map(|client| client.to_string()).unwrap_or_default();
            OperationError::NotFound { kind: "client", given }
        }
        Some(_) | None => OperationError::Store(error),
    })?;
    note(conn, &key, action, by, now).await?;
    Ok((key, token))
}

/// Takes a key back: the next request with it is refused.
///
/// # Errors
/// If there is none with this id within `scope`.
pub async fn revoke(
    engine: &Engine,
    id: Uuid,
    scope: Option<ClientId>,
    by: By<'_>,
) -> Result<ApiKey, OperationError> {
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let mut key = locked(&mut tx, id, scope).await?;
    if key.revoked_at.is_none() {
        store::keys::revoke(&mut tx, id, now).await?;
        key.revoked_at = Some(now);
        note(&mut tx, &key, "revoke", by, now).await?;
    }
    tx.commit().await?;
    Ok(key)
}

/// Makes a new key in the place of another, which goes on working for `overlap`.
///
/// # Errors
/// If there is none with this id within `scope`, or it is good for nothing any more.
pub async fn rotate(
    engine: &Engine,
    id: Uuid,
    scope: Option<ClientId>,
    overlap: TimeDelta,
    by: By<'_>,
) -> Result<(ApiKey, SecretString), OperationError> {
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let old = locked(&mut tx, id, scope).await?;
    if let Err(why) = still_good(&old, now) {
        return Err(OperationError::NotPossible(format!("the key {why}; make a new one")));
    }
    // As long as the old one was to live, from now on.
    let expires_at = old.expires_at.map(|at| now + (at - old.created_at));
    let spec = KeySpec { name: &old.name, role: old.role, client: old.client, expires_at };
    let made = make(&mut tx, spec, by, now, "rotate").await?;
    let ends = now + overlap.max(TimeDelta::zero());
    if old.expires_at.is_none_or(|at| at > ends) {
        store::keys::expire(&mut tx, id, ends).await?;
    }
    tx.commit().await?;
    Ok(made)
}

/// Keys: of one client, or all.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    scope: Option<ClientId>,
    part: Part,
) -> Result<Vec<ApiKey>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::keys::list(&mut conn, scope, part).await?)
}

/// Whose key this is; else why nobody may come in with it.
///
/// # Errors
/// The database.
pub async fn authenticate(engine: &Engine, token: &str) -> Result<Result<ApiKey, &'static str>, StoreError> {
    // Nobody is to wait longer for a key that looks like one.
    if !token.starts_with(PREFIX) {
        return Ok(Err("is not one of ours"));
    }
    store::in_time(async {
        let mut session = engine.sessions().take().await?;
        let now = engine.about_now().await?;
        let key = store::keys::by_hash(&mut session, &hash(token), now).await?;
        session.done();
        Ok(match key {
            None => Err("is not one of ours"),
            Some(key) => still_good(&key, now).map(|()| key),
        })
    })
    .await
}

fn still_good(key: &ApiKey, now: Moment) -> Result<(), &'static str> {
    match key {
        ApiKey { revoked_at: Some(_), .. } => Err("was revoked"),
        ApiKey { expires_at: Some(at), .. } if *at <= now => Err("has expired"),
        _ => Ok(()),
    }
}

async fn locked(
    conn: &mut sqlx::PgConnection,
    id: Uuid,
    scope: Option<ClientId>,
) -> Result<ApiKey, OperationError> {
    let key = store::keys::lock(conn, id).await?;
    let within = key.filter(|key| scope.is_none() || key.client == scope);
    within.ok_or_else(|| OperationError::NotFound { kind: "key", given: id.to_string() })
}

async fn note(
    conn: &mut sqlx::PgConnection,
    key: &ApiKey,
    action: &str,
    by: By<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let client = key.client.unwrap_or(audit::NOBODY);
    let details =
        json!({ "name": key.name, "role": key.role, "hint": key.hint, "expires_at": key.expires_at });
    let By { actor, reason } = by;
    let entry = Entry { actor, action, subject: "key", id: key.id, reason, details: &details };
    store::audit::note(conn, client, entry, now).await
}

fn random_token() -> SecretString {
    let mut bytes = [0_u8; BYTES];
    rand::rng().fill(&mut bytes);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into()
}

/// A plain hash: a key is no password, nobody guesses 256 random bits.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn hint(token: &str) -> String {
    token.chars().skip(token.chars().count().saturating_sub(HINT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_random_and_told_apart_by_their_ends() {
        let (one, other) = (random_token(), random_token());
        let (one, other) = (one.expose_secret(), other.expose_secret());
        assert!(one.starts_with("outdial_") && one.len() == 8 + 43, "{one}");
        assert_ne!(hash(one), hash(other));
        assert!(one.ends_with(&hint(one)) && hint(one).len() == 4);
    }
}
