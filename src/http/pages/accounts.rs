//! Accounts with carriers, and their numbers.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::limits::{self, Limited};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::operations::{Part, pausing};
use outdial_jobs::providers::Provider;
use outdial_jobs::store::accounts::Account;
use outdial_jobs::store::numbers::Number;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::clients::Reason;
use super::limits::{self as fields, LimitFields};
use super::outcome::{Done, Failure, Sent};
use super::page;
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use crate::http::v1::input::wrong;
use crate::http::v1::{self, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/accounts", get(list).post(create))
        .route("/admin/clients/{client}/limits", post(limit_client))
        .route("/admin/accounts/{account}", get(show_one))
        .route("/admin/accounts/{account}/test", post(test))
        .route("/admin/accounts/{account}/rotate", post(rotate))
        .route("/admin/accounts/{account}/pause", post(pause))
        .route("/admin/accounts/{account}/resume", post(resume))
        .route("/admin/accounts/{account}/enable", post(enable))
        .route("/admin/accounts/{account}/disable", post(disable))
        .route("/admin/accounts/{account}/limits", post(limit_account))
        .route("/admin/accounts/{account}/numbers", post(limit_number))
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    shell: Shell,
    accounts: Vec<Account>,
    providers: Vec<&'static str>,
    asked: Vec<Asked>,
    client_limits: String,
    limit_fields: Html,
}

/// A field of what a carrier needs of an account.
struct Field {
    /// As the adapter names it.
    name: &'static str,
    told: &'static str,
    hint: &'static str,
    secret: bool,
}

/// What a form asks for an account with a carrier.
struct Asked {
    carrier: &'static str,
    credentials: Vec<Field>,
    settings: Vec<Field>,
}

impl Asked {
    fn of(provider: Provider) -> Self {
        let shown = |name, told, hint| Field { name, told, hint, secret: false };
        let secret = |name, told, hint| Field { name, told, hint, secret: true };
        let (credentials, settings) = match provider {
            Provider::Exotel => (
                vec![
                    shown("account_sid", "Account SID", ""),
                    shown("api_key", "API key", ""),
                    secret("api_token", "API token", ""),
                ],
                vec![],
            ),
            Provider::Retell => (
                vec![
                    secret("api_key", "API key", ""),
                    secret("webhook_key", "Webhook key", "empty: the API key signs webhooks"),
                ],
                vec![],
            ),
            Provider::Telnyx => (
                vec![secret("api_key", "API key", ""), shown("public_key", "Public key", "signs webhooks")],
                vec![shown("connection_id", "Connection id", "of the Voice API application")],
            ),
            Provider::LiveKit => (
                vec![shown("api_key", "API key", ""), secret("api_secret", "API secret", "")],
                vec![shown("sip_trunk_id", "SIP trunk id", "the outbound trunk")],
            ),
        };
        Self { carrier: provider.name(), credentials, settings }
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.credentials.iter().chain(&self.settings)
    }

    /// What the form gives for some of its fields, laid over what was given as JSON.
    fn given(&self, fields: &[Field], form: &HashMap<String, String>, json: Map<String, Value>) -> Value {
        let mut all = json;
        for Field { name, .. } in fields {
            let text = form.get(&format!("{}_{name}", self.carrier)).map(|text| text.trim());
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                all.insert((*name).to_owned(), text.into());
            }
        }
        Value::Object(all)
    }
}

/// How an account stands, in a word.
fn stands(account: &Account, now: outdial_workflows::Moment) -> &'static str {
    match account {
        account if !account.enabled => "disabled",
        account if account.held_at.is_some() => "held",
        account if account.paused_by.is_some() => "paused",
        account if account.resting_until > Some(now) => "resting",
        _ => "enabled",
    }
}

impl AccountsPage {
    fn stands(&self, account: &Account) -> Html {
        show::badge(stands(account, self.shell.now))
    }
}

async fn list(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let engine = &visit.api.engine;
    let shell = visit.shell(client, "accounts", "Accounts").await?;
    let accounts = setup::accounts(engine, Some(client), Part::newest(200)).await?;
    let providers = Provider::ALL.iter().map(|provider| provider.name()).collect();
    let client_limits = limits::read(engine, client, &Limited::Client).await?;
    let limit_fields = LimitFields::of(&client_limits).html()?;
    let client_limits = show::json(&client_limits);
    let asked = Provider::ALL.iter().copied().map(Asked::of).collect();
    page(&AccountsPage { shell, accounts, providers, asked, client_limits, limit_fields })
}

