//! The carriers' own protocols on a socket, scriptable, for tests and the demo.
//!
//! An emulator decides what a phone does (rings out, is busy, is answered and talks) and what a
//! carrier does wrong (loses a response, repeats a callback), and it counts: how often each of our
//! dial keys made a phone ring, and whether one phone ever had two calls at once.
//!
//! It refuses to know our side. Nothing here shares a wire struct with `jobs`, so that a misreading
//! of a carrier's documents shows as a failing test rather than being made twice.

mod clock;
pub mod exotel;
mod millis;
mod socket;
