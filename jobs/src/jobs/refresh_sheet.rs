//! Reads a linked sheet, and begins an import if it changed.

use async_trait::async_trait;
use outdial_workflows::ids::ClientId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::operations::sheets::{Refreshed, refresh};
use crate::store::{self, StoreError};

/// Refreshes a sheet, unless another refresh of it was asked for since.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RefreshSheet {
    /// The tenant.
    pub client: ClientId,
    /// The sheet.
    pub sheet: Uuid,
    /// Which of its refreshes.
    pub refresh: Uuid,
}

#[async_trait]
impl Job for RefreshSheet {
    const KIND: &'static str = "refresh_sheet.v1";
    const SLOTS: usize = 2;
    const TRIES: i16 = 5;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        match refresh(&ctx.engine, (self.client, self.sheet), self.refresh).await? {
            Refreshed::Again(pause) => Err(JobError::Later(pause)),
            Refreshed::Over => Ok(store::in_time(self.finish(ctx)).await?),
        }
    }
}

impl RefreshSheet {
    async fn finish(&self, ctx: &Ctx) -> Result<(), StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let now = ctx.engine.now_in(&mut conn).await?;
        store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
        Ok(())
    }
}
