//! A connect request that has passed every check of the protocol page, §2.

use std::time::Duration;

use url::Url;

use super::{config::Config, form::Form, phone, stream::target::Target};
use crate::carrier::Phone;

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct DialRequest {
    pub(super) phone: Phone,
    pub(super) from: String,
    pub(super) exophone: Phone,
    pub(super) mode: Mode,
    pub(super) time_limit: Duration,
    /// `None` where the request set none or it does not apply.
    pub(super) ring_timeout: Option<Duration>,
    pub(super) record: bool,
    pub(super) custom_field: Option<String>,
    pub(super) callback: Option<CallbackRequest>,
}

/// Who is dialled, and what is on the line.
#[derive(Debug, Clone)]
pub(super) enum Mode {
    /// A: a bot, at once.
    Bot(Target),
    /// B: a flow; its Voicebot applet may open a stream.
    Flow { id: String, stream: Option<Target> },
    /// C: a second person.
    Bridge { to: Phone },
}

/// Where to report.
#[derive(Debug, Clone)]
pub(super) struct CallbackRequest {
    pub(super) url: Url,
    /// Empty: the four-field form, once, at the end.
    pub(super) events: Vec<Event>,
    pub(super) json: bool,
}

/// A moment that a callback can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Ringing,
    Answered,
    Terminal,
}

impl Event {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Terminal => "terminal",
        }
    }
}

const TIME_LIMIT_MAX: u64 = 14_400;
const CUSTOM_FIELD_MAX: usize = 128;
const STREAM_NAME_MAX: usize = 32;
const EVENTS: &str = "StatusCallbackEvents";

/// Every parameter of the page's table.
const PARAMETERS: [&str; 20] = [
    "From",
    "To",
    "CallerId",
    "StreamUrl",
    "StreamType",
    "StreamName",
    "Url",
    "CallType",
    "TimeLimit",
    "TimeOut",
    "Record",
    "RecordingChannels",
    "RecordingFormat",
    "CustomField",
    "StatusCallback",
    "StatusCallbackContentType",
    "WaitUrl",
    "StartPlaybackToNew",
    "StartPlaybackValueNew",
    "StreamBegin",
];

/// How many parameters the protocol does not have.
pub(super) fn strangers(form: &Form) -> usize {
    form.strangers(&PARAMETERS, EVENTS)
}

impl DialRequest {
    /// `Err` is the message of a 400.
    pub(super) fn read(form: &Form, account: &str, config: &Config) -> Result<Self, String> {
        let from = required(form, "From")?;
        let phone = phone_of("From", from)?;
        let exophone = exophone(form, config)?;
        one_of(form, "CallType", &["trans"])?;
        one_of(form, "RecordingChannels", &["single", "dual"])?;
        one_of(form, "RecordingFormat", &["mp3", "mp3-hq"])?;
        let record = one_of(form, "Record", &["true", "false"])? == Some("true");
        let mode = mode(form, account, config)?;
        let ring_timeout = whole(form, "TimeOut", 1, u64::from(u32::MAX))?;
        let bounds_ringing = !matches!(mode, Mode::Bot(_)) || config.streams.ring_timeout;
        let time_limit = whole(form, "TimeLimit", 1, TIME_LIMIT_MAX)?;
        Ok(Self {
            phone,
            from: from.to_owned(),
            exophone,
            time_limit: time_limit.unwrap_or(Duration::from_secs(TIME_LIMIT_MAX)),
            ring_timeout: ring_timeout.filter(|_| bounds_ringing),
            record,
            custom_field: at_most(form, "CustomField", CUSTOM_FIELD_MAX)?.map(str::to_owned),
            callback: callback(form, &mode, config)?,
            mode,
        })
    }

    /// The bot's socket, if answering opens one.
    pub(super) fn stream(&self) -> Option<&Target> {
        match &self.mode {
            Mode::Bot(target) => Some(target),
            Mode::Flow { stream, .. } => stream.as_ref(),
            Mode::Bridge { .. } => None,
        }
    }
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, String> {
    form.get(name).ok_or_else(|| match form.misspelt(name) {
        Some(given) => {
            format!("{name} is mandatory (parameter names are CamelCase: '{given}' is not read)")
        }
        None => format!("{name} is mandatory"),
    })
}

fn phone_of(name: &str, value: &str) -> Result<Phone, String> {
    phone::parse(value).ok_or_else(|| format!("{name} is not a valid phone number: '{value}'"))
}

fn exophone(form: &Form, config: &Config) -> Result<Phone, String> {
    let exophone = phone_of("CallerId", required(form, "CallerId")?)?;
    let owned = |number: &String| phone::parse(number) == Some(exophone);
    if config.exophones.is_empty() || config.exophones.iter().any(owned) {
        Ok(exophone)
    } else {
        Err("CallerId is not an ExoPhone of this account".into())
    }
}

fn at_most<'a>(form: &'a Form, name: &str, length: usize) -> Result<Option<&'a str>, String> {
    let value = form.get(name);
    match value.map(|value| value.chars().count()) {
        Some(given) if given > length => {
            Err(format!("{name} must be at most {length} characters, not {given}"))
        }
        _ => Ok(value),
    }
}

