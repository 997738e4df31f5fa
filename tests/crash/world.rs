//! A database, an emulated carrier and a campaign; the workers are processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use outdial::played::services::Services;
use outdial::played::{Manner, Played};
use outdial_emulators::carrier::Dials;
use outdial_emulators::exotel::{self as emulated, Exotel, Quirk, Reply, Scenario};
use outdial_emulators::media::Says;
use outdial_emulators::{livekit, telnyx};
use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::engine::{Engine, Parts};
use outdial_jobs::events::Courier;
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Status};
use outdial_jobs::operations::hanging_up;
use outdial_jobs::operations::judging::{self, Evidence};
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::playbooks;
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::operations::subscribers::{self, Spec};
use outdial_jobs::operations::transferring;
use outdial_jobs::providers::Provider;
use outdial_jobs::providers::exotel::{Credentials, Exotel as Adapter, Settings};
use outdial_jobs::providers::http_client;
use outdial_jobs::seal::SealKey;
use outdial_jobs::{store, sweeps};
use outdial_workflows::Moment;
use outdial_workflows::history::Event;
use outdial_workflows::ids::{
    AccountId, AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId, NodeId,
};
use outdial_workflows::judge::LeadRecord;
use outdial_workflows::limits::Limit;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::playbook::Source;
use outdial_workflows::results::CallResults;
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::transfer::TransferState;
use outdial_workflows::workflow::State;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use super::instructions::instructions;
use super::process::{Process, free_port};
use super::services::{PLAYBOOK, services};

/// How much faster than life the emulated phones are.
const SPEED: f64 = 50.0;
/// Telnyx's applications.
const APPLICATION: &str = "2494404757140276705";
const CONTROL: &str = "1494404757140276705";
/// The parts of a callback's path before our key: `webhooks`, the carrier, client and account.
const KEY_IN_PATH: usize = 4;
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// What was waited for, and for how long.
pub(super) struct Waited<T> {
    pub(super) value: T,
    pub(super) took: Duration,
}

