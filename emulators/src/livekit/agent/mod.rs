//! The emulator's agent: comes when dispatched, talks when the phone is answered, and reports to the
//! address in its dispatch.
//!
//! LiveKit has no such reports. They are what an agent of ours does by itself, given metadata like
//! `{"report": {"url": "https://…", "token": "…"}}`: it posts turns to `<url>/turns` and the result
//! to `<url>/result`, with the token as bearer.

mod report;
mod script;

use std::{future, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::watch, time};

use self::report::{Address, Reporter};
pub use self::script::{AgentResult, AgentScript, Reports, Role, Turn};
use super::{
    DisconnectReason, Hub, id,
    participant::{Dispatch, Job, JobStatus, Kind, Participant},
    room::{Answered, Line, Room},
    rooms::act,
};
use crate::{carrier::Paced as _, clock};

/// A job for an agent.
#[derive(Debug)]
pub(super) struct Assignment {
    room: String,
    dispatch: String,
    identity: String,
    report: Option<Address>,
    line: watch::Receiver<Line>,
}

impl Assignment {
    pub(super) fn new(room: &Room, dispatch: &Dispatch, job: &Job) -> Self {
        Self {
            room: room.name.clone(),
            dispatch: dispatch.id.clone(),
            identity: job.identity.clone(),
            report: Address::of(&dispatch.metadata),
            line: room.line.subscribe(),
        }
    }
}

/// A job that nobody has taken up yet.
pub(super) fn job() -> Job {
    let id = id::new("AJ_");
    Job {
        identity: format!("agent-{id}"),
        id,
        status: JobStatus::Pending,
        error: String::new(),
        started: None,
        ended: None,
    }
}

/// What is left to do when the agent has left.
enum Rest {
    Nothing,
    Crashed,
    Report { answered: Box<Answered>, talked: Duration, after: Duration },
}

/// Carries out a job.
pub(super) async fn attend(hub: Arc<Hub>, mut job: Assignment) {
    let agent = Participant::new(Kind::Agent, job.identity.clone(), clock::now());
    let (sid, gone) = (agent.sid.clone(), agent.gone.clone());
    if !begin(&hub, &job, agent) {
        return;
    }
    let mut gone = gone.subscribe();
    let rest = tokio::select! {
        rest = converse(&hub, &mut job) => rest,
        () = thrown_out(&mut gone) => Rest::Nothing,
    };
    finish(&hub, &job, &sid, matches!(rest, Rest::Crashed));
    if let (Rest::Report { answered, talked, after }, Some(address)) = (rest, &job.report) {
        time::sleep(hub.config().pace().wall(after)).await;
        let said = answered.script.turns.iter();
        let said: Vec<_> = said.filter(|turn| turn.at <= talked).collect();
        let reporter = Reporter { hub: &hub, address, call: &answered.call, copies: 1 };
        reporter.turns(&said).await;
        reporter.result(answered.script.result.as_ref()).await;
    }
}

/// A room that closes throws nobody out: an agent still reports what it knows.
async fn thrown_out(gone: &mut watch::Receiver<Option<DisconnectReason>>) {
    let removed = |reason: &Option<_>| *reason == Some(DisconnectReason::ParticipantRemoved);
    if gone.wait_for(removed).await.is_err() {
        future::pending::<()>().await;
    }
}

/// The agent comes; `false` if it is not wanted any more.
fn begin(hub: &Arc<Hub>, assignment: &Assignment, agent: Participant) -> bool {
    let config = hub.config();
    let (name, sid) = (&assignment.room, agent.sid.clone());
    act(hub, |world| {
        let Some(room) = world.more.get_mut(name) else { return false };
        let shown = room.info();
        let Some(dispatch) = room.dispatch_mut(&assignment.dispatch) else { return false };
        let Some(job) = dispatch.job.as_mut() else { return false };
        job.status = JobStatus::Running;
        job.started = Some(clock::now());
        let job = job.clone();
        let told = json!({"job": dispatch.job_info(&job, &shown)});
        world.more.tell(&config, name, "agent_job_started", told);
        world.more.enter(&config, name, agent);
        world.more.join(&config, name, &sid);
        true
    })
}

fn finish(hub: &Arc<Hub>, job: &Assignment, sid: &str, crashed: bool) {
    let config = hub.config();
    let (reason, error) = if crashed {
        (DisconnectReason::AgentError, Some("the agent crashed"))
    } else {
        (DisconnectReason::ClientInitiated, None)
    };
    act(hub, |world| {
        world.more.leave(&config, &job.room, sid, reason);
        world.more.end_job(&config, &job.room, &job.dispatch, error);
    });
}

/// Waits for a call, and stays until its end.
async fn converse(hub: &Arc<Hub>, job: &mut Assignment) -> Rest {
    let Some(answered) = answer(&mut job.line).await else { return Rest::Nothing };
    let script = answered.script.clone();
    let copies = match (script.reports, &job.report) {
        (Reports::Late { by }, Some(_)) => {
            return match script.crashes_after {
                Some(after) if reached(hub, &mut job.line, &answered, after).await => Rest::Crashed,
                _ => {
                    let pace = hub.config().pace();
                    let talked = over(&mut job.line).await;
                    let talked = talked.unwrap_or_else(|| pace.nominal(answered.at.elapsed()));
                    Rest::Report { answered: Box::new(answered), talked, after: by }
                }
            };
        }
        (Reports::Once, Some(_)) => 1,
        (Reports::Twice, Some(_)) => 2,
        (Reports::Never, _) | (_, None) => 0,
    };
    let nowhere = Address::default();
    let address = job.report.clone().unwrap_or(nowhere);
    let reporter = Reporter { hub, address: &address, call: &answered.call, copies };
    for turn in &script.turns {
        if let Some(after) = script.crashes_after.filter(|after| *after < turn.at) {
            return crash(hub, &mut job.line, &answered, after).await;
        }
        if !reached(hub, &mut job.line, &answered, turn.at).await {
            break;
        }
        reporter.turns(&[turn]).await;
    }
    if let Some(after) = script.crashes_after {
        return crash(hub, &mut job.line, &answered, after).await;
    }
    reporter.result(script.result.as_ref()).await;
    over(&mut job.line).await;
    Rest::Nothing
}

async fn crash(
    hub: &Arc<Hub>,
    line: &mut watch::Receiver<Line>,
    answered: &Answered,
    after: Duration,
) -> Rest {
    if reached(hub, line, answered, after).await { Rest::Crashed } else { Rest::Nothing }
}

/// The room's call once it is answered; `None` if it ends before.
async fn answer(line: &mut watch::Receiver<Line>) -> Option<Answered> {
    let line = line.wait_for(|line| line.answered.is_some() || line.over.is_some()).await.ok()?;
    line.answered.clone()
}

/// Waits until the call is over and says how long it was; `None` if its room is gone first.
async fn over(line: &mut watch::Receiver<Line>) -> Option<Duration> {
    line.wait_for(|line| line.over.is_some()).await.ok()?.over
}

/// Waits until `at` after the answer; `false` if the call ends before.
async fn reached(
    hub: &Arc<Hub>,
    line: &mut watch::Receiver<Line>,
    answered: &Answered,
    at: Duration,
) -> bool {
    if at > answered.at_most {
        over(line).await;
        return false;
    }
    let due = answered.at + hub.config().pace().wall(at);
    tokio::select! {
        biased;
        talked = over(line) => talked.is_some_and(|talked| at <= talked),
        () = time::sleep_until(due) => true,
    }
}
