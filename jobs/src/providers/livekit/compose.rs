//! The bytes of a dial: two lines of JSON. The first makes the room and sends for the agent; the second,
//! which alone rings a phone, lets the person in.

use std::collections::BTreeMap;

use outdial_workflows::rules::Agent;

use super::wire::{AgentDispatch, CreateRoom, CreateSipParticipant, Metadata, Report};
use super::{CALLEE, LiveKit};
use crate::providers::{CannotCompose, DialBody, DialOrder, public_url};

/// The attribute that shows our key to whoever is in the room.
pub(super) const KEY_ATTRIBUTE: &str = "outdial.key";

/// An agent's metadata may have this many bytes.
const METADATA_MAX: usize = 512 * 1024;

/// `max_call_duration` goes up to a day, in seconds.
const TIME_LIMIT_MAX: u32 = 24 * 3_600;

impl LiveKit {
    /// The same order gives the same bytes: fields come in a fixed order.
    pub(super) fn compose_order(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        let room = order.key.to_string();
        let (first, second) = (self.room(order, &room)?, self.dial(order, &room)?);
        Ok(DialBody { content_type: "application/json".into(), text: format!("{first}\n{second}") })
    }

    fn room(&self, order: &DialOrder<'_>, room: &str) -> Result<String, CannotCompose> {
        let (agent_name, deployment) = match &order.rules.agent {
            Agent::Hosted { agent_id, version } => (agent_id.as_str(), version.as_deref()),
            Agent::Stream { .. } | Agent::Ivr { .. } | Agent::Flow { .. } => {
                return Err(CannotCompose(
                    "LiveKit's calls are answered by an agent in the room; set agent to hosted, with the name \
                     that the agent's worker registers under as agent_id"
                        .into(),
                ));
            }
        };
        let url = format!("{}/v1/calls/{room}", public_url(order.public_url)?);
        let metadata = json(&Metadata {
            call: room,
            report: Report { url: &url, token: order.secret },
            variables: order.variables,
            record: order.rules.record,
        });
        if metadata.len() > METADATA_MAX {
            return Err(CannotCompose(format!(
                "the variables are too long: LiveKit takes {METADATA_MAX} bytes of them"
            )));
        }
        let agents = [AgentDispatch { agent_name, metadata: &metadata, deployment }];
        Ok(json(&CreateRoom { name: room, empty_timeout: self.settings.room_empty_s, agents }))
    }

    fn dial(&self, order: &DialOrder<'_>, room: &str) -> Result<String, CannotCompose> {
        let rules = order.rules;
        if !(1..=TIME_LIMIT_MAX).contains(&rules.call_time_limit_s) {
            return Err(CannotCompose(format!("call_time_limit_s must be 1 to {TIME_LIMIT_MAX}")));
        }
        if rules.ring_timeout_s == 0 {
            return Err(CannotCompose("ring_timeout_s must be at least 1".into()));
        }
        Ok(json(&CreateSipParticipant {
            sip_trunk_id: &self.settings.sip_trunk_id,
            sip_call_to: order.phone.as_str(),
            sip_number: order.caller_id.map(|number| number.0.as_str()),
            room_name: room,
            participant_identity: CALLEE,
            participant_attributes: BTreeMap::from([(KEY_ATTRIBUTE, room)]),
            ringing_timeout: format!("{}s", rules.ring_timeout_s),
            max_call_duration: format!("{}s", rules.call_time_limit_s),
            krisp_enabled: self.settings.krisp_enabled,
            wait_until_answered: false,
        }))
    }
}

/// serde_json writes no line breaks, so that a line holds all of it.
fn json(message: &impl serde::Serialize) -> String {
    serde_json::to_string(message).expect("messages are texts, numbers, flags and maps of texts")
}

/// The two requests of a composed dial: what makes the room, and what rings.
pub(super) fn parts(body: &DialBody) -> Option<(&str, DialBody)> {
    let (room, dial) = body.text.split_once('\n')?;
    Some((room, DialBody { content_type: body.content_type.clone(), text: dial.to_owned() }))
}

#[cfg(test)]
mod tests {
    use outdial_workflows::rules::Rules;
    use serde_json::{Value, json};

