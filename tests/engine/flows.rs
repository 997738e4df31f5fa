//! Calls that go by a flow of ours, from lead to outcome: the carrier asks at each step, and does what it is told.

use std::time::Duration;

use outdial_emulators::telnyx::{self as emulated, Answer, Answerer, Scenario};
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::{By, calls, playbooks};
use outdial_jobs::providers::http_client;
use outdial_jobs::providers::telnyx::Settings;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::playbook::Source;
use outdial_workflows::results::{CallResults, FlowCourse};
use outdial_workflows::rules::Rules;
use reqwest::StatusCode;
use serde_json::json;

use super::support::world::World;
use super::texml::{APPLICATION, PHONE, Played, config, settings};

const COLLEAGUE: &str = "+14155550177";
const BY: By<'static> = By { actor: "a test", reason: None };

/// Each kind of step that a carrier can be asked to do by itself.
const FLOW: &str = r##"
name = "Front desk"
language = "en-IN"

[[steps]]
name = "welcome"
say = "Hello, {{ lead.name | there }}. <Press & listen.>"

[[steps]]
name = "jingle"
play = "https://example.com/jingle.mp3"

[[steps]]
name = "menu"
ask = "Visit, 1. A colleague, 2. Elsewhere, 4. Never again, 9."
input = "either"
on = { 1 = "when", visit = "when", 2 = "colleague", 4 = "elsewhere", 9 = "never" }
wrong = "Sorry?"
tries = 2
wait_s = 2
otherwise = "message"

[[steps]]
name = "when"
ask = "The hour, please, and then hash."
digits = [1, 2]
keep = "hour"
any = "thanks"

[[steps]]
name = "colleague"
dial = "+14155550177"
text = "One moment."
ring_s = 10
then = "thanks"
otherwise = "message"

[[steps]]
name = "message"
record = "Leave a message."
longest_s = 20
then = "bye"

[[steps]]
name = "thanks"
outcome = "appointment_scheduled"
hang_up = "Thank you."

[[steps]]
name = "bye"
outcome = "not_interested"
hang_up = ""

[[steps]]
name = "elsewhere"
redirect = "http://127.0.0.1:9/other.xml"

[[steps]]
name = "never"
do_not_call = "You are not called again."
"##;

/// A world whose account is one of Telnyx, with the flow.
struct Desk(Played);

impl Desk {
    async fn new() -> Self {
        // The application's own address is not asked.
        let config = config("http://127.0.0.1:9/nowhere".into());
        let settings = Settings {
            texml_application_id: Some(APPLICATION.into()),
            ..settings(Some(emulated::Account::default().id))
        };
        let desk = Self(Played::set(config, &settings).await);
        desk.add(FLOW).await;
        desk
    }

    async fn add(&self, text: &str) {
        let (engine, client) = (&self.0.world.engine, self.0.world.client);
        playbooks::add(engine, client, Some("front-desk"), &Source::alone(text), BY).await.expect("a flow");
    }

    /// A call to somebody who answers so, once it is over.
    async fn call(&self, answers: impl IntoIterator<Item = Answer>) -> (LeadRecord, CallResults) {
        self.call_to(Answerer::Human, answers).await
    }

    async fn call_to(
        &self,
        who: Answerer,
        answers: impl IntoIterator<Item = Answer>,
    ) -> (LeadRecord, CallResults) {
        let answered = Scenario::answered(Duration::from_secs(3_600)).by(who).answering(answers);
        self.0.telnyx.script(PHONE, [answered]);
        let campaign = self.0.world.campaign(json!({
            "caller_ids": ["+14155550100"], "call_time_limit_s": 3_600, "retry": { "max_attempts": 1 },
            "agent": { "mode": "ivr", "flow": "front-desk" },
        }));
        let lead = self.0.world.lead(campaign.await, PHONE).await;
        let record = self.0.world.finished(lead).await;
        (record, self.results(lead).await)
    }

    fn key(&self, lead: LeadId) -> DialKey {
        DialKey(AttemptRef { client: self.0.world.client, lead, number: AttemptNumber::FIRST })
    }

    async fn results(&self, lead: LeadId) -> CallResults {
        let results = calls::results(&self.0.world.engine, self.key(lead)).await.expect("the database");
        results.expect("something was said")
    }

    /// What the person was told in the last call to them.
    fn heard(&self) -> Vec<String> {
        let calls = self.0.telnyx.calls();
        calls.iter().rfind(|call| call.number == PHONE).expect("a call").told.clone()
    }
}

/// The way through the flow, as the transcript has it.
fn path(results: &CallResults) -> Vec<String> {
    let turns = results.transcript.iter();
    turns.map(|turn| format!("{}: {}", turn.stage.as_deref().unwrap_or("?"), turn.text)).collect()
}

fn keys(keys: &str) -> Answer {
    Answer::Keys(keys.into())
}

const HELLO: &str = "Hello, there. <Press & listen.>";
const JINGLE: &str = "https://example.com/jingle.mp3";
const MENU: &str = "Visit, 1. A colleague, 2. Elsewhere, 4. Never again, 9.";

