//! Lets leads go that were held for want of consent, now that some is recorded.

use async_trait::async_trait;
use futures_util::future::join_all;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::Input;
use serde::{Deserialize, Serialize};

use super::{Ctx, Job, JobError};
use crate::engine::EngineError;
use crate::store::{self, StoreError};

/// Tells leads that consent was recorded. Those that are not held for want of it by then are left alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consented {
    /// The tenant.
    pub client: ClientId,
    /// The leads: at most [`Consented::LEADS`].
    pub leads: Vec<LeadId>,
    /// Who recorded it.
    pub actor: String,
}

impl Consented {
    /// How many leads one job tells: a few batches.
    pub const LEADS: usize = 1_000;
}

#[async_trait]
impl Job for Consented {
    const KIND: &'static str = "consented.v1";
    const SLOTS: usize = 1;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let told = self.leads.iter().map(|lead| {
            let input = Input::ConsentRecorded { actor: self.actor.clone() };
            ctx.engine.input(self.client, *lead, input, None)
        });
        for answer in join_all(told).await {
            match answer {
                // One in quarantine is mended by a person; the others are not held up.
                Ok(_) | Err(EngineError::Quarantined(_) | EngineError::NoSuchLead(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let now = ctx.engine.now_in(&mut conn).await?;
            store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
            Ok::<_, StoreError>(())
        })
        .await?;
        Ok(())
    }
}
