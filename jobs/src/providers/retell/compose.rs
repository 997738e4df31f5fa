//! The bytes of a dial request.

use chrono::TimeDelta;
use outdial_workflows::call::CallerId;
use outdial_workflows::rules::{Agent, Rules};

use super::Retell;
use super::requests::{AgentOverride, AgentSettings, AgentVersion, CreateCall, Metadata};
use crate::providers::{CannotCompose, DialBody, DialOrder, Provider};

/// How long a phone may be let ring, in seconds.
const RING_S: (u32, u32) = (5, 300);

/// Retell takes no shorter limit on a call, in seconds. A campaign that sets one gets this.
const CALL_LEAST_S: u32 = 60;

/// Nor a longer one.
const CALL_MOST_S: u32 = 7_200;

/// The digits of a number in E.164.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What is told of a call, in the order in which it happens.
const EVENTS: [&str; 4] = ["call_started", "call_ended", "call_analyzed", "transcript_updated"];

/// All but what is said while it is said.
const EVENTS_USUAL: usize = 3;

impl Retell {
    /// The same order gives the same bytes: fields come in a fixed order, and variables in that of their names.
    ///
    /// Retell records what the agent's own storage setting has it record; `record` does not change that.
    pub(super) fn compose_order(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        let rules = order.rules;
        let (agent_id, version) = agent(&rules.agent)?;
        let from_number = from_number(order.caller_id)?;
        let (ring_s, call_s) = limits(rules)?;
        let key = order.key.to_string();
        let webhook_url = order.webhook_url(Provider::Retell)?;
        let events = if self.settings.live_transcripts { &EVENTS } else { &EVENTS[..EVENTS_USUAL] };
        let request = CreateCall {
            from_number,
            to_number: order.phone.as_str(),
            idempotency_key: &key,
            override_agent_id: agent_id,
            override_agent_version: version,
            agent_override: AgentOverride {
                agent: AgentSettings {
                    ring_duration_ms: ring_s * 1_000,
                    max_call_duration_ms: call_s * 1_000,
                    webhook_url: &webhook_url,
                    webhook_events: events,
                },
            },
            retell_llm_dynamic_variables: order.variables,
            metadata: Metadata { attempt_id: &key },
            honor_internal_dnc: self.settings.honor_internal_dnc,
        };
        let text = serde_json::to_string(&request).map_err(|error| CannotCompose(error.to_string()))?;
        Ok(DialBody { content_type: "application/json".into(), text })
    }
}

/// The longest that a call by these rules can last from the moment it is accepted.
pub(super) fn longest_call(rules: &Rules) -> TimeDelta {
    TimeDelta::seconds(i64::from(rules.ring_timeout_s) + i64::from(call_limit_s(rules)))
}

fn call_limit_s(rules: &Rules) -> u32 {
    rules.call_time_limit_s.max(CALL_LEAST_S)
}

fn agent(agent: &Agent) -> Result<(&str, Option<AgentVersion<'_>>), CannotCompose> {
    match agent {
        Agent::Hosted { agent_id, version } => {
            // What is a number must be sent as one.
            let version = version
                .as_deref()
                .map(|version| version.parse().map_or(AgentVersion::Name(version), AgentVersion::Number));
            Ok((agent_id, version))
        }
        Agent::Stream { .. } | Agent::Ivr { .. } | Agent::Flow { .. } => Err(CannotCompose(
            "Retell's calls are answered by Retell's agents; set agent to hosted, with the agent_id that \
             Retell's dashboard shows"
                .into(),
        )),
    }
}

fn from_number(caller_id: Option<&CallerId>) -> Result<&str, CannotCompose> {
    let Some(CallerId(number)) = caller_id else {
        return Err(CannotCompose(
            "set caller_ids in the campaign's rules to one or more of the workspace's phone numbers".into(),
        ));
    };
    let digits = number.strip_prefix('+').unwrap_or_default();
    if DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(number);
    }
    Err(CannotCompose(format!(
        "caller_ids must be written as Retell has them, such as +14155550100, not {number}"
    )))
}

