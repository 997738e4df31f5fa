//! Sheets whose time has come are refreshed.

use async_trait::async_trait;
use outdial_workflows::Moment;

use super::Sweep;
use crate::engine::Engine;
use crate::operations::sheets;
use crate::store::StoreError;

pub(super) struct Sheets;

#[async_trait]
impl Sweep for Sheets {
    fn name(&self) -> &'static str {
        "sheets"
    }

    fn cron(&self) -> &'static str {
        "5/15 * * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        sheets::refresh_due(engine, now).await
    }
}
