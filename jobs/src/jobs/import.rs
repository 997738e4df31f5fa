//! Takes a file in that was sent to the API.

use async_trait::async_trait;
use outdial_workflows::ids::ClientId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::operations::OperationError;
use crate::operations::imports::{Content, ImportState, find, take_in};
use crate::store::{self, StoreError};

/// Goes on with an import where it stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TakeIn {
    /// The tenant.
    pub client: ClientId,
    /// The import.
    pub import: Uuid,
}

#[async_trait]
impl Job for TakeIn {
    const KIND: &'static str = "import.v1";
    const SLOTS: usize = 2;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let import = find(&ctx.engine, &self.import.to_string()).await?;
        if import.state == ImportState::Running {
            let content = Content::of(&ctx.engine, (self.client, self.import));
            match take_in(&ctx.engine, import, content, |_| ()).await {
                // It was undone, or whoever lost the lease before goes on with it: the next look tells.
                Ok(_) | Err(OperationError::NotPossible(_)) => {}
                Err(error) => return Err(error.into()),
            }
            let now = find(&ctx.engine, &self.import.to_string()).await?;
            if now.state == ImportState::Running {
                return Err(JobError::Later(std::time::Duration::from_secs(1)));
            }
        }
        store::in_time(self.finish(ctx)).await?;
        Ok(())
    }
}

impl TakeIn {
    async fn finish(&self, ctx: &Ctx) -> Result<(), StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let now = ctx.engine.now_in(&mut conn).await?;
        store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
        Ok(())
    }
}