#[derive(Deserialize)]
struct NewAccount {
    name: String,
    provider: String,
    base_url: String,
    #[serde(default)]
    credentials: String,
    #[serde(default)]
    settings: String,
    /// What the carrier needs, by carrier and name.
    #[serde(flatten)]
    fields: HashMap<String, String>,
}

fn object(place: &str, text: &str) -> Result<Map<String, Value>, Problem> {
    match text.trim() {
        "" => Ok(Map::new()),
        text => {
            serde_json::from_str(text).map_err(|error| wrong(place, format!("it is no JSON object: {error}")))
        }
    }
}

async fn create(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(form): Sent<NewAccount>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    let provider = serde_json::from_value::<Provider>(json!(form.provider));
    let provider = provider.map_err(|_| wrong("provider", "choose one"))?;
    let base_url = match form.base_url.trim() {
        "" => None,
        url => Some(Url::parse(url).map_err(|error| wrong("base_url", error.to_string()))?),
    };
    let asked = Asked::of(provider);
    let credentials =
        asked.given(&asked.credentials, &form.fields, object("credentials", &form.credentials)?).to_string();
    let spec = AccountSpec {
        name: form.name.trim(),
        provider,
        base_url: base_url.as_ref(),
        credentials: credentials.into(),
        settings: asked.given(&asked.settings, &form.fields, object("settings", &form.settings)?),
        limits: vec![],
        without_default_limits: false,
    };
    let made = setup::add_account(&visit.api.engine, client, spec, visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/accounts/{made}"), "The account is there. Test it before it dials."))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    account: Account,
    asked: Asked,
    stands: &'static str,
    limits: String,
    limit_fields: Html,
    no_limits: Html,
    numbers: Vec<Number>,
    webhook: Option<String>,
}

impl AccountPage {
    fn limits_of(&self, number: &Number) -> String {
        match serde_json::from_value::<Vec<Limit>>(number.limits.clone()) {
            Ok(limits) => limits.iter().map(Limit::to_string).collect::<Vec<_>>().join("; "),
            // Of a newer version.
            Err(_) => number.limits.to_string(),
        }
    }
}

async fn show_one(visit: Visit, Named(account): Named<Uuid>) -> Result<Response, Failure> {
    let account = v1::accounts::visible(&visit.api, &visit.caller, account).await?;
    let engine = &visit.api.engine;
    let shell = visit.shell(account.client, "accounts", account.name.clone()).await?;
    let numbers = limits::numbers(engine, account.client, account.id).await?;
    let base = engine.public_url().as_str().trim_end_matches('/').to_owned();
    let webhook = account.webhook_path.as_ref().map(|path| format!("{base}{path}"));
    let (stands, limits) = (stands(&account, visit.signed.now), show::json(&account.limits));
    let asked = Asked::of(account.provider);
    // What a newer version set is not understood, and saving over it is refused: see `before`.
    let known: Vec<Limit> = serde_json::from_value(account.limits.clone()).unwrap_or_default();
    let (limit_fields, no_limits) = (LimitFields::of(&known).html()?, LimitFields::default().html()?);
    page(&AccountPage { shell, account, asked, stands, limits, limit_fields, no_limits, numbers, webhook })
}

/// The account, if the visitor may see it and their role is enough.
async fn may(visit: &Visit, role: Role, account: Uuid) -> Result<(ClientId, AccountId), Failure> {
    visit.caller.is(role)?;
    let account = v1::accounts::visible(&visit.api, &visit.caller, account).await?;
    Ok((account.client, account.id))
}

fn here(account: AccountId) -> String {
    format!("/admin/accounts/{account}")
}

async fn test(visit: Visit, Named(account): Named<Uuid>) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Operator, account).await?;
    let check = setup::check_account(&visit.api.engine, client, account, visit.caller.by()).await?;
    match check.ok {
        true => Ok(Done::at(here(account), format!("The carrier takes it: {}", check.message))),
        false => Err(wrong("account", format!("the carrier does not take it: {}", check.message)).into()),
    }
}

