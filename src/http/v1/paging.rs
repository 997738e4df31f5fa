//! Lists, in pages.

use axum::Json;
use outdial_jobs::operations::{Direction, OperationError, Part};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::input::{sought, wrong};
use crate::http::Problem;

/// The most that a page holds.
pub(crate) const PAGE: u32 = 200;

/// Which way round a list is read.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Order)]
pub(crate) enum OrderName {
    /// What was made first comes first.
    Asc,
    /// What was made last comes first.
    Desc,
}

/// Declares what may be asked of a list: what it is filtered by, and which page.
macro_rules! listing {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_meta])* $field: $type,)*
            /// The `next` of the page before.
            cursor: Option<uuid::Uuid>,
            /// How many at most: 1 to 200, 50 unless told.
            #[param(minimum = 1, maximum = 200)]
            limit: Option<u32>,
            /// `asc`: the oldest first. `desc`: the newest first. Give it again with each cursor.
            #[param(inline)]
            order: Option<$crate::http::v1::paging::OrderName>,
        }

        impl $name {
            /// Which page is asked for.
            pub(crate) fn page(&self) -> $crate::http::v1::paging::Wanted {
                $crate::http::v1::paging::Wanted { cursor: self.cursor, limit: self.limit, order: self.order }
            }
        }
    };
}

pub(crate) use listing;

listing! {
    /// Which page of a list.
    PageQuery {}
}

listing! {
    /// Which page of a list, or what in it has a name.
    NamedQuery {
        /// Only what has this name, letter for letter.
        name: Option<String>,
    }
}

impl NamedQuery {
    /// The name that is asked for.
    pub(crate) fn named(&self) -> Result<Option<&str>, Problem> {
        self.name.as_deref().map(|name| sought("name", name)).transpose()
    }
}

/// Which page of a list that is read the latest first.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LatestQuery {
    /// The `next` of the page before.
    cursor: Option<Uuid>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl LatestQuery {
    /// The page of what `found` finds before an id.
    pub(crate) async fn of<R, T: From<R>>(
        self,
        found: impl AsyncFnOnce(Option<Uuid>, i64) -> Result<Vec<R>, OperationError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Json<Page<T>>, Problem> {
        Page::cut(page_limit(self.limit)?, async |one_more| found(self.cursor, one_more).await, id).await
    }
}

/// A cursor that counts.
pub(crate) fn counting(asked: Option<i64>) -> Result<Option<i64>, Problem> {
    match asked {
        Some(negative) if negative < 0 => Err(wrong("cursor", "give the `next` of the page before")),
        asked => Ok(asked),
    }
}

/// Which page of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) cursor: Option<Uuid>,
    pub(crate) limit: Option<u32>,
    pub(crate) order: Option<OrderName>,
}

impl OrderName {
    pub(crate) fn direction(self) -> Direction {
        match self {
            Self::Asc => Direction::OldestFirst,
            Self::Desc => Direction::NewestFirst,
        }
    }
}

impl Wanted {
    /// The page of what `found` finds, the newest first unless told otherwise.
    pub(crate) async fn of<R, T: From<R>>(
        self,
        found: impl AsyncFnOnce(Part) -> Result<Vec<R>, OperationError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Json<Page<T>>, Problem> {
        let direction = self.order.map_or(Direction::NewestFirst, OrderName::direction);
        let part = |limit| Part { direction, after: self.cursor, limit };
        Page::cut(page_limit(self.limit)?, async |one_more| found(part(one_more)).await, id).await
    }
}

/// How many a page is to hold.
pub(crate) fn page_limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(50) {
        limit @ 1..=PAGE => Ok(limit as usize),
        other => Err(wrong("limit", format!("{other} is out of bounds; give 1 to {PAGE}"))),
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What is on it.
    items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    /// So many of what `found` finds, at most, and from where it goes on. It is asked for one more: that tells
    /// that there is another page.
    pub(crate) async fn cut<R, N: ToString>(
        limit: usize,
        found: impl AsyncFnOnce(i64) -> Result<Vec<R>, OperationError>,
        place: impl Fn(&T) -> N,
    ) -> Result<Json<Self>, Problem>
    where
        T: From<R>,
    {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut items: Vec<T> = found(one_more).await?.into_iter().map(T::from).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().map(place).filter(|_| more);
        Ok(Json(Self::from_to(items, next)))
    }

    /// All there is.
    pub(crate) fn whole<R: Into<T>>(items: Vec<R>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next: None }
    }

    /// These, and where the next begins.
    pub(crate) fn from_to(items: Vec<T>, next: Option<impl ToString>) -> Self {
        Self { items, next: next.map(|next| next.to_string()) }
    }
}
