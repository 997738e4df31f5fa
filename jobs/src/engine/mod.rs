//! The engine: everything that happens to a workflow is an input; inputs are
//! gathered per client, folded by `decide`, and committed together.
//!
//! While one batch of a client commits, the next gathers, so that under load many
//! inputs share a commit and at rest none waits. A caller is answered after its
//! batch has committed.

pub(crate) mod admission;
mod breakers;
mod carriers;
mod commit;
mod dialled;
mod fold;
mod gather;
mod inbox;
mod laid_out;
mod lanes;
pub(crate) mod numbers;
pub mod observe;
pub(crate) mod playbooks;
mod timers;
pub mod wake;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::clocks;
use outdial_workflows::ids::{AccountId, AttemptRef, ClientId, LeadId, NodeId, new_id};
use outdial_workflows::input::{Answer, CallNews, Input};
use outdial_workflows::ivr::Flow;
use outdial_workflows::playbook::Playbook;
use outdial_workflows::retention::Retention;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use url::Url;
use uuid::Uuid;

use crate::clock::Clock;
use crate::events::Courier;
use crate::media::reception::Reception;
use crate::metrics::Metrics;
use crate::providers::{DialBody, SharedCarrier};
use crate::queue::Desk;
use crate::reads::OneByOne;
use crate::seal::SealKey;
use crate::sheets::{self, SheetReader};
use crate::store::inbox::CallOf;
use crate::store::queue::Lease;
use crate::store::{self, Sessions, StoreError};
use crate::traces;

pub use admission::Round;
pub use carriers::{AccountError, Carriers};
pub(crate) use observe::Counted;
pub use observe::Happened;
pub use playbooks::NoPlaybook;
pub use wake::Hub;

/// One input on its way to its client's next batch.
#[derive(Debug)]
pub struct Item {
    /// The lead it is about.
    pub lead: LeadId,
    /// What happened.
    pub input: Input,
    /// The job that asks; removed in the same commit once nothing is left to do for it.
    pub lease: Option<Lease>,
}

/// What the asker is told after the commit.
pub struct Reply {
    /// The decision's answer.
    pub answer: Answer,
    /// Read just before the decision's time was: send deadlines run from here.
    pub seen: Instant,
    /// For [`Answer::Send`]: what to send, and by whom.
    pub send: Option<ToSend>,
}

/// A committed dial request.
pub struct ToSend {
    /// The attempt it is of.
    pub attempt: AttemptRef,
    /// What it was submitted under: known to the process that may send.
    pub token: Uuid,
    /// The bytes, as they are stored.
    pub body: DialBody,
    /// The account's carrier.
    pub carrier: SharedCarrier,
}

impl ToSend {
    fn unsent(&self) -> Unsent {
        Unsent { attempt: self.attempt, token: self.token }
    }
}

/// A request that this process submitted, or was about to, and has not sent.
#[derive(Clone, Copy, Debug)]
struct Unsent {
    attempt: AttemptRef,
    token: Uuid,
}

/// An input that was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The input, or the row it is about, was put into quarantine.
    #[error("put into quarantine: {0}")]
    Quarantined(String),
    /// There is no such lead, and nothing could be kept.
    #[error("there is no lead {0}")]
    NoSuchLead(LeadId),
    /// The process is stopping.
    #[error("the engine is stopping; ask again")]
    Stopping,
    /// Too many inputs wait already.
    #[error("too many inputs wait; ask again")]
    Full,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an engine is made of.
