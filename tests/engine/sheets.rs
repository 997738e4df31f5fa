//! Google Sheets as the source of a campaign's leads.

use outdial_emulators::sheets::{Config, Document, Host, Scenario, Sheets, Tab};
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::providers::http_client;
use outdial_jobs::sheets::Settings;
use outdial_workflows::ids::CampaignId;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::world::{World, until, until_some};

/// The id of the sheet that tests link.
const ID: &str = "1Fictional-Sheet_of_Spring-Leads";

/// Somebody with a sheet, and a campaign for it.
struct Owner<'a> {
    world: &'a World,
    google: Sheets,
    token: String,
    campaign: CampaignId,
}

impl<'a> Owner<'a> {
    async fn new(world: &'a World) -> Self {
        let google = Sheets::start(Config::default()).await.expect("free ports");
        let host = google.content_url().strip_prefix("http://").expect("plain http").to_owned();
        let base_url = google.docs_url().parse().expect("an address");
        let settings = Settings { base_url, redirect_hosts: vec![host] };
        world.engine.read_sheets_at(&settings).expect("good settings");
        google.put(ID, spring(), Scenario::Ok);
        let campaign = world.draft(json!({})).await;
        let spec =
            KeySpec { name: "a key", role: Role::Operator, client: Some(world.client), expires_at: None };
        let by = By { actor: "a test", reason: None };
        let (_, token) = keys::create(&world.engine, spec, by).await.expect("a key");
        Self { world, google, token: token.expose_secret().to_owned(), campaign }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let client = http_client().expect("a client");
        let mut request = client.request(method, self.world.address(path)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// Links the sheet, with more said of it.
    async fn link(&self, more: Value) -> String {
        let (status, told) = self.try_link(more).await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
        told["id"].as_str().expect("an id").to_owned()
    }

    async fn try_link(&self, more: Value) -> (StatusCode, Value) {
        let link = format!("https://docs.google.com/spreadsheets/d/{ID}/edit?usp=sharing#gid=0");
        let mut body = json!({ "link": link, "region": "IN" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.ask(Method::POST, &format!("/v1/campaigns/{}/sheets", self.campaign), Some(body)).await
    }

    async fn refresh(&self, sheet: &str) {
        let (status, told) = self.ask(Method::POST, &format!("/v1/sheets/{sheet}/refresh"), None).await;
        // It may be done before it is told.
        assert_eq!(status, StatusCode::ACCEPTED, "{told}");
    }

    /// The sheet, once it is so, and nothing is imported any more.
    async fn until(&self, sheet: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until_some("the sheet to be so", async || {
            let (_, sheet) = self.ask(Method::GET, &format!("/v1/sheets/{sheet}"), None).await;
            let importing = ["running", "receiving"].iter().any(|state| sheet["import_state"] == *state);
            if holds(&sheet) && !importing { Ok(sheet) } else { Err(sheet.to_string()) }
        })
        .await
    }

    /// The sheet once no refresh is under way.
    async fn refreshed(&self, sheet: &str) -> Value {
        self.until(sheet, |sheet| sheet["refreshing"] == false).await
    }

    /// Has what waits to be tried again be tried now.
    async fn try_again_now(&self) {
        let moved = async || self.world.run("update jobs set run_at = now() where lease_owner is null").await;
        until("the job to wait", async || moved().await == 1).await;
        // Nobody announces what somebody with a console does.
        self.world.engine.hub().missed_some();
    }

    async fn counts(&self) -> (i64, i64) {
        let leads = self.world.count("select count(*) from leads").await;
        (leads, self.world.count("select count(*) from imports").await)
    }
}

fn cells(rows: &[[&str; 2]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
}

fn spring() -> Document {
    let rows = cells(&[["name", "phone"], ["Asha Rao", "98765 00001"], ["Bela Nair", "98765 00002"]]);
    Document::new("Spring", [Tab::new(0, "Leads", rows)])
}

#[tokio::test]
async fn a_linked_sheet_is_taken_in_and_later_what_is_new_in_it() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    let sheet = owner.link(json!({})).await;
    let taken = owner.refreshed(&sheet).await;
    assert_eq!(
        (&taken["last_result"], &taken["title"]),
        (&json!("taken_in"), &json!("Spring - Leads")),
        "{taken}"
    );
    assert_eq!(taken["import_state"], "done", "{taken}");
    assert_eq!(owner.counts().await, (2, 1));
    // Nothing changed: nothing is imported.
    owner.refresh(&sheet).await;
    let unchanged = owner.refreshed(&sheet).await;
    assert_eq!(unchanged["last_result"], "unchanged", "{unchanged}");
    assert_eq!(owner.counts().await, (2, 1));
    // A row more: only that is added.
    owner.google.edit(ID, |document| {
        document.tabs[0].rows.push(vec!["Chitra Das".to_owned(), "98765 00003".to_owned()]);
    });
    owner.refresh(&sheet).await;
    let changed = owner.refreshed(&sheet).await;
    assert_eq!(changed["last_result"], "taken_in", "{changed}");
    assert_eq!(owner.counts().await, (3, 2));
    let import = changed["import"].as_str().expect("an import");
    let (_, import) = owner.ask(Method::GET, &format!("/v1/imports/{import}"), None).await;
    assert_eq!((&import["accepted"], &import["duplicates"]), (&json!(1), &json!(2)), "{import}");
    assert_eq!(import["name"], "Spring - Leads");
    world.end().await;
}

#[tokio::test]
async fn a_sheet_is_refreshed_by_its_schedule_and_no_sooner_than_a_minute_after_the_last_time() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    let sheet = owner.link(json!({ "cron": "0 0 3 * * *", "zone": "Asia/Kolkata" })).await;
    let first = owner.refreshed(&sheet).await;
    assert!(first["next_at"].is_string(), "{first}");
    let asked = owner.google.requests(Host::Docs).len();
    world.run("update sheets set next_at = now() - interval '1 second'").await;
    let due = world.database_time().await;
    let swept = outdial_jobs::operations::sheets::refresh_due(&world.engine, due).await;
    assert_eq!(swept.expect("looked"), 0, "it was read a moment ago");
    // The sweep itself finds it.
    world.run("update sheets set last_at = now() - interval '61 seconds'").await;
    let again = owner.until(&sheet, |sheet| sheet["last_result"] == "unchanged").await;
    assert_eq!(owner.google.requests(Host::Docs).len(), asked + 1);
    assert!(again["next_at"].as_str() > first["last_at"].as_str(), "{again}");
    // Without a schedule it is left alone, and so it is once it is unlinked.
    let path = format!("/v1/sheets/{sheet}");
    let (_, told) = owner.ask(Method::PUT, &path, Some(json!({ "region": "IN" }))).await;
    assert_eq!((&told["cron"], &told["next_at"]), (&Value::Null, &Value::Null), "{told}");
    assert_eq!(told["refreshing"], false, "its options are the same: {told}");
    let (_, told) = owner.ask(Method::PUT, &path, Some(json!({ "cron": "hourly" }))).await;
    assert_eq!(told["errors"][0]["place"], "cron", "{told}");
    let (status, _) = owner.ask(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(owner.ask(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test]
async fn a_sheet_that_is_not_shared_says_so_until_it_is_shared() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    owner.google.behave(ID, Scenario::PrivateSignIn);
    let sheet = owner.link(json!({})).await;
    let failed = owner.refreshed(&sheet).await;
    assert_eq!(failed["last_result"], "failed", "{failed}");
    assert_eq!(world.count("select count(*) from jobs").await, 0, "a person has to mend it");
    let (_, listed) = owner.ask(Method::GET, &format!("/v1/campaigns/{}/sheets", owner.campaign), None).await;
    let told = listed["items"][0]["last_error"].as_str().expect("an error");
    assert!(told.contains("the sheet is not shared"), "{told}");
    let campaign = owner.campaign.to_string();
    let (listed, _) = world.says(&["sheet", "list", "--campaign", &campaign]).await;
    assert_eq!(listed[0]["last_error"], told, "{listed}");
    owner.google.behave(ID, Scenario::Ok);
    let (done, code) = world.says(&["sheet", "refresh", &sheet, "--wait"]).await;
    assert_eq!((&done["last_error"], code), (&Value::Null, Some(0)), "{done}");
    assert_eq!(owner.counts().await, (2, 1));
    world.end().await;
}

#[tokio::test]
async fn a_google_that_fails_twice_is_asked_a_third_time() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    owner.google.behave(ID, Scenario::ServerError);
    let sheet = owner.link(json!({})).await;
    for failures in 1..=2 {
        let failed = format!("select count(*) from sheets where failures = {failures}");
        until("it to fail", async || world.count(&failed).await == 1).await;
        let waits = "select count(*) from jobs where lease_owner is null
            and run_at > now() + interval '30 seconds'";
        until("it to wait", async || world.count(waits).await == 1).await;
        let told = owner.until(&sheet, |sheet| sheet["last_result"] == "failed").await;
        assert_eq!(told["refreshing"], true, "{told}");
        assert!(told["last_error"].as_str().is_some_and(|error| error.contains("answered 500")), "{told}");
        if failures == 2 {
            owner.google.behave(ID, Scenario::Ok);
        }
        owner.try_again_now().await;
    }
    let taken = owner.refreshed(&sheet).await;
    assert_eq!((&taken["last_result"], &taken["last_error"]), (&json!("taken_in"), &Value::Null), "{taken}");
    assert_eq!(owner.counts().await, (2, 1));
    world.end().await;
}

#[tokio::test]
async fn a_refresh_that_is_asked_for_takes_the_place_of_one_that_waits() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    owner.google.behave(ID, Scenario::TooMany);
    let sheet = owner.link(json!({})).await;
    owner.until(&sheet, |sheet| sheet["last_result"] == "failed").await;
    owner.google.behave(ID, Scenario::Ok);
    owner.refresh(&sheet).await;
    owner.refreshed(&sheet).await;
    assert_eq!(owner.counts().await, (2, 1));
    let asked = owner.google.requests(Host::Docs).len();
    owner.try_again_now().await;
    until("the other job to end", async || world.count("select count(*) from jobs").await == 0).await;
    assert_eq!(owner.google.requests(Host::Docs).len(), asked, "it has nothing to do any more");
    world.end().await;
}

#[tokio::test]
async fn a_refresh_that_is_overtaken_while_it_reads_takes_nothing_in() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    owner.google.behave(ID, Scenario::Slow);
    let sheet = owner.link(json!({})).await;
    until("it to be read", async || !owner.google.requests(Host::Docs).is_empty()).await;
    owner.google.behave(ID, Scenario::Ok);
    owner.refresh(&sheet).await;
    let taken = owner.refreshed(&sheet).await;
    assert_eq!(taken["last_result"], "taken_in", "{taken}");
    until("the other job to end", async || world.count("select count(*) from jobs").await == 0).await;
    let overtaken = "select count(*) from imports where state = 'failed' and failed_for = 'it was overtaken'";
    assert_eq!((owner.counts().await, world.count(overtaken).await), ((2, 2), 1));
    assert_eq!(world.count("select count(*) from import_parts").await, 0);
    let after = owner.refreshed(&sheet).await;
    assert_eq!((&after["last_at"], &after["import"]), (&taken["last_at"], &taken["import"]));
    world.end().await;
}

#[tokio::test]
async fn a_campaign_that_has_ended_reads_its_sheets_no_more() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    world.order(owner.campaign, Order::Cancel).await;
    let sheet = owner.link(json!({})).await;
    let failed = owner.refreshed(&sheet).await;
    let told = failed["last_error"].as_str().expect("an error");
    assert!(told.contains("the campaign has ended"), "{told}");
    assert!(owner.google.requests(Host::Docs).is_empty());
    until("the campaign to end", async || world.count("select count(*) from jobs").await == 0).await;
    world.end().await;
}

#[tokio::test]
async fn under_other_options_a_sheet_is_taken_in_anew() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    let sheet = owner.link(json!({ "region": null })).await;
    let taken = owner.refreshed(&sheet).await;
    assert_eq!((&taken["import_state"], owner.counts().await), (&json!("done"), (0, 1)), "{taken}");
    let (_, told) =
        owner.ask(Method::PUT, &format!("/v1/sheets/{sheet}"), Some(json!({ "region": "IN" }))).await;
    assert_eq!(told["region"], "IN", "{told}");
    owner.refreshed(&sheet).await;
    assert_eq!(owner.counts().await, (2, 2));
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_said_before_anything_is_fetched() {
    let world = World::working().await;
    let owner = Owner::new(&world).await;
    for (more, place) in [
        (json!({ "link": "https://sheets.example.com/d/1" }), "link"),
        (json!({ "region": "Atlantis" }), "region"),
        (json!({ "consent": { "level": "express", "source": "" } }), "consent"),
        (json!({ "cron": "0 0 9 * * *", "zone": "Mars" }), "zone"),
        (json!({ "zone": "UTC" }), "zone"),
        (json!({ "cron": "0 0 9 1 1 * 2025" }), "cron"),
    ] {
        let (status, told) = owner.try_link(more).await;
        assert_eq!((status.as_u16(), &told["errors"][0]["place"]), (422, &json!(place)), "{told}");
    }
    let sheet = owner.link(json!({})).await;
    let (status, told) = owner.try_link(json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{told}");
    owner.refreshed(&sheet).await;
    assert_eq!(owner.google.requests(Host::Docs).len(), 1);
    world.end().await;
}
