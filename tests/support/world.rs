//! The real thing in small: a database, an emulated carrier, engines, workers, and a
//! server that the carrier reaches.

#![allow(dead_code, reason = "each test file uses some of this")]

use std::future::Future;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outdial::http::{self, Access, Api};
use outdial_emulators::exotel::{self as emulated, Exotel, Scenario};
use outdial_jobs::clock::{Clock, DatabaseClock, SetClock};
use outdial_jobs::engine::{Engine, Parts};
use outdial_jobs::events::Courier;
use outdial_jobs::node::{self, Node, Process};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::exotel::{Credentials, Exotel as Adapter, Settings};
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use outdial_jobs::worker::{Kinds, Worker};
use outdial_jobs::{store, sweeps};
use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LeadId, NodeId};
use outdial_workflows::input::{self, Answer};
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::limits::Limit;
use outdial_workflows::workflow::State;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;

use super::cluster::{TestDb, as_in_service};

/// How many nominal seconds the emulator makes of one.
pub(crate) const SPEED: f64 = 100.0;

/// No condition that a test waits for takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a world is like.
pub(crate) struct Setup {
    pub(crate) carrier: emulated::Config,
    pub(crate) settings: Settings,
    pub(crate) limits: Vec<Limit>,
    /// The token that we have for the carrier; its own is `token1`.
    pub(crate) token: &'static str,
    /// A test's own clock; without one, the database's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    /// How its API may be used.
    pub(crate) access: Access,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            carrier: emulated::Config {
                speed: SPEED,
                limits: emulated::Limits { calls_per_minute: None, ..emulated::Limits::default() },
                ..emulated::Config::default()
            },
            settings: settings(),
            limits: vec![],
            token: "token1",
            clock: None,
            // Tests ask as often as they need to see what happened.
            access: Access { requests_per_minute: None, ..Access::default() },
        }
    }
}

impl Setup {
    /// A clock that stands still until somebody moves it on.
    pub(crate) fn clock_at(text: &str) -> Arc<SetClock> {
        Arc::new(SetClock::at(text.parse().expect("a time")))
    }
}

/// What takes minutes with people takes fractions of a second here.
pub(crate) fn settings() -> Settings {
    Settings {
        request_timeout_ms: 300,
        silence_ms: 2_400,
        ask_first_ms: 50,
        poll_first_ms: 600,
        ask_cap_ms: 600,
        absent_after_ms: Some(900),
        reads_per_minute: 199,
        ..Settings::default()
    }
}

