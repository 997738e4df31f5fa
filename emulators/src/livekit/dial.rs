//! A dial request that has passed every check of the protocol page, §4.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{
    config::{Config, Trunk},
    error::{Code, Refusal},
    id, phone,
};
use crate::carrier::Phone;

/// `CreateSIPParticipantRequest`, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    sip_trunk_id: String,
    trunk: Option<Inline>,
    sip_call_to: String,
    sip_number: String,
    room_name: String,
    participant_identity: String,
    participant_name: String,
    participant_metadata: String,
    participant_attributes: BTreeMap<String, String>,
    dtmf: String,
    hide_phone_number: bool,
    ringing_timeout: u64,
    max_call_duration: u64,
    wait_until_answered: bool,
    display_name: Option<String>,
}

/// A trunk that the request brings along.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inline {
    hostname: String,
    auth_username: String,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct DialRequest {
    pub(super) phone: Phone,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) trunk: Trunk,
    pub(super) room: String,
    pub(super) identity: String,
    pub(super) name: String,
    pub(super) metadata: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) dtmf: String,
    pub(super) hides_number: bool,
    pub(super) ringing_timeout: Duration,
    pub(super) max_duration: Duration,
    pub(super) waits: bool,
}

const DISPLAY_NAME_MAX: usize = 128;
const NAME_MAX: usize = 256;
const METADATA_MAX: usize = 512 * 1024;
const ATTRIBUTES_MAX: usize = 64 * 1024;

/// Our dial key: the room's name, or else the identity.
pub(super) fn key(asked: &Value) -> &str {
    let part = |name: &str| asked.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    part("room_name").or_else(|| part("participant_identity")).unwrap_or_default()
}

impl DialRequest {
    pub(super) fn read(asked: Value, config: &Config) -> Result<Self, Refusal> {
        let asked: Asked = serde_json::from_value(asked)
            .map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
        check(&asked)?;
        let trunk = trunk(&asked, config)?;
        let phone = phone::line(&asked.sip_call_to);
        let at_most = |given: u64, most: Duration| match given {
            0 => most,
            given => Duration::from_millis(given).min(most),
        };
        let identity = match (asked.participant_identity.is_empty(), asked.hide_phone_number) {
            (false, _) => asked.participant_identity,
            (true, false) => format!("sip_{}", asked.sip_call_to),
            (true, true) => id::new("sip_"),
        };
        Ok(Self {
            phone,
            from: from(&asked.sip_number, &trunk, phone)?,
            to: asked.sip_call_to,
            trunk,
            room: asked.room_name,
            identity,
            name: asked.participant_name,
            metadata: asked.participant_metadata,
            attributes: asked.participant_attributes,
            dtmf: asked.dtmf,
            hides_number: asked.hide_phone_number,
            ringing_timeout: match asked.ringing_timeout {
                0 => config.sip.ringing_timeout,
                given => Duration::from_millis(given),
            },
            max_duration: at_most(asked.max_call_duration, config.sip.max_call_duration),
            waits: asked.wait_until_answered,
        })
    }
}

fn check(asked: &Asked) -> Result<(), Refusal> {
    let refusal = if asked.sip_trunk_id.is_empty() && asked.trunk.is_none() {
        "missing sip trunk id and sip number"
    } else if asked.sip_call_to.is_empty() {
        "missing sip callee number"
    } else if asked.sip_call_to.contains('@') || asked.sip_call_to.starts_with("sip:") {
        "SipCallTo should be a phone number or SIP user, not a full SIP URI"
    } else if asked.room_name.is_empty() {
        "missing room name"
    } else if asked.display_name.as_ref().is_some_and(|name| name.chars().count() > DISPLAY_NAME_MAX) {
        "DisplayName too long (max 128 characters)"
    } else {
        check_name("room name", &asked.room_name)?;
        check_name("participant identity", &asked.participant_identity)?;
        check_name("participant name", &asked.participant_name)?;
        check_metadata(&asked.participant_metadata)?;
        return check_attributes(&asked.participant_attributes);
    };
    Err(Refusal::invalid(refusal))
}

pub(super) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    check_size(what, name.chars().count(), NAME_MAX)
}

pub(super) fn check_metadata(metadata: &str) -> Result<(), Refusal> {
    check_size("metadata", metadata.len(), METADATA_MAX)
}

pub(super) fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let size = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    check_size("attributes", size, ATTRIBUTES_MAX)
}

fn check_size(what: &str, size: usize, most: usize) -> Result<(), Refusal> {
    if size <= most { Ok(()) } else { Err(Refusal::invalid(format!("{what} exceeds size limits"))) }
}

fn trunk(asked: &Asked, config: &Config) -> Result<Trunk, Refusal> {
    match &asked.trunk {
        Some(inline) => Ok(Trunk {
            sip_trunk_id: String::new(),
            name: String::new(),
            address: inline.hostname.clone(),
            numbers: Vec::new(),
            auth_username: inline.auth_username.clone(),
            ..Trunk::default()
        }),
        None => {
            let known = config.trunk(&asked.sip_trunk_id).cloned();
            known.ok_or_else(|| Refusal::new(Code::NotFound, "requested sip trunk does not exist"))
        }
    }
}

/// The number it comes from. LiveKit takes any of the trunk's; here a callee always sees the same.
fn from(asked: &str, trunk: &Trunk, phone: Phone) -> Result<String, Refusal> {
    if !asked.is_empty() {
        let twilio = trunk.address.ends_with(".twilio.com") && !asked.starts_with('+');
        return Ok(if twilio { format!("+{asked}") } else { asked.to_owned() });
    }
    let count = u64::try_from(trunk.numbers.len()).unwrap_or(u64::MAX);
    let turn = phone.0.checked_rem(count).and_then(|turn| usize::try_from(turn).ok());
    let number = turn.and_then(|turn| trunk.numbers.get(turn)).cloned();
    number.ok_or_else(|| Refusal::new(Code::FailedPrecondition, "no numbers on outbound trunk"))
}
