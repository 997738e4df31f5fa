//! Engine and queue as they are: a real Postgres, a carrier emulated at the wire, and
//! the real worker.

mod api;
mod barrier;
mod contactability;
mod editing;
mod erasing;
mod events;
mod exports;
mod flows;
mod imports;
mod inbox;
mod lanes;
mod lifecycle;
mod limits;
mod metrics;
mod numbers;
mod operations;
mod orders;
mod pages;
mod plans;
mod poison;
mod queue;
mod retention;
mod sheets;
mod status;
mod stories;
mod texml;
mod unreadable;
mod upkeep;
mod uploads;
mod workers;

#[path = "../support"]
mod support {
    pub(crate) mod cluster;
    pub(crate) mod exposition;
    pub(crate) mod instructions;
    pub(crate) mod world;
}
