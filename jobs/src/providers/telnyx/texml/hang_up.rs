//! Ending a TeXML call.

use reqwest::header::CONTENT_TYPE;

use super::FORM;
use crate::providers::answer::Answer;
use crate::providers::telnyx::Telnyx;
use crate::providers::telnyx::reads::{codes, words};
use crate::providers::{HangUp, Question};

impl Telnyx {
    /// Ends a call whether it rings or is answered. One that Telnyx has not named to us is looked for.
    pub(in crate::providers::telnyx) async fn hang_up_texml(&self, question: &Question<'_>) -> HangUp {
        match self.try_hang_up_texml(question).await {
            Ok(done) => done,
            Err(cause) => HangUp::Failed { cause: self.tidy(&cause) },
        }
    }

    async fn try_hang_up_texml(&self, question: &Question<'_>) -> Result<HangUp, String> {
        let call = match &question.attempt.call_id {
            Some(call) => call.clone(),
            None => {
                let found = self.search_texml(question).await?.and_then(|fact| fact.call_id);
                found.ok_or("Telnyx shows no such call; it may not have begun")?
            }
        };
        let url = self.texml_calls(&[&call.0])?;
        question.requests.another();
        let request = self.http.post(url).header(CONTENT_TYPE, FORM).body("Status=completed");
        let answer = self.answer_to(request).await?;
        if answer.status.is_success() {
            return Ok(HangUp::Asked);
        }
        if is_over(&answer) {
            return Ok(HangUp::Over);
        }
        Err(format!("the call could not be ended: {}{}", words(&answer), remedy(&answer)))
    }
}

fn is_over(answer: &Answer) -> bool {
    answer.status.as_u16() == 422
        && codes(answer).iter().any(|code| matches!(code.as_str(), "90018" | "90015"))
}

/// Calls are kept for 30 days, so one that is not known is none of that account's.
fn remedy(answer: &Answer) -> &'static str {
    if answer.status.as_u16() == 404 { "; check account_sid in the account's settings" } else { "" }
}
