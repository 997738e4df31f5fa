//! Tests that need more than one function: webhooks in all encodings, and requests over a real
//! socket against a server that says and breaks exactly what the test wants.

mod asking;
mod placing;
mod webhook;

use crate::providers::stub;
