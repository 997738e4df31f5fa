//! Carrying out instructions, verb by verb.

use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::{
    Source,
    document::{self, DialVerb, Verb},
};
use crate::{
    carrier::Phone,
    millis,
    telnyx::{
        call::{Call, Letter, Status},
        dial::DialRequest,
        hangup::Hangup,
        life::{Interrupt, Life},
        recording::Recording,
        scenario::Answer,
    },
};

/// Nominal time that a spoken character takes.
const CHARACTER: Duration = Duration::from_millis(60);

/// Nominal time that somebody talks who leaves a message by script.
const RECORDED: Duration = Duration::from_secs(5);

/// Why a document is left.
pub(super) enum Leave {
    /// For another one.
    For(Source),
    /// The call is over.
    End(Hangup),
}

/// Either the next verb, or away.
pub(super) type Step<T> = Result<T, Leave>;

impl Life {
    /// Does what the documents say until the call ends.
    pub(in crate::telnyx) async fn follow_instructions(&mut self) -> Hangup {
        let Some(texml) = self.call.request.texml.clone() else { return Hangup::by_us() };
        let mut source = texml.source;
        if let Err(leave) = self.wait_for_detection(texml.amd_first).await {
            match leave {
                Leave::End(end) => return end,
                Leave::For(other) => source = other,
            }
        }
        loop {
            let Some(fetched) = self.fetch(&source).await else { return Hangup::by_us() };
            // What has happened meanwhile comes first.
            let followed = match self.linger(Some(Duration::ZERO)).await {
                Ok(()) => self.follow(&fetched.verbs, fetched.base.as_ref()).await,
                Err(leave) => Err(leave),
            };
            match followed {
                Ok(()) => return Hangup::by_us(),
                Err(Leave::End(end)) => return end,
                Err(Leave::For(next)) => source = next,
            }
        }
    }

    async fn wait_for_detection(&mut self, first: bool) -> Step<()> {
        let Some(amd) = self.call.request.amd else { return Ok(()) };
        let last = amd.findings(&self.scenario).last().copied();
        let (after, result) =
            last.map_or_else(|| amd.verdict(&self.scenario), |told| (told.after, told.result));
        if !first {
            self.detect_later(after, result);
            return Ok(());
        }
        self.linger(Some(after)).await?;
        self.detected(result, millis::whole(after));
        Ok(())
    }

    /// Writes down what detection found, and tells it.
    pub(in crate::telnyx) fn detected(&self, result: &'static str, took_ms: u64) {
        self.update(|call| {
            call.answered_by = Some(result);
            call.remember();
        });
        self.report_detection(result, took_ms);
    }

