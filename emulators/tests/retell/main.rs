//! The Retell emulator over real sockets: what a client sees, and what the counters say.

mod control;
mod create;
mod faults;
mod harness;
mod idempotency;
mod limits;
mod lists;
mod load;
mod manage;
mod outcomes;
mod webhooks;
