//! What a stream is to be like: the `stream_*` parameters (protocol page, §2 and §6).

use serde_json::Value;
use url::Url;

use crate::telnyx::{
    fields::{Fields, wrong_type},
    reply::Refusal,
};

const TOKEN_MAX: usize = 4000;
const RATES: [u64; 5] = [8000, 16_000, 22_050, 24_000, 48_000];
const CODECS: [&str; 7] = ["PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16", "default"];

/// A checked wish for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telnyx) struct Settings {
    pub(in crate::telnyx) url: Url,
    pub(super) track: Track,
    /// Of what we hear.
    pub(super) codec: Codec,
    pub(super) mode: Mode,
    /// Of what we say, in mode `rtp`.
    pub(super) said: Codec,
    pub(super) rate: u32,
    pub(super) token: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
    /// Whether a stream that broke is opened again.
    pub(super) reconnects: bool,
}

/// Whose audio is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Inbound,
    Outbound,
    Both,
}

/// How audio comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A file in each message.
    Mp3,
    /// The codec's bytes.
    Rtp,
}

/// A codec; of G.722, Opus and AMR-WB only the names are emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Pcmu,
    Pcma,
    L16,
    Other(&'static str),
}

impl Codec {
    fn of(name: &'static str) -> Self {
        match name {
            "PCMU" | "default" => Self::Pcmu,
            "PCMA" => Self::Pcma,
            "L16" => Self::L16,
            other => Self::Other(other),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::L16 => "L16",
            Self::Other(name) => name,
        }
    }

    pub(super) fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8000,
            Self::L16 | Self::Other(_) => 16_000,
        }
    }

    /// Bytes in a second of audio; `None` where that varies.
    pub(super) fn bytes_per_second(self, rate: u32) -> Option<u32> {
        match self {
            Self::Pcmu | Self::Pcma => Some(rate),
            Self::L16 => Some(rate * 2),
            Self::Other(_) => None,
        }
    }
}

impl Settings {
    /// Of parameters that hold a `stream_url`.
    pub(in crate::telnyx) fn read(fields: Fields<'_>) -> Result<Self, Refusal> {
        let url = socket_url("stream_url", fields.required("stream_url")?)?;
        let track = fields.one_of("stream_track", &["inbound_track", "outbound_track", "both_tracks"])?;
        let codec = fields.one_of("stream_codec", &CODECS)?.unwrap_or("default");
        let mode = fields.one_of("stream_bidirectional_mode", &["mp3", "rtp"])?;
        let said = fields.one_of("stream_bidirectional_codec", &CODECS[..6])?.unwrap_or("PCMU");
        fields.one_of("stream_bidirectional_target_legs", &["both", "self", "opposite"])?;
        let said = Codec::of(said);
        let token = fields.at_most("stream_auth_token", TOKEN_MAX)?;
        Ok(Self {
            url,
            track: Track::of(track),
            codec: Codec::of(codec),
            mode: if mode == Some("rtp") { Mode::Rtp } else { Mode::Mp3 },
            said,
            rate: rate(fields)?.unwrap_or(said.rate()),
            token: token.map(str::to_owned),
            parameters: parameters(fields)?,
            reconnects: false,
        })
    }

    /// Of a TeXML `<Stream>`; `attribute` looks one up.
    pub(in crate::telnyx) fn of_texml<'a>(
        attribute: impl Fn(&str) -> Option<&'a str>,
        parameters: Vec<(String, String)>,
    ) -> Option<Self> {
        let codec = |name| CODECS.into_iter().find(|codec| Some(*codec) == attribute(name));
        let said = Codec::of(codec("bidirectionalCodec").unwrap_or("PCMU"));
        let rate = attribute("bidirectionalSamplingRate").and_then(|rate| rate.parse().ok());
        Some(Self {
            url: socket_url("url", attribute("url")?).ok()?,
            track: Track::of(attribute("track")),
            codec: Codec::of(codec("codec").unwrap_or("default")),
            mode: if attribute("bidirectionalMode") == Some("rtp") { Mode::Rtp } else { Mode::Mp3 },
            said,
            rate: rate.unwrap_or(said.rate()),
            token: None,
            parameters,
            reconnects: attribute("enableReconnect") != Some("false"),
        })
    }
}

impl Track {
    fn of(name: Option<&str>) -> Self {
        match name {
            Some("outbound_track") => Self::Outbound,
            Some("both_tracks") => Self::Both,
            _ => Self::Inbound,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound_track",
            Self::Outbound => "outbound_track",
            Self::Both => "both_tracks",
        }
    }

    /// What a frame of it is marked with.
    pub(super) fn sides(self) -> &'static [&'static str] {
        match self {
            Self::Inbound => &["inbound"],
            Self::Outbound => &["outbound"],
            Self::Both => &["inbound", "outbound"],
        }
    }
}

/// Telnyx wants `wss:`; `ws:` is let through, since that is what can be opened here.
fn socket_url(name: &str, text: &str) -> Result<Url, Refusal> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "ws" | "wss"));
    url.ok_or_else(|| Refusal::unprocessable(name, format!("'{name}' must be a wss:// URL.")))
}

fn rate(fields: Fields<'_>) -> Result<Option<u32>, Refusal> {
    let name = "stream_bidirectional_sampling_rate";
    match fields.whole(name, 8000..=48_000, "10032")? {
        Some(rate) if !RATES.contains(&rate) => {
            let detail = format!("'{name}' must be one of 8000, 16000, 22050, 24000, 48000.");
            Err(Refusal::field("10032", "Invalid enumerated value", name, detail))
        }
        rate => Ok(rate.and_then(|rate| u32::try_from(rate).ok())),
    }
}

/// `custom_parameters`, which `streaming_start` takes.
fn parameters(fields: Fields<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let name = "custom_parameters";
    let Some(given) = fields.get(name) else { return Ok(Vec::new()) };
    let pair = |item: &Value| Some((item["name"].as_str()?.to_owned(), item["value"].as_str()?.to_owned()));
    let pairs = given.as_array().and_then(|items| items.iter().map(pair).collect());
    pairs.ok_or_else(|| wrong_type(name, "an array of names and values"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Settings, Refusal> {
        Settings::read(Fields(body.as_object().expect("an object")))
    }

    #[test]
    fn a_url_alone_means_mp3_and_pcmu_of_the_caller() {
        let settings = read(&json!({"stream_url": "wss://bot.example/s"})).expect("settings");
        assert_eq!((settings.track, settings.codec), (Track::Inbound, Codec::Pcmu));
        assert_eq!((settings.mode, settings.said, settings.rate), (Mode::Mp3, Codec::Pcmu, 8000));
    }

    #[test]
    fn codecs_are_case_sensitive_and_rates_listed() {
        let with = |name: &str, value: Value| {
            let mut body = json!({"stream_url": "wss://bot.example/s"});
            body[name] = value;
            read(&body).err().map(|refusal| refusal.code)
        };
        assert_eq!(with("stream_codec", json!("pcmu")), Some("10032"));
        assert_eq!(with("stream_bidirectional_codec", json!("default")), Some("10032"));
        assert_eq!(with("stream_bidirectional_sampling_rate", json!(44_100)), Some("10032"));
        assert_eq!(with("stream_bidirectional_sampling_rate", json!(16_000)), None);
        assert_eq!(with("stream_url", json!("https://bot.example/")), Some("10027"));
        assert_eq!(with("stream_auth_token", json!("x".repeat(4001))), Some("10027"));
        assert_eq!(with("custom_parameters", json!([{"name": "a"}])), Some("10026"));
    }
}
