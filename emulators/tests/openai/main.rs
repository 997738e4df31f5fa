//! The OpenAI emulator over real sockets: what a client of chat completions sees.

mod answers;
mod faults;
mod harness;
mod refusals;
mod streams;
