//! A lead's life in stories: what comes in, and what is decided.
//!
//! Each line is a step, at the time in Kolkata: what happened, what was decided, and
//! where the lead stands then. The judge hears each story, too.

mod calls;
mod dialling;
mod gate;
mod orders;
mod transfers;
