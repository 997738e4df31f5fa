//! Commands for a call under way, as they are read (protocol page, §3).

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    amd::Amd,
    config::Config,
    dial::{RING_USUAL, TIME_LIMIT_MAX, origin},
    fields::{Fields, phone},
    hooks::Hooks,
    recording::Recording,
    reply::Refusal,
    stream::Settings,
};
use crate::carrier::Phone;

const SPEAK_MAX: usize = 3000;
/// `loop` as a word.
const FOREVER: u32 = u32::MAX;

/// A checked command.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Hangup,
    Transfer(Arc<Transfer>),
    Speak { text: String, times: u32 },
    PlaybackStart { media: Media, times: u32 },
    PlaybackStop,
    RecordStart(Recording),
    RecordStop,
    StreamingStart(Box<Settings>),
    StreamingStop,
    SendDtmf(String),
    Gather(Gather),
    GatherStop,
    ClientStateUpdate,
}

/// What is played: the field's name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media(pub(super) &'static str, pub(super) String);

/// A second leg.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) phone: Phone,
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) ring_timeout: Duration,
    pub(super) time_limit: Duration,
    pub(super) client_state: Option<String>,
    pub(super) hooks: Hooks,
    pub(super) has_hooks: bool,
    pub(super) amd: Option<Amd>,
    /// What is played to whoever answers, before the legs are bridged.
    pub(super) audio_url: Option<String>,
}

/// Keys to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gather {
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) terminator: Option<char>,
    pub(super) valid: String,
    /// Until the first key.
    pub(super) initial: Duration,
    /// Between keys.
    pub(super) between: Duration,
    pub(super) id: Option<String>,
    /// Spoken before.
    pub(super) prompt: Option<String>,
}

impl Action {
    /// `Ok(None)` if there is no such command, or none that is emulated.
    pub(super) fn read(name: &str, fields: Fields<'_>, config: &Config) -> Result<Option<Self>, Refusal> {
        Ok(Some(match name {
            "hangup" => Self::Hangup,
            "transfer" => Self::Transfer(Arc::new(Transfer::read(fields, config)?)),
            "speak" => Self::Speak { text: spoken(fields)?, times: times(fields)? },
            "playback_start" => Self::PlaybackStart { media: media(fields)?, times: times(fields)? },
            "playback_stop" => Self::PlaybackStop,
            "record_start" => Self::RecordStart(Recording::started(fields)?),
            "record_stop" => Self::RecordStop,
            "streaming_start" => {
                fields.required("stream_url")?;
                Self::StreamingStart(Box::new(Settings::read(fields)?))
            }
            "streaming_stop" => Self::StreamingStop,
            "send_dtmf" => Self::SendDtmf(digits(fields)?),
            "gather" => Self::Gather(Gather::read(fields, None)?),
            "gather_using_speak" => Self::Gather(Gather::read(fields, Some(spoken(fields)?))?),
            "gather_stop" => Self::GatherStop,
            "client_state_update" => {
                fields.required("client_state")?;
                Self::ClientStateUpdate
            }
            _ => return Ok(None),
        }))
    }

    /// Whether it makes sense while the phone still rings.
    pub(super) fn suits_ringing(&self) -> bool {
        match self {
            Self::Hangup | Self::ClientStateUpdate => true,
            Self::Transfer(_)
            | Self::Speak { .. }
            | Self::PlaybackStart { .. }
            | Self::PlaybackStop
            | Self::RecordStart(_)
            | Self::RecordStop
            | Self::StreamingStart(_)
            | Self::StreamingStop
            | Self::SendDtmf(_)
            | Self::Gather(_)
            | Self::GatherStop => false,
        }
    }
}

