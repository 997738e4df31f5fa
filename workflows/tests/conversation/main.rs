//! Conversations, told as stories: a person, a model and a voice that behave as scripted, on a clock of their own.

mod faults;
mod laws;
mod playbooks;
mod sim;
mod turns;
