//! The Telnyx emulator over real sockets: what a client sees, and what the counters say.

mod actions;
mod conversations;
mod dial;
mod faults;
mod harness;
mod limits;
mod reads;
mod streams;
mod texml;
mod webhooks;
