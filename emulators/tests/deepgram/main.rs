//! The Deepgram emulator over real sockets: what a client of live transcription sees.

mod ending;
mod faults;
mod harness;
mod listening;
mod opening;
