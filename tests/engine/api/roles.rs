//! Who may do what.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use outdial_jobs::import::Options;
use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::sheets::{self, NewLink};
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::operations::{Part, recurring, setup, subscribers};
use outdial_jobs::store::recurring::Action;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::Command;
use outdial_workflows::playbook::shipped;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, BY, Caller, key};
use crate::support::world::World;

/// What the address of a route names: what of it there is in this world, or of what there is not.
struct Things(Vec<(&'static str, String)>);

impl Things {
    /// Things of this world, made anew: a route that was tried before may have used them up.
    async fn of(world: &World, route: &str) -> Self {
        let engine = &world.engine;
        let mut things = vec![
            ("{client}", world.client.to_string()),
            ("{account}", world.account.to_string()),
            ("{number}", NUMBER.to_owned()),
            ("{playbook}", "minimal".to_owned()),
            ("{kind}", "deliver.v1".to_owned()),
        ];
        let names = |thing: &str| route.contains(thing) || query(route).contains(thing);
        if ["{campaign}", "{schedule}", "{lead}", "{call}", "{attempt}"].into_iter().any(names) {
            let campaign = world.draft(json!({})).await;
            let lead = world.lead(campaign, "+919876500001").await;
            things.extend([("{campaign}", campaign.to_string()), ("{lead}", lead.to_string())]);
            things.push(("{call}", lead.to_string()));
            if names("{attempt}") {
                // As a reservation is that came to nothing.
                let row = format!(
                    "insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, ledger,
                        counts, barrier_version, dial_by, reserved_at, status)
                    values ('{}', '{lead}', 1, '{campaign}', 1, '{}', 'withdrawn', false, 0, now(), now(), 'scheduled')",
                    world.client, world.account
                );
                world.run(&row).await;
                let number = AttemptNumber::FIRST;
                let key = DialKey(AttemptRef { client: world.client, lead, number });
                things.push(("{attempt}", key.to_string()));
            }
            if names("{schedule}") {
                let (cron, zone) = ("0 30 9 * * Mon-Fri", "Asia/Kolkata");
                let added =
                    recurring::add(engine, world.client, campaign, cron, zone, Action::Start, BY).await;
                things.push(("{schedule}", added.expect("scheduled").id.to_string()));
            }
        }
        if names("{key}") {
            let client = Some(world.client);
            let spec = KeySpec { name: "spare", role: Role::Viewer, client, expires_at: None };
            let (key, _) = keys::create(engine, spec, BY).await.expect("a key");
            things.push(("{key}", key.id.to_string()));
        }
        if names("{suppression}") {
            let whose = Whose { client: world.client, campaign: None };
            let phones = ["+919876500009".parse().expect("a number")];
            suppressions::add(engine, whose, &phones, "a wish", None, BY).await.expect("suppressed");
            let listed = suppressions::list(engine, whose, None, Part::newest(1)).await.expect("listed");
            things.push(("{suppression}", listed[0].id.to_string()));
        }
        if names("{job}") {
            let job = Uuid::new_v4();
            let row = format!(
                "insert into jobs (client_id, job_id, kind, run_at, created_at)
                values ('{}', '{job}', 'end_campaign.v1', now(), now())",
                world.client
            );
            world.run(&row).await;
            things.push(("{job}", job.to_string()));
        }
        if names("{operation}") {
            let filter = Filter::default();
            let ordered = bulk::order(engine, world.client, &filter, Command::Pause, BY.actor, None).await;
            things.push(("{operation}", ordered.expect("ordered").id.to_string()));
        }
        if names("{import}") {
            let campaign = world.draft(json!({})).await;
            let (client, options) = (world.client, Options::default());
            let sent = Sent { client, campaign, name: "a file", options: &options, by: BY };
            let kept = imports::receive(engine, sent).await.expect("begun").finish().await;
            things.push(("{import}", kept.expect("kept").id.to_string()));
        }
        if names("{sheet}") {
            let campaign = world.draft(json!({})).await;
            let (client, link, options) = (world.client, link(), Options::default());
            let new = NewLink { client, campaign, link: &link, options: &options, times: None, by: BY };
            things.push(("{sheet}", sheets::link(engine, new).await.expect("linked").id.to_string()));
        }
        if names("{subscriber}") {
            let spec = subscribers::Spec { url: "https://example.com/".into(), ..Default::default() };
            let made = subscribers::create(engine, world.client, &spec, BY).await;
            things.push(("{subscriber}", made.expect("a subscriber").0.id.to_string()));
        }
        Self(things)
    }

    /// Ids of nothing.
    fn nowhere() -> Self {
        let id = |name| match name {
            "{number}" => NUMBER.to_owned(),
            "{attempt}" => {
                let (client, lead) = (ClientId(Uuid::new_v4()), LeadId(Uuid::new_v4()));
                DialKey(AttemptRef { client, lead, number: AttemptNumber::FIRST }).to_string()
            }
            _ => Uuid::new_v4().to_string(),
        };
        Self(NAMED.into_iter().map(|name| (name, id(name))).collect())
    }

    fn path(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}

/// What addresses name.
const NAMED: [&str; 17] = [
    "{client}",
    "{account}",
    "{number}",
    "{campaign}",
    "{schedule}",
    "{lead}",
    "{call}",
    "{attempt}",
    "{key}",
    "{suppression}",
    "{operation}",
    "{job}",
    "{import}",
    "{sheet}",
    "{subscriber}",
    "{playbook}",
    "{kind}",
];
const NUMBER: &str = "+918040000000";

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
        "POST /v1/campaigns/{campaign}/imports" | "POST /v1/clients/{client}/suppressions/import" => {
            Some(json!("phone\n+919876500003\n"))
        }
        "POST /v1/clients/{client}/playbooks" | "POST /v1/playbooks/check" => {
            Some(json!({ "text": shipped("minimal") }))
        }
        "POST /v1/campaigns/{campaign}/sheets" => Some(json!({ "link": link() })),
        "PUT /v1/sheets/{sheet}" => Some(json!({ "cron": "0 0 9 * * *" })),
        "POST /v1/campaigns/{campaign}/clone" => Some(json!({ "name": format!("Clone {}", Uuid::new_v4()) })),
        "POST /v1/campaigns/{campaign}/schedules" => {
            Some(json!({ "action": "start", "cron": "0 30 9 * * Mon-Fri" }))
        }
        "POST /v1/clients/{client}/calls" => Some(json!({
            "lead": { "phone": "+919876500004" }, "through": { "account": world.account.to_string() },
        })),
        "POST /v1/clients/{client}/calls/batch" => Some(json!({
            "name": format!("Batch {}", Uuid::new_v4()), "leads": [{ "phone": "+919876500004" }],
            "through": { "account": world.account.to_string() },
        })),
        "POST /v1/clients/{client}/calls/{call}/transfer" => Some(json!({ "to": "+14155550177" })),
        "POST /v1/attempts/{attempt}/outcome" => {
            Some(json!({ "outcome": "not_interested", "reason": "a test" }))
        }
        "PATCH /v1/leads/{lead}" => Some(json!({ "name": "Asha" })),
        "POST /v1/leads/{lead}/orders" => Some(json!({ "order": "cancel" })),
        "PUT /v1/campaigns/{campaign}/rules" => Some(json!({})),
        "POST /v1/clients/{client}/accounts" => Some(account(&format!("Account {}", Uuid::new_v4()))),
        "PUT /v1/accounts/{account}/credentials" => {
            Some(json!({ "untested": true, "credentials": account("x")["credentials"] }))
        }
        "PUT /v1/accounts/{account}/settings" => Some(json!({})),
        "PUT /v1/clients/{client}/limits"
        | "PUT /v1/accounts/{account}/limits"
        | "PUT /v1/accounts/{account}/numbers/{number}/limits" => Some(json!({ "limits": [] })),
        "POST /v1/clients/{client}/operations" => {
            Some(json!({ "filter": { "states": ["held"] }, "order": "resume" }))
        }
        "POST /v1/clients/{client}/suppressions" => Some(json!({ "phones": ["+919876500003"] })),
        "POST /v1/clients/{client}/consents" => {
            let consent = json!({ "level": "express", "source": "a form" });
            Some(json!({ "phone": "+919876500003", "consent": consent }))
        }
        "POST /v1/clients/{client}/consents/revoke" | "POST /v1/clients/{client}/erasures" => {
            Some(json!({ "phone": "+919876500003" }))
        }
        _ => None,
    }
}

