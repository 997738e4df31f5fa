//! Pictures of the main pages, for the README: `.ci/screenshots` has them taken.

use std::path::Path;

use outdial_emulators::carrier::Fallback;
use outdial_emulators::exotel as emulated;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_workflows::ids::CampaignId;
use serde_json::json;

use super::driver::{Chromium, Screen};
use super::{signed_in, talk};
use crate::support::world::{World, until};

/// A campaign as people name it, whose calls come to many things.
async fn campaign(world: &World) -> CampaignId {
    let rules = json!({
        "calendar": "none", "caller_ids": ["+918040000000"], "agent": { "mode": "flow", "flow_id": "1001" },
        "limits": [{ "limit": "concurrent", "max": 6 }],
        "retry": { "max_attempts": 2, "rules": { "no_answer": "3h", "busy": "2h", "voicemail": "4h" } },
    });
    let rules = serde_json::from_value(rules).expect("rules");
    let spec =
        CampaignSpec { name: "Property enquiries", account: world.account, rules: &rules, actor: "Asha" };
    let campaign = campaigns::create(&world.engine, world.client, spec).await.expect("a campaign");
    let names =
        ["Asha Rao", "Ravi Iyer", "Meera Khan", "Arjun Nair", "Kavya Das", "Rohan Shah", "Divya Menon"];
    let people: Vec<LeadSpec> = (0..240_usize)
        .map(|n| {
            let mut person = LeadSpec::new(format!("+91987650{n:04}").parse().expect("a number"));
            person.name = Some(names[n % names.len()].to_owned());
            person.external_id = Some(format!("CRM-{n:04}"));
            person.attributes.insert("city".into(), ["Hebbal", "Whitefield", "Indiranagar"][n % 3].into());
            person
        })
        .collect();
    leads::accept(&world.engine, world.client, campaign, &people).await.expect("accepted");
    campaign
}

/// Hours before now in which calls came to something: the world itself is too young for any.
async fn yesterday(world: &World, campaign: CampaignId) {
    for (outcome, share, answered) in
        [("successful", 9, true), ("not_interested", 7, true), ("no_answer", 12, false), ("failed", 2, false)]
    {
        let answered = if answered { "n" } else { "0" };
        world
            .run(&format!(
                "insert into call_statistics (client_id, campaign_id, span, outcome, number, attempts, answered, talk_ms, cost_micros, priced)
                select '{}', '{campaign}', date_trunc('hour', now()) - h * interval '1 hour', '{outcome}', 1, n, {answered}, n * 60000, 0, 0
                from generate_series(1, 23) h, lateral (select greatest(1, ({share} * (14 - abs(12 - h)) / 3))::bigint as n) x",
                world.client
            ))
            .await;
    }
}

#[tokio::test]
#[ignore = "a script takes them: .ci/screenshots"]
async fn pictures_of_the_main_pages_are_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (mut world, services) = talk::talking().await;
    let campaign = campaign(&world).await;
    yesterday(&world, campaign).await;
    // Quick until there is something to see, and no faster than in life after that.
    let quick = emulated::Config { speed: 60.0, fallback: Fallback::Mix, ..world.carrier.config() };
    world.carrier.configure(quick).expect("it can be");
    world.order(campaign, Order::Start).await;
    until("calls to end", async || {
        world.count("select count(*) from workflows where state = 'finished'").await > 40
    })
    .await;
    let lifelike = emulated::Config { speed: 1.0, ..world.carrier.config() };
    world.carrier.configure(lifelike).expect("it can be");
    let desk = signed_in(&world, Role::Admin, Screen::Desk).await;
    let dark = signed_in(&world, Role::Admin, Screen::Dark).await;
    let here = format!("/admin/campaigns/{campaign}");
    let of_client = format!("/admin/clients/{}", world.client);
    let lead = "select lead_id::text from attempts where number = 1 and outcome = 'no_answer' limit 1";
    let lead: String = sqlx::query_scalar(lead).fetch_one(world.db.pool()).await.expect("somebody");
    take(&desk, &of_client, &folder.join("overview.png")).await;
    take(&desk, &here, &folder.join("campaign.png")).await;
    take(&desk, &format!("/admin/leads/{lead}"), &folder.join("lead.png")).await;
    take(&dark, &format!("{here}/leads"), &folder.join("leads-dark.png")).await;
    talk::open_call(&world, &desk).await;
    desk.shows("Three rooms, in Hebbal.").await;
    desk.picture(&folder.join("call.png")).await;
    desk.end().await;
    dark.end().await;
    let phone = signed_in(&world, Role::Admin, Screen::Phone).await;
    take(&phone, &of_client, &folder.join("phone.png")).await;
    phone.end().await;
    world.settle().await;
    services.stop().await;
}

async fn take(browser: &Chromium, path: &str, file: &Path) {
    browser.open(path).await;
    browser.picture(file).await;
}
