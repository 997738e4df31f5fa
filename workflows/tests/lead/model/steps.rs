//! What may happen next, and what comes of it.

use outdial_workflows::call::{
    CallFact, CallId, CallResult, CallStatus, DialReply, Found, Refusal, RefusalKind, Source,
};
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::workflow::State;

use super::{
    ATTEMPTS, CONCLUSIVE_MS, Carrier, Job, Model, Order, Reply, SEND_WITHIN, Step, Webhook, Worker, World,
    token,
};
use crate::life::{ACCOUNT, number};
use crate::telling::{call_of, over};

impl Model {
    /// Everything that may happen next.
    pub(super) fn steps(&self, world: &World, steps: &mut Vec<Step>) {
        if self.may_wake(world) {
            steps.push(Step::Wake);
        }
        if world.asking {
            steps.push(Step::Ask);
        }
        for worker in 0..world.workers.len() {
            self.of_worker(world, worker, steps);
        }
        if world.request.is_some() {
            let accepted = [true, false].map(|answer_arrives| Step::Accept { answer_arrives });
            steps.extend(accepted.into_iter().chain([Step::Refuse, Step::Lose]));
        }
        if let Some(Job { owner: Some(owner), .. }) = world.job
            && (world.workers[owner] == Worker::Idle || world.freezes < self.bounds.freezes)
        {
            steps.push(Step::LeaseRunsOut);
        }
        for (attempt, Carrier { calls, over }) in (1..).zip(world.carrier) {
            if calls > 0 && over.is_none() {
                // Once is enough: the second call differs from the first in nothing else.
                if attempt == 1 && !world.webhooks.contains(&Webhook::Rings(attempt)) {
                    steps.push(Step::Ring(attempt));
                }
                steps.push(Step::HangUp(attempt, CallResult::NoAnswer));
                steps.push(Step::HangUp(attempt, CallResult::Answered));
            }
        }
        steps.extend(world.webhooks.iter().copied().map(Step::Deliver));
        self.orders(world, steps);
    }

    fn may_wake(&self, world: &World) -> bool {
        let Some(wake_at) = world.run.workflow.wake_at else { return false };
        // A request that is still on its way after the carrier's longest time is lost.
        let requested = world.request.and_then(|(_, attempt)| world.attempt(attempt)?.submission);
        let in_time = requested.is_none_or(|its| (wake_at - its.at).num_milliseconds() < CONCLUSIVE_MS);
        match world.run.workflow.state {
            State::Waiting => in_time && !world.paused && world.run.workflow.attempts < ATTEMPTS,
            State::Dialling | State::Calling | State::Settling => in_time,
            State::Held | State::Finished => false,
        }
    }

    fn of_worker(&self, world: &World, worker: usize, steps: &mut Vec<Step>) {
        match world.workers[worker] {
            Worker::Idle => {
                // Of two idle workers it does not matter which one claims.
                let first = worker == 0 || world.workers[0] != Worker::Idle;
                if first && world.job.is_some_and(|job| job.owner.is_none()) {
                    steps.push(Step::Claim(worker));
                }
                return;
            }
            Worker::Claimed { .. } => {
                steps.push(Step::Submit(worker));
                if world.cuts < self.bounds.cuts {
                    steps.push(Step::SubmitCut(worker));
                }
            }
            Worker::MaySend { until, .. } => {
                if world.now < until {
                    steps.push(Step::Send(worker));
                }
                steps.push(Step::GiveUp(worker));
            }
            Worker::Sent { .. } => steps.push(Step::TimeOut(worker)),
            Worker::Answered { .. } => steps.push(Step::Report(worker)),
        }
        if world.crashes < self.bounds.crashes {
            steps.push(Step::Crash(worker));
        }
    }

    fn orders(&self, world: &World, steps: &mut Vec<Step>) {
        if world.said.len() >= usize::from(self.bounds.orders) {
            return;
        }
        let new = [
            Order::PauseCampaign,
            Order::ResumeCampaign,
            Order::AllowOne,
            Order::Suppress,
            Order::Pause,
            Order::Resume,
            Order::Cancel,
            Order::Retry,
        ];
        let new = new.into_iter().filter(|order| !world.said.contains(order));
        steps.extend(new.map(Step::Say));
    }

    /// What comes of a step.
    pub(super) fn take(&self, world: &mut World, step: Step) {
        match step {
            Step::Wake => self.wake(world),
            Step::Ask => self.ask(world),
            Step::Claim(worker) => claim(world, worker),
            Step::Submit(worker) => self.submit(world, worker, true),
            Step::SubmitCut(worker) => {
                world.cuts += 1;
                self.submit(world, worker, false);
            }
            Step::Send(worker) => {
                let Worker::MaySend { attempt, .. } = world.workers[worker] else { return };
                world.request = Some((worker, attempt));
                world.workers[worker] = Worker::Sent { attempt };
            }
            Step::GiveUp(worker) => {
                let Worker::MaySend { attempt, token: its, .. } = world.workers[worker] else { return };
                let (attempt, token) = (number(attempt), token(its));
                world.tell(&self.rules, &Input::NotSent { attempt, token, cause: "too late".into() });
                done(world, worker);
            }
            Step::Accept { answer_arrives } => {
                let Some((worker, attempt)) = world.request.take() else { return };
                world.carrier(attempt).calls += 1;
                if answer_arrives {
                    answer(world, worker, attempt, Reply::Bound);
                }
            }
            Step::Refuse => {
                let Some((worker, attempt)) = world.request.take() else { return };
                answer(world, worker, attempt, Reply::Refused);
            }
            Step::Lose => world.request = None,
            Step::TimeOut(worker) => {
                let Worker::Sent { attempt } = world.workers[worker] else { return };
                world.workers[worker] = Worker::Answered { attempt, reply: Reply::Nothing };
            }
            Step::Report(worker) => self.report(world, worker),
            Step::Crash(worker) => {
                world.crashes += 1;
                world.workers[worker] = Worker::Idle;
            }
            Step::LeaseRunsOut => {
                let Some(job) = &mut world.job else { return };
                let Some(owner) = job.owner.take() else { return };
                world.freezes += u8::from(world.workers[owner] != Worker::Idle);
            }
            Step::Ring(attempt) => {
                world.webhooks.insert(Webhook::Rings(attempt));
            }
            Step::HangUp(attempt, result) => {
                world.carrier(attempt).over = Some(result);
                world.webhooks.insert(Webhook::Over(attempt));
            }
            Step::Deliver(webhook) => self.deliver(world, webhook),
            Step::Say(order) => self.say(world, order),
        }
    }