/// An account as it is made, with credentials of nobody.
pub(super) fn account(name: &str) -> Value {
    json!({
        "name": name,
        "base_url": "https://carrier.example",
        "credentials": { "account_sid": "acct1", "api_key": "EXAMPLE-key", "api_token": "EXAMPLE-token" },
    })
}

/// What is asked for behind the question mark, where the route wants to be told.
fn query(route: &str) -> &'static str {
    match route {
        "GET /v1/clients/{client}/consents" | "GET /v1/clients/{client}/erasures" => "?phone=%2B919876500003",
        "GET /v1/calls" => "?campaign={campaign}",
        "GET /v1/campaigns/{campaign}/export" => "?of=leads",
        "GET /v1/events" => "?client={client}",
        "GET /v1/leads" => "?named=nobody",
        _ => "",
    }
}

/// Asks for a route with what it wants to be told.
async fn try_out(caller: &Caller<'_>, method: &Method, path: &str, things: &Things) -> Answer {
    let route = format!("{method} {path}");
    let address = things.path(&format!("{path}{}", query(&route)));
    caller.ask(method.clone(), &address, body(&route, caller.world)).await
}

/// Every route, as the API itself describes them.
async fn routes(world: &World) -> Vec<(Method, String)> {
    let document = Caller { world, token: None }.get("/v1/openapi.json").await;
    assert_eq!(document.status, StatusCode::OK);
    assert_eq!(document.body["openapi"], "3.1.0");
    let paths = document.body["paths"].as_object().expect("paths").clone();
    let each = paths.into_iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").clone();
        // What agents of calls do goes by the token of a call, and has tests of its own.
        let with_a_key = methods.into_iter().filter(|(_, operation)| operation.get("security").is_none());
        with_a_key.map(move |(method, _)| {
            (Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"), path.clone())
        })
    });
    each.collect()
}

