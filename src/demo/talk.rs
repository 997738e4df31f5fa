//! `outdial demo --media`: an emulated person talks with an agent of ours, live in the terminal.

use std::time::Duration;

use outdial_emulators::media::{Caller, Line, When as Then};
use outdial_emulators::openai::{Answer, Rule, When};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::leads;
use outdial_jobs::store;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, LeadId};
use outdial_workflows::results::CallResults;
use serde_json::{Value, json};

use super::stage::{Part, Stage};
use super::watch::Screen;
use crate::cli::line_of_turn;

/// The playbook, of those that come with the program.
pub(super) const PLAYBOOK: &str = "property-enquiry";

/// How often it is looked what was said: by eye there is nothing to see in between.
const LOOK: Duration = Duration::from_millis(100);

/// Who is called.
const NUMBER: &str = "+911000000042";

/// What the emulated model says to whom.
pub(super) fn rules() -> Vec<Rule> {
    let note = |fields: &str, text: &str| Answer { text: Some(text.into()), ..Answer::call("note", fields) };
    let bye = Answer {
        text: Some("Saturday it is. Thank you, goodbye.".into()),
        ..Answer::call("note", r#"{"visit":"2026-12-05"}"#)
            .and_call("end_call", r#"{"reason":"a visit was agreed"}"#)
    };
    let analysis = json!({
        "outcome": "appointment_scheduled", "sentiment": "positive", "intent": "buy a flat in Hebbal",
        "summary": "Asha looks for three bedrooms in Hebbal for up to 90 lakh, and visits on Saturday.",
        "keywords": ["Hebbal", "three bedrooms", "visit"], "qualified": true,
        "fields": {
            "good_time": { "value": true, "turns": [2] }, "bedrooms": { "value": 3, "turns": [4] },
            "area": { "value": "Hebbal", "turns": [4] }, "budget_lakh": { "value": 90, "turns": [6] },
            "visit": { "value": "2026-12-05", "turns": [8] }, "ready": { "value": null, "turns": [] },
            "interested": { "value": true, "turns": [2] },
        },
    });
    [
        (When::schema("call_analysis"), Answer::json(analysis)),
        (When::user("saturday"), bye),
        (When::user("ninety"), note(r#"{"budget_lakh":90}"#, "That will do. When would you visit?")),
        (When::user("wait"), note(r#"{"bedrooms":3,"area":"Hebbal"}"#, "Of course. What would you spend?")),
        (
            When::user("three"),
            Answer::text("Three in Hebbal, good. They begin at ninety five lakh, and we have many of them."),
        ),
        (
            When::user("yes"),
            note(r#"{"good_time":true,"interested":true}"#, "Good. How many rooms, and where?"),
        ),
    ]
    .into_iter()
    .map(|(when, answer)| Rule::new(when, answer))
    .collect()
}

/// What the emulated person says: they interrupt, once.
fn caller() -> Caller {
    Caller::saying([
        Line::in_answer("Yes, tell me."),
        Line::in_answer("Three rooms, in Hebbal."),
        Line::once_heard("begin at", "Wait, that is too much for me."),
        Line::in_answer("Up to ninety lakh."),
        Line::in_answer("On Saturday."),
    ])
    .hanging_up(Then::Quiet { length: Duration::from_secs(3) })
}

/// Has one person called, and shows what is said until the lead is finished and the call is analysed. Tells whether the
/// promises were kept.
pub(super) async fn run(stage: &Stage, screen: &Screen) -> anyhow::Result<bool> {
    let [part] = stage.parts.as_slice() else { anyhow::bail!("a conversation goes with one carrier") };
    anyhow::ensure!(
        part.carrier.script_talk(NUMBER, caller(), Duration::from_secs(1)),
        "with {} the carrier's side holds conversations; choose exotel or telnyx",
        part.carrier.provider().title()
    );
    let call = called(stage, part).await?;
    let results = watched(stage, screen, call).await?;
    let engine = &stage.app.engine;
    let evidence = Evidence { dials: super::counted(&part.carrier.dials()), strict: true };
    let verdict = judging::judge(engine, &evidence, |_| ()).await?;
    show_results(screen, &results);
    screen.say(&format!("\n{verdict}"));
    screen.last_line(&json!({
        "results": results, "latency_ms": percentiles(&results), "judge": if verdict.kept() { "kept" } else { "broken" },
    }));
    Ok(verdict.kept())
}

/// The call, as soon as it is under way.
async fn called(stage: &Stage, part: &Part) -> anyhow::Result<AttemptRef> {
    let engine = &stage.app.engine;
    let mut spec = leads::LeadSpec::new(NUMBER.parse()?);
    spec.name = Some("Asha".into());
    spec.attributes.insert("area".into(), "Hebbal".into());
    leads::accept(engine, stage.client, part.campaign, &[spec]).await?;
    let start = super::campaigns::Order::Start;
    super::campaigns::order(engine, stage.client, part.campaign, start, "the demo", None).await?;
    loop {
        let mut conn = engine.pool().acquire().await?;
        let page =
            store::judging::stored(&mut conn, stage.client, LeadId(uuid::Uuid::nil()), None, 1).await?;
        if let (Some(stored), Some(number)) = (page.first(), AttemptNumber::new(1)) {
            return Ok(AttemptRef { client: stage.client, lead: stored.lead, number });
        }
        drop(conn);
        tokio::time::sleep(LOOK).await;
    }
}

/// Shows each turn as it is stored, until the call is over and analysed.
async fn watched(stage: &Stage, screen: &Screen, call: AttemptRef) -> anyhow::Result<CallResults> {
    let mut shown = 0;
    loop {
        let mut conn = stage.app.engine.pool().acquire().await?;
        let underway = store::conversations::underway(&mut conn, call).await?;
        let known = store::call_results::read(&mut conn, call.client, call.lead, call.number).await?;
        drop(conn);
        let known = known.unwrap_or_default();
        let turns = underway.map_or_else(|| known.transcript.clone(), |underway| underway.turns);
        for turn in turns.iter().skip(shown) {
            screen.say(&line_of_turn(turn));
            shown += 1;
        }
        // Until a model has said what came of it.
        if known.course.is_some() && known.summary.is_some() {
            return Ok(known);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show_results(screen: &Screen, results: &CallResults) {
    let said = |value: &Option<String>| value.clone().unwrap_or_default();
    screen.say(&format!("\nsummary   {}", said(&results.summary)));
    screen.say(&format!("intent    {}", said(&results.intent)));
    for (name, value) in &results.analysis {
        screen.say(&format!("{name:<9} {value}"));
    }
    if let Some(course) = &results.course {
        let ending = serde_json::to_value(&course.ending).unwrap_or(Value::Null);
        screen.say(&format!(
            "ended     {ending} after {:.1} s, by playbook {} {}",
            f64::from(course.lasted_ms) / 1_000.0,
            course.playbook,
            course.version
        ));
    }
}

/// The least, the middle and the most of what answers took.
fn percentiles(results: &CallResults) -> Value {
    let mut totals: Vec<u32> = results
        .transcript
        .iter()
        .filter_map(|turn| turn.latency.as_ref())
        .map(|latency| latency.total_ms)
        .collect();
    totals.sort_unstable();
    json!({ "least": totals.first(), "middle": totals.get(totals.len() / 2), "most": totals.last() })
}
