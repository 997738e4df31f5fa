//! Asks a carrier to end a call.

use std::time::Duration;

use async_trait::async_trait;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, Ledger};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, ClientId, DialKey, JobId, LeadId, new_id};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Ctx, Job, JobError};
use crate::media::telling::{self, What};
use crate::providers::{HangUp as Answer, Question, Requests};
use crate::store::queue::NewJob;
use crate::store::{self, StoreError};

/// It is not known yet whether there is a call, or the carrier was not reached: looked at again after this. The
/// job is gone once the attempt has resolved.
const AGAIN: Duration = Duration::from_secs(2);

/// Ends the call of an attempt, if it is under way and its carrier can.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HangUp {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
}

#[async_trait]
impl Job for HangUp {
    const KIND: &'static str = "hang_up.v1";
    const SLOTS: usize = 16;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        if let Some(attempt) = self.live(ctx).await? {
            if attempt.ledger != Ledger::Bound {
                return Err(JobError::Later(AGAIN));
            }
            self.ask(ctx, &attempt).await?;
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

impl HangUp {
    /// The end of this attempt's call and of no other of the lead's, to be queued.
    pub(crate) fn queued(AttemptRef { client, lead, number }: AttemptRef, now: Moment) -> NewJob {
        NewJob {
            id: JobId(new_id(now)),
            kind: Self::KIND,
            step: Some((lead, number)),
            args: json!(Self { client, lead, number }),
            priority: 0,
            born_claimed: None,
        }
    }

    async fn live(&self, ctx: &Ctx) -> Result<Option<Attempt>, JobError> {
        let number = i16::try_from(self.number.get()).unwrap_or(i16::MAX);
        let loaded = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            store::attempts::load(&mut conn, self.client, &[self.lead.0], &[number]).await
        });
        let attempt = loaded.await?.into_iter().next().transpose().map_err(|(_, error)| error)?;
        Ok(attempt.map(|(_, attempt)| attempt).filter(Attempt::is_live))
    }

    /// The carrier tells of the end as of any other.
    async fn ask(&self, ctx: &Ctx, attempt: &Attempt) -> Result<(), JobError> {
        let campaign = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            store::workflows::campaign_of(&mut conn, self.client, self.lead).await
        });
        let Some(campaign) = campaign.await? else { return Ok(()) };
        let rules = ctx.engine.rules(self.client, campaign, attempt.revision).await?;
        let carrier = ctx.engine.carrier(self.client, attempt.account).await?;
        let (Some(rules), Some(carrier), Some(phone)) = (rules, carrier, &attempt.phone) else {
            return Ok(());
        };
        let key = DialKey(AttemptRef { client: self.client, lead: self.lead, number: self.number });
        let (now, requests) = (ctx.engine.now().await?, Requests::default());
        // A bound call has its name.
        let question = Question { key, attempt, rules: &rules, phone, now, requests: &requests, others: &[] };
        match carrier.hang_up(&question).await {
            Answer::Asked | Answer::Over => Ok(()),
            Answer::Impossible { .. } if rules.agent.playbook().is_some() => {
                // Whoever talks there stops, which closes the stream and with it the call; nobody may have picked up
                // yet.
                telling::tell(&ctx.engine, key.0, What::HangUp).await?;
                Err(JobError::Later(AGAIN))
            }
            Answer::Impossible { cause } => {
                tracing::info!(attempt = %key, cause, "a call cannot be ended");
                Ok(())
            }
            Answer::Failed { cause } => {
                tracing::warn!(attempt = %key, cause, "a call was not ended, and is asked for again");
                Err(JobError::Later(AGAIN))
            }
        }
    }
}
