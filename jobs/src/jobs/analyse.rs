//! Has a model say what came of a conversation.

use std::collections::BTreeMap;

use async_trait::async_trait;
use outdial_workflows::Moment;
use outdial_workflows::analysis::{self, INSTRUCTIONS, SCHEMA_NAME};
use outdial_workflows::ids::{AttemptNumber, AttemptRef, ClientId, DialKey, JobId, LeadId, new_id};
use outdial_workflows::playbook::Field;
use outdial_workflows::results::{CallResults, Speaker};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Ctx, Job, JobError};
use crate::media::openai::ExtractError;
use crate::operations::{OperationError, playbooks, reports};
use crate::store::queue::NewJob;
use crate::store::{self, StoreError};

/// A process without a model leaves it to another.
const ELSEWHERE: std::time::Duration = std::time::Duration::from_secs(30);

/// Analyses the conversation of an attempt that an agent of ours has held.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Analyse {
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
}

impl Analyse {
    /// The analysis of an attempt.
    pub(crate) fn of(AttemptRef { client, lead, number }: AttemptRef) -> Self {
        Self { client, lead, number }
    }

    /// It, to be queued. It is no step of the lead: it comes after the call.
    pub(crate) fn queued(self, now: Moment) -> NewJob {
        NewJob {
            id: JobId(new_id(now)),
            kind: Self::KIND,
            step: None,
            args: json!(self),
            priority: 2,
            born_claimed: None,
        }
    }

    /// Whether there is anything to analyse: the person said something.
    pub(crate) fn is_worth_it(results: &CallResults) -> bool {
        results.transcript.iter().any(|turn| turn.speaker == Speaker::Person)
    }
}

#[async_trait]
impl Job for Analyse {
    const KIND: &'static str = "analyse.v1";
    const SLOTS: usize = 8;
    const TRIES: i16 = 5;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let Some(reception) = ctx.engine.reception() else { return Err(JobError::Later(ELSEWHERE)) };
        let key = DialKey(AttemptRef { client: self.client, lead: self.lead, number: self.number });
        let (known, campaign) = store::in_time(async {
            let mut conn = ctx.engine.pool().acquire().await?;
            let known = store::call_results::read(&mut conn, self.client, self.lead, self.number).await?;
            Ok::<_, StoreError>((
                known,
                store::workflows::campaign_of(&mut conn, self.client, self.lead).await?,
            ))
        })
        .await?;
        if let Some(known) = known.filter(Self::is_worth_it) {
            let fields = self.fields(ctx, &known).await?;
            let told = analysis::told(&known.transcript);
            let model = reception.speech().model();
            let answer = model.extract(SCHEMA_NAME, &analysis::schema(&fields), INSTRUCTIONS, &told).await;
            let results = answer.map_err(Problem::Model).and_then(|answer| {
                analysis::read(answer, &fields, &known.transcript, &known.analysis).map_err(Problem::Shape)
            });
            match results {
                Ok(results) => {
                    let qualified = results.analysis.get("qualified").and_then(Value::as_bool);
                    if let Some(campaign) = campaign {
                        ctx.engine.metrics().analysed(self.client, campaign, qualified);
                    }
                    reports::result(&ctx.engine, key, results).await?;
                }
                // Asking again would be answered the same.
                Err(Problem::Model(error @ (ExtractError::Refused(_) | ExtractError::Filtered))) => {
                    tracing::warn!(attempt = %key, %error, "a conversation was not analysed");
                }
                Err(problem) => return Err(JobError::Panicked(problem.to_string())),
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

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Model(ExtractError),
    #[error("the model's answer is not in the shape that was asked for: {0}")]
    Shape(serde_json::Error),
}

impl Analyse {
    /// The fields of the playbook that the conversation went by; none, if it cannot be read any more.
    async fn fields(&self, ctx: &Ctx, known: &CallResults) -> Result<BTreeMap<String, Field>, JobError> {
        let Some(course) = &known.course else { return Ok(BTreeMap::new()) };
        match playbooks::of(&ctx.engine, self.client, &course.playbook, Some(course.version)).await {
            Ok((playbook, _)) => Ok(playbook.fields.clone()),
            Err(OperationError::NotFound { .. } | OperationError::NotPossible(_)) => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}
