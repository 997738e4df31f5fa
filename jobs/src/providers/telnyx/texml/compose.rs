//! The request for a TeXML call.

use url::form_urlencoded::Serializer;

use super::FORM;
use crate::providers::telnyx::Telnyx;
use crate::providers::telnyx::compose::{caller_id, within};
use crate::providers::telnyx::settings::{Channels, Detection, is_id};
use crate::providers::{CannotCompose, DialBody, DialOrder, Provider};

/// `Timeout`, in seconds.
const RING_TIMEOUT: std::ops::RangeInclusive<u32> = 5..=120;

/// `TimeLimit`, in seconds.
const TIME_LIMIT: std::ops::RangeInclusive<u32> = 30..=14_400;

/// All that there is: unasked, only `completed` is sent.
const EVENTS: &str = "initiated ringing answered completed";

impl Telnyx {
    /// The same order gives the same bytes: the application on a line of its own, since it belongs into the
    /// address, and then the form.
    pub(in crate::providers::telnyx) fn compose_texml(
        &self,
        order: &DialOrder<'_>,
        application: &str,
    ) -> Result<DialBody, CannotCompose> {
        let rules = order.rules;
        let from = caller_id(order)?;
        within("ring_timeout_s", rules.ring_timeout_s, &RING_TIMEOUT)?;
        within("call_time_limit_s", rules.call_time_limit_s, &TIME_LIMIT)?;
        let application = self::application(application)?;
        self.account_sid().map_err(CannotCompose)?;
        let callback = order.own_webhook_url(Provider::Telnyx)?;
        let mut form = Serializer::new(String::new());
        form.append_pair("To", order.phone.as_str()).append_pair("From", from);
        if order.rules.agent.flow().is_some() {
            form.append_pair("Url", &order.flow_url()?);
        } else if let Some(url) = &self.settings.texml_url {
            form.append_pair("Url", url.as_str());
        }
        form.append_pair("StatusCallback", &callback)
            .append_pair("StatusCallbackMethod", "POST")
            .append_pair("StatusCallbackEvent", EVENTS)
            .append_pair("Timeout", &rules.ring_timeout_s.to_string())
            .append_pair("TimeLimit", &rules.call_time_limit_s.to_string());
        match order.tells_mailboxes {
            true => detect_first(&mut form),
            false => detect(&mut form, self.settings.answering_machine_detection, &callback),
        }
        if rules.record {
            record(&mut form, self.settings.record_channels, &callback);
        }
        Ok(DialBody { content_type: FORM.into(), text: format!("{application}\n{}", form.finish()) })
    }
}

/// The application and the form of a body made here; `None` if it was made otherwise.
pub(super) fn parts(body: &DialBody) -> Option<(&str, DialBody)> {
    let (application, form) = body.text.split_once('\n').filter(|_| body.content_type == FORM)?;
    Some((application, DialBody { content_type: FORM.into(), text: form.to_owned() }))
}

fn application(flow_id: &str) -> Result<&str, CannotCompose> {
    if is_id(flow_id) {
        return Ok(flow_id);
    }
    let document = if flow_id.contains("://") {
        "; to run another document than the application's, set texml_url in the account's settings"
    } else {
        ""
    };
    Err(CannotCompose(format!(
        "the agent's flow_id must be the id of a TeXML application, such as 1494404757140276705; copy it from \
         Telnyx's portal{document}"
    )))
}

/// Before the call goes on: whoever asks what it is to do says who answered, and of a mailbox after its tone.
fn detect_first(form: &mut Serializer<'_, String>) {
    form.append_pair("MachineDetection", "DetectMessageEnd")
        .append_pair("DetectionMode", "Regular")
        .append_pair("AsyncAmd", "false");
}

/// Beside the call, which begins at once: detection takes up to 30 s, and the person would hear nothing.
fn detect(form: &mut Serializer<'_, String>, detection: Detection, callback: &str) {
    let (wanted, mode) = match detection {
        Detection::Disabled => return,
        Detection::Detect => ("Enable", "Regular"),
        Detection::DetectBeep | Detection::DetectWords | Detection::GreetingEnd => {
            ("DetectMessageEnd", "Regular")
        }
        Detection::Premium => ("Enable", "Premium"),
        Detection::PremiumIosCallScreeningDetection => ("Enable", "PremiumCallScreening"),
    };
    form.append_pair("MachineDetection", wanted)
        .append_pair("DetectionMode", mode)
        .append_pair("AsyncAmd", "true")
        .append_pair("AsyncAmdStatusCallback", callback)
        .append_pair("AsyncAmdStatusCallbackMethod", "POST");
}

