//! Ending a call.

use outdial_workflows::call::CallStatus;

use super::reads::words;
use super::{Retell, mapping};
use crate::providers::answer::Answer;
use crate::providers::{HangUp, Question};

impl Retell {
    /// Retell documents that it ends ongoing calls, and nothing of calls that still ring. So what it turns down
    /// is looked at. A call that was answered meanwhile can be ended after all. One that still rings cannot be
    /// yet, which is a failure and no impossibility: whoever asks again ends it once somebody picks up.
    pub(super) async fn stop_call(&self, question: &Question<'_>) -> HangUp {
        let Some(call) = &question.attempt.call_id else {
            return HangUp::Failed { cause: "Retell has not named the call yet".into() };
        };
        let ended = match self.stop(&call.0, question).await {
            Ok(answer) if answer.status.is_success() => Ok(HangUp::Asked),
            Ok(answer) => self.why_not(&call.0, &answer, question).await,
            Err(cause) => Err(cause),
        };
        ended.unwrap_or_else(|cause| HangUp::Failed { cause: self.credentials.tidy(&cause) })
    }

    async fn stop(&self, id: &str, question: &Question<'_>) -> Result<Answer, String> {
        question.requests.another();
        self.post(&["v2", "stop-call", id], None::<&()>).await
    }

    async fn why_not(&self, id: &str, refused: &Answer, question: &Question<'_>) -> Result<HangUp, String> {
        if !matches!(refused.status.as_u16(), 400 | 404 | 409 | 422) {
            return Err(words(refused));
        }
        question.requests.another();
        let Some(call) = self.read_call(id).await? else { return Ok(HangUp::Over) };
        if mapping::is_over(&call) {
            return Ok(HangUp::Over);
        }
        if mapping::latest(&call).status.rank() < CallStatus::Connected.rank() {
            return Err(format!(
                "it still rings, and Retell ends calls once they are answered: {}",
                words(refused)
            ));
        }
        let again = self.stop(id, question).await?;
        if again.status.is_success() { Ok(HangUp::Asked) } else { Err(words(&again)) }
    }
}
