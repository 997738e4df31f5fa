//! Conversations of an agent of ours: audio of a carrier in, audio out, and between them a recogniser, a model and a
//! voice, around the machine of [`outdial_workflows::conversation`].
//!
//! - [`audio`]: how carriers write samples.
//! - [`services`]: what recognises, answers and speaks: three small traits, with a client behind each.

pub mod audio;
pub mod services;
