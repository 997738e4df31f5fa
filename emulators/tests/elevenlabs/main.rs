//! The ElevenLabs emulator over real sockets: what a client of text to speech hears.

mod faults;
mod harness;
mod refusals;
mod sockets;
mod speaking;
