//! Clients and accounts, and the key that belongs to a database.

use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{By, OperationError, Part, named, the_one};
use crate::engine::Engine;
use crate::providers::exotel::{Credentials, Exotel, Settings};
use crate::providers::{AccountCheck, Carrier, Provider};
use crate::store;
use crate::store::audit::Entry;

/// Claims the database for this process's key, or refuses: another key could not open what is stored.
///
/// # Errors
/// If the database belongs to another key.
pub async fn check_key(engine: &Engine) -> Result<(), OperationError> {
    let ours = engine.key().fingerprint();
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let theirs = store::installation::key_fingerprint(&mut conn, &ours, now).await?;
    if ours == theirs {
        return Ok(());
    }
    Err(OperationError::NotPossible(format!(
        "this database was set up with the encryption key {theirs}, and this process has {ours}; \
         start it with the first key (OUTDIAL_ENCRYPTION_KEY), or the stored credentials cannot be opened"
    )))
}

/// Makes a client.
///
/// # Errors
/// If the name is taken or empty.
pub async fn create_client(engine: &Engine, name: &str) -> Result<ClientId, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let client = ClientId::new(now);
    let made = store::clients::insert(&mut conn, client, name.trim(), now).await;
    made.map_err(|error| named("client", name, error))?;
    Ok(client)
}

/// The clients that somebody may see, all or but one, who have a name. There is one, or none.
///
/// # Errors
/// The database.
pub async fn clients_named(
    engine: &Engine,
    scope: Option<ClientId>,
    name: &str,
) -> Result<Vec<store::clients::Client>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::clients::named(&mut conn, name).await?;
    match found.filter(|found| scope.is_none_or(|only| only == *found)) {
        Some(found) => Ok(store::clients::page(&mut conn, Some(found), Part::newest(1)).await?),
        None => Ok(vec![]),
    }
}

/// Clients: only one, or all.
///
/// # Errors
/// The database.
pub async fn clients(
    engine: &Engine,
    only: Option<ClientId>,
    part: Part,
) -> Result<Vec<store::clients::Client>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::clients::page(&mut conn, only, part).await?)
}

/// The client with this id.
///
/// # Errors
/// If there is none.
pub async fn client(engine: &Engine, client: ClientId) -> Result<store::clients::Client, OperationError> {
    let found = clients(engine, Some(client), Part::newest(1)).await?;
    the_one("client", &client.to_string(), found)
}

/// The client with this id or name.
///
/// # Errors
/// If there is none.
pub async fn find_client(engine: &Engine, given: &str) -> Result<ClientId, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::clients::find(&mut conn, given).await?;
    the_one("client", given, found.into_iter().collect())
}

/// Accounts: of one client, or all.
///
/// # Errors
/// The database.
pub async fn accounts(
    engine: &Engine,
    client: Option<ClientId>,
    part: Part,
) -> Result<Vec<store::accounts::Account>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::accounts::page(&mut conn, client, None, part).await?)
}

/// The accounts of a client that have a name. There is one, or none.
///
/// # Errors
/// The database.
pub async fn accounts_named(
    engine: &Engine,
    client: ClientId,
    name: &str,
) -> Result<Vec<store::accounts::Account>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    match store::accounts::named(&mut conn, client, name).await? {
        Some(found) => {
            Ok(store::accounts::page(&mut conn, Some(client), Some(found), Part::newest(1)).await?)
        }
        None => Ok(vec![]),
    }
}

/// The account with this id.
///
/// # Errors
/// If there is none.
pub async fn account(
    engine: &Engine,
    account: AccountId,
) -> Result<store::accounts::Account, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::accounts::page(&mut conn, None, Some(account), Part::newest(1)).await?;
    the_one("account", &account.to_string(), found)
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct AccountSpec<'a> {
    /// Its name, unique within the client.
    pub name: &'a str,
    /// Where the carrier is reached.
    pub base_url: &'a Url,
    /// What the carrier knows the account by.
    pub credentials: Credentials,
    /// What the adapter needs besides.
    pub settings: Settings,
    /// The account's own limits, beside those that the carrier sets on every account.
    pub limits: Vec<Limit>,
    /// Leaves out the carrier's usual limits: for an emulated account, or one whose contract differs.
    pub without_default_limits: bool,
}

