//! The Exotel emulator over real sockets: what a client sees, and what the counters say.

mod callbacks;
mod connect;
mod control;
mod conversations;
mod faults;
mod harness;
mod limits;
mod load;
mod reads;
mod streams;
