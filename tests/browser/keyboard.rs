//! Without a mouse.

use outdial_jobs::operations::keys::Role;
use serde_json::json;

use super::driver::{Screen, keys};
use super::signed_in;
use crate::support::world::World;

#[tokio::test]
async fn everything_is_reached_by_keys_alone() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.lead(campaign, "+919876500001").await;
    let name = "Campaign";
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    // A sheet says which keys there are.
    browser.keys("?").await;
    browser.shows("Jump to a page, a campaign or a lead").await;
    browser.keys(keys::ESCAPE).await;
    browser.keys("gj").await;
    browser.arrives(|path| path.ends_with("/jobs")).await;
    browser.keys("gc").await;
    browser.arrives(|path| path.ends_with("/campaigns")).await;
    // The palette finds a campaign by a part of its name.
    browser.keys(&format!("{}k", keys::CONTROL)).await;
    browser.keys(name).await;
    let found = "return [...document.querySelectorAll('#found li')].findIndex((it) => it.innerText.includes('campaign'))";
    let place = crate::support::world::until_some("the palette", async || {
        let place = browser.script(found, json!([])).await.as_i64().unwrap_or(-1);
        if place >= 0 { Ok(place) } else { Err(String::new()) }
    })
    .await;
    for _ in 0..place {
        browser.keys(keys::DOWN).await;
    }
    browser.keys(keys::ENTER).await;
    browser.arrives(|path| path == format!("/admin/campaigns/{campaign}")).await;
    browser.tab_to("Start calling").await;
    browser.keys(keys::ENTER).await;
    browser.shows("running since").await;
    browser.tab_to("Pause now").await;
    // Whoever moves by keys sees where they are.
    let outline =
        browser.script("return getComputedStyle(document.activeElement).outlineStyle", json!([])).await;
    assert_eq!(outline, "solid");
    browser.keys(keys::ENTER).await;
    browser.shows("paused since").await;
    // A lead by its number, from anywhere.
    browser.keys("/").await;
    browser.keys(&format!("+919876500001{}", keys::ENTER)).await;
    browser.arrives(|path| path.starts_with("/admin/leads/")).await;
    browser.tab_to("Hold").await;
    browser.keys(keys::ENTER).await;
    browser.shows("held").await;
    browser.end().await;
    world.end().await;
}
