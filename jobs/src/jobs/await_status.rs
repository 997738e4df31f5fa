//! Asks the carrier what became of an attempt.

use std::time::Instant;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, Ledger};
use outdial_workflows::call::{CallFact, CallId, CallStatus, DialReply, Found};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::{Answer, Input};
use outdial_workflows::rules::Agent;
use serde::{Deserialize, Serialize};

use super::{Ctx, Job, JobError};
use crate::crash;
use crate::providers::{DialBody, Permit, Question, Requests, SharedCarrier};
use crate::reads;
use crate::store::{self, StoreError};

/// Asks about an attempt whose fate is not known, or whose webhook did not come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AwaitStatus {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
}

#[async_trait]
impl Job for AwaitStatus {
    const KIND: &'static str = "await_status.v1";
    const SLOTS: usize = 32;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let number = i16::try_from(self.number.get()).unwrap_or(i16::MAX);
        let (attempts, campaign) = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let attempts = store::attempts::load(&mut conn, self.client, &[self.lead.0], &[number]).await?;
            let campaign = store::workflows::campaign_of(&mut conn, self.client, self.lead).await?;
            Ok::<_, StoreError>((attempts, campaign))
        })
        .await?;
        let attempt = attempts.into_iter().next().transpose().map_err(|(_, error)| error)?;
        let attempt = attempt.map(|(_, attempt)| attempt).filter(Attempt::is_live);
        let (Some(attempt), Some(campaign)) = (attempt, campaign) else {
            // It resolved meanwhile: nothing is left to ask.
            let answer = Found::CannotTell { cause: "nothing is left to ask".into() };
            return self.tell(ctx, ctx.engine.now().await?, answer).await;
        };
        let (asked_at, answer) = match ctx.engine.rules(self.client, campaign, attempt.revision).await? {
            Some(rules) => {
                let carrier = self.carrier(ctx, attempt.account).await?;
                let most = carrier.most_reads(attempt.call_id.as_ref());
                let (client, account) = (self.client, attempt.account);
                let held = reads::hold(&ctx.engine, client, account, most, carrier.reads());
                let (now, held) = store::in_time(held).await?.map_err(JobError::Later)?;
                let requests = Requests::default();
                let answer = match self.send_again(ctx, &carrier, &attempt, &rules.agent, now).await? {
                    Some(answer) => answer,
                    None => {
                        let others = self.others(ctx, &attempt).await?;
                        let began = Instant::now();
                        let answer = self.ask(&carrier, &attempt, &rules, now, (&requests, &others)).await;
                        ctx.engine.metrics().asked(carrier.provider(), &answer, began.elapsed());
                        answer
                    }
                };
                let settled = reads::settle(&ctx.engine, client, account, held, requests.count());
                store::in_time(settled).await?;
                (now, answer)
            }
            None => {
                let cause = "the campaign's rules cannot be read".into();
                (ctx.engine.now().await?, Found::CannotTell { cause })
            }
        };
        self.tell(ctx, asked_at, answer).await
    }
}

impl AwaitStatus {
    async fn tell(&self, ctx: &Ctx, asked_at: Moment, answer: Found) -> Result<(), JobError> {
        let asked = Input::Asked { attempt: self.number, asked_at, answer };
        ctx.engine.input(self.client, self.lead, asked, Some(ctx.lease)).await?;
        Ok(())
    }

    /// Sends the very same request once more, where the carrier tells copies apart and it is certain to do
    /// so still. `None`: it was not sent, and the carrier is to be asked otherwise.
    async fn send_again(
        &self,
        ctx: &Ctx,
        carrier: &SharedCarrier,
        attempt: &Attempt,
        agent: &Agent,
        now: Moment,
    ) -> Result<Option<Found>, JobError> {
        let within = carrier.resend_within(agent).zip(attempt.submission);
        let in_time = within.is_some_and(|(within, submission)| now < submission.at + within);
        if attempt.ledger != Ledger::Unknown || !in_time || ctx.engine.clock_is_off() {
            return Ok(None);
        }
        let kept = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            store::dial_requests::read(&mut conn, self.client, self.lead, self.number).await
        });
        let Some(body) = kept.await?.and_then(|kept| serde_json::from_slice::<DialBody>(&kept).ok()) else {
            return Ok(None);
        };
        let resend = Input::Resend { attempt: self.number, lease_held: false };
        let reply = ctx.engine.input(self.client, self.lead, resend, Some(ctx.lease)).await?;
        if !matches!(reply.answer, Answer::Send(_)) {
            return Ok(None);
        }
        crash::point("resend.before_send");
        let again = carrier.place(Permit::from_commit(reply.seen), &body).await;
        crash::point("resend.after_send");
        Ok(match again {
            DialReply::Bound { call_id } => {
                Some(Found::Call(CallFact::progress(Some(call_id), CallStatus::Initiated)))
            }
            // That the copy was turned down says nothing of the first request.
            DialReply::Refused(_) | DialReply::Unknown { .. } => None,
        })
    }

    async fn ask(
        &self,
        carrier: &SharedCarrier,
        attempt: &Attempt,
        rules: &outdial_workflows::rules::Rules,
        now: Moment,
        (requests, others): (&Requests, &[CallId]),
    ) -> Found {
        let Some(phone) = &attempt.phone else {
            return Found::CannotTell { cause: "the number was erased".into() };
        };
        let key = DialKey(AttemptRef { client: self.client, lead: self.lead, number: self.number });
        let question = Question { key, attempt, rules, phone, now, requests, others };
        match &attempt.call_id {
            Some(call) => carrier.status(call, &question).await,
            None => carrier.find(&question).await,
        }
    }

    /// Calls to the same number that are other attempts' for certain. Those of the day before are all that a
    /// carrier's lists may have confused with one that it has not named.
    async fn others(&self, ctx: &Ctx, attempt: &Attempt) -> Result<Vec<CallId>, StoreError> {
        let (None, Some(phone)) = (&attempt.call_id, &attempt.phone) else { return Ok(vec![]) };
        let since = attempt.reserved_at - TimeDelta::days(1);
        store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let this = (self.lead, self.number);
            store::attempts::other_calls(&mut conn, self.client, phone, since, this).await
        })
        .await
    }

    async fn carrier(&self, ctx: &Ctx, account: AccountId) -> Result<SharedCarrier, JobError> {
        store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await.map_err(StoreError::from)?;
            Ok(ctx.engine.carriers().get(&mut conn, self.client, account, 0).await?)
        })
        .await
    }
}
