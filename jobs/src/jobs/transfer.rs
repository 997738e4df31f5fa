//! Asks a carrier, once, to hand a call to somebody else.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::{Answer, Input};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use outdial_workflows::transfer::{Transfer as Ordered, TransferTold};
use serde::{Deserialize, Serialize};

use super::{Ctx, Job, JobError};
use crate::crash;
use crate::engine::AccountError;
use crate::media::telling::{self, What};
use crate::providers::{Permit, Question, Requests, SharedCarrier, TransferOrder};
use crate::store::{self, StoreError};

/// Hands over the call of an attempt.
///
/// A transfer rings somebody, and most carriers do not tell a copy of the request from another one. So that it
/// is asked for is committed before anything is sent; whoever finds that and no answer says that it is not
/// known what came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Transfer {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
    transfer: NonZeroU16,
}

/// All that the request is made from besides the order.
struct Ready {
    attempt: Attempt,
    phone: PhoneNumber,
    rules: Arc<Rules>,
    carrier: SharedCarrier,
    now: Moment,
}

#[async_trait]
impl Job for Transfer {
    const KIND: &'static str = "transfer.v1";
    const SLOTS: usize = 16;
    const TRIES: i16 = 10;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let ready = self.ready(ctx).await?;
        let (attempt, transfer) = (self.number, self.transfer);
        // Whether the lease holds, and who is not to be called, is seen by the transaction that decides.
        let begin = Input::BeginTransfer { attempt, transfer, lease_held: false, suppressed: true };
        let reply = ctx.engine.input(self.client, self.lead, begin, Some(ctx.lease)).await?;
        let Answer::Transfer(transfer) = reply.answer else {
            return Ok(()); // It was begun before, or has no use any more: said so already.
        };
        crash::point("transfer.before_send");
        let told = match ready {
            Ok(ready) => self.ask(ctx, &ready, &transfer, reply.seen).await,
            // Said only by whoever may ask: another that had begun might have asked.
            Err(cause) => TransferTold::Refused { cause: cause.to_owned() },
        };
        crash::point("transfer.after_send");
        self.tell(ctx, told).await
    }
}

impl Transfer {
    async fn tell(&self, ctx: &Ctx, told: TransferTold) -> Result<(), JobError> {
        let told = Input::Transferred { attempt: self.number, transfer: self.transfer, told };
        ctx.engine.input(self.client, self.lead, told, Some(ctx.lease)).await?;
        Ok(())
    }

    /// What is read before anything is committed to; or why nothing can be asked.
    async fn ready(&self, ctx: &Ctx) -> Result<Result<Ready, &'static str>, JobError> {
        let number = i16::try_from(self.number.get()).unwrap_or(i16::MAX);
        let (attempts, campaign) = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let attempts = store::attempts::load(&mut conn, self.client, &[self.lead.0], &[number]).await?;
            let campaign = store::workflows::campaign_of(&mut conn, self.client, self.lead).await?;
            Ok::<_, StoreError>((attempts, campaign))
        })
        .await?;
        let attempt = attempts.into_iter().next().transpose().map_err(|(_, error)| error)?;
        let (Some((_, attempt)), Some(campaign)) = (attempt, campaign) else {
            return Ok(Err("the call is not in the ledger"));
        };
        let carrier = match ctx.engine.carrier(self.client, attempt.account).await {
            Ok(carrier) => carrier,
            Err(AccountError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(account.id = %attempt.account, error = &error as &dyn std::error::Error,
                    "a call cannot be transferred: its account cannot be opened");
                None
            }
        };
        let Some(carrier) = carrier else { return Ok(Err("the account cannot be used")) };
        let Some(rules) = ctx.engine.rules(self.client, campaign, attempt.revision).await? else {
            return Ok(Err("the campaign's rules cannot be read"));
        };
        let Some(phone) = attempt.phone.clone() else { return Ok(Err("the person was erased")) };
        let now = ctx.engine.now().await?;
        Ok(Ok(Ready { attempt, phone, rules, carrier, now }))
    }

    async fn ask(
        &self,
        ctx: &Ctx,
        Ready { attempt, phone, rules, carrier, now }: &Ready,
        transfer: &Ordered,
        seen: Instant,
    ) -> TransferTold {
        let key = DialKey(AttemptRef { client: self.client, lead: self.lead, number: self.number });
        let requests = Requests::default();
        let question = Question { key, attempt, rules, phone, now: *now, requests: &requests, others: &[] };
        let public_url = ctx.engine.public_url();
        let secret = ctx.engine.key().secret_of(key);
        let (number, to, has_briefing) = (self.transfer, &transfer.to, transfer.briefing.is_some());
        // Our own agent says that it connects the person, and lets go. If it does not hear of this, it talks until the
        // carrier takes the call.
        if let Err(error) = telling::tell(&ctx.engine, key.0, What::HandOver).await {
            tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error, "an agent was not told of a transfer");
        }
        let order = TransferOrder { question, number, to, has_briefing, secret: &secret, public_url };
        carrier.transfer(Permit::from_commit(seen), &order).await
    }
}
