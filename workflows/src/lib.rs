//! What Outdial decides, and why.
//!
//! This crate holds every choice the product makes: which state a lead moves to,
//! when it may be called, when it is tried again, what an outcome means, and
//! whether the history of a whole database kept its promises. It is told what is
//! known and what time it is, and answers with what to do next and the reason.
//!
//! It refuses to know how any of it is carried out: no sockets, no SQL, no wall
//! clock, no randomness. Time and chance arrive as arguments, so the same inputs
//! always give the same decision.

pub mod analysis;
pub mod analytics;
pub mod attempt;
pub mod breaker;
pub mod calendar;
pub mod call;
pub mod calling;
pub mod clocks;
pub mod conversation;
pub mod decide;
pub mod delivering;
pub mod destination;
pub mod explain;
pub mod gate;
pub mod happening;
pub mod history;
pub mod hours;
pub mod ids;
pub mod input;
pub mod ivr;
pub mod judge;
pub mod limits;
pub mod money;
pub mod outcome;
pub mod outward;
pub mod packs;
pub mod phone;
pub mod places;
pub mod playbook;
pub mod pool;
pub mod preview;
pub mod results;
pub mod retention;
pub mod retry;
pub mod rules;
pub mod seats;
pub mod simulate;
pub mod statistics;
pub mod template;
pub mod transfer;
pub mod why;
pub mod workflow;
mod written;

/// A point in time. All times inside the product are UTC; zones enter only
/// where a calendar is asked.
pub type Moment = chrono::DateTime<chrono::Utc>;
