//! A process, put together: database, engine, worker, HTTP.

use std::pin::pin;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use outdial_jobs::clock::{Clock, DatabaseClock};
use outdial_jobs::engine::{Engine, Parts};
use outdial_jobs::events::Courier;
use outdial_jobs::jobs::Job as _;
use outdial_jobs::jobs::analyse::Analyse;
use outdial_jobs::jobs::converse::Converse;
use outdial_jobs::media::reception::Reception;
use outdial_jobs::media::speech::Speech;
use outdial_jobs::node::{Node, Process};
use outdial_jobs::operations::setup;
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use outdial_jobs::worker::{Kinds, Worker};
use outdial_jobs::{store, sweeps};
use outdial_workflows::ids::NodeId;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::config::{Global, Role, Serving};
use crate::http;
use crate::postgres::Embedded;

/// Connections of the engine's pool; with the leases' three, a node stays under twenty.
const CONNECTIONS: u32 = 16;
/// Connections for leases and for the listener.
const LEASE_CONNECTIONS: u32 = 3;

/// The header by which an installation knows itself when it asks for its own health: its key's fingerprint.
pub const INSTALLATION: &str = "outdial-installation";

/// How long closing a pool may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Where connections lead: all to where the first did. A replica that takes over may lack commits, so that nothing is done
/// there until [`setup::check_place`] has looked, which it does as a process starts.
#[derive(Clone, Default)]
struct Place {
    first: Arc<OnceLock<String>>,
    moved: CancellationToken,
}

impl Place {
    fn kept_by(&self, options: PgPoolOptions) -> PgPoolOptions {
        let place = self.clone();
        options.after_connect(move |conn, _| {
            let place = place.clone();
            Box::pin(async move { place.check(&store::installation::place(conn).await?) })
        })
    }

    fn check(&self, here: &str) -> sqlx::Result<()> {
        let first = self.first.get_or_init(|| here.to_owned());
        if first == here {
            return Ok(());
        }
        self.moved.cancel();
        Err(sqlx::Error::Protocol(format!("the database was at {first}, and is at {here} now")))
    }
}

/// An open database with an engine over it.
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// Stopped when the app closes, if it is ours.
    embedded: Option<Embedded>,
    lease_pool: PgPool,
    pool: PgPool,
    place: Place,
}

impl App {
    /// Opens the database that the configuration names, brings its schema up to date, and makes sure
    /// that the key is its key.
    ///
    /// # Errors
    /// Whatever keeps it from that, with the remedy.
    pub async fn open(global: &Global, public_url: Url) -> anyhow::Result<Self> {
        let key = global.key()?;
        let app = match &global.database_url {
            Some(url) => {
                Self::over(None, url.expose_secret(), key, public_url, Arc::new(DatabaseClock)).await?
            }
            None => {
                let embedded = Embedded::open(global.kept()?).await?;
                let url = embedded.url().to_owned();
                Self::over(Some(embedded), &url, key, public_url, Arc::new(DatabaseClock)).await?
            }
        };
        app.engine.send_events_with(Courier::new(&global.allow_events_to)?);
        Ok(app)
    }

    /// Opens the database to be looked at. One that was named stays as it is, whatever its schema.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn as_it_is(global: &Global) -> anyhow::Result<Self> {
        // Nothing is dialled, so no carrier needs to reach us.
        let nowhere = Url::parse("http://127.0.0.1/")?;
        match &global.database_url {
            Some(url) => {
                let (url, key) = (url.expose_secret(), global.key()?);
                Self::assembled(None, url, key, nowhere, Arc::new(DatabaseClock)).await
            }
            None => Self::open(global, nowhere).await,
        }
    }

    /// Opens an app over a database that is there already.
    ///
    /// # Errors
    /// If it cannot be reached, migrated, or belongs to another key.
    pub async fn over(
        embedded: Option<Embedded>,
        url: &str,
        key: SealKey,
        public_url: Url,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let app = Self::assembled(embedded, url, key, public_url, clock).await?;
        store::installation::migrate(&app.pool)
            .await
            .context("the schema could not be brought up to date")?;
        setup::check_key(&app.engine).await?;
        setup::check_place(&app.engine).await?;
        sweeps::prepare(&app.engine).await?;
        Ok(app)
    }

    async fn assembled(
        embedded: Option<Embedded>,
        url: &str,
        key: SealKey,
        public_url: Url,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let place = Place::default();
        let pool = pool(url, CONNECTIONS, &place).await?;
        let lease_pool = pool_lazily(url, LEASE_CONNECTIONS, &place)?;
        let node = NodeId(Uuid::new_v4());
        let engine = Engine::new(Parts { pool: pool.clone(), clock, key, public_url, node });
        Ok(Self { engine, embedded, lease_pool, pool, place })
    }

    /// Starts working.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn start_worker(
        &self,
        roles: &[Role],
        pace: Pace,
        (seats, address): (u16, Option<Url>),
    ) -> anyhow::Result<Worker> {
        let talks = self.engine.reception().is_some();
        let node = Node {
            id: self.engine.node(),
            name: format!("outdial-{}", std::process::id()),
            process: Process::this(),
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
            seats: if talks { seats } else { 0 },
            address: address.filter(|_| talks),
            wall: outdial_jobs::node::wall,
        };
        let (engine, leases) = (self.engine.clone(), self.lease_pool.clone());
        Ok(Worker::start_with(engine, node, leases, kinds(roles, seats.into(), talks), pace).await?)
    }

    /// Closes the database, and stops it if it is ours.
    ///
    /// # Errors
    /// If our Postgres could not be stopped.
    pub async fn close(self) -> anyhow::Result<()> {
        self.engine.stop().await;
        // A connection that does not answer does not keep the process.
        for pool in [&self.pool, &self.lease_pool] {
            let _ = tokio::time::timeout(CLOSED_WITHIN, pool.close()).await;
        }
        if let Some(embedded) = self.embedded {
            embedded.close().await?;
        }
        Ok(())
    }
}

