//! The bytes of a dial request.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outdial_workflows::ids::DialKey;
use outdial_workflows::rules::Agent;
use serde::Serialize;

use super::Telnyx;
use super::settings::{Channels, Detection};
use crate::providers::{CannotCompose, DialBody, DialOrder, Provider};

/// `timeout_secs`, in seconds.
const RING_TIMEOUT: std::ops::RangeInclusive<u32> = 5..=600;

/// `time_limit_secs`, in seconds.
const TIME_LIMIT: std::ops::RangeInclusive<u32> = 60..=14_400;

/// The dial command, its fields in the order sent.
#[derive(Serialize)]
struct Dial<'a> {
    connection_id: &'a str,
    to: &'a str,
    from: &'a str,
    /// What copies are told by, for a minute.
    command_id: &'a str,
    /// What every webhook of the call bears.
    client_state: &'a str,
    webhook_url: &'a str,
    webhook_url_method: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    webhook_retries_policies: BTreeMap<&'static str, Retries<'a>>,
    timeout_secs: u32,
    time_limit_secs: u32,
    /// False: a phone that was not answered in time is left alone, rather than tried by another route.
    retry_on_timeout: bool,
    answering_machine_detection: Detection,
    #[serde(flatten)]
    stream: Stream<'a>,
    #[serde(flatten)]
    record: Option<Record>,
}

#[derive(Serialize)]
struct Retries<'a> {
    retries_ms: &'a [u32],
}

/// A bidirectional stream of plain G.711 frames, whatever codec the call itself speaks.
#[derive(Serialize)]
struct Stream<'a> {
    stream_url: &'a str,
    stream_track: &'static str,
    stream_codec: &'static str,
    stream_bidirectional_mode: &'static str,
    stream_bidirectional_codec: &'static str,
}

#[derive(Serialize)]
struct Record {
    record: &'static str,
    record_channels: Channels,
    record_format: &'static str,
}

impl Telnyx {
    /// The same order gives the same bytes: fields come in a fixed order.
    ///
    /// What the agent is told of the person stays with us, since the agent at the other end of the stream
    /// is ours.
    pub(super) fn compose_order(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        let rules = order.rules;
        match &rules.agent {
            Agent::Stream { .. } => {}
            Agent::Flow { flow_id } => return self.compose_texml(order, flow_id),
            Agent::Ivr { .. } => return self.compose_texml(order, self.settings.texml_application()),
            Agent::Hosted { .. } => {
                let remedy = "agents that Telnyx runs are not supported; set agent to stream or flow";
                return Err(CannotCompose(remedy.into()));
            }
        }
        let from = caller_id(order)?;
        within("ring_timeout_s", rules.ring_timeout_s, &RING_TIMEOUT)?;
        within("call_time_limit_s", rules.call_time_limit_s, &TIME_LIMIT)?;
        let key = order.key.to_string();
        let dial = Dial {
            connection_id: &self.settings.connection_id,
            to: order.phone.as_str(),
            from,
            command_id: &key,
            client_state: &client_state(order.key),
            webhook_url: &order.webhook_url(Provider::Telnyx)?,
            webhook_url_method: "POST",
            webhook_retries_policies: self.retries(rules.record),
            timeout_secs: rules.ring_timeout_s,
            time_limit_secs: rules.call_time_limit_s,
            retry_on_timeout: false,
            answering_machine_detection: self.settings.answering_machine_detection,
            stream: Stream {
                stream_url: &order.stream_url(Provider::Telnyx)?,
                stream_track: "inbound_track",
                stream_codec: "PCMU",
                stream_bidirectional_mode: "rtp",
                stream_bidirectional_codec: "PCMU",
            },
            record: rules.record.then_some(Record {
                record: "record-from-answer",
                record_channels: self.settings.record_channels,
                record_format: "mp3",
            }),
        };
        let text = serde_json::to_string(&dial).map_err(|problem| CannotCompose(problem.to_string()))?;
        Ok(DialBody { content_type: "application/json".into(), text })
    }

