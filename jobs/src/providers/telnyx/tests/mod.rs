mod asking;
mod settings;
mod stub;
mod webhook;
