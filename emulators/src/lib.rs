//! The protocols of carriers, and of what else we speak to, on a socket, scriptable, for tests and
//! the demo.
//!
//! A carrier's emulator decides what a phone does (rings out, is busy, is answered and talks) and
//! what a carrier does wrong (loses a response, repeats a callback), and it counts: how often each of
//! our dial keys made a phone ring, and whether one phone ever had two calls at once. Where it carries
//! the call's audio, its callers talk by script and hear what is said to them (see [`media`]). That of
//! [`sheets`] decides what a shared spreadsheet holds and how reading it fails. The [`service`]s of a
//! conversation (speech to text, language, text to speech) answer by script; their audio carries its
//! words (see [`speech`]), so that a test knows what was said and heard.
//!
//! It refuses to know our side. Nothing here shares a wire struct with `jobs`, so that a misreading
//! of a carrier's documents shows as a failing test rather than being made twice.

pub mod audio;
pub mod carrier;
mod clock;
mod control;
pub mod deepgram;
pub mod elevenlabs;
pub mod exotel;
pub mod livekit;
pub mod media;
mod millis;
pub mod openai;
pub mod retell;
mod server;
pub mod service;
pub mod sheets;
mod socket;
pub mod speech;
pub mod telnyx;
