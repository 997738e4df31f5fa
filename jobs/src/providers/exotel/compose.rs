//! The bytes of a dial request.

use outdial_workflows::rules::Agent;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Exotel;
use crate::providers::{CannotCompose, DialBody, DialOrder, public_url};

/// The whole of `StreamUrl`, its query included, must be shorter than this.
const STREAM_URL_BELOW: usize = 600;

/// `CustomField` takes this many characters.
const CUSTOM_FIELD_MAX: usize = 128;

/// `TimeLimit` goes up to this many seconds.
const TIME_LIMIT_MAX: u32 = 14_400;

impl Exotel {
    /// The same order gives the same bytes: fields come in a fixed order.
    pub(super) fn compose_order(&self, order: &DialOrder<'_>) -> Result<DialBody, CannotCompose> {
        let rules = order.rules;
        let caller_id = order.caller_id.ok_or_else(|| {
            CannotCompose(
                "set caller_ids in the campaign's rules to one or more of the account's ExoPhones".into(),
            )
        })?;
        if !(1..=TIME_LIMIT_MAX).contains(&rules.call_time_limit_s) {
            return Err(CannotCompose(format!("call_time_limit_s must be 1 to {TIME_LIMIT_MAX}")));
        }
        let key = order.key.to_string();
        debug_assert!(key.len() <= CUSTOM_FIELD_MAX, "a dial key has at most 71 characters");

        let mut form = Serializer::new(String::new());
        form.append_pair("From", order.phone.as_str()).append_pair("CallerId", &caller_id.0);
        let events: &[&str] = match &rules.agent {
            Agent::Stream { .. } => {
                form.append_pair("StreamUrl", &stream_url(order)?).append_pair("StreamType", "bidirectional");
                &["terminal", "answered", "ringing"]
            }
            Agent::Ivr { .. } => {
                return Err(CannotCompose(
                    "Exotel asks nobody what a call is to do; set agent to flow, with the id of an ExoPhlo"
                        .into(),
                ));
            }
            Agent::Hosted { .. } => {
                return Err(CannotCompose(
                    "Exotel runs no agents of its own; set agent to stream or flow".into(),
                ));
            }
            Agent::Flow { flow_id } => {
                form.append_pair("Url", &self.flow_url(flow_id)).append_pair("CallType", "trans");
                &["terminal", "answered"]
            }
        };
        form.append_pair("TimeLimit", &rules.call_time_limit_s.to_string())
            .append_pair("TimeOut", &rules.ring_timeout_s.to_string())
            .append_pair("Record", if rules.record { "true" } else { "false" })
            .append_pair("CustomField", &key)
            .append_pair("StatusCallback", &callback_url(order)?);
        for (at, event) in events.iter().enumerate() {
            form.append_pair(&format!("StatusCallbackEvents[{at}]"), event);
        }
        form.append_pair("StatusCallbackContentType", "application/json");
        Ok(DialBody { content_type: "application/x-www-form-urlencoded".into(), text: form.finish() })
    }

    fn flow_url(&self, flow_id: &str) -> String {
        let mut url: Url = "http://my.exotel.com".parse().expect("a constant URL parses");
        let parts = [self.credentials.account_sid.as_str(), "exoml", "start_voice", flow_id];
        url.path_segments_mut().expect("an http URL has a path").extend(parts);
        url.into()
    }
}

fn stream_url(order: &DialOrder<'_>) -> Result<String, CannotCompose> {
    let base = public_url(order.public_url)?;
    let rest = base.strip_prefix("http").expect("the scheme was checked");
    let url = format!("ws{rest}/streams/exotel/{}/{}", order.key, order.secret);
    if url.chars().count() < STREAM_URL_BELOW {
        return Ok(url);
    }
    Err(CannotCompose(format!(
        "public_url is too long: Exotel takes stream addresses below {STREAM_URL_BELOW}"
    )))
}

