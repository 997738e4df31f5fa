//! One call from ringing to its end. It runs in one task, which also delivers its webhooks.

mod acts;
mod agenda;
mod end;
mod gather;
mod leg;
mod pass;
mod tell;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{sync::mpsc, time::Instant};

use self::{
    agenda::{Agenda, Due, Topic},
    gather::Gathering,
};
pub(super) use self::{
    pass::Interrupt,
    tell::{price, quality},
};
use super::{
    Hub,
    call::{Call, Status},
    config::{Config, Connection},
    delivery::{self, Message},
    hangup::{Cause, Hangup, Source},
    hooks::Route,
    recording::Recording,
    scenario::{Outcome, Scenario},
    stream::Word,
};
use crate::carrier::{Manner, Notice, Paced as _, Quirk};

/// Plays `scenario` on a call just placed.
pub(super) async fn live(hub: Arc<Hub>, call: Call, scenario: Scenario) {
    let (messages, inbox) = mpsc::unbounded_channel();
    let delivery_hub = hub.clone();
    let delivery = delivery::deliver(&delivery_hub, Manner::of(&scenario.quirks), inbox);
    let config = hub.config();
    let life = Life {
        connection: config.connection(&call.request.connection).unwrap_or_default(),
        config,
        hub,
        call,
        scenario,
        messages,
        agenda: Agenda::default(),
        answered: None,
        speech_until: Instant::now(),
        gathering: None,
        recording: None,
        stream: None,
        second: None,
        stream_callback: None,
        sequence: 0,
    };
    // Boxed, since most calls wait far longer than they do anything.
    tokio::join!(Box::pin(life.run()), delivery);
}

/// A call while it lives.
pub(super) struct Life {
    pub(super) hub: Arc<Hub>,
    pub(super) config: Arc<Config>,
    pub(super) connection: Connection,
    /// As it was placed; what changes is in the world.
    pub(super) call: Call,
    pub(super) scenario: Scenario,
    messages: mpsc::UnboundedSender<Notice<Message>>,
    agenda: Agenda,
    answered: Option<Instant>,
    /// When all that is to be spoken or played will have been.
    speech_until: Instant,
    gathering: Option<Gathering>,
    recording: Option<(Recording, DateTime<Utc>, Instant, &'static str)>,
    /// How to reach the stream, while there is one.
    stream: Option<(mpsc::UnboundedSender<Word>, String)>,
    /// The leg that this call was transferred to.
    second: Option<Call>,
    /// Where a TeXML stream reports.
    pub(super) stream_callback: Option<Route>,
    /// Of TeXML callbacks.
    pub(super) sequence: u32,
}

impl Life {
    async fn run(mut self) {
        self.update(Call::remember);
        self.tell("call.initiated", &tell::initiated(&self.call));
        self.report_progress("initiated", "initiated");
        if self.scenario.outcome == Outcome::Silent {
            return self.keep_silent().await;
        }
        self.enter(Status::Ringing);
        self.report_progress("ringing", "ringing");
        if self.call.request.stream_first
            && let Some(settings) = self.call.request.stream.clone()
        {
            self.open_stream(settings);
        }
        if let Some(end) = self.ring().await {
            let status = status_of(&end);
            return self.end(status, end).await;
        }
        match self.scenario.outcome {
            Outcome::Answered { talk } => {
                let end = self.converse(talk).await;
                self.end(Status::Completed, end).await;
            }
            Outcome::NoAnswer => self.end(Status::NoAnswer, Hangup::no_answer()).await,
            Outcome::Busy => self.end(Status::Busy, Hangup::busy()).await,
            Outcome::Rejected => self.end(Status::Failed, Hangup::rejected()).await,
            Outcome::Failed => self.end(Status::Failed, Hangup::not_found()).await,
            Outcome::Silent => unreachable!("returned above"),
        }
    }

