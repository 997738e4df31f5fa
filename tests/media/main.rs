//! Conversations at real sockets.

mod voice;
