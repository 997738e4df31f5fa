//! How calls go, and what is said of them.

use std::time::Duration;

use outdial_emulators::retell::{
    Analysis, Config, Outcome, Reads, Reason, Results, Scenario, Speaker, Utterance,
};
use serde_json::{Value, json};

use crate::harness::{Api, CUSTOMER, endless, fast, id, slow};

/// The call object of a dial that goes this way, once it has been analysed.
async fn played(scenario: Scenario, more: &Value) -> Value {
    let retell = fast(Config::default()).await;
    retell.script(CUSTOMER, [scenario]);
    let api = Api::of(&retell);
    let call = api.dial(more).await;
    api.analysed(id(&call)).await
}

#[tokio::test]
async fn each_outcome_has_its_status_and_its_reason() {
    let talk = Duration::from_secs(9);
    for (scenario, status, reason) in [
        (Scenario::answered(talk), "ended", "user_hangup"),
        (Scenario::answered_until(Reason::AgentHangup, talk), "ended", "agent_hangup"),
        (Scenario::voicemail(), "ended", "voicemail_reached"),
        (Scenario::ivr(), "ended", "ivr_reached"),
        (Scenario::dnc_requested(talk), "ended", "user_requested_dnc"),
        (Scenario::transferred(talk, "+14155550177"), "ended", "call_transfer"),
        (Scenario::answered_until(Reason::CreditExhausted, talk), "error", "credit_exhausted"),
        (Scenario::no_answer(), "not_connected", "dial_no_answer"),
        (Scenario::busy(), "not_connected", "dial_busy"),
        (Scenario::failed(), "not_connected", "dial_failed"),
        (Scenario::declined(), "not_connected", "user_declined"),
        (Scenario::unconnected(Reason::InvalidDestination), "not_connected", "invalid_destination"),
        (Scenario::unconnected(Reason::MarkedAsSpam), "not_connected", "marked_as_spam"),
        (Scenario::unconnected(Reason::NoValidPayment), "error", "no_valid_payment"),
        (Scenario::unconnected(Reason::Other("new_reason".into())), "not_connected", "new_reason"),
    ] {
        let call = played(scenario, &json!({})).await;
        assert_eq!((&call["call_status"], &call["disconnection_reason"]), (&json!(status), &json!(reason)));
        let connected = !matches!(call["start_timestamp"], Value::Null);
        assert_eq!(connected, status == "ended" || reason == "credit_exhausted", "{reason}");
        assert_eq!(call["recording_url"].is_string(), connected, "{reason}");
    }
}

#[tokio::test]
async fn a_voicemail_is_found_by_its_reason_or_by_the_analysis_alone() {
    let recognised = played(Scenario::voicemail(), &json!({})).await;
    assert_eq!(recognised["call_analysis"]["in_voicemail"], true);
    let analysis = Analysis { in_voicemail: Some(true), ..Analysis::default() };
    let results = Results { analysis, ..Results::default() };
    let missed = Scenario::answered(Duration::from_secs(20)).resulting(results);
    let missed = played(missed, &json!({})).await;
    assert_eq!(missed["disconnection_reason"], "user_hangup");
    assert_eq!(missed["call_analysis"]["in_voicemail"], true);
}

#[tokio::test]
async fn results_are_what_the_scenario_says() {
    let results = Results {
        transcript: Some(vec![Utterance { role: Speaker::User, content: "Wrong number.".into() }]),
        recording_url: Some("https://example.com/a.wav".into()),
        cost_cents: Some(12.5),
        collected_dynamic_variables: [("plan".to_owned(), "gold".to_owned())].into(),
        analysis: Analysis {
            call_summary: Some("A mistake.".into()),
            user_sentiment: Some("Negative".into()),
            call_successful: Some(false),
            custom_analysis_data: json!({"interest": 0}).as_object().expect("fields").clone(),
            ..Analysis::default()
        },
        ..Results::default()
    };
    let call = played(Scenario::answered(Duration::from_secs(9)).resulting(results), &json!({})).await;
    assert_eq!(call["transcript"], "User: Wrong number.\n");
    assert_eq!(call["transcript_object"][0]["words"][1]["word"], "number.");
    assert_eq!(call["recording_url"], "https://example.com/a.wav");
    assert_eq!(call["call_cost"]["combined_cost"], 12.5);
    assert_eq!(call["collected_dynamic_variables"], json!({"plan": "gold"}));
    assert_eq!(
        call["call_analysis"],
        json!({"call_summary": "A mistake.", "in_voicemail": false, "user_sentiment": "Negative",
            "call_successful": false, "custom_analysis_data": {"interest": 0}})
    );
}

#[tokio::test]
async fn a_call_is_cut_at_its_longest_length_and_a_phone_rings_no_longer_than_it_may() {
    let endless = || Scenario::answered(Duration::from_secs(5000)).ringing_for(Duration::from_secs(20));
    let limits = |ring: u32| {
        let agent = json!({"max_call_duration_ms": 60_000, "ring_duration_ms": ring});
        json!({"agent_override": {"agent": agent}})
    };
    let cut = played(endless(), &limits(20_000)).await;
    assert_eq!(cut["disconnection_reason"], "max_duration_reached");
    assert_eq!(cut["duration_ms"], 60_000);
    let unanswered = played(endless(), &limits(19_000)).await;
    assert_eq!(unanswered["disconnection_reason"], "dial_no_answer");
}

#[tokio::test]
async fn a_call_under_way_has_a_beginning_and_no_end() {
    let retell = slow(Config::default()).await;
    retell.script(CUSTOMER, [endless()]);
    let api = Api::of(&retell);
    let call = api.dial(&json!({})).await;
    let ongoing = api.get_when(id(&call), |call| call["call_status"] == "ongoing").await;
    assert!(ongoing["start_timestamp"].is_i64() && ongoing["telephony_identifier"].is_object());
    for name in ["end_timestamp", "duration_ms", "transcript", "recording_url", "disconnection_reason"] {
        assert!(ongoing.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn an_unconnected_call_may_have_a_beginning_nonetheless() {
    let reads = Reads { unconnected_calls_start: true, ..Reads::default() };
    let retell = fast(Config { reads, ..Config::default() }).await;
    retell.script(CUSTOMER, [Scenario::busy()]);
    let api = Api::of(&retell);
    let call = api.dial(&json!({})).await;
    let ended = api.analysed(id(&call)).await;
    assert!(ended["start_timestamp"].is_i64());
    assert_eq!(ended["duration_ms"], 0);
}

#[tokio::test]
async fn a_number_goes_the_way_of_its_mix_at_each_dial() {
    let retell = fast(Config {
        fallback: outdial_emulators::retell::Fallback::Mix,
        limits: outdial_emulators::retell::Limits { base_concurrency: 1000, ..Default::default() },
        ..Config::default()
    })
    .await;
    let api = Api::of(&retell);
    // The first number of the series that is answered without mishap.
    let number = (0..100).map(|n| format!("+1415555{n:04}")).find(|number| {
        let scenario = Scenario::by_number(number, 0);
        scenario.quirks.is_empty() && matches!(scenario.outcome, Outcome::Answered { .. })
    });
    let call = api.dial(&json!({"to_number": number})).await;
    let ended = api.analysed(id(&call)).await;
    assert!(ended["transcript"].is_string(), "{ended}");
}
