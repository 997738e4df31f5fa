//! What commands do, and what comes by itself with the answer.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{Due, Interrupt, Life, Topic};
use crate::{
    carrier::Paced as _,
    clock, millis,
    telnyx::{
        action::{Action, Media},
        hangup::Hangup,
        recording::{Recording, Saved},
        stream::{News, Settings, Stream},
    },
};

/// Nominal time that a spoken character takes.
const CHARACTER: Duration = Duration::from_millis(60);

impl Life {
    pub(super) fn act(&mut self, action: Action) -> Option<Interrupt> {
        match action {
            Action::Hangup => {
                let end = if self.answered.is_some() { Hangup::by_us() } else { Hangup::cancelled() };
                return Some(Interrupt::End(end));
            }
            Action::Transfer(transfer) => self.transfer(&transfer),
            Action::Speak { text, times } => self.speak(&text, times),
            Action::PlaybackStart { media, times } => self.play(&media, times),
            Action::PlaybackStop => {
                self.hush(Topic::Playback, "cancelled");
                self.hush(Topic::Speech, "completed");
            }
            Action::RecordStart(recording) => self.start_recording(recording, "StartCallRecordingAPI"),
            Action::RecordStop => {
                let saved = self.stop_recording();
                self.tell_recording(saved);
            }
            Action::StreamingStart(settings) => self.open_stream(*settings),
            // Its end is told when it has closed.
            Action::StreamingStop => {
                if let Some((words, _)) = &self.stream {
                    let _ = words.send(crate::telnyx::stream::Word::Stop);
                }
            }
            Action::SendDtmf(digits) => self.update(|call| {
                call.digits_sent = format!("{}{digits}", call.digits_sent).into();
            }),
            Action::Gather(wanted) => self.gather(wanted),
            Action::GatherStop => self.end_gathering("cancelled"),
            Action::ClientStateUpdate => {}
        }
        None
    }

    /// Speaks after all that is being spoken and played.
    pub(super) fn speak(&mut self, text: &str, times: u32) {
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let length = CHARACTER.saturating_mul(characters).saturating_mul(times);
        let said = ("call.speak.started", "call.speak.ended");
        self.queue(Topic::Speech, said, &json!({}), length);
    }

    fn play(&mut self, media: &Media, times: u32) {
        let length = self.config.texml.play.saturating_mul(times);
        let mut extras = json!({});
        extras[media.0] = media.1.clone().into();
        self.queue(Topic::Playback, ("call.playback.started", "call.playback.ended"), &extras, length);
    }

    fn queue(&mut self, topic: Topic, said: (&'static str, &'static str), extras: &Value, length: Duration) {
        let starts = self.speech_until.max(Instant::now());
        let ends = starts + self.config.pace().wall(length);
        let mut ended = extras.clone();
        ended["status"] = "completed".into();
        self.agenda.note(starts, Due::Tell(topic, said.0, extras.clone()));
        self.agenda.note(ends, Due::Tell(topic, said.1, ended));
        self.speech_until = ends;
    }

    /// Breaks off what is being said of this kind; what has not begun never will.
    pub(super) fn hush(&mut self, topic: Topic, status: &str) {
        let gone = self.agenda.cancel(|due| matches!(due, Due::Tell(about, ..) if *about == topic));
        let mut unbegun = 0;
        for due in gone {
            let Due::Tell(_, event, mut extras) = due else { continue };
            if event.ends_with(".started") {
                unbegun += 1;
            } else if unbegun > 0 {
                unbegun -= 1;
            } else {
                extras["status"] = status.into();
                self.tell(event, &extras);
            }
        }
        self.speech_until = Instant::now();
    }

    /// Breaks off all that is under way, since the call ends.
    pub(super) fn break_off(&mut self, status: &'static str) {
        self.agenda.cancel(|due| matches!(due, Due::Tell(Topic::Detection, ..)));
        self.hush(Topic::Speech, status);
        self.hush(Topic::Playback, status);
        self.end_gathering(status);
    }

    /// Notes what detection will find out.
    pub(super) fn detect(&mut self) {
        let Some(amd) = self.call.request.amd.filter(|_| self.call.request.texml.is_none()) else { return };
        for finding in amd.findings(&self.scenario) {
            let told = Due::Tell(Topic::Detection, finding.event, json!({"result": finding.result}));
            self.agenda.note(self.after(finding.after), told);
        }
    }

    /// Notes what TeXML is to be told of it.
    pub(in crate::telnyx) fn detect_later(&mut self, after: Duration, result: &'static str) {
        let due = Due::Detected(result, millis::whole(after));
        self.agenda.note(self.after(after), due);
    }

    pub(in crate::telnyx) fn start_recording(&mut self, recording: Recording, by: &'static str) {
        if self.recording.is_none() {
            self.recording = Some((recording, clock::now(), Instant::now(), by));
        }
    }

    /// What was recorded; `Err` if that failed, as the scenario may have it.
    pub(in crate::telnyx) fn stop_recording(&mut self) -> Option<Result<Saved, ()>> {
        let (recording, started, since, initiated_by) = self.recording.take()?;
        if self.scenario.recording_fails {
            return Some(Err(()));
        }
        let ended: chrono::DateTime<Utc> = clock::now();
        let duration_ms = millis::whole(self.config.pace().nominal(since.elapsed()));
        let saved = Saved { recording, started, ended, duration_ms, initiated_by };
        self.update(|call| {
            call.recordings = call.recordings.iter().cloned().chain([saved.clone()]).collect();
        });
        Some(Ok(saved))
    }

    pub(in crate::telnyx) fn tell_recording(&mut self, saved: Option<Result<Saved, ()>>) {
        match saved {
            Some(Ok(saved)) => {
                self.tell("call.recording.saved", &saved.event());
                self.report_recording(&saved);
            }
            Some(Err(())) => {
                self.tell("call.recording.error", &json!({"reason": "Internal recording error"}));
            }
            None => {}
        }
    }

    pub(in crate::telnyx) fn open_stream(&mut self, settings: Settings) {
        let (sender, words) = mpsc::unbounded_channel();
        self.stream = Some((sender, settings.url.to_string()));
        self.update(|call| call.streaming = true);
        let stream = Stream {
            hub: Arc::clone(&self.hub),
            call: self.now(),
            settings,
            caller: self.scenario.caller.clone(),
            breaks_after: self.stream_breaks(),
        };
        self.hub.spawn(stream.hold(words));
    }

    pub(super) fn hear_of_stream(&mut self, news: News) -> Option<Interrupt> {
        let url = self.stream.as_ref().map(|(_, url)| url.clone())?;
        match news {
            News::Started { stream_id } => {
                self.tell("streaming.started", &json!({"stream_url": url, "stream_id": stream_id}));
                self.report_stream("stream-started", &url);
                return None;
            }
            News::CallerLeaves => return Some(Interrupt::End(Hangup::by_callee())),
            News::Failed { reason, track, report } => {
                let params = json!({"stream_url": url, "track": track});
                let failed = json!({
                    "failure_reason": reason, "stream_type": "websocket", "stream_params": params,
                });
                self.tell("streaming.failed", &failed);
                self.report_stream("stream-failed", &url);
                self.update(|call| call.stream = Some(report));
            }
            News::Ended { report } => {
                self.tell("streaming.stopped", &json!({ "stream_url": url }));
                self.report_stream("stream-stopped", &url);
                self.update(|call| call.stream = Some(report));
            }
        }
        self.stream = None;
        self.update(|call| call.streaming = false);
        Some(Interrupt::StreamOver)
    }
}
