//! One call from the INVITE to its end. Its webhooks are its room's, and sent by the room's queue.

use std::{future, sync::Arc, time::Duration};

use tokio::time;

use super::{
    DisconnectReason, Hub, World,
    call::{Call, Status, Verdict},
    config::Config,
    error::{Code, Refusal},
    failure::SipStatus,
    room::{Answered, merge},
    rooms::act,
    scenario::{Outcome, Scenario},
};
use crate::carrier::Paced as _;

/// When the bridge gives up an answered call that brings no audio.
const NO_MEDIA: Duration = Duration::from_secs(30);

/// How long a key is pressed, and how long a `w` among them waits.
const KEY: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(500);

/// Plays the scenario of a call just placed.
pub(super) async fn live(hub: Arc<Hub>, call: Call) {
    // Starts what placing it has called for: the room's keeper and its queues.
    act(&hub, |_| ());
    let scenario = call.scenario.clone();
    Life { hub: &hub, config: hub.config(), call: &call, scenario: &scenario }.run().await;
}

struct Life<'a> {
    hub: &'a Arc<Hub>,
    config: Arc<Config>,
    call: &'a Call,
    scenario: &'a Scenario,
}

/// Why a wait is over.
enum Woken {
    Due,
    /// A test does not want to wait any longer: what was waited for happens now.
    Nudged,
    /// The participant was taken out of its room, which hangs up.
    Gone(DisconnectReason),
}

/// How a call ends.
struct End {
    reason: DisconnectReason,
    sip_status: Option<SipStatus>,
    /// For a request that still waits.
    refusal: Refusal,
    talk: Duration,
}

impl End {
    fn new(reason: DisconnectReason) -> Self {
        let refusal = Refusal::new(Code::Canceled, "call was canceled");
        Self { reason, sip_status: None, refusal, talk: Duration::ZERO }
    }
}

