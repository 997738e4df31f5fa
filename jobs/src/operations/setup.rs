//! Clients and accounts, and the key that belongs to a database.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{By, OperationError, Part, name_of, named, pausing, the_one};
use crate::engine::Engine;
use crate::engine::wake::Signal;
pub use crate::providers::is_loopback;
use crate::providers::{AccountCheck, CannotOpen, Provider, Registered, SharedCarrier};
use crate::store::accounts::StoredAccount;
use crate::store::audit::Entry;
use crate::store::{self, StoreError};

/// Why clients are paused by themselves.
const MOVED: &str = "the database is another than it was: it was restored, or a replica took over. Ask the carriers \
                     what was dialled since, then resume (dashboards/recovery.md)";

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

/// Pauses every client if this database is not where it was last used: it was restored from a copy, or a replica took over.
/// Calls that were begun since may be missing from it, and whoever was called then would be called again. They are
/// resumed by people, once their carriers' lists have been looked at (`dashboards/recovery.md`).
///
/// # Errors
/// If the database cannot be asked.
pub async fn check_place(engine: &Engine) -> Result<(), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let here = store::installation::place(&mut conn).await.map_err(StoreError::from)?;
    let last = store::installation::last_place(&mut conn).await?;
    if last.as_ref() == Some(&here) {
        return Ok(());
    }
    let clients = store::clients::list(&mut conn).await?;
    drop(conn);
    if last.is_some() {
        for (client, name) in clients {
            let by = By { actor: "outdial", reason: Some(MOVED) };
            pausing::pause(engine, client, None, by, None).await?;
            tracing::error!(client = name, "ALERT: the client is paused: {MOVED}");
        }
    }
    // Only now: whoever dies before begins anew.
    let mut conn = engine.pool().acquire().await?;
    store::installation::set_place(&mut conn, &here).await?;
    Ok(())
}

/// Makes a client.
///
/// # Errors
/// If the name is taken or empty.
pub async fn create_client(engine: &Engine, name: &str) -> Result<ClientId, OperationError> {
    let trimmed = name_of("client", name)?;
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let client = ClientId::new(now);
    let made = store::clients::insert(&mut conn, client, trimmed, now).await;
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
    /// The carrier.
    pub provider: Provider,
    /// Where the carrier is reached; `None` for where all its customers reach it.
    pub base_url: Option<&'a Url>,
    /// What the carrier knows the account by: a JSON object with the fields of its adapter's credentials.
    pub credentials: SecretString,
    /// What the adapter needs besides.
    pub settings: Value,
    /// The account's own limits, beside those that the carrier sets on every account.
    pub limits: Vec<Limit>,
    /// Leaves out the carrier's usual limits: for an emulated account, or one whose contract differs.
    pub without_default_limits: bool,
}

