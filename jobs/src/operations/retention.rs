//! What is removed for its age: what of it there is now, and removing it, slice by slice.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::retention::{Kept, Kind, Month, Retention, past};
use serde::Serialize;

use super::{OperationError, erasing};
use crate::engine::Engine;
use crate::store::retention::{self, BEGINNING, Recording, Table, Walked};
use crate::store::{self, Failure, StoreError};

/// How many rows a transaction removes, or looks at.
const SLICE: i64 = 2_000;
/// How many slices of a kind and client a run removes: what is left is for the next.
const SLICES: u32 = 50;
/// How many rows are counted, when it is asked how many there are.
pub const MOST_COUNTED: u64 = 100_000;
/// Limits on what may be spent look back a day, and carriers tell costs for some days.
const SPENDING_FOR: TimeDelta = TimeDelta::days(8);

/// Runs a statement again and again, in transactions of their own, while it finds as much as it may.
macro_rules! slices {
    ($engine:expr, |$conn:ident| $removes:expr) => {{
        let mut removed = 0;
        for _ in 0..SLICES {
            let slice = store::in_time(async {
                let mut held = $engine.pool().acquire().await?;
                let $conn = &mut *held;
                $removes.await
            });
            let slice: u64 = slice.await?;
            removed += slice;
            if slice < SLICE.unsigned_abs() {
                break;
            }
        }
        removed
    }};
}

/// A kind of things and what of it is too old.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// What.
    pub kind: Kind,
    /// For how many days it is kept; null for ever.
    pub days: Kept,
    /// What is from before this is too old.
    pub before: Option<Moment>,
    /// The tables that it lies in.
    pub tables: Vec<&'static str>,
    /// About how many rows these have, by the statistics of Postgres.
    pub rows: u64,
    /// What they take with their indexes, in bytes.
    pub bytes: u64,
    /// How many rows, or files of recordings, would be removed now, counted up to [`MOST_COUNTED`]; of partitions about how
    /// many they have.
    pub old: u64,
    /// The partitions that would be dropped.
    pub partitions: Vec<String>,
}

/// The tables that a kind lies in.
fn tables(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::History => &["workflow_events"],
        Kind::Results => &["call_results"],
        Kind::Recordings => &["conversations"],
        Kind::Audit => &["audit", "bulk_operations"],
        Kind::Statistics => &["call_statistics"],
        Kind::Notes => &["import_notes"],
        Kind::Quarantine => &["quarantine"],
        Kind::Deliveries => &["deliveries"],
        Kind::Webhooks => &["strange_webhooks"],
    }
}

/// What would be removed now, by kind. Nothing is.
///
/// # Errors
/// If the database cannot be asked.
pub async fn standing(engine: &Engine, retention: &Retention) -> Result<Vec<Standing>, OperationError> {
    let now = engine.now().await?;
    let mut conn = engine.pool().acquire().await?;
    let clients: Vec<ClientId> =
        store::clients::list(&mut conn).await?.into_iter().map(|(id, _)| id).collect();
    let mut all = vec![];
    for kind in Kind::ALL {
        let before = retention.horizon(kind, now);
        let on_disk = retention::tables(&mut conn, tables(kind)).await?;
        let months = match (kind, before) {
            (Kind::History, Some(before)) => old_partitions(&mut conn, before).await?,
            _ => vec![],
        };
        let mut old = months.iter().map(|(_, table)| table.rows).sum();
        if let Some(before) = before {
            old += count(&mut conn, kind, &clients, before).await?;
        }
        all.push(Standing {
            kind,
            days: retention.of(kind),
            before,
            tables: tables(kind).to_vec(),
            rows: on_disk.iter().map(|table| table.rows).sum(),
            bytes: on_disk.iter().map(|table| table.bytes).sum(),
            old,
            partitions: months.into_iter().map(|(_, table)| table.name).collect(),
        });
    }
    Ok(all)
}

