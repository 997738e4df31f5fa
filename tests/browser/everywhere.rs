//! What holds on every page: it complains of nothing, fits its screen, and can be read by everybody.

use std::process::Command;
use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey};
use serde_json::{Value, json};

use super::driver::{Chromium, Screen};
use super::signed_in;
use crate::support::world::World;

/// axe-core, which `.ci/axe` takes from the npm registry and holds against its hash.
pub(crate) fn axe() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let told = Command::new(format!("{root}/.ci/axe")).output().expect("bash runs it");
    assert!(told.status.success(), ".ci/axe: {}", String::from_utf8_lossy(&told.stderr));
    let path = String::from_utf8(told.stdout).expect("a path");
    std::fs::read_to_string(path.trim()).expect("it is there")
}

/// A world in which something happened, and its pages.
pub(crate) async fn pages(world: &mut World) -> Vec<(&'static str, String)> {
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let answered = [Scenario::answered(Duration::from_secs(60))];
    let lead = world.scripted(campaign, "+919876500001", answered).await;
    world.scripted(campaign, "+919876500002", [Scenario::no_answer()]).await;
    world.work().await;
    world.all_finished().await;
    world.order(campaign, Order::Pause).await;
    let waiting = world.lead(campaign, "+919876500003").await;
    let draft = world.draft(json!({})).await;
    let key = DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST });
    let (of_client, of_campaign) =
        (format!("/admin/clients/{}", world.client), format!("/admin/campaigns/{campaign}"));
    vec![
        ("overview", of_client.clone()),
        ("campaigns", format!("{of_client}/campaigns")),
        ("new-campaign", format!("{of_client}/campaigns/new")),
        ("campaign", of_campaign.clone()),
        ("leads", format!("{of_campaign}/leads")),
        ("nobody", format!("{of_campaign}/leads?name=zzz")),
        ("call-log", format!("{of_campaign}/calls")),
        ("add-leads", format!("/admin/campaigns/{draft}/files")),
        ("rules", format!("{of_campaign}/rules")),
        ("forecast", format!("{of_campaign}/forecast?preview=true&simulate=true")),
        ("schedules", format!("{of_campaign}/schedules")),
        ("find", format!("{of_client}/leads")),
        ("lead", format!("/admin/leads/{lead}")),
        ("lead-waiting", format!("/admin/leads/{waiting}")),
        ("call", format!("/admin/calls/{key}")),
        ("calls", format!("{of_client}/calls")),
        ("jobs", format!("{of_client}/jobs")),
        ("jobs-over", format!("{of_client}/jobs?state=done&kind=bulk.v1&error=zzz")),
        ("operations", format!("{of_client}/operations")),
        ("new-operation", format!("{of_client}/operations/new")),
        ("accounts", format!("{of_client}/accounts")),
        ("account", format!("/admin/accounts/{}", world.account)),
        ("playbooks", format!("{of_client}/playbooks")),
        ("playbook", format!("{of_client}/playbooks/property-enquiry")),
        ("new-playbook", format!("{of_client}/playbooks/new")),
        ("suppressions", format!("{of_client}/suppressions")),
        ("subscribers", format!("{of_client}/subscribers")),
        ("keys", format!("{of_client}/keys")),
        ("audit", format!("{of_client}/audit")),
    ]
}

/// What keeps somebody from using the page, as axe-core finds it: what it calls serious, or worse.
pub(crate) async fn barriers(browser: &Chromium, axe: &str) -> Vec<String> {
    browser.script(&format!("{axe}; return true"), json!([])).await;
    const RUN: &str = "const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations
        .filter((it) => ['serious', 'critical'].includes(it.impact))
        .map((it) => `${it.id}: ${it.help}: ${it.nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary).join(' … ')}`)), (error) => done([String(error)]))";
    let found = browser.slow_script(RUN, json!([])).await;
    found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Opens every page on such a screen, and tells of whatever is wrong with any.
async fn faults(world: &World, pages: &[(&'static str, String)], screen: Screen, axe: &str) -> Vec<String> {
    let browser = signed_in(world, Role::Admin, screen).await;
    let mut faults = vec![];
    for (name, path) in pages {
        browser.open(path).await;
        let wide =
            browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
        if wide.as_i64() > Some(0) {
            faults.push(format!("{name} on {screen:?}: is {wide} px too wide"));
        }
        let dark = browser.script("return getComputedStyle(document.body).backgroundColor", json!([])).await;
        let is_dark = dark.as_str().is_some_and(|colour| colour.starts_with("rgb(16,"));
        if is_dark != (screen == Screen::Dark) {
            faults.push(format!("{name} on {screen:?}: its ground is {dark}"));
        }
        faults.extend(
            barriers(&browser, axe).await.into_iter().map(|it| format!("{name} on {screen:?}: {it}")),
        );
        faults.extend(browser.complaints().await.into_iter().map(|it| format!("{name} on {screen:?}: {it}")));
    }
    browser.end().await;
    faults
}

#[tokio::test]
async fn every_page_is_whole_readable_and_without_complaint_by_day_by_night_and_on_a_phone() {
    let mut world = World::new().await;
    let pages = pages(&mut world).await;
    let axe = axe();
    let (desk, dark, phone) = tokio::join!(
        faults(&world, &pages, Screen::Desk, &axe),
        faults(&world, &pages, Screen::Dark, &axe),
        faults(&world, &pages, Screen::Phone, &axe),
    );
    let all = [desk, dark, phone].concat();
    assert!(all.is_empty(), "{all:#?}");
    world.end().await;
}