pub struct Parts {
    /// For deciding transactions.
    pub pool: PgPool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The encryption key.
    pub key: SealKey,
    /// Where carriers reach us.
    pub public_url: Url,
    /// Which process this is.
    pub node: NodeId,
}

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    /// For what is done with every commit.
    sessions: Sessions,
    clock: Arc<dyn Clock>,
    key: SealKey,
    public_url: Url,
    node: NodeId,
    carriers: Carriers,
    dialled: dialled::Dialled,
    laid_out: laid_out::LaidOut,
    rules: fold::RuleBook,
    playbooks: playbooks::Guides<Playbook>,
    flows: playbooks::Guides<Flow>,
    turns: admission::Turns,
    reads: OneByOne,
    gather: gather::Gather,
    timers: timers::Timers,
    hub: Hub,
    /// Where this process's jobs are run, if it runs any.
    desk: OnceLock<Arc<Desk>>,
    /// Where conversations are held, if this process holds any.
    reception: OnceLock<Reception>,
    /// Whether other processes hold some.
    others_talk: AtomicBool,
    /// Where those are recorded that are to be.
    recordings: OnceLock<PathBuf>,
    /// For how long what is stored is kept.
    retention: OnceLock<Retention>,
    /// The last reading of the clock, and when it was made: looks that decide nothing go by it.
    read: Mutex<Option<(Moment, Instant)>>,
    /// Whether this machine's clock is so far off that nothing is dialled from here.
    clock_off: AtomicBool,
    observed: observe::Observed,
    metrics: Metrics,
    /// Reads the sheets that campaigns take their leads from.
    sheets: OnceLock<SheetReader>,
    /// What events are sent with.
    courier: OnceLock<Courier>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Ends before the rest, so that nothing is admitted for workers that have gone.
    stop_admitting: CancellationToken,
    admitting: TaskTracker,
}

impl Engine {
    /// An engine that takes inputs at once; its loops start with [`Engine::start`].
    pub fn new(parts: Parts) -> Self {
        let Parts { pool, clock, key, public_url, node } = parts;
        let stop = CancellationToken::new();
        Self {
            inner: Arc::new(Inner {
                carriers: Carriers::new(key.clone()),
                dialled: dialled::Dialled::default(),
                laid_out: laid_out::LaidOut::default(),
                sessions: Sessions::new(pool.clone()),
                pool,
                clock,
                key,
                public_url,
                node,
                rules: fold::RuleBook::default(),
                playbooks: playbooks::Guides::default(),
                flows: playbooks::Guides::default(),
                turns: admission::Turns::default(),
                reads: OneByOne::default(),
                gather: gather::Gather::default(),
                timers: timers::Timers::default(),
                read: Mutex::default(),
                hub: Hub::default(),
                desk: OnceLock::new(),
                reception: OnceLock::new(),
                others_talk: AtomicBool::new(false),
                recordings: OnceLock::new(),
                retention: OnceLock::new(),
                clock_off: AtomicBool::new(false),
                observed: observe::Observed::default(),
                metrics: Metrics::default(),
                sheets: OnceLock::new(),
                courier: OnceLock::new(),
                stop_admitting: stop.child_token(),
                stop,
                tasks: TaskTracker::new(),
                admitting: TaskTracker::new(),
            }),
        }
    }

    /// Starts timers and admission.
    pub fn start(&self) {
        let inner = &self.inner;
        inner.tasks.spawn(timers::run(self.clone()));
        inner.admitting.spawn(admission::run(self.clone()));
    }

    /// From now on, steps that this engine queues are claimed as they are queued while `desk` has free
    /// slots. The first desk stays.
    pub(crate) fn serve_at(&self, desk: Arc<Desk>) {
        let _ = self.inner.desk.set(desk);
    }

    /// Where this process's jobs are run.
    pub(crate) fn desk(&self) -> Option<&Arc<Desk>> {
        self.inner.desk.get()
    }

    /// From now on, calls that are answered here are talked on. The first reception stays.
    pub fn hold_conversations_at(&self, reception: Reception) {
        let _ = self.inner.reception.set(reception);
    }

    /// Where conversations are held; `None` if this process holds none.
    pub fn reception(&self) -> Option<&Reception> {
        self.inner.reception.get()
    }

    /// From now on, conversations whose campaign says so are recorded below this directory. The first one stays.
    pub fn keep_recordings_at(&self, directory: PathBuf) {
        let _ = self.inner.recordings.set(directory);
    }

