//! One call from ringing to its analysis. It runs in one task, which also delivers its webhooks.

use std::{future, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time};

use super::{
    Hub,
    call::Call,
    config::Config,
    event::Event,
    reason::{Reason, Status},
    results::Ending,
    scenario::{Outcome, Scenario},
    webhook::{self, News},
};
use crate::carrier::{Notice, Paced as _};

/// How long a call over the limit on calls at once waits for a free slot.
const SLOT_WAIT: Duration = Duration::from_secs(40);

/// Plays `scenario` on a call just placed.
pub(super) async fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) {
    let (notices, inbox) = mpsc::unbounded_channel();
    let delivery = webhook::deliver(&hub, &call, &scenario.quirks, inbox);
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

/// What happens in the middle of a talk.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// So many turns have been spoken.
    Spoken(usize),
    /// The agent begins to hand over.
    Transfer,
    /// Somebody takes over, or nobody does.
    Transferred { bridged: bool },
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Over,
    /// Somebody moved the call on.
    Cut,
}

impl Life<'_> {
    async fn run(self) {
        if self.call.over_limit {
            self.wait(SLOT_WAIT).await;
            return self.end(Reason::ConcurrencyLimitReached, Duration::ZERO).await;
        }
        if self.scenario.outcome == Outcome::Silent {
            return self.keep_silent().await;
        }
        let most = self.call.request.agent.ring_duration;
        self.wait(self.scenario.ring.min(most)).await;
        if self.is_stopped() {
            return self.end(Reason::ManualStopped, Duration::ZERO).await;
        }
        let given_up = self.scenario.ring > most;
        let reason = match &self.scenario.outcome {
            _ if given_up => Reason::DialNoAnswer,
            Outcome::Answered { talk, end } => return self.answer(*talk, end.clone()).await,
            Outcome::NoAnswer => Reason::DialNoAnswer,
            Outcome::Busy => Reason::DialBusy,
            Outcome::Failed => Reason::DialFailed,
            Outcome::Unconnected(reason) => reason.clone(),
            Outcome::Silent => unreachable!("returned above"),
        };
        self.end(reason, Duration::ZERO).await;
    }

    async fn answer(&self, talk: Duration, end: Reason) {
        let ending = Ending { reason: Some(&end), connected: true, talk };
        let spoken: Arc<[_]> = self.scenario.results.spoken(ending).into();
        let turns = spoken.len();
        let started = self.update(|call| {
            call.status = Status::Ongoing;
            call.answered = Some(call.base.updated);
            call.started = call.answered;
            call.spoken = spoken;
            call.results = Arc::new(self.scenario.results.clone());
        });
        self.tell(Event::CallStarted, started);
        let most = self.call.request.agent.max_call_duration;
        let (talk, end) = if talk > most { (most, Reason::MaxDurationReached) } else { (talk, end) };
        let began = time::Instant::now();
        self.talk(talk, turns).await;
        let talked = self.config.pace().nominal(began.elapsed()).min(talk);
        let end = if self.is_stopped() { Reason::ManualStopped } else { end };
        self.end(end, talked).await;
    }

    /// Waits out the talk, unless somebody cuts it short.
    async fn talk(&self, most: Duration, turns: usize) {
        let mut passed = Duration::ZERO;
        for (at, act) in self.acts(most, turns) {
            if self.wait(at - passed).await == Wait::Cut {
                return;
            }
            passed = at;
            self.play(act, passed);
        }
        self.wait(most - passed).await;
    }

    /// What happens during a talk, in order. Turns are heard of only by whoever asks for them.
    fn acts(&self, talk: Duration, turns: usize) -> Vec<(Duration, Act)> {
        let mut acts = Vec::new();
        if self.call.request.agent.webhook_events.contains(&Event::TranscriptUpdated) {
            let all = u32::try_from(turns).unwrap_or(u32::MAX).max(1);
            acts.extend((1..all).zip(1..turns).map(|(n, turn)| (talk / all * n, Act::Spoken(turn))));
        }
        if let Some(transfer) = &self.scenario.transfer {
            acts.push((talk / 2, Act::Transfer));
            acts.push((talk / 4 * 3, Act::Transferred { bridged: transfer.bridged }));
        }
        acts.sort_by_key(|(at, _)| *at);
        acts
    }

    fn play(&self, act: Act, talked: Duration) {
        let event = match act {
            Act::Spoken(_) => Event::TranscriptUpdated,
            Act::Transfer => Event::TransferStarted,
            Act::Transferred { bridged: true } => Event::TransferBridged,
            Act::Transferred { bridged: false } => Event::TransferCancelled,
        };
        let now = self.update(|call| {
            call.talk = talked;
            if let Act::Spoken(turns) = act {
                call.turns = turns;
            }
        });
        self.tell(event, now);
    }

    async fn keep_silent(&self) {
        let agent = &self.call.request.agent;
        self.wait(agent.ring_duration + agent.max_call_duration).await;
        self.finish(Reason::RegisteredCallTimeout, Duration::ZERO);
    }

    /// Ends the call, and tells all that is told of it afterwards.
    async fn end(&self, reason: Reason, talk: Duration) {
        let handed_over = reason == Reason::CallTransfer;
        let Some(mut ended) = self.finish(reason, talk) else { return };
        if ended.answered.is_some() {
            self.tell(Event::TranscriptUpdated, Some(ended.clone()));
        }
        self.tell(Event::CallEnded, Some(ended.clone()));
        let analysed_after = self.scenario.results.analyzed_after;
        self.wait(analysed_after).await;
        self.tell_later(&mut ended, Event::CallAnalyzed, |call| call.analysed = true);
        if let Some(transfer) = self.scenario.transfer.as_ref().filter(|_| handed_over) {
            self.wait(transfer.lasts.saturating_sub(analysed_after)).await;
            self.tell_later(&mut ended, Event::TransferEnded, |call| {
                call.transfer_ended = Some(call.base.updated);
            });
        }
    }

    /// Changes and tells of a call that is over, even if it has been forgotten by now.
    fn tell_later(&self, ended: &mut Call, event: Event, change: impl Fn(&mut Call)) {
        match self.update(&change) {
            Some(call) => *ended = call,
            None => change(ended),
        }
        self.tell(event, Some(ended.clone()));
    }

    fn finish(&self, reason: Reason, talk: Duration) -> Option<Call> {
        let transfer = self.scenario.transfer.as_ref().filter(|_| reason == Reason::CallTransfer);
        self.hub.change(|world| {
            world.finish(self.call, &self.config, |call| {
                let connected = call.answered.is_some();
                call.status = reason.status(connected);
                call.reason = Some(reason);
                call.talk = talk;
                call.turns = call.spoken.len();
                call.ended = Some(call.base.updated);
                call.results = Arc::new(self.scenario.results.clone());
                call.transfer_to = transfer.map(|transfer| transfer.to.as_str().into());
                if !connected && self.config.reads.unconnected_calls_start {
                    call.started = Some(call.base.created);
                }
            })
        })
    }

    /// Waits until `nominal` has passed or somebody nudges the call on.
    async fn wait(&self, nominal: Duration) -> Wait {
        let wall = self.config.pace().wall(nominal);
        tokio::select! {
            () = self.call.base.nudge.notified() => Wait::Cut,
            () = time::sleep(wall), if !wall.is_zero() => Wait::Over,
            () = future::ready(()), if wall.is_zero() => Wait::Over,
        }
    }

    fn is_stopped(&self) -> bool {
        self.hub.read().by_id(self.call.id()).is_some_and(|call| call.stopped)
    }

    fn update(&self, change: impl FnOnce(&mut Call)) -> Option<Call> {
        self.hub.change(|world| world.update(self.call, change))
    }

    fn tell(&self, event: Event, call: Option<Call>) {
        let Some(call) = call else { return };
        let transfer = self.scenario.transfer.clone().filter(|_| event.names_transfer());
        // Nobody listens if there is no address to tell.
        let _ = self.notices.send(Notice::now(News { event, call, transfer }));
    }
}
