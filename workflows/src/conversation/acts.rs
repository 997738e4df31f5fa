//! What a conversation has done, and what it keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AskId, CallTime, SentenceId, ToolCall};
use crate::playbook::{Tool, ToolSpec};
use crate::results::Speaker;
use crate::transfer::Briefing;

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Ask the model, and tell of its answer piece by piece.
    Ask {
        /// Its name in what is heard of it.
        id: AskId,
        /// What it is told.
        prompt: Prompt,
        /// Whether the other model is to be asked, because the first one failed.
        fallback: bool,
        /// Whether it may be for nothing: the person may go on.
        speculative: bool,
    },
    /// Stop a request; nothing of it is wanted any more.
    Abandon(AskId),
    /// Speak a sentence, behind those that were said before.
    Say {
        /// Its name in what is heard of it.
        id: SentenceId,
        /// Its words.
        text: String,
        /// The sentence that could not be spoken, whose place it takes.
        instead_of: Option<SentenceId>,
    },
    /// Fall silent at once: nothing that was to be said is to be heard any more.
    Hush,
    /// Store a turn.
    Keep(Spoken),
    /// Store what was found out.
    Note {
        /// The field.
        name: String,
        /// Its value.
        value: Value,
        /// The turn that it was heard in.
        turn: u32,
    },
    /// Never call the person again.
    Suppress,
    /// Call the person again at this time, where they are.
    CallBack {
        /// As 2026-01-14T10:00, checked.
        at: chrono::NaiveDateTime,
    },
    /// Hand the call over.
    Transfer {
        /// To whom.
        to: String,
        /// What they are told before they are put through.
        briefing: Option<Briefing>,
    },
    /// Tell what comes of the transfer that somebody has ordered.
    FollowTransfer,
    /// End the call, and why. Nothing follows.
    End(Ending),
}

/// Why a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All was said; the model's reason.
    Finished(String),
    /// The person hung up.
    PersonLeft,
    /// The person pressed the key to be called no more.
    OptedOut,
    /// The person asked to be called no more.
    DoNotCall,
    /// The person said nothing.
    Silence,
    /// It took too long.
    TooLong,
    /// A mailbox answered.
    Mailbox {
        /// Whether it was left a message.
        left: bool,
    },
    /// A colleague has the call.
    Transferred,
    /// Somebody ordered it.
    Ordered,
    /// The stream was lost and did not come back.
    StreamLost,
    /// No model answered; what the last one said.
    ModelFailed(String),
    /// No voice could be had.
    SpeechFailed,
    /// The person could not be understood any more; what the recogniser said last.
    RecogniserFailed(String),
    /// Whoever held it died.
    HolderLost,
    /// It could not begin, and why.
    NotBegun(String),
}

impl Ending {
    /// Its name, as it is stored and counted.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "finished",
            Self::PersonLeft => "person_left",
            Self::OptedOut => "opted_out",
            Self::DoNotCall => "do_not_call",
            Self::Silence => "silence",
            Self::TooLong => "too_long",
            Self::Mailbox { .. } => "mailbox",
            Self::Transferred => "transferred",
            Self::Ordered => "ordered",
            Self::StreamLost => "stream_lost",
            Self::ModelFailed(_) => "model_failed",
            Self::SpeechFailed => "speech_failed",
            Self::RecogniserFailed(_) => "recogniser_failed",
            Self::HolderLost => "holder_lost",
            Self::NotBegun(_) => "not_begun",
        }
    }

    /// Whether there is no call any more, or somebody else has it, so that none has to be ended.
    pub fn leaves_nobody(&self) -> bool {
        matches!(self, Self::PersonLeft | Self::Transferred)
    }

    /// Whether it ended for something that went wrong on our side, so that the person was not talked with as they should
    /// have been.
    pub fn is_our_failure(&self) -> bool {
        match self {
            Self::ModelFailed(_)
            | Self::SpeechFailed
            | Self::RecogniserFailed(_)
            | Self::HolderLost
            | Self::NotBegun(_) => true,
            // A stream may break because the person hung up: whoever may have done so is not called again for it.
            Self::StreamLost
            | Self::Finished(_)
            | Self::PersonLeft
            | Self::OptedOut
            | Self::DoNotCall
            | Self::Silence
            | Self::TooLong
            | Self::Mailbox { .. }
            | Self::Transferred
            | Self::Ordered => false,
        }
    }
}

/// A turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Counted from 1 over both sides.
    pub number: u32,
    /// Who.
    pub speaker: Speaker,
    /// The words: of ours, those that were heard.
    pub text: String,
    /// When it began to sound.
    pub began: CallTime,
    /// When it ended.
    pub ended: CallTime,
    /// Whether it was cut off by the person.
    pub interrupted: bool,
    /// The stage that it was in.
    pub stage: String,
    /// What its answer took, if it is one.
    pub latency: Option<Latency>,
}

/// How long an answer took, part by part: from the end of the person's voice to the first sound of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Until it was clear that the person had finished.
    pub turn_ms: u32,
    /// From there until the model's first words.
    pub model_ms: u32,
    /// From there until the first sentence was whole.
    pub sentence_ms: u32,
    /// From there until its first sound was sent.
    pub speech_ms: u32,
    /// All of it.
    pub total_ms: u32,
}

pub(super) fn whole_ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// What a model is asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Who it is and what it is to do.
    pub instructions: String,
    /// What was said so far.
    pub messages: Vec<Message>,
    /// What it may do.
    pub tools: Vec<ToolSpec>,
}

/// Something that a model is told of what was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The person's words.
    Person(String),
    /// Its own, as far as they were heard, and the tools that it used.
    Agent {
        /// The words.
        text: String,
        /// The tools.
        calls: Vec<ToolCall>,
    },
    /// What came of a tool.
    Result {
        /// The call's id.
        call: String,
        /// What came of it.
        text: String,
    },
    /// Something that happened.
    Happened(String),
}

/// A tool by its name, if it is one.
pub(super) fn tool_named(name: &str) -> Option<Tool> {
    Tool::ALL.into_iter().find(|tool| tool.name() == name)
}