    /// For the events that a call's course hangs on. One that the call cannot have is not named, since
    /// Telnyx refuses names that it does not know.
    fn retries(&self, record: bool) -> BTreeMap<&'static str, Retries<'_>> {
        let retries_ms = self.settings.webhook_retries_ms.as_slice();
        if retries_ms.is_empty() {
            return BTreeMap::new();
        }
        let mut events = vec!["call.initiated", "call.answered", "call.hangup"];
        events.extend_from_slice(verdicts(self.settings.answering_machine_detection));
        events.extend(record.then_some("call.recording.saved"));
        events.into_iter().map(|event| (event, Retries { retries_ms })).collect()
    }
}

/// The events by which detection says who answered.
fn verdicts(detection: Detection) -> &'static [&'static str] {
    match detection {
        Detection::Disabled => &[],
        Detection::Detect => &["call.machine.detection.ended"],
        Detection::DetectBeep | Detection::DetectWords | Detection::GreetingEnd => {
            &["call.machine.detection.ended", "call.machine.greeting.ended"]
        }
        Detection::Premium | Detection::PremiumIosCallScreeningDetection => {
            &["call.machine.premium.detection.ended", "call.machine.premium.greeting.ended"]
        }
    }
}

/// Our key as `client_state` has it. Base64 of hex digits and dots holds no `+` and no `/`, so that logs
/// can be searched for it as it is.
pub(super) fn client_state(key: DialKey) -> String {
    STANDARD.encode(key.to_string())
}

pub(super) fn caller_id<'a>(order: &DialOrder<'a>) -> Result<&'a str, CannotCompose> {
    let set = "set caller_ids in the campaign's rules to one or more of the account's numbers";
    let caller_id = order.caller_id.ok_or_else(|| CannotCompose(set.into()))?;
    if is_e164(&caller_id.0) {
        return Ok(&caller_id.0);
    }
    Err(CannotCompose(format!("{set}; `{caller_id}` must be in E.164, such as +14155550100")))
}

pub(super) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn within(
    name: &str,
    value: u32,
    bounds: &std::ops::RangeInclusive<u32>,
) -> Result<(), CannotCompose> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(CannotCompose(format!("{name} must be {} to {}", bounds.start(), bounds.end())))
}

#[cfg(test)]
mod tests {
    use outdial_workflows::call::CallerId;
    use outdial_workflows::rules::Rules;

    use super::*;
    use crate::providers::telnyx::{Settings, fixtures};

    fn compose(settings: Settings, rules: &Rules, public_url: &str) -> Result<String, String> {
        let url = public_url.parse().expect("a URL");
        let phone = fixtures::phone();
        let variables = BTreeMap::from([("name".to_owned(), "Asha".to_owned())]);
        let order = DialOrder {
            key: fixtures::key(),
            phone: &phone,
            caller_id: rules.caller_ids.first(),
            rules,
            variables: &variables,
            public_url: &url,
            account: fixtures::attempt().account,
            secret: "s3cret",
            tells_mailboxes: false,
        };
        let telnyx = fixtures::telnyx_with("https://api.telnyx.com", settings);
        let body = telnyx.compose_order(&order).map_err(|error| error.to_string())?;
        assert_eq!(telnyx.compose_order(&order).as_ref(), Ok(&body));
        assert_eq!(body.content_type, "application/json");
        Ok(body.text)
    }

    fn pretty(text: &str) -> String {
        // Through no map, which would sort the fields.
        text.replace(",\"", ",\n\"")
    }

