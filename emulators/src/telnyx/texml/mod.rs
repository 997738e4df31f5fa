//! TeXML (protocol page, §7): calls placed and read the Twilio way, their instructions and callbacks.

mod callback;
mod document;
mod endpoints;
mod fetch;
mod gather;
mod list;
mod request;
mod run;
mod shown;

pub(super) use self::{
    endpoints::{accounts_create, call, create, update},
    list::list,
    request::{Request, Source},
    shown::Shown,
};

/// How a dial is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With the call, as Call Control does.
    Data,
    /// With `call_sid`, not wrapped.
    Flat,
    /// Perhaps without it.
    Twilio,
}
