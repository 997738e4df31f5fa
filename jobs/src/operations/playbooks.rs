//! Playbooks and flows: added, looked at, and read for whoever holds a conversation.
//!
//! A version is added and never changed or deleted, so that it can be said of each call what it went by. The
//! playbooks that come with the program are every client's, as version 0; one that a client adds under the same name
//! comes before it.

use std::sync::Arc;

use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::playbook::{Guide, Playbook, SHIPPED, Source, is_name, name_from, no_name, shipped};
use outdial_workflows::rules::{Agent, Rules};
use serde_json::json;
use sqlx::PgConnection;

use super::{By, OperationError};
use crate::engine::Engine;
pub use crate::engine::playbooks::{NoPlaybook, SHIPPED_VERSION};
use crate::store::audit::Entry;
use crate::store::playbooks::Version;
use crate::store::{self, StoreError};

/// So many are looked through for names to tell.
const NAMES_READ: i64 = 500;
/// So many names are told to whoever gives one that is not there.
const NAMES_TOLD: usize = 20;

/// A version of a playbook, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The playbook's name.
    pub name: String,
    /// Which; counts from 1. [`SHIPPED_VERSION`] is the one that comes with the program.
    pub version: u32,
    /// What it is.
    pub guide: Guide,
    /// When it was added, and by whom; `None` for one that comes with the program.
    pub added: Option<(Moment, String)>,
}

impl Listed {
    fn shipped(name: &str) -> Self {
        let guide = shipped(name).map_or(Guide::Playbook, |text| Source::alone(text).guide());
        Self { name: name.to_owned(), version: SHIPPED_VERSION, guide, added: None }
    }
}

impl From<Version> for Listed {
    fn from(version: Version) -> Self {
        let Version { name, version, is_flow, created_at, created_by } = version;
        Self {
            name,
            version: u32::try_from(version).unwrap_or_default(),
            guide: if is_flow { Guide::Flow } else { Guide::Playbook },
            added: Some((created_at, created_by)),
        }
    }
}

/// What came of adding one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The latest version.
    pub version: Listed,
    /// Whether it was made now; else the latest one said the same already.
    pub is_new: bool,
}

/// Adds a version of a playbook, or the first one under a new name; `name` is made from the playbook's own if it is
/// left out. What says the same as the latest version makes no other.
///
/// # Errors
/// All that is wrong with it, or that the name is none.
pub async fn add(
    engine: &Engine,
    client: ClientId,
    name: Option<&str>,
    source: &Source,
    by: By<'_>,
) -> Result<Added, OperationError> {
    let invalid = |problem| OperationError::Invalid { place: "name".into(), problem };
    if let Some(wrong) = name.filter(|name| !is_name(name)) {
        return Err(invalid(no_name(wrong)));
    }
    let title = source.check()?;
    let none = || invalid(format!("give one: none can be made of `{title}`"));
    let name = name.map(str::to_owned).or_else(|| name_from(&title)).ok_or_else(none)?;
    let guide = source.guide();
    let mut tx = engine.pool().begin().await?;
    if !store::clients::exists(&mut tx, client).await? {
        return Err(OperationError::NotFound { kind: "client", given: client.to_string() });
    }
    let now = engine.now_in(&mut tx).await?;
    loop {
        let latest = store::playbooks::latest(&mut tx, client, &name).await?;
        if let Some(latest) = latest
            && let Some((version, before)) = store::playbooks::read(&mut tx, client, &name, latest).await?
            && before == *source
        {
            return Ok(Added { version: version.into(), is_new: false });
        }
        // Campaigns that name no version would from now on go by what they cannot go by.
        if let Some(before) = kept(&mut tx, client, &name, latest).await?
            && before != guide
        {
            let problem = format!("`{name}` is a {}; give the {} another name", before.name(), guide.name());
            return Err(invalid(problem));
        }
        let (version, created_by) = (latest.unwrap_or_default() + 1, by.actor.to_owned());
        let is_flow = guide == Guide::Flow;
        let new = Version { name: name.clone(), version, is_flow, created_at: now, created_by };
        // Somebody else may add the same number meanwhile: theirs is looked at first, then.
        if store::playbooks::insert(&mut tx, client, &new, source).await? {
            let details = json!({ guide.name(): name, "version": version });
            let (action, subject, id) = ("add", "playbook", client.0);
            let entry = Entry { actor: by.actor, action, subject, id, reason: by.reason, details: &details };
            store::audit::note(&mut tx, client, entry, now).await?;
            tx.commit().await?;
            return Ok(Added { version: new.into(), is_new: true });
        }
    }
}

