//! `/v1`: who may do what, and what is said of what is wrong.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::join_all;
use outdial_jobs::import::Options;
use outdial_jobs::operations::By;
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::sheets::{self, NewLink};
use outdial_jobs::operations::{setup, subscribers};
use outdial_jobs::providers::exotel::http_client;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::world::{World, phones};

const BY: By<'static> = By { actor: "a test", reason: None };

/// What the API answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    content_type: String,
    /// It was given before.
    replayed: bool,
    etag: Option<String>,
    body: Value,
}

/// A caller with a key, or without.
struct Caller<'a> {
    world: &'a World,
    token: Option<String>,
}

impl Caller<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_once(method, path, body, None).await
    }

    async fn ask_once(&self, method: Method, path: &str, body: Option<Value>, once: Option<&str>) -> Answer {
        let headers = once.map(|once| ("idempotency-key", once.to_owned()));
        self.ask_with(method, path, body, headers).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        extra: Option<(&str, String)>,
    ) -> Answer {
        let mut request = http_client().expect("a client").request(method, self.world.address(path));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request = match body {
            // A text is a file.
            Some(Value::String(csv)) => request.header("content-type", "text/csv").body(csv),
            Some(body) => request.json(&body),
            None => request,
        };
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("an answer");
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert!(header("x-request-id").is_some(), "every answer bears an id");
        let (status, content_type) = (response.status(), header("content-type").unwrap_or_default());
        if status == StatusCode::UNAUTHORIZED {
            assert_eq!(header("www-authenticate").as_deref(), Some("Bearer"));
        }
        let (replayed, etag) = (header("idempotent-replayed").is_some(), header("etag"));
        // A stream does not end.
        let streams = content_type == "text/event-stream";
        let body = if streams { Value::Null } else { response.json().await.unwrap_or_default() };
        Answer { status, content_type, replayed, etag, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }
}

async fn key(world: &World, role: Role, client: Option<ClientId>) -> Caller<'_> {
    let spec = KeySpec { name: "a key", role, client, expires_at: None };
    let (_, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
    Caller { world, token: Some(token.expose_secret().to_owned()) }
}

/// What the addresses of routes name, of this world.
struct Things {
    client: ClientId,
    campaign: CampaignId,
    account: AccountId,
    lead: LeadId,
    key: Uuid,
    import: Uuid,
    sheet: Uuid,
    subscriber: Uuid,
}

impl Things {
    async fn of(world: &World) -> Self {
        let campaign = world.draft(json!({})).await;
        let lead = world.lead(campaign, "+919876500001").await;
        let spec =
            KeySpec { name: "spare", role: Role::Viewer, client: Some(world.client), expires_at: None };
        let (key, _) = keys::create(&world.engine, spec, BY).await.expect("a key");
        let sent =
            Sent { client: world.client, campaign, name: "a file", options: &Options::default(), by: BY };
        let import = imports::receive(&world.engine, sent).await.expect("begun").finish().await;
        let (client, account, import) = (world.client, world.account, import.expect("kept").id);
        let (link, options) = (link(), Options::default());
        let new = NewLink { client, campaign, link: &link, options: &options, times: None, by: BY };
        let sheet = sheets::link(&world.engine, new).await.expect("linked").id;
        world.run("delete from subscribers").await;
        let spec = subscribers::Spec { url: "https://example.com/".into(), ..Default::default() };
        let made = subscribers::create(&world.engine, client, &spec, BY).await;
        let subscriber = made.expect("a subscriber").0.id;
        Self { client, account, campaign, lead, key: key.id, import, sheet, subscriber }
    }

