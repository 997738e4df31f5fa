//! What can go wrong with the database, by what to do about it.

use std::time::Duration;

use uuid::Uuid;

/// A statement failed, or a row could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database, or the way to it.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The database took longer than it may. It may be gone without a word.
    #[error("the database did not answer within {} s", .limit.as_secs())]
    Silent {
        /// How long it was waited for.
        limit: Duration,
    },
    /// A row holds what this version cannot read; it may come from a newer one.
    #[error("row {id} of {table} cannot be read: {problem}")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// Which row.
        id: Uuid,
        /// What is wrong with it.
        problem: String,
    },
    /// The code that processed some rows panicked: one of them is what nobody thought of.
    #[error("processing it panicked: {0}")]
    Panicked(String),
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// One of the rows is at fault: find it, put it aside, and go on with the others.
    Data,
    /// Two transactions were in each other's way: do the whole again at once.
    Conflict,
    /// The database is away, or something is wrong that no row explains: wait, and do the whole again.
    Wait,
}

impl StoreError {
    /// What to do about it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unreadable { .. } | Self::Panicked(_) => Failure::Data,
            Self::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                // Serialisation failure, deadlock, and a lock that was not to be had in time.
                Some("40001" | "40P01" | "55P03") => Failure::Conflict,
                // Data exceptions and broken constraints.
                Some(code) if code.starts_with("22") || code.starts_with("23") => Failure::Data,
                Some(_) | None => Failure::Wait,
            },
            Self::Database(
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_),
            ) => Failure::Data,
            Self::Database(_) | Self::Silent { .. } => Failure::Wait,
        }
    }

    /// The name of the constraint that a write broke, if it broke one.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            Self::Database(_) | Self::Silent { .. } | Self::Unreadable { .. } | Self::Panicked(_) => None,
        }
    }
}

pub(super) fn unreadable(table: &'static str, id: Uuid, problem: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable { table, id, problem: problem.to_string() }
}
