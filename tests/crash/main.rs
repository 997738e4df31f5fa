//! What must not happen, with real processes: they are killed at every effect of a dial,
//! and at any moment, frozen over their leases, told to stop, and cut off from Postgres.
//! Afterwards the carrier's own count and the judge speak.

#![allow(clippy::print_stdout, reason = "the times to recover are worth knowing and are not asserted")]

mod carriers;
mod conversations;
mod ends;
mod events;
mod kills;
mod points;
mod postgres;
mod process;
mod proxy;
mod recovery;
mod services;
mod transfers;
mod world;

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/exposition.rs"]
mod exposition;
#[path = "../support/instructions.rs"]
mod instructions;