/// As [`add_account`], on nobody's order.
///
/// # Errors
/// As [`add_account`].
pub async fn create_account(
    engine: &Engine,
    client: ClientId,
    spec: AccountSpec<'_>,
) -> Result<AccountId, OperationError> {
    add_account(engine, client, spec, By { actor: "outdial", reason: None }).await
}

/// Makes an account with Exotel. Nothing is dialled, and the carrier is not asked; see [`check_account`].
///
/// # Errors
/// If the name is taken, or an address or a limit is not usable.
pub async fn add_account(
    engine: &Engine,
    client: ClientId,
    spec: AccountSpec<'_>,
    by: By<'_>,
) -> Result<AccountId, OperationError> {
    let emulated = is_loopback(spec.base_url);
    for address in std::iter::once(spec.base_url).chain(&spec.settings.ccm_base_url) {
        if address.scheme() != "https" && !(emulated && is_loopback(address)) {
            let problem = format!("`{address}` is not encrypted; give an https:// address");
            return Err(OperationError::Invalid { place: "address".into(), problem });
        }
    }
    if spec.settings.absent_after_ms.is_some() && !emulated {
        let problem = "absent_after_ms is for emulated carriers: a real call could still be under way".into();
        return Err(OperationError::Invalid { place: "settings".into(), problem });
    }
    let mut limits = match spec.without_default_limits {
        true => vec![],
        false => Exotel::default_limits(),
    };
    limits.extend(spec.limits);
    for limit in &limits {
        let checked = limit.check();
        checked.map_err(|problem| OperationError::Invalid { place: "limit".into(), problem })?;
    }
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let account = AccountId::new(now);
    let (credentials, settings) = (spec.credentials.clone(), spec.settings.clone());
    // What the adapter would refuse at the first call is refused here.
    let opened = Exotel::new(engine.carriers().http(), spec.base_url.clone(), credentials, settings);
    let invalid = |problem: String| OperationError::Invalid { place: "account".into(), problem };
    opened.map_err(|error| invalid(error.to_string()))?;
    let credentials = engine.key().seal(client, account, &sealable(&spec.credentials));
    let json = |value: Result<Value, serde_json::Error>| value.unwrap_or_default();
    let new = store::accounts::NewAccount {
        id: account,
        name: spec.name.trim(),
        provider: Provider::Exotel,
        base_url: spec.base_url.as_str().trim_end_matches('/'),
        emulated,
        credentials: &credentials,
        settings: &json(serde_json::to_value(&spec.settings)),
        limits: &json(serde_json::to_value(&limits)),
    };
    let made = store::accounts::insert(&mut tx, client, &new, now).await;
    made.map_err(|error| named("account", spec.name, error))?;
    let details = json!({ "name": new.name, "base_url": new.base_url });
    let By { actor, reason } = by;
    let (action, subject, id) = ("create", "account", account.0);
    let entry = Entry { actor, action, subject, id, reason, details: &details };
    store::audit::note(&mut tx, client, entry, now).await?;
    tx.commit().await?;
    Ok(account)
}

/// The one place where credentials are written out: on their way into the seal.
fn sealable(credentials: &Credentials) -> Vec<u8> {
    let plain = serde_json::json!({
        "account_sid": credentials.account_sid,
        "api_key": credentials.api_key,
        "api_token": credentials.api_token.expose_secret(),
    });
    plain.to_string().into_bytes()
}

/// Whether a carrier's address is on this machine: an emulator, which rings nobody.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The account with this id or name.
///
/// # Errors
/// If there is none, or more than one.
pub async fn find_account(engine: &Engine, given: &str) -> Result<(ClientId, AccountId), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::accounts::find(&mut conn, given).await?;
    the_one("account", given, found)
}

/// Asks the carrier whether it takes the account's credentials. Rings nobody.
///
/// # Errors
/// If the account does not exist or cannot be opened.
pub async fn check_account(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
) -> Result<AccountCheck, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let stored = store::accounts::read(&mut conn, client, account).await?;
    drop(conn);
    let not_found = || OperationError::NotFound { kind: "account", given: account.to_string() };
    let carrier = engine.carriers().open(client, &stored.ok_or_else(not_found)?)?;
    Ok(carrier.check().await)
}