fn callback_url(order: &DialOrder<'_>) -> Result<String, CannotCompose> {
    let base = public_url(order.public_url)?;
    Ok(format!("{base}/webhooks/exotel/{}/{}", order.key, order.secret))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use outdial_workflows::rules::Rules;

    use super::*;
    use crate::providers::exotel::fixtures;

    fn compose(rules: &Rules, public_url: &str) -> Result<Vec<String>, String> {
        let url = public_url.parse().expect("a URL");
        let phone = fixtures::phone();
        let (key, caller_id) = (fixtures::key(), rules.caller_ids.first());
        let order = DialOrder {
            key,
            phone: &phone,
            caller_id,
            rules,
            variables: &BTreeMap::new(),
            public_url: &url,
            account: fixtures::attempt().account,
            secret: "s3cret",
            tells_mailboxes: false,
        };
        let exotel = fixtures::exotel("https://api.in.exotel.com");
        let body = exotel.compose_order(&order).map_err(|error| error.to_string())?;
        assert_eq!(exotel.compose_order(&order).map(|again| again.text), Ok(body.text.clone()));
        assert_eq!(body.content_type, "application/x-www-form-urlencoded");
        let pairs = url::form_urlencoded::parse(body.text.as_bytes());
        Ok(pairs.map(|(name, value)| format!("{name}={value}")).collect())
    }

    const KEY: &str = "00000000000000000000000000000001.00000000000000000000000000000002.3";

    #[test]
    fn a_bot_gets_its_stream_and_all_three_events() {
        let fields = compose(&fixtures::rules(), "https://calls.example.com/").expect("composes");
        assert_eq!(
            fields,
            [
                "From=+919876543210",
                "CallerId=08040000000",
                &format!("StreamUrl=wss://calls.example.com/streams/exotel/{KEY}/s3cret"),
                "StreamType=bidirectional",
                "TimeLimit=600",
                "TimeOut=30",
                "Record=false",
                &format!("CustomField={KEY}"),
                &format!("StatusCallback=https://calls.example.com/webhooks/exotel/{KEY}/s3cret"),
                "StatusCallbackEvents[0]=terminal",
                "StatusCallbackEvents[1]=answered",
                "StatusCallbackEvents[2]=ringing",
                "StatusCallbackContentType=application/json",
            ]
        );
    }

    #[test]
    fn a_flow_gets_its_address_and_no_stream() {
        let agent = Agent::Flow { flow_id: "12345".into() };
        let rules = Rules { agent, record: true, ..fixtures::rules() };
        let fields = compose(&rules, "http://10.0.0.1:8080/out").expect("composes");
        assert_eq!(
            fields[2..7],
            [
                "Url=http://my.exotel.com/acct1/exoml/start_voice/12345",
                "CallType=trans",
                "TimeLimit=600",
                "TimeOut=30",
                "Record=true",
            ]
        );
        assert!(
            fields.contains(&format!("StatusCallback=http://10.0.0.1:8080/out/webhooks/exotel/{KEY}/s3cret"))
        );
        assert!(!fields.iter().any(|field| field.starts_with("Stream") || field.ends_with("=ringing")));
    }

    #[test]
    fn a_plain_http_address_gives_a_plain_socket() {
        let fields = compose(&fixtures::rules(), "http://127.0.0.1:8080").expect("composes");
        assert!(fields[2].starts_with("StreamUrl=ws://127.0.0.1:8080/streams/exotel/"), "{}", fields[2]);
    }

    #[test]
    fn what_exotel_would_not_take_is_refused_with_what_to_do() {
        let endless = Rules { call_time_limit_s: 20_000, ..fixtures::rules() };
        let long = format!("https://{}.example.com/{}", "a".repeat(60), "b".repeat(500));
        for (rules, url, says) in [
            (Rules::default(), "https://calls.example.com", "set caller_ids"),
            (endless, "https://calls.example.com", "call_time_limit_s"),
            (fixtures::rules(), "ftp://calls.example.com", "public_url"),
            (fixtures::rules(), "https://calls.example.com/?a=b", "public_url"),
            (fixtures::rules(), &long, "too long"),
        ] {
            let error = compose(&rules, url).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