async fn old_partitions(
    conn: &mut sqlx::PgConnection,
    before: Moment,
) -> Result<Vec<(Month, Table)>, StoreError> {
    let partitions = retention::partitions(conn).await?;
    let months = past(partitions.iter().filter_map(|table| Month::of_table(&table.name)), before);
    let of = |month: Month| partitions.iter().find(|table| table.name == month.table()).cloned();
    Ok(months.into_iter().filter_map(|month| Some((month, of(month)?))).collect())
}

async fn count(
    conn: &mut sqlx::PgConnection,
    kind: Kind,
    clients: &[ClientId],
    before: Moment,
) -> Result<u64, StoreError> {
    let most = i64::try_from(MOST_COUNTED).unwrap_or(i64::MAX);
    let mut old = match kind {
        Kind::Deliveries => retention::count_by_age(conn, (Some(before), None), most).await?.0,
        Kind::Webhooks => retention::count_by_age(conn, (None, Some(before)), most).await?.1,
        _ => 0,
    };
    for &client in clients {
        old += match kind {
            Kind::History => retention::count_strays(conn, client, before, most).await?,
            Kind::Audit => {
                retention::count_audit(conn, client, before, most).await?
                    + retention::count_orders(conn, client, before, most).await?
            }
            Kind::Notes => retention::count_notes(conn, client, before, most).await?,
            Kind::Quarantine => retention::count_quarantine(conn, client, before, most).await?,
            Kind::Statistics => {
                let mut old = 0;
                for campaign in retention::campaigns(conn, client).await? {
                    old += retention::count_statistics(conn, (client, campaign), before, most).await?;
                }
                old
            }
            Kind::Results => count_results(conn, client, before).await?,
            Kind::Recordings => {
                retention::recordings(conn, client, before, BEGINNING, most).await?.len() as u64
            }
            Kind::Deliveries | Kind::Webhooks => 0,
        };
        if old >= MOST_COUNTED {
            break;
        }
    }
    Ok(old.min(MOST_COUNTED))
}

async fn count_results(
    conn: &mut sqlx::PgConnection,
    client: ClientId,
    before: Moment,
) -> Result<u64, StoreError> {
    let (mut old, mut after) = (0, Some(BEGINNING));
    while let Some(from) = after.filter(|_| old < MOST_COUNTED) {
        let walked = retention::results(conn, client, before, from, true, SLICE).await?;
        old += walked.old;
        after = walked.after;
    }
    Ok(old)
}

/// Removes what is too old, each slice in a transaction of its own. Returns how many rows, files and partitions of which kind
/// went.
///
/// # Errors
/// If the database cannot be asked.
pub async fn sweep(engine: &Engine, now: Moment) -> Result<BTreeMap<Kind, u64>, StoreError> {
    let retention = engine.retention();
    let mut removed = BTreeMap::new();
    if let Some(before) = retention.horizon(Kind::History, now) {
        removed.insert(Kind::History, drop_partitions(engine, before).await?);
    }
    for client in clients(engine).await? {
        for kind in Kind::ALL {
            let Some(before) = retention.horizon(kind, now) else { continue };
            *removed.entry(kind).or_default() += of_client(engine, client, kind, before).await?;
        }
    }
    Ok(removed)
}

/// Removes what was spent before any limit looks back to. Returns how many rows went.
///
/// # Errors
/// If the database cannot be asked.
pub async fn sweep_spending(engine: &Engine, now: Moment) -> Result<u64, StoreError> {
    let mut removed = 0;
    for client in clients(engine).await? {
        removed +=
            slices!(engine, |conn| retention::remove_spending(conn, client, now - SPENDING_FOR, SLICE));
    }
    Ok(removed)
}

async fn clients(engine: &Engine) -> Result<Vec<ClientId>, StoreError> {
    let clients = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::clients::list(&mut conn).await
    });
    Ok(clients.await?.into_iter().map(|(id, _)| id).collect())
}

