//! Fires `wake_at` of workflows that are not waiting in a lane.
//!
//! Each process knows the timers that its own commits set, and sleeps until the
//! nearest. A sweep every few seconds fires those whose process is gone. Firing
//! twice is harmless.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::Input;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Engine;
use crate::store::{self, StoreError};

/// How often the database is asked for timers that nobody fired; half as often after it knew of none.
const SWEEP: Duration = Duration::from_secs(5);
/// A timer is left to the process that set it for this long.
const OWNERS_TURN: TimeDelta = TimeDelta::seconds(1);
/// The most timers fired from one look at the database.
const FIRED_AT_ONCE: i64 = 1_000;

/// The timers that this process set.
#[derive(Default)]
pub(super) struct Timers {
    set: Mutex<Set>,
    sooner: Notify,
}

/// `due` may hold outdated entries; `latest` says which entry of a lead stands.
#[derive(Default)]
struct Set {
    due: BinaryHeap<Reverse<(Moment, ClientId, LeadId)>>,
    latest: HashMap<LeadId, Moment>,
}

impl Timers {
    /// Takes in what a commit set or cleared.
    pub(super) fn set(&self, client: ClientId, timers: &[(LeadId, Option<Moment>)]) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = set.due.peek().map(|Reverse((at, ..))| *at);
        for (lead, at) in timers {
            match at {
                Some(at) => {
                    set.latest.insert(*lead, *at);
                    set.due.push(Reverse((*at, client, *lead)));
                }
                None => drop(set.latest.remove(lead)),
            }
        }
        if set.due.peek().map(|Reverse((at, ..))| *at) != nearest {
            self.sooner.notify_one();
        }
    }

    /// Takes the timers that are due at `now`, and tells when the next one is.
    fn take_due(&self, now: Moment) -> (Vec<(ClientId, LeadId)>, Option<Moment>) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = vec![];
        while let Some(Reverse((at, client, lead))) = set.due.peek().copied() {
            let stands = set.latest.get(&lead) == Some(&at);
            if stands && at > now {
                return (due, Some(at));
            }
            set.due.pop();
            if stands {
                set.latest.remove(&lead);
                due.push((client, lead));
            }
        }
        (due, None)
    }
}

/// Runs until the engine stops.
pub(super) async fn run(engine: Engine) {
    let mut next_sweep = Instant::now();
    // Follows the decisions' clock without asking it each time.
    let mut clock = None;
    loop {
        if Instant::now() >= next_sweep {
            next_sweep = Instant::now() + SWEEP;
            match sweep(&engine).await {
                Ok((now, found)) => {
                    clock = Some((now, Instant::now()));
                    if found == 0 {
                        next_sweep += SWEEP;
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the timers could not be swept");
                }
            }
        }
        let now = clock
            .and_then(|(read, at): (Moment, Instant)| Some(read + TimeDelta::from_std(at.elapsed()).ok()?));
        let mut until = next_sweep;
        if let Some(now) = now {
            let (due, next) = engine.inner.timers.take_due(now);
            fire_meanwhile(&engine, due);
            if let Some(wait) = next.and_then(|next| (next - now).to_std().ok()) {
                until = until.min(Instant::now() + wait);
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = engine.inner.timers.sooner.notified() => {}
            () = engine.stopping().cancelled() => return,
        }
    }
}

async fn sweep(engine: &Engine) -> Result<(Moment, usize), StoreError> {
    // Whether a timer has come is decided by the commit that takes it in.
    let now = engine.about_now().await?;
    let due = store::in_time(due(engine, now - OWNERS_TURN)).await?;
    let found = due.len();
    fire_meanwhile(engine, due);
    Ok((now, found))
}

/// Fires what the database knows to be due by more than `overdue`.
pub(super) async fn fire_due(engine: &Engine, overdue: TimeDelta) -> Result<usize, StoreError> {
    let now = engine.now().await?;
    let due = store::in_time(due(engine, now - overdue)).await?;
    let count = due.len();
    fire(engine, due).await;
    Ok(count)
}

async fn due(engine: &Engine, by: Moment) -> Result<Vec<(ClientId, LeadId)>, StoreError> {
    let mut conn = engine.inner.pool.acquire().await?;
    // A client whose commits rest takes nothing in; what is due of it stays due.
    let resting = engine.inner.gather.resting();
    let due = store::workflows::timers_due(&mut conn, by, &resting, FIRED_AT_ONCE).await?;
    Ok(due.into_iter().map(|timer| (timer.client, timer.lead)).collect())
}

/// Not waited for: one client's commits may take their time, and the others' timers must not.
fn fire_meanwhile(engine: &Engine, due: Vec<(ClientId, LeadId)>) {
    let firing = engine.clone();
    engine.inner.tasks.spawn(async move { fire(&firing, due).await });
}

/// Fires timers, and waits until they are taken in or their client's commits rest.
async fn fire(engine: &Engine, due: Vec<(ClientId, LeadId)>) {
    let fired = due.into_iter().map(|(client, lead)| async move {
        if let Some(Err(error)) = engine.input_unless_resting(client, lead, Input::Timer).await {
            tracing::warn!(lead.id = %lead, error = &error as &dyn std::error::Error, "a timer could not be fired");
        }
    });
    join_all(fired).await;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(s: i64) -> Moment {
        Moment::from_timestamp(1_700_000_000 + s, 0).expect("in range")
    }

    #[test]
    fn only_the_latest_timer_of_a_lead_fires() {
        let (client, a, b) = (ClientId(Uuid::nil()), LeadId(Uuid::from_u128(1)), LeadId(Uuid::from_u128(2)));
        let timers = Timers::default();
        timers.set(client, &[(a, Some(at(5))), (b, Some(at(6)))]);
        timers.set(client, &[(a, Some(at(20))), (b, None)]);
        assert_eq!(timers.take_due(at(10)), (vec![], Some(at(20))));
        assert_eq!(timers.take_due(at(20)), (vec![(client, a)], None));
        assert_eq!(timers.take_due(at(99)), (vec![], None));
    }
}
