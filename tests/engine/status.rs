//! How leads stand, read back as CSV.

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::status::PAGE;
use outdial_jobs::providers::http_client;
use outdial_jobs::store;
use outdial_workflows::ids::LeadId;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::world::{World, phones};

async fn token(world: &World) -> String {
    let spec = KeySpec { name: "a key", role: Role::Operator, client: Some(world.client), expires_at: None };
    let by = By { actor: "a test", reason: None };
    keys::create(&world.engine, spec, by).await.expect("a key").1.expose_secret().to_owned()
}

/// A CSV under an address: its header, and its rows.
async fn csv(world: &World, path: &str, token: Option<&str>) -> (Vec<String>, Vec<Vec<String>>) {
    let mut request = http_client().expect("a client").get(world.address(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let body = response.bytes().await.expect("all of it");
    let mut reader = csv::Reader::from_reader(&body[..]);
    let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let head = fields(reader.headers().expect("a header"));
    (head, reader.records().map(|record| fields(&record.expect("a record"))).collect())
}

fn named(phone: &str, name: &str, external_id: &str) -> LeadSpec {
    LeadSpec {
        name: Some(name.to_owned()),
        external_id: Some(external_id.to_owned()),
        ..LeadSpec::new(phone.parse().expect("a number"))
    }
}

#[tokio::test]
async fn how_each_lead_stands_is_read_back_and_nothing_in_it_is_a_formula() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    world.carrier.script("+919876500001", [Scenario::answered(std::time::Duration::from_secs(20))]);
    let specs = [
        named("+919876500001", "Asha, \"the first\"\nRao", "row 2"),
        named("+919876500002", "=HYPERLINK(\"https://example.com\")", "-3"),
    ];
    leads::accept(&world.engine, world.client, campaign, &specs[..1]).await.expect("accepted");
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    world.order(campaign, Order::Pause).await;
    leads::accept(&world.engine, world.client, campaign, &specs[1..]).await.expect("accepted");
    let token = token(&world).await;
    let (head, rows) = csv(&world, &format!("/v1/campaigns/{campaign}/leads.csv"), Some(&token)).await;
    assert_eq!(
        head.join(" "),
        "external_id phone name state outcome attempts last_result next_at why updated"
    );
    let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        first[..8],
        [
            "row 2",
            "+919876500001",
            "Asha, \"the first\"\nRao",
            "finished",
            "successful",
            "1",
            "successful",
            ""
        ]
    );
    assert_eq!(
        second[..7],
        ["'-3", "+919876500002", "'=HYPERLINK(\"https://example.com\")", "waiting", "", "0", ""]
    );
    assert_eq!(second[8], "accepted, and due");
    for time in [&second[7], &first[9], &second[9]] {
        assert!(time.ends_with('Z') && time.len() == 20, "{time}");
    }
    world.settle().await;
}

#[tokio::test]
async fn a_link_gives_a_spreadsheet_a_little_of_it_without_a_key() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.lead(campaign, "+919876500001").await;
    let token = token(&world).await;
    let path = format!("/v1/campaigns/{campaign}/status-link");
    let request = http_client().expect("a client").post(world.address(&path)).bearer_auth(&token);
    let link: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let url = link["url"].as_str().expect("an address");
    assert_eq!(link["formula"], format!("=IMPORTDATA(\"{url}\")"));
    let path = url.strip_prefix(world.public_url().as_str().trim_end_matches('/')).expect("ours");
    let (head, rows) = csv(&world, path, None).await;
    assert_eq!(head, ["external_id", "phone", "state", "outcome"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][1..], ["+919876500001", "waiting", ""]);
    let told = ["--public-url", "https://calls.example.com"];
    let campaign_text = campaign.to_string();
    let (told, _) = world.says(&[&["campaign", "status-link", &campaign_text], &told[..]].concat()).await;
    assert_eq!(told["url"], format!("https://calls.example.com{path}"));
    // Nothing tells a wrong secret from a campaign that is not there.
    let other = world.draft(json!({})).await.to_string();
    let nobody = Uuid::new_v4().to_string();
    let secret = path.rsplit('/').next().expect("a secret");
    for wrong in [
        path.replace(secret, &format!("{}.csv", "0".repeat(32))),
        path.replace(&campaign_text, &other),
        path.replace(&campaign_text, &nobody),
        path.replace(".csv", ""),
    ] {
        let answer = http_client().expect("a client").get(world.address(&wrong)).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{wrong}");
        let told: Value = answer.json().await.expect("JSON");
        assert_eq!(told["detail"], "there is nothing at this address");
    }
    world.settle().await;
}

#[tokio::test]
async fn many_leads_come_page_by_page_each_once_and_no_other_campaigns() {
    let mut world = World::new().await;
    let (campaign, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    let page = u32::try_from(PAGE).expect("in range");
    let specs: Vec<LeadSpec> =
        phones(1, 2 * page).iter().map(|phone| LeadSpec::new(phone.parse().expect("a number"))).collect();
    for some in specs.chunks(leads::PAGE) {
        leads::accept(&world.engine, world.client, campaign, some).await.expect("accepted");
    }
    world.lead(other, "+919876500001").await;
    let token = token(&world).await;
    let (_, rows) = csv(&world, &format!("/v1/campaigns/{campaign}/leads.csv"), Some(&token)).await;
    let mut numbers: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((rows.len(), numbers.len()), (specs.len(), specs.len()));
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let nobody = LeadId(Uuid::nil());
    let one = store::leads::standing(&mut conn, world.client, other, nobody, PAGE).await.expect("read");
    assert_eq!(one.len(), 1);
    world.settle().await;
}
