//! The world is told what happened: events go to subscribers, signed, in order for each lead, until they are
//! taken.
//!
//! `fan_out` turns a client's journal into deliveries, one row an event and subscriber, each once;
//! [`crate::jobs::deliver`] sends what is due, a job a subscriber, so that a slow one holds up no other.

mod courier;
mod envelope;
mod fan_out;
mod follow;

pub use courier::{Courier, CourierError};
pub(crate) use envelope::body;
pub use envelope::{Envelope, SigningSecret, sign};
pub(crate) use fan_out::{run, wake};
pub use follow::{Followed, Follower, NotAPlace, Place};
