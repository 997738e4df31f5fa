//! What operators do all day, by mouse.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::workflow::State;

use super::driver::Screen;
use super::signed_in;
use crate::support::world::{World, until};

/// A file of people, one of whom cannot be called.
const PEOPLE: &str = "Full name,Mobile,City\nAsha Rao,98765 00001,Hebbal\nRavi Iyer,98765 00002,Whitefield\nNobody,12345,Hebbal\n";

#[tokio::test]
async fn a_campaign_goes_from_a_file_to_its_end() {
    let world = World::working().await;
    let talk = || [Scenario::answered(Duration::from_secs(30))];
    world.carrier.script("+919876500001", talk());
    world.carrier.script("+919876500002", talk());
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    browser.press("New campaign").await;
    // What is refused stays as it was typed.
    browser.write("input[name=name]", "July").await;
    browser.choose("select[name=agent]", "flow").await;
    browser.write("input[name=flow_id]", "1001").await;
    browser.write("input[name=caller_ids]", "+918040000000").await;
    browser.write("input[name=retry_no_answer]", "soonish").await;
    browser.choose("select[name=hours]", "none").await;
    browser.press("Save the draft, and add leads").await;
    browser.shows("soonish").await;
    let kept = browser
        .script("return document.querySelector('input[name=name]').value", serde_json::json!([]))
        .await;
    assert_eq!(kept, "July");
    let refused = browser.complaints().await;
    assert!(refused.iter().all(|line| line.contains("status of 422")), "{refused:?}");
    browser.write("input[name=retry_no_answer]", "45m").await;
    browser.press("Save the draft, and add leads").await;
    let path = browser.arrives(|path| path.ends_with("/files")).await;
    let campaign = path.trim_end_matches("/files").to_owned();
    browser.shows("The draft is saved.").await;
    // The file: its columns are told, and its rows looked at before they go in.
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file");
    std::fs::write(file.path(), PEOPLE).expect("it is written");
    browser.write("input[type=file]", file.path().to_str().expect("a path")).await;
    browser.shows("Full name").await;
    browser.write("[data-param=region]", "IN").await;
    browser.choose("[data-param=consent]", "express").await;
    browser.write("[data-param=consent_source]", "web form").await;
    browser.press("Add the leads").await;
    browser.arrives(|path| path.starts_with("/admin/imports/")).await;
    browser.shows("5 digits after the country code").await;
    // Looked at, then started.
    browser.open(&format!("{campaign}/forecast?preview=true")).await;
    browser.shows("2 as soon as limits leave room").await;
    browser.press("Start calling").await;
    browser.shows("running since").await;
    browser.open(&campaign).await;
    browser.shows("2 of 2 leads are finished").await;
    assert_eq!(world.carrier.dials().keys.len(), 2);
    browser.open(&format!("{campaign}/calls")).await;
    browser.shows("+919876500002").await;
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_and_ended_and_the_pause_undone_from_its_toast() {
    let world = World::new().await;
    let campaign = world.campaign(serde_json::json!({})).await;
    world.lead(campaign, "+919876500001").await;
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    browser.open(&format!("/admin/campaigns/{campaign}")).await;
    browser.press("Pause now").await;
    browser.shows("paused since").await;
    browser.press("Resume").await;
    browser.shows("running since").await;
    browser.press("Pause now").await;
    browser.shows("paused since").await;
    browser.click(".toast form button").await;
    browser.shows("running since").await;
    browser.press("More…").await;
    browser.press("End for good").await;
    browser.confirm().await;
    browser.shows("ended since").await;
    browser.end().await;
    let mut world = world;
    world.work().await;
    world.all_finished().await;
    assert_eq!(world.carrier.dials().keys.len(), 0, "nobody was called");
    world.end().await;
}

#[tokio::test]
async fn a_lead_is_called_again_and_many_are_by_a_filter_whose_reach_is_shown_before() {
    let mut world = World::new().await;
    let campaign = world.campaign(serde_json::json!({ "retry": { "max_attempts": 1 } })).await;
    let mut leads = vec![];
    for n in 1..=3 {
        let scripts = [Scenario::no_answer(), Scenario::answered(Duration::from_secs(30))];
        leads.push(world.scripted(campaign, &format!("+91987650000{n}"), scripts).await);
    }
    world.work().await;
    world.all_finished().await;
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    browser.open(&format!("/admin/leads/{}", leads[0])).await;
    browser.shows("no answer").await;
    browser.press("Call again").await;
    browser.confirm().await;
    // The story goes on by itself.
    browser.shows("attempt 2 recorded as successful").await;
    browser.open(&format!("/admin/campaigns/{campaign}/leads?outcome=no_answer")).await;
    browser.press("Order for all of them…").await;
    browser.shows("2 leads fit.").await;
    browser.choose("select[name=order]", "retry").await;
    browser.write("input[name=reason]", "the line was down").await;
    browser.press("Order it for 2 leads").await;
    browser.confirm().await;
    browser.arrives(|path| path.starts_with("/admin/operations/")).await;
    until("both to be called again", async || {
        world.count("select count(*) from attempts where number = 2 and outcome = 'successful'").await == 3
    })
    .await;
    browser.shows("the line was down").await;
    browser.shows("done").await;
    assert_eq!(world.record(leads[2]).await.workflow.state, State::Finished);
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn who_may_only_look_finds_nothing_to_press_and_is_told_whom_to_ask() {
    let world = World::new().await;
    let campaign = world.campaign(serde_json::json!({})).await;
    world.order(campaign, outdial_jobs::operations::campaigns::Order::Pause).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let browser = signed_in(&world, Role::Viewer, Screen::Desk).await;
    for path in [format!("/admin/campaigns/{campaign}"), format!("/admin/leads/{lead}")] {
        browser.open(&path).await;
        let orders = browser.script(
            "return document.querySelectorAll('main form[method=post]').length",
            serde_json::json!([]),
        );
        assert_eq!(orders.await, 0, "{path}");
    }
    let sections =
        browser.script("return document.querySelector('nav.side').innerText", serde_json::json!([])).await;
    assert!(!sections.as_str().expect("text").contains("Keys"), "{sections}");
    browser.open(&format!("/admin/clients/{}/campaigns/new", world.client)).await;
    browser.shows("operator").await;
    let refused = browser.complaints().await;
    assert!(refused.iter().all(|line| line.contains("status of 403")), "{refused:?}");
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_filter_is_saved_under_a_name_and_found_again_in_another_campaign() {
    let world = World::new().await;
    let (one, other) = (world.draft(serde_json::json!({})).await, world.draft(serde_json::json!({})).await);
    world.lead(one, "+919876500001").await;
    let browser = signed_in(&world, Role::Viewer, Screen::Desk).await;
    browser.open(&format!("/admin/campaigns/{one}/leads?state=held")).await;
    browser.press("Saved filters…").await;
    browser.write("form[action='/admin/filters'] input[name=name]", "Held ones").await;
    browser.press("Save").await;
    browser.shows("Saved as Held ones").await;
    browser.open(&format!("/admin/campaigns/{other}/leads")).await;
    browser.press("Saved filters…").await;
    browser.press("Held ones").await;
    browser.arrives(|path| path == format!("/admin/campaigns/{other}/leads?state=held")).await;
    browser.end().await;
    world.end().await;
}