    fn path(&self, template: &str) -> String {
        template
            .replace("{client}", &self.client.to_string())
            .replace("{campaign}", &self.campaign.to_string())
            .replace("{account}", &self.account.to_string())
            .replace("{lead}", &self.lead.to_string())
            .replace("{key}", &self.key.to_string())
            .replace("{import}", &self.import.to_string())
            .replace("{sheet}", &self.sheet.to_string())
            .replace("{subscriber}", &self.subscriber.to_string())
            .replace("/export", "/export?of=leads")
            .replace("/v1/events", &format!("/v1/events?client={}", self.client))
    }
}

/// The address of a sheet that nobody has linked.
fn link() -> String {
    format!("https://docs.google.com/spreadsheets/d/{}/edit", Uuid::new_v4())
}

/// A body that the route takes.
fn body(route: &str, world: &World) -> Option<Value> {
    match route {
        "POST /v1/clients/{client}/campaigns" => {
            Some(json!({ "name": format!("Campaign {}", Uuid::new_v4()), "account": world.account }))
        }
        "POST /v1/clients" => Some(json!({ "name": format!("Client {}", Uuid::new_v4()) })),
        "POST /v1/keys" => Some(json!({ "name": "another", "role": "viewer" })),
        "POST /v1/campaigns/{campaign}/leads" => Some(json!({ "phone": "+91 98765 00002" })),
        "POST /v1/clients/{client}/subscribers" | "PUT /v1/subscribers/{subscriber}" => {
            Some(json!({ "url": "https://example.com/hook", "types": ["call.*"] }))
        }
        "POST /v1/subscribers/{subscriber}/redeliver" => Some(json!({ "since": "2026-01-01T00:00:00Z" })),
        "POST /v1/campaigns/{campaign}/imports" => Some(json!("phone\n+919876500003\n")),
        "POST /v1/campaigns/{campaign}/sheets" => Some(json!({ "link": link() })),
        "PUT /v1/sheets/{sheet}" => Some(json!({ "cron": "0 0 9 * * *" })),
        "POST /v1/campaigns/{campaign}/clone" => Some(json!({ "name": format!("Clone {}", Uuid::new_v4()) })),
        "POST /v1/leads/{lead}/orders" => Some(json!({ "order": "cancel" })),
        "PUT /v1/campaigns/{campaign}/rules" => Some(json!({})),
        _ => None,
    }
}

/// Every route, as the API itself describes them.
async fn routes(world: &World) -> Vec<(Method, String)> {
    let document = Caller { world, token: None }.get("/v1/openapi.json").await;
    assert_eq!(document.status, StatusCode::OK);
    assert_eq!(document.body["openapi"], "3.1.0");
    let paths = document.body["paths"].as_object().expect("paths").clone();
    let each = paths.into_iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").clone();
        methods.into_iter().map(move |(method, _)| {
            (Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"), path.clone())
        })
    });
    each.collect()
}

