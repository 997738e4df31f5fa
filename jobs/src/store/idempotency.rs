//! Requests that are answered once, however often they are sent.

use outdial_workflows::Moment;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// How a request stands that bears an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has sent it before, or whoever carried it out is gone: it is the asker's to carry out.
    New,
    /// Somebody is carrying it out.
    UnderWay,
    /// Another request was sent under this key.
    Another,
    /// It was answered.
    Answered {
        /// With this HTTP status.
        status: u16,
        /// And this, sealed.
        answer: Vec<u8>,
    },
}

/// Begins a request, unless it was begun before. One that was begun before `stale` and never answered is
/// begun anew.
pub async fn begin(
    conn: &mut PgConnection,
    (api_key, key): (Uuid, &str),
    fingerprint: &[u8],
    now: Moment,
    stale: Moment,
) -> Result<Standing, StoreError> {
    let begun = sqlx::query_scalar!(
        "insert into idempotency_keys as i (api_key, key, fingerprint, began_at) values ($1, $2, $3, $4)
        on conflict (api_key, key) do update set began_at = excluded.began_at
            where i.status is null and i.began_at < $5 and i.fingerprint = excluded.fingerprint
        returning api_key",
        api_key,
        key,
        fingerprint,
        now,
        stale
    )
    .fetch_optional(&mut *conn)
    .await?;
    if begun.is_some() {
        return Ok(Standing::New);
    }
    let known = sqlx::query!(
        "select fingerprint, status, answer from idempotency_keys where api_key = $1 and key = $2",
        api_key,
        key
    )
    .fetch_optional(conn)
    .await?;
    Ok(match known {
        // It failed, or was erased, this very moment.
        None => Standing::UnderWay,
        Some(known) if known.fingerprint != fingerprint => Standing::Another,
        Some(known) => match (known.status, known.answer) {
            (Some(status), Some(answer)) => {
                Standing::Answered { status: u16::try_from(status).unwrap_or(500), answer }
            }
            _ => Standing::UnderWay,
        },
    })
}

/// Keeps the answer to a request that was begun.
pub async fn answered(
    conn: &mut PgConnection,
    (api_key, key): (Uuid, &str),
    status: u16,
    answer: &[u8],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update idempotency_keys set status = $3, answer = $4 where api_key = $1 and key = $2",
        api_key,
        key,
        i16::try_from(status).unwrap_or(i16::MAX),
        answer
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a request that failed for no fault of its own: sent again, it is carried out.
pub async fn forget(conn: &mut PgConnection, (api_key, key): (Uuid, &str)) -> Result<(), StoreError> {
    sqlx::query!("delete from idempotency_keys where api_key = $1 and key = $2", api_key, key)
        .execute(conn)
        .await?;
    Ok(())
}

/// Erases those that were begun before `before`. Returns how many.
pub async fn erase(conn: &mut PgConnection, before: Moment, limit: i64) -> Result<u64, StoreError> {
    let erased = sqlx::query!(
        "delete from idempotency_keys where (api_key, key) in (
            select api_key, key from idempotency_keys where began_at < $1 order by began_at limit $2)",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}
