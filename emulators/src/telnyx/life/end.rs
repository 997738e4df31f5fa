//! How a call ends.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Life, tell};
use crate::{
    carrier::Paced as _,
    telnyx::{
        call::{Call, Letter, Status},
        hangup::{Cause, Hangup},
        scenario::Outcome,
        stream::{News, Word},
    },
};

impl Life {
    /// Ends the call, and tells what there is to tell.
    pub(super) async fn end(mut self, status: Status, hangup: Hangup) {
        let hangup = self.scenario.hangup.clone().unwrap_or(hangup);
        self.break_off("call_hangup");
        let saved = self.stop_recording();
        let stopped = self.close_stream().await;
        self.part_from_legs(status);
        let Some(ended) = self.finish(status, hangup) else { return };
        self.tell("call.hangup", &tell::hangup(&ended));
        if let Some(payload) = stopped {
            self.tell("streaming.stopped", &payload);
        }
        self.tell_recording(saved);
        if self.connection.call_cost {
            self.tell("call.cost", &tell::cost(&ended));
        }
        self.report_end(&ended);
    }

    pub(super) fn finish(&self, status: Status, hangup: Hangup) -> Option<Call> {
        let talk = self.talked(&hangup);
        self.hub.change(|world| {
            world.finish(&self.call, &self.config, |call| {
                call.status = status;
                call.talk = talk;
                call.hangup = Some(hangup);
                call.streaming = false;
                call.ended = Some((call.base.updated, Instant::now()));
                call.remember();
            })
        })
    }

    /// Nominal time since the answer; exact where the script says when the call ends.
    fn talked(&self, hangup: &Hangup) -> Duration {
        let Some(answered) = self.answered else { return Duration::ZERO };
        let passed = self.config.pace().nominal(answered.elapsed());
        let limit = self.call.request.time_limit;
        let planned = match self.scenario.outcome {
            Outcome::Answered { talk } => talk.min(limit),
            _ => limit,
        };
        if hangup.cause == Cause::TimeLimit { limit } else { passed.min(planned) }
    }

    /// Stops the stream and waits until it has closed; what `streaming.stopped` says, if there was one.
    async fn close_stream(&mut self) -> Option<Value> {
        let (words, url) = self.stream.take()?;
        let _ = words.send(Word::Stop);
        loop {
            match self.call.mailbox.take() {
                Some(Letter::Stream(News::Ended { report })) => {
                    self.update(|call| call.stream = Some(report));
                    return Some(json!({ "stream_url": url }));
                }
                Some(Letter::Stream(News::Failed { report, .. })) => {
                    self.update(|call| call.stream = Some(report));
                    return None;
                }
                Some(Letter::Stream(News::Started { .. })) => {
                    self.tell("streaming.started", &json!({ "stream_url": url }));
                }
                Some(_) => {}
                None => self.call.mailbox.arrived.notified().await,
            }
        }
    }
}