/// What is kept under a name, or comes with the program under it; `None`: nothing.
async fn kept(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
    latest: Option<i32>,
) -> Result<Option<Guide>, StoreError> {
    let Some(latest) = latest else { return Ok(shipped(name).map(|text| Source::alone(text).guide())) };
    let found = store::playbooks::read(conn, client, name, latest).await?;
    Ok(found.map(|(version, _)| Listed::from(version).guide))
}

/// A playbook with what it says: this version of it, or the latest.
///
/// # Errors
/// If there is none of this name, or no such version.
pub async fn show(
    engine: &Engine,
    client: ClientId,
    name: &str,
    version: Option<u32>,
) -> Result<(Listed, Source), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let latest = store::playbooks::latest(&mut conn, client, name).await?;
    let wanted = match version {
        Some(SHIPPED_VERSION) => None,
        Some(version) => i32::try_from(version).ok(),
        None => latest,
    };
    let stored = match wanted {
        Some(wanted) => store::playbooks::read(&mut conn, client, name, wanted).await?,
        None => None,
    };
    if let Some((version, source)) = stored {
        return Ok((version.into(), source));
    }
    match shipped(name) {
        Some(text) if version.unwrap_or(SHIPPED_VERSION) == SHIPPED_VERSION => {
            Ok((Listed::shipped(name), Source::alone(text)))
        }
        known => Err(match (latest.is_some() || known.is_some(), version) {
            (true, Some(version)) => OperationError::NotFound {
                kind: "version of the playbook",
                given: format!("{name} {version}"),
            },
            _ => OperationError::NotFound { kind: "playbook", given: name.to_owned() },
        }),
    }
}

/// A client's playbooks by name, from the one after `after` on: the latest version of each, and those that come with
/// the program.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(listed(&mut conn, client, after.unwrap_or_default(), limit).await?)
}

async fn listed(
    conn: &mut PgConnection,
    client: ClientId,
    after: &str,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let stored = store::playbooks::page(conn, client, after, limit).await?;
    let mut found: Vec<Listed> = stored.into_iter().map(Listed::from).collect();
    let ours = SHIPPED.iter().map(|(name, _)| *name).filter(|name| *name > after);
    let ours: Vec<_> = ours.filter(|name| found.iter().all(|theirs| theirs.name != *name)).collect();
    found.extend(ours.into_iter().map(Listed::shipped));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// The versions of a playbook, the newest first, from the one before `before` on.
///
/// # Errors
/// If there is none of this name.
pub async fn versions(
    engine: &Engine,
    client: ClientId,
    name: &str,
    before: Option<u32>,
    limit: i64,
) -> Result<Vec<Listed>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let is_shipped = shipped(name).is_some();
    if !is_shipped && store::playbooks::latest(&mut conn, client, name).await?.is_none() {
        return Err(OperationError::NotFound { kind: "playbook", given: name.to_owned() });
    }
    let bound = before.and_then(|before| i32::try_from(before).ok()).unwrap_or(i32::MAX);
    let stored = store::playbooks::versions(&mut conn, client, name, bound, limit).await?;
    let mut found: Vec<Listed> = stored.into_iter().map(Listed::from).collect();
    if is_shipped
        && before != Some(SHIPPED_VERSION)
        && i64::try_from(found.len()).is_ok_and(|len| len < limit)
    {
        found.push(Listed::shipped(name));
    }
    Ok(found)
}

