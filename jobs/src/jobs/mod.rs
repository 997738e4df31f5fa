//! One file per kind of job.
//!
//! To add a kind: write its file, add its line to [`registry`], and test it.

pub mod analyse;
pub mod await_status;
pub mod bulk;
pub mod consented;
pub mod converse;
pub mod deliver;
pub mod dial;
pub mod end_campaign;
pub mod hang_up;
pub mod import;
pub mod refresh_sheet;
pub mod registry;
pub mod transfer;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::engine::{AccountError, Engine, EngineError};
use crate::operations::OperationError;
use crate::store::StoreError;
use crate::store::queue::Lease;

/// What every job is given.
#[derive(Clone)]
pub struct Ctx {
    /// The engine.
    pub engine: Engine,
    /// The right to this run of the job: results are fenced by it.
    pub lease: Lease,
}

/// A step that touches the outside.
///
/// Running one twice is normal, and so is dying in the middle. Once its input is
/// committed, which also removes the job, it returns `Ok`, whatever the result was.
#[async_trait]
pub trait Job: DeserializeOwned + Send {
    /// Stored in every queued row: rename by adding a kind, then draining the old one.
    const KIND: &'static str;
    /// How many of this kind one process runs at once.
    const SLOTS: usize;
    /// After this many tries it is put into quarantine.
    const TRIES: i16;

    /// Does the work.
    ///
    /// # Errors
    /// Only if what came of it could not be recorded: the job is then run again.
    async fn run(self, ctx: &Ctx) -> Result<(), JobError>;
}

/// A job that could not record what came of it.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The engine did not take it in.
    #[error("the engine did not take the result in")]
    Engine(#[from] EngineError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account cannot be used.
    #[error("the account cannot be used")]
    Account(#[from] AccountError),
    /// Its arguments are not this kind's.
    #[error("the job's arguments cannot be read: {0}")]
    Arguments(#[from] serde_json::Error),
    /// It is to run again after a pause, without harm.
    #[error("to be run again in {} ms", .0.as_millis())]
    Later(std::time::Duration),
    /// Its code failed.
    #[error("the job panicked: {0}")]
    Panicked(String),
}

impl From<OperationError> for JobError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Store(error) => error.into(),
            OperationError::Engine(error) => error.into(),
            other => Self::Panicked(other.to_string()),
        }
    }
}

impl JobError {
    /// The database was away, or the process is stopping, or the job asked for it: the try does not count.
    pub fn is_unharmed(&self) -> bool {
        match self {
            Self::Later(_) => true,
            Self::Engine(EngineError::Stopping | EngineError::Full) => true,
            Self::Engine(EngineError::Store(error)) | Self::Store(error) => {
                error.failure() != crate::store::Failure::Data
            }
            Self::Engine(EngineError::Quarantined(_) | EngineError::NoSuchLead(_)) => false,
            Self::Account(AccountError::Store(error)) => error.failure() != crate::store::Failure::Data,
            Self::Account(_) | Self::Arguments(_) | Self::Panicked(_) => false,
        }
    }
}
