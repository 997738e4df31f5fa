//! A call, followed as it is talked.

use std::collections::VecDeque;
use std::time::Duration;

use outdial_workflows::call::CallStatus;
use outdial_workflows::ids::{AttemptRef, ClientId, LeadId};
use outdial_workflows::results::Turn;
use outdial_workflows::workflow::State;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::{OperationError, calls};
use crate::engine::Engine;

/// How often is looked at least: how far a call has come is not told by its conversation.
const LOOK: Duration = Duration::from_secs(1);

/// What is new about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// Something was said.
    Turn {
        /// Its place among the turns, from 1.
        place: usize,
        /// What.
        turn: Turn,
    },
    /// The call stands so.
    Status(CallStatus),
}

/// Somebody who follows a call.
pub struct Following {
    engine: Engine,
    client: ClientId,
    call: LeadId,
    /// How many turns were told.
    told: usize,
    /// As it was told last.
    status: Option<CallStatus>,
    sayings: broadcast::Receiver<AttemptRef>,
    read: VecDeque<Followed>,
    looked: bool,
    over: bool,
}

impl Following {
    /// Follows a call from behind this many turns on.
    ///
    /// # Errors
    /// If the client has no such call.
    pub async fn begin(
        engine: &Engine,
        client: ClientId,
        call: LeadId,
        told: usize,
    ) -> Result<Self, OperationError> {
        // Before the first look, so that nothing is missed after it.
        let sayings = engine.hub().sayings();
        calls::get(engine, client, call).await?;
        let (engine, status, read) = (engine.clone(), None, VecDeque::new());
        Ok(Self { engine, client, call, told, status, sayings, read, looked: false, over: false })
    }

    /// What comes next; nothing more once the call's lead has come to its end, or as the process stops.
    ///
    /// # Errors
    /// The database.
    pub async fn next(&mut self) -> Result<Option<Followed>, OperationError> {
        loop {
            if let Some(next) = self.read.pop_front() {
                return Ok(Some(next));
            }
            if self.over || self.engine.is_stopping() {
                return Ok(None);
            }
            if std::mem::replace(&mut self.looked, true) {
                self.wait().await;
            }
            self.look().await?;
        }
    }

    /// Until something is said in the call, or it is time to look.
    async fn wait(&mut self) {
        let until = Instant::now() + LOOK;
        loop {
            match tokio::time::timeout_at(until, self.sayings.recv()).await {
                Ok(Ok(attempt)) if (attempt.client, attempt.lead) != (self.client, self.call) => {}
                // Having missed some is a reason to look, too.
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => return,
                Ok(Err(broadcast::error::RecvError::Closed)) => return tokio::time::sleep_until(until).await,
            }
        }
    }

    async fn look(&mut self) -> Result<(), OperationError> {
        let (standing, results) = calls::get(&self.engine, self.client, self.call).await?;
        let turns = results.map(|results| results.transcript).unwrap_or_default();
        let count = turns.len();
        let new = turns.into_iter().enumerate().skip(self.told);
        self.read.extend(new.map(|(at, turn)| Followed::Turn { place: at + 1, turn }));
        self.told = self.told.max(count);
        if self.status != Some(standing.status) {
            self.status = Some(standing.status);
            self.read.push_back(Followed::Status(standing.status));
        }
        self.over = standing.lead.state == State::Finished;
        Ok(())
    }
}
