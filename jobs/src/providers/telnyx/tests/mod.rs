mod asking;
mod settings;
pub(super) mod stub;
mod transferring;
mod webhook;
