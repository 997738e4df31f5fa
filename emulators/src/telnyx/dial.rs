//! A dial request that has passed every check of the protocol page, §2.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    amd::Amd,
    call::Mailbox,
    config::Config,
    fields::{Fields, phone, wrong_type},
    hooks::Hooks,
    recording::Recording,
    reply::Refusal,
    stream::Settings,
    texml,
};
use crate::carrier::Phone;

pub(super) const TIME_LIMIT_MAX: u64 = 14_400;
pub(super) const RING_USUAL: Duration = Duration::from_secs(30);

/// What was asked for, through either API.
#[derive(Debug, Clone)]
pub(super) struct DialRequest {
    pub(super) connection: String,
    pub(super) phone: Phone,
    /// Without digits to send on answer.
    pub(super) to: String,
    pub(super) from: String,
    /// What `command_id` remembers.
    pub(super) command_id: Option<String>,
    /// Base64.
    pub(super) client_state: Option<String>,
    pub(super) hooks: Hooks,
    pub(super) ring_timeout: Duration,
    pub(super) retry_on_timeout: bool,
    pub(super) time_limit: Duration,
    pub(super) amd: Option<Amd>,
    pub(super) stream: Option<Settings>,
    /// Whether the stream is opened before the phone rings.
    pub(super) stream_first: bool,
    pub(super) record: Option<Recording>,
    /// What only TeXML has.
    pub(super) texml: Option<texml::Request>,
    /// The call that this one is a second leg of.
    pub(super) partner: Option<Partner>,
    /// What is played to whoever answers a second leg, before it is bridged.
    pub(super) audio_url: Option<String>,
}

/// The first leg, as its second one knows it.
#[derive(Debug, Clone)]
pub(super) struct Partner {
    pub(super) id: Arc<str>,
    pub(super) session: Arc<str>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// Every parameter that the dial command has.
const PARAMETERS: [&str; 61] = [
    "connection_id",
    "from",
    "to",
    "answering_machine_detection",
    "answering_machine_detection_config",
    "assistant",
    "audio_url",
    "billing_group_id",
    "bridge_intent",
    "bridge_on_answer",
    "client_state",
    "command_id",
    "conference_config",
    "conversation_relay_config",
    "custom_headers",
    "deepfake_detection",
    "dialogflow_config",
    "diversion",
    "enable_dialogflow",
    "from_display_name",
    "link_to",
    "media_encryption",
    "media_name",
    "park_after_unbridge",
    "preferred_codecs",
    "prevent_double_bridge",
    "privacy",
    "record",
    "record_channels",
    "record_custom_file_name",
    "record_format",
    "record_max_length",
    "record_timeout_secs",
    "record_track",
    "record_trim",
    "retry_on_timeout",
    "route_to_mobile",
    "send_digits_on_answer",
    "send_silence_when_idle",
    "sip_auth_password",
    "sip_auth_username",
    "sip_headers",
    "sip_region",
    "sip_transport_protocol",
    "sound_modifications",
    "stream_auth_token",
    "stream_bidirectional_codec",
    "stream_bidirectional_mode",
    "stream_bidirectional_sampling_rate",
    "stream_bidirectional_target_legs",
    "stream_codec",
    "stream_establish_before_call_originate",
    "stream_track",
    "stream_url",
    "supervise_call_control_id",
    "supervisor_role",
    "time_limit_secs",
    "timeout_secs",
    "transcription",
    "transcription_config",
    "webhook_retries_policies",
];

const WEBHOOK_PARAMETERS: [&str; 4] =
    ["webhook_url", "webhook_url_method", "webhook_urls", "webhook_urls_method"];

/// How many parameters the protocol does not have.
pub(super) fn strangers(fields: Fields<'_>) -> usize {
    fields.strangers(&[&PARAMETERS[..], &WEBHOOK_PARAMETERS].concat())
}

impl DialRequest {
    pub(super) fn read(fields: Fields<'_>, config: &Config) -> Result<Self, Refusal> {
        let connection = connection(fields, config)?;
        let to = destination(fields)?;
        let from = origin("from", fields.required("from")?, config)?;
        fields.at_most("from_display_name", 128)?;
        Ok(Self {
            connection,
            phone: phone("to", &to)?,
            to,
            from,
            command_id: fields.text("command_id")?.map(str::to_owned),
            client_state: fields.client_state("client_state")?.map(str::to_owned),
            hooks: Hooks::read(fields)?,
            ring_timeout: fields.seconds("timeout_secs", 5..=600, "90028")?.unwrap_or(RING_USUAL),
            retry_on_timeout: fields.flag("retry_on_timeout")?.unwrap_or(true),
            time_limit: fields
                .seconds("time_limit_secs", 60..=TIME_LIMIT_MAX, "90029")?
                .unwrap_or(Duration::from_secs(TIME_LIMIT_MAX)),
            amd: Amd::read(fields)?,
            stream: if fields.get("stream_url").is_some() { Some(Settings::read(fields)?) } else { None },
            stream_first: fields.flag("stream_establish_before_call_originate")?.unwrap_or_default(),
            record: Recording::from_answer(fields)?,
            texml: None,
            partner: None,
            audio_url: None,
        })
    }

    /// Our dial key: what the client state says, or else the command's id.
    pub(super) fn key(&self) -> Option<String> {
        match &self.texml {
            Some(texml) => texml.key.clone(),
            None => key(self.client_state.as_deref(), self.command_id.as_deref()),
        }
    }

    /// How the logs call the API it came through.
    pub(super) fn product(&self) -> &'static str {
        if self.texml.is_some() { "texml" } else { "call_control" }
    }
}

/// The dial key of a request that may not be valid.
pub(super) fn key(client_state: Option<&str>, command_id: Option<&str>) -> Option<String> {
    let decoded = client_state.and_then(|state| STANDARD.decode(state).ok());
    let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    decoded.or_else(|| command_id.map(str::to_owned))
}

fn connection(fields: Fields<'_>, config: &Config) -> Result<String, Refusal> {
    let id = fields.required("connection_id")?;
    if config.connection(id).is_some() {
        return Ok(id.to_owned());
    }
    let detail = "The requested connection_id is either invalid or does not exist. Only Call Control \
                  Apps with valid webhook URL are accepted.";
    Err(Refusal::field(
        "10015",
        "Invalid value for connection_id (Call Control App ID)",
        "connection_id",
        detail,
    ))
}

/// One number; several at once are not emulated.
fn destination(fields: Fields<'_>) -> Result<String, Refusal> {
    let given = match fields.get("to") {
        None => return Err(Refusal::missing("to")),
        Some(Value::String(to)) => to,
        Some(Value::Array(several)) => match several.as_slice() {
            [Value::String(to)] => to,
            _ => return Err(Refusal::unprocessable("to", "Simultaneous dial is not emulated.")),
        },
        Some(_) => return Err(wrong_type("to", "a string or an array of strings")),
    };
    Ok(given.split_once(',').map_or(given.as_str(), |(number, _digits)| number).to_owned())
}

/// A number that the account may call from.
pub(super) fn origin(name: &str, from: &str, config: &Config) -> Result<String, Refusal> {
    phone(name, from)?;
    if config.owns(from) {
        return Ok(from.to_owned());
    }
    let detail = format!("The source number {from} is not a number of this account, nor a verified one.");
    Err(Refusal::field("10027", "Unverified origination number", name, detail))
}
