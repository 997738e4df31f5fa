//! Sends one dial request, once.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use outdial_workflows::ids::{AttemptNumber, ClientId, LeadId};
use outdial_workflows::input::{Answer, Input};
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::crash;
use crate::engine::{Happened, ToSend};
use crate::providers::Permit;
use crate::traces;

/// A node whose clock is off gives the job back for so long.
const CLOCK_OFF_PAUSE: Duration = Duration::from_secs(1);

/// Dials a reserved attempt.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Dial {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
}

#[async_trait]
impl Job for Dial {
    const KIND: &'static str = "dial.v1";
    const SLOTS: usize = 256;
    const TRIES: i16 = 10;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        crash::point("dial.claimed");
        if let Some((request, seen)) = ctx.engine.take_laid_out(ctx.lease) {
            return self.send(ctx, request, seen).await;
        }
        if ctx.engine.clock_is_off() {
            // Another node may take it meanwhile.
            return Err(JobError::Later(CLOCK_OFF_PAUSE));
        }
        let attempt = self.number;
        let token = Uuid::new_v4();
        // Whether the lease holds is seen by the transaction that decides.
        let submit = Input::Submit { attempt, token, lease_held: false };
        let reply = ctx.engine.input(self.client, self.lead, submit, Some(ctx.lease)).await?;
        let (Answer::Send(_), Some(request)) = (reply.answer, reply.send) else {
            return Ok(()); // Withdrawn, or somebody else's: said so already.
        };
        self.send(ctx, request, reply.seen).await
    }
}

impl Dial {
    /// Sends what was submitted after `seen`, and records the answer.
    async fn send(self, ctx: &Ctx, request: ToSend, seen: Instant) -> Result<(), JobError> {
        crash::point("place.before_send");
        ctx.engine.tell(Happened::Dialling);
        ctx.engine.metrics().dialling();
        let began = Instant::now();
        let provider = request.carrier.provider();
        let span = tracing::debug_span!(target: traces::TARGET, "dial request", provider = provider.name());
        let placing = request.carrier.place(Permit::from_commit(seen), &request.body);
        let reply = placing.instrument(span).await;
        ctx.engine.metrics().dialled(provider, &reply, began.elapsed());
        crash::point("place.after_send");
        let replied = Input::Replied { attempt: self.number, reply };
        ctx.engine.input(self.client, self.lead, replied, Some(ctx.lease)).await?;
        Ok(())
    }
}
