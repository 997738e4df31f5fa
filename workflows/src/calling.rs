//! How far a call has come, as its client sees it: from the lead's state and its latest attempt.

use crate::call::CallStatus;
use crate::outcome::Outcome;
use crate::workflow::State;

/// Where a call's lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    /// The lead's state.
    pub state: State,
    /// What came of it, once finished.
    pub outcome: Option<Outcome>,
    /// How far the latest attempt has come, if there was one.
    pub attempt: Option<CallStatus>,
}

/// One of the eight states that a call is in for those who ordered it.
///
/// A call that waits to be tried again is scheduled again. What ended without an outcome was cancelled; what
/// no carrier could put through has failed.
pub fn call_status(stands: Stands) -> CallStatus {
    match stands.state {
        State::Waiting | State::Held => CallStatus::Scheduled,
        State::Dialling | State::Calling => match stands.attempt {
            Some(status) if !status.is_final() => status,
            // Its end is not taken in yet.
            Some(_) | None => CallStatus::Initiated,
        },
        State::Settling => CallStatus::Completed,
        State::Finished => match stands.outcome {
            None => CallStatus::Cancelled,
            Some(Outcome::Failed | Outcome::InvalidNumber | Outcome::Unknown) => CallStatus::Failed,
            Some(_) => CallStatus::Completed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_in_one_of_the_states_that_its_client_knows() {
        let at = |state, outcome, attempt| call_status(Stands { state, outcome, attempt }).name();
        for (state, outcome, attempt, status) in [
            (State::Waiting, None, None, "scheduled"),
            (State::Waiting, None, Some(CallStatus::Completed), "scheduled"),
            (State::Held, None, None, "scheduled"),
            (State::Dialling, None, Some(CallStatus::Scheduled), "scheduled"),
            (State::Dialling, None, Some(CallStatus::Initiated), "initiated"),
            (State::Calling, None, Some(CallStatus::Ringing), "ringing"),
            (State::Calling, None, Some(CallStatus::Connected), "connected"),
            (State::Settling, None, Some(CallStatus::Completed), "completed"),
            (State::Finished, Some(Outcome::SaleMade), Some(CallStatus::Completed), "completed"),
            (State::Finished, Some(Outcome::NoAnswer), Some(CallStatus::Completed), "completed"),
            (State::Finished, Some(Outcome::InvalidNumber), Some(CallStatus::Failed), "failed"),
            (State::Finished, None, None, "cancelled"),
        ] {
            assert_eq!(at(state, outcome, attempt), status, "{state:?} {outcome:?} {attempt:?}");
        }
    }
}