#[tokio::test]
async fn a_person_presses_their_way_through_a_flow_and_their_answers_decide_what_came_of_the_call() {
    let desk = Desk::new().await;
    let (record, results) = desk.call([keys("1"), keys("11#")]).await;
    assert_eq!(
        desk.heard(),
        [HELLO, JINGLE, MENU, "The hour, please, and then hash.", "Thank you."],
        "what stands in a list is said as it is"
    );
    assert_eq!(record.workflow.outcome, Some(Outcome::AppointmentScheduled));
    assert_eq!(results.analysis["hour"], "11");
    let FlowCourse { flow, version, visits, .. } = results.flow.as_ref().expect("a flow");
    assert_eq!((flow.as_str(), *version, *visits), ("front-desk", 1, 3));
    assert_eq!(
        path(&results),
        [
            "welcome: Hello, there. <Press & listen.>",
            "jingle: (plays https://example.com/jingle.mp3)",
            &format!("menu: {MENU}"),
            "menu: 1",
            "when: The hour, please, and then hash.",
            "when: 11",
            "thanks: Thank you.",
        ]
    );
    desk.0.end().await;
}

#[tokio::test]
async fn wrong_answers_and_none_lead_elsewhere_and_a_message_is_kept_with_where_it_lies() {
    let desk = Desk::new().await;
    let (record, results) =
        desk.call([Answer::Words("what?".into()), Answer::Nothing, Answer::Words("Call me.".into())]).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::NotInterested));
    let path = path(&results);
    assert_eq!(
        path[3..],
        [
            "menu: what?".to_owned(),
            "menu: Sorry?".into(),
            format!("menu: {MENU}"),
            "menu: (nothing)".into(),
            "message: Leave a message.".into(),
            "message: (a recording)".into(),
            "bye: (hangs up)".into(),
        ]
    );
    assert!(results.analysis["message"].as_str().is_some_and(|url| url.starts_with("http")), "{results:?}");
    desk.0.end().await;
}

#[tokio::test]
async fn words_are_understood_and_somebody_else_is_put_through_or_not_reached() {
    let desk = Desk::new().await;
    let (record, _) = desk.call([Answer::Words("a visit, please".into()), keys("9")]).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::AppointmentScheduled));
    desk.0.telnyx.script(COLLEAGUE, [Scenario::answered(Duration::from_secs(5)), Scenario::busy()]);
    let (_, results) = desk.call([keys("2")]).await;
    assert_eq!(
        path(&results)[3..],
        [
            "menu: 2",
            "colleague: One moment.",
            "colleague: (rings +14155550177)",
            "colleague: (they talked)",
            "thanks: Thank you."
        ]
    );
    let (record, results) = desk.call([keys("2"), Answer::Nothing]).await;
    assert!(path(&results).contains(&"colleague: (nobody was reached)".to_owned()), "{results:?}");
    assert_eq!(record.workflow.outcome, Some(Outcome::NotInterested));
    desk.0.end().await;
}

#[tokio::test]
async fn whoever_hangs_up_has_gone_as_far_as_the_path_says_at_whichever_step() {
    let desk = Desk::new().await;
    for (answers, last) in [
        (vec![Answer::HangsUp], format!("menu: {MENU}")),
        (vec![keys("1"), Answer::HangsUp], "when: The hour, please, and then hash.".to_owned()),
        (vec![keys("7"), keys("7"), Answer::HangsUp], "message: Leave a message.".to_owned()),
    ] {
        let (record, results) = desk.call(answers).await;
        assert_eq!(path(&results).last(), Some(&last));
        assert_eq!(record.workflow.outcome, Some(Outcome::Successful), "they answered, and no more is known");
    }
    desk.0.end().await;
}

#[tokio::test]
async fn a_wish_not_to_be_called_again_is_kept_at_once_and_a_document_of_others_ends_well_where_it_is_not_there()
 {
    let desk = Desk::new().await;
    let (record, _) = desk.call([keys("9")]).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::DoNotCall));
    assert_eq!(desk.0.world.count("select count(*) from suppressions").await, 1);
    assert_eq!(desk.heard().last().map(String::as_str), Some("You are not called again."));
    desk.0.world.run("delete from suppressions").await;
    let (_, results) = desk.call([keys("4")]).await;
    assert_eq!(
        path(&results).last().map(String::as_str),
        Some("elsewhere: (goes on at http://127.0.0.1:9/other.xml)")
    );
    desk.0.end().await;
}

