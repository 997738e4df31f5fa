//! The LiveKit emulator over real sockets: what a client sees, and what the counters say.

mod agents;
mod control;
mod dialling;
mod doors;
mod faults;
mod harness;
mod load;
mod rooms;
mod webhooks;
