//! The program as scripts see it: its configuration, what it prints, and the code that it exits with.

mod alone;
mod config;
mod doctor;
mod exits;
mod logs;
mod playbooks;
mod remote;

#[path = "../support"]
mod support {
    pub(crate) mod cluster;
    pub(crate) mod world;
}