/// Looks again and again until there is something to see.
pub(super) async fn eventually<T>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Option<Waited<T>> {
    let began = Instant::now();
    loop {
        if let Some(value) = look().await {
            return Some(Waited { value, took: began.elapsed() });
        }
        if began.elapsed() > within {
            return None;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A campaign with an emulated carrier. It stands still until it is started, and until there is a
/// worker.
pub(super) struct World {
    pub(super) carrier: Exotel,
    /// The carrier instead of Exotel, in worlds of another.
    pub(super) played: Option<Played>,
    pub(super) pool: PgPool,
    engine: Engine,
    pub(super) key: String,
    pub(super) database: String,
    client: ClientId,
    campaign: CampaignId,
    /// Where the carrier reaches us: every worker listens there unless told otherwise.
    port: u16,
    logs: TempDir,
    processes: AtomicU32,
    leads: AtomicU32,
    /// What conversations go through, in worlds with an agent of ours.
    speech: Option<Services>,
}

impl World {
    /// A campaign that makes so many calls at once.
    pub(super) async fn new(database: &str, at_once: u32) -> Self {
        Self::with(database, at_once, settings()).await
    }

    /// The same with other settings of the account.
    pub(super) async fn with(database: &str, at_once: u32, settings: Settings) -> Self {
        Self::limited(database, vec![Limit::Concurrent { max: at_once }], settings).await
    }

    /// The same with all limits of the account.
    pub(super) async fn limited(database: &str, limits: Vec<Limit>, settings: Settings) -> Self {
        let carrier = Exotel::start(carrier()).await.expect("the emulator starts");
        let pool = PgPoolOptions::new().max_connections(3).connect(database).await;
        let pool = pool.expect("the server takes connections");
        let key = SealKey::generate();
        let engine = Engine::new(Parts {
            pool: pool.clone(),
            clock: Arc::new(DatabaseClock),
            key: SealKey::parse(&key).expect("a key"),
            public_url: "http://127.0.0.1:1/".parse().expect("a URL"),
            node: NodeId(Uuid::new_v4()),
        });
        setup::check_key(&engine).await.expect("the database takes the key");
        sweeps::prepare(&engine).await.expect("the sweeps are prepared");
        let client = setup::create_client(&engine, "Crash").await.expect("a client");
        let campaign = campaign(&engine, client, &carrier, limits, settings).await;
        Self {
            carrier,
            played: None,
            pool,
            engine,
            key,
            database: database.to_owned(),
            client,
            campaign,
            port: free_port(),
            logs: TempDir::new().expect("a directory can be made"),
            processes: AtomicU32::new(0),
            leads: AtomicU32::new(0),
            speech: None,
        }
    }

    /// From now on it is at another database, which is a copy.
    pub(super) async fn moves_to(&mut self, database: &str) {
        let pool = PgPoolOptions::new().max_connections(3).connect(database).await;
        self.pool = pool.expect("the server takes connections");
        self.engine = Engine::new(Parts {
            pool: self.pool.clone(),
            clock: Arc::new(DatabaseClock),
            key: SealKey::parse(&self.key).expect("a key"),
            public_url: "http://127.0.0.1:1/".parse().expect("a URL"),
            node: NodeId(Uuid::new_v4()),
        });
        self.database = database.to_owned();
    }

    /// A campaign that makes so many calls at once with this carrier, whose phones do what it makes up for
    /// their numbers.
    pub(super) async fn of(database: &str, provider: Provider, at_once: u32) -> Self {
        Self::of_at(database, provider, at_once, SPEED).await.0
    }

    async fn of_at(database: &str, provider: Provider, at_once: u32, speed: f64) -> (Self, AccountId) {
        let mut world = Self::new(database, at_once).await;
        let played = Played::start(provider, Manner { port: 0, speed }).await.expect("it is played");
        let base_url: Url = played.base_url().parse().expect("a URL");
        let spec = played.account("Played", &base_url, vec![Limit::Concurrent { max: at_once }]);
        let account = setup::create_account(&world.engine, world.client, spec).await.expect("an account");
        let webhooks = format!(
            "http://127.0.0.1:{}/webhooks/{}/{}/{account}",
            world.port,
            provider.name(),
            world.client
        );
        played.send_webhooks_to(&webhooks.parse().expect("a URL")).expect("they are sent there");
        world.campaign = campaign_of(&world.engine, world.client, account, &played.rules()).await;
        world.played = Some(played);
        (world, account)
    }

    /// A lead who, once called through Telnyx, says this to an agent of ours, as slowly as people do.
    pub(super) async fn with_our_agent(database: &str, says: Says) -> Self {
        Self::with_our_agent_at(database, Provider::Telnyx, says, Duration::ZERO).await
    }

    /// The same through another carrier, and with a phone that rings for so long.
    pub(super) async fn with_our_agent_at(
        database: &str,
        provider: Provider,
        says: Says,
        ring: Duration,
    ) -> Self {
        const PHONE: &str = "+919870000000";
        const TALK: Duration = Duration::from_secs(600);
        let (mut world, account) = Self::of_at(database, provider, 1, 1.0).await;
        // Each time they are called.
        match world.played.as_ref().expect("it is played") {
            Played::Telnyx(carrier) => {
                let answered = telnyx::Scenario::answered(TALK).saying(says).ringing_for(ring);
                carrier.script(PHONE, vec![answered; 3]);
            }
            Played::Exotel(carrier) => {
                let answered = Scenario::answered(TALK).saying(says).ringing_for(ring);
                carrier.script(PHONE, vec![answered; 3]);
            }
            other => panic!("{} streams no calls to us", other.provider().name()),
        }
        world.add_playbook("short", PLAYBOOK).await;
        let mut rules = world.played.as_ref().expect("it is played").rules();
        rules["agent"] = serde_json::json!({ "mode": "stream", "playbook": "short" });
        world.campaign = campaign_of(&world.engine, world.client, account, &rules).await;
        world.speech = Some(services().await);
        world.add_leads(anything(1)).await;
        world
    }

    /// Adds a playbook, or a flow.
    pub(super) async fn add_playbook(&self, name: &str, text: &str) {
        let by = By { actor: "the test", reason: None };
        let source = Source::alone(text);
        playbooks::add(&self.engine, self.client, Some(name), &source, by).await.expect("it is right");
    }

    /// Has the campaign's calls go by this.
    pub(super) async fn goes_by(&self, agent: Agent) {
        let (engine, client, campaign) = (&self.engine, self.client, self.campaign);
        let (from, rules) = campaigns::rules(engine, client, campaign).await.expect("rules");
        let rules = Rules { agent, ..rules };
        let by = By { actor: "the test", reason: None };
        campaigns::edit(engine, client, campaign, from, &rules, by).await.expect("edited");
    }

    /// What a process is told of the services that conversations go through.
    pub(super) fn speech_flags(&self) -> Vec<String> {
        self.speech.as_ref().expect("a world with an agent of ours").flags()
    }

    /// Waits until so many turns of the conversation that is under way are stored.
    pub(super) async fn said_at_least(&self, turns: i64) {
        let said = eventually(Duration::from_secs(30), async || {
            let count = sqlx::query_scalar("select count(*) from turns").fetch_one(&self.pool).await;
            count.ok().filter(|count: &i64| *count >= turns)
        });
        if said.await.is_none() {
            panic!("nothing was said\n{}", self.state().await);
        }
    }

    /// What the first call yielded.
    pub(super) async fn results(&self) -> CallResults {
        let first = "select results from call_results order by number limit 1";
        // The carrier may tell of a call's end before whoever talked in it has recorded what was said.
        let found = eventually(Duration::from_secs(30), async || {
            sqlx::query_scalar(first).fetch_optional(&self.pool).await.expect("it can be read")
        });
        let found: serde_json::Value = found.await.expect("the call yielded something").value;
        serde_json::from_value(found).expect("results")
    }

    /// What came of each lead.
    pub(super) async fn outcomes(&self) -> Vec<Option<Outcome>> {
        self.records().await.into_iter().map(|record| record.workflow.outcome).collect()
    }

    /// A lead who, once called, talks for long with LiveKit's agent, and may be handed over.
    pub(super) async fn with_a_conversation(database: &str) -> Self {
        let world = Self::of(database, Provider::LiveKit, 1).await;
        let Some(Played::LiveKit(carrier)) = &world.played else { panic!("LiveKit is played") };
        carrier.script("+919870000000", [livekit::Scenario::answered(Duration::from_secs(600))]);
        world.add_leads(anything(1)).await;
        world
    }

    /// Has that call handed to somebody else, once it is answered.
    pub(super) async fn order_transfer(&self) {
        let by = By { actor: "the test", reason: None };
        let ordered = eventually(Duration::from_secs(30), async || {
            let lead = self.records().await.first()?.lead;
            transferring::transfer(&self.engine, (self.client, lead), "+14155550177", None, by).await.ok()
        });
        ordered.await.expect("the order is taken");
    }

    /// Waits until that transfer stands so.
    pub(super) async fn transfer_stands(&self, so: TransferState) {
        let stands = eventually(Duration::from_secs(60), async || {
            let records = self.records().await;
            let transfer = records.first()?.attempts.first()?.transfer.as_ref()?;
            (transfer.state == so).then_some(())
        });
        if stands.await.is_none() {
            let told: Vec<_> = self.records().await.into_iter().map(|record| record.events).collect();
            panic!("the transfer is not {}\n{told:#?}\n{}", so.name(), self.state().await);
        }
    }

    /// How often LiveKit was asked to hand a call over.
    pub(super) fn transfers_asked(&self) -> u32 {
        let Some(Played::LiveKit(carrier)) = &self.played else { panic!("LiveKit is played") };
        carrier.calls().iter().map(|call| call.transfers).sum()
    }

    /// Leads who answer their first call and talk, while this goes wrong about it.
    pub(super) async fn add_answered(&self, leads: u32, quirks: &[Quirk]) {
        self.add_scripted(leads, Some(Duration::from_secs(20)), quirks).await;
    }

    /// A lead whose first call rings in vain, and whose dial's answer is lost, with all that is told of it.
    pub(super) async fn add_unheard_of(&self) {
        self.add_scripted(1, None, &[Quirk::AcceptThenDrop, Quirk::NoCallbacks]).await;
    }

    async fn add_scripted(&self, leads: u32, talk: Option<Duration>, quirks: &[Quirk]) {
        let played = self.played.as_ref().expect("a world of some carrier");
        let numbers: Vec<String> = (0..leads).map(|_| self.next_number()).collect();
        for number in &numbers {
            played.script_first(number, talk, quirks);
        }
        self.add_numbers(&numbers).await;
    }

    /// The same with Telnyx, whose calls a TeXML application answers.
    pub(super) async fn of_texml(database: &str, at_once: u32) -> Self {
        let mut world = Self::new(database, at_once).await;
        let manner = Manner { port: 0, speed: SPEED };
        let played = Played::start(Provider::Telnyx, manner).await.expect("it is played");
        let Played::Telnyx(carrier) = &played else { panic!("another carrier is played") };
        let mut config = carrier.config();
        let application = telnyx::Connection { voice_url: Some(instructions().await), ..Default::default() };
        config.connections = [(APPLICATION, application), (CONTROL, telnyx::Connection::default())]
            .map(|(id, connection)| (id.to_owned(), connection))
            .into();
        config.texml.key = telnyx::TexmlKey::Segment(KEY_IN_PATH);
        let sid = config.accounts.first().cloned().unwrap_or_default().id;
        carrier.configure(config).expect("it can be so");
        let base_url: Url = played.base_url().parse().expect("a URL");
        let mut spec = played.account("Played", &base_url, vec![Limit::Concurrent { max: at_once }]);
        spec.settings["account_sid"] = sid.into();
        spec.settings["connection_id"] = CONTROL.into();
        let account = setup::create_account(&world.engine, world.client, spec).await.expect("an account");
        let mut rules = played.rules();
        rules["agent"] = serde_json::json!({ "mode": "flow", "flow_id": APPLICATION });
        world.campaign = campaign_of(&world.engine, world.client, account, &rules).await;
        world.played = Some(played);
        world
    }

    /// Everything that Telnyx does with a dial and its callbacks, right and wrong, a lead each.
    pub(super) async fn add_every_fate_at_telnyx(&self) {
        let Some(Played::Telnyx(carrier)) = &self.played else { panic!("another carrier is played") };
        let mut numbers = vec![];
        for script in every_fate_at_telnyx() {
            let number = self.next_number();
            carrier.script(&number, script);
            numbers.push(number);
        }
        self.add_numbers(&numbers).await;
    }

    fn next_number(&self) -> String {
        format!("+91987{:07}", self.leads.fetch_add(1, Ordering::Relaxed))
    }

    async fn add_numbers(&self, numbers: &[String]) {
        let specs: Vec<_> =
            numbers.iter().map(|number| LeadSpec::new(number.parse().expect("a number"))).collect();
        for page in specs.chunks(leads::PAGE) {
            leads::accept(&self.engine, self.client, self.campaign, page).await.expect("leads are taken");
        }
    }

    /// What the carrier counted.
    fn dials(&self) -> Dials {
        self.played.as_ref().map_or_else(|| self.carrier.dials(), Played::dials)
    }

    /// Leads whose phones do as scripted, one script a lead; a lead with an empty one does what the
    /// carrier makes up for its number.
    pub(super) async fn add_leads(&self, scripts: impl IntoIterator<Item = Vec<Scenario>>) {
        let mut numbers = vec![];
        for script in scripts {
            let number = self.next_number();
            self.carrier.script(&number, script);
            numbers.push(number);
        }
        self.add_numbers(&numbers).await;
    }

    /// Has an address of this machine told of everything from now on.
    pub(super) async fn subscribe(&self, url: &str) {
        let here = ["127.0.0.0/8".parse().expect("a net")];
        self.engine.send_events_with(Courier::new(&here).expect("a courier"));
        let spec = Spec { url: url.to_owned(), ..Spec::default() };
        let by = By { actor: "the test", reason: None };
        subscribers::create(&self.engine, self.client, &spec, by).await.expect("a subscriber");
    }

    /// Waits until subscribers took all there is.
    pub(super) async fn all_told(&self, within: Duration) {
        let told = eventually(within, async || {
            let waiting = "select count(*) from deliveries where state = 'waiting'";
            let delivered =
                "select count(*) from deliveries where state = 'delivered' and lead_id is not null";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&self.pool).await.ok()?;
            let delivered: i64 = sqlx::query_scalar(delivered).fetch_one(&self.pool).await.ok()?;
            (waiting == 0 && delivered == self.events_to_be_told().await).then_some(())
        });
        told.await.expect("every event is taken");
    }

    /// How many events of the histories the world is told of.
    pub(super) async fn events_to_be_told(&self) -> i64 {
        let told = "select count(*) from workflow_events e, jsonb_array_elements(e.events) as one
            where one->>'event' not in ('reserved', 'withdrawn', 'asked', 'job_quarantined')
                and not (one->>'event' = 'progressed' and one->>'status' not in ('ringing', 'connected'))";
        sqlx::query_scalar(told).fetch_one(&self.pool).await.expect("the database answers")
    }

    pub(super) async fn start(&self) {
        self.order(Order::Start).await;
    }

    async fn order(&self, order: Order) {
        let ordered = campaigns::order(&self.engine, self.client, self.campaign, order, "the test", None);
        ordered.await.expect("the campaign takes the order");
    }

    /// A process that does everything, where the carrier expects it.
    pub(super) fn worker(&self, further: &[&str]) -> Process {
        let listen = format!("127.0.0.1:{}", self.port);
        self.serve(&self.database, &["--listen", &listen], further)
    }

    /// The same, over another way to the database.
    pub(super) fn worker_over(&self, database: &str) -> Process {
        let listen = format!("127.0.0.1:{}", self.port);
        self.serve(database, &["--listen", &listen], &[])
    }

    /// A process that only works: somebody else hears the carrier.
    pub(super) fn mute_worker(&self, further: &[&str]) -> Process {
        let public = format!("http://127.0.0.1:{}", self.port);
        let mute = ["--listen", "127.0.0.1:0", "--public-url", &public, "--role", "worker"];
        self.serve(&self.database, &mute, further)
    }

    /// A process that only holds conversations, where no carrier reaches it.
    pub(super) fn media(&self, further: &[&str]) -> Process {
        let public = format!("http://127.0.0.1:{}", self.port);
        let media = ["--listen", "127.0.0.1:0", "--public-url", &public, "--role", "media"];
        self.serve(&self.database, &media, further)
    }

    /// A process that works, and holds conversations.
    pub(super) fn speaking_worker(&self, further: &[&str]) -> Process {
        let flags = self.speech_flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(further.iter().copied()).collect();
        self.worker(&flags)
    }

    /// A process that holds conversations, and nothing else.
    pub(super) fn speaking_media(&self, further: &[&str]) -> Process {
        let flags = self.speech_flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(further.iter().copied()).collect();
        self.media(&flags)
    }

    /// An address of the process that the carrier reaches.
    pub(super) fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// What the process shows that the carrier reaches.
    pub(super) async fn metrics(&self) -> String {
        let client = http_client().expect("a client");
        let asked = client.get(self.address("metrics")).send().await;
        asked.expect("an answer").text().await.expect("text")
    }

    /// Waits until the latest call stands so in the ledger.
    pub(super) async fn ringing(&self) {
        let ringing = eventually(Duration::from_secs(30), async || {
            let bound = sqlx::query_scalar("select count(*) from attempts where ledger = 'bound' and live");
            bound.fetch_one(&self.pool).await.ok().filter(|bound: &i64| *bound == 1)
        });
        if ringing.await.is_none() {
            panic!("nobody is called\n{}", self.state().await);
        }
    }

    /// Waits until the first attempt has its outcome.
    pub(super) async fn finished_an_attempt(&self) {
        let finished = eventually(Duration::from_secs(30), async || {
            let done = "select count(*) from attempts where number = 1 and outcome is not null";
            sqlx::query_scalar(done).fetch_one(&self.pool).await.ok().filter(|done: &i64| *done > 0)
        });
        if finished.await.is_none() {
            panic!("no attempt has come to its end\n{}", self.state().await);
        }
    }

    /// Has every call that is under way ended; tells how many can be.
    pub(super) async fn hang_up(&self) -> usize {
        let mut conn = self.pool.acquire().await.expect("the database answers");
        let calls = store::attempts::underway(&mut conn, self.client, None, None).await.expect("the calls");
        let by = By { actor: "the test", reason: None };
        let hung_up =
            hanging_up::hang_up(&self.engine, self.client, &calls, by).await.expect("it is ordered");
        hung_up.ending
    }

    /// Why the first lead was not called yet, and what would have to change.
    pub(super) async fn why_not_yet(&self) -> Vec<String> {
        let lead = self.records().await[0].lead;
        let explained = judging::explain_lead(&self.engine, self.client, lead).await.expect("a lead");
        explained.to_change
    }

    /// A process that only hears the carrier.
    pub(super) fn ear(&self) -> Process {
        self.worker(&["--role", "api"])
    }

    fn serve(&self, database: &str, place: &[&str], further: &[&str]) -> Process {
        let fixed = ["serve", "--database-url", database, "--encryption-key", &self.key];
        let arguments = fixed.iter().chain(place).chain(further).map(|&argument| argument.to_owned());
        Process::start(arguments, &[], self.next_log())
    }

    /// Where the next process is to write.
    pub(super) fn next_log(&self) -> std::path::PathBuf {
        let n = self.processes.fetch_add(1, Ordering::Relaxed);
        self.logs.path().join(format!("process-{n}.log"))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How the campaign stands; `None` while the database is away.
    pub(super) async fn status(&self) -> Option<Status> {
        campaigns::status(&self.engine, self.client, self.campaign).await.ok()
    }

    /// How many leads are finished.
    pub(super) async fn finished(&self) -> i64 {
        let status = eventually(Duration::from_secs(30), async || self.status().await).await;
        status.expect("the database answers").value.finished
    }

    /// Waits until more leads are finished than `before`, or all of them.
    pub(super) async fn finished_more_than(&self, before: i64) -> Duration {
        let finished = eventually(Duration::from_secs(45), async || {
            let status = self.status().await?;
            (status.finished > before || status.finished == status.leads).then_some(())
        });
        match finished.await {
            Some(waited) => waited.took,
            None => panic!("no outcome within 45 s\n{}", self.state().await),
        }
    }

    /// Waits until every lead is finished and nothing is left to do.
    pub(super) async fn all_finished(&self, within: Duration) -> Duration {
        let finished = eventually(within, async || {
            let status = self.status().await?;
            (status.leads > 0 && status.finished == status.leads).then_some(())
        });
        let Some(Waited { took, .. }) = finished.await else {
            panic!("not all leads finished within {within:?}\n{}", self.state().await);
        };
        // A dead process's last jobs are looked at once more when their leases run out.
        let idle = eventually(Duration::from_secs(30), async || {
            let jobs: i64 =
                sqlx::query_scalar("select count(*) from jobs").fetch_one(&self.pool).await.ok()?;
            (jobs == 0).then_some(())
        });
        if idle.await.is_none() {
            panic!("jobs are left although every lead is finished\n{}", self.state().await);
        }
        took
    }

    /// The four promises, by the carrier's own count and by the judge.
    pub(super) async fn assert_promises_kept(&self) {
        let dials = self.dials();
        let twice = dials.keys_rung_twice();
        assert!(twice.is_empty(), "rung twice: {twice:?}\n{}", self.state().await);
        let overlapping = dials.overlapping_numbers();
        assert!(overlapping.is_empty(), "two calls at once: {overlapping:?}\n{}", self.state().await);
        // The legs of transfers have names of their own.
        let ours = |key: &str| !key.starts_with("transfer.");
        let counted = dials.keys.iter().filter(|(key, count)| count.accepted > 0 && ours(key));
        let counted = counted.map(|(key, count)| {
            let key: DialKey = key.parse().expect("the carrier is given keys of ours");
            (key, count.accepted)
        });
        let evidence = Evidence { dials: counted.collect(), strict: true };
        let verdict = judging::judge(&self.engine, &evidence, |_| ()).await.expect("the judge can read");
        assert!(verdict.kept() && verdict.warned == 0, "{verdict}\n{}", self.state().await);
        let quarantined: i64 = sqlx::query_scalar("select count(*) from quarantine")
            .fetch_one(&self.pool)
            .await
            .expect("it can be read");
        assert_eq!(quarantined, 0, "{}", self.state().await);
        self.assert_statistics_right().await;
    }

    /// The jobs that are leased: the lead and the attempt that each is about, and until when.
    pub(super) async fn leases(&self) -> Vec<(LeadId, AttemptNumber, Moment)> {
        let leases: Vec<(Uuid, i16, Moment)> = sqlx::query_as(
            "select lead_id, number, lease_until from jobs where lease_owner is not null and lead_id is not null",
        )
        .fetch_all(&self.pool)
        .await
        .expect("they can be read");
        let number = |number: i16| u16::try_from(number).ok().and_then(AttemptNumber::new).expect("a number");
        leases.into_iter().map(|(lead, attempt, until)| (LeadId(lead), number(attempt), until)).collect()
    }

    /// No request leaves later than its permit allows after the moment that it was decided at.
    pub(super) async fn assert_nothing_left_late(&self) {
        // The permit's two seconds, and one for a busy machine.
        let most = TimeDelta::seconds(3);
        let records = self.records().await;
        for dial in self.carrier.dials().timeline {
            let key = dial.key.expect("the carrier is given keys of ours");
            let DialKey(AttemptRef { lead, number, .. }) = key.parse().expect("a key");
            let record = records.iter().find(|record| record.lead == lead).expect("a lead of ours");
            let attempt = record.attempts.iter().find(|attempt| attempt.number == number);
            let submitted = attempt.and_then(|attempt| attempt.submission).expect("it was submitted").at;
            let late = dial.at - submitted;
            assert!(late < most, "{key} was sent {late} after it was decided\n{:#?}", record.events);
        }
    }

    /// Counters do not drift.
    async fn assert_statistics_right(&self) {
        let mut counted = BTreeMap::new();
        for record in self.records().await {
            let outcome = record.workflow.outcome.map_or("cancelled", |outcome| outcome.name());
            *counted.entry(outcome.to_owned()).or_default() += 1_i64;
        }
        let status = self.status().await.expect("the database answers");
        assert_eq!(status.by_outcome, counted);
        assert_eq!(status.finished, status.leads);
        assert_eq!(status.leads, i64::from(self.leads.load(Ordering::Relaxed)));
    }

    /// Everything stored about every lead.
    pub(super) async fn records(&self) -> Vec<LeadRecord> {
        let mut conn = self.pool.acquire().await.expect("the database answers");
        let mut records = vec![];
        loop {
            let after = records.last().map_or(LeadId(Uuid::nil()), |record: &LeadRecord| record.lead);
            let page = store::judging::stored(&mut conn, self.client, after, None, 500).await;
            let page = page.expect("the database answers");
            if page.is_empty() {
                return records;
            }
            records.extend(page.into_iter().map(|stored| stored.whole().expect("all can be read")));
        }
    }

    /// How many events of the whole history are of this sort.
    pub(super) async fn count_events(&self, sort: impl Fn(&Event) -> bool) -> usize {
        let records = self.records().await;
        records.iter().flat_map(|record| &record.events).filter(|recorded| sort(&recorded.event)).count()
    }

    /// What somebody who looks for a fault wants to see: unfinished leads, jobs, and the logs.
    async fn state(&self) -> String {
        let mut text = format!("{:?}\n", self.dials().totals);
        if let Some(Status { by_state, by_outcome, .. }) = self.status().await {
            text += &format!("{by_state:?} {by_outcome:?}\n");
        }
        for record in self.records().await {
            let troubled = record.workflow.state != State::Finished || record.quarantined;
            if troubled {
                text += &format!("{:#?}\n{:#?}\n", record.workflow, record.events);
            }
        }
        let jobs: Vec<(serde_json::Value,)> = sqlx::query_as("select to_jsonb(jobs) from jobs limit 20")
            .fetch_all(&self.pool)
            .await
            .unwrap_or_default();
        text += &format!("jobs: {jobs:#?}\n");
        for n in 0..self.processes.load(Ordering::Relaxed) {
            let log = self.logs.path().join(format!("process-{n}.log"));
            text += &format!("--- {}\n{}\n", log.display(), troubles(&log));
        }
        text
    }
}

/// The last warnings and errors of a log.
fn troubles(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let is_trouble = |line: &&str| !line.contains(" INFO ");
    let lines: Vec<&str> = text.lines().filter(is_trouble).collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Everything that a carrier does, right and wrong, a lead each.
pub(super) fn every_fate() -> [Vec<Scenario>; 8] {
    let answered = || Scenario::answered(Duration::from_secs(20));
    [
        vec![answered()],
        vec![Scenario::no_answer(), answered()],
        vec![Scenario::busy(), Scenario::busy(), answered()],
        vec![answered().with(Quirk::AcceptThenDrop)],
        vec![answered().with(Quirk::NoCallbacks)],
        vec![Scenario::failed(), answered().with(Quirk::ReorderedCallbacks)],
        vec![Scenario::no_answer().with(Quirk::Reply(Reply::server_error(503, true))), answered()],
        vec![answered().with(Quirk::DuplicateCallbacks { extra: 2 })],
    ]
}

/// The same of Telnyx: dials whose answers are lost, and callbacks that come twice, in reverse, late or never.
fn every_fate_at_telnyx() -> [Vec<telnyx::Scenario>; 10] {
    use telnyx::Scenario;
    let answered = || Scenario::answered(Duration::from_secs(20));
    // Long after the call is over, and after the next one if it is made.
    let late = Quirk::LateCallbacks { by: Duration::from_secs(120) };
    [
        vec![answered().with(Quirk::AcceptThenDrop)],
        vec![answered().with(Quirk::DuplicateCallbacks { extra: 2 })],
        vec![answered().with(Quirk::DropBeforeAccepting { times: 1 })],
        vec![answered().with(Quirk::AcceptThenDrop).with(Quirk::NoCallbacks)],
        vec![Scenario::no_answer().with(Quirk::ReorderedCallbacks), answered()],
        vec![Scenario::busy().with(Quirk::NoCallbacks), answered().with(Quirk::NoCallbacks)],
        vec![answered().with(late.clone())],
        vec![Scenario::busy().with(late), answered().with(Quirk::ReorderedCallbacks)],
        vec![Scenario::no_answer().with(Quirk::Reply(Reply::server_error(503, true))), answered()],
        vec![Scenario::busy(), Scenario::failed(), answered()],
    ]
}

/// Phones with which nothing goes wrong.
pub(super) fn well_behaved(leads: usize) -> impl Iterator<Item = Vec<Scenario>> {
    (0..leads).map(|n| {
        let answered = Scenario::answered(Duration::from_secs(20 + n as u64 % 40));
        match n % 4 {
            0 => vec![Scenario::no_answer(), answered],
            1 => vec![Scenario::busy(), answered],
            _ => vec![answered],
        }
    })
}

/// Phones that do what the carrier makes up for their numbers.
pub(super) fn anything(leads: usize) -> impl Iterator<Item = Vec<Scenario>> {
    std::iter::repeat_n(vec![], leads)
}

fn carrier() -> emulated::Config {
    emulated::Config {
        speed: SPEED,
        fallback: emulated::Fallback::Mix,
        limits: emulated::Limits { calls_per_minute: None, ..emulated::Limits::default() },
        // A process that is started again hears what it missed, as with the real carrier.
        callbacks: emulated::Callbacks {
            attempts: 6,
            timeout: Duration::from_secs(2),
            retry_gap: Duration::from_secs(25),
            ..emulated::Callbacks::default()
        },
        ..emulated::Config::default()
    }
}

/// What takes minutes with people takes seconds here.
pub(super) fn settings() -> Settings {
    Settings {
        request_timeout_ms: 1_500,
        silence_ms: 4_000,
        ask_first_ms: 300,
        poll_first_ms: 2_500,
        ask_cap_ms: 2_500,
        absent_after_ms: Some(6_000),
        reads_per_minute: 199,
        ..Settings::default()
    }
}

async fn campaign(
    engine: &Engine,
    client: ClientId,
    carrier: &Exotel,
    limits: Vec<Limit>,
    settings: Settings,
) -> CampaignId {
    let who = emulated::Account::default();
    let credentials =
        Credentials { account_sid: who.sid, api_key: who.api_key, api_token: who.api_token.into() };
    let base_url: Url = carrier.base_url().parse().expect("a URL");
    let spec = AccountSpec {
        limits,
        without_default_limits: true,
        ..AccountSpec::with::<Adapter>("Emulated", &base_url, &credentials, &settings)
    };
    let account = setup::create_account(engine, client, spec).await.expect("an account");
    let own = serde_json::json!({
        "caller_ids": ["+918040000000"], "agent": { "mode": "flow", "flow_id": "1001" },
    });
    campaign_of(engine, client, account, &own).await
}

/// A campaign with an account, whose rules are these besides.
async fn campaign_of(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    own: &serde_json::Value,
) -> CampaignId {
    let mut rules = serde_json::json!({
        "calendar": "none",
        "ring_timeout_s": 30,
        "call_time_limit_s": 300,
        "retry": { "rules": {
            "no_answer": "1s",
            "busy": "1s",
            "voicemail": "1s",
            "unknown": "1s",
            "failed": { "first": "1s", "cap": "2s" },
        } },
    });
    let fields = rules.as_object_mut().expect("an object");
    fields.extend(own.as_object().expect("an object").clone());
    let rules: Rules = serde_json::from_value(rules).expect("rules");
    let name = format!("Crash {account} {}", Uuid::new_v4());
    let spec = CampaignSpec { name: &name, account, rules: &rules, actor: "the test" };
    campaigns::create(engine, client, spec).await.expect("a campaign")
}