    fn wake(&self, world: &mut World) {
        let Some(wake_at) = world.run.workflow.wake_at else { return };
        world.now = world.now.max(wake_at);
        let input = match world.run.workflow.state {
            State::Waiting => Input::Admit { account: ACCOUNT, caller_id: None },
            _ => Input::Timer,
        };
        world.tell(&self.rules, &input);
    }

    pub(super) fn ask(&self, world: &mut World) {
        world.asking = false;
        let attempt = world.run.workflow.attempts;
        let Carrier { calls, over: ended } = *world.carrier(attempt);
        let answer = match (calls, ended) {
            (0, _) => Found::NotSeen { conclusive_after_ms: CONCLUSIVE_MS },
            (_, None) => Found::Call(rings(attempt)),
            (_, Some(result)) => Found::Call(over(call_of(number(attempt)), result)),
        };
        world.tell(
            &self.rules,
            &Input::Asked { attempt: number(attempt), asked_at: outdial_workflows::Moment::MAX_UTC, answer },
        );
    }

    fn submit(&self, world: &mut World, worker: usize, heard: bool) {
        let Worker::Claimed { attempt, token: its } = world.workers[worker] else { return };
        let lease_held = world.job == Some(Job { attempt, owner: Some(worker) });
        let input = Input::Submit { attempt: number(attempt), token: token(its), lease_held };
        let decision = world.tell(&self.rules, &input);
        let go = decision.answer == Answer::Send(number(attempt));
        let too_many = world.run.workflow.tried() > world.allowed(&self.rules);
        world.sent_although_forbidden |= go && (world.paused || world.suppressed || too_many);
        if !heard {
            return;
        }
        if go {
            world.workers[worker] = Worker::MaySend { attempt, token: its, until: world.now + SEND_WITHIN };
        } else {
            // If it may have been committed to, the one who holds the token says that it did not send.
            let (attempt, token) = (number(attempt), token(its));
            world.tell(&self.rules, &Input::NotSent { attempt, token, cause: "told not to".into() });
            done(world, worker);
        }
    }

    fn report(&self, world: &mut World, worker: usize) {
        let Worker::Answered { attempt, reply } = world.workers[worker] else { return };
        let reply = match reply {
            Reply::Bound => DialReply::Bound { call_id: call_of(number(attempt)) },
            Reply::Refused => {
                DialReply::Refused(Refusal { kind: RefusalKind::AccountUnusable, cause: "no".into() })
            }
            Reply::Nothing => DialReply::Unknown { cause: "no answer".into() },
        };
        world.tell(&self.rules, &Input::Replied { attempt: number(attempt), reply });
        done(world, worker);
    }

    fn deliver(&self, world: &mut World, webhook: Webhook) {
        let (attempt, fact) = match webhook {
            Webhook::Rings(attempt) => (attempt, rings(attempt)),
            Webhook::Over(attempt) => {
                let Some(result) = world.carrier(attempt).over else { return };
                (attempt, over(call_of(number(attempt)), result))
            }
        };
        let source = Source::Webhook;
        world.tell(&self.rules, &Input::News { attempt: number(attempt), fact, source });
    }

    fn say(&self, world: &mut World, order: Order) {
        world.said.insert(order);
        let command = match order {
            Order::PauseCampaign | Order::ResumeCampaign => {
                world.barrier.0 += 1;
                world.paused = order == Order::PauseCampaign;
                return;
            }
            Order::AllowOne => {
                world.barrier.0 += 1;
                world.allows_one = true;
                return;
            }
            Order::Suppress => {
                world.barrier.0 += 1;
                world.suppressed = true;
                return;
            }
            Order::Pause => Command::Pause,
            Order::Resume => Command::Resume,
            Order::Cancel => Command::Cancel,
            Order::Retry => Command::Retry,
        };
        let input = Input::Command { command, actor: "asha".into(), reason: None, alone: true };
        world.barrier.0 += i64::from(input.may_forbid());
        world.tell(&self.rules, &input);
    }
}

fn claim(world: &mut World, worker: usize) {
    let Some(job) = &mut world.job else { return };
    job.owner = Some(worker);
    world.tokens += 1;
    world.workers[worker] = Worker::Claimed { attempt: job.attempt, token: world.tokens };
}

/// The worker is free again, and its job is deleted if it is still its own.
fn done(world: &mut World, worker: usize) {
    world.workers[worker] = Worker::Idle;
    if world.job.is_some_and(|job| job.owner == Some(worker)) {
        world.job = None;
    }
}

fn answer(world: &mut World, worker: usize, attempt: u16, reply: Reply) {
    if world.workers[worker] == (Worker::Sent { attempt }) {
        world.workers[worker] = Worker::Answered { attempt, reply };
    }
}

pub(super) fn rings(attempt: u16) -> CallFact {
    CallFact::progress(Some(CallId(call_of(number(attempt)).0)), CallStatus::Ringing)
}
