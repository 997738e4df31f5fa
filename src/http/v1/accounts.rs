//! Accounts with carriers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::{AccountCheck, Provider};
use outdial_jobs::store::accounts::Account as Row;
use outdial_workflows::ids::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::limits::LimitForm;
use super::{Asked, Body, Caller, Named, NamedQuery, Page};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// An account with a carrier, without its credentials.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    /// Its id.
    id: Uuid,
    /// Its client.
    client: Uuid,
    /// Its name, unique within the client.
    name: String,
    /// The carrier.
    provider: &'static str,
    /// Where the carrier is reached.
    base_url: String,
    /// Whether that is on this machine, so that nobody's phone rings.
    emulated: bool,
    /// What bounds its dialling, beside the limits of its client and of campaigns.
    #[schema(value_type = Vec<LimitForm>)]
    limits: Value,
    /// Whether it may dial at all.
    enabled: bool,
    /// Who has it paused; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
    /// Until when it rests, because its carrier asked for it or turned calls down.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_until: Option<DateTime<Utc>>,
    /// Why, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_cause: Option<String>,
    /// Where its webhooks are to be sent, below our public address: to be entered at the carrier. Absent where each
    /// dial names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_path: Option<String>,
    /// Since when its carrier turns it down: nothing is dialled from it until it takes it again, of which it is asked
    /// every five minutes, by a test, and with other credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_at: Option<DateTime<Utc>>,
    /// Why, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_cause: Option<String>,
    /// How many calls at once the carrier says that it lets the account have; absent if it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier_calls: Option<i32>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            client: row.client.0,
            name: row.name,
            provider: row.provider.name(),
            base_url: row.base_url,
            emulated: row.emulated,
            limits: row.limits,
            enabled: row.enabled,
            paused_by: row.paused_by,
            resting_until: row.resting_until,
            resting_cause: row.resting_cause,
            webhook_path: row.webhook_path,
            held_at: row.held_at,
            held_cause: row.held_cause,
            carrier_calls: row.carrier_calls,
            created_at: row.created_at,
        }
    }
}

/// List accounts
///
/// Those of a client, the newest first unless told otherwise: all, or the one with a name.
#[utoipa::path(get, path = "/v1/clients/{client}/accounts", tag = "accounts",
    params(("client" = Uuid, Path, description = "The client's id"), NamedQuery), responses(
    (status = 200, description = "A page of accounts", body = Page<Account>),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Asked(query): Asked<NamedQuery>,
) -> Result<Json<Page<Account>>, Problem> {
    let client = caller.client(&api, client).await?;
    let name = query.named()?;
    let found = async |part| match name {
        Some(name) => setup::accounts_named(&api.engine, client, name).await,
        None => setup::accounts(&api.engine, Some(client), part).await,
    };
    query.page().of(found, |account: &Account| account.id).await
}

/// The account, if the caller may see it.
pub(in crate::http) async fn visible(api: &Api, caller: &Caller, account: Uuid) -> Result<Row, Problem> {
    let found = setup::account(&api.engine, AccountId(account)).await?;
    let not_found = || OperationError::NotFound { kind: "account", given: account.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}

/// Get an account
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The account", body = Account),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(visible(&api, &caller, account).await?.into()))
}

/// A carrier, by its name in data.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ProviderName(Provider);

impl Default for ProviderName {
    fn default() -> Self {
        Self(Provider::Exotel)
    }
}

impl utoipa::PartialSchema for ProviderName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let names = Provider::ALL.iter().map(|provider| provider.name());
        let text = utoipa::openapi::schema::Type::String;
        utoipa::openapi::ObjectBuilder::new().schema_type(text).enum_values(Some(names)).into()
    }
}

impl ToSchema for ProviderName {}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountInput {
    /// Its name, unique within the client.
    #[schema(min_length = 1)]
    name: String,
    /// The carrier: `exotel` unless said otherwise.
    #[serde(default)]
    provider: ProviderName,
    /// Where the carrier is reached; left out, where all its customers reach it. Exotel is at
    /// `https://api.in.exotel.com` (Mumbai, the default) or `https://api.exotel.com` (Singapore); each customer
    /// of LiveKit has an address of their own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://api.in.exotel.com")]
    base_url: Option<Url>,
    /// What proves that it is ours, by the names that the carrier's adapter gives them. Exotel: `account_sid`,
    /// `api_key`, `api_token`. Never answered.
    #[schema(value_type = Object, write_only, example = json!({"account_sid": "example1", "api_key": "EXAMPLE-key", "api_token": "EXAMPLE-token"}))]
    credentials: Map<String, Value>,
    /// How to deal with it. All have defaults, and unknown names are refused.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// What bounds its dialling.
    #[serde(default)]
    limits: Vec<LimitForm>,
    /// Leave out the carrier's usual limits on requests: for an emulator, or another contract.
    #[serde(default)]
    without_default_limits: bool,
}

/// Make an account
///
/// Its credentials are sealed, and cannot be read again. Nothing is dialled, and the carrier is not asked: test
/// it. Accounts whose carrier is emulated on the server's own machine take a key for all clients.
#[utoipa::path(post, path = "/v1/clients/{client}/accounts", tag = "accounts",
    params(("client" = Uuid, Path, description = "The client's id")), request_body = AccountInput, responses(
    (status = 201, description = "The account", body = Account),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such client", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Named(client): Named<Uuid>,
    Body(input): Body<AccountInput>,
) -> Result<(StatusCode, Json<Account>), Problem> {
    caller.is(Role::Admin)?;
    let client = caller.client(&api, client).await?;
    if input.base_url.as_ref().is_some_and(setup::is_loopback) {
        // Who has one client alone is not to look around on the server's machine.
        caller.sees_all()?;
    }
    let spec = AccountSpec {
        name: &input.name,
        provider: input.provider.0,
        base_url: input.base_url.as_ref(),
        credentials: Value::Object(input.credentials).to_string().into(),
        settings: Value::Object(input.settings),
        limits: input.limits.into_iter().map(Into::into).collect(),
        without_default_limits: input.without_default_limits,
    };
    let made = setup::add_account(&api.engine, client, spec, caller.by()).await?;
    Ok((StatusCode::CREATED, Json(setup::account(&api.engine, made).await?.into())))
}