    /// Where conversations are recorded; `None` if they are not.
    pub fn recordings(&self) -> Option<&Path> {
        self.inner.recordings.get().map(PathBuf::as_path)
    }

    /// From now on, what is stored is kept for so long. The first one stays.
    pub fn keep_for(&self, retention: Retention) {
        let _ = self.inner.retention.set(retention);
    }

    /// For how long what is stored is kept: as by default, unless this process was told otherwise.
    pub fn retention(&self) -> &Retention {
        self.inner.retention.get_or_init(Retention::default)
    }

    /// Notes whether other processes hold conversations.
    pub(crate) fn others_talk(&self, talk: bool) {
        self.inner.others_talk.store(talk, Ordering::Relaxed);
    }

    /// Whether other processes hold conversations, as far as is known.
    pub(crate) fn do_others_talk(&self) -> bool {
        self.inner.others_talk.load(Ordering::Relaxed)
    }

    /// From now on, sheets are read as these settings say. The first settings stay; until there are any, sheets
    /// are read from Google.
    ///
    /// # Errors
    /// If they cannot work.
    pub fn read_sheets_at(&self, settings: &sheets::Settings) -> Result<(), sheets::SettingsError> {
        let _ = self.inner.sheets.set(SheetReader::new(settings)?);
        Ok(())
    }

    /// Reads sheets. It is made when it is first needed.
    pub(crate) fn sheets(&self) -> Result<&SheetReader, sheets::SettingsError> {
        if self.inner.sheets.get().is_none() {
            self.read_sheets_at(&sheets::Settings::default())?;
        }
        Ok(self.inner.sheets.get().expect("set above, or by somebody else"))
    }

    /// Notes how far this machine's clock is off the database's; tells when that begins or ceases to
    /// matter.
    pub(crate) fn note_clock(&self, off_by: TimeDelta) {
        let off = !clocks::may_dial(off_by);
        let was_off = self.inner.clock_off.swap(off, Ordering::Relaxed);
        let off_ms = off_by.num_milliseconds();
        match (was_off, off) {
            (false, true) => tracing::error!(
                off_ms,
                "ALERT: this machine's clock is off the database's; nothing is dialled from here until it is set"
            ),
            (true, false) => tracing::info!(off_ms, "this machine's clock is right again, and it dials"),
            (false, false) | (true, true) => {}
        }
    }

    /// Whether this machine's clock is so far off the database's that nothing may be dialled from here.
    pub fn clock_is_off(&self) -> bool {
        self.inner.clock_off.load(Ordering::Relaxed)
    }

    /// Gives an input to its client's next batch, and waits until that has committed.
    ///
    /// # Errors
    /// If the input could not be taken in; see [`EngineError`].
    pub async fn input(
        &self,
        client: ClientId,
        lead: LeadId,
        input: Input,
        lease: Option<Lease>,
    ) -> Result<Reply, EngineError> {
        let span =
            tracing::debug_span!(target: traces::TARGET, "input", otel.name = input.name(), lead.id = %lead);
        let span = traces::in_trace_of(span, lead);
        gather::put(self, client, Item { lead, input, lease }).instrument(span).await
    }

    /// The same for sweeps, which go on to other clients while this one's commits rest. `None`: they
    /// rest, and the input may be taken in later, or not.
    pub(crate) async fn input_unless_resting(
        &self,
        client: ClientId,
        lead: LeadId,
        input: Input,
    ) -> Option<Result<Reply, EngineError>> {
        tokio::select! {
            biased;
            () = self.inner.gather.rests(client) => None,
            taken = self.input(client, lead, input, None) => Some(taken),
        }
    }

    /// Takes in news that names its call in the carrier's words alone. It may come before an attempt
    /// is known to have made that call. Once this returns it is kept, and is taken in as soon as one is.
    ///
    /// # Errors
    /// If it could not be kept; the carrier is to send it again.
    pub async fn call_news(&self, of: &CallOf<'_>, news: &CallNews) -> Result<(), EngineError> {
        inbox::take(self, of, news).await
    }