fn record(form: &mut Serializer<'_, String>, channels: Channels, callback: &str) {
    let channels = match channels {
        Channels::Single => "mono",
        Channels::Dual => "dual",
    };
    form.append_pair("Record", "true")
        .append_pair("RecordingChannels", channels)
        .append_pair("RecordingStatusCallback", callback)
        .append_pair("RecordingStatusCallbackMethod", "POST")
        .append_pair("RecordingStatusCallbackEvent", "completed");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use outdial_workflows::call::CallerId;
    use outdial_workflows::rules::{Agent, Rules};

    use super::*;
    use crate::providers::Carrier as _;
    use crate::providers::telnyx::{Settings, fixtures};

    fn compose(settings: Settings, rules: &Rules) -> Result<String, String> {
        let url = "https://calls.example.com/".parse().expect("a URL");
        let order = DialOrder {
            key: fixtures::key(),
            phone: &fixtures::phone(),
            caller_id: rules.caller_ids.first(),
            rules,
            variables: &BTreeMap::new(),
            public_url: &url,
            account: fixtures::attempt().account,
            secret: "s3cret",
            tells_mailboxes: false,
        };
        let telnyx = fixtures::telnyx_with("https://api.telnyx.com", settings);
        let body = telnyx.compose(&order).map_err(|error| error.to_string())?;
        assert_eq!(telnyx.compose(&order).as_ref(), Ok(&body));
        let (application, form) = parts(&body).expect("a TeXML call's");
        assert_eq!(form.content_type, "application/x-www-form-urlencoded");
        let fields = url::form_urlencoded::parse(form.text.as_bytes());
        let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
        Ok(format!("{application}\n{}", fields.join("\n")))
    }

    #[test]
    fn a_call_runs_through_the_application_and_reports_to_an_address_of_its_own() {
        let text = compose(fixtures::flow_settings(), &fixtures::flow_rules()).expect("composes");
        insta::assert_snapshot!(text, @r"
        2494404757140276705
        To: +14155550123
        From: +14155550100
        StatusCallback: https://calls.example.com/webhooks/telnyx/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000003/00000000000000000000000000000001.00000000000000000000000000000002.3/s3cret
        StatusCallbackMethod: POST
        StatusCallbackEvent: initiated ringing answered completed
        Timeout: 30
        TimeLimit: 600
        ");
    }

    #[test]
    fn a_document_detection_and_a_recording_are_asked_for_by_name() {
        let settings = Settings {
            texml_url: Some("https://example.com/flow.xml?v=1".parse().expect("a URL")),
            answering_machine_detection: Detection::Premium,
            record_channels: Channels::Single,
            ..fixtures::flow_settings()
        };
        let rules = Rules { record: true, ..fixtures::flow_rules() };
        let text = compose(settings, &rules).expect("composes");
        let callback =
            text.lines().find_map(|line| line.strip_prefix("StatusCallback: ")).expect("a callback");
        insta::assert_snapshot!(text.replace(callback, "…"), @r"
        2494404757140276705
        To: +14155550123
        From: +14155550100
        Url: https://example.com/flow.xml?v=1
        StatusCallback: …
        StatusCallbackMethod: POST
        StatusCallbackEvent: initiated ringing answered completed
        Timeout: 30
        TimeLimit: 600
        MachineDetection: Enable
        DetectionMode: Premium
        AsyncAmd: true
        AsyncAmdStatusCallback: …
        AsyncAmdStatusCallbackMethod: POST
        Record: true
        RecordingChannels: mono
        RecordingStatusCallback: …
        RecordingStatusCallbackMethod: POST
        RecordingStatusCallbackEvent: completed
        ");
    }

    #[test]
    fn what_telnyx_would_not_take_is_refused_with_what_to_do() {
        let rules = fixtures::flow_rules;
        let flow = |id: &str| Rules { agent: Agent::Flow { flow_id: id.into() }, ..rules() };
        let nameless = Settings { account_sid: None, ..fixtures::flow_settings() };
        for (settings, rules, says) in [
            (fixtures::flow_settings(), flow(""), "id of a TeXML application"),
            (fixtures::flow_settings(), flow("1/2"), "id of a TeXML application"),
            (fixtures::flow_settings(), flow("https://example.com/flow.xml"), "set texml_url"),
            (fixtures::flow_settings(), Rules { caller_ids: vec![], ..rules() }, "set caller_ids"),
            (
                fixtures::flow_settings(),
                Rules { caller_ids: vec![CallerId("08040000000".into())], ..rules() },
                "E.164",
            ),
            (fixtures::flow_settings(), Rules { ring_timeout_s: 121, ..rules() }, "5 to 120"),
            (fixtures::flow_settings(), Rules { call_time_limit_s: 29, ..rules() }, "30 to 14400"),
            (nameless, rules(), "set account_sid"),
        ] {
            let error = compose(settings, &rules).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