/// What a test of an account found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountTest {
    /// Whether the carrier takes the credentials.
    ok: bool,
    /// What it said, and what to do about it.
    message: String,
}

/// Test an account
///
/// Asks the carrier whether it takes the credentials. Rings nobody.
#[utoipa::path(post, path = "/v1/accounts/{account}/test", tag = "accounts", params(("account" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "What the test found", body = AccountTest),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "What is stored of it cannot be read", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
) -> Result<Json<AccountTest>, Problem> {
    caller.is(Role::Operator)?;
    let account = visible(&api, &caller, account).await?;
    let AccountCheck { ok, message } =
        setup::check_account(&api.engine, account.client, account.id, caller.by()).await?;
    Ok(Json(AccountTest { ok, message }))
}

/// Other credentials of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationInput {
    /// As an account is made with.
    #[schema(value_type = Object, write_only, example = json!({"account_sid": "example1", "api_key": "EXAMPLE-key", "api_token": "EXAMPLE-token"}))]
    credentials: Map<String, Value>,
    /// Take them without asking the carrier first.
    #[serde(default)]
    untested: bool,
}

/// How a rotation went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rotated {
    /// The account.
    account: Account,
    /// What the carrier said; absent if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<AccountTest>,
}

/// Replace an account's credentials
///
/// The carrier is asked first whether it takes them, and refused ones change nothing. Calls under way go on; what
/// is dialled from then on, and webhooks that come in, go by the new ones. An account that was held because its
/// carrier turned it down is let go.
#[utoipa::path(put, path = "/v1/accounts/{account}/credentials", tag = "accounts",
    params(("account" = Uuid, Path, description = "Its id")), request_body = RotationInput, responses(
    (status = 200, description = "It goes by them", body = Rotated),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "What is stored of it cannot be read", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    Body(input): Body<RotationInput>,
) -> Result<Json<Rotated>, Problem> {
    caller.is(Role::Admin)?;
    let account = visible(&api, &caller, account).await?;
    let credentials = Value::Object(input.credentials).to_string().into();
    let place = (account.client, account.id);
    let rotated =
        setup::rotate_credentials(&api.engine, place.0, place.1, &credentials, input.untested, caller.by());
    let test = rotated.await?.map(|AccountCheck { ok, message }| AccountTest { ok, message });
    Ok(Json(Rotated { account: setup::account(&api.engine, place.1).await?.into(), test }))
}

/// Replace an account's settings
///
/// All of them; what is left out goes back to its default.
#[utoipa::path(put, path = "/v1/accounts/{account}/settings", tag = "accounts",
    params(("account" = Uuid, Path, description = "Its id")), request_body = Object, responses(
    (status = 200, description = "It goes by them", body = Account),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "What is stored of it cannot be read", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn change_settings(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    Body(settings): Body<Map<String, Value>>,
) -> Result<Json<Account>, Problem> {
    caller.is(Role::Admin)?;
    let account = visible(&api, &caller, account).await?;
    let settings = Value::Object(settings);
    setup::change_settings(&api.engine, account.client, account.id, &settings, caller.by()).await?;
    Ok(Json(setup::account(&api.engine, account.id).await?.into()))
}

/// Why, for the record.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReasonInput {
    /// In the caller's words.
    reason: Option<String>,
}

/// Whether an account may dial by now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enabled {
    /// Whether that is a change.
    changed: bool,
    /// The account.
    account: Account,
}

/// Disable an account
///
/// Nobody is dialled from it any more, whatever is resumed. Once this answers no further attempt is submitted;
/// calls under way go on.
#[utoipa::path(post, path = "/v1/accounts/{account}/disable", tag = "accounts",
    params(("account" = Uuid, Path, description = "Its id")), request_body = Option<ReasonInput>, responses(
    (status = 200, description = "It is disabled", body = Enabled),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn disable(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    input: Option<Body<ReasonInput>>,
) -> Result<Json<Enabled>, Problem> {
    switch(&api, &caller, account, false, input).await
}

/// Enable an account
///
/// Lets a disabled account dial again.
#[utoipa::path(post, path = "/v1/accounts/{account}/enable", tag = "accounts",
    params(("account" = Uuid, Path, description = "Its id")), request_body = Option<ReasonInput>, responses(
    (status = 200, description = "It may dial", body = Enabled),
    (status = 403, description = "Takes the role admin", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such account", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn enable(
    State(api): State<Api>,
    caller: Caller,
    Named(account): Named<Uuid>,
    input: Option<Body<ReasonInput>>,
) -> Result<Json<Enabled>, Problem> {
    switch(&api, &caller, account, true, input).await
}

async fn switch(
    api: &Api,
    caller: &Caller,
    account: Uuid,
    enabled: bool,
    input: Option<Body<ReasonInput>>,
) -> Result<Json<Enabled>, Problem> {
    caller.is(Role::Admin)?;
    let ReasonInput { reason } = input.map(|Body(input)| input).unwrap_or_default();
    let account = visible(api, caller, account).await?;
    let by = caller.by_for(reason.as_deref());
    let changed = setup::enable_account(&api.engine, account.client, account.id, enabled, by).await?;
    Ok(Json(Enabled { changed, account: setup::account(&api.engine, account.id).await?.into() }))
}
