//! Conversations of our own agent, as values: a machine is told what is heard and when, and says what to do and
//! when to be woken. Sockets, codecs, recognisers, models and voices are around it.
//!
//! ```text
//! loop { conversation.hear(what, at); while let Some(act) = conversation.next_act() { … } wait until wake_at() }
//! ```

pub mod timing;

mod acts;
mod barge_in;
mod duties;
mod endpointing;
mod machine;
mod mailbox;
mod reply;
mod sentences;
mod speech;
mod timers;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::acts::{Act, Ending, Latency, Message, Prompt, Spoken};
pub use self::duties::Duties;
pub use self::machine::Conversation;

/// Time since the stream of a call began, by a clock that only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallTime(Duration);

impl CallTime {
    /// So many milliseconds after the beginning.
    pub const fn ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// So long after the beginning.
    pub const fn after(since: Duration) -> Self {
        Self(since)
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, more: Duration) -> Self {
        Self(self.0.saturating_add(more))
    }

    /// How long before this `earlier` was; zero if it was not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// So much earlier; no earlier than the beginning.
    #[must_use]
    pub fn before(self, less: Duration) -> Self {
        Self(self.0.saturating_sub(less))
    }

    /// In whole milliseconds.
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A request to the model, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u32);

/// A sentence that is to be spoken, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SentenceId(pub u32);

/// What happens in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Audio flows both ways.
    Connected,
    /// The person's side has voice, as our own detector hears it, and has had for so long: it makes sure before it says so.
    VoiceBegan {
        /// How long.
        ago: Duration,
    },
    /// It has none any more, and had none for so long: a detector waits before it says so.
    VoiceEnded {
        /// How long.
        ago: Duration,
    },
    /// The recogniser's words of the person.
    Words {
        /// The words since the last confirmed ones.
        text: String,
        /// Whether they will stay as they are.
        confirmed: bool,
    },
    /// The recogniser has heard the end of an utterance.
    UtteranceEnded,
    /// Nothing is recognised any more, and why.
    Deaf(String),
    /// A key was pressed.
    Key(char),
    /// Who answered, as the carrier tells.
    Answerer(Answerer),
    /// The tone of a mailbox.
    Tone,
    /// The model's answer, piece by piece.
    Replied {
        /// To which request.
        ask: AskId,
        /// What came.
        piece: Piece,
    },
    /// The first audio of a sentence is on its way to the carrier.
    Sounding(SentenceId),
    /// The carrier has played so much of a sentence.
    Played {
        /// Which.
        sentence: SentenceId,
        /// So much of it.
        played: Duration,
        /// Of so much in all; `None` while the voice still makes it.
        of: Option<Duration>,
    },
    /// The carrier has played all of a sentence.
    Spoken(SentenceId),
    /// A sentence could not be spoken.
    SpeechFailed(SentenceId),
    /// The person has hung up.
    Left,
    /// The carrier's stream broke.
    StreamLost,
    /// It is back.
    StreamBack,
    /// What came of handing the call over.
    Transferred(Transferred),
    /// Somebody gives an order.
    Ordered(Order),
    /// Nothing but time.
    Time,
}

/// Who answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    /// A person.
    Person,
    /// A machine.
    Machine,
}

/// A piece of a model's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Words of it.
    Text(String),
    /// It wants to use a tool.
    Call(ToolCall),
    /// It is complete.
    Done,
    /// Nothing more comes of it, and why.
    Failed(String),
}

/// A model's wish to use a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's name for it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is to do: JSON, as the model wrote it.
    pub arguments: String,
}

/// What came of handing a call over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// The colleague has it.
    Done,
    /// Nobody took it, and why.
    Failed(String),
}

/// An order from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End the call now.
    HangUp,
    /// Let it go: somebody has ordered that it be handed over, and the carrier is about to be asked.
    HandOver,
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody is there yet.
    Waiting,
    /// Our first words.
    Greeting,
    /// The person may speak, or does.
    Listening,
    /// The person interrupted us and speaks.
    Interrupted,
    /// The model has the turn, and nothing of its answer is there yet.
    Thinking,
    /// We speak.
    Speaking,
    /// A mailbox speaks.
    Mailbox,
    /// The stream is lost, and may come back.
    Lost,
    /// The call is being handed over.
    Transferring,
    /// Our last words.
    Ending,
    /// It is over.
    Over,
}
