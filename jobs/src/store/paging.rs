//! Lists, page by page, either way round.

use uuid::Uuid;

/// Which way round a list is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// What was made last comes first.
    #[default]
    NewestFirst,
    /// What was made first comes first.
    OldestFirst,
}

/// A part of a list whose rows have ids that sort as they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which way round.
    pub direction: Direction,
    /// The last row of the part before; `None` for the first part.
    pub after: Option<Uuid>,
    /// The most rows.
    pub limit: i64,
}

impl Part {
    /// The newest rows.
    pub fn newest(limit: i64) -> Self {
        Self { direction: Direction::NewestFirst, after: None, limit }
    }

    /// The id beyond which its rows lie: that of no row, for the first part.
    pub(super) fn beyond(self) -> Uuid {
        self.after.unwrap_or(match self.direction {
            Direction::NewestFirst => Uuid::max(),
            Direction::OldestFirst => Uuid::nil(),
        })
    }
}

/// Reads a [`Part`]: a statement up to its conditions, in which `$1` is where the part begins and `$2` how
/// many rows it has, and the column by which its rows are sorted. Two statements and not one with a
/// condition on the direction, so that an index can serve either.
macro_rules! part {
    ($row:ty, $conn:expr, $part:expr, $id:tt, $select:tt $(, $argument:expr)* $(,)?) => {{
        let part: $crate::store::paging::Part = $part;
        match part.direction {
            $crate::store::paging::Direction::NewestFirst => {
                sqlx::query_as!(
                    $row,
                    $select + " and " + $id + " < $1 order by " + $id + " desc limit $2",
                    part.beyond(), part.limit $(, $argument)*
                )
                .fetch_all($conn)
                .await
            }
            $crate::store::paging::Direction::OldestFirst => {
                sqlx::query_as!(
                    $row,
                    $select + " and " + $id + " > $1 order by " + $id + " limit $2",
                    part.beyond(), part.limit $(, $argument)*
                )
                .fetch_all($conn)
                .await
            }
        }
    }};
}

pub(super) use part;
