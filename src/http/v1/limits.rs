//! What bounds the dialling of a client, of an account, and from one of its numbers.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono_tz::Tz;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::limits::{self, Limited};
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::ClientId;
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Minor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::input::if_match;
use super::{Body, Caller, Named, accounts};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// One limit. All that are given hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "limit", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = Limit)]
pub(crate) enum LimitForm {
    /// At most so many calls at once.
    Concurrent {
        /// How many.
        #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
        max: u32,
    },
    /// At most so many calls begun in any window of this length.
    Rate {
        /// How many.
        #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
        max: u32,
        /// The window's length in milliseconds.
        #[schema(minimum = 100, maximum = 3_600_000)]
        per_ms: u32,
    },
    /// One call begun after another, so far apart.
    Delay {
        /// In milliseconds.
        #[schema(minimum = 100, maximum = 3_600_000)]
        ms: u32,
    },
    /// What calls may cost in a day, in the currency of the account.
    Spend {
        /// At most so much, in minor units (paise, cents).
        #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
        per_day: u32,
        /// What a call is taken to cost until its carrier has said, in the same units.
        #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
        per_call: u32,
        /// By whose clock days are counted. Left out: UTC.
        #[serde(default)]
        #[schema(value_type = Option<String>, example = "Asia/Kolkata")]
        zone: Tz,
    },
}

impl From<LimitForm> for Limit {
    fn from(form: LimitForm) -> Self {
        match form {
            LimitForm::Concurrent { max } => Self::Concurrent { max },
            LimitForm::Rate { max, per_ms } => Self::Rate { max, per_ms },
            LimitForm::Delay { ms } => Self::Delay { ms },
            LimitForm::Spend { per_day, per_call, zone } => {
                Self::Spend { per_day: Minor(per_day), per_call: Minor(per_call), zone }
            }
        }
    }
}

impl From<Limit> for LimitForm {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Concurrent { max } => Self::Concurrent { max },
            Limit::Rate { max, per_ms } => Self::Rate { max, per_ms },
            Limit::Delay { ms } => Self::Delay { ms },
            Limit::Spend { per_day, per_call, zone } => {
                Self::Spend { per_day: per_day.0, per_call: per_call.0, zone }
            }
        }
    }
}

/// All limits of a client, an account or a number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Limits {
    /// None: nothing bounds it.
    limits: Vec<LimitForm>,
}

/// Limits as they are to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsInput {
    /// All of them; those that are left out do not hold any more.
    limits: Vec<LimitForm>,
    /// Why, for the record. Takes the place of `X-Outdial-Reason`.
    reason: Option<String>,
}

/// Limits have no revision: what they are tells them apart.
fn etag(limits: &[Limit]) -> String {
    let hash = Sha256::digest(serde_json::to_vec(limits).unwrap_or_default());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}\"")
}

fn told(limits: Vec<Limit>) -> Response {
    let etag = etag(&limits);
    let body = Limits { limits: limits.into_iter().map(Into::into).collect() };
    ([(header::ETAG, etag)], Json(body)).into_response()
}

/// Whose limits a request is about, if the caller may see them.
async fn of_client(api: &Api, caller: &Caller, client: Uuid) -> Result<(ClientId, Limited), Problem> {
    Ok((caller.client(api, client).await?, Limited::Client))
}

async fn of_account(api: &Api, caller: &Caller, account: Uuid) -> Result<(ClientId, Limited), Problem> {
    let account = accounts::visible(api, caller, account).await?;
    Ok((account.client, Limited::Account(account.id)))
}

async fn of_number(
    api: &Api,
    caller: &Caller,
    (account, number): (Uuid, String),
) -> Result<(ClientId, Limited), Problem> {
    let account = accounts::visible(api, caller, account).await?;
    Ok((account.client, Limited::Number(account.id, CallerId(number))))
}

async fn read(api: &Api, (client, whose): (ClientId, Limited)) -> Result<Response, Problem> {
    Ok(told(limits::read(&api.engine, client, &whose).await?))
}

async fn replace(
    api: &Api,
    caller: &Caller,
    (client, whose): (ClientId, Limited),
    headers: &HeaderMap,
    input: LimitsInput,
) -> Result<Response, Problem> {
    let given = if_match(headers)?;
    let after: Vec<Limit> = input.limits.into_iter().map(Into::into).collect();
    let by = caller.by_for(input.reason.as_deref());
    let expected = |before: &[Limit]| etag(before) == given;
    let changed = limits::replace(&api.engine, client, &whose, expected, &after, by).await?;
    Ok(told(changed.after))
}

macro_rules! limits {
    ($($get:ident, $put:ident, $of:ident, $named:ty, $path:literal, $tag:literal, $whose:literal, $none:literal, ($($param:tt)+);)+) => {$(
        #[doc = "Get the limits of "]
        #[doc = $whose]
        #[doc = ""]
        #[doc = "The header `ETag` is what a change of them names in `If-Match`."]
        #[utoipa::path(get, path = $path, tag = $tag, summary = concat!("Get the limits of ", $whose), params($($param)+), responses(
            (status = 200, description = "The limits as they are now", body = Limits, headers(("ETag" = String, description = "What tells them from others"))),
            (status = 404, description = $none, body = ProblemDetails, content_type = "application/problem+json"),
            (status = 409, description = "They come from a newer version", body = ProblemDetails, content_type = "application/problem+json"),
        ))]
        pub(crate) async fn $get(
            State(api): State<Api>,
            caller: Caller,
            Named(named): Named<$named>,
        ) -> Result<Response, Problem> {
            let whose = $of(&api, &caller, named).await?;
            read(&api, whose).await
        }

        #[doc = "Set the limits of "]
        #[doc = $whose]
        #[doc = ""]
        #[doc = "All of them. Once this is answered every node keeps them; calls under way go on, even where there are more than may be now."]
        #[utoipa::path(put, path = $path, tag = $tag, summary = concat!("Set the limits of ", $whose),
            params($($param)+, ("If-Match" = Option<String>, Header, description = "The `ETag` that the limits had when they were read. It cannot be left out: 428 says so")),
            request_body = LimitsInput, responses(
            (status = 200, description = "The limits as they are now", body = Limits, headers(("ETag" = String, description = "What tells them from others"))),
            (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 404, description = $none, body = ProblemDetails, content_type = "application/problem+json"),
            (status = 409, description = "Those there are come from a newer version", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 412, description = "They were changed meanwhile: read them again", body = ProblemDetails, content_type = "application/problem+json"),
            (status = 428, description = "If-Match is missing", body = ProblemDetails, content_type = "application/problem+json"),
        ))]
        pub(crate) async fn $put(
            State(api): State<Api>,
            caller: Caller,
            Named(named): Named<$named>,
            headers: HeaderMap,
            Body(input): Body<LimitsInput>,
        ) -> Result<Response, Problem> {
            caller.is(Role::Admin)?;
            let whose = $of(&api, &caller, named).await?;
            replace(&api, &caller, whose, &headers, input).await
        }
    )+};
}

limits! {
    client, set_client, of_client, Uuid, "/v1/clients/{client}/limits", "clients", "a client", "No such client",
        (("client" = Uuid, Path, description = "The client's id"));
    account, set_account, of_account, Uuid, "/v1/accounts/{account}/limits", "accounts", "an account", "No such account",
        (("account" = Uuid, Path, description = "The account's id"));
    number, set_number, of_number, (Uuid, String), "/v1/accounts/{account}/numbers/{number}/limits", "accounts",
        "a number", "No such account",
        (("account" = Uuid, Path, description = "The account's id"), ("number" = String, Path, description = "The number, as campaigns name it"));
}