/// How long the phone rings and the call lasts at most, in seconds.
fn limits(rules: &Rules) -> Result<(u32, u32), CannotCompose> {
    let (ring_s, call_s) = (rules.ring_timeout_s, call_limit_s(rules));
    let (least, most) = RING_S;
    if !(least..=most).contains(&ring_s) {
        return Err(CannotCompose(format!("ring_timeout_s must be {least} to {most} for Retell")));
    }
    if call_s > CALL_MOST_S {
        return Err(CannotCompose(format!("call_time_limit_s must be at most {CALL_MOST_S} for Retell")));
    }
    Ok((ring_s, call_s))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use insta::assert_snapshot;

    use super::*;
    use crate::providers::retell::{Settings, fixtures};

    fn compose_with(settings: Settings, rules: &Rules, variables: &[(&str, &str)]) -> Result<String, String> {
        let url = "https://calls.example.com/".parse().expect("a URL");
        let phone = fixtures::phone();
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
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
        let retell = fixtures::retell_with("https://api.retellai.com", settings);
        let body = retell.compose_order(&order).map_err(|error| error.to_string())?;
        assert_eq!(retell.compose_order(&order).as_ref(), Ok(&body));
        assert_eq!(body.content_type, "application/json");
        Ok(body.text)
    }

    fn compose(rules: &Rules) -> Result<String, String> {
        compose_with(Settings::default(), rules, &[])
    }

    #[test]
    fn a_request_bears_our_key_twice_and_what_the_agent_is_told() {
        let told = [("name", "José \"Pepe\""), ("area", "Whitefield")];
        let text = compose_with(Settings::default(), &fixtures::rules(), &told).expect("composes");
        assert_snapshot!(text.replace(",\"", ",\n\""), @r#"
        {"from_number":"+14155550100",
        "to_number":"+14155550123",
        "idempotency_key":"00000000000000000000000000000001.00000000000000000000000000000002.3",
        "override_agent_id":"agent_1",
        "agent_override":{"agent":{"ring_duration_ms":30000,
        "max_call_duration_ms":600000,
        "webhook_url":"https://calls.example.com/webhooks/retell/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000003",
        "webhook_events":["call_started",
        "call_ended",
        "call_analyzed"]}},
        "retell_llm_dynamic_variables":{"area":"Whitefield",
        "name":"José \"Pepe\""},
        "metadata":{"attempt_id":"00000000000000000000000000000001.00000000000000000000000000000002.3"},
        "honor_internal_dnc":true}
        "#);
    }

    #[test]
    fn a_version_is_a_number_or_a_name_and_nothing_is_told_of_nobody() {
        for (version, sent) in [
            (None, r#""override_agent_id":"agent_1","agent_override""#),
            (Some("7"), r#""override_agent_version":7,"#),
            (Some("latest_published"), r#""override_agent_version":"latest_published","#),
            (Some("-1"), r#""override_agent_version":"-1","#),
        ] {
            let agent = Agent::Hosted { agent_id: "agent_1".into(), version: version.map(str::to_owned) };
            let text = compose(&Rules { agent, ..fixtures::rules() }).expect("composes");
            assert!(text.contains(sent), "{text}");
            assert!(!text.contains("dynamic_variables"), "{text}");
        }
    }

    #[test]
    fn settings_choose_whether_marks_are_heeded_and_transcripts_come_live() {
        let settings = Settings { honor_internal_dnc: false, live_transcripts: true, ..Settings::default() };
        let text = compose_with(settings, &fixtures::rules(), &[]).expect("composes");
        assert!(text.contains(r#""honor_internal_dnc":false"#), "{text}");
        assert!(text.contains(r#""call_analyzed","transcript_updated"]"#), "{text}");
    }

    #[test]
    fn a_call_shorter_than_retell_can_limit_is_limited_to_a_minute() {
        let rules = Rules { call_time_limit_s: 20, ..fixtures::rules() };
        assert!(compose(&rules).expect("composes").contains(r#""max_call_duration_ms":60000"#));
        assert_eq!(longest_call(&rules), TimeDelta::seconds(90));
    }

    #[test]
    fn what_retell_would_not_take_is_refused_with_what_to_do() {
        let with = |number: &str| Rules { caller_ids: vec![CallerId(number.into())], ..fixtures::rules() };
        for (rules, says) in [
            (Rules { caller_ids: vec![], ..fixtures::rules() }, "set caller_ids"),
            (with("08040000000"), "such as +14155550100"),
            (with("+1 415 555 0100"), "such as +14155550100"),
            (Rules { agent: Agent::default(), ..fixtures::rules() }, "set agent to hosted"),
            (
                Rules { agent: Agent::Flow { flow_id: "f".into() }, ..fixtures::rules() },
                "set agent to hosted",
            ),
            (Rules { ring_timeout_s: 4, ..fixtures::rules() }, "ring_timeout_s must be 5 to 300"),
            (
                Rules { call_time_limit_s: 7_201, ..fixtures::rules() },
                "call_time_limit_s must be at most 7200",
            ),
        ] {
            let error = compose(&rules).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
