//! Keeps the history's monthly partitions three months ahead. Should that fail for a
//! whole quarter, events go to the default partition and nothing is lost.

use async_trait::async_trait;
use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use outdial_workflows::Moment;
use sqlx::PgConnection;

use super::Sweep;
use crate::engine::Engine;
use crate::store::{self, Failure, StoreError};

/// Months ahead of the present one.
const AHEAD: u32 = 3;

pub(super) struct Partitions;

#[async_trait]
impl Sweep for Partitions {
    fn name(&self) -> &'static str {
        "partitions"
    }

    fn cron(&self) -> &'static str {
        "0 20 3 * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            ensure(&mut conn, now).await?;
            Ok(0)
        })
        .await
    }
}

/// Makes sure of the present month and those ahead.
pub(super) async fn ensure(conn: &mut PgConnection, now: Moment) -> Result<(), StoreError> {
    for (from, to) in months(now.date_naive()) {
        let name = format!("workflow_events_{}", from.format("%Y_%m"));
        let at = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        match store::events::ensure_partition(conn, &name, at(from), at(to)).await {
            // The default partition holds events of this month already, or another process makes it now.
            Err(error) if error.failure() == Failure::Data => {
                tracing::error!(
                    partition = name,
                    error = &error as &dyn std::error::Error,
                    "ALERT: a partition of the history cannot be made; its events stay in the default one"
                );
            }
            made => made?,
        }
    }
    Ok(())
}

fn months(today: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let first = today.with_day(1).unwrap_or(today);
    let month = |n| first.checked_add_months(Months::new(n));
    (0..=AHEAD).filter_map(|n| Some((month(n)?, month(n + 1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_whole_months_without_gaps_over_the_turn_of_the_year() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a day");
        let months = months(day(2026, 11, 20));
        assert_eq!(months.first(), Some(&(day(2026, 11, 1), day(2026, 12, 1))));
        assert_eq!(months.last(), Some(&(day(2027, 2, 1), day(2027, 3, 1))));
        assert!(months.windows(2).all(|pair| pair[0].1 == pair[1].0));
    }
}
