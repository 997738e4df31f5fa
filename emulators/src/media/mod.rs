//! The far end of a carrier's media stream: who is on the phone, what they say and when, and what they
//! hear of the bot.
//!
//! A [`Caller`] speaks by script: at a time, in answer to the bot, or into its words. What the bot's audio
//! says is heard as it is played (see [`speech`](crate::speech)), so that a `clear` cuts it off where it
//! cuts off a person. The two together are the [`Conversation`] that each call's report holds, also
//! while the call goes on. Audio that carries no words is played and heard as none.

mod caller;
mod conversation;
mod cue;
mod earpiece;
mod handset;
mod mouth;
mod playout;
mod socket;

pub use self::{
    caller::{Caller, Keypress, Line, Says, When},
    conversation::{Conversation, Speaker, Turn},
};
pub(crate) use self::{
    handset::Handset,
    socket::{BotSocket, Came, Gone, ticks},
};

/// How long a voicemail beeps.
const BEEP: std::time::Duration = std::time::Duration::from_millis(500);
