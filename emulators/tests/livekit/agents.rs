//! Agents: how they are dispatched, what they report, and what may go wrong with it.

use std::time::Duration;

use outdial_emulators::livekit::{
    AgentResult, AgentScript, CallReport, Config, LiveKit, Reports, RoomDefaults, Scenario, Status,
};
use serde_json::{Value, json};

use crate::harness::{Api, CALLEE, ROOM, Received, Receiver, events, telling, within};

const MINUTE: Duration = Duration::from_secs(60);
const AGENT: &str = "caller";

async fn with_agent(receiver: &Receiver, scenario: Scenario) -> (LiveKit, Api) {
    // Rooms outlive what a test does in them before somebody is called.
    let rooms = RoomDefaults { empty_timeout: Duration::from_secs(3_600_000), ..RoomDefaults::default() };
    let livekit = telling(receiver, Config { agents: vec![AGENT.into()], rooms, ..Config::default() }).await;
    livekit.script(CALLEE, [scenario]);
    let api = Api::of(&livekit);
    (livekit, api)
}

/// Dispatches the agent with an address for its reports.
async fn dispatch(api: &Api, reports: &Receiver) -> Value {
    let metadata = json!({"report": {"url": reports.url, "token": "secret"}}).to_string();
    let body = json!({"agentName": AGENT, "room": ROOM, "metadata": metadata});
    api.ok("AgentDispatchService/CreateDispatch", body).await
}