#[tokio::test]
async fn what_a_carrier_asks_once_more_is_answered_alike_and_recorded_once() {
    let desk = Desk::new().await;
    let (record, results) = desk.call([keys("1"), keys("11")]).await;
    let key = desk.key(record.lead);
    let secret = desk.0.world.engine.key().secret_of(key);
    let ask = async |place: &str, body: &str| {
        let url = desk.0.world.address(&format!("flows/{key}/{secret}{place}"));
        let asked =
            http_client().expect("a client").post(url).body(body.to_owned()).send().await.expect("an answer");
        (asked.status(), asked.text().await.expect("a body"))
    };
    let (status, again) = ask("/1.1.2.0", "Digits=1").await;
    assert_eq!((status, again.contains("The hour, please")), (StatusCode::OK, true), "{again}");
    assert_eq!(ask("/1.1.2.0", "Digits=1").await.1, again);
    assert_eq!(desk.results(record.lead).await, results);
    // A place that the flow does not have ends the call, and one that is none is not found.
    assert_eq!(ask("/1.3.77.0", "").await.1, "<Response><Hangup/></Response>");
    assert_eq!(ask("/one", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask("/9.3.2.0", "").await.1, "<Response><Hangup/></Response>", "no such version");
    let guessed = desk.0.world.address(&format!("flows/{key}/guessed"));
    let asked = http_client().expect("a client").post(guessed).send().await.expect("an answer");
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    desk.0.end().await;
}

#[tokio::test]
async fn a_call_goes_on_by_the_version_that_it_began_by_and_the_next_one_by_the_latest() {
    let desk = Desk::new().await;
    let (_, results) = desk.call([keys("1"), keys("11")]).await;
    assert_eq!(results.flow.expect("a flow").version, 1);
    desk.add(&FLOW.replace("Thank you.", "Thanks a lot.")).await;
    let (_, results) = desk.call([keys("1"), keys("12")]).await;
    assert_eq!(results.flow.expect("a flow").version, 2);
    assert_eq!(desk.heard().last().map(String::as_str), Some("Thanks a lot."));
    desk.0.end().await;
}

#[tokio::test]
async fn a_mailbox_is_left_a_message_after_its_tone_and_a_person_hears_the_flow() {
    let desk = Desk::new().await;
    let left = "\n[[steps]]\nname = \"left\"\nhang_up = \"We call again.\"\n";
    let flow = FLOW.replacen("language = ", "voicemail = \"left\"\nlanguage = ", 1);
    desk.add(&format!("{flow}{left}")).await;
    let (record, results) = desk.call_to(Answerer::MachineWithBeep, []).await;
    assert_eq!(desk.heard(), ["We call again."]);
    assert_eq!(record.workflow.outcome, Some(Outcome::Voicemail));
    assert_eq!(path(&results), ["left: We call again."]);
    let (record, _) = desk.call_to(Answerer::Human, [keys("1"), keys("11")]).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::AppointmentScheduled));
    assert_eq!(desk.heard()[0], HELLO);
    desk.0.end().await;
}

#[tokio::test]
async fn campaigns_name_flows_that_are_there_and_are_flows_and_the_playbooks_of_their_steps() {
    let world = World::new().await;
    let (engine, client) = (&world.engine, world.client);
    let add = async |name, text: &str| {
        let added = playbooks::add(engine, client, Some(name), &Source::alone(text), BY).await;
        added.map(|added| added.version.guide.name()).map_err(|error| error.to_string())
    };
    let talks = "name = \"T\"\nlanguage = \"en\"\n[[steps]]\nname = \"t\"\ntalk = \"minimal\"\n";
    assert_eq!(add("desk", FLOW).await, Ok("flow"));
    assert_eq!(add("talks", talks).await, Ok("flow"));
    let needs = talks.replace("talk = \"minimal\"", "say = \"{{ lead.attributes.code }}\"");
    assert_eq!(add("needs", &needs).await, Ok("flow"));
    assert_eq!(
        add("minimal", FLOW).await,
        Err("name: `minimal` is a playbook; give the flow another name".into())
    );
    let make = async |agent: serde_json::Value| {
        let rules = json!({ "caller_ids": ["+918040000000"], "agent": agent });
        let rules: Rules = serde_json::from_value(rules).expect("rules");
        let spec = CampaignSpec { name: "Flows", account: world.account, rules: &rules, actor: "a test" };
        campaigns::create(engine, client, spec).await.map(drop).map_err(|error| error.to_string())
    };
    for (agent, problem) in [
        (
            json!({ "mode": "ivr", "flow": "lost" }),
            "agent.flow: there is no flow `lost`; there are desk, needs, talks",
        ),
        (json!({ "mode": "ivr", "flow": "minimal" }), "agent.flow: `minimal` is a playbook, not a flow"),
        (json!({ "mode": "stream", "playbook": "desk" }), "agent.playbook: `desk` is a flow, not a playbook"),
        (
            json!({ "mode": "ivr", "flow": "desk", "version": 2 }),
            "agent.version: the flow `desk` has no version 2; the only one is 1",
        ),
        (
            json!({ "mode": "ivr", "flow": "talks" }),
            "agent.playbook: in a step of the flow our agent talks by the playbook `minimal`",
        ),
    ] {
        let refused = make(agent).await.expect_err(problem);
        assert!(refused.starts_with(problem), "{refused}");
    }
    assert_eq!(make(json!({ "mode": "ivr", "flow": "talks", "playbook": "minimal" })).await, Ok(()));
    world.end().await;
}