#[tokio::test]
async fn every_route_wants_a_key_that_is_good() {
    let mut world = World::new().await;
    let things = Things::of(&world).await;
    let expiring = {
        let expires_at = Some(world.database_time().await + TimeDelta::hours(1));
        let spec = KeySpec { name: "short", role: Role::Admin, client: None, expires_at };
        let (_, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
        world.run("update api_keys set expires_at = clock_timestamp() where name = 'short'").await;
        token.expose_secret().to_owned()
    };
    let revoked = {
        let spec = KeySpec { name: "lost", role: Role::Admin, client: None, expires_at: None };
        let (key, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
        keys::revoke(&world.engine, key.id, None, BY).await.expect("revoked");
        token.expose_secret().to_owned()
    };
    let strangers = [
        (None, "give a key"),
        (Some("outdial_EXAMPLE-000000000000000000000000000000000000000".to_owned()), "not one of ours"),
        (Some("Basic".to_owned()), "not one of ours"),
        (Some(expiring), "has expired"),
        (Some(revoked), "was revoked"),
    ];
    for (method, path) in routes(&world).await {
        for (token, says) in &strangers {
            let caller = Caller { world: &world, token: token.clone() };
            let answer = caller
                .ask(method.clone(), &things.path(&path), body(&format!("{method} {path}"), &world))
                .await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.content_type, "application/problem+json");
            let detail = answer.body["detail"].as_str().expect("a detail");
            assert!(detail.contains(says), "{method} {path}: {detail}");
        }
    }
    world.settle().await;
}

#[tokio::test]
async fn every_route_serves_the_roles_it_says_and_no_others() {
    use Role::{Admin, Operator, Viewer};
    let least: BTreeMap<&str, Role> = [
        ("GET /v1/me", Viewer),
        ("GET /v1/keys", Admin),
        ("POST /v1/keys", Admin),
        ("POST /v1/keys/{key}/revoke", Admin),
        ("POST /v1/keys/{key}/rotate", Admin),
        ("GET /v1/clients", Viewer),
        ("POST /v1/clients", Admin),
        ("GET /v1/clients/{client}", Viewer),
        ("GET /v1/clients/{client}/accounts", Viewer),
        ("GET /v1/accounts/{account}", Viewer),
        ("GET /v1/clients/{client}/campaigns", Viewer),
        ("POST /v1/clients/{client}/campaigns", Operator),
        ("GET /v1/campaigns/{campaign}/rules", Viewer),
        ("PUT /v1/campaigns/{campaign}/rules", Operator),
        ("POST /v1/campaigns/{campaign}/clone", Operator),
        ("GET /v1/campaigns/{campaign}/leads", Viewer),
        ("GET /v1/campaigns/{campaign}/imports", Viewer),
        ("POST /v1/campaigns/{campaign}/imports", Operator),
        ("GET /v1/imports/{import}", Viewer),
        ("GET /v1/imports/{import}/notes", Viewer),
        ("POST /v1/imports/{import}/undo", Operator),
        ("GET /v1/campaigns/{campaign}/export", Viewer),
        ("GET /v1/campaigns/{campaign}/analytics", Viewer),
        ("GET /v1/clients/{client}/analytics", Viewer),
        ("GET /v1/campaigns/{campaign}/sheets", Viewer),
        ("POST /v1/campaigns/{campaign}/sheets", Operator),
        ("GET /v1/sheets/{sheet}", Viewer),
        ("POST /v1/sheets/{sheet}/refresh", Operator),
        ("PUT /v1/sheets/{sheet}", Operator),
        ("DELETE /v1/sheets/{sheet}", Operator),
        ("GET /v1/campaigns/{campaign}/leads.csv", Viewer),
        ("POST /v1/campaigns/{campaign}/status-link", Operator),
        ("GET /v1/events", Viewer),
        ("GET /v1/clients/{client}/subscribers", Admin),
        ("POST /v1/clients/{client}/subscribers", Admin),
        ("GET /v1/subscribers/{subscriber}", Admin),
        ("PUT /v1/subscribers/{subscriber}", Admin),
        ("DELETE /v1/subscribers/{subscriber}", Admin),
        ("POST /v1/subscribers/{subscriber}/enable", Admin),
        ("POST /v1/subscribers/{subscriber}/disable", Admin),
        ("POST /v1/subscribers/{subscriber}/rotate", Admin),
        ("POST /v1/subscribers/{subscriber}/ping", Admin),
        ("GET /v1/subscribers/{subscriber}/deliveries", Admin),
        ("POST /v1/subscribers/{subscriber}/redeliver", Admin),
        ("GET /v1/leads/{lead}", Viewer),
        ("POST /v1/leads/{lead}/orders", Operator),
        ("GET /v1/campaigns/{campaign}", Viewer),
        ("POST /v1/campaigns/{campaign}/start", Operator),
        ("POST /v1/campaigns/{campaign}/pause", Operator),
        ("POST /v1/campaigns/{campaign}/resume", Operator),
        ("POST /v1/campaigns/{campaign}/cancel", Operator),
        ("POST /v1/campaigns/{campaign}/leads", Operator),
        ("GET /v1/leads/{lead}/explanation", Viewer),
    ]
    .into();
    let mut world = World::new().await;
    let routes = routes(&world).await;
    assert_eq!(routes.len(), least.len(), "{routes:?}");
    for role in [Viewer, Operator, Admin] {
        let caller = key(&world, role, None).await;
        for (method, path) in &routes {
            let route = format!("{method} {path}");
            let things = Things::of(&world).await;
            let answer = caller.ask(method.clone(), &things.path(path), body(&route, &world)).await;
            // A campaign in draft cannot be paused or resumed; they were let in all the same.
            let let_in = answer.status.is_success()
                || [StatusCode::CONFLICT, StatusCode::PRECONDITION_REQUIRED].contains(&answer.status);
            let may = role >= least[route.as_str()];
            assert_eq!(let_in, may, "{route} as {}: {answer:?}", role.name());
            if !may {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route}");
            }
        }
    }
    world.settle().await;
}

