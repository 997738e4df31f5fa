//! Rows that this version cannot read, as after an upgrade that was taken back: they are named, and
//! everything else goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::store;
use outdial_workflows::ids::LeadId;
use outdial_workflows::input::Command;
use outdial_workflows::judge::Verdict;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::json;

use crate::support::world::{World, phones, told, until};

/// What a newer version may have left of a lead, and the table that is then named.
const NEWER: [(&str, &str); 7] = [
    ("update workflows set why = '{\"why\": \"full_moon\"}'", "workflows"),
    (
        "update workflows set state = 'held', outcome = null, wake_at = null, intent = '{\"intent\": \"dream\"}'",
        "workflows",
    ),
    ("update workflows set outcome = 'enchanted'", "workflows"),
    ("update attempts set verdict = 'enchanted'", "attempts"),
    ("update attempts set result = 'teleported'", "attempts"),
    ("update attempts set phone = 'by pigeon'", "attempts"),
    ("update workflow_events set events = '[{\"event\": \"teleported\"}]' where seq = 1", "workflow_events"),
];

/// Makes these leads, the last ones, unreadable: each in one of the ways.
async fn spoil(world: &World, leads: &[LeadId]) {
    world.run("alter type outcome add value 'enchanted'").await;
    world.run("alter type call_result add value 'teleported'").await;
    for ((statement, _), lead) in NEWER.iter().zip(leads) {
        let and = if statement.contains(" where ") { "and" } else { "where" };
        let changed = world.run(&format!("{statement} {and} lead_id = '{lead}'")).await;
        assert_eq!(changed, 1, "{statement}");
    }
}

async fn judged(world: &World) -> Verdict {
    let dials = world.carrier.dials();
    let counts = dials.keys.iter().filter_map(|(key, count)| Some((key.parse().ok()?, count.accepted)));
    let evidence = Evidence { dials: counts.collect(), strict: true };
    judging::judge(&world.engine, &evidence, |_| ()).await.expect("there is a verdict")
}

/// A world in which all leads were called; the last ones cannot be read.
async fn spoilt() -> (World, Vec<LeadId>) {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 10)).await;
    world.all_finished().await;
    spoil(&world, &leads[3..]).await;
    (world, leads)
}

#[tokio::test]
async fn the_judge_names_each_row_that_cannot_be_read_and_judges_all_other_leads() {
    let (mut world, leads) = spoilt().await;
    let verdict = judged(&world).await;
    assert_eq!((verdict.leads, verdict.unread), (3, 7), "{verdict}");
    assert!(verdict.counts.is_empty() && verdict.warned == 0, "nobody is accused: {verdict}");
    assert!(!verdict.kept(), "and nobody vouches for what was not read: {verdict}");
    for ((_, table), lead) in NEWER.iter().zip(&leads[3..]) {
        let named = verdict.unreadable.iter().find(|row| row.lead == Some(*lead)).expect("it is named");
        let says = format!("row {lead} of {table} cannot be read: ");
        assert!(named.problem.starts_with(&says), "{says}{}", named.problem);
    }
    // Another lead's broken promise shows beside them.
    world.run(&format!("delete from workflow_events where seq = 2 and lead_id = '{}'", leads[0])).await;
    let verdict = judged(&world).await;
    let accused: BTreeSet<LeadId> = verdict.violations.iter().map(|finding| finding.lead).collect();
    assert_eq!(accused, BTreeSet::from([leads[0]]), "{verdict}");
    world.settle().await;
}

#[tokio::test]
async fn what_holds_for_many_leads_and_cannot_be_read_is_named_and_the_leads_are_judged_without_it() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    world.leads(campaign, &phones(1, 5)).await;
    world.all_finished().await;
    world.run(r#"update accounts set limits = '[{"limit": "by_mood"}]'"#).await;
    world.run("alter type campaign_state add value 'dormant'").await;
    world.run("update campaigns set state = 'dormant'").await;
    let verdict = judged(&world).await;
    assert_eq!((verdict.leads, verdict.unread), (5, 2), "{verdict}");
    assert!(verdict.counts.is_empty() && !verdict.kept(), "{verdict}");
    for says in ["of accounts cannot be read: ", "of campaigns cannot be read: "] {
        let named = verdict.unreadable.iter().any(|row| row.lead.is_none() && row.problem.contains(says));
        assert!(named, "{says}: {verdict}");
    }
    world.settle().await;
}

#[tokio::test]
async fn an_explanation_shows_what_can_be_read_and_names_what_cannot() {
    let (mut world, leads) = spoilt().await;
    for ((_, table), lead) in NEWER.iter().zip(&leads[3..]) {
        let told = judging::explain_lead(&world.engine, world.client, *lead).await.expect("explained");
        assert_eq!(told.unreadable.len(), 1, "{told:#?}");
        let says = format!("of {table} cannot be read");
        assert!(told.unreadable[0].contains(&says), "{told:#?}");
        assert!(told.to_string().contains(&told.unreadable[0]), "{told}");
        assert_eq!(told.state, (*table != "workflows").then_some(State::Finished), "{told:#?}");
        assert_eq!(told.attempts.len(), usize::from(*table != "attempts"), "{told:#?}");
        assert!(told.history.len() >= 4, "{told:#?}");
    }
    let whole = judging::explain_lead(&world.engine, world.client, leads[0]).await.expect("explained");
    assert_eq!((whole.unreadable.len(), whole.attempts.len()), (0, 1), "{whole:#?}");
    world.settle().await;
}

