//! Conversations of an agent of ours: audio of a carrier in, audio out, and between them a recogniser, a model and a
//! voice, around the machine of [`outdial_workflows::conversation`].
//!
//! - [`audio`]: how carriers write samples.
//! - [`wire`]: what carriers say on a stream, and we to them.
//! - [`order`]: frames put back into order.
//! - [`vad`]: whether there is voice.
//! - [`playout`]: what is sent when, and how much of it was heard.
//! - [`recording`]: both sides, written to a file.
//! - [`session`]: one conversation, held.
//! - [`reception`]: where sockets reach the conversations of a process; `keeper` stores what is said in one.
//! - [`briefing`]: what whoever takes a call over is told first.
//! - [`telling`]: what a conversation is told, and tells, from process to process.
//! - [`speech`]: the services of an installation.
//! - [`services`]: what recognises, answers and speaks: three small traits, with a client behind each.
//! - [`deepgram`], [`openai`], [`elevenlabs`]: those clients.
//! - [`http`]: what they go through.

pub mod audio;
pub mod briefing;
pub mod deepgram;
pub mod elevenlabs;
pub mod http;
pub(crate) mod keeper;
pub mod openai;
pub mod order;
pub mod playout;
pub mod reception;
pub mod recording;
pub mod services;
pub mod session;
pub mod speech;
pub mod telling;
pub mod vad;
pub mod wire;

/// What a socket reads at once, in bytes. A frame of 20 ms takes a few hundred, and a socket zeroes so much for each
/// read: with the libraries' 128 KiB, zeroing was six in a hundred of all samples of a bench of forty conversations.
pub const SOCKET_READ: usize = 8 * 1_024;