#[tokio::test]
async fn what_belongs_to_another_client_does_not_exist() {
    let mut world = World::new().await;
    let things = Things::of(&world).await;
    let other = setup::create_client(&world.engine, "Another client").await.expect("a client");
    let caller = key(&world, Role::Admin, Some(other)).await;
    for (method, path) in routes(&world).await.into_iter().filter(|(_, path)| path.contains('{')) {
        let answer =
            caller.ask(method.clone(), &things.path(&path), body(&format!("{method} {path}"), &world)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {answer:?}");
        let nowhere = Things {
            client: ClientId(Uuid::new_v4()),
            account: AccountId(Uuid::new_v4()),
            campaign: CampaignId(Uuid::new_v4()),
            lead: LeadId(Uuid::new_v4()),
            key: Uuid::new_v4(),
            import: Uuid::new_v4(),
            sheet: Uuid::new_v4(),
            subscriber: Uuid::new_v4(),
        };
        let nothing =
            caller.ask(method.clone(), &nowhere.path(&path), body(&format!("{method} {path}"), &world)).await;
        let told = |answer: &Answer| answer.body["detail"].as_str().map(|text| text.len());
        assert_eq!((nothing.status, told(&nothing)), (answer.status, told(&answer)), "they look the same");
    }
    let clients = caller.get("/v1/clients").await.body;
    assert_eq!(clients["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(clients["items"][0]["id"], other.to_string());
    let listed = caller.get("/v1/keys").await.body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    // What it makes is its own client's, and it makes no clients.
    let made = caller.post("/v1/keys", json!({ "name": "ours", "role": "viewer" })).await;
    assert_eq!(made.body["client"], other.to_string());
    let theirs = json!({ "name": "theirs", "role": "viewer", "client": things.client });
    assert_eq!(caller.post("/v1/keys", theirs).await.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.post("/v1/clients", json!({ "name": "New" })).await.status, StatusCode::FORBIDDEN);
    world.settle().await;
}

#[tokio::test]
async fn a_key_is_told_once_and_works_until_it_is_replaced_or_revoked() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let made = admin.post("/v1/keys", json!({ "name": "dialler", "role": "operator" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let (id, token) = (made.body["id"].as_str().expect("an id"), made.body["token"].as_str().expect("a key"));
    assert!(token.ends_with(made.body["hint"].as_str().expect("a hint")));
    let stored =
        "select count(*) from api_keys k where position(convert_to('outdial_', 'UTF8') in k.hash) > 0
        or k::text like '%' || 'outdial_' || '%'";
    assert_eq!(world.count(stored).await, 0, "the key itself is not stored");
    let with = |token: &str| Caller { world: &world, token: Some(token.to_owned()) };
    assert_eq!(with(token).get("/v1/me").await.body["name"], "dialler");
    assert_eq!(world.count("select count(*) from api_keys where used_at is not null").await, 2);
    let rotated = admin.ask(Method::POST, &format!("/v1/keys/{id}/rotate"), None).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let new = rotated.body["token"].as_str().expect("a key");
    for token in [token, new] {
        assert_eq!(with(token).get("/v1/me").await.status, StatusCode::OK, "both work for a day");
    }
    let at_once = format!("/v1/keys/{}/rotate", rotated.body["id"].as_str().expect("an id"));
    let newest = admin.post(&at_once, json!({ "overlap_s": 0 })).await;
    assert_eq!(with(new).get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let revoke = format!("/v1/keys/{}/revoke", newest.body["id"].as_str().expect("an id"));
    assert_eq!(admin.ask(Method::POST, &revoke, None).await.status, StatusCode::OK);
    let newest = newest.body["token"].as_str().expect("a key");
    assert_eq!(with(newest).get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let again = admin.ask(Method::POST, &at_once, None).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    let audit = "select count(*) from audit where subject = 'key' and actor like 'key a key (…%'";
    assert_eq!(world.count(audit).await, 4);
    world.end().await;
}

#[tokio::test]
async fn leads_are_taken_one_by_one_or_many_at_once_and_again_without_harm() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/v1/campaigns/{campaign}/leads");
    let one = json!({ "phone": "+91 98765 00001", "name": "Asha", "attributes": { "flat": 7 } });
    let taken = caller.post(&path, one.clone()).await;
    assert_eq!((taken.status, &taken.body["duplicates"]), (StatusCode::CREATED, &json!(0)), "{taken:?}");
    let consent = json!({ "level": "express", "source": "a form" });
    let several = json!([one, { "phone": "+919876500002", "priority": "urgent", "consent": consent }]);
    let taken = caller.post(&path, several).await.body;
    assert_eq!((taken["leads"].as_array().map(Vec::len), &taken["duplicates"]), (Some(1), &json!(1)));
    assert_eq!(taken["consents"], 1);
    let started = caller.ask(Method::POST, &format!("/v1/campaigns/{campaign}/start"), None).await.body;
    assert_eq!((&started["state"], &started["changed"]), (&json!("running"), &json!(true)));
    world.all_finished().await;
    let status = caller.get(&format!("/v1/campaigns/{campaign}")).await.body;
    assert_eq!((&status["leads"], &status["finished"]), (&json!(2), &json!(2)), "{status}");
    let lead = taken["leads"][0].as_str().expect("a lead");
    let told = caller.get(&format!("/v1/leads/{lead}/explanation")).await.body;
    assert_eq!(told["state"], "finished", "{told}");
    world.settle().await;
}

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
    world.end().await;
}

#[tokio::test]
async fn a_request_under_an_idempotency_key_is_carried_out_once_and_answered_alike_each_time() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = |once: &'static str, name: &'static str| {
        let body = json!({ "name": name, "role": "viewer" });
        admin.ask_once(Method::POST, "/v1/keys", Some(body), Some(once))
    };
    let first = make("order 1", "dialler").await;
    assert_eq!((first.status, first.replayed), (StatusCode::CREATED, false));
    let again = make("order 1", "dialler").await;
    assert_eq!((again.status, again.replayed, &again.body), (StatusCode::CREATED, true, &first.body));
    assert_eq!(again.content_type, first.content_type);
    let another = make("order 1", "other").await;
    assert_eq!(another.body["errors"][0]["place"], "Idempotency-Key", "{another:?}");
    assert_ne!(make("order 2", "dialler").await.body["id"], first.body["id"]);
    // What was refused is refused again, and what another key asked is another matter.
    let nobody = make("order 3", " ").await;
    assert_eq!((nobody.status, nobody.replayed), (StatusCode::UNPROCESSABLE_ENTITY, false));
    let nobody = make("order 3", " ").await;
    assert_eq!((nobody.status, nobody.replayed), (StatusCode::UNPROCESSABLE_ENTITY, true));
    let other = key(&world, Role::Admin, None).await;
    let body = json!({ "name": "dialler", "role": "viewer" });
    let theirs = other.ask_once(Method::POST, "/v1/keys", Some(body), Some("order 1")).await;
    assert!(!theirs.replayed && theirs.body["id"] != first.body["id"]);
    // Kept, but not to be read by who reads the database.
    let readable = "select count(*) from idempotency_keys where position('outdial_'::bytea in answer) > 0";
    assert_eq!(world.count(readable).await, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_one_idempotency_key_that_come_at_once_are_carried_out_once() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = || {
        let body = json!({ "name": "A client of many askers" });
        admin.ask_once(Method::POST, "/v1/clients", Some(body), Some("one"))
    };
    let answers = join_all((0..16).map(|_| make())).await;
    for answer in &answers {
        let waits =
            answer.status == StatusCode::CONFLICT && answer.body["type"] == "urn:outdial:problem:under-way";
        assert!(waits || answer.status == StatusCode::CREATED, "{answer:?}");
    }
    assert_eq!(
        answers.iter().filter(|answer| answer.status == StatusCode::CREATED && !answer.replayed).count(),
        1
    );
    assert_eq!(make().await.status, StatusCode::CREATED);
    assert_eq!(world.count("select count(*) from clients where name like 'A client of%'").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_was_cut_off_while_it_was_carried_out_is_carried_out_after_a_minute() {
    let world = World::new().await;
    let admin = key(&world, Role::Admin, None).await;
    let make = || {
        let body = json!({ "name": "Late" });
        admin.ask_once(Method::POST, "/v1/clients", Some(body), Some("one"))
    };
    assert_eq!(make().await.status, StatusCode::CREATED);
    // As a process leaves it that is killed before it has written anything.
    world.run("delete from clients where name = 'Late'").await;
    world.run("update idempotency_keys set status = null, answer = null").await;
    assert_eq!(make().await.status, StatusCode::CONFLICT, "somebody may be at it");
    world.run("update idempotency_keys set began_at = began_at - interval '61 seconds'").await;
    let made = make().await;
    assert_eq!((made.status, made.replayed), (StatusCode::CREATED, false));
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_made_edited_on_the_revision_that_was_read_and_cloned() {
    let mut world = World::new().await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/clients/{}/campaigns", world.client);
    let rules = json!({ "caller_ids": ["+918040000000"], "calendar": "none" });
    let input = json!({ "name": "Spring", "account": world.account, "rules": rules });
    let made = caller.post(&list, input.clone()).await;
    assert_eq!((made.status, &made.body["state"]), (StatusCode::CREATED, &json!("draft")), "{made:?}");
    assert_eq!(caller.post(&list, input).await.status, StatusCode::CONFLICT, "the name is taken");
    let wrong = json!({ "name": "Summer", "account": world.account, "rules": { "ring_timeout": 3 } });
    let wrong = caller.post(&list, wrong).await;
    assert_eq!(wrong.body["errors"][0]["place"], "rules", "{wrong:?}");
    assert!(wrong.body["detail"].as_str().expect("a detail").contains("ring_timeout"), "{wrong:?}");
    let path = format!("/v1/campaigns/{}", made.body["id"].as_str().expect("an id"));
    let read = caller.get(&format!("{path}/rules")).await;
    assert_eq!((read.etag.as_deref(), &read.body["rules"]["ring_timeout_s"]), (Some("\"1\""), &json!(30)));
    let mut edited = read.body["rules"].clone();
    edited["ring_timeout_s"] = json!(45);
    let put = async |etag: Option<String>| {
        let if_match = etag.map(|etag| ("if-match", etag));
        caller.ask_with(Method::PUT, &format!("{path}/rules"), Some(edited.clone()), if_match).await
    };
    assert_eq!(put(None).await.status, StatusCode::PRECONDITION_REQUIRED);
    let done = put(read.etag.clone()).await;
    assert_eq!((done.status, &done.body["revision"]), (StatusCode::OK, &json!(2)), "{done:?}");
    assert_eq!(put(read.etag).await.status, StatusCode::PRECONDITION_FAILED, "it has revision 2 by now");
    assert_eq!(done.etag.as_deref(), Some("\"2\""));
    let clone = caller.post(&format!("{path}/clone"), json!({ "name": "Autumn" })).await;
    let its = format!("/v1/campaigns/{}/rules", clone.body["id"].as_str().expect("an id"));
    assert_eq!(caller.get(&its).await.body["rules"], edited);
    world.settle().await;
}

#[tokio::test]
async fn leads_are_listed_by_where_they_stand_and_ordered_about() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    // Those that come together are listed in any order, and always in the same.
    let mut leads = world.leads(campaign, &phones(1, 5)).await;
    leads.sort_unstable_by_key(|lead| lead.0);
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let order = |lead: LeadId, body: Value| {
        let path = format!("/v1/leads/{lead}/orders");
        let caller = &caller;
        async move { caller.post(&path, body).await }
    };
    let reason = json!({ "order": "cancel", "reason": "moved away" });
    let cancelled = order(leads[1], reason).await;
    assert_eq!(
        (&cancelled.body["deferred"], &cancelled.body["lead"]["state"]),
        (&json!(false), &json!("finished"))
    );
    assert_eq!(order(leads[3], json!({ "order": "pause" })).await.body["lead"]["state"], "held");
    let urgent = json!({ "order": "prioritise", "priority": "urgent" });
    assert_eq!(order(leads[0], urgent).await.body["lead"]["priority"], "urgent");
    let again = order(leads[1], json!({ "order": "pause" })).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    let when = order(leads[0], json!({ "order": "reschedule" })).await;
    assert_eq!(when.body["errors"][0]["place"], "at", "{when:?}");
    let listed = |query: &str| {
        let path = format!("/v1/campaigns/{campaign}/leads{query}");
        let caller = &caller;
        async move {
            let page = caller.get(&path).await.body;
            let ids = page["items"].as_array().expect("items").iter().map(|lead| lead["id"].clone());
            (ids.collect::<Vec<_>>(), page["next"].clone())
        }
    };
    let ids = |at: &[usize]| at.iter().map(|at| json!(leads[*at].to_string())).collect::<Vec<_>>();
    assert_eq!(listed("").await, (ids(&[0, 1, 2, 3, 4]), Value::Null));
    assert_eq!(listed("?state=waiting").await.0, ids(&[0, 2, 4]));
    let (first, next) = listed("?limit=2").await;
    assert_eq!(first, ids(&[0, 1]));
    let cursor = next.as_str().expect("more follow");
    assert_eq!(listed(&format!("?limit=2&cursor={cursor}")).await.0, ids(&[2, 3]));
    let told = caller.get(&format!("/v1/leads/{}", leads[3])).await.body;
    assert!(told["why"].as_str().expect("a reason").contains("key a key"), "{told}");
    let wrong = caller.get(&format!("/v1/campaigns/{campaign}/leads?outcome=great")).await;
    assert_eq!(wrong.body["errors"][0]["place"], "outcome", "{wrong:?}");
    world.settle().await;
}

#[tokio::test]
async fn a_campaign_whose_name_looks_like_anothers_id_is_not_taken_for_it() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let other = world.draft(json!({})).await;
    world.run(&format!("update campaigns set name = '{campaign}' where campaign_id = '{other}'")).await;
    let caller = key(&world, Role::Viewer, Some(world.client)).await;
    let read = caller.get(&format!("/v1/campaigns/{campaign}")).await;
    assert_eq!((read.status, &read.body["id"]), (StatusCode::OK, &json!(campaign.to_string())), "{read:?}");
    world.settle().await;
}