/// Database, carrier, client and account, and an engine over them.
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) carrier: Exotel,
    pub(crate) engine: Engine,
    pub(crate) client: ClientId,
    pub(crate) account: AccountId,
    key: String,
    clock: Arc<dyn Clock>,
    public_url: Url,
    http: JoinHandle<anyhow::Result<()>>,
    workers: Vec<Worker>,
    ended: bool,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// A world in which a worker works.
    pub(crate) async fn working() -> Self {
        let mut world = Self::new().await;
        world.work().await;
        world
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let db = TestDb::new().await;
        let carrier = Exotel::start(setup.carrier).await.expect("the carrier starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let public_url = Url::parse(&format!("http://{address}")).expect("a URL");
        let key = SealKey::generate();
        let clock = setup.clock.unwrap_or_else(|| Arc::new(DatabaseClock));
        let engine = engine(&db, &key, &clock, &public_url).await;
        sweeps::prepare(&engine).await.expect("schedules and partitions are made");
        let api = Api::with(engine.clone(), setup.access).expect("an API");
        let http = tokio::spawn(http::serve(listener, api, std::future::pending()));
        let client = setup::create_client(&engine, "A client").await.expect("a client");
        let who = emulated::Account::default();
        let base_url = Url::parse(carrier.base_url()).expect("a URL");
        let credentials = Credentials {
            account_sid: who.sid,
            api_key: who.api_key,
            api_token: setup.token.to_owned().into(),
        };
        let spec = AccountSpec {
            limits: setup.limits,
            without_default_limits: true,
            ..AccountSpec::with::<Adapter>("Exotel", &base_url, &credentials, &setup.settings)
        };
        let account = setup::create_account(&engine, client, spec).await.expect("an account");
        let workers = vec![];
        Self { db, carrier, engine, client, account, key, clock, public_url, http, workers, ended: false }
    }

    /// Where its API is reached.
    pub(crate) fn address(&self, path: &str) -> Url {
        self.public_url.join(path).expect("an address")
    }

    /// Another process's engine over the same database.
    pub(crate) async fn another_engine(&self) -> Engine {
        engine(&self.db, &self.key, &self.clock, &self.public_url).await
    }

    /// The same with a clock of its own.
    pub(crate) async fn engine_by(&self, clock: Arc<dyn Clock>) -> Engine {
        engine(&self.db, &self.key, &clock, &self.public_url).await
    }

    /// Starts a worker over the world's engine, for the world to drain.
    pub(crate) async fn work(&mut self) {
        let worker = start(&self.db, self.engine.clone(), Kinds::registered(), Pace::default()).await;
        self.workers.push(worker);
    }

    /// Starts a worker in another process, for the world to drain. Returns its engine.
    pub(crate) async fn work_elsewhere(&mut self) -> Engine {
        let engine = self.another_engine().await;
        let worker = start(&self.db, engine.clone(), Kinds::registered(), Pace::default()).await;
        self.workers.push(worker);
        engine
    }

    /// A running campaign with the rules that tests like, changed by `rules`.
    pub(crate) async fn campaign(&self, rules: Value) -> CampaignId {
        let campaign = self.draft(rules).await;
        self.order(campaign, Order::Start).await;
        campaign
    }

    /// The same before its start.
    pub(crate) async fn draft(&self, rules: Value) -> CampaignId {
        static MADE: AtomicU32 = AtomicU32::new(1);
        let mut all = json!({
            "calendar": "none",
            "caller_ids": ["+918040000000"],
            "agent": { "mode": "flow", "flow_id": "1001" },
            "retry": { "rules": {
                "no_answer": "1s", "busy": "1s", "unknown": "1s",
                "failed": { "first": "1s", "cap": "1s", "jitter_percent": 0 },
            } },
        });
        if let (Some(all), Value::Object(rules)) = (all.as_object_mut(), rules) {
            all.extend(rules);
        }
        let rules = serde_json::from_value(all).expect("rules");
        let name = format!("Campaign {}", MADE.fetch_add(1, Ordering::Relaxed));
        let spec = CampaignSpec { name: &name, account: self.account, rules: &rules, actor: "a test" };
        campaigns::create(&self.engine, self.client, spec).await.expect("a campaign")
    }

    pub(crate) async fn order(&self, campaign: CampaignId, order: Order) -> campaigns::Ordered {
        let ordered = campaigns::order(&self.engine, self.client, campaign, order, "a test", None).await;
        ordered.expect("the order makes sense")
    }

    /// Accepts a lead with this number.
    pub(crate) async fn lead(&self, campaign: CampaignId, phone: &str) -> LeadId {
        self.leads(campaign, &[phone.to_owned()]).await[0]
    }

    /// Accepts leads with these numbers, in their order.
    pub(crate) async fn leads(&self, campaign: CampaignId, phones: &[String]) -> Vec<LeadId> {
        let specs: Vec<LeadSpec> = phones.iter().map(|phone| spec(phone)).collect();
        let accepted = leads::accept(&self.engine, self.client, campaign, &specs).await;
        let accepted = accepted.expect("they are accepted");
        assert_eq!(accepted.duplicates, 0);
        // Ids are made in order, but written in the order the database likes.
        let mut found = vec![];
        for spec in &specs {
            let id = spec.external_id.as_deref().expect("given");
            let lead = sqlx::query_scalar("select lead_id from leads where external_id = $1").bind(id);
            found.push(LeadId(lead.fetch_one(self.db.pool()).await.expect("it is there")));
        }
        found
    }

    /// Accepts a lead whose phone behaves as scripted.
    pub(crate) async fn scripted(
        &self,
        campaign: CampaignId,
        phone: &str,
        script: impl IntoIterator<Item = Scenario>,
    ) -> LeadId {
        self.carrier.script(phone, script);
        self.lead(campaign, phone).await
    }

    pub(crate) async fn command(&self, lead: LeadId, command: input::Command) -> Answer {
        let answer = leads::order(&self.engine, self.client, lead, command, "a test", None).await;
        answer.expect("the order makes sense")
    }

    /// All that is stored of a lead.
    pub(crate) async fn record(&self, lead: LeadId) -> LeadRecord {
        let mut conn = self.db.pool().acquire().await.expect("a connection");
        let nobody = LeadId(Uuid::nil());
        let page = store::judging::stored(&mut conn, self.client, nobody, Some(lead), 1).await;
        page.expect("it is read").pop().expect("it is there").whole().expect("all of it can be read")
    }

    /// Waits until a lead satisfies `holds`.
    pub(crate) async fn until(&self, lead: LeadId, holds: impl Fn(&LeadRecord) -> bool) -> LeadRecord {
        until_some(&format!("lead {lead}"), async || {
            let record = self.record(lead).await;
            holds(&record).then_some(record).ok_or_else(String::new)
        })
        .await
    }

    /// Waits until a lead is finished.
    pub(crate) async fn finished(&self, lead: LeadId) -> LeadRecord {
        until_some("the lead to finish", async || {
            let record = self.record(lead).await;
            let finished = record.workflow.state == State::Finished;
            finished
                .then_some(())
                .map(|()| record.clone())
                .ok_or_else(|| format!("{:?}, {:?}: {:#?}", record.workflow, told(&record), names(&record)))
        })
        .await
    }

    /// Waits until all leads are finished.
    pub(crate) async fn all_finished(&self) {
        until("all leads to finish", async || {
            self.count("select count(*) from workflows where state <> 'finished'").await == 0
        })
        .await;
    }

    /// The one number that a query yields.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let found = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(self.db.pool()).await;
        found.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Runs a statement, as somebody with a console would.
    pub(crate) async fn run(&self, statement: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(self.db.pool()).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}")).rows_affected()
    }

    /// Where the carrier reaches us.
    pub(crate) fn public_url(&self) -> &Url {
        &self.public_url
    }

    /// A command as people give it, about this world's database.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
        command.args(["--database-url", self.db.url(), "--encryption-key", &self.key]);
        command.args(["--allow-events-to", "127.0.0.0/8"]);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Gives a command, and hears what it says in JSON and the code that it exits with.
    pub(crate) async fn says(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output =
            soon("a command", self.program(arguments).arg("--json").output()).await.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (value, output.status.code())
    }

    /// The time by the database's clock.
    pub(crate) async fn database_time(&self) -> Moment {
        let now = sqlx::query_scalar("select clock_timestamp()").fetch_one(self.db.pool()).await;
        now.expect("the database answers")
    }

    /// Lets work end, and asserts what every test must leave behind: all promises kept, no job, and
    /// nothing in quarantine.
    pub(crate) async fn end(mut self) {
        self.settle().await;
        self.judge().await;
        let left = self.count("select count(*) from jobs").await;
        assert_eq!(left, 0, "jobs are left in the queue");
        let aside = self.count("select count(*) from quarantine where released_at is null").await;
        assert_eq!(aside, 0, "something is left in quarantine");
    }

    /// Drains the workers; the rest of the world goes on.
    pub(crate) async fn stop_workers(&mut self) {
        for worker in self.workers.drain(..) {
            worker.drain().await;
        }
    }

    /// Drains the workers, and lets engine and carrier end.
    pub(crate) async fn settle(&mut self) {
        self.stop_workers().await;
        self.engine.stop().await;
        self.http.abort();
        self.ended = true;
    }

    /// Asserts that all promises were kept, by what is stored and by what the carrier has seen.
    pub(crate) async fn judge(&self) {
        let dials = self.carrier.dials();
        let counts = dials.keys.iter().filter_map(|(key, count)| Some((key.parse().ok()?, count.accepted)));
        let evidence = Evidence { dials: counts.collect(), strict: false };
        let verdict = judging::judge(&self.engine, &evidence, |_| ()).await.expect("all can be read");
        assert!(verdict.kept(), "{verdict}");
        assert_eq!(dials.keys_rung_twice(), Vec::<&str>::new());
        assert_eq!(dials.overlapping_numbers(), Vec::<&str>::new());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.ended || std::thread::panicking(), "a test ends its world with `end`");
    }
}