    use super::*;
    use crate::providers::livekit::fixtures;

    const KEY: &str = "00000000000000000000000000000001.00000000000000000000000000000002.3";

    fn compose(
        rules: &Rules,
        variables: &[(&str, &str)],
        public_url: &str,
    ) -> Result<(Value, Value), String> {
        let url = public_url.parse().expect("a URL");
        let phone = fixtures::phone();
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let order = DialOrder {
            key: fixtures::key(),
            phone: &phone,
            caller_id: rules.caller_ids.first(),
            rules,
            variables: &pairs.collect(),
            public_url: &url,
            account: fixtures::attempt().account,
            secret: "s3cret",
            tells_mailboxes: false,
        };
        let livekit = fixtures::livekit("https://example.livekit.cloud");
        let body = livekit.compose_order(&order).map_err(|error| error.to_string())?;
        assert_eq!(livekit.compose_order(&order), Ok(body.clone()));
        assert_eq!(body.content_type, "application/json");
        let (room, dial) = parts(&body).expect("two lines");
        let read = |text: &str| serde_json::from_str(text).expect("JSON");
        Ok((read(room), read(&dial.text)))
    }

    #[test]
    fn the_agent_is_sent_for_with_what_it_needs_and_the_person_is_let_in() {
        let variables = [("name", "Asha\n\"A\""), ("city", "Pune")];
        let composed = compose(&fixtures::rules(), &variables, "https://calls.example.com/");
        let (room, dial) = composed.expect("composes");
        let metadata = r#"{"call":"KEY","report":{"url":"https://calls.example.com/v1/calls/KEY","token":"s3cret"},"variables":{"city":"Pune","name":"Asha\n\"A\""},"record":false}"#;
        assert_eq!(
            room,
            json!({
                "name": KEY,
                "empty_timeout": 60,
                "agents": [{"agent_name": "caller", "metadata": metadata.replace("KEY", KEY)}],
            })
        );
        assert_eq!(
            dial,
            json!({
                "sip_trunk_id": "ST_1",
                "sip_call_to": "+919876543210",
                "sip_number": "+15550100",
                "room_name": KEY,
                "participant_identity": "callee",
                "participant_attributes": {"outdial.key": KEY},
                "ringing_timeout": "30s",
                "max_call_duration": "600s",
                "krisp_enabled": false,
                "wait_until_answered": false,
            })
        );
    }

    #[test]
    fn a_version_is_the_agents_deployment_and_without_a_number_the_trunk_picks_one() {
        let agent = Agent::Hosted { agent_id: "caller".into(), version: Some("staging".into()) };
        let rules = Rules { agent, caller_ids: vec![], record: true, ..fixtures::rules() };
        let (room, dial) = compose(&rules, &[], "http://127.0.0.1:8080/out").expect("composes");
        assert_eq!(room["agents"][0]["deployment"], "staging");
        let metadata = room["agents"][0]["metadata"].as_str().expect("metadata");
        assert!(metadata.contains(r#""record":true"#), "{metadata}");
        assert!(metadata.contains(&format!("http://127.0.0.1:8080/out/v1/calls/{KEY}")), "{metadata}");
        assert_eq!(dial.get("sip_number"), None);
    }

    #[test]
    fn what_livekit_could_not_do_is_refused_with_what_to_do() {
        let with = |agent| Rules { agent, ..fixtures::rules() };
        let endless = Rules { call_time_limit_s: 90_000, ..fixtures::rules() };
        let silent = Rules { ring_timeout_s: 0, ..fixtures::rules() };
        let long = "x".repeat(METADATA_MAX);
        let ours = "https://calls.example.com";
        for (rules, value, url, says) in [
            (with(Agent::default()), "", ours, "set agent to hosted"),
            (with(Agent::Flow { flow_id: "1".into() }), "", ours, "set agent to hosted"),
            (endless, "", ours, "call_time_limit_s"),
            (silent, "", ours, "ring_timeout_s"),
            (fixtures::rules(), long.as_str(), ours, "too long"),
            (fixtures::rules(), "", "ftp://calls.example.com", "public_url"),
        ] {
            let error = compose(&rules, &[("name", value)], url).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
