//! The Google Sheets emulator over real sockets: what a client of shared sheets sees.

mod dialect;
mod failures;
mod harness;
mod programs;
mod success;