    #[test]
    fn a_call_has_its_stream_its_key_and_its_webhooks() {
        let text = compose(fixtures::settings(), &fixtures::rules(), "https://calls.example.com/")
            .expect("composes");
        insta::assert_snapshot!(pretty(&text), @r#"
        {"connection_id":"1494404757140276705",
        "to":"+14155550123",
        "from":"+14155550100",
        "command_id":"00000000000000000000000000000001.00000000000000000000000000000002.3",
        "client_state":"MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDEuMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDIuMw==",
        "webhook_url":"https://calls.example.com/webhooks/telnyx/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000003",
        "webhook_url_method":"POST",
        "webhook_retries_policies":{"call.answered":{"retries_ms":[1000,4000,10000,15000,30000]},
        "call.hangup":{"retries_ms":[1000,4000,10000,15000,30000]},
        "call.initiated":{"retries_ms":[1000,4000,10000,15000,30000]}},
        "timeout_secs":30,
        "time_limit_secs":600,
        "retry_on_timeout":false,
        "answering_machine_detection":"disabled",
        "stream_url":"wss://calls.example.com/streams/telnyx/00000000000000000000000000000001.00000000000000000000000000000002.3/s3cret",
        "stream_track":"inbound_track",
        "stream_codec":"PCMU",
        "stream_bidirectional_mode":"rtp",
        "stream_bidirectional_codec":"PCMU"}
        "#);
    }

    #[test]
    fn detection_and_a_recording_are_asked_for_by_name() {
        let settings = Settings {
            answering_machine_detection: Detection::Premium,
            record_channels: Channels::Single,
            webhook_retries_ms: vec![500],
            ..fixtures::settings()
        };
        let rules = Rules { record: true, ..fixtures::rules() };
        let text = compose(settings, &rules, "http://127.0.0.1:8080/out").expect("composes");
        insta::assert_snapshot!(pretty(&text), @r#"
        {"connection_id":"1494404757140276705",
        "to":"+14155550123",
        "from":"+14155550100",
        "command_id":"00000000000000000000000000000001.00000000000000000000000000000002.3",
        "client_state":"MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDEuMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDIuMw==",
        "webhook_url":"http://127.0.0.1:8080/out/webhooks/telnyx/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000003",
        "webhook_url_method":"POST",
        "webhook_retries_policies":{"call.answered":{"retries_ms":[500]},
        "call.hangup":{"retries_ms":[500]},
        "call.initiated":{"retries_ms":[500]},
        "call.machine.premium.detection.ended":{"retries_ms":[500]},
        "call.machine.premium.greeting.ended":{"retries_ms":[500]},
        "call.recording.saved":{"retries_ms":[500]}},
        "timeout_secs":30,
        "time_limit_secs":600,
        "retry_on_timeout":false,
        "answering_machine_detection":"premium",
        "stream_url":"ws://127.0.0.1:8080/out/streams/telnyx/00000000000000000000000000000001.00000000000000000000000000000002.3/s3cret",
        "stream_track":"inbound_track",
        "stream_codec":"PCMU",
        "stream_bidirectional_mode":"rtp",
        "stream_bidirectional_codec":"PCMU",
        "record":"record-from-answer",
        "record_channels":"single",
        "record_format":"mp3"}
        "#);
    }

    #[test]
    fn without_waits_telnyx_retries_webhooks_as_it_likes() {
        let settings = Settings { webhook_retries_ms: vec![], ..fixtures::settings() };
        let text = compose(settings, &fixtures::rules(), "https://calls.example.com").expect("composes");
        assert!(!text.contains("retries"), "{text}");
    }

    #[test]
    fn what_telnyx_would_not_take_is_refused_with_what_to_do() {
        let rules = fixtures::rules;
        let local = vec![CallerId("08040000000".into())];
        for (rules, url, says) in [
            (Rules::default(), "https://calls.example.com", "set caller_ids"),
            (Rules { caller_ids: local, ..rules() }, "https://calls.example.com", "E.164"),
            (
                Rules { call_time_limit_s: 59, ..rules() },
                "https://calls.example.com",
                "call_time_limit_s must be 60",
            ),
            (
                Rules { ring_timeout_s: 4, ..rules() },
                "https://calls.example.com",
                "ring_timeout_s must be 5 to 600",
            ),
            (
                Rules { agent: Agent::Hosted { agent_id: "a".into(), version: None }, ..rules() },
                "https://calls.example.com",
                "set agent to stream or flow",
            ),
            (rules(), "ftp://calls.example.com", "public_url"),
            (rules(), "https://calls.example.com/?a=b", "public_url"),
        ] {
            let error = compose(fixtures::settings(), &rules, url).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
