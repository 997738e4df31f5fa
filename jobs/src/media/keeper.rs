//! Stores what a conversation says and finds out, as it happens, and does what it wants done elsewhere.

use std::time::Duration;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use outdial_workflows::Moment;
use outdial_workflows::conversation::{Act, Ending, Heard, Transferred};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::results::{CallResults, Course, Turn};
use outdial_workflows::transfer::{Briefing, TransferState};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::Engine;
use crate::operations::{By, OperationError, reports, transferring};
use crate::store::{self, StoreError};

/// How often it is looked what came of a transfer. Carriers tell it to whichever process has their webhook.
const TRANSFER_LOOK: Duration = Duration::from_millis(500);

/// Stores what one conversation says.
pub(crate) struct Keeper {
    engine: Engine,
    attempt: AttemptRef,
    /// Where the conversation hears what came of what it wanted.
    tell: mpsc::Sender<Heard>,
    /// The person's clock.
    zone: Tz,
    kept: Kept,
    transfer: Option<AbortOnDropHandle<()>>,
}

/// What a conversation yields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) turns: Vec<Turn>,
    pub(crate) known: Map<String, Value>,
    /// Whether the person wants to be called no more.
    pub(crate) do_not_call: bool,
    /// When the person wants to be called again.
    pub(crate) call_back_at: Option<Moment>,
}

impl Kept {
    /// As results of the call.
    pub(crate) fn into_results(self, course: Course) -> CallResults {
        CallResults {
            transcript: self.turns,
            voicemail: matches!(course.ending, Ending::Mailbox { .. }).then_some(true),
            do_not_call: self.do_not_call.then_some(true),
            call_back_at: self.call_back_at,
            course: Some(course),
            analysis: self.known,
            ..CallResults::default()
        }
    }
}

impl Keeper {
    pub(crate) fn new(engine: Engine, attempt: AttemptRef, tell: mpsc::Sender<Heard>, zone: Tz) -> Self {
        Self { engine, attempt, tell, zone, kept: Kept::default(), transfer: None }
    }

    /// Does what it is told, until there is no more.
    pub(crate) async fn run(mut self, mut acts: mpsc::UnboundedReceiver<Act>) -> Kept {
        while let Some(act) = acts.recv().await {
            if let Err(error) = self.act(act).await {
                // It is in what is recorded in the end.
                tracing::warn!(attempt = %DialKey(self.attempt), error = &error as &dyn std::error::Error,
                    "something of a conversation was not stored as it happened");
            }
        }
        self.kept
    }

    async fn act(&mut self, act: Act) -> Result<(), OperationError> {
        match act {
            Act::Keep(spoken) => {
                let (place, turn) = (spoken.number, Turn::from(spoken));
                self.kept.turns.push(turn.clone());
                self.store(async |conn, attempt| {
                    store::conversations::keep(conn, attempt, place, &turn).await
                })
                .await?;
            }
            Act::Note { name, value, .. } => {
                self.kept.known.insert(name.clone(), value.clone());
                let known = Map::from_iter([(name, value)]);
                self.store(async |conn, attempt| store::conversations::note(conn, attempt, known).await)
                    .await?;
            }
            Act::Suppress => {
                self.kept.do_not_call = true;
                let results = CallResults { do_not_call: Some(true), ..CallResults::default() };
                reports::result(&self.engine, DialKey(self.attempt), results).await?;
            }
            Act::CallBack { at } => {
                self.kept.call_back_at = Some(moment(at, self.zone));
                let results = CallResults { call_back_at: self.kept.call_back_at, ..CallResults::default() };
                reports::result(&self.engine, DialKey(self.attempt), results).await?;
            }
            Act::Transfer { to, briefing } => self.transfer(Some((to, briefing))),
            Act::FollowTransfer => self.transfer(None),
            Act::Ask { .. } | Act::Abandon(_) | Act::Say { .. } | Act::Hush | Act::End(_) => {}
        }
        Ok(())
    }

    /// Has the call handed over, unless somebody has ordered that, and tells the conversation what comes of it.
    fn transfer(&mut self, ours: Option<(String, Option<Briefing>)>) {
        let (engine, attempt, tell) = (self.engine.clone(), self.attempt, self.tell.clone());
        let task = tokio::spawn(async move {
            let ordered = match ours {
                Some((to, briefing)) => {
                    let of = (attempt.client, attempt.lead);
                    let by = By { actor: "agent", reason: None };
                    transferring::transfer(&engine, of, &to, briefing, by).await
                }
                None => Ok(()),
            };
            let what = match ordered {
                Ok(()) => outcome(&engine, attempt).await,
                Err(error) => Transferred::Failed(error.to_string()),
            };
            // A conversation that is over need not know.
            let _ = tell.send(Heard::Transferred(what)).await;
        });
        self.transfer = Some(AbortOnDropHandle::new(task));
    }

    async fn store(
        &self,
        statement: impl AsyncFnOnce(&mut sqlx::PgConnection, AttemptRef) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        store::in_time(async {
            let mut conn = self.engine.pool().acquire().await?;
            statement(&mut conn, self.attempt).await
        })
        .await
    }
}

/// A time as the person's clock shows it: the first such one, if the clock shows it twice, and the first after it, if
/// it never does.
fn moment(local: NaiveDateTime, zone: Tz) -> Moment {
    use chrono::{Offset as _, TimeZone as _};
    let earliest = zone.from_local_datetime(&local).earliest();
    earliest.map_or_else(
        || {
            // As clocks showed it before they went forward.
            let offset = zone.offset_from_utc_datetime(&(local - chrono::TimeDelta::days(1))).fix();
            (local - offset).and_utc()
        },
        |at| at.to_utc(),
    )
}

/// Waits for what comes of a transfer.
async fn outcome(engine: &Engine, attempt: AttemptRef) -> Transferred {
    loop {
        tokio::time::sleep(TRANSFER_LOOK).await;
        match transferring::latest(engine, attempt).await.map(|latest| latest.map(|transfer| transfer.state))
        {
            Ok(Some(TransferState::Done)) => return Transferred::Done,
            Ok(Some(TransferState::Refused)) => return Transferred::Failed("it was refused".into()),
            Ok(Some(TransferState::Unknown)) => return Transferred::Failed("nothing is known of it".into()),
            Ok(Some(TransferState::Ordered | TransferState::Asked | TransferState::UnderWay)) | Err(_) => {}
            Ok(None) => return Transferred::Failed("the call is over".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(local: &str, zone: Tz) -> String {
        moment(local.parse().expect("a time"), zone).to_rfc3339()
    }

    #[test]
    fn a_time_is_the_persons_also_where_their_clock_shows_it_twice_or_never() {
        assert_eq!(utc("2026-01-14T10:00:00", chrono_tz::Asia::Kolkata), "2026-01-14T04:30:00+00:00");
        // Clocks went back at 2:00 to 1:00, and forward at 2:00 to 3:00.
        assert_eq!(utc("2026-11-01T01:30:00", chrono_tz::America::New_York), "2026-11-01T05:30:00+00:00");
        assert_eq!(utc("2026-03-08T02:30:00", chrono_tz::America::New_York), "2026-03-08T07:30:00+00:00");
    }
}