impl<'a> AccountSpec<'a> {
    /// An account with the carrier of adapter `R`, without limits of its own.
    pub fn with<R: Registered>(
        name: &'a str,
        base_url: &'a Url,
        credentials: &R::Credentials,
        settings: &R::Settings,
    ) -> Self {
        Self {
            name,
            provider: R::PROVIDER,
            base_url: Some(base_url),
            credentials: R::plain(credentials).to_string().into(),
            settings: serde_json::to_value(settings).unwrap_or_default(),
            limits: vec![],
            without_default_limits: false,
        }
    }
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

/// Makes an account. Nothing is dialled, and the carrier is not asked; see [`check_account`].
///
/// # Errors
/// If the name is taken, or an address or a limit is not usable.
pub async fn add_account(
    engine: &Engine,
    client: ClientId,
    spec: AccountSpec<'_>,
    by: By<'_>,
) -> Result<AccountId, OperationError> {
    let carrier = spec.provider.registered();
    let base_url = base_url(&spec)?;
    let mut limits = if spec.without_default_limits { vec![] } else { (carrier.default_limits)() };
    limits.extend(spec.limits);
    for limit in &limits {
        let checked = limit.check();
        checked.map_err(|problem| OperationError::Invalid { place: "limit".into(), problem })?;
    }
    let mut tx = engine.pool().begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let account = AccountId::new(now);
    // What the adapter would refuse at the first call is refused here.
    let plain = spec.credentials.expose_secret().as_bytes();
    (carrier.open)(engine.carriers().http(), base_url.clone(), plain, &spec.settings).map_err(invalid)?;
    let credentials = engine.key().seal(client, account, plain);
    let new = store::accounts::NewAccount {
        id: account,
        name: name_of("account", spec.name)?,
        provider: spec.provider,
        base_url: base_url.as_str().trim_end_matches('/'),
        emulated: is_loopback(&base_url),
        credentials: &credentials,
        settings: &spec.settings,
        limits: &serde_json::to_value(&limits).unwrap_or_default(),
    };
    let made = store::accounts::insert(&mut tx, client, &new, now).await;
    made.map_err(|error| named("account", spec.name, error))?;
    let details = json!({ "name": new.name, "provider": spec.provider, "base_url": new.base_url });
    let By { actor, reason } = by;
    let (action, subject, id) = ("create", "account", account.0);
    let entry = Entry { actor, action, subject, id, reason, details: &details };
    store::audit::note(&mut tx, client, entry, now).await?;
    tx.commit().await?;
    Ok(account)
}

fn base_url(spec: &AccountSpec<'_>) -> Result<Url, OperationError> {
    let usual = || spec.provider.registered().base_url.and_then(|usual| Url::parse(usual).ok());
    spec.base_url.cloned().or_else(usual).ok_or_else(|| {
        let title = spec.provider.title();
        let problem = format!("each customer of {title} has an address of their own; say yours");
        OperationError::Invalid { place: "base_url".into(), problem }
    })
}

fn invalid(problem: CannotOpen) -> OperationError {
    OperationError::Invalid { place: problem.place.into(), problem: problem.problem }
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

/// Asks the carrier whether it takes the account's credentials. Rings nobody. If it does, an account that was
/// held because it did not is let go.
///
/// # Errors
/// If the account does not exist or cannot be opened.
pub async fn check_account(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    by: By<'_>,
) -> Result<AccountCheck, OperationError> {
    let stored = stored(engine, client, account).await?;
    let check = engine.carriers().open(client, &stored)?.check().await;
    if check.ok {
        let released = engine.allow(async |conn, now| {
            let released = store::accounts::release(conn, client, account).await?;
            if released {
                note(conn, (client, account), "release", by, &json!({ "message": check.message }), now)
                    .await?;
                store::notify(conn, &FREED.payload(client)).await?;
            }
            Ok(released)
        });
        if released.await? {
            engine.hub().signal(client, FREED);
        }
    }
    Ok(check)
}

/// Replaces an account's credentials. Calls under way go on; what is dialled from now on, and webhooks that come
/// in, go by the new ones. Unless `untested`, the carrier is asked first, and refused ones change nothing.
///
/// # Errors
/// If they are not credentials of the account's carrier, or the carrier does not take them.
pub async fn rotate_credentials(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    credentials: &SecretString,
    untested: bool,
    by: By<'_>,
) -> Result<Option<AccountCheck>, OperationError> {
    let before = stored(engine, client, account).await?;
    let plain = credentials.expose_secret().as_bytes();
    let carrier =
        opened(engine, &before, plain, &before.settings).map_err(|error| blame("credentials", error))?;
    let check = if untested { None } else { Some(carrier.check().await) };
    if let Some(check) = check.as_ref().filter(|check| !check.ok) {
        let problem = format!("the carrier does not take them, so nothing was changed: {}", check.message);
        return Err(OperationError::Invalid { place: "credentials".into(), problem });
    }
    let sealed = engine.key().seal(client, account, plain);
    engine
        .allow(async |conn, now| {
            store::accounts::set_credentials(conn, client, account, &sealed).await?;
            store::accounts::release(conn, client, account).await?;
            note(conn, (client, account), "rotate", by, &json!({}), now).await?;
            store::notify(conn, &FREED.payload(client)).await
        })
        .await?;
    engine.hub().signal(client, FREED);
    Ok(check)
}

/// Replaces what an account's adapter needs besides credentials.
///
/// # Errors
/// If they are not settings of the account's carrier, or cannot work.
pub async fn change_settings(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    settings: &Value,
    by: By<'_>,
) -> Result<(), OperationError> {
    let before = stored(engine, client, account).await?;
    let plain = engine.carriers().plain(client, &before)?;
    opened(engine, &before, &plain, settings).map_err(|error| blame("settings", error))?;
    engine
        .allow(async |conn, now| {
            store::accounts::set_settings(conn, client, account, settings).await?;
            note(conn, (client, account), "change_settings", by, settings, now).await
        })
        .await?;
    Ok(())
}

/// Lets an account dial, or not: one that is disabled dials nobody, whatever else is resumed. Calls under way go
/// on. Tells whether that is a change.
///
/// # Errors
/// If the account does not exist.
pub async fn enable_account(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    enabled: bool,
    by: By<'_>,
) -> Result<bool, OperationError> {
    let action = if enabled { "enable" } else { "disable" };
    let change = async |conn: &mut sqlx::PgConnection, now: Moment| {
        let changed = store::accounts::enable(conn, client, account, enabled).await?;
        if changed == Some(true) {
            note(conn, (client, account), action, by, &json!({}), now).await?;
            store::notify(conn, &FREED.payload(client)).await?;
        }
        Ok(changed)
    };
    let changed = if enabled { engine.allow(change).await? } else { engine.forbid(client, change).await? };
    engine.hub().signal(client, FREED);
    changed.ok_or_else(|| OperationError::NotFound { kind: "account", given: account.to_string() })
}

const FREED: Signal = Signal { jobs: false, admission: true };

async fn stored(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
) -> Result<StoredAccount, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let stored = store::accounts::read(&mut conn, client, account).await?;
    stored.ok_or_else(|| OperationError::NotFound { kind: "account", given: account.to_string() })
}

/// What is wrong with an account of which only one part is new is wrong with that part.
fn blame(part: &str, error: OperationError) -> OperationError {
    match error {
        OperationError::Invalid { place, problem } if place == "account" => {
            OperationError::Invalid { place: part.into(), problem }
        }
        other => other,
    }
}

/// The account as it would be with these.
fn opened(
    engine: &Engine,
    stored: &StoredAccount,
    plain: &[u8],
    settings: &Value,
) -> Result<SharedCarrier, OperationError> {
    let base_url = Url::parse(&stored.base_url)
        .map_err(|error| OperationError::Invalid { place: "base_url".into(), problem: error.to_string() })?;
    let open = stored.provider.registered().open;
    open(engine.carriers().http(), base_url, plain, settings).map_err(invalid)
}

async fn note(
    conn: &mut sqlx::PgConnection,
    (client, account): (ClientId, AccountId),
    action: &str,
    by: By<'_>,
    details: &Value,
    now: Moment,
) -> Result<(), StoreError> {
    let By { actor, reason } = by;
    let entry = Entry { actor, action, subject: "account", id: account.0, reason, details };
    store::audit::note(conn, client, entry, now).await
}
