//! How long a conversation waits for what. All of it can be set in a playbook.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Waits and bounds of a conversation, in milliseconds.
///
/// Where no source is named, a value is our own choice: people leave each other about 200 ms between turns
/// (Stivers et al., PNAS 2009, over ten languages), take a pause of a second for trouble, and are lost after a few.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Silence after which a whole sentence is the person's turn. LiveKit's agents wait as long.
    pub end_of_turn_ms: u32,
    /// Silence after which words that look as if they went on are the turn all the same.
    pub unfinished_ms: u32,
    /// Silence after which words are taken as they are although the recogniser did not confirm them.
    pub unconfirmed_ms: u32,
    /// How long after its last words an utterance ends if noise passes for voice.
    pub noise_ms: u32,
    /// Whether the model is asked as soon as words are there, before it is sure that the turn has ended.
    pub speculate: bool,
    /// Voice of this length, with words, interrupts us. LiveKit's agents ask for as much.
    pub interrupt_ms: u32,
    /// Voice of this length interrupts even if the recogniser says nothing.
    pub voice_alone_ms: u32,
    /// Thinking for so long is bridged with a word.
    pub one_moment_ms: u32,
    /// A model that has said nothing for so long is given up, and another one asked.
    pub model_ms: u32,
    /// Speech that is not there after so long is asked for once more; whose end is not told so long after it should
    /// have been is over.
    pub speech_ms: u32,
    /// After so much silence the person is asked whether they are there.
    pub silence_ms: u32,
    /// Somebody who talks for so long is answered in between.
    pub longest_turn_ms: u32,
    /// How long the whole call may last; the goodbye comes on top.
    pub call_ms: u32,
    /// How long the colleague that a call is handed to may take.
    pub transfer_ms: u32,
    /// How long a lost stream may take to come back.
    pub stream_ms: u32,
    /// Silence behind a mailbox's greeting after which the message is left, if there is no tone.
    pub mailbox_ms: u32,
    /// The longest greeting of a mailbox.
    pub mailbox_greeting_ms: u32,
    /// After so long without another key what was typed is taken.
    pub keys_ms: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            end_of_turn_ms: 500,
            unfinished_ms: 1_500,
            unconfirmed_ms: 1_200,
            noise_ms: 1_000,
            speculate: true,
            interrupt_ms: 500,
            voice_alone_ms: 1_500,
            one_moment_ms: 2_000,
            model_ms: 5_000,
            speech_ms: 3_000,
            silence_ms: 7_000,
            longest_turn_ms: 60_000,
            call_ms: 600_000,
            transfer_ms: 45_000,
            stream_ms: 5_000,
            mailbox_ms: 2_000,
            mailbox_greeting_ms: 45_000,
            keys_ms: 2_500,
        }
    }
}

/// The shortest that a wait may be set to: under it, people are cut off in the middle of words.
const LEAST_MS: u32 = 100;
/// The longest of all but the call itself.
const MOST_MS: u32 = 300_000;
/// Carriers end calls after some hours; no conversation of ours lasts as long.
const MOST_CALL_MS: u32 = 4 * 3_600_000;

impl Timing {
    /// The first value that cannot be meant, and why.
    ///
    /// # Errors
    /// Its name, and the bounds.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let waits = [
            ("end_of_turn_ms", self.end_of_turn_ms),
            ("unfinished_ms", self.unfinished_ms),
            ("unconfirmed_ms", self.unconfirmed_ms),
            ("noise_ms", self.noise_ms),
            ("interrupt_ms", self.interrupt_ms),
            ("voice_alone_ms", self.voice_alone_ms),
            ("one_moment_ms", self.one_moment_ms),
            ("model_ms", self.model_ms),
            ("speech_ms", self.speech_ms),
            ("silence_ms", self.silence_ms),
            ("longest_turn_ms", self.longest_turn_ms),
            ("transfer_ms", self.transfer_ms),
            ("stream_ms", self.stream_ms),
            ("mailbox_ms", self.mailbox_ms),
            ("mailbox_greeting_ms", self.mailbox_greeting_ms),
            ("keys_ms", self.keys_ms),
        ];
        if let Some((name, value)) =
            waits.into_iter().find(|(_, value)| !(LEAST_MS..=MOST_MS).contains(value))
        {
            return Err((name, format!("{value} ms is not between {LEAST_MS} and {MOST_MS}")));
        }
        if !(1_000..=MOST_CALL_MS).contains(&self.call_ms) {
            return Err(("call_ms", format!("{} ms is not between 1000 and {MOST_CALL_MS}", self.call_ms)));
        }
        if self.unfinished_ms < self.end_of_turn_ms {
            return Err((
                "unfinished_ms",
                "a sentence that goes on would be cut off sooner than a whole one".into(),
            ));
        }
        if self.model_ms <= self.one_moment_ms {
            return Err(("model_ms", "the model would be given up before the wait is bridged".into()));
        }
        Ok(())
    }
}

macro_rules! durations {
    ($($name:ident = $field:ident;)+) => {
        impl Timing {
            $(pub(super) fn $name(&self) -> Duration {
                Duration::from_millis(self.$field.into())
            })+
        }
    };
}

durations! {
    end_of_turn = end_of_turn_ms;
    unfinished = unfinished_ms;
    unconfirmed = unconfirmed_ms;
    noise = noise_ms;
    interrupt = interrupt_ms;
    voice_alone = voice_alone_ms;
    one_moment = one_moment_ms;
    model = model_ms;
    speech = speech_ms;
    silence = silence_ms;
    longest_turn = longest_turn_ms;
    call = call_ms;
    transfer = transfer_ms;
    stream = stream_ms;
    mailbox = mailbox_ms;
    mailbox_greeting = mailbox_greeting_ms;
    keys = keys_ms;
}