/// What a conversation goes by that campaigns name so, and which version that is: this one, or the latest as it is
/// asked. Kept in this process once it was read.
///
/// # Errors
/// If there is none of this name, no such version, or this version of the program cannot read it.
pub async fn of(
    engine: &Engine,
    client: ClientId,
    name: &str,
    version: Option<u32>,
) -> Result<(Arc<Playbook>, u32), OperationError> {
    let found = engine.playbook(client, name, version).await?;
    found.map_err(|none| match none {
        NoPlaybook::Named(given) => OperationError::NotFound { kind: "playbook", given },
        NoPlaybook::Version { name, version } => {
            OperationError::NotFound { kind: "version of the playbook", given: format!("{name} {version}") }
        }
        NoPlaybook::Other { .. } | NoPlaybook::Unreadable { .. } => {
            OperationError::NotPossible(none.to_string())
        }
    })
}

/// Why calls cannot go by the playbook or the flow that an agent names; nothing if they can.
pub(super) async fn missing(
    engine: &Engine,
    client: ClientId,
    agent: &Agent,
) -> Result<Vec<String>, OperationError> {
    let mut missing = vec![];
    if let Some((name, version)) = agent.playbook() {
        missing.extend(engine.playbook(client, name, version).await?.err());
    }
    if let Some((name, version)) = agent.flow() {
        let mut conn = engine.pool().acquire().await?;
        missing.extend(engine.flow(&mut conn, client, name, version).await?.err());
    }
    Ok(missing.into_iter().map(|none| none.to_string()).collect())
}

/// Whether the playbook and the flow that rules name are there, in the versions that they name, and whether the flow's
/// steps in which our agent talks go by that playbook.
///
/// # Errors
/// If not, with what there is.
pub(super) async fn check_named(
    engine: &Engine,
    client: ClientId,
    rules: &Rules,
) -> Result<(), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    if let Some(named) = rules.agent.playbook() {
        check_one(&mut conn, client, named, Guide::Playbook).await?;
    }
    let Some(named) = rules.agent.flow() else { return Ok(()) };
    check_one(&mut conn, client, named, Guide::Flow).await?;
    // What cannot be read is told before a call, and nobody is called by it.
    let Ok((flow, _)) = engine.flow(&mut conn, client, named.0, named.1).await? else { return Ok(()) };
    let playbook = rules.agent.playbook().map(|(name, _)| name);
    match flow.playbooks().find(|talks_by| playbook != Some(talks_by)) {
        None => Ok(()),
        Some(talks_by) => Err(OperationError::Invalid {
            place: "agent.playbook".into(),
            problem: format!(
                "in a step of the flow our agent talks by the playbook `{talks_by}`; name it here, so that seats are kept for such calls"
            ),
        }),
    }
}

async fn check_one(
    conn: &mut PgConnection,
    client: ClientId,
    (name, version): (&str, Option<u32>),
    guide: Guide,
) -> Result<(), OperationError> {
    let latest = store::playbooks::latest(conn, client, name).await?;
    let oldest = if shipped(name).is_some() { SHIPPED_VERSION } else { 1 };
    let invalid = |place: String, problem| Err(OperationError::Invalid { place, problem });
    let (place, is) = (format!("agent.{}", guide.name()), kept(conn, client, name, latest).await?);
    let Some(is) = is else {
        let there = listed(conn, client, "", NAMES_READ).await?.into_iter().filter(|it| it.guide == guide);
        let there: Vec<String> = there.map(|it| it.name).take(NAMES_TOLD + 1).collect();
        let more = if there.len() > NAMES_TOLD { " and more" } else { "" };
        let names = there.iter().take(NAMES_TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
        let there_are =
            if names.is_empty() { "there is none yet".into() } else { format!("there are {names}{more}") };
        return invalid(place, format!("there is no {} `{name}`; {there_are}", guide.name()));
    };
    if is != guide {
        return invalid(place, format!("`{name}` is a {}, not a {}", is.name(), guide.name()));
    }
    let latest = latest.map_or(SHIPPED_VERSION, |latest| u32::try_from(latest).unwrap_or_default());
    match version {
        Some(version) if !(oldest..=latest).contains(&version) => {
            let has = match oldest == latest {
                true => format!("the only one is {oldest}"),
                false => format!("it has {oldest} to {latest}"),
            };
            let problem = format!("the {} `{name}` has no version {version}; {has}", guide.name());
            invalid("agent.version".into(), problem)
        }
        Some(_) | None => Ok(()),
    }
}
