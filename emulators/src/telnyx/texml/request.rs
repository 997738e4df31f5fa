//! A request for a TeXML call that has passed every check (protocol page, §7.1).

use std::time::Duration;

use url::Url;

use crate::telnyx::{
    amd::{Amd, Mode},
    config::{Config, TexmlKey},
    dial::{DialRequest, origin},
    fields::{Fields, phone},
    hooks::{Hooks, Route},
    recording::Recording,
    reply::Refusal,
};

/// What only TeXML has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telnyx) struct Request {
    /// Our dial key, out of the status callback's address.
    pub(in crate::telnyx) key: Option<String>,
    pub(super) source: Source,
    pub(super) fallback: Option<Url>,
    pub(super) status: Option<Route>,
    /// Which of `initiated ringing answered completed`.
    pub(super) events: Vec<String>,
    /// Whether instructions wait for detection.
    pub(super) amd_first: bool,
    pub(super) amd: Option<Route>,
    pub(super) recording: Option<Route>,
}

/// Where instructions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telnyx) enum Source {
    /// Fetched, with parameters beyond the usual ones.
    Url { url: Url, get: bool, extras: Vec<(&'static str, String)> },
    /// Given.
    Inline(String),
}

const PARAMETERS: [&str; 54] = [
    "ApplicationSid",
    "From",
    "To",
    "Url",
    "UrlMethod",
    "Method",
    "FallbackUrl",
    "Texml",
    "StatusCallback",
    "StatusCallbackMethod",
    "StatusCallbackEvent",
    "MachineDetection",
    "DetectionMode",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
    "MachineDetectionTimeout",
    "MachineDetectionSilenceTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "CancelPlaybackOnMachineDetection",
    "CancelPlaybackOnDetectMessageEnd",
    "Record",
    "RecordingChannels",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "RecordingTrack",
    "RecordingTimeout",
    "Trim",
    "SendRecordingUrl",
    "Timeout",
    "TimeLimit",
    "CallerId",
    "CustomHeaders",
    "PreferredCodecs",
    "SipAuthUsername",
    "SipAuthPassword",
    "SipRegion",
    "MediaEncryption",
    "SuperviseCallSid",
    "SupervisingRole",
    "DeepfakeDetection",
    "DeepfakeDetectionCallbackMethod",
    "DeepfakeDetectionCallbackUrl",
    "MachineDetectionPromptEndTimeout",
    "MachineDetectionBeepMaxFrequency",
    "MachineDetectionBeepMinFrequency",
    "MachineDetectionBeepMinToneDuration",
    "MachineDetectionBeepProfile",
    "MachineDetectionBeepSpectralConfirmation",
    "MachineDetectionBeepSpectralMinPurity",
    "MachineDetectionBeepSpectralRejectFaxCng",
    "MachineDetectionBeepSpectralWindow",
];

/// How many parameters the protocol does not have; those in snake case are among them.
pub(super) fn strangers(fields: Fields<'_>) -> usize {
    fields.strangers(&PARAMETERS)
}

/// Reads a request that goes through the application `connection`.
pub(super) fn read(fields: Fields<'_>, connection: &str, config: &Config) -> Result<DialRequest, Refusal> {
    let to = fields.required("To")?;
    let from = origin("From", fields.required("From")?, config)?;
    fields.at_most("CallerId", 128)?;
    let time_limit = fields.seconds("TimeLimit", 30..=14_400, "10033")?;
    Ok(DialRequest {
        connection: connection.to_owned(),
        phone: phone("To", to)?,
        to: to.to_owned(),
        from,
        command_id: None,
        client_state: None,
        hooks: Hooks::default(),
        ring_timeout: fields.seconds("Timeout", 5..=120, "10033")?.unwrap_or(Duration::from_secs(30)),
        retry_on_timeout: true,
        time_limit: time_limit.unwrap_or(Duration::from_secs(14_400)),
        amd: detection(fields)?,
        stream: None,
        stream_first: false,
        record: recording(fields)?,
        texml: Some(texml(fields, connection, config)?),
        partner: None,
        audio_url: None,
    })
}

fn texml(fields: Fields<'_>, connection: &str, config: &Config) -> Result<Request, Refusal> {
    let application = config.connection(connection).unwrap_or_default();
    let failover = application.webhook_failover_url.as_deref().and_then(|url| Url::parse(url).ok());
    let route = |name: &str, method: &str| -> Result<Option<Route>, Refusal> {
        let get = is_get(fields, method)?;
        let to = |url| std::iter::once(url).chain(failover.clone()).collect();
        Ok(fields.http_url(name)?.map(|url| Route { to: to(url), get }))
    };
    let status = route("StatusCallback", "StatusCallbackMethod")?;
    let key = status.as_ref().and_then(|route| key(&route.to[0], &config.texml.key));
    Ok(Request {
        key,
        source: source(fields, application.voice_url.as_deref())?,
        fallback: fields.http_url("FallbackUrl")?.or(failover.clone()),
        status,
        events: events(fields)?,
        amd_first: !fields.flag("AsyncAmd")?.unwrap_or_default(),
        amd: route("AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?,
        recording: route("RecordingStatusCallback", "RecordingStatusCallbackMethod")?,
    })
}

/// The instructions of a request, or of an update.
pub(super) fn source_given(fields: Fields<'_>) -> Result<Option<Source>, Refusal> {
    if let Some(texml) = fields.text("Texml")? {
        return Ok(Some(Source::Inline(texml.to_owned())));
    }
    let get = is_get(fields, "Method")? || is_get(fields, "UrlMethod")?;
    Ok(fields.http_url("Url")?.map(|url| Source::Url { url, get, extras: Vec::new() }))
}

/// Applications are asked by GET.
fn source(fields: Fields<'_>, application: Option<&str>) -> Result<Source, Refusal> {
    let usual = || application.and_then(|url| Url::parse(url).ok());
    match source_given(fields)? {
        Some(given) => Ok(given),
        None => match usual() {
            Some(url) => Ok(Source::Url { url, get: true, extras: Vec::new() }),
            None => Err(Refusal::missing("Url")),
        },
    }
}

fn is_get(fields: Fields<'_>, name: &str) -> Result<bool, Refusal> {
    Ok(fields.one_of(name, &["GET", "POST"])? == Some("GET"))
}

fn events(fields: Fields<'_>) -> Result<Vec<String>, Refusal> {
    const KNOWN: [&str; 4] = ["initiated", "ringing", "answered", "completed"];
    let name = "StatusCallbackEvent";
    let given: Vec<String> =
        fields.text(name)?.unwrap_or("completed").split_whitespace().map(str::to_owned).collect();
    match given.iter().find(|event| !KNOWN.contains(&event.as_str())) {
        None => Ok(given),
        Some(stranger) => {
            let detail = format!("'{stranger}' is not a status callback event.");
            Err(Refusal::field("10032", "Invalid enumerated value", name, detail))
        }
    }
}

fn detection(fields: Fields<'_>) -> Result<Option<Amd>, Refusal> {
    let wanted = fields.one_of("MachineDetection", &["Enable", "Disable", "DetectMessageEnd"])?;
    let premium = fields.one_of("DetectionMode", &["Regular", "Premium", "PremiumCallScreening"])?;
    let longest = fields.milliseconds("MachineDetectionTimeout", 500..=60_000)?;
    let mode = match (wanted, premium) {
        (None | Some("Disable"), _) => return Ok(None),
        (Some(_), Some("Premium" | "PremiumCallScreening")) => Mode::Premium,
        (Some("DetectMessageEnd"), _) => Mode::GreetingEnd,
        (Some(_), _) => Mode::Detect,
    };
    Ok(Some(Amd { mode, longest: longest.unwrap_or(Duration::from_secs(30)) }))
}

fn recording(fields: Fields<'_>) -> Result<Option<Recording>, Refusal> {
    let channels = fields.one_of("RecordingChannels", &["mono", "dual"])?;
    fields.one_of("RecordingTrack", &["inbound", "outbound", "both"])?;
    let channels = if channels == Some("mono") { "single" } else { "dual" };
    let wanted = fields.flag("Record")?.unwrap_or_default();
    Ok(wanted.then(|| Recording::new(channels, "mp3")))
}

/// The part of the address that names our dial.
fn key(url: &Url, rule: &TexmlKey) -> Option<String> {
    match rule {
        TexmlKey::PathAndQuery => Some(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }),
        TexmlKey::Segment(index) => url.path_segments()?.nth(*index).map(str::to_owned),
        TexmlKey::Query(name) => {
            url.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
        }
    }
}

/// The dial key of a request that may not be valid.
pub(super) fn key_of(fields: Fields<'_>, config: &Config) -> Option<String> {
    key(&fields.http_url("StatusCallback").ok()??, &config.texml.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_the_settings_say() {
        let url = Url::parse("http://a/status/att_1/x?key=att_2&y=1").expect("a URL");
        let found = |rule| key(&url, &rule).unwrap_or_default();
        assert_eq!(found(TexmlKey::PathAndQuery), "/status/att_1/x?key=att_2&y=1");
        assert_eq!(found(TexmlKey::Segment(1)), "att_1");
        assert_eq!(found(TexmlKey::Query("key".into())), "att_2");
        assert_eq!(key(&url, &TexmlKey::Segment(7)), None);
    }
}