    /// Rings; the end is returned if it comes already now.
    async fn ring(&mut self) -> Option<Hangup> {
        let (rings, most) = (self.scenario.ring, self.call.request.ring_timeout);
        let given_up = match self.scenario.outcome {
            Outcome::NoAnswer => most <= rings,
            _ => most < rings,
        };
        let until = self.after(if given_up { most } else { rings });
        loop {
            match self.pass(Some(until)).await {
                Interrupt::Elapsed if given_up => {
                    return Some(Hangup::rang_out(self.call.request.retry_on_timeout));
                }
                Interrupt::Elapsed | Interrupt::Nudged => return None,
                Interrupt::End(end) => return Some(end),
                Interrupt::Digit(_) | Interrupt::Redirect(_) => {}
                Interrupt::StreamOver | Interrupt::LegOver(_) => {}
            }
        }
    }

    /// Lets the answered call take its course.
    async fn converse(&mut self, talk: Duration) -> Hangup {
        let now = Instant::now();
        self.answered = Some(now);
        self.speech_until = now;
        self.enter(Status::InProgress);
        self.tell("call.answered", &tell::answered(&self.call));
        if let Some(end) = self.brief().await {
            return end;
        }
        self.meet_partner();
        self.agenda.note(self.after(talk), Due::CallerLeaves);
        self.agenda.note(self.after(self.call.request.time_limit), Due::TimeLimit);
        for press in self.scenario.caller.presses.clone() {
            self.agenda.note(self.after(press.after), Due::Press(press.digit));
        }
        if let Some(record) = self.call.request.record.clone() {
            self.start_recording(record, "DialVerb");
        }
        self.detect();
        match self.call.request.stream.clone() {
            Some(settings) if !self.call.request.stream_first => self.open_stream(settings),
            Some(_) | None => {}
        }
        if self.call.request.texml.is_some() {
            self.report_progress("answered", "in-progress");
            return self.follow_instructions().await;
        }
        loop {
            match self.pass(None).await {
                Interrupt::End(end) => return end,
                Interrupt::Nudged => return Hangup::by_callee(),
                Interrupt::Elapsed | Interrupt::Digit(_) | Interrupt::Redirect(_) => {}
                Interrupt::StreamOver | Interrupt::LegOver(_) => {}
            }
        }
    }

    /// Nothing is told any more, whatever happens.
    async fn keep_silent(mut self) {
        self.enter(Status::Ringing);
        let until = self.after(self.call.request.ring_timeout + self.call.request.time_limit);
        let hangup = Hangup::new(Cause::Unspecified, Source::Unknown, "unspecified");
        loop {
            match self.pass(Some(until)).await {
                Interrupt::Elapsed | Interrupt::Nudged | Interrupt::End(_) => break,
                Interrupt::Digit(_) | Interrupt::Redirect(_) => {}
                Interrupt::StreamOver | Interrupt::LegOver(_) => {}
            }
        }
        self.finish(Status::Failed, hangup);
    }

    fn enter(&self, status: Status) {
        self.update(|call| {
            call.status = status;
            if status == Status::InProgress {
                call.answered = Some(call.base.updated);
            }
            call.remember();
        });
    }

    /// Applies `change` to the record; nothing happens after a reset.
    pub(super) fn update(&self, change: impl FnOnce(&mut Call)) {
        self.hub.change(|world| world.update(&self.call, change));
    }

    /// The record as it is now.
    pub(super) fn now(&self) -> Call {
        self.hub.read().by_id(self.call.id()).cloned().unwrap_or_else(|| self.call.clone())
    }

    /// The moment that is so far away in nominal time.
    pub(super) fn after(&self, nominal: Duration) -> Instant {
        Instant::now() + self.config.pace().wall(nominal)
    }

    fn stream_breaks(&self) -> Option<Duration> {
        self.scenario.quirks.iter().find_map(|quirk| match quirk {
            Quirk::StreamBreaks { after } => Some(*after),
            _ => None,
        })
    }
}

/// How TeXML calls a call that ended before it was answered.
fn status_of(end: &Hangup) -> Status {
    match end.cause {
        Cause::OriginatorCancel => Status::Canceled,
        Cause::Timeout | Cause::NoAnswer => Status::NoAnswer,
        Cause::UserBusy => Status::Busy,
        _ => Status::Failed,
    }
}
