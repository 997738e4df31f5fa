//! What people and programs do with Outdial, whatever they speak through: clients,
//! accounts, campaigns, leads.

pub mod analytics;
pub mod attempts;
pub mod audit;
pub mod bulk;
pub(crate) mod called;
pub mod calls;
pub mod campaigns;
pub mod consents;
pub mod conversations;
pub mod correcting;
pub mod editing;
pub mod erasing;
pub mod exports;
pub mod filters;
pub mod flows;
pub mod following;
pub mod forecast;
pub mod hanging_up;
pub mod idempotency;
pub mod imports;
pub mod jobs;
pub mod judging;
pub mod keys;
pub mod kinds;
pub mod lead_lists;
pub mod leads;
pub mod limits;
pub mod listening;
pub mod overview;
pub mod pausing;
pub mod playbooks;
pub mod recurring;
pub mod reports;
pub mod retention;
pub mod revisions;
pub mod setup;
pub mod sheets;
pub mod status;
pub mod subscribers;
pub mod suppressions;
pub mod transferring;

use outdial_workflows::playbook::Problems;
use outdial_workflows::transfer::CannotTransfer;

pub use crate::store::audit::By;
pub use crate::store::paging::{Direction, Part};

use crate::engine::{AccountError, EngineError};
use crate::store::StoreError;

/// Something that was asked for and cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// It does not exist.
    #[error("there is no {kind} `{given}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which name or id.
        given: String,
    },
    /// Several fit.
    #[error("`{given}` names more than one {kind}; give its id")]
    Ambiguous {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        given: String,
    },
    /// There is one already.
    #[error("there is a {kind} `{given}` already")]
    Exists {
        /// What was to be made.
        kind: &'static str,
        /// Its name.
        given: String,
    },
    /// It is not possible as things stand.
    #[error("{0}")]
    NotPossible(String),
    /// The call cannot be transferred as things stand.
    #[error(transparent)]
    CannotTransfer(#[from] CannotTransfer),
    /// The carrier has no way to do it.
    #[error("{0}")]
    NoWay(&'static str),
    /// Somebody changed it since it was read.
    #[error("{0}")]
    EditedMeanwhile(String),
    /// The input is wrong.
    #[error("{place}: {problem}")]
    Invalid {
        /// Which part of it.
        place: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The playbook is wrong.
    #[error(transparent)]
    Playbook(#[from] Problems),
    /// The account cannot be used.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The engine did not take it in.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OperationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Exactly one, or the reason why not.
fn the_one<T>(kind: &'static str, given: &str, mut found: Vec<T>) -> Result<T, OperationError> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(OperationError::Ambiguous { kind, given: given.to_owned() }),
        (None, _) => Err(OperationError::NotFound { kind, given: given.to_owned() }),
    }
}

/// The longest name, in bytes: an index takes no more than 2,700.
const MOST_NAME: usize = 1_000;

/// A name that can be looked up, without the spaces around it.
fn name_of<'a>(kind: &str, given: &'a str) -> Result<&'a str, OperationError> {
    let name = given.trim();
    if name.len() <= MOST_NAME {
        return Ok(name);
    }
    let problem = format!("it has {} bytes; a name may have {MOST_NAME}", name.len());
    Err(OperationError::Invalid { place: format!("{kind} name"), problem })
}

/// A broken constraint, as the person who broke it understands it.
fn named(kind: &'static str, given: &str, error: StoreError) -> OperationError {
    let given = given.to_owned();
    match error.constraint() {
        Some(constraint) if constraint.ends_with("name_is_unique") => OperationError::Exists { kind, given },
        Some(constraint) if constraint.ends_with("name_is_not_empty") => {
            OperationError::Invalid { place: format!("{kind} name"), problem: "a name is needed".into() }
        }
        Some(_) | None => OperationError::Store(error),
    }
}
