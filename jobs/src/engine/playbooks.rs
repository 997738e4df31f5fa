//! Playbooks as conversations and dial requests need them: read once, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use outdial_workflows::ids::ClientId;
use outdial_workflows::playbook::{Playbook, Source, shipped};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::{self, StoreError};

/// So many are kept; they may be half a megabyte each. Beyond it, all are read anew when they are needed.
const KEPT: usize = 128;

/// The version under which the playbook of a name is known that comes with the program.
pub const SHIPPED_VERSION: u32 = 0;

/// Why there is no playbook to go by.
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

/// A version, or why it cannot be gone by.
pub(super) type Readable = Result<Arc<Playbook>, NoPlaybook>;

/// A playbook, and its version.
pub(crate) type Found = Result<(Arc<Playbook>, u32), NoPlaybook>;

/// Versions, which never change once written. Those that come with the program are of the client that nobody is.
#[derive(Default)]
pub(super) struct Playbooks {
    read: Mutex<HashMap<(ClientId, String, u32), Readable>>,
}

impl Playbooks {
    /// A client's playbook: this version of it, or the latest.
    pub(super) async fn get(
        &self,
        conn: &mut PgConnection,
        client: ClientId,
        name: &str,
        version: Option<u32>,
    ) -> Result<Found, StoreError> {
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
        if let Some(kept) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(kept.clone().map(|playbook| (playbook, version)));
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
        let read = source.read().map(Arc::new).map_err(|problems| {
            let problem = problems.to_string().replace('\n', "; ");
            tracing::error!(
                playbook = name,
                version,
                problem,
                "ALERT: a playbook cannot be read; nobody is called by it"
            );
            NoPlaybook::Unreadable { name: named(), version, problem }
        });
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, read.clone());
        Ok(read.map(|playbook| (playbook, version)))
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
