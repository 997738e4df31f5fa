//! The adapter against a server that says and breaks exactly what the test wants.

mod asking;
mod placing;
mod transferring;
mod webhook;

use crate::providers::stub;