#[tokio::test]
async fn every_route_wants_a_key_that_is_good() {
    let world = World::new().await;
    let expiring = {
        let expires_at = Some(world.database_time().await + TimeDelta::hours(1));
        let spec = KeySpec { name: "short", role: Role::Admin, client: None, expires_at };
        let (_, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
        world.run("update api_keys set expires_at = created_at where name = 'short'").await;
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
            let answer = try_out(&caller, &method, &path, &Things::nowhere()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.content_type, "application/problem+json");
            let detail = answer.body["detail"].as_str().expect("a detail");
            assert!(detail.contains(says), "{method} {path}: {detail}");
        }
    }
    world.end().await;
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
        ("POST /v1/clients/{client}/accounts", Admin),
        ("GET /v1/accounts/{account}", Viewer),
        ("GET /v1/clients/{client}/calls", Viewer),
        ("POST /v1/clients/{client}/calls", Operator),
        ("POST /v1/clients/{client}/calls/batch", Operator),
        ("GET /v1/clients/{client}/calls/{call}", Viewer),
        ("GET /v1/clients/{client}/calls/{call}/live", Viewer),
        ("POST /v1/clients/{client}/calls/{call}/listen", Operator),
        ("GET /v1/conversations", Viewer),
        ("GET /v1/clients/{client}/calls/{call}/recording", Viewer),
        ("POST /v1/clients/{client}/calls/{call}/cancel", Operator),
        ("POST /v1/clients/{client}/calls/{call}/transfer", Operator),
        ("POST /v1/accounts/{account}/test", Operator),
        ("PUT /v1/accounts/{account}/credentials", Admin),
        ("PUT /v1/accounts/{account}/settings", Admin),
        ("POST /v1/accounts/{account}/disable", Admin),
        ("POST /v1/accounts/{account}/enable", Admin),
        ("POST /v1/accounts/{account}/pause", Operator),
        ("POST /v1/accounts/{account}/resume", Operator),
        ("GET /v1/accounts/{account}/limits", Viewer),
        ("PUT /v1/accounts/{account}/limits", Admin),
        ("GET /v1/accounts/{account}/numbers", Viewer),
        ("GET /v1/accounts/{account}/numbers/{number}/limits", Viewer),
        ("PUT /v1/accounts/{account}/numbers/{number}/limits", Admin),
        ("POST /v1/clients/{client}/pause", Operator),
        ("POST /v1/clients/{client}/resume", Operator),
        ("GET /v1/clients/{client}/limits", Viewer),
        ("PUT /v1/clients/{client}/limits", Admin),
        ("GET /v1/clients/{client}/campaigns", Viewer),
        ("POST /v1/clients/{client}/campaigns", Operator),
        ("GET /v1/clients/{client}/playbooks", Viewer),
        ("POST /v1/clients/{client}/playbooks", Operator),
        ("GET /v1/clients/{client}/playbooks/{playbook}", Viewer),
        ("GET /v1/clients/{client}/playbooks/{playbook}/versions", Viewer),
        ("POST /v1/playbooks/check", Viewer),
        ("GET /v1/campaigns/{campaign}/rules", Viewer),
        ("PUT /v1/campaigns/{campaign}/rules", Operator),
        ("POST /v1/campaigns/{campaign}/clone", Operator),
        ("GET /v1/campaigns/{campaign}/revisions", Viewer),
        ("GET /v1/campaigns/{campaign}/preview", Viewer),
        ("POST /v1/campaigns/{campaign}/simulate", Viewer),
        ("GET /v1/campaigns/{campaign}/schedules", Viewer),
        ("POST /v1/campaigns/{campaign}/schedules", Operator),
        ("DELETE /v1/campaigns/{campaign}/schedules/{schedule}", Operator),
        ("DELETE /v1/schedules/{schedule}", Operator),
        ("GET /v1/campaigns/{campaign}/leads", Viewer),
        ("GET /v1/leads", Viewer),
        ("GET /v1/leads/{lead}", Viewer),
        ("PATCH /v1/leads/{lead}", Operator),
        ("POST /v1/leads/{lead}/orders", Operator),
        ("GET /v1/campaigns/{campaign}", Viewer),
        ("POST /v1/campaigns/{campaign}/start", Operator),
        ("POST /v1/campaigns/{campaign}/pause", Operator),
        ("POST /v1/campaigns/{campaign}/resume", Operator),
        ("POST /v1/campaigns/{campaign}/cancel", Operator),
        ("POST /v1/campaigns/{campaign}/leads", Operator),
        ("GET /v1/leads/{lead}/explanation", Viewer),
        ("GET /v1/leads/{lead}/attempts", Viewer),
        ("GET /v1/campaigns/{campaign}/attempts", Viewer),
        ("GET /v1/attempts/{attempt}", Viewer),
        ("POST /v1/attempts/{attempt}/outcome", Operator),
        ("GET /v1/calls", Viewer),
        ("GET /v1/clients/{client}/jobs", Viewer),
        ("GET /v1/clients/{client}/jobs/counts", Viewer),
        ("GET /v1/jobs/{job}", Viewer),
        ("GET /v1/job-kinds", Viewer),
        ("POST /v1/job-kinds/{kind}/pause", Admin),
        ("POST /v1/job-kinds/{kind}/resume", Admin),
        ("POST /v1/jobs/{job}/retry", Operator),
        ("POST /v1/jobs/{job}/discard", Admin),
        ("GET /v1/clients/{client}/audit", Viewer),
        ("GET /v1/audit", Viewer),
        ("GET /v1/clients/{client}/operations", Viewer),
        ("POST /v1/clients/{client}/operations", Operator),
        ("GET /v1/operations/{operation}", Viewer),
        ("POST /v1/operations/{operation}/cancel", Operator),
        ("GET /v1/clients/{client}/suppressions", Viewer),
        ("POST /v1/clients/{client}/suppressions", Operator),
        ("DELETE /v1/clients/{client}/suppressions/{suppression}", Operator),
        ("POST /v1/clients/{client}/suppressions/import", Operator),
        ("GET /v1/clients/{client}/consents", Viewer),
        ("POST /v1/clients/{client}/consents", Operator),
        ("POST /v1/clients/{client}/consents/revoke", Operator),
        ("GET /v1/clients/{client}/erasures", Viewer),
        ("POST /v1/clients/{client}/erasures", Admin),
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
    ]
    .into();
    let mut world = World::new().await;
    let routes = routes(&world).await;
    assert_eq!(routes.len(), least.len(), "{routes:?}");
    for role in [Viewer, Operator, Admin] {
        let caller = key(&world, role, None).await;
        for (method, path) in &routes {
            let route = format!("{method} {path}");
            let things = Things::of(&world, &route).await;
            let answer = try_out(&caller, method, path, &things).await;
            // A campaign in draft cannot be paused or resumed, and no call was recorded; they were let in all the same.
            let let_in = answer.status.is_success()
                || [StatusCode::CONFLICT, StatusCode::PRECONDITION_REQUIRED].contains(&answer.status)
                || (answer.status == StatusCode::NOT_FOUND && path.ends_with("/recording"));
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
    let other = setup::create_client(&world.engine, "Another client").await.expect("a client");
    let caller = key(&world, Role::Admin, Some(other)).await;
    for (method, path) in routes(&world).await {
        let route = format!("{method} {path}");
        if !path.contains('{') && !query(&route).contains('{') {
            continue;
        }
        let answer = try_out(&caller, &method, &path, &Things::of(&world, &route).await).await;
        // Kinds of jobs are everybody's, and no single client's to pause.
        let refused = if path.contains("{kind}") { StatusCode::FORBIDDEN } else { StatusCode::NOT_FOUND };
        assert_eq!(answer.status, refused, "{method} {path}: {answer:?}");
        let nothing = try_out(&caller, &method, &path, &Things::nowhere()).await;
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
    let theirs = json!({ "name": "theirs", "role": "viewer", "client": world.client });
    assert_eq!(caller.post("/v1/keys", theirs).await.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.post("/v1/clients", json!({ "name": "New" })).await.status, StatusCode::FORBIDDEN);
    world.settle().await;
}
