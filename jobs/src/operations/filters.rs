//! Filters of lists that people save under a name: each key has its own, for every list of the same kind.

use outdial_workflows::ids::new_id;
use uuid::Uuid;

use super::{OperationError, name_of, named};
use crate::engine::Engine;
use crate::store;
pub use crate::store::filters::{FilteredPage, Saved};

/// The most that a key keeps of one list: they are all shown.
const MOST: i64 = 50;
/// The longest filter, in bytes: browsers and proxies take addresses of 8 KB.
const MOST_QUERY: usize = 4_000;

/// The filters that a key has of a list, by their names.
///
/// # Errors
/// The database.
pub async fn list(engine: &Engine, key: Uuid, page: FilteredPage) -> Result<Vec<Saved>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::filters::list(&mut conn, key, page, MOST).await?)
}

/// Saves what a list is asked for, under a name; the same name again means the new one.
///
/// # Errors
/// If there is no name, the filter is too long, or the key has too many.
pub async fn save(
    engine: &Engine,
    key: Uuid,
    page: FilteredPage,
    name: &str,
    query: &str,
) -> Result<(), OperationError> {
    let name = name_of("filter", name)?;
    let query = query.trim_start_matches('?');
    if query.len() > MOST_QUERY {
        let problem = format!("the filter has {} bytes; it may have {MOST_QUERY}", query.len());
        return Err(OperationError::Invalid { place: "query".into(), problem });
    }
    let saved = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let now = engine.now_in(&mut conn).await?;
        let known = store::filters::list(&mut conn, key, page, MOST).await?;
        let full = i64::try_from(known.len()).unwrap_or(MOST) >= MOST;
        if full && known.iter().all(|known| known.name != name) {
            return Ok(false);
        }
        let filter = Saved { id: new_id(now), name: name.to_owned(), query: query.to_owned() };
        store::filters::save(&mut conn, key, page, &filter, now).await?;
        Ok(true)
    });
    match saved.await.map_err(|error| named("filter", name, error))? {
        true => Ok(()),
        false => Err(OperationError::NotPossible(format!(
            "{MOST} filters are saved of this list; forget one first"
        ))),
    }
}

/// Calls a filter otherwise.
///
/// # Errors
/// If the key has no such filter, or another of this name.
pub async fn rename(engine: &Engine, key: Uuid, id: Uuid, name: &str) -> Result<(), OperationError> {
    let name = name_of("filter", name)?;
    let renamed = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::filters::rename(&mut conn, key, id, name).await
    });
    match renamed.await.map_err(|error| named("filter", name, error))? {
        true => Ok(()),
        false => Err(OperationError::NotFound { kind: "filter", given: id.to_string() }),
    }
}

/// Forgets a filter, and says what it was.
///
/// # Errors
/// If the key has no such filter.
pub async fn forget(engine: &Engine, key: Uuid, id: Uuid) -> Result<(FilteredPage, Saved), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let forgotten = store::filters::forget(&mut conn, key, id).await?;
    forgotten.ok_or_else(|| OperationError::NotFound { kind: "filter", given: id.to_string() })
}
