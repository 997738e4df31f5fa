//! Tests that need more than one function: webhooks as they come in, and questions over a real socket
//! against a server that says exactly what the test wants.

mod account;
mod asking;
mod hanging_up;
mod mapping;
mod stub;
mod webhook;
