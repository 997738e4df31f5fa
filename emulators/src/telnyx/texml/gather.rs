//! `<Gather>`: keys and words, during its prompts and after them.

use std::time::Duration;

use super::{
    document::GatherVerb,
    run::{Leave, Step},
};
use crate::telnyx::{
    hangup::Hangup,
    life::{Interrupt, Life},
    scenario::Answer,
};

/// What an action is told of the person.
pub(super) type Gathered = Vec<(&'static str, String)>;

impl Life {
    /// What was pressed or said; `None` if that was nothing, or not enough.
    pub(super) async fn collect(&mut self, verb: &GatherVerb) -> Step<Option<Gathered>> {
        let prompts: Option<Duration> = verb.prompts.iter().map(|verb| self.length(verb)).sum();
        for prompt in &verb.prompts {
            self.told(prompt);
        }
        let Some(answer) = self.next_answer() else { return self.keys(verb, prompts).await };
        let spent = match answer {
            Answer::Nothing => prompts.map(|length| length + verb.timeout),
            Answer::Keys(_) | Answer::Words(_) | Answer::HangsUp => prompts,
        };
        self.linger(spent).await?;
        Ok(match answer {
            Answer::Keys(keys) if verb.dtmf && keys.chars().count() >= verb.least => {
                let keys = keys.chars().filter(|key| Some(*key) != verb.finish).take(verb.most).collect();
                Some(vec![("Digits", keys)])
            }
            Answer::Words(words) if verb.speech => {
                Some(vec![("SpeechResult", words), ("Confidence", "0.9".to_owned())])
            }
            Answer::Keys(_) | Answer::Words(_) => {
                self.linger(Some(verb.timeout)).await?;
                None
            }
            Answer::Nothing => None,
            Answer::HangsUp => return Err(Leave::End(Hangup::by_callee())),
        })
    }

    /// What is answered next, if the scenario says.
    pub(super) fn next_answer(&mut self) -> Option<Answer> {
        (!self.scenario.answers.is_empty()).then(|| self.scenario.answers.remove(0))
    }

    async fn keys(&mut self, verb: &GatherVerb, prompts: Option<Duration>) -> Step<Option<Gathered>> {
        let mut digits = String::new();
        let mut until = prompts.map(|length| self.after(length + verb.timeout));
        loop {
            match self.step(until).await? {
                Interrupt::Elapsed => break,
                Interrupt::Digit(digit) if verb.dtmf => {
                    if Some(digit) == verb.finish {
                        break;
                    }
                    digits.push(digit);
                    if digits.chars().count() >= verb.most {
                        break;
                    }
                    until = Some(self.after(verb.timeout));
                }
                _ => {}
            }
        }
        let enough = !digits.is_empty() && digits.chars().count() >= verb.least;
        Ok(enough.then(|| vec![("Digits", digits)]))
    }
}
