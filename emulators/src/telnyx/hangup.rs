//! Why a call ended, in the carrier's words, and what TeXML calls it (protocol page, §5).

use serde::{Deserialize, Serialize};

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hangup {
    /// `hangup_cause`.
    pub cause: Cause,
    /// `hangup_source`.
    pub source: Source,
    /// `sip_hangup_cause`: a SIP code, or `unspecified`.
    pub sip: String,
}

/// `hangup_cause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the carrier's own words")]
pub enum Cause {
    CallRejected,
    NormalClearing,
    OriginatorCancel,
    Timeout,
    TimeLimit,
    UserBusy,
    NotFound,
    NoAnswer,
    Unspecified,
}

/// `hangup_source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// We, or the carrier for us.
    Caller,
    /// They.
    Callee,
    /// Nobody knows.
    Unknown,
}

impl Hangup {
    /// Of these words.
    pub fn new(cause: Cause, source: Source, sip: &str) -> Self {
        Self { cause, source, sip: sip.into() }
    }

    /// They hung up.
    pub(super) fn by_callee() -> Self {
        Self::new(Cause::NormalClearing, Source::Callee, "200")
    }

    /// We hung up on an answered call.
    pub(super) fn by_us() -> Self {
        Self::new(Cause::NormalClearing, Source::Caller, "200")
    }

    /// We gave up while it rang.
    pub(super) fn cancelled() -> Self {
        Self::new(Cause::OriginatorCancel, Source::Caller, "487")
    }

    /// It rang for as long as we allow.
    pub(super) fn rang_out(retry_on_timeout: bool) -> Self {
        let cause = if retry_on_timeout { Cause::Timeout } else { Cause::NoAnswer };
        Self::new(cause, Source::Caller, "487")
    }

    /// The carrier at the other end gave up before we did.
    pub(super) fn no_answer() -> Self {
        Self::new(Cause::NoAnswer, Source::Callee, "480")
    }

    pub(super) fn busy() -> Self {
        Self::new(Cause::UserBusy, Source::Callee, "486")
    }

    pub(super) fn rejected() -> Self {
        Self::new(Cause::CallRejected, Source::Callee, "603")
    }

    pub(super) fn not_found() -> Self {
        Self::new(Cause::NotFound, Source::Callee, "404")
    }

    pub(super) fn time_limit() -> Self {
        Self::new(Cause::TimeLimit, Source::Caller, "200")
    }
}

impl Cause {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CallRejected => "call_rejected",
            Self::NormalClearing => "normal_clearing",
            Self::OriginatorCancel => "originator_cancel",
            Self::Timeout => "timeout",
            Self::TimeLimit => "time_limit",
            Self::UserBusy => "user_busy",
            Self::NotFound => "not_found",
            Self::NoAnswer => "no_answer",
            Self::Unspecified => "unspecified",
        }
    }
}

impl Source {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Unknown => "unknown",
        }
    }
}
