//! What is wrong with a request, and lists in pages.

use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::key;
use crate::support::world::World;

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_with_its_place_and_nothing_of_it_is_taken() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let caller = key(&world, Role::Operator, None).await;
    let path = format!("/v1/campaigns/{campaign}/leads");
    let wrong = json!([
        { "phone": "+919876500001" },
        { "phone": "98765", "zone": "Mars/Olympus" },
        { "phon": "+919876500002" },
        { "phone": "+919876500003", "region": "Florida", "consent": { "level": "express", "source": "" } },
    ]);
    let answer = caller.post(&path, wrong).await;
    assert_eq!(
        (answer.status, &answer.body["type"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("urn:outdial:problem:invalid"))
    );
    let places: Vec<&str> = answer.body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|error| error["place"].as_str())
        .collect();
    assert_eq!(places, ["[1].phone", "[1].zone", "[2]", "[3].region", "[3].consent"], "{answer:?}");
    let unknown = answer.body["errors"][2]["problem"].as_str().expect("a problem");
    assert!(unknown.contains("unknown field `phon`"), "{unknown}");
    assert_eq!(world.count("select count(*) from leads").await, 0);
    let nul = json!([{ "phone": "+919876500001", "attributes": { "flat": ["a\u{0}"] } }]);
    let nul = caller.post(&path, nul).await;
    assert_eq!(nul.body["errors"][0]["place"], "[0].attributes.flat[0]", "{nul:?}");
    let pages = caller.get("/v1/clients?limit=0").await;
    assert_eq!(
        (pages.status, &pages.body["errors"][0]["place"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("limit"))
    );
    let unknown = caller.post(&format!("/v1/campaigns/{campaign}/start"), json!({ "reson": "typo" })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{unknown:?}");
    assert!(unknown.body["detail"].as_str().expect("a detail").contains("reson"), "{unknown:?}");
    let too_many: Vec<Value> = (0..1_001).map(|n| json!({ "phone": format!("+9198765{n:05}") })).collect();
    assert_eq!(caller.post(&path, json!(too_many)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let resumes = json!({ "resume_at": "2026-01-01T00:00:00Z" });
    let resumes = caller.post(&format!("/v1/campaigns/{campaign}/start"), resumes).await;
    assert_eq!(resumes.body["errors"][0]["place"], "resume_at", "{resumes:?}");
    assert_eq!(caller.get("/v1/campaigns/no-id").await.status, StatusCode::NOT_FOUND);
    world.settle().await;
}

#[tokio::test]
async fn lists_come_in_pages_each_with_the_cursor_of_the_next() {
    let world = World::new().await;
    for n in 0..4 {
        setup::create_client(&world.engine, &format!("Client {n}")).await.expect("a client");
    }
    let caller = key(&world, Role::Viewer, None).await;
    let mut names = vec![];
    let mut path = "/v1/clients?limit=2".to_owned();
    for full in [true, true, false] {
        let page = caller.get(&path).await.body;
        names.extend(page["items"].as_array().expect("items").iter().map(|item| item["name"].to_string()));
        assert_eq!(page["next"].is_string(), full, "{page}");
        path = format!("/v1/clients?limit=2&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    // Those of the same millisecond come in any order.
    names.sort();
    assert_eq!(names.join(" "), r#""A client" "Client 0" "Client 1" "Client 2" "Client 3""#);
    let oldest = caller.get("/v1/clients?limit=1&order=asc").await.body;
    assert_eq!(oldest["items"][0]["name"], "A client", "{oldest}");
    let cursor = oldest["next"].as_str().expect("more follow");
    let others = caller.get(&format!("/v1/clients?order=asc&cursor={cursor}")).await.body;
    assert_eq!((others["items"].as_array().map(Vec::len), others["next"].is_null()), (Some(4), true));
    world.end().await;
}
