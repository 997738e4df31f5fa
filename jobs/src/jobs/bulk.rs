//! Carries an order for many leads out.

use async_trait::async_trait;
use futures_util::future::join_all;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::{Answer, Command, Input};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::engine::EngineError;
use crate::operations::bulk::{self, Page};
use crate::operations::imports;
use crate::store::bulk::{BulkState, Tally};
use crate::store::{self, StoreError};

/// Goes on with an operation where it stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Bulk {
    /// The tenant.
    pub client: ClientId,
    /// The operation.
    pub operation: Uuid,
}

#[async_trait]
impl Job for Bulk {
    const KIND: &'static str = "bulk.v1";
    const SLOTS: usize = 2;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        while let Some(page) = store::in_time(bulk::page(&ctx.engine, self.client, self.operation)).await? {
            if page.command == Command::Undo {
                self.end_consents(ctx, &page).await?;
            }
            let told = page.leads.iter().map(|lead| self.tell(ctx, &page, *lead));
            let mut tally =
                Tally { looked_at: i64::try_from(page.passed).unwrap_or(i64::MAX), ..Tally::default() };
            for answer in join_all(told).await {
                bulk::count(&mut tally, answer?);
            }
            store::in_time(self.advance(ctx, &page, &tally)).await?;
        }
        store::in_time(self.finish(ctx)).await?;
        Ok(())
    }
}

impl Bulk {
    /// A lead that is gone or in quarantine declines; the others are not held up.
    async fn tell(&self, ctx: &Ctx, page: &Page, lead: LeadId) -> Result<Answer, JobError> {
        let (actor, reason) = (page.operation.actor.clone(), page.operation.reason.clone());
        let order = Input::Command { command: page.command.clone(), actor, reason, alone: false };
        match ctx.engine.input(self.client, lead, order, None).await {
            Ok(reply) => Ok(reply.answer),
            Err(error @ (EngineError::Quarantined(_) | EngineError::NoSuchLead(_))) => {
                Ok(Answer::Declined(error.to_string()))
            }
            Err(error @ (EngineError::Stopping | EngineError::Full | EngineError::Store(_))) => {
                Err(error.into())
            }
        }
    }

    async fn advance(&self, ctx: &Ctx, page: &Page, tally: &Tally) -> Result<(), StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let now = ctx.engine.now_in(&mut conn).await?;
        if page.command == Command::Undo {
            let leads: Vec<Uuid> = page.leads.iter().map(|lead| lead.0).collect();
            store::imports::free_undone(&mut conn, self.client, &leads).await?;
        }
        match page.place {
            Some(place) => {
                store::bulk::advance(&mut conn, self.client, self.operation, tally, place, now).await?
            }
            None => store::bulk::end(&mut conn, self.client, self.operation, BulkState::Done, now).await?,
        };
        Ok(())
    }

    /// Ends what an import recorded of people's consent: with its first page, and before any of its leads.
    async fn end_consents(&self, ctx: &Ctx, page: &Page) -> Result<(), StoreError> {
        let Some(import) = page.import.filter(|_| page.operation.tally.looked_at == 0) else { return Ok(()) };
        imports::end_consents(&ctx.engine, self.client, import).await
    }

    async fn finish(&self, ctx: &Ctx) -> Result<(), StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let now = ctx.engine.now_in(&mut conn).await?;
        store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
        Ok(())
    }
}
