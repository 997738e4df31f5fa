//! A conversation as it is held.

use std::time::Duration;

use outdial::played::services::{Delays, Services};
use outdial_emulators::exotel::{self as emulated, Scenario};
use outdial_emulators::media::{Caller, Line, When as Then};
use outdial_emulators::openai::{Answer, Rule, When};
use outdial_jobs::media::reception::Reception;
use outdial_jobs::media::speech::Speech;
use outdial_jobs::operations::keys::Role;
use serde_json::json;

use super::driver::{Chromium, Screen};
use super::signed_in;
use crate::support::world::{Setup, World};

const PERSON: &str = "+919876500042";

/// A world whose calls are answered by somebody who talks, and whose agent is ours.
pub(crate) async fn talking() -> (World, Services) {
    // Nobody talks faster than in life.
    let usual = Setup::default();
    let carrier = emulated::Config { speed: 1.0, ..usual.carrier };
    let mut world = World::with(Setup { carrier, ..usual }).await;
    let rules = vec![
        Rule::new(
            When::schema("call_analysis"),
            Answer::json(json!({
                "outcome": "qualified_lead", "sentiment": "positive", "intent": "buy a flat", "summary": "Looks for three rooms in Hebbal.",
                "keywords": ["Hebbal"], "qualified": true, "fields": {},
            })),
        ),
        Rule::new(When::user("three"), Answer::text("Three in Hebbal, good. What would you spend?")),
        Rule::new(When::user("yes"), Answer::text("Good. How many rooms, and where?")),
    ];
    let services = Services::start(rules, Delays::NONE).await.expect("they start");
    let speech = Speech::new(services.settings().expect("settings")).expect("speech");
    world.engine.hold_conversations_at(Reception::new(speech));
    let caller =
        Caller::saying([Line::in_answer("Yes, tell me."), Line::in_answer("Three rooms, in Hebbal.")])
            .hanging_up(Then::Quiet { length: Duration::from_secs(4) });
    let answered = Scenario::answered(Duration::from_secs(600)).with_caller(caller);
    world.carrier.script(PERSON, [answered.ringing_for(Duration::from_secs(1))]);
    world.work().await;
    (world, services)
}

/// Has the person called, and opens the page of their call from the list of those under way.
pub(crate) async fn open_call(world: &World, browser: &Chromium) {
    let agent = json!({ "mode": "stream", "playbook": "property-enquiry" });
    let campaign = world.campaign(json!({ "agent": agent, "retry": { "max_attempts": 1 } })).await;
    browser.open(&format!("/admin/clients/{}/calls", world.client)).await;
    world.lead(campaign, PERSON).await;
    browser.press(PERSON).await;
    browser.arrives(|path| path.starts_with("/admin/calls/")).await;
}

#[tokio::test]
async fn a_conversation_is_read_as_it_is_held() {
    let (world, services) = talking().await;
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    open_call(&world, &browser).await;
    // Turn by turn, without anybody loading the page, with what the agent's answers took.
    browser.shows("Yes, tell me.").await;
    browser.shows("ms after the person").await;
    browser.shows("Three rooms, in Hebbal.").await;
    world.all_finished().await;
    browser.shows("Looks for three rooms in Hebbal.").await;
    browser.end().await;
    world.end().await;
    services.stop().await;
}