#[tokio::test]
async fn exit_codes_tell_a_kept_promise_from_one_that_nobody_can_vouch_for_and_from_no_answer() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 3)).await;
    world.all_finished().await;
    let (verdict, code) = world.says(&["judge"]).await;
    assert_eq!((code, &verdict["leads"], &verdict["unread"]), (Some(0), &json!(3), &json!(0)), "{verdict}");
    let lead = leads[1].to_string();
    let (told, code) = world.says(&["lead", "explain", &lead]).await;
    assert_eq!((code, &told["state"], &told["unreadable"]), (Some(0), &json!("finished"), &json!(null)));
    spoil(&world, &leads[1..2]).await;
    let (verdict, code) = world.says(&["judge"]).await;
    assert_eq!((code, &verdict["leads"], &verdict["unread"]), (Some(1), &json!(2), &json!(1)), "{verdict}");
    assert_eq!(verdict["unreadable"][0]["lead"], json!(lead), "{verdict}");
    let (told, code) = world.says(&["lead", "explain", &lead]).await;
    assert_eq!((code, &told["state"]), (Some(1), &json!(null)), "{told}");
    assert!(told["unreadable"][0].as_str().is_some_and(|row| row.contains("full_moon")), "{told}");
    let nowhere = ["judge", "--database-url", "postgres://nobody@127.0.0.1:1/nothing"];
    let (said, code) = world.says(&nowhere).await;
    assert!(said["error"].is_string() && code == Some(4), "{said} {code:?}");
    world.settle().await;
}

#[tokio::test]
async fn a_lead_with_an_attempt_that_cannot_be_read_is_put_aside_and_all_others_go_on() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "rules": { "busy": "2s" } } })).await;
    let answered = Scenario::answered(Duration::from_secs(5));
    let lead = world.scripted(campaign, "+919876543210", [Scenario::busy(), answered]).await;
    world.until(lead, |record| record.workflow.state == State::Waiting && record.attempts.len() == 1).await;
    world.order(campaign, Order::Pause).await;
    world.run("alter type outcome add value 'enchanted'").await;
    world.run("update attempts set verdict = 'enchanted'").await;
    world.run("update workflows set wake_at = now()").await;
    let others = world.leads(campaign, &phones(1, 30)).await;
    world.order(campaign, Order::Resume).await;
    until("the others to finish", async || {
        world.count("select count(*) from workflows where state = 'finished'").await == 30
    })
    .await;
    until("it to be put aside", async || {
        world.count("select count(*) from workflows where quarantined").await == 1
    })
    .await;
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let aside = store::quarantine::open(&mut conn, 10).await.expect("listed");
    // Late news of its call may find it unreadable at the same time as admission does.
    assert!(!aside.is_empty() && aside.iter().all(|row| row.lead_id == Some(lead.0)), "{aside:?}");
    assert!(aside[0].error.contains("of attempts cannot be read"), "{aside:?}");
    assert_eq!(told(&world.record(others[0]).await), ["bound: successful"]);
    // The version that knows the value is back.
    world.run("update attempts set verdict = null where verdict = 'enchanted'").await;
    let now = world.database_time().await;
    store::quarantine::release(&mut conn, world.client, lead, now).await.expect("released");
    drop(conn);
    assert_eq!(told(&world.finished(lead).await), ["bound: busy", "bound: successful"]);
    world.end().await;
}

#[tokio::test]
async fn leads_whose_rules_come_from_a_newer_version_are_held_and_nobody_dials_them() {
    let newer = [
        r#"rules || '{"moonlight_only": true}'"#,
        r#"jsonb_set(rules, '{calendar}', '"lunar"')"#,
        r#"jsonb_set(rules, '{agent}', '{"mode": "telepathy"}')"#,
        r#"jsonb_set(rules, '{limits}', '[{"limit": "by_mood"}]')"#,
        r#"jsonb_set(rules, '{retry,max_attempts}', '"some"')"#,
    ];
    let world = World::working().await;
    let mut held = vec![];
    for (n, rules) in (0..).zip(newer) {
        let campaign = world.draft(json!({})).await;
        world
            .run(&format!("update campaign_revisions set rules = {rules} where campaign_id = '{campaign}'"))
            .await;
        held.extend(world.leads(campaign, &phones(100 * (n + 1), 3)).await);
        world.order(campaign, Order::Start).await;
    }
    let readable = world.campaign(json!({})).await;
    let others = world.leads(readable, &phones(1, 10)).await;
    for lead in &others {
        world.finished(*lead).await;
    }
    for lead in &held {
        let record = world.until(*lead, |record| record.workflow.state == State::Held).await;
        assert_eq!((&record.workflow.why, record.attempts.len()), (&Why::UnreadableRules, 0));
        let explained = judging::explain_lead(&world.engine, world.client, *lead).await.expect("explained");
        assert!(explained.why.contains("rules cannot be read"), "{explained}");
        assert!(explained.next.is_none() && !explained.to_change.is_empty(), "{explained}");
    }
    // Nor does a person's word bring it about.
    world.command(held[0], Command::Retry).await;
    world.until(held[0], |record| record.workflow.state == State::Held).await;
    assert_eq!(world.carrier.totals().accepted, 10, "the others alone were dialled");
    assert_eq!(world.count("select count(*) from quarantine").await, 0, "and nothing had to be put aside");
    world.end().await;
}