fn one_of<'a>(form: &'a Form, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, String> {
    let value = form.get(name);
    match value {
        Some(given) if !allowed.contains(&given) => {
            Err(format!("{name} must be {}, not '{given}'", allowed.join(" or ")))
        }
        _ => Ok(value),
    }
}

/// A whole number of seconds.
fn whole(form: &Form, name: &str, least: u64, most: u64) -> Result<Option<Duration>, String> {
    let Some(given) = form.get(name) else { return Ok(None) };
    match given.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(Some(Duration::from_secs(value))),
        _ => Err(format!("{name} must be an integer from {least} to {most}, not '{given}'")),
    }
}

fn mode(form: &Form, account: &str, config: &Config) -> Result<Mode, String> {
    let given = (form.get("StreamUrl"), form.get("Url"), form.get("To"));
    if form.get("StreamType").is_some() && given.0.is_none() {
        return Err("StreamType needs a StreamUrl".into());
    }
    match given {
        (Some(stream), None, None) => bot(form, stream),
        (None, Some(url), None) => flow(url, account, config),
        (None, None, Some(to)) => Ok(Mode::Bridge { to: phone_of("To", to)? }),
        (None, None, None) => Err(match form.misspelt("StreamUrl") {
            Some(name) => format!(
                "One of StreamUrl, Url or To is mandatory \
                 (parameter names are CamelCase: '{name}' is not read)"
            ),
            None => "One of StreamUrl, Url or To is mandatory".into(),
        }),
        _ => Err("StreamUrl, Url and To are mutually exclusive".into()),
    }
}

fn bot(form: &Form, stream: &str) -> Result<Mode, String> {
    if required(form, "StreamType")? != "bidirectional" {
        return Err("StreamType must be bidirectional".into());
    }
    at_most(form, "StreamName", STREAM_NAME_MAX)?;
    Target::parse(stream).map(Mode::Bot)
}

/// Only flows of the account itself: `http(s)://my.exotel.com/{account}/exoml/start_voice/{id}`.
fn flow(given: &str, account: &str, config: &Config) -> Result<Mode, String> {
    let refusal = || {
        format!("Url must be http(s)://my.exotel.com/{account}/exoml/start_voice/{{flow_id}}, not '{given}'")
    };
    let url = Url::parse(given).map_err(|_| refusal())?;
    let path = format!("/{account}/exoml/start_voice/");
    let ours = matches!(url.scheme(), "http" | "https") && url.host_str() == Some("my.exotel.com");
    let id = url.path().strip_prefix(&path).filter(|id| ours && !id.is_empty() && !id.contains('/'));
    let id = id.ok_or_else(refusal)?.to_owned();
    let stream = match config.flows.get(&id) {
        Some(flow) => flow.stream_url.as_deref().map(Target::parse).transpose()?,
        None if config.flows.is_empty() => None,
        None => return Err(format!("Url names flow {id}, which this account does not have")),
    };
    Ok(Mode::Flow { id, stream })
}

fn callback(form: &Form, mode: &Mode, config: &Config) -> Result<Option<CallbackRequest>, String> {
    let json = one_of(form, "StatusCallbackContentType", &["multipart/form-data", "application/json"])?
        == Some("application/json");
    let asked = form.list(EVENTS).map(|name| event(name, mode)).collect::<Result<Vec<_>, _>>()?;
    let Some(given) = form.get("StatusCallback") else { return Ok(None) };
    let url = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| format!("StatusCallback must be an http(s) URL, not '{given}'"))?;
    let heeded = matches!(mode, Mode::Bridge { .. }) || config.callbacks.events_in_bot_modes;
    let events = if heeded { asked } else { Vec::new() };
    Ok(Some(CallbackRequest { url, events, json }))
}

fn event(name: &str, mode: &Mode) -> Result<Event, String> {
    match (name, mode) {
        ("terminal", _) => Ok(Event::Terminal),
        ("answered", _) => Ok(Event::Answered),
        ("ringing", Mode::Bot(_)) => Ok(Event::Ringing),
        ("ringing", Mode::Flow { .. } | Mode::Bridge { .. }) => {
            Err(format!("{EVENTS} may hold ringing only with StreamUrl"))
        }
        (other, _) => Err(format!("{EVENTS} may hold terminal and answered, not '{other}'")),
    }
}
