//! Calls that a TeXML application answers: a flow's id is the application's. A flow of ours is run by an application,
//! too, which is told to ask us what to do ([`document`]).
//!
//! TeXML takes no key of ours and tells no copies apart, so a dial is sent once and never again. Our key
//! travels in the address of the callbacks, made anew for each attempt. A dial whose answer was lost is
//! looked for in the log of events, which may repeat that address, and in the list of calls to the number,
//! which names no key: a call there is ours for certain, somebody else's for certain, or reason to wait.

pub(super) mod ask;
pub(super) mod callback;
mod compose;
pub(super) mod document;
mod hang_up;
mod mapping;
mod place;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use place::destination;

use outdial_workflows::rules::Agent;
use url::Url;

use super::Telnyx;

/// The media type of requests and callbacks.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Whether it is a TeXML application that answers.
pub(super) fn answers(agent: &Agent) -> bool {
    match agent {
        Agent::Flow { .. } | Agent::Ivr { .. } => true,
        Agent::Stream { .. } | Agent::Hosted { .. } => false,
    }
}

impl Telnyx {
    /// An address below the account's TeXML calls; `parts` are escaped. `Err` if the account is not named.
    fn texml_calls(&self, parts: &[&str]) -> Result<Url, String> {
        let account = self.account_sid()?;
        Ok(self.v2(&[&["texml", "Accounts", account, "Calls"], parts].concat()))
    }

    /// `Err` says what to do.
    fn account_sid(&self) -> Result<&str, String> {
        let remedy = "set account_sid in the account's settings to the AccountSid of its TeXML callbacks: \
                      calls of flows are read and ended by it";
        self.settings.account_sid.as_deref().ok_or_else(|| remedy.to_owned())
    }
}
