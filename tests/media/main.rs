//! Conversations at real sockets.
//!
//! They take the time that they take: people and carriers speak no faster. What is asserted is what was said, heard and
//! done, never how long it took.

mod carrier;
mod conversations;
mod faults;
mod voice;
mod world;
