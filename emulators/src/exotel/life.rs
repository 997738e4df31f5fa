//! One call from ringing to its end. It runs in one task, which also delivers its callbacks.

use std::{future, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time};

use super::{
    Hub,
    call::{Call, Status},
    callback::{self, News},
    config::Config,
    dial::Event,
    scenario::{Outcome, Scenario},
    stream,
};
use crate::carrier::{Notice, Paced as _};

/// How long a phone rings at most when the request does not say, for a silent call.
const SILENT_RING: Duration = Duration::from_secs(30);

/// Longest session of a bot's socket.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// Plays `scenario` on a call just placed.
pub(super) async fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) {
    let (notices, inbox) = mpsc::unbounded_channel();
    let delivery = callback::deliver(&hub, &call, &scenario.quirks, inbox);
    let life = Life { hub: &hub, config: hub.config(), call: &call, scenario: &scenario, notices };
    tokio::join!(life.run(), delivery);
}

struct Life<'a> {
    hub: &'a Hub,
    config: Arc<Config>,
    call: &'a Call,
    scenario: &'a Scenario,
    notices: mpsc::UnboundedSender<Notice<News>>,
}

impl Life<'_> {
    async fn run(self) {
        if self.scenario.outcome == Outcome::Silent {
            return self.keep_silent().await;
        }
        self.enter(Status::Ringing, Event::Ringing);
        let given_up = self.call.request.ring_timeout.filter(|most| *most < self.scenario.ring);
        self.wait(given_up.unwrap_or(self.scenario.ring)).await;
        if given_up.is_some() {
            return self.end(Status::NoAnswer, Duration::ZERO);
        }
        match self.scenario.outcome {
            Outcome::Answered { talk } => self.answer(talk).await,
            Outcome::NoAnswer => self.end(Status::NoAnswer, Duration::ZERO),
            Outcome::Busy => self.end(Status::Busy, Duration::ZERO),
            Outcome::Failed => self.end(Status::Failed, Duration::ZERO),
            Outcome::Canceled => self.end(Status::Canceled, Duration::ZERO),
            Outcome::Silent => unreachable!("returned above"),
        }
    }

    async fn answer(&self, talk: Duration) {
        self.enter(Status::InProgress, Event::Answered);
        let limit = self.call.request.time_limit;
        let talked = match self.call.request.stream() {
            None => self.talk(talk.min(limit)).await,
            Some(target) => {
                let bounds = stream::Bounds { caller_leaves: talk, cut_off: limit.min(STREAM_MAX) };
                let held = stream::hold(self.hub, self.call, target, self.scenario, bounds);
                // Boxed, as most calls have no stream and should not carry room for one.
                let (talked, report) = Box::pin(held).await;
                self.update(|call| call.stream = Some(report));
                talked
            }
        };
        self.end(Status::Completed, talked);
    }

    /// Waits out the talk and returns how long it was.
    async fn talk(&self, most: Duration) -> Duration {
        let began = time::Instant::now();
        self.wait(most).await;
        self.config.pace().nominal(began.elapsed()).min(most)
    }

    async fn keep_silent(&self) {
        self.update(|call| call.status = Status::InProgress);
        let ring = self.call.request.ring_timeout.unwrap_or(SILENT_RING);
        self.wait(ring + self.call.request.time_limit).await;
        self.finish(Status::Failed, Duration::ZERO);
    }

    /// Waits until `nominal` has passed or somebody nudges the call on.
    async fn wait(&self, nominal: Duration) {
        let wall = self.config.pace().wall(nominal);
        tokio::select! {
            () = self.call.base.nudge.notified() => {}
            () = time::sleep(wall), if !wall.is_zero() => {}
            () = future::ready(()), if wall.is_zero() => {}
        }
    }

    fn enter(&self, status: Status, event: Event) {
        let now = self.update(|call| {
            call.status = status;
            if event == Event::Answered {
                call.answered = Some(call.base.updated);
            }
        });
        self.tell(event, now);
    }

    fn end(&self, status: Status, talk: Duration) {
        let ended = self.finish(status, talk);
        self.tell(Event::Terminal, ended);
    }

    fn finish(&self, status: Status, talk: Duration) -> Option<Call> {
        let lag = self.config.pace().wall(self.config.reads.details_lag);
        self.hub.change(|world| {
            world.finish(self.call, &self.config, |call| {
                call.status = status;
                call.talk = talk;
                call.ended = Some(call.base.updated);
                call.settled = Some(time::Instant::now() + lag);
            })
        })
    }

    fn update(&self, change: impl FnOnce(&mut Call)) -> Option<Call> {
        self.hub.change(|world| world.update(self.call, change))
    }

    fn tell(&self, event: Event, call: Option<Call>) {
        let Some(call) = call else { return };
        // Nobody listens if the request named no callback.
        let _ = self.notices.send(Notice::now(News { event, call }));
    }
}
