//! What bounds and stops dialling: limits of clients, accounts and numbers, and pauses of them.

use outdial_jobs::operations::hanging_up::{self, HungUp};
use outdial_jobs::operations::limits::{self, Changed, Limited};
use outdial_jobs::operations::pausing::{self, Paused};
use outdial_jobs::store::numbers::Number;
use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use reqwest::Method;
use reqwest::header::ETAG;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::campaigns::{GoesOn, underway};
use super::{Backend, by};
use crate::client::{Call, Client, ClientError};

/// A client, or one of its accounts.
pub(in crate::cli) type Pausable = (ClientId, Option<AccountId>);

/// So often limits are read again that somebody else changes at the same time.
const TRIES: u8 = 3;

#[derive(Deserialize)]
struct LimitsOf {
    limits: Vec<Limit>,
}

#[derive(Deserialize)]
struct Numbers {
    items: Vec<Number>,
}

#[derive(Deserialize)]
struct PauseAnswer {
    changed: bool,
    resume_at: Option<Moment>,
    underway: Vec<GoesOn>,
    hung_up: Option<HungUp>,
}

#[derive(Deserialize)]
struct ResumeAnswer {
    changed: bool,
}

impl Backend<'_> {
    /// Changes limits: `change` makes the new list from the old.
    pub(in crate::cli) async fn change_limits(
        &self,
        client: ClientId,
        whose: &Limited,
        change: impl Fn(Vec<Limit>) -> Vec<Limit>,
        reason: Option<&str>,
    ) -> anyhow::Result<Changed> {
        let server = match self {
            Self::Database(app, actor) => {
                return Ok(limits::change(&app.engine, client, whose, change, by(actor, reason)).await?);
            }
            Self::Server(server) => server,
        };
        let path = path(client, whose);
        let mut tries = 1..TRIES;
        loop {
            match changed(server, &path, &change, reason).await {
                Err(ClientError::Problem(problem)) if problem.status == 412 && tries.next().is_some() => {}
                done => return Ok(done?),
            }
        }
    }

    /// What is known of an account's numbers.
    pub(in crate::cli) async fn numbers(
        &self,
        (client, account): (ClientId, AccountId),
    ) -> anyhow::Result<Vec<Number>> {
        match self {
            Self::Database(app, _) => Ok(limits::numbers(&app.engine, client, account).await?),
            Self::Server(server) => {
                Ok(server.get::<Numbers>(&format!("/v1/accounts/{account}/numbers")).await?.items)
            }
        }
    }

    /// Stops the dialling of a client or an account, until `resume_at` or until it is resumed. With `hang_up`,
    /// calls under way are ended.
    pub(in crate::cli) async fn pause(
        &self,
        (client, account): Pausable,
        reason: Option<&str>,
        resume_at: Option<Moment>,
        hang_up: bool,
    ) -> anyhow::Result<Paused> {
        match self {
            Self::Database(app, actor) => {
                let (engine, by) = (&app.engine, by(actor, reason));
                let mut paused = pausing::pause(engine, client, account, by, resume_at).await?;
                if hang_up {
                    paused.hung_up = Some(hanging_up::hang_up(engine, client, &paused.underway, by).await?);
                }
                Ok(paused)
            }
            Self::Server(server) => {
                let call = ordered((client, account), "pause", reason)?;
                let call = call.json(json!({ "resume_at": resume_at, "hang_up": hang_up }));
                let PauseAnswer { changed, resume_at, underway: goes_on, hung_up } =
                    server.read(&call).await?;
                Ok(Paused { changed, resume_at, underway: underway(goes_on), hung_up })
            }
        }
    }

    /// Lets it dial again. Tells whether it was paused.
    pub(in crate::cli) async fn resume(
        &self,
        (client, account): Pausable,
        reason: Option<&str>,
    ) -> anyhow::Result<bool> {
        match self {
            Self::Database(app, actor) => {
                Ok(pausing::resume(&app.engine, client, account, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let call = ordered((client, account), "resume", reason)?;
                Ok(server.read::<ResumeAnswer>(&call).await?.changed)
            }
        }
    }
}

fn ordered(
    (client, account): Pausable,
    order: &str,
    reason: Option<&str>,
) -> Result<Call<'static>, ClientError> {
    let path = match account {
        Some(account) => format!("/v1/accounts/{account}/{order}"),
        None => format!("/v1/clients/{client}/{order}"),
    };
    Call::post(path).because(reason)
}

fn path(client: ClientId, whose: &Limited) -> String {
    match whose {
        Limited::Client => format!("/v1/clients/{client}/limits"),
        Limited::Account(account) => format!("/v1/accounts/{account}/limits"),
        Limited::Number(account, number) => {
            // A path has no plus for a space.
            let number: String = byte_serialize(number.0.as_bytes()).collect();
            format!("/v1/accounts/{account}/numbers/{}/limits", number.replace('+', "%20"))
        }
    }
}

/// Reads limits, and sets them on what was read.
async fn changed(
    server: &Client,
    path: &str,
    change: &impl Fn(Vec<Limit>) -> Vec<Limit>,
    reason: Option<&str>,
) -> Result<Changed, ClientError> {
    let answer = server.send(&Call::new(Method::GET, path)).await?;
    let read = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
    let before = server.json::<LimitsOf>(answer).await?.limits;
    let call = Call::new(Method::PUT, path).header("if-match", &read)?.because(reason)?;
    let call = call.json(json!({ "limits": change(before.clone()) }));
    let after = server.read::<LimitsOf>(&call).await?.limits;
    Ok(Changed { before, after })
}