impl Transfer {
    fn read(fields: Fields<'_>, config: &Config) -> Result<Self, Refusal> {
        let to = fields.required("to")?;
        let from = fields.text("from")?;
        let has_hooks = fields.get("webhook_url").is_some() || fields.get("webhook_urls").is_some();
        Ok(Self {
            phone: phone("to", to)?,
            to: to.to_owned(),
            from: from.map(|from| origin("from", from, config)).transpose()?,
            ring_timeout: fields.seconds("timeout_secs", 5..=600, "90028")?.unwrap_or(RING_USUAL),
            time_limit: fields
                .seconds("time_limit_secs", 60..=TIME_LIMIT_MAX, "90029")?
                .unwrap_or(Duration::from_secs(TIME_LIMIT_MAX)),
            client_state: fields.client_state("target_leg_client_state")?.map(str::to_owned),
            hooks: Hooks::read(fields)?,
            has_hooks,
            amd: Amd::read(fields)?,
            audio_url: fields.text("audio_url")?.map(str::to_owned),
        })
    }
}

impl Gather {
    fn read(fields: Fields<'_>, prompt: Option<String>) -> Result<Self, Refusal> {
        let count = |name, usual| -> Result<usize, Refusal> {
            let given = fields.whole(name, 0..=128, "10033")?.unwrap_or(usual);
            Ok(usize::try_from(given).unwrap_or(usize::MAX))
        };
        let wait = |name, usual| -> Result<Duration, Refusal> {
            Ok(fields.milliseconds(name, 0..=600_000)?.unwrap_or(Duration::from_millis(usual)))
        };
        let whole = wait("timeout_millis", 60_000)?;
        let initial = fields.milliseconds("initial_timeout_millis", 0..=600_000)?;
        Ok(Self {
            least: count("minimum_digits", 1)?,
            most: count("maximum_digits", 128)?,
            terminator: fields.text("terminating_digit")?.unwrap_or("#").chars().next(),
            valid: fields.text("valid_digits")?.unwrap_or("0123456789#*").to_owned(),
            initial: initial.unwrap_or(whole),
            between: wait("inter_digit_timeout_millis", 5000)?,
            id: fields.text("gather_id")?.map(str::to_owned),
            prompt,
        })
    }
}

fn spoken(fields: Fields<'_>) -> Result<String, Refusal> {
    fields.required("payload")?;
    fields.required("voice")?;
    fields.one_of("payload_type", &["text", "ssml"])?;
    fields.one_of("service_level", &["basic", "premium"])?;
    Ok(fields.at_most("payload", SPEAK_MAX)?.unwrap_or_default().to_owned())
}

fn media(fields: Fields<'_>) -> Result<Media, Refusal> {
    let given = (fields.http_url("audio_url")?, fields.text("media_name")?, fields.text("playback_content")?);
    match given {
        (Some(url), None, None) => Ok(Media("media_url", url.into())),
        (None, Some(name), None) => Ok(Media("media_name", name.to_owned())),
        (None, None, Some(_)) => Ok(Media("media_name", "playback_content".to_owned())),
        (None, None, None) => Err(Refusal::missing("audio_url")),
        _ => Err(Refusal::unprocessable(
            "audio_url",
            "Only one of audio_url, media_name and \
            playback_content may be given.",
        )),
    }
}

/// A count, or `infinity`.
fn times(fields: Fields<'_>) -> Result<u32, Refusal> {
    if fields.get("loop").and_then(Value::as_str) == Some("infinity") {
        return Ok(FOREVER);
    }
    let given = fields.whole("loop", 1..=100, "10033")?;
    Ok(given.and_then(|times| u32::try_from(times).ok()).unwrap_or(1))
}

fn digits(fields: Fields<'_>) -> Result<String, Refusal> {
    let digits = fields.required("digits")?;
    fields.whole("duration_millis", 100..=500, "10033")?;
    if digits.chars().all(|digit| "0123456789ABCDabcd*#wW".contains(digit)) {
        return Ok(digits.to_owned());
    }
    Err(Refusal::unprocessable("digits", "'digits' may hold 0-9, A-D, w, W, * and #."))
}
