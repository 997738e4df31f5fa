//! What one dial of a number leads to: what the phone does, and what the carrier does wrong.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::millis;

/// One dial, from the request to the last callback. All times are nominal unless they say real.
///
/// ```
/// use outdial_emulators::exotel::{Outcome, Scenario};
/// let read: Scenario = serde_json::from_str(
///     r#"{"outcome": {"answered": {"talk_ms": 9000}},
///         "quirks": ["reordered_callbacks", {"duplicate_callbacks": {"extra": 2}}]}"#,
/// ).expect("a scenario");
/// assert_eq!(read.quirks.len(), 2);
/// assert!(matches!(read.outcome, Outcome::Answered { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the phone does.
    pub outcome: Outcome,
    /// How long it rings before that.
    #[serde(rename = "ring_ms", with = "millis", default = "usual_ring")]
    pub ring: Duration,
    /// What goes wrong besides. Faults of the request play in this order, see [`Quirk`].
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// What the bot hears, if the call is answered and has one.
    #[serde(default)]
    pub caller: Caller,
}

fn usual_ring() -> Duration {
    Duration::from_secs(5)
}

/// What the phone does once it has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Somebody, or a voicemail, answers: on the wire the two are alike.
    Answered {
        /// Time until they hang up; a bot that closes its socket ends the call before.
        #[serde(rename = "talk_ms", with = "millis")]
        talk: Duration,
    },
    /// Rings out.
    NoAnswer,
    /// Engaged.
    Busy,
    /// Invalid number or a carrier's failure.
    Failed,
    /// Cancelled on the carrier's side, which only some documents mention.
    Canceled,
    /// Nothing is heard of it again: no callback, and details say `in-progress` until ring timeout
    /// and time limit (30 s and 4 h unless given) have both passed, then `failed`.
    Silent,
}

/// What goes wrong.
///
/// Those with `times` that place no call are suffered by that many requests, one after the other in
/// the order listed, and only then is the number's call accepted. The number's script moves to its
/// next scenario when a call is accepted, never before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quirk {
    /// Each callback is sent this many times more. The fields are the same; a multipart boundary
    /// is not, so a hash of the raw body would not recognise the copy.
    DuplicateCallbacks {
        /// Copies beyond the first.
        extra: u32,
    },
    /// All callbacks wait for the end and then come in reverse: terminal, answered, ringing.
    ReorderedCallbacks,
    /// Each callback comes late.
    LateCallbacks {
        /// By this much.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// No callback ever; details stay readable.
    NoCallbacks,
    /// The call is placed, the connection reset, and no byte of a response sent.
    AcceptThenDrop,
    /// The connection is reset and no call placed.
    DropBeforeAccepting {
        /// Requests that suffer this.
        times: u32,
    },
    /// The request gets this answer instead.
    Reply(Reply),
    /// The request is never answered; the connection stays open until the client goes.
    Hang {
        /// Whether the call is placed all the same.
        accepted: bool,
        /// Requests that suffer this (once if a call is placed).
        times: u32,
    },
    /// The response is right but slow.
    SlowResponse {
        /// By this much.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
        /// Whether the call is placed after the wait (even if the client has gone), not before.
        accepted_last: bool,
    },
    /// The carrier's network drops the bot's socket without `stop` or a close frame.
    StreamBreaks {
        /// Time since the socket opened.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
}

/// An answer to the connect request that is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// HTTP status; 200 with a body that is not JSON is possible too.
    pub status: u16,
    /// `RestException.Code`, where codes are text.
    pub code: String,
    /// `RestException.Message`.
    pub message: String,
    /// What the body is.
    pub body: ReplyBody,
    /// Sent as `Retry-After`, in real seconds.
    pub retry_after_s: Option<u32>,
    /// Whether the call is placed all the same.
    pub accepted: bool,
    /// Requests that suffer this (once if a call is placed).
    pub times: u32,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 503,
            code: "SERVICE_UNAVAILABLE".into(),
            message: "Service unavailable".into(),
            body: ReplyBody::RestException,
            retry_after_s: None,
            accepted: false,
            times: 1,
        }
    }
}

impl Reply {
    /// 429 before accepting.
    pub fn throttled(times: u32, retry_after_s: Option<u32>) -> Self {
        Self {
            status: 429,
            code: "RATE_LIMIT_EXCEEDED".into(),
            message: "Rate limit exceeded".into(),
            retry_after_s,
            times,
            ..Self::default()
        }
    }

    /// A 5xx that does not say whether the call was placed.
    pub fn server_error(status: u16, accepted: bool) -> Self {
        Self { status, accepted, ..Self::default() }
    }

    /// Any other refusal, such as 402 or 403, for this many requests.
    pub fn refusal(status: u16, code: &str, message: &str, times: u32) -> Self {
        Self { status, code: code.into(), message: message.into(), times, ..Self::default() }
    }

    /// The same with another kind of body.
    pub fn with_body(self, body: ReplyBody) -> Self {
        Self { body, ..self }
    }
}

/// The body of a [`Reply`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyBody {
    /// The documented one.
    #[default]
    RestException,
    /// A gateway's HTML page.
    Html,
    /// Nothing.
    Empty,
}

/// What comes from the far end of an answered call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caller {
    /// Audio.
    pub says: Says,
    /// Keys pressed, in any order.
    pub presses: Vec<Keypress>,
}

/// A key pressed during the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keypress {
    /// Time since the stream began.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
    /// `0`–`9`, `*` or `#`.
    pub digit: char,
}

/// Audio from the far end, PCM16 mono at the stream's rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Nothing.
    #[default]
    Silence,
    /// A steady tone.
    Tone {
        /// Its frequency.
        hz: f64,
    },
    /// A hum as long as a greeting, a 1 kHz beep of half a second, then silence.
    Voicemail {
        /// Length of the greeting.
        #[serde(rename = "greeting_ms", with = "millis")]
        greeting: Duration,
    },
    /// These samples once (little endian, base64 in JSON), then silence.
    Pcm(#[serde(with = "base64_bytes")] Bytes),
}

impl Scenario {
    fn new(outcome: Outcome) -> Self {
        Self { outcome, ring: usual_ring(), quirks: Vec::new(), caller: Caller::default() }
    }

    /// Answered, and hung up after `talk`.
    pub fn answered(talk: Duration) -> Self {
        Self::new(Outcome::Answered { talk })
    }

    /// Rings for 30 s in vain.
    pub fn no_answer() -> Self {
        Self::new(Outcome::NoAnswer).ringing_for(Duration::from_secs(30))
    }

    /// Engaged.
    pub fn busy() -> Self {
        Self::new(Outcome::Busy)
    }

    /// Cannot be reached.
    pub fn failed() -> Self {
        Self::new(Outcome::Failed)
    }

    /// Cancelled by the carrier.
    pub fn canceled() -> Self {
        Self::new(Outcome::Canceled)
    }

    /// Never heard of again.
    pub fn silent() -> Self {
        Self::new(Outcome::Silent)
    }

    /// The same with another ring time.
    pub fn ringing_for(self, ring: Duration) -> Self {
        Self { ring, ..self }
    }

    /// The same with one more thing going wrong.
    pub fn with(mut self, quirk: Quirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    /// The same with this audio from the far end.
    pub fn saying(mut self, says: Says) -> Self {
        self.caller.says = says;
        self
    }

    /// The same with one more key pressed.
    pub fn pressing(mut self, digit: char, after: Duration) -> Self {
        self.caller.presses.push(Keypress { after, digit });
        self
    }
}

mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}