async fn engine(db: &TestDb, key: &str, clock: &Arc<dyn Clock>, public_url: &Url) -> Engine {
    let key = SealKey::parse(key).expect("a key");
    let (clock, public_url) = (Arc::clone(clock), public_url.clone());
    let node = NodeId(Uuid::new_v4());
    let engine = Engine::new(Parts { pool: pool(db, 10), clock, key, public_url, node });
    let here = ["127.0.0.0/8".parse().expect("a net")];
    engine.send_events_with(Courier::new(&here).expect("a courier"));
    engine
}

/// A pool that is part of a process, not of the test.
pub(crate) fn pool(db: &TestDb, connections: u32) -> PgPool {
    store::pool_options(connections).connect_lazy_with(as_in_service(db.url()))
}

/// Starts a worker in this process.
pub(crate) async fn start(db: &TestDb, engine: Engine, kinds: Kinds, pace: Pace) -> Worker {
    let node = node_of(&engine);
    let started = Worker::start_with(engine, node, pool(db, 3), kinds, pace).await;
    started.expect("it starts")
}

pub(crate) fn node_of(engine: &Engine) -> Node {
    let (id, process) = (engine.node(), Process::this());
    let (name, roles) = ("a test".into(), vec!["worker".into()]);
    let seats = if engine.reception().is_some() { 64 } else { 0 };
    Node { id, name, process, roles, seats, address: None, wall: node::wall }
}

