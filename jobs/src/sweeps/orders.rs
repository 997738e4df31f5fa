//! What people ordered for a time that has come: recurring orders, the ends of pauses, and sheets to be read.

use async_trait::async_trait;
use outdial_workflows::Moment;

use super::Sweep;
use crate::engine::Engine;
use crate::operations::{recurring, sheets};
use crate::store::StoreError;

pub(super) struct Orders;

#[async_trait]
impl Sweep for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn cron(&self) -> &'static str {
        "*/15 * * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        let orders = recurring::carry_out_due(engine, now).await?;
        Ok(orders + sheets::refresh_due(engine, now).await?)
    }
}
