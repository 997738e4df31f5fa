mod asking;
mod settings;
mod stub;
mod transferring;
mod webhook;