/// Somebody with this number.
pub(crate) fn spec(phone: &str) -> LeadSpec {
    LeadSpec {
        external_id: Some(Uuid::new_v4().to_string()),
        ..LeadSpec::new(FromStr::from_str(phone).expect("a number"))
    }
}

/// Numbers that nobody else has: `count` of them, from `first` on.
pub(crate) fn phones(first: u32, count: u32) -> Vec<String> {
    (first..first + count).map(|n| format!("+9198{n:08}")).collect()
}

/// What came of a lead's attempts, a line each.
pub(crate) fn told(record: &LeadRecord) -> Vec<String> {
    let told = record.attempts.iter().map(|attempt| {
        let ledger = match attempt.ledger {
            Ledger::Reserved => "reserved",
            Ledger::Withdrawn => "withdrawn",
            Ledger::Submitted => "submitted",
            Ledger::Bound => "bound",
            Ledger::Refused => "refused",
            Ledger::Unknown => "unknown",
            Ledger::Absent => "absent",
            Ledger::BoundLate => "bound late",
        };
        match (attempt.counts, attempt.outcome) {
            (true, Some(outcome)) => format!("{ledger}: {outcome}"),
            (true, None) => ledger.to_owned(),
            (false, Some(outcome)) => format!("{ledger}, not counted: {outcome}"),
            (false, None) => format!("{ledger}, not counted"),
        }
    });
    told.collect()
}

/// The names of a lead's events, in their order.
pub(crate) fn names(record: &LeadRecord) -> Vec<&'static str> {
    record.events.iter().map(|recorded| recorded.event.name()).collect()
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    until_some(what, async || holds().await.then_some(()).ok_or_else(String::new)).await;
}

/// Waits until there is something to return; meanwhile, `look` says what there is instead.
pub(crate) async fn until_some<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, future).await;
    came.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
