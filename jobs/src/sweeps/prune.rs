//! Erases what need not be kept: request bodies and answers to repeated requests after a day, inbox rows that were taken
//! in, or that nobody's call answers to, and jobs that are over, after a week, nodes that nobody has seen for an hour,
//! what came in of files whose rest did not, and what an index finds by its age (`workflows/src/retention.rs`).

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::retention::Kind;
use sqlx::PgConnection;

use super::Sweep;
use crate::engine::Engine;
use crate::operations::{idempotency, jobs, subscribers};
use crate::store::{self, StoreError};

const BODIES_AFTER: TimeDelta = TimeDelta::hours(24);
const INBOX_AFTER: TimeDelta = TimeDelta::days(7);
const NODES_AFTER: TimeDelta = TimeDelta::hours(1);
/// A file whose content has not moved for so long does not come any more.
const RECEIVING_FOR: TimeDelta = TimeDelta::hours(1);
const PAGE: i64 = 5_000;

pub(super) struct Prune;

#[async_trait]
impl Sweep for Prune {
    fn name(&self) -> &'static str {
        "prune"
    }

    fn cron(&self) -> &'static str {
        "15 */5 * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        let mut pruned = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            let nodes = store::nodes::remove_unseen(&mut conn, now - NODES_AFTER).await?;
            let inbox = store::upkeep::prune_inbox(&mut conn, now - INBOX_AFTER, PAGE).await?;
            let answers = store::idempotency::erase(&mut conn, now - idempotency::KEPT_FOR, PAGE).await?;
            let retention = engine.retention();
            let strange = match retention.horizon(Kind::Webhooks, now) {
                Some(before) => store::strange_webhooks::prune(&mut conn, before, PAGE).await?,
                None => 0,
            };
            let abandoned = store::imports::abandon(&mut conn, now - RECEIVING_FOR, now).await?;
            let told = match retention.horizon(Kind::Deliveries, now) {
                Some(before) => store::deliveries::erase(&mut conn, before, PAGE).await?,
                None => 0,
            };
            let told = told + erase_journals(&mut conn, now).await?;
            let jobs = store::jobs::erase_finished(&mut conn, now - jobs::KEPT_FOR, PAGE).await?;
            Ok::<_, StoreError>(nodes + inbox + answers + strange + abandoned + told + jobs)
        })
        .await?;
        loop {
            let erased = store::in_time(async {
                let mut conn = engine.pool().acquire().await?;
                store::dial_requests::erase(&mut conn, now - BODIES_AFTER, PAGE).await
            });
            let erased = erased.await?;
            pruned += erased;
            if erased == 0 {
                return Ok(pruned);
            }
        }
    }
}

/// What subscribers did not take in time is given up, and journals are erased up to what is given up.
async fn erase_journals(conn: &mut PgConnection, now: Moment) -> Result<u64, StoreError> {
    let before = now - subscribers::KEPT_FOR;
    let mut erased = 0;
    for (client, _) in store::clients::list(conn).await? {
        erased += store::journal::erase(conn, client, before, PAGE).await?;
        erased += store::deliveries::give_up(conn, client, before, now).await?;
    }
    Ok(erased)
}
