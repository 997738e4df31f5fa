//! Files of leads, sent to the API.

use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::providers::http_client;
use outdial_workflows::ids::CampaignId;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::world::{World, until, until_some};

struct Sender<'a> {
    world: &'a World,
    token: String,
    campaign: CampaignId,
}

impl Sender<'_> {
    async fn new(world: &World) -> Sender<'_> {
        let campaign = world.draft(json!({})).await;
        let spec =
            KeySpec { name: "a key", role: Role::Operator, client: Some(world.client), expires_at: None };
        let by = By { actor: "a test", reason: None };
        let (_, token) = keys::create(&world.engine, spec, by).await.expect("a key");
        Sender { world, token: token.expose_secret().to_owned(), campaign }
    }

    fn post(&self, query: &str) -> RequestBuilder {
        let path = format!("/v1/campaigns/{}/imports{query}", self.campaign);
        let client = http_client().expect("a client");
        client.post(self.world.address(&path)).bearer_auth(&self.token)
    }

    fn csv(&self, query: &str, text: impl Into<String>) -> RequestBuilder {
        self.post(query).header("content-type", "text/csv").body(text.into())
    }

    async fn get(&self, path: &str) -> Value {
        let request = http_client().expect("a client").get(self.world.address(path)).bearer_auth(&self.token);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// The import once it has ended.
    async fn ended(&self, id: &Value) -> Value {
        let path = format!("/v1/imports/{}", id.as_str().expect("an id"));
        until_some("the import to end", async || {
            let import = self.get(&path).await;
            let under_way = import["state"] == "running" || import["state"] == "receiving";
            if under_way { Err(import.to_string()) } else { Ok(import) }
        })
        .await
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

fn csv(count: usize) -> String {
    let row = |n| format!("+9198{n:08},Person {n}\n");
    std::iter::once("phone,name\n".to_owned()).chain((0..count).map(row)).collect()
}

#[tokio::test]
async fn a_file_is_kept_and_taken_in_by_a_job_and_its_bad_rows_are_listed() {
    let world = World::working().await;
    let sender = Sender::new(&world).await;
    // More than a part of what is kept, in a form, with fields before the file.
    let text = csv(50_000) + "12,Too short\n13,Too short\n+919800000001,Person 1\n";
    assert!(text.len() > 1024 * 1024);
    let form = Form::new()
        .text("name", "May")
        .text("region", "IN")
        .part("file", Part::text(text.clone()).file_name("leads.csv"));
    let (status, kept) = answer(sender.post("").multipart(form)).await;
    assert_eq!((status, &kept["name"]), (StatusCode::ACCEPTED, &json!("May")), "{kept}");
    let done = sender.ended(&kept["id"]).await;
    let counts = ["rows", "accepted", "duplicates", "problems"].map(|name| done[name].as_u64());
    assert_eq!(counts, [Some(50_003), Some(50_000), Some(1), Some(2)], "{done}");
    assert_eq!(world.count("select count(*) from import_parts").await, 0, "nobody needs the file any more");
    let notes = format!("/v1/imports/{}/notes", kept["id"].as_str().expect("an id"));
    let first = sender.get(&format!("{notes}?limit=1")).await;
    assert_eq!((&first["items"][0]["line"], &first["next"]), (&json!(50_002), &json!(50_002)), "{first}");
    let rest = sender.get(&format!("{notes}?cursor=50002")).await;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(2), "{rest}");
    let merged = sender.get(&format!("{notes}?note=duplicate")).await;
    assert_eq!(merged["items"][0]["line"], json!(50_004), "{merged}");
    // The same as the body itself adds nothing.
    let (_, again) = answer(sender.csv("?region=IN", text)).await;
    let again = sender.ended(&again["id"]).await;
    assert_eq!((&again["accepted"], &again["sha256"]), (&json!(0), &done["sha256"]), "{again}");
    let listed = sender.get(&format!("/v1/campaigns/{}/imports", sender.campaign)).await;
    assert_eq!(listed["items"][1]["id"], kept["id"], "the latest first: {listed}");
    world.end().await;
}

#[tokio::test]
async fn a_file_is_checked_without_being_written() {
    let world = World::working().await;
    let sender = Sender::new(&world).await;
    let text = "phone;name\n98765 00001;Asha\n98765 00001;asha\n12;Bela\n";
    let form = Form::new().text("region", "IN").part("file", Part::text(text));
    let (status, told) = answer(sender.post("?dry_run=true").multipart(form)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let counts = ["rows", "accepted", "duplicates", "problems_total"].map(|name| told[name].as_u64());
    assert_eq!(counts, [Some(3), Some(1), Some(1), Some(1)], "{told}");
    assert_eq!(world.count("select count(*) from imports").await, 0);
    let (status, told) = answer(sender.csv("?dry_run=true", "name\nAsha\n")).await;
    assert_eq!((status.as_u16(), &told["errors"][0]["place"]), (422, &json!("file")), "{told}");
    world.end().await;
}

#[tokio::test]
async fn what_is_said_of_a_file_is_checked_before_it_is_kept() {
    let world = World::working().await;
    let sender = Sender::new(&world).await;
    let file = || Part::text("phone\n");
    for (form, place) in [
        (Form::new().text("colour", "red"), "colour"),
        (Form::new().text("delimiter", "::").part("file", file()), "delimiter"),
        (Form::new().text("region", "Atlantis").part("file", file()), "region"),
        (Form::new().text("consent", "maybe").part("file", file()), "consent"),
        (Form::new().text("consent", "express").part("file", file()), "consent_source"),
        (Form::new().text("dry_run", "perhaps"), "dry_run"),
        (Form::new().text("name", "May"), "file"),
    ] {
        let (status, told) = answer(sender.post("").multipart(form)).await;
        assert_eq!((status.as_u16(), &told["errors"][0]["place"]), (422, &json!(place)), "{told}");
    }
    let (status, _) = answer(sender.post("").json(&json!({ "phone": "+919876500001" }))).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, _) = answer(sender.csv("?colour=red", "phone\n")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "unknown parameters are refused");
    assert_eq!(world.count("select count(*) from imports").await, 0);
    // What only its rows can tell fails later, and says why.
    let (_, kept) = answer(sender.csv("", "name,city\nAsha,Pune\n")).await;
    let failed = sender.ended(&kept["id"]).await;
    let why = failed["failed_for"].as_str().unwrap_or_default();
    assert!(failed["state"] == "failed" && why.contains("no column holds phone numbers"), "{failed}");
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_sent_again_under_its_idempotency_key_is_kept_once() {
    let world = World::working().await;
    let sender = Sender::new(&world).await;
    let send = async |text: String| answer(sender.csv("", text).header("idempotency-key", "may")).await;
    let blanks = "\n".repeat(5_000_000);
    let (status, first) = send(csv(3) + &blanks).await;
    assert_eq!(status, StatusCode::ACCEPTED, "larger than other bodies may be: {first}");
    assert_eq!(send(csv(3) + &blanks).await.1["id"], first["id"]);
    assert_eq!(send(csv(3)).await.0, StatusCode::UNPROCESSABLE_ENTITY, "another file");
    assert_eq!(sender.ended(&first["id"]).await["accepted"], 3);
    assert_eq!(world.count("select count(*) from imports").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_file_is_undone_while_it_is_taken_in() {
    let world = World::working().await;
    let sender = Sender::new(&world).await;
    let (_, kept) = answer(sender.csv("", csv(30_000))).await;
    let id = kept["id"].as_str().expect("an id");
    until("a page to be in", async || world.count("select count(*) from leads").await > 0).await;
    let undo = world.address(&format!("/v1/imports/{id}/undo"));
    let (status, told) = answer(http_client().expect("a client").post(undo).bearer_auth(&sender.token)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{told}");
    until("all of its leads to be undone", async || {
        let undone = "select count(*) from workflows where why->>'why' = 'undone'";
        world.count("select count(*) from jobs").await == 0
            && world.count(undone).await == world.count("select count(*) from leads").await
    })
    .await;
    assert_eq!(sender.get(&format!("/v1/imports/{id}")).await["state"], "undone");
    world.end().await;
}