    /// Takes in all kept news that can be by now, as the sweep does. Returns how much.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn take_kept_news(&self) -> Result<u64, StoreError> {
        inbox::sweep(self).await
    }

    /// The database.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Connections for what is done again and again.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// Has events sent with this courier, which may reach other networks than the public one. The first stays.
    pub fn send_events_with(&self, courier: Courier) {
        let _ = self.inner.courier.set(courier);
    }

    /// What events are sent with.
    pub fn courier(&self) -> &Courier {
        self.inner.courier.get_or_init(|| Courier::new(&[]).expect("the TLS library takes its own defaults"))
    }

    /// The encryption key.
    pub fn key(&self) -> &SealKey {
        &self.inner.key
    }

    /// Where the service is reached from outside.
    pub fn public_url(&self) -> &Url {
        &self.inner.public_url
    }

    /// This process.
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// Where signals between loops and processes meet.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Tells `listener` from now on what the engine does, for measuring. The first listener stays.
    pub fn observe(&self, listener: impl Fn(Happened) + Send + Sync + 'static) {
        self.inner.observed.listen(Box::new(listener));
    }

    pub(crate) fn tell(&self, happened: Happened) {
        self.inner.observed.tell(happened);
    }

    pub(crate) fn reads(&self) -> &OneByOne {
        &self.inner.reads
    }

    /// What this process counts.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// How many inputs wait here for a commit, and of how many clients the commits rest.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.inner.gather.waiting(), self.inner.gather.resting().len())
    }

    /// The kinds of job that this process runs, with how many slots are free, and how many there are.
    pub(crate) fn job_slots(&self) -> Vec<(&'static str, usize, usize)> {
        self.inner.desk.get().map(|desk| desk.standing().collect()).unwrap_or_default()
    }

    /// The accounts' carriers.
    pub fn carriers(&self) -> &Carriers {
        &self.inner.carriers
    }

    /// An account's carrier; `None` if there is no such account.
    ///
    /// # Errors
    /// If the account cannot be used.
    pub async fn carrier(
        &self,
        client: ClientId,
        account: AccountId,
    ) -> Result<Option<SharedCarrier>, AccountError> {
        if let Some(carrier) = self.inner.carriers.kept(client, account, 0) {
            return Ok(Some(carrier));
        }
        store::in_time(async {
            let mut conn = self.inner.pool.acquire().await.map_err(StoreError::from)?;
            match self.inner.carriers.get(&mut conn, client, account, 0).await {
                Ok(carrier) => Ok(Some(carrier)),
                Err(AccountError::NoSuchAccount(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// The account's carrier as it is stored by now, if that is another than was opened before: its keys may
    /// have been rotated elsewhere. Asked for too often, it says `None` without looking.
    ///
    /// # Errors
    /// If the account cannot be used.
    pub async fn renewed_carrier(
        &self,
        client: ClientId,
        account: AccountId,
    ) -> Result<Option<SharedCarrier>, AccountError> {
        store::in_time(async {
            let mut conn = self.inner.pool.acquire().await.map_err(StoreError::from)?;
            self.inner.carriers.renewed(&mut conn, client, account).await
        })
        .await
    }

    /// Keeps a webhook of a type that this version does not know.
    ///
    /// # Errors
    /// If it could not be kept; the carrier is to send it again.
    pub async fn keep_strange_webhook(
        &self,
        client: ClientId,
        account: AccountId,
        event: &str,
        body: &[u8],
    ) -> Result<(), StoreError> {
        /// Enough to see what it is about.
        const KEPT: usize = 16 * 1024;
        let body = String::from_utf8_lossy(&body[..body.len().min(KEPT)]).replace('\0', "");
        let event: String = event.chars().take(100).collect();
        store::in_time(async {
            let mut conn = self.inner.pool.acquire().await?;
            let now = self.now_in(&mut conn).await?;
            store::strange_webhooks::keep(&mut conn, (client, account), new_id(now), (&event, &body), now)
                .await
        })
        .await
    }

    /// The carrier that an attempt dials through; `None` if the ledger holds no such attempt.
    ///
    /// # Errors
    /// If the account cannot be used.
    pub async fn carrier_of(&self, attempt: AttemptRef) -> Result<Option<SharedCarrier>, AccountError> {
        if let Some(carrier) = self.inner.dialled.carrier(attempt) {
            return Ok(Some(carrier));
        }
        let AttemptRef { client, lead, number } = attempt;
        let mut conn = self.inner.pool.acquire().await.map_err(StoreError::from)?;
        match store::attempts::account(&mut conn, client, lead, number).await? {
            Some(account) => Ok(Some(self.inner.carriers.get(&mut conn, client, account, 0).await?)),
            None => Ok(None),
        }
    }

    /// The rules of a revision; `None` if this version cannot read them.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn rules(
        &self,
        client: ClientId,
        campaign: outdial_workflows::ids::CampaignId,
        revision: outdial_workflows::attempt::Revision,
    ) -> Result<Option<Arc<outdial_workflows::rules::Rules>>, StoreError> {
        store::in_time(async {
            let mut conn = self.inner.pool.acquire().await?;
            self.rules_in(&mut conn, client, campaign, revision).await
        })
        .await
    }

    /// The same, inside a transaction.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn rules_in(
        &self,
        conn: &mut sqlx::PgConnection,
        client: ClientId,
        campaign: outdial_workflows::ids::CampaignId,
        revision: outdial_workflows::attempt::Revision,
    ) -> Result<Option<Arc<outdial_workflows::rules::Rules>>, StoreError> {
        self.inner.rules.get(conn, client, campaign, revision).await
    }

    /// A client's playbook, in this version or the latest.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub(crate) async fn playbook(
        &self,
        client: ClientId,
        name: &str,
        version: Option<u32>,
    ) -> Result<playbooks::Found<Playbook>, StoreError> {
        store::in_time(async {
            let mut conn = self.inner.pool.acquire().await?;
            self.inner.playbooks.get(&mut conn, client, name, version).await
        })
        .await
    }

    /// A client's flow, in this version or the latest.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub(crate) async fn flow(
        &self,
        conn: &mut sqlx::PgConnection,
        client: ClientId,
        name: &str,
        version: Option<u32>,
    ) -> Result<playbooks::Found<Flow>, StoreError> {
        self.inner.flows.get(conn, client, name, version).await
    }

    /// The time, by the clock that decisions use.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn now(&self) -> Result<Moment, StoreError> {
        store::in_time(async {
            let mut session = self.inner.sessions.take().await?;
            let now = self.now_in(&mut session).await?;
            session.done();
            Ok(now)
        })
        .await
    }

    /// The time by the last reading and what has passed since: for looks that decide nothing, so that
    /// idle nodes need not ask.
    ///
    /// # Errors
    /// If there was no reading for long, and the database cannot be asked.
    pub(crate) async fn about_now(&self) -> Result<Moment, StoreError> {
        /// The node's own renewals read the clock more often.
        const FRESH: Duration = Duration::from_secs(30);
        let read = *self.inner.read.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = read.filter(|(_, at)| at.elapsed() < FRESH);
        match fresh.and_then(|(now, at)| Some(now + TimeDelta::from_std(at.elapsed()).ok()?)) {
            Some(now) => Ok(now),
            None => self.now().await,
        }
    }

    /// Whether decisions go by the database's clock, as they do but for tests.
    pub(crate) fn goes_by_the_database(&self) -> bool {
        self.inner.clock.is_the_databases()
    }

    /// The time, by the clock that decisions use, inside a transaction.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn now_in(&self, conn: &mut sqlx::PgConnection) -> Result<Moment, StoreError> {
        let now = self.inner.clock.now(conn).await?;
        *self.inner.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        Ok(now)
    }

    /// Runs `change` alone with the client: no submission of the client runs meanwhile, and every
    /// reservation made before is judged again. Once this returns, nothing that `change`
    /// forbids is submitted any more.
    ///
    /// # Errors
    /// What `change` or the database answer.
    pub async fn forbid<T>(
        &self,
        client: ClientId,
        change: impl AsyncFnOnce(&mut sqlx::PgConnection, Moment) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        store::in_time(async {
            let mut tx = self.inner.pool.begin().await?;
            store::barrier::exclude(&mut tx, client).await?;
            let now = self.inner.clock.now(&mut tx).await?;
            let value = change(&mut tx, now).await?;
            tx.commit().await?;
            Ok(value)
        })
        .await
    }

    /// Runs a change that forbids nothing.
    ///
    /// # Errors
    /// What `change` or the database answer.
    pub async fn allow<T>(
        &self,
        change: impl AsyncFnOnce(&mut sqlx::PgConnection, Moment) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        store::in_time(async {
            let mut tx = self.inner.pool.begin().await?;
            let now = self.inner.clock.now(&mut tx).await?;
            let value = change(&mut tx, now).await?;
            tx.commit().await?;
            Ok(value)
        })
        .await
    }

    /// Feeds every due timer of the database, as the sweep does. Returns how many.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn fire_due_timers(&self) -> Result<usize, StoreError> {
        timers::fire_due(self, TimeDelta::zero()).await
    }

    /// Admits what there is room for, for one client, once.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn admit(&self, client: ClientId) -> Result<Round, StoreError> {
        admission::round(self, client).await
    }

    /// What the dial job under this lease is to send, if it was submitted with its reservation; and the time
    /// from which the permission runs. Only once: whoever takes it sends it, or lets the permission run out.
    pub(crate) fn take_laid_out(&self, lease: Lease) -> Option<(ToSend, Instant)> {
        self.inner.laid_out.take(lease.token)
    }

    /// Whether [`Self::take_laid_out`] has something.
    pub(crate) fn has_laid_out(&self, lease: Lease) -> bool {
        self.inner.laid_out.has(lease.token)
    }

    /// No worker of this process takes anything out any more.
    pub(crate) fn clear_away(&self) {
        self.will_not_send(self.inner.laid_out.take_all());
    }

    /// Says of requests that they were not sent and will not be, so that nobody has to ask the carrier. Does
    /// not wait for it; [`Self::stop`] does.
    fn will_not_send(&self, requests: Vec<Unsent>) {
        for Unsent { attempt: AttemptRef { client, lead, number }, token } in requests {
            let engine = self.clone();
            self.inner.tasks.spawn(async move {
                let cause = "it was not sent".to_owned();
                let input = Input::NotSent { attempt: number, token, cause };
                if let Err(error) = engine.input(client, lead, input, None).await {
                    tracing::warn!(lead.id = %lead, %error, "that a request was not sent could not be recorded");
                }
            });
        }
    }

    /// Admits nobody any more, and waits for the round that is under way: what it laid out can then be
    /// cleared away, and what it claimed be given back.
    pub(crate) async fn stop_admitting(&self) {
        self.inner.stop_admitting.cancel();
        self.inner.admitting.close();
        self.inner.admitting.wait().await;
    }

    /// Stops the loops, and waits until what was begun has committed.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.stop_admitting().await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.sessions.release();
    }

    /// Whether the process is on its way out: long work is given back, to be gone on with elsewhere.
    pub fn is_stopping(&self) -> bool {
        self.inner.stop_admitting.is_cancelled() || self.inner.stop.is_cancelled()
    }

    fn admits_no_more(&self) -> &CancellationToken {
        &self.inner.stop_admitting
    }

    fn stopping(&self) -> &CancellationToken {
        &self.inner.stop
    }
}
