//! The world is told what happened: subscribers, deliveries, streams.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use futures_util::StreamExt;
use outdial_jobs::events::{SigningSecret, sign};
use outdial_jobs::import::Options;
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::subscribers::{self, Change, DeliveryState, Spec, Which};
use outdial_jobs::operations::{By, recurring};
use outdial_jobs::providers::http_client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::world::{World, phones, soon, until};

const BY: By<'static> = By { actor: "a test", reason: None };

/// A subscriber's own server: it notes what it is sent, and answers as it is told.
#[derive(Clone, Default)]
struct Hook {
    taken: Arc<Mutex<Vec<Taken>>>,
    /// What it answers next; 200 when there is no more.
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// What it answers to events of some leads.
    to_leads: Arc<Mutex<BTreeMap<String, u16>>>,
    /// Whether it is out of order.
    is_down: Arc<Mutex<bool>>,
    /// Whether it keeps everybody waiting.
    stalls: Arc<Mutex<bool>>,
}

#[derive(Clone, Debug)]
struct Taken {
    headers: HeaderMap,
    bytes: Bytes,
    body: Value,
    answered: u16,
}

impl Taken {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn told(&self) -> (String, i64, String) {
        let data = &self.body["data"];
        let lead = data["lead"]["id"].as_str().unwrap_or_default().to_owned();
        let kind = self.body["type"].as_str().expect("a type").to_owned();
        (lead, data["sequence"].as_i64().unwrap_or_default(), kind)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hook {
    /// Serves for as long as the test runs; gives its address.
    async fn open() -> (Self, String) {
        let hook = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let router = Router::new().route("/hook", post(Self::take)).with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (hook, url)
    }

    async fn take(State(hook): State<Self>, headers: HeaderMap, bytes: Bytes) -> StatusCode {
        if *lock(&hook.stalls) {
            std::future::pending::<()>().await;
        }
        let body: Value = serde_json::from_slice(&bytes).expect("JSON");
        let lead = body["data"]["lead"]["id"].as_str().unwrap_or_default().to_owned();
        let of_lead = lock(&hook.to_leads).get(&lead).copied().or(lock(&hook.is_down).then_some(503));
        let answered = of_lead.or_else(|| lock(&hook.answers).pop_front()).unwrap_or(200);
        lock(&hook.taken).push(Taken { headers, bytes, body, answered });
        StatusCode::from_u16(answered).expect("a status")
    }

    /// What it took, in the order in which it came.
    fn took(&self) -> Vec<Taken> {
        lock(&self.taken).iter().filter(|taken| taken.answered < 300).cloned().collect()
    }

    fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        lock(&self.answers).extend(statuses);
    }
}

async fn subscribe(world: &World, url: &str, types: &[&str]) -> (Uuid, SecretString) {
    let types = types.iter().map(|&kind| kind.to_owned()).collect();
    let spec = Spec { url: url.to_owned(), types, ..Spec::default() };
    let (made, secret) = subscribers::create(&world.engine, world.client, &spec, BY).await.expect("made");
    (made.id, secret)
}

/// How many events of leads and campaigns the world is told of.
async fn to_be_told(world: &World) -> i64 {
    let internal =
        ["reserved", "withdrawn", "asked", "job_quarantined"].map(|name| format!("'{name}'")).join(", ");
    let told = format!(
        "select count(*) from workflow_events e, jsonb_array_elements(e.events) as one
        where one->>'event' not in ({internal})
            and not (one->>'event' = 'progressed' and one->>'status' not in ('ringing', 'connected'))"
    );
    world.count(&told).await + world.count("select count(*) from journal where campaign_id is not null").await
}

async fn nothing_waits(world: &World) {
    until("every event to be taken", async || {
        world.count("select count(*) from deliveries where state = 'waiting'").await == 0
            && world.count("select count(*) from jobs").await == 0
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_is_told_everything_once_in_order_and_can_tell_that_it_is_us() {
    let world = World::working().await;
    let (hook, url) = Hook::open().await;
    let (_, secret) = subscribe(&world, &url, &[]).await;
    let (only, theirs) = Hook::open().await;
    subscribe(&world, &theirs, &["lead.finished"]).await;
    let campaign = world.campaign(json!({})).await;
    world.leads(campaign, &phones(1, 30)).await;
    world.all_finished().await;
    let expected = usize::try_from(to_be_told(&world).await).expect("in range");
    until("all to be told", async || hook.took().len() >= expected).await;
    nothing_waits(&world).await;
    let took = hook.took();
    assert_eq!(took.len(), expected, "each once");
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for taken in took.iter().filter(|taken| !taken.body["data"]["lead"].is_null()) {
        let (lead, sequence, _) = taken.told();
        assert!(last.insert(lead.clone(), sequence).is_none_or(|before| before < sequence), "in order");
        assert_eq!(taken.header("webhook-id"), format!("{lead}.{sequence}"));
        assert!(taken.body["data"]["lead"]["phone"].as_str().is_some_and(|phone| phone.starts_with('+')));
        // As a subscriber's library checks it.
        let text = secret.expose_secret().strip_prefix("whsec_").expect("as the specification has it");
        let secret = SigningSecret::of(STANDARD.decode(text).expect("base64"));
        let timestamp = taken.header("webhook-timestamp").parse().expect("seconds");
        let signed = sign(&secret, taken.header("webhook-id"), timestamp, &taken.bytes);
        assert_eq!(taken.header("webhook-signature"), signed);
    }
    assert_eq!(last.len(), 30);
    let kinds = only.took().iter().map(|taken| taken.told().2).collect::<Vec<_>>();
    assert_eq!(kinds, vec!["lead.finished"; 30]);
    world.end().await;
}

#[tokio::test]
async fn an_event_that_is_not_taken_holds_up_its_lead_and_nobody_else() {
    let world = World::working().await;
    let (hook, url) = Hook::open().await;
    let (id, _) = subscribe(&world, &url, &[]).await;
    let campaign = world.draft(json!({})).await;
    let leads = world.leads(campaign, &phones(1, 10)).await;
    until("all to be told of", async || hook.took().len() == 10).await;
    let bad = leads[3].to_string();
    lock(&hook.to_leads).insert(bad.clone(), 500);
    world.order(campaign, Order::Start).await;
    world.all_finished().await;
    let others = "select count(*) from deliveries where state = 'waiting' and lead_id <> (
        select lead_id from deliveries where last_status = 500 limit 1)";
    until("the others to be told", async || {
        world.count("select count(*) from deliveries where last_status = 500").await == 1
            && world.count(others).await == 0
    })
    .await;
    let refused: BTreeSet<(String, i64)> = lock(&hook.taken)
        .iter()
        .filter(|taken| taken.answered == 500)
        .map(|taken| (taken.told().0, taken.told().1))
        .collect();
    assert_eq!(refused.len(), 1, "its next event was tried, and no later one: {refused:?}");
    // Once it is taken, the rest follows in order.
    lock(&hook.to_leads).clear();
    world.run("update deliveries set next_at = clock_timestamp() where state = 'waiting'").await;
    subscribers::change(&world.engine, id, &Change::Enable, BY).await.expect("it is woken");
    nothing_waits(&world).await;
    let its: Vec<i64> =
        hook.took().iter().map(Taken::told).filter(|told| told.0 == bad).map(|told| told.1).collect();
    assert!(its.len() > 3 && its.is_sorted(), "{its:?}");
    world.end().await;
}

#[tokio::test]
async fn a_subscriber_that_is_down_loses_nothing_and_one_that_stalls_holds_up_no_other() {
    let world = World::working().await;
    let (down, url) = Hook::open().await;
    *lock(&down.is_down) = true;
    let (id, _) = subscribe(&world, &url, &[]).await;
    let (stalling, stalled_url) = Hook::open().await;
    *lock(&stalling.stalls) = true;
    subscribe(&world, &stalled_url, &[]).await;
    let (well, well_url) = Hook::open().await;
    subscribe(&world, &well_url, &[]).await;
    let campaign = world.campaign(json!({})).await;
    world.leads(campaign, &phones(1, 20)).await;
    world.all_finished().await;
    let expected = usize::try_from(to_be_told(&world).await).expect("in range");
    until("the one that is well to be told everything", async || well.took().len() == expected).await;
    until("the one that is down to rest", async || {
        let resting = "select count(*) from subscribers where resting_until > clock_timestamp()";
        world.count(resting).await == 1
    })
    .await;
    let tried = lock(&down.taken).len();
    assert!((5..=12).contains(&tried), "five, and what was under way with them: {tried}");
    // It is back, as after its rest.
    *lock(&down.is_down) = false;
    world.run("update deliveries set next_at = clock_timestamp() where state = 'waiting'").await;
    subscribers::change(&world.engine, id, &Change::Enable, BY).await.expect("it is woken");
    until("it to be told everything", async || down.took().len() == expected).await;
    let healthy = subscribers::find(&world.engine, id).await.expect("it is there").health;
    assert_eq!((healthy.failures, healthy.resting_until), (0, None));
    drop(stalling);
    let stalls: Vec<_> = subscribers::list(&world.engine, world.client).await.expect("listed");
    let stalled = stalls.iter().find(|one| one.url == stalled_url).expect("it is there").id;
    subscribers::delete(&world.engine, stalled, BY).await.expect("deleted");
    nothing_waits_but(&world, i64::try_from(expected).expect("in range")).await;
    world.end().await;
}

#[tokio::test]
async fn a_subscriber_that_took_nothing_for_a_day_or_is_gone_is_disabled_and_the_others_are_told() {
    let world = World::working().await;
    let (gone, url) = Hook::open().await;
    gone.answer([410]);
    let (id, _) = subscribe(&world, &url, &["lead.accepted"]).await;
    let (other, other_url) = Hook::open().await;
    subscribe(&world, &other_url, &["subscriber.disabled"]).await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &phones(1, 1)).await;
    until("the other to be told", async || other.took().len() == 1).await;
    assert_eq!(other.took()[0].body["data"]["subscriber"], id.to_string());
    let disabled = subscribers::find(&world.engine, id).await.expect("it is there").disabled_for;
    assert!(disabled.is_some_and(|why| why.contains("410")));
    assert_eq!(
        world.count("select count(*) from audit where subject = 'subscriber' and action = 'disable'").await,
        1
    );
    // What happens meanwhile waits, and is told once it is enabled.
    world.leads(campaign, &phones(10, 2)).await;
    until("it to wait", async || {
        world.count("select count(*) from deliveries where state = 'waiting'").await == 3
    })
    .await;
    assert_eq!(lock(&gone.taken).len(), 1);
    world.run("update deliveries set next_at = clock_timestamp() where state = 'waiting'").await;
    subscribers::change(&world.engine, id, &Change::Enable, BY).await.expect("enabled");
    until("it to be told", async || gone.took().len() == 3).await;
    // Failing for a day disables it, too.
    gone.answer([500, 500]);
    subscribers::ping(&world.engine, id, BY).await.expect("a ping");
    until("it to have failed", async || {
        world.count("select count(*) from subscribers where failures = 1").await == 1
    })
    .await;
    world.run("update subscribers set failing_since = failing_since - interval '1 day', resting_until = null where failures > 0").await;
    world.run("update deliveries set next_at = clock_timestamp() where state = 'waiting'").await;
    world.run("update jobs set run_at = clock_timestamp()").await;
    until("it to be disabled", async || {
        world
            .count("select count(*) from subscribers where disabled_for like 'it took nothing for 24%'")
            .await
            == 1
    })
    .await;
    nothing_waits_but(&world, 1).await;
    world.end().await;
}

async fn nothing_waits_but(world: &World, count: i64) {
    until("the rest to be taken", async || {
        world.count("select count(*) from deliveries where state = 'waiting'").await == count
            && world.count("select count(*) from jobs").await == 0
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_listed_and_sent_anew_and_a_secret_is_changed_without_a_gap() {
    let world = World::working().await;
    let (hook, url) = Hook::open().await;
    let (id, old) = subscribe(&world, &url, &["lead.accepted"]).await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &phones(1, 3)).await;
    until("all to be told", async || hook.took().len() == 3).await;
    nothing_waits(&world).await;
    let listed = subscribers::deliveries(&world.engine, id, Some(DeliveryState::Delivered), None, 10).await;
    let listed = listed.expect("listed");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|delivery| (delivery.tries, delivery.last_status) == (1, Some(200))));
    let (_, new) = subscribers::rotate(&world.engine, id, BY).await.expect("rotated");
    assert_ne!(old.expose_secret(), new.expose_secret());
    let again = subscribers::redeliver(&world.engine, id, Which::One(listed[0].id), BY).await;
    assert_eq!(again.expect("sent anew"), 1);
    until("it to be told again", async || hook.took().len() == 4).await;
    let again = hook.took().pop().expect("the last");
    assert_eq!(again.header("webhook-id"), listed[0].new.event, "under the same id");
    assert_eq!(again.header("webhook-signature").split(' ').count(), 2, "signed with both");
    let since = listed.iter().map(|delivery| delivery.new.at).min().expect("three");
    let nothing = subscribers::redeliver(&world.engine, id, Which::FailedSince(since), BY).await;
    assert_eq!(nothing.expect("none failed"), 0);
    let all = subscribers::redeliver(&world.engine, id, Which::AllSince(since), BY).await;
    assert_eq!(all.expect("sent anew"), 3);
    nothing_waits(&world).await;
    assert_eq!(hook.took().len(), 7);
    assert!(subscribers::redeliver(&world.engine, id, Which::One(999_999), BY).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused() {
    let world = World::new().await;
    for url in [
        "https://10.0.0.1/",
        "http://example.com/",
        "https://[fd00::1]/",
        "nonsense",
        "https://169.254.169.254/",
    ] {
        let spec = Spec { url: url.into(), ..Spec::default() };
        let refused = subscribers::create(&world.engine, world.client, &spec, BY).await;
        let problem = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(problem.starts_with("url: "), "{url}: {problem}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_happens_to_a_campaign_is_told_to_whoever_chose_it_under_one_id() {
    let world = World::working().await;
    let (everything, url) = Hook::open().await;
    subscribe(&world, &url, &["campaign.*", "import.finished"]).await;
    let (campaign, another) = (world.draft(json!({})).await, world.draft(json!({})).await);
    let (chosen, its_url) = Hook::open().await;
    let spec = Spec { url: its_url, campaigns: vec![campaign], ..Spec::default() };
    subscribers::create(&world.engine, world.client, &spec, BY).await.expect("made");
    world.order(another, Order::Start).await;
    let (client, engine) = (world.client, &world.engine);
    let order = async |order, until| {
        campaigns::order_until(engine, client, campaign, order, "a person", Some("lunch"), until)
            .await
            .expect("ordered")
    };
    for (what, until) in [
        (Order::Start, None),
        // What changes nothing is not told.
        (Order::Start, None),
        (Order::Pause, None),
        (Order::Resume, None),
    ] {
        order(what, until).await;
    }
    let end = world.database_time().await + TimeDelta::milliseconds(200);
    order(Order::Pause, Some(end)).await;
    until("the pause to be over", async || world.database_time().await > end).await;
    recurring::carry_out_due(engine, world.database_time().await).await.expect("looked");
    let file = "phone\n+919876500001\n12\n+919876500001\n";
    let options = Options::default();
    let sent = Sent { client, campaign, name: "leads.csv", options: &options, by: BY };
    let mut receiving = imports::receive(engine, sent).await.expect("begun");
    receiving.push(file.as_bytes()).await.expect("kept");
    let import = receiving.finish().await.expect("received");
    until("the file to be taken in", async || {
        everything.took().iter().any(|taken| taken.told().2 == "import.finished")
    })
    .await;
    order(Order::Cancel, None).await;
    until("the end to be told", async || {
        everything.took().iter().any(|taken| taken.told().2 == "campaign.ended")
    })
    .await;
    nothing_waits(&world).await;
    let of_campaign = |hook: &Hook| -> Vec<Taken> {
        let mut took = hook.took();
        took.retain(|taken| taken.body["data"]["lead"].is_null());
        took.sort_by_key(|taken| taken.body["timestamp"].to_string());
        took
    };
    let told: Vec<Taken> = of_campaign(&everything);
    let its: Vec<Taken> = of_campaign(&chosen);
    assert_eq!(told.len(), its.len() + 1, "the other's start");
    let types: Vec<String> = its.iter().map(|taken| taken.told().2).collect();
    let expected =
        ["started", "paused", "resumed", "paused", "resumed"].map(|what| format!("campaign.{what}"));
    assert_eq!(types[..5], expected);
    assert_eq!(types[5..], ["import.finished", "campaign.ended"]);
    for taken in &its {
        let data = &taken.body["data"];
        assert_eq!(data["campaign"], json!(campaign), "{data}");
        assert_eq!(taken.header("webhook-id"), data["event"].as_str().expect("an id"));
        let same = told.iter().filter(|other| other.body["data"]["event"] == data["event"]).count();
        assert_eq!(same, 1, "it has one id, whoever is told");
    }
    let data = |at: usize| &its[at].body["data"];
    assert_eq!((&data(0)["actor"], &data(0)["reason"]), (&json!("a person"), &json!("lunch")));
    assert!(data(1).get("resume_at").is_none() && data(3)["resume_at"].is_string(), "{}", data(3));
    assert_eq!(data(4)["actor"], "outdial", "its pause ended by itself");
    let counts = ["rows", "accepted", "duplicates", "problems"].map(|name| data(5)[name].as_i64());
    assert_eq!(counts, [Some(3), Some(1), Some(1), Some(1)], "{}", data(5));
    assert_eq!(data(5)["import"], json!(import.id));
    let spec = KeySpec { name: "a key", role: Role::Viewer, client: Some(client), expires_at: None };
    let (_, token) = keys::create(engine, spec, BY).await.expect("a key");
    let query = format!("?after=0-0-0&campaign={campaign}&types=campaign.*,import.finished");
    let streamed = read(open(&world, token.expose_secret(), &query, None).await, its.len()).await;
    let bodies: Vec<&Value> = streamed.iter().map(|(_, _, body)| body).collect();
    assert_eq!(bodies, its.iter().map(|taken| &taken.body).collect::<Vec<_>>());
    let query = query.replace("after=0-0-0&", "");
    let behind = open(&world, token.expose_secret(), &query, Some(&streamed[2].0)).await;
    assert_eq!(read(behind, its.len() - 3).await, streamed[3..]);
    world.end().await;
}

/// Opens a stream: what happens from now on is on it.
async fn open(world: &World, token: &str, query: &str, last: Option<&str>) -> reqwest::Response {
    let client = http_client().expect("a client");
    let mut request =
        client.get(world.address("/v1/events").join(query).expect("an address")).bearer_auth(token);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response
}

/// Reads a stream until `enough` events have come: their ids, types and data.
async fn read(stream: reqwest::Response, enough: usize) -> Vec<(String, String, Value)> {
    let mut bytes = stream.bytes_stream();
    let mut text = String::new();
    let reading = async {
        loop {
            let events: Vec<_> = text.split("\n\n").filter_map(parsed).collect();
            if events.len() >= enough {
                return events;
            }
            let piece = bytes.next().await.expect("more").expect("bytes");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    soon("the events", reading).await
}

fn parsed(block: &str) -> Option<(String, String, Value)> {
    let field = |name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    Some((field("id:")?, field("event:")?, serde_json::from_str(&field("data:")?).ok()?))
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_goes_on_behind_any_event() {
    let world = World::working().await;
    let spec = KeySpec { name: "a key", role: Role::Viewer, client: Some(world.client), expires_at: None };
    let (_, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
    let token = token.expose_secret();
    let campaign = world.campaign(json!({})).await;
    let from_now = open(&world, token, "?types=lead.finished", None).await;
    world.leads(campaign, &phones(1, 5)).await;
    world.all_finished().await;
    let from_now = read(from_now, 5).await;
    assert!(
        from_now.iter().all(|(_, kind, data)| kind == "lead.finished" && data["type"] == "lead.finished")
    );
    // From the beginning of the journal: all of it, and then behind each event the rest.
    let told = usize::try_from(to_be_told(&world).await).expect("in range");
    let all = read(open(&world, token, "?after=0-0-0", None).await, told).await;
    assert_eq!(all.len(), told);
    for at in [0, 1, told / 2, told - 2] {
        let rest = read(open(&world, token, "?", Some(&all[at].0)).await, told - at - 1).await;
        assert_eq!(rest, all[at + 1..], "behind event {at}");
    }
    let mut sequences: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (_, _, data) in &all {
        let Some(lead) = data["data"]["lead"]["id"].as_str() else { continue };
        sequences.entry(lead).or_default().push(data["data"]["sequence"].as_i64().expect("a place"));
    }
    assert!(sequences.values().all(|its| its.is_sorted()), "{sequences:?}");
    world.end().await;
}