/// A call with an agent from dispatch to the closing of the room: the events, the reports taken until
/// `taken` of them, and the call.
async fn reported(scenario: Scenario, taken: usize) -> (Vec<Received>, Vec<Received>, CallReport) {
    let (mut webhooks, mut reports) = (Receiver::start().await, Receiver::start().await);
    let (livekit, api) = with_agent(&webhooks, scenario).await;
    dispatch(&api, &reports).await;
    api.dial(json!({})).await;
    let mut received = Vec::new();
    while received.len() < taken {
        received.push(reports.next().await);
    }
    let events = webhooks.until("room_finished").await;
    assert!(reports.is_empty());
    let call = within(async {
        loop {
            let call = livekit.calls().remove(0);
            if usize::try_from(call.reports_delivered).expect("few") == taken {
                return call;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    (events, received, call)
}

fn paths(reports: &[Received]) -> Vec<&str> {
    reports.iter().map(|report| report.path.trim_start_matches("/hook/")).collect()
}

#[tokio::test]
async fn an_agent_reports_each_turn_and_then_the_result_while_the_call_runs() {
    let (_, reports, call) = reported(Scenario::answered(MINUTE), 5).await;
    assert_eq!(paths(&reports), ["turns", "turns", "turns", "turns", "result"]);
    for report in &reports {
        assert_eq!(report.authorization(), Some("Bearer secret"));
    }
    let first = json!({"turns": [{"role": "agent", "at_ms": 500,
        "text": "Hello, this is the clinic. You asked us to call about an appointment."}]});
    assert_eq!(reports[0].json, first);
    assert_eq!(reports[3].json, json!({"turns": [{"role": "user", "at_ms": 8500, "text": "Yes, please."}]}));
    let result = json!({"outcome": "appointment_scheduled", "sentiment": "positive",
        "intent": "book_appointment", "keywords": ["appointment", "Tuesday"], "do_not_call": false,
        "summary": "The patient booked an appointment for Tuesday at ten."});
    assert_eq!(reports[4].json, result);
    assert_eq!((call.status, call.reports_lost), (Status::Hangup, 0));
}

#[tokio::test]
async fn an_agent_comes_before_the_phone_is_answered_and_leaves_after_the_callee() {
    let (told, ..) = reported(Scenario::answered(MINUTE), 5).await;
    let of =
        |event: &str| told.iter().filter(|one| one.event() == event).map(|one| &one.json).collect::<Vec<_>>();
    let kinds =
        |event: &str| of(event).iter().map(|one| one["participant"]["kind"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds("participant_left"), ["SIP", "AGENT"]);
    let mut joined = kinds("participant_joined");
    joined.sort_by_key(ToString::to_string);
    assert_eq!(joined, ["AGENT", "SIP"]);
    let (started, ended) = (of("agent_job_started")[0], of("agent_job_ended")[0]);
    assert_eq!(started["job"]["agentName"], AGENT);
    assert_eq!(started["job"]["id"], ended["job"]["id"]);
    assert_eq!(
        (&started["job"]["state"]["status"], &ended["job"]["state"]["status"]),
        (&"JS_RUNNING".into(), &"JS_SUCCESS".into())
    );
    assert_eq!(told.first().expect("some").event(), "room_started");
}

#[tokio::test]
async fn only_what_was_said_before_the_end_is_reported() {
    let (_, reports, _) = reported(Scenario::answered(Duration::from_secs(5)), 3).await;
    assert_eq!(paths(&reports), ["turns", "turns", "result"]);
}

#[tokio::test]
async fn an_agent_may_report_twice_late_or_something_else() {
    let agent = AgentScript::default();
    let (_, reports, _) =
        reported(Scenario::answered(MINUTE).with_agent(agent.clone().reporting(Reports::Twice)), 10).await;
    assert_eq!(reports[0].body, reports[1].body);
    assert_eq!(paths(&reports)[8..], ["result", "result"]);

    let late = Reports::Late { by: Duration::from_secs(1) };
    let scenario = Scenario::answered(Duration::from_secs(5)).with_agent(agent.clone().reporting(late));
    let (_, reports, call) = reported(scenario, 2).await;
    assert_eq!(reports[0].json["turns"].as_array().map(Vec::len), Some(2));
    assert!(call.ended_at.is_some());

    let wish = agent.concluding(AgentResult::do_not_call());
    let (_, reports, _) = reported(Scenario::answered(MINUTE).with_agent(wish), 5).await;
    assert_eq!(
        (&reports[4].json["outcome"], &reports[4].json["do_not_call"]),
        (&"do_not_call".into(), &true.into())
    );
}

#[tokio::test]
async fn an_agent_that_does_not_report_or_whose_call_nobody_answers_says_nothing() {
    let mute = AgentScript::default().reporting(Reports::Never);
    for scenario in [Scenario::answered(MINUTE).with_agent(mute), Scenario::busy()] {
        let (told, ..) = reported(scenario, 0).await;
        assert!(events(&told).contains(&"agent_job_ended"));
    }
}

#[tokio::test]
async fn an_agent_that_crashes_leaves_its_callee_alone() {
    let crash = AgentScript::default().crashing_after(Duration::from_secs(5));
    // A second on the wall, so that the crash comes well before the end.
    let talk = Duration::from_secs(1000);
    let (told, reports, call) = reported(Scenario::answered(talk).with_agent(crash), 2).await;
    assert_eq!(paths(&reports), ["turns", "turns"]);
    let left = told.iter().find(|one| one.event() == "participant_left").expect("it leaves");
    assert_eq!(
        (&left.json["participant"]["kind"], &left.json["participant"]["disconnectReason"]),
        (&"AGENT".into(), &"AGENT_ERROR".into())
    );
    let ended = told.iter().find(|one| one.event() == "agent_job_ended").expect("it ends");
    assert_eq!(ended.json["job"]["state"]["status"], "JS_FAILED");
    assert_eq!(call.talk, talk);
}

#[tokio::test]
async fn a_report_is_sent_again_unless_it_is_refused() {
    let webhooks = Receiver::start().await;
    let mut reports = Receiver::start().await.answering([503, 500, 200, 404]);
    let (livekit, api) = with_agent(&webhooks, Scenario::answered(MINUTE)).await;
    dispatch(&api, &reports).await;
    api.dial(json!({})).await;
    let mut received = Vec::new();
    while received.len() < 7 {
        received.push(reports.next().await);
    }
    assert!(received[0].body == received[1].body && received[1].body == received[2].body);
    assert_ne!(received[3].body, received[4].body);
    within(livekit.until(|totals| totals.finished == 1)).await;
    within(async {
        while livekit.calls()[0].reports_delivered < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(livekit.calls()[0].reports_lost, 1);
}

#[tokio::test]
async fn an_unknown_agent_is_waited_for_without_a_job() {
    let mut webhooks = Receiver::start().await;
    let (_livekit, api) = with_agent(&webhooks, Scenario::answered(MINUTE)).await;
    let body = json!({"agentName": "stranger", "room": ROOM});
    let dispatch = api.ok("AgentDispatchService/CreateDispatch", body).await;
    assert_eq!(dispatch["state"]["jobs"], json!([]));
    api.dial(json!({})).await;
    assert!(!events(&webhooks.until("room_finished").await).contains(&"agent_job_started"));
}

#[tokio::test]
async fn dispatches_are_listed_and_taken_back() {
    let mut webhooks = Receiver::start().await;
    let (_livekit, api) = with_agent(&webhooks, Scenario::answered(MINUTE)).await;
    let first = dispatch(&api, &webhooks).await;
    assert!(first["id"].as_str().is_some_and(|id| id.starts_with("AD_")));
    assert_eq!(first["state"]["jobs"][0]["dispatch_id"], first["id"]);
    let other = json!({"agentName": "stranger", "room": ROOM, "restartPolicy": "JRP_NEVER"});
    let other = api.ok("AgentDispatchService/CreateDispatch", other).await;
    assert_eq!(other["restart_policy"], "JRP_NEVER");
    webhooks.until("track_published").await;
    let list = async |dispatch: &Value| {
        let which = json!({"room": ROOM, "dispatchId": dispatch});
        let listed = api.ok("AgentDispatchService/ListDispatch", which).await;
        listed["agent_dispatches"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(&Value::Null).await, [first["id"].clone(), other["id"].clone()]);
    assert_eq!(list(&other["id"]).await, [other["id"].clone()]);
    let which = json!({"room": ROOM, "dispatch_id": first["id"]});
    let gone = api.ok("AgentDispatchService/DeleteDispatch", which.clone()).await;
    assert_ne!(gone["state"]["deleted_at"], "0");
    assert_eq!(list(&Value::Null).await, [other["id"].clone()]);
    let told = webhooks.until("agent_job_ended").await;
    assert_eq!(events(&told), ["track_unpublished", "participant_left", "agent_job_ended"]);
    assert_eq!(api.call("AgentDispatchService/DeleteDispatch", which).await.0, 404);
}

#[tokio::test]
async fn a_room_may_be_created_with_its_agents() {
    let mut webhooks = Receiver::start().await;
    let (_livekit, api) = with_agent(&webhooks, Scenario::answered(MINUTE)).await;
    let body = json!({"name": ROOM, "agents": [{"agentName": AGENT, "metadata": "m"}]});
    api.ok("RoomService/CreateRoom", body).await;
    let told = webhooks.until("track_published").await;
    let expected = ["room_started", "agent_job_started", "participant_joined", "track_published"];
    assert_eq!(events(&told), expected);
    assert_eq!(told[1].json["job"]["metadata"], "m");
}