#[derive(Deserialize)]
struct RotateForm {
    #[serde(default)]
    credentials: String,
    #[serde(flatten)]
    fields: HashMap<String, String>,
    #[serde(default)]
    untested: Option<String>,
}

async fn rotate(
    visit: Visit,
    Named(account): Named<Uuid>,
    Sent(form): Sent<RotateForm>,
) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Admin, account).await?;
    let asked = Asked::of(setup::account(&visit.api.engine, account).await?.provider);
    let given = object("credentials", &form.credentials)?;
    let credentials = asked.given(&asked.credentials, &form.fields, given).to_string().into();
    let untested = form.untested.is_some();
    let by = visit.caller.by();
    setup::rotate_credentials(&visit.api.engine, client, account, &credentials, untested, by).await?;
    Ok(Done::at(here(account), "The new credentials are used from now on."))
}

async fn pause(visit: Visit, Named(account): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Operator, account).await?;
    let by = visit.caller.by_for(form.given());
    let paused = pausing::pause(&visit.api.engine, client, Some(account), by, None).await?;
    let text = format!("The account is paused; {} calls go on.", show::n(&paused.underway.len()));
    Ok(Done::at(here(account), text).undone_by(format!("{}/resume", here(account)), &[]))
}

async fn resume(visit: Visit, Named(account): Named<Uuid>) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Operator, account).await?;
    pausing::resume(&visit.api.engine, client, Some(account), visit.caller.by()).await?;
    Ok(Done::at(here(account), "The account goes on."))
}

async fn switch(visit: &Visit, account: Uuid, on: bool) -> Result<Done, Failure> {
    let (client, account) = may(visit, Role::Admin, account).await?;
    setup::enable_account(&visit.api.engine, client, account, on, visit.caller.by()).await?;
    let (text, back) = match on {
        true => ("The account dials again.", "disable"),
        false => ("The account dials no more.", "enable"),
    };
    Ok(Done::at(here(account), text).undone_by(format!("{}/{back}", here(account)), &[]))
}

async fn enable(visit: Visit, Named(account): Named<Uuid>) -> Result<Done, Failure> {
    switch(&visit, account, true).await
}

async fn disable(visit: Visit, Named(account): Named<Uuid>) -> Result<Done, Failure> {
    switch(&visit, account, false).await
}

#[derive(Deserialize)]
struct LimitsForm {
    #[serde(default)]
    number: String,
    /// What they were when the page was read.
    #[serde(default)]
    before: String,
    #[serde(flatten)]
    fields: HashMap<String, String>,
}

async fn replace(visit: &Visit, client: ClientId, whose: &Limited, form: &LimitsForm) -> Result<(), Failure> {
    let after = fields::read(&form.fields)?;
    let before = fields::list("before", &form.before)?;
    let as_read = |limits: &[Limit]| limits == before;
    limits::replace(&visit.api.engine, client, whose, as_read, &after, visit.caller.by()).await?;
    Ok(())
}

async fn limit_client(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(form): Sent<LimitsForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let client = visit.client(client).await?;
    replace(&visit, client, &Limited::Client, &form).await?;
    Ok(Done::at(format!("/admin/clients/{client}/accounts"), "The client's limits hold from now on."))
}

async fn limit_account(
    visit: Visit,
    Named(account): Named<Uuid>,
    Sent(form): Sent<LimitsForm>,
) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Admin, account).await?;
    replace(&visit, client, &Limited::Account(account), &form).await?;
    Ok(Done::at(here(account), "The account's limits hold from now on."))
}

async fn limit_number(
    visit: Visit,
    Named(account): Named<Uuid>,
    Sent(form): Sent<LimitsForm>,
) -> Result<Done, Failure> {
    let (client, account) = may(&visit, Role::Admin, account).await?;
    let number = form.number.trim();
    if number.is_empty() {
        return Err(wrong("number", "give the number").into());
    }
    replace(&visit, client, &Limited::Number(account, CallerId(number.to_owned())), &form).await?;
    Ok(Done::at(here(account), "The number's limits hold from now on."))
}
