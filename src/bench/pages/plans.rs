//! How the server carried out what was asked of it, as its log tells.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use outdial_jobs::store;
use sqlx::PgConnection;

use super::super::stage::Stage;
use super::super::{LOOK, STANDSTILL};
use super::asked::{Asked, Asker};

/// A plan begins so in the log.
const PLAN: &str = "Query Text:";

pub(super) struct Plans {
    log: PathBuf,
    explained: AtomicUsize,
}

impl Plans {
    /// From now on the server's log tells the plan of each statement.
    pub(super) async fn watch(stage: &Stage, conn: &mut PgConnection) -> anyhow::Result<Self> {
        let log = stage.log.clone().context("a server of our own")?;
        let plans = Self { log, explained: AtomicUsize::new(0) };
        store::seed::explain_from_now_on(conn).await?;
        let (began, from) = (Instant::now(), plans.read()?.len());
        while !plans.read()?[from..].contains(PLAN) {
            anyhow::ensure!(
                began.elapsed() < STANDSTILL,
                "the server explains nothing; is auto_explain installed?"
            );
            store::seed::bytes(conn).await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(plans)
    }

    fn read(&self) -> anyhow::Result<String> {
        let log = std::fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// How many statements were explained.
    pub(super) fn explained(&self) -> usize {
        self.explained.load(Ordering::Relaxed)
    }

    /// Asks for a page, and gives the plans that read a large table whole for it.
    pub(super) async fn whole_reads_of(&self, asked: &Asked, asker: &Asker) -> anyhow::Result<Vec<String>> {
        let from = self.read()?.len();
        asker.get(asked).await?;
        let log = self.read()?;
        let plans: Vec<&str> = log[from..].split(PLAN).skip(1).collect();
        self.explained.fetch_add(plans.len(), Ordering::Relaxed);
        let whole: BTreeSet<&str> = plans.into_iter().filter(|plan| reads_whole(plan)).collect();
        Ok(whole.into_iter().map(|plan| format!("{}: {}", asked.what, plan.trim())).collect())
    }
}

/// Whether a plan reads a large table from its first page to its last.
fn reads_whole(plan: &str) -> bool {
    plan.split("Seq Scan on ").skip(1).any(|rest| {
        let name = rest.split_whitespace().next().unwrap_or_default();
        store::seed::LARGE.iter().any(|table| {
            name.strip_prefix(table).is_some_and(|month| month.is_empty() || month.starts_with("_2"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::reads_whole;

    #[test]
    fn a_plan_that_reads_a_large_table_or_a_month_of_it_whole_is_told() {
        for plan in [
            "Limit\n  ->  Seq Scan on jobs  (cost=0.00..1.00 rows=1 width=1)",
            "Parallel Seq Scan on leads l  (cost",
            "Append -> Seq Scan on workflow_events_2026_11 e_1  (cost",
        ] {
            assert!(reads_whole(plan), "{plan}");
        }
        for plan in [
            "Index Scan using leads_pkey on leads l  (cost",
            "Seq Scan on clients  (cost",
            "Seq Scan on leads_lists  (cost",
            "Bitmap Heap Scan on attempts  (cost",
        ] {
            assert!(!reads_whole(plan), "{plan}");
        }
    }
}