    async fn follow(&mut self, verbs: &[Verb], base: Option<&Url>) -> Step<()> {
        for verb in verbs {
            // Boxed, so that a call that only waits carries no room for it.
            Box::pin(self.perform(verb, base)).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, verb: &Verb, base: Option<&Url>) -> Step<()> {
        match verb {
            Verb::Say { .. } | Verb::Play { .. } | Verb::Pause(_) => {
                self.told(verb);
                self.linger(self.length(verb)).await
            }
            Verb::Gather(gather) => {
                let gathered = self.collect(gather).await?;
                match (gathered, &gather.action) {
                    (Some(gathered), Some(action)) => Err(go(action, base, gathered)),
                    _ => Ok(()),
                }
            }
            Verb::Dial(dial) => self.dial(dial, base).await,
            Verb::Record { longest, finish, action } => {
                self.record(*longest, finish, action.as_ref(), base).await
            }
            Verb::Redirect(action) => Err(go(action, base, Vec::new())),
            Verb::Hangup => Err(Leave::End(Hangup::by_us())),
            Verb::Reject { busy } => Err(Leave::End(if *busy { Hangup::busy() } else { Hangup::rejected() })),
            Verb::Stream { settings, callback, waits } => {
                self.stream_callback.clone_from(callback);
                self.open_stream((**settings).clone());
                if *waits { self.linger_with_stream().await } else { Ok(()) }
            }
            Verb::StopStream => {
                self.call.mailbox.post(Letter::Act(crate::telnyx::action::Action::StreamingStop));
                Ok(())
            }
            Verb::Unknown(name) => {
                self.update(|call| {
                    call.ignored = call.ignored.iter().cloned().chain([name.clone()]).collect();
                });
                Ok(())
            }
        }
    }

    /// Notes what the person hears.
    pub(super) fn told(&self, verb: &Verb) {
        let (Verb::Say { text: told, .. } | Verb::Play { url: told, .. }) = verb else { return };
        self.update(|call| call.told = call.told.iter().cloned().chain([told.clone()]).collect());
    }

    /// Nominal length of what is said; `None` is for ever.
    pub(super) fn length(&self, verb: &Verb) -> Option<Duration> {
        match verb {
            Verb::Say { text, times } => {
                let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
                times.map(|times| CHARACTER.saturating_mul(characters).saturating_mul(times))
            }
            Verb::Play { times, .. } => times.map(|times| self.config.texml.play.saturating_mul(times)),
            Verb::Pause(length) => Some(*length),
            _ => Some(Duration::ZERO),
        }
    }

    /// Lets nominal time pass. Keys that nobody asked for are lost.
    pub(super) async fn linger(&mut self, nominal: Option<Duration>) -> Step<()> {
        let until = nominal.map(|nominal| self.after(nominal));
        loop {
            match self.step(until).await? {
                Interrupt::Elapsed => return Ok(()),
                _ => continue,
            }
        }
    }

    async fn linger_with_stream(&mut self) -> Step<()> {
        loop {
            if let Interrupt::StreamOver = self.step(None).await? {
                return Ok(());
            }
        }
    }

    /// Waits for one thing to happen that is not the end of the document.
    pub(super) async fn step(&mut self, until: Option<Instant>) -> Step<Interrupt> {
        match self.pass(until).await {
            Interrupt::End(end) => Err(Leave::End(end)),
            Interrupt::Nudged => Err(Leave::End(Hangup::by_callee())),
            Interrupt::Redirect(source) => Err(Leave::For(source)),
            other => Ok(other),
        }
    }

    async fn dial(&mut self, verb: &DialVerb, base: Option<&Url>) -> Step<()> {
        let number = verb.number.as_deref().and_then(|number| Some((Phone::e164(number)?, number)));
        let leg = match number {
            Some((phone, number)) => {
                let first = &self.call.request;
                let from = verb.caller_id.clone().unwrap_or_else(|| first.from.clone());
                self.ring_second(DialRequest {
                    phone,
                    to: number.to_owned(),
                    from,
                    client_state: None,
                    ring_timeout: verb.timeout,
                    time_limit: verb.time_limit,
                    amd: None,
                    ..self.second_leg()
                });
                Some(self.leg_over_in_time().await?)
            }
            None => None,
        };
        let Some(action) = &verb.action else { return Ok(()) };
        let status = leg.as_deref().map_or(Status::Failed, |leg| leg.status);
        let mut extras = vec![("DialCallStatus", status.name().to_owned())];
        if let Some(leg) = leg {
            extras.push(("DialCallSid", leg.id().to_owned()));
            extras.push(("DialCallDuration", leg.talk.as_secs().to_string()));
        }
        Err(go(action, base, extras))
    }

    async fn leg_over_in_time(&mut self) -> Step<Box<Call>> {
        loop {
            if let Interrupt::LegOver(leg) = self.step(None).await? {
                return Ok(leg);
            }
        }
    }

    async fn record(
        &mut self,
        longest: Duration,
        finish: &str,
        action: Option<&document::Action>,
        base: Option<&Url>,
    ) -> Step<()> {
        let answer = self.next_answer();
        if answer == Some(Answer::HangsUp) {
            return Err(Leave::End(Hangup::by_callee()));
        }
        self.start_recording(Recording::new("dual", "mp3"), "RecordVerb");
        let (mut pressed, spoken) = match answer {
            Some(Answer::Keys(keys)) => (keys.chars().next(), Some(RECORDED)),
            Some(_) => (None, Some(RECORDED)),
            None => (None, None),
        };
        let until = self.after(spoken.map_or(longest, |spoken| spoken.min(longest)));
        loop {
            match self.step(Some(until)).await? {
                Interrupt::Elapsed => break,
                Interrupt::Digit(digit) if finish.contains(digit) => {
                    pressed = Some(digit);
                    break;
                }
                _ => {}
            }
        }
        let saved = self.stop_recording();
        self.tell_recording(saved.clone());
        let (Some(action), Some(Ok(saved))) = (action, saved) else { return Ok(()) };
        let duration = (saved.duration_ms / 1000).to_string();
        let mut extras = vec![("RecordingUrl", saved.url()), ("RecordingDuration", duration)];
        extras.extend(pressed.map(|digit| ("Digits", digit.to_string())));
        Err(go(action, base, extras))
    }
}

/// To the address of an action; one that cannot be understood ends the call.
fn go(action: &document::Action, base: Option<&Url>, extras: Vec<(&'static str, String)>) -> Leave {
    let url = match base {
        Some(base) => base.join(&action.url),
        None => Url::parse(&action.url),
    };
    match url {
        Ok(url) => Leave::For(Source::Url { url, get: action.get, extras }),
        Err(_) => Leave::End(Hangup::by_us()),
    }
}
