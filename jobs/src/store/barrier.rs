//! The barrier: what forbids calls waits for what sends them, and the other way round.
//!
//! It is an advisory lock of the transaction, one a client: shared for submissions,
//! exclusive for whatever forbids calls. Its queue is fair and it writes no tuple,
//! so submissions on many nodes do not stand in each other's way.

use outdial_workflows::attempt::BarrierVersion;
use outdial_workflows::ids::ClientId;
use sqlx::PgConnection;

use super::StoreError;

/// Taken by submissions: any number at once.
pub async fn share(conn: &mut PgConnection, client: ClientId) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock_shared($1)", key(client)).execute(conn).await?;
    Ok(())
}

/// Taken by what forbids calls: alone. Raises the client's version, so that what was reserved
/// before is judged again before it is sent.
pub async fn exclude(conn: &mut PgConnection, client: ClientId) -> Result<BarrierVersion, StoreError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", key(client)).execute(&mut *conn).await?;
    let version = sqlx::query_scalar!(
        "update clients set barrier_version = barrier_version + 1 where client_id = $1 returning barrier_version",
        client.0
    )
    .fetch_one(conn)
    .await?;
    Ok(BarrierVersion(version))
}

/// Where the client's barrier stands.
pub async fn version(conn: &mut PgConnection, client: ClientId) -> Result<BarrierVersion, StoreError> {
    let version = sqlx::query_scalar!("select barrier_version from clients where client_id = $1", client.0)
        .fetch_one(conn)
        .await?;
    Ok(BarrierVersion(version))
}

/// The lock's name: the halves of the client's id, folded. Two clients that share one only wait
/// for each other a little.
fn key(client: ClientId) -> i64 {
    let (high, low) = client.0.as_u64_pair();
    i64::from_ne_bytes((high ^ low).to_ne_bytes())
}
