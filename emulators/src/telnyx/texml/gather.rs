//! `<Gather>`: keys during its prompts and after them.

use super::{document::GatherVerb, run::Step};
use crate::telnyx::life::{Interrupt, Life};

impl Life {
    /// The keys pressed; `None` if there were not enough.
    pub(super) async fn collect(&mut self, verb: &GatherVerb) -> Step<Option<String>> {
        let mut digits = String::new();
        let prompts: Option<std::time::Duration> = verb.prompts.iter().map(|verb| self.length(verb)).sum();
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
        Ok(Some(digits).filter(|digits| !digits.is_empty() && digits.chars().count() >= verb.least))
    }
}
