//! Keys of the API.

use chrono::TimeDelta;
use outdial_jobs::operations::Part;
use outdial_jobs::operations::keys::{self, ApiKey, KeySpec};
use outdial_workflows::ids::ClientId;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Backend, by};
use crate::client::Call;

/// A key that was just made.
#[derive(Deserialize)]
struct New {
    #[serde(flatten)]
    key: ApiKey,
    token: SecretString,
}

impl Backend<'_> {
    /// Makes a key. It is told once.
    pub(in crate::cli) async fn create_key(
        &self,
        spec: KeySpec<'_>,
    ) -> anyhow::Result<(ApiKey, SecretString)> {
        match self {
            Self::Database(app, actor) => Ok(keys::create(&app.engine, spec, by(actor, None)).await?),
            Self::Server(server) => {
                let KeySpec { name, role, client, expires_at } = spec;
                let body = json!({ "name": name, "role": role, "client": client, "expires_at": expires_at });
                let New { key, token } = server.read(&Call::post("/v1/keys").json(body)).await?;
                Ok((key, token))
            }
        }
    }

    /// Keys, the newest first, of one client or of all; at most so many.
    pub(in crate::cli) async fn keys(
        &self,
        client: Option<ClientId>,
        most: usize,
    ) -> anyhow::Result<Vec<ApiKey>> {
        match self {
            Self::Database(app, _) => {
                let part = Part::newest(i64::try_from(most).unwrap_or(i64::MAX));
                Ok(keys::list(&app.engine, client, part).await?)
            }
            Self::Server(server) => {
                let mut found: Vec<ApiKey> = server.list("/v1/keys", &[], usize::MAX).await?;
                found.retain(|key| client.is_none() || key.client == client);
                found.truncate(most);
                Ok(found)
            }
        }
    }

    /// Takes a key back.
    pub(in crate::cli) async fn revoke_key(&self, id: Uuid, reason: Option<&str>) -> anyhow::Result<ApiKey> {
        match self {
            Self::Database(app, actor) => Ok(keys::revoke(&app.engine, id, None, by(actor, reason)).await?),
            Self::Server(server) => {
                let call = Call::post(format!("/v1/keys/{id}/revoke")).because(reason)?;
                Ok(server.read(&call).await?)
            }
        }
    }

    /// Makes a key in the place of another, which goes on working for `overlap`.
    pub(in crate::cli) async fn rotate_key(
        &self,
        id: Uuid,
        overlap: TimeDelta,
        reason: Option<&str>,
    ) -> anyhow::Result<(ApiKey, SecretString)> {
        match self {
            Self::Database(app, actor) => {
                Ok(keys::rotate(&app.engine, id, None, overlap, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let body = json!({ "overlap_s": overlap.num_seconds() });
                let call = Call::post(format!("/v1/keys/{id}/rotate")).because(reason)?.json(body);
                let New { key, token } = server.read(&call).await?;
                Ok((key, token))
            }
        }
    }
}
