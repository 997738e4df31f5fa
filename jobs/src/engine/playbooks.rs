//! Playbooks and flows as calls need them: read once, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outdial_workflows::ids::ClientId;
use outdial_workflows::ivr::Flow;
use outdial_workflows::playbook::{Guide, Playbook, Problems, Source, shipped};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::{self, StoreError};

/// So many are kept; they may be half a megabyte each. Beyond it, all are read anew when they are needed.
const KEPT: usize = 128;

/// The version under which the playbook of a name is known that comes with the program.
pub const SHIPPED_VERSION: u32 = 0;

/// Why there is no playbook, or no flow, to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlaybook {
    /// None has this name.
    #[error("there is no playbook `{0}`")]
    Named(String),
    /// It has no such version.
    #[error("the playbook `{name}` has no version {version}")]
    Version {
        /// Its name.
        name: String,
        /// Which version.
        version: u32,
    },
    /// It is the one, and the other was wanted.
    #[error("`{name}` is a {}, where a {} is asked for", .is.name(), .wanted.name())]
    Other {
        /// Its name.
        name: String,
        /// What it is.
        is: Guide,
        /// What was wanted.
        wanted: Guide,
    },
    /// This version of the program cannot read it.
    #[error(
        "version {version} of the playbook `{name}` cannot be read by this version of outdial: {problem}"
    )]
    Unreadable {
        /// Its name.
        name: String,
        /// Which version.
        version: u32,
        /// What is wrong with it.
        problem: String,
    },
}

/// What calls go by.
pub(crate) trait Gone: Sized {
    const GUIDE: Guide;

    fn read(source: &Source) -> Result<Self, Problems>;
}

impl Gone for Playbook {
    const GUIDE: Guide = Guide::Playbook;

    fn read(source: &Source) -> Result<Self, Problems> {
        source.read()
    }
}

impl Gone for Flow {
    const GUIDE: Guide = Guide::Flow;

    fn read(source: &Source) -> Result<Self, Problems> {
        source.read_flow()
    }
}

/// A version, or why it cannot be gone by.
pub(super) type Readable<T> = Result<Arc<T>, NoPlaybook>;

/// A playbook or flow, and its version.
pub(crate) type Found<T> = Result<(Arc<T>, u32), NoPlaybook>;

type Kept<T> = HashMap<(ClientId, String, u32), Readable<T>>;

/// Versions, which never change once written. Those that come with the program are of the client that nobody is.
pub(super) struct Guides<T>(Mutex<Kept<T>>);

impl<T> Default for Guides<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Gone> Guides<T> {
    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client's, by its name: this version of it, or the latest.
    pub(super) async fn get(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        name: &str,
        version: Option<u32>,
    ) -> Result<Found<T>, StoreError> {
        let version = match version {
            Some(version) => version,
            None => match store::playbooks::latest(conn, client, name).await? {
                Some(version) => u32::try_from(version).unwrap_or_default(),
                None if shipped(name).is_some() => SHIPPED_VERSION,
                None => return Ok(Err(NoPlaybook::Named(name.to_owned()))),
            },
        };
        let whose = if version == SHIPPED_VERSION { ClientId(Uuid::nil()) } else { client };
        let key = (whose, name.to_owned(), version);
        if let Some(kept) = self.kept().get(&key) {
            return Ok(kept.clone().map(|guide| (guide, version)));
        }
        let named = || name.to_owned();
        let source = match source(conn, client, name, version).await {
            Ok(Some(source)) => source,
            Ok(None) => return Ok(Err(NoPlaybook::Version { name: named(), version })),
            // It spoils the calls that go by it alone.
            Err(StoreError::Unreadable { problem, .. }) => {
                return Ok(Err(NoPlaybook::Unreadable { name: named(), version, problem }));
            }
            Err(error) => return Err(error),
        };
        let read = match source.guide() {
            is if is != T::GUIDE => Err(NoPlaybook::Other { name: named(), is, wanted: T::GUIDE }),
            _ => T::read(&source).map(Arc::new).map_err(|problems| {
                let problem = problems.to_string().replace('\n', "; ");
                tracing::error!(
                    playbook = name,
                    version,
                    problem,
                    "ALERT: a playbook cannot be read; nobody is called by it"
                );
                NoPlaybook::Unreadable { name: named(), version, problem }
            }),
        };
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, read.clone());
        Ok(read.map(|guide| (guide, version)))
    }
}

async fn source(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
    version: u32,
) -> Result<Option<Source>, StoreError> {
    if version == SHIPPED_VERSION {
        return Ok(shipped(name).map(Source::alone));
    }
    let Ok(version) = i32::try_from(version) else { return Ok(None) };
    Ok(store::playbooks::read(conn, client, name, version).await?.map(|(_, source)| source))
}
