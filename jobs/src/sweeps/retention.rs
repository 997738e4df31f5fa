//! Removes what is older than it is kept: whole months of the history, and rows of other tables.

use async_trait::async_trait;
use outdial_workflows::Moment;

use super::Sweep;
use crate::engine::Engine;
use crate::operations::retention;
use crate::store::StoreError;

pub(super) struct Retention;

#[async_trait]
impl Sweep for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn cron(&self) -> &'static str {
        "0 40 * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        let removed = retention::sweep(engine, now).await?;
        Ok(removed.values().sum::<u64>() + retention::sweep_spending(engine, now).await?)
    }
}