/// What a process of these roles runs. Whoever works may have to end the conversations of one that died; whoever only
/// holds conversations runs nothing else, but for looking at what was said: it takes the same model.
fn kinds(roles: &[Role], seats: usize, talks: bool) -> Kinds {
    let mut kinds = Kinds::registered();
    if roles.contains(&Role::Media) {
        for (kind, slots) in &mut kinds.slots {
            if *kind == Converse::KIND {
                *slots = seats;
            }
        }
    }
    if !roles.contains(&Role::Worker) {
        kinds.slots.retain(|(kind, _)| [Converse::KIND, Analyse::KIND].contains(kind));
    }
    if !talks {
        kinds.slots.retain(|(kind, _)| *kind != Analyse::KIND);
    }
    kinds
}

/// Serves until told to stop: `outdial serve`.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn serve(global: &Global, serving: &Serving) -> anyhow::Result<()> {
    if let Some(point) = &serving.crash_at {
        outdial_jobs::crash::arm(point)?;
    }
    // Heard from the first moment on: what is told to stop while it starts has nothing under way.
    let mut stop = pin!(stop_signal());
    let listener = TcpListener::bind(serving.listen);
    let listener = listener.await.with_context(|| format!("cannot listen on {}", serving.listen))?;
    let address = listener.local_addr()?;
    let public_url = match &serving.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}"))?,
    };
    let app = tokio::select! {
        app = App::open(global, public_url.clone()) => app?,
        () = &mut stop => return Ok(()),
    };
    app.engine.read_sheets_at(&serving.sheets())?;
    if let Some(recordings) = &serving.recordings {
        app.engine.keep_recordings_at(recordings.clone());
    }
    app.engine.keep_for(serving.retention.kept());
    let mut pace = serving.pace();
    if serving.role.contains(&Role::Media)
        && let Some(settings) = serving.speech.settings()
    {
        app.engine.hold_conversations_at(Reception::new(Speech::new(settings)?));
        pace.drain = pace.drain.max(Duration::from_secs(serving.drain_s.into()));
    }
    let works = serving.role.iter().any(|role| matches!(role, Role::Worker | Role::Media));
    let worker = match works {
        true => {
            Some(app.start_worker(&serving.role, pace, (serving.seats, serving.address(address)?)).await?)
        }
        false => None,
    };
    tracing::info!(%address, public_url = %public_url, "serving");
    let api = http::Api::with(app.engine.clone(), serving.access())?;
    let drained = CancellationToken::new();
    let listening = http::serve(listener, api, drained.clone().cancelled_owned());
    // Carriers are heard until nothing is under way any more.
    let moved = app.place.moved.clone();
    let working = async {
        tokio::select! {
            () = stop => {}
            // Nothing can be ended in peace: whatever it has begun belongs to a database that is gone. Whoever keeps it
            // running starts it again, and then it looks where it is.
            () = moved.cancelled() => anyhow::bail!(
                "the database is another than it was: a replica took over, or a copy took its place; start anew"
            ),
        }
        tracing::info!("stopping");
        if let Some(worker) = worker {
            worker.drain().await;
        }
        drained.cancel();
        Ok(())
    };
    tokio::try_join!(listening, working)?;
    app.close().await
}

/// Resolves when the process is asked to end. Listens from the call on, not only once it is awaited:
/// nobody who asks meanwhile is overheard.
pub fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

async fn pool(url: &str, connections: u32, place: &Place) -> anyhow::Result<PgPool> {
    let options = place.kept_by(store::pool_options(connections));
    let pool = options.connect_with(connect_options(url)?).await;
    pool.context("the database cannot be reached; check DATABASE_URL")
}

fn pool_lazily(url: &str, connections: u32, place: &Place) -> anyhow::Result<PgPool> {
    let options = place.kept_by(store::pool_options(connections));
    Ok(options.connect_lazy_with(connect_options(url)?))
}

fn connect_options(url: &str) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).context("DATABASE_URL is not a Postgres URL")?;
    // A session that was left in the middle of a transaction must not hold its locks for long.
    Ok(options.application_name("outdial").options(store::PLANNING).options([
        ("idle_in_transaction_session_timeout", "10s"),
        // A statement whose asker is gone ends, and lets its locks go.
        ("client_connection_check_interval", "5s"),
    ]))
}
