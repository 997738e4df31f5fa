//! What serves: configuration, the command line, HTTP, embedded Postgres, the demo.
//!
//! This crate speaks: it turns what people and programs say into calls of
//! `outdial-jobs`, and what comes back into text, JSON and status codes. It holds no
//! SQL, no provider's wire format, and no rule about whom to call when.

pub mod app;
pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod http;
pub mod played;
pub mod postgres;
mod traces;