impl Life<'_> {
    async fn run(self) {
        let silent = self.scenario.outcome == Outcome::Silent;
        let end = if silent { self.keep_silent().await } else { self.dial().await };
        self.end(end);
    }

    async fn dial(&self) -> End {
        let (ring, connect) = (self.scenario.ring, self.config.sip.connect);
        let refused = self.scenario.refused_with();
        // A refusal that comes first leaves nothing to join with.
        let aborted = refused.is_some() && ring < connect;
        if !connect.is_zero() {
            let joining = self.config.pace().wall(if aborted { ring } else { connect });
            if let Woken::Gone(reason) = self.pause(joining).await {
                return End::new(reason);
            }
        }
        if !aborted {
            self.join();
            let given_up = self.call.request.ringing_timeout < ring;
            let ring = ring.min(self.call.request.ringing_timeout).saturating_sub(connect);
            match self.wait(ring).await {
                Woken::Gone(reason) => return End::new(reason),
                Woken::Due if given_up => {
                    let refusal = Refusal::new(Code::Canceled, "sip request timed out");
                    return End { refusal, ..End::new(self.reason(DisconnectReason::UserUnavailable)) };
                }
                Woken::Due | Woken::Nudged => {}
            }
        }
        match refused {
            Some(status) => self.refused(status),
            None => self.answer().await,
        }
    }

    fn refused(&self, status: SipStatus) -> End {
        let trunk = &self.call.request.trunk;
        let refusal = if status.code == 407 && trunk.auth_username.is_empty() {
            let message = "sip server required auth, but no username or password was provided";
            Refusal::new(Code::FailedPrecondition, message)
        } else {
            status.refusal()
        };
        let reason = self.reason(status.disconnect_reason());
        End { reason, sip_status: Some(status), refusal, talk: Duration::ZERO }
    }

    async fn answer(&self) -> End {
        let began = time::Instant::now();
        let (talk, reason) = match self.scenario.outcome {
            Outcome::Answered { talk } => (talk, DisconnectReason::ClientInitiated),
            Outcome::NoMedia => (NO_MEDIA, DisconnectReason::UnknownReason),
            Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::InvalidNumber
            | Outcome::Failed
            | Outcome::Silent => unreachable!("nobody answers it"),
        };
        let most = talk.min(self.call.request.max_duration);
        self.pick_up(began, most);
        let keys: Duration =
            self.call.request.dtmf.chars().map(|key| if key == 'w' { PAUSE } else { KEY }).sum();
        if !keys.is_zero() {
            self.enter(Status::Automation);
            if let Woken::Gone(reason) = self.pause(self.config.pace().wall(keys)).await {
                return self.hung_up(reason, began, most);
            }
        }
        self.enter(Status::Active);
        match self.wait(most).await {
            Woken::Due | Woken::Nudged => self.hung_up(self.reason(reason), began, most),
            Woken::Gone(reason) => self.hung_up(reason, began, most),
        }
    }

    fn hung_up(&self, reason: DisconnectReason, began: time::Instant, most: Duration) -> End {
        let talk = self.config.pace().nominal(began.elapsed()).min(most);
        End { talk, ..End::new(reason) }
    }

    async fn keep_silent(&self) -> End {
        self.join();
        let request = &self.call.request;
        match self.wait(request.ringing_timeout + request.max_duration).await {
            Woken::Due | Woken::Nudged => End::new(self.reason(DisconnectReason::UnknownReason)),
            Woken::Gone(reason) => End::new(reason),
        }
    }

    /// The scenario's reason to leave, or else the usual one.
    fn reason(&self, usual: DisconnectReason) -> DisconnectReason {
        self.scenario.disconnect_reason.unwrap_or(usual)
    }

    /// Waits until `nominal` has passed or somebody nudges the call on.
    async fn wait(&self, nominal: Duration) -> Woken {
        let wall = self.config.pace().wall(nominal);
        tokio::select! {
            woken = self.pause(wall) => woken,
            () = self.call.base.nudge.notified() => Woken::Nudged,
        }
    }

    async fn pause(&self, wall: Duration) -> Woken {
        let mut gone = self.call.gone.subscribe();
        tokio::select! {
            biased;
            gone = gone.wait_for(Option::is_some) => {
                // The call itself holds the sender.
                Woken::Gone(gone.ok().and_then(|reason| *reason).unwrap_or_default())
            }
            () = time::sleep(wall), if !wall.is_zero() => Woken::Due,
            () = future::ready(()), if wall.is_zero() => Woken::Due,
        }
    }

    /// The participant becomes active, and the phone rings if the other side says so.
    fn join(&self) {
        act(self.hub, |world| {
            world.more.join(&self.config, &self.call.request.room, &self.call.participant);
        });
        if self.scenario.rings() {
            self.enter(Status::Ringing);
        }
    }

    fn pick_up(&self, at: time::Instant, at_most: Duration) {
        let request = &self.call.request;
        let call = self.hub.change(|world| {
            let call = world.update(self.call, |call| call.answered = Some(call.base.updated))?;
            let room = world.more.get_mut(&request.room)?;
            if let Some(one) = room.by_sid_mut(&self.call.participant) {
                merge(&mut one.attributes, self.scenario.attributes.clone());
            }
            Some(call)
        });
        let Some(call) = call else { return };
        let script = Arc::new(self.scenario.agent.clone());
        self.on_line(|line| line.answered = Some(Answered { call, at, at_most, script }));
        self.call.verdict.send_replace(Verdict::Answered);
    }

    /// Lets the room's agents know, unless a later call has the line.
    fn on_line(&self, change: impl FnOnce(&mut super::room::Line)) {
        let world = self.hub.read();
        let Some(room) = world.more.get(&self.call.request.room) else { return };
        room.line.send_if_modified(|line| {
            let ours = line.call.as_deref() == Some(&*self.call.base.id);
            if ours {
                change(line);
            }
            ours
        });
    }

    fn enter(&self, status: Status) {
        self.hub.change(|world| {
            world.update(self.call, |call| call.status = status);
            self.show(world, status);
        });
    }

    fn show(&self, world: &mut World, status: Status) {
        let room = world.more.get_mut(&self.call.request.room);
        let Some(one) = room.and_then(|room| room.by_sid_mut(&self.call.participant)) else { return };
        one.attributes.insert("sip.callStatus".into(), status.name().into());
        one.version += 1;
    }

    fn end(&self, end: End) {
        let End { reason, sip_status, refusal, talk } = end;
        act(self.hub, |world| {
            world.finish(self.call, &self.config, |call| {
                if call.answered.is_some() {
                    call.status = Status::Hangup;
                }
                call.talk = talk;
                call.ended = Some(call.base.updated);
                call.reason = Some(reason);
                call.sip_status = sip_status;
            });
            world.more.leave(&self.config, &self.call.request.room, &self.call.participant, reason);
        });
        self.on_line(|line| line.over = Some(talk));
        self.call.verdict.send_if_modified(|verdict| {
            let waits = matches!(verdict, Verdict::Pending);
            if waits {
                *verdict = Verdict::Failed(refusal);
            }
            waits
        });
    }
}
