//! Ending a call.

use reqwest::header::CONTENT_TYPE;

use super::Telnyx;
use super::reads::{codes, words};
use crate::providers::answer::Answer;
use crate::providers::{HangUp, Question};

impl Telnyx {
    /// Ends a call whether it rings or is answered. One that Telnyx has not named to us is looked for among
    /// the active calls.
    pub(super) async fn hang_up_call(&self, question: &Question<'_>) -> HangUp {
        match self.try_hang_up(question).await {
            Ok(done) => done,
            Err(cause) => HangUp::Failed { cause: self.tidy(&cause) },
        }
    }

    async fn try_hang_up(&self, question: &Question<'_>) -> Result<HangUp, String> {
        let call = match &question.attempt.call_id {
            Some(call) => call.clone(),
            None => {
                let active = self.active(question).await?;
                active.ok_or("no call with our key is active; it may not have begun")?
            }
        };
        let url = self.v2(&["calls", &call.0, "actions", "hangup"]);
        question.requests.another();
        // No `command_id`: ending a call twice does no harm, and a repeated id would be let pass unheeded.
        let request = self.http.post(url).header(CONTENT_TYPE, "application/json").body("{}");
        let answer = self.answer_to(request).await?;
        if answer.status.is_success() {
            return Ok(HangUp::Asked);
        }
        if is_over(&answer) {
            return Ok(HangUp::Over);
        }
        Err(format!("the call could not be ended: {}", words(&answer)))
    }
}

/// The call has ended, or ended so long ago that its name is not known any more.
fn is_over(answer: &Answer) -> bool {
    let refused = matches!(answer.status.as_u16(), 404 | 422);
    refused && codes(answer).iter().any(|code| matches!(code.as_str(), "90018" | "90015" | "10005"))
}
