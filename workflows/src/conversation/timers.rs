//! What happens when nothing happens: every wait of a conversation, reckoned from where it stands.

use super::machine::{Conversation, Phase};
use super::speech::Due;
use super::{CallTime, Ending};

/// A wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    TurnEnds,
    LongestTurn,
    Silence,
    VoiceCounts,
    OneMoment,
    ModelLate,
    Speech(Due),
    Keys,
    MailboxQuiet,
    StreamGone,
    TransferLate,
    TooLong,
}

impl Conversation {
    /// When to come back with [`super::Heard::Time`] if nothing else is heard; `None` if nothing is waited for.
    pub fn wake_at(&self) -> Option<CallTime> {
        self.timers().map(|(at, _)| at).min()
    }

    /// Does what is due. Each deed moves what it was due for, so that this ends.
    pub(super) fn look_at_the_clock(&mut self, at: CallTime) {
        while let Some((_, timer)) = self.timers().filter(|(due, _)| *due <= at).min_by_key(|(due, _)| *due) {
            match timer {
                Timer::TurnEnds | Timer::LongestTurn => self.turn_ends(at),
                Timer::Silence => self.silent(at),
                Timer::VoiceCounts => self.consider_interrupting(at),
                Timer::OneMoment => self.one_moment(at),
                Timer::ModelLate => self.model_is_late(at),
                Timer::Speech(Due::Sound(sentence)) => self.speech_failed(sentence, at),
                // Of what was sent, carriers lose the mark at its end sooner than its sound.
                Timer::Speech(Due::End(sentence)) => self.speech.over(sentence, at),
                Timer::Keys => self.take_keys(at),
                Timer::MailboxQuiet => self.leave_message(at),
                Timer::StreamGone => self.end(Ending::StreamLost, at),
                Timer::TransferLate => self.not_transferred("nobody answered", at),
                Timer::TooLong => self.too_long(at),
            }
            self.finish_speaking(at);
        }
    }

    fn timers(&self) -> impl Iterator<Item = (CallTime, Timer)> {
        let timing = &self.script.timing;
        let mut timers: Vec<(Option<CallTime>, Timer)> = vec![];
        match self.phase {
            Phase::Before | Phase::Over => {}
            Phase::Listening { .. } => {
                timers.push((self.person.ends_at(timing), Timer::TurnEnds));
                let talks = self.person.began().filter(|_| !self.person.is_empty());
                timers.push((talks.map(|began| began.plus(timing.longest_turn())), Timer::LongestTurn));
                timers.push((self.silence_at(), Timer::Silence));
                timers.push((self.keys.as_ref().map(|(_, at)| at.plus(timing.keys())), Timer::Keys));
            }
            Phase::Thinking => {
                let bridge =
                    self.asking.as_ref().filter(|asking| !asking.bridged && asking.first_text.is_none());
                timers.push((bridge.map(|asking| asking.since.plus(timing.one_moment())), Timer::OneMoment));
            }
            Phase::Speaking => {
                let counts = self.person.voice_since().zip(self.interrupts_after());
                timers.push((counts.map(|(since, length)| since.plus(length)), Timer::VoiceCounts));
                if let Some((at, due)) = self.speech.due(timing.speech()) {
                    timers.push((Some(at), Timer::Speech(due)));
                }
            }
            Phase::Mailbox { since, quiet_since } => {
                let quiet = self.person.voice_since().is_none().then(|| quiet_since.plus(timing.mailbox()));
                let latest = since.plus(timing.mailbox_greeting());
                timers.push((Some(quiet.unwrap_or(latest).min(latest)), Timer::MailboxQuiet));
            }
            Phase::Lost { since } => timers.push((Some(since.plus(timing.stream())), Timer::StreamGone)),
            Phase::Transferring { since } => {
                timers.push((Some(since.plus(timing.transfer())), Timer::TransferLate));
            }
        }
        let asking = self.asking.as_ref().filter(|asking| !asking.is_speculative());
        timers.push((asking.map(|asking| asking.last.plus(timing.model())), Timer::ModelLate));
        let lasts = !matches!(self.phase, Phase::Before | Phase::Over) && !self.closing;
        timers.push((lasts.then(|| self.began.plus(timing.call())), Timer::TooLong));
        timers.into_iter().filter_map(|(at, timer)| at.map(|at| (at, timer)))
    }

    /// When silence has lasted too long. Voice without words counts as silence after twice the time: a television is
    /// no answer.
    fn silence_at(&self) -> Option<CallTime> {
        let patience = self.script.timing.silence();
        if !self.person.is_empty() {
            return None;
        }
        Some(match self.person.voice_since() {
            Some(_) => self.quiet_since.plus(patience * 2),
            None => self.quiet_since.plus(patience),
        })
    }
}