async fn drop_partitions(engine: &Engine, before: Moment) -> Result<u64, StoreError> {
    let old = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        old_partitions(&mut conn, before).await
    });
    let mut dropped = 0;
    for (month, Table { name, rows, bytes }) in old.await? {
        let gone = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            retention::drop_partition(&mut conn, &name, month.end()).await
        });
        match gone.await {
            Ok(()) => {
                tracing::info!(
                    partition = name,
                    rows,
                    bytes,
                    "a month of the history was too old, and is dropped"
                );
                dropped += 1;
            }
            // Somebody reads the history, as a backup does: the next run tries again.
            Err(error) if error.failure() != Failure::Data => {
                tracing::warn!(
                    partition = name,
                    error = &error as &dyn std::error::Error,
                    "it cannot be dropped now"
                );
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}

async fn of_client(engine: &Engine, client: ClientId, kind: Kind, before: Moment) -> Result<u64, StoreError> {
    Ok(match kind {
        Kind::History => slices!(engine, |conn| retention::remove_strays(conn, client, before, SLICE)),
        Kind::Audit => {
            slices!(engine, |conn| retention::remove_audit(conn, client, before, SLICE))
                + slices!(engine, |conn| retention::remove_orders(conn, client, before, SLICE))
        }
        Kind::Notes => slices!(engine, |conn| retention::remove_notes(conn, client, before, SLICE)),
        Kind::Quarantine => slices!(engine, |conn| retention::remove_quarantine(conn, client, before, SLICE)),
        Kind::Statistics => statistics(engine, client, before).await?,
        Kind::Results => results(engine, client, before).await?,
        Kind::Recordings => recordings(engine, client, before).await?,
        // By an index on their age, with what else is pruned.
        Kind::Deliveries | Kind::Webhooks => 0,
    })
}

async fn statistics(engine: &Engine, client: ClientId, before: Moment) -> Result<u64, StoreError> {
    let campaigns = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        retention::campaigns(&mut conn, client).await
    });
    let mut removed = 0;
    for campaign in campaigns.await? {
        removed +=
            slices!(engine, |conn| retention::remove_statistics(conn, (client, campaign), before, SLICE));
    }
    Ok(removed)
}

async fn results(engine: &Engine, client: ClientId, before: Moment) -> Result<u64, StoreError> {
    let (mut removed, mut after) = (0, Some(BEGINNING));
    while let Some(from) = after.filter(|_| removed < SLICE.unsigned_abs() * u64::from(SLICES)) {
        let walked = store::in_time(async {
            let mut tx = engine.pool().begin().await?;
            let walked = retention::results(&mut tx, client, before, from, false, SLICE).await?;
            if walked.old > 0 {
                retention::note_results(&mut tx, before).await?;
            }
            tx.commit().await?;
            Ok::<Walked, StoreError>(walked)
        });
        let walked = walked.await?;
        removed += walked.old;
        after = walked.after;
    }
    Ok(removed)
}

/// Files first: should the process die in between, the next run finds nothing to remove and notes it.
async fn recordings(engine: &Engine, client: ClientId, before: Moment) -> Result<u64, StoreError> {
    let (mut removed, mut after) = (0, BEGINNING);
    loop {
        let old = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            retention::recordings(&mut conn, client, before, after, SLICE).await
        });
        let old = old.await?;
        let Some(last) = old.last() else { return Ok(removed) };
        after = (last.lead, last.number);
        let Some(directory) = engine.recordings() else {
            tracing::warn!(
                recordings = old.len(),
                "recordings are too old, and this process has no directory of recordings: give it one (--recordings)"
            );
            return Ok(removed);
        };
        let (gone, left): (Vec<Recording>, Vec<Recording>) = old
            .into_iter()
            .partition(|recording| erasing::remove(directory, std::slice::from_ref(&recording.file)).is_ok());
        if !left.is_empty() {
            tracing::warn!(
                left = left.len(),
                "recordings are too old, and cannot be removed; they are tried again"
            );
        }
        store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            retention::forget_recordings(&mut conn, client, &gone).await
        })
        .await?;
        removed += gone.len() as u64;
    }
}
