//! A real database for each test: `mod support { pub(crate) mod cluster; }`, then [`TestDb::new`].
//!
//! One private cluster per test process, started by the first test that wants it. Nothing
//! is cleaned up here: statics are not dropped, and it is the cluster's watchdog that stops
//! the server and removes its directory once this process has ended, in whatever way.

#![allow(dead_code, reason = "each test file uses some of this")]

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use outdial::postgres::{Embedded, Lifetime, Options, Search};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, migrate::Migrator};
use tokio::sync::OnceCell;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The migrated database that the others are copies of.
const TEMPLATE: &str = "outdial_template";

/// Connections of a [`TestDb`]'s pool. The server takes 200 in all.
const POOL_MAX: u32 = 8;

static SHARED: OnceCell<Embedded> = OnceCell::const_new();

/// A migrated database of its own for one test. It is left to the end of the process.
pub(crate) struct TestDb {
    url: String,
    pool: PgPool,
}

impl TestDb {
    /// Copies the template, on the cluster that all tests of this process share.
    pub(crate) async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let cluster = SHARED.get_or_init(shared).await;
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        // The default strategy, through the log: copying files forces two checkpoints each time.
        let copy = format!("create database {name} template {TEMPLATE}");
        administer(cluster, &copy).await;
        let url = cluster.url_for(&name);
        Self { pool: pool(&url).await, url }
    }

    /// One without anything in it.
    pub(crate) async fn empty() -> Self {
        let database = Self::new().await;
        database.replace_with_empty().await;
        Self { pool: pool(&database.url).await, url: database.url }
    }

    /// Cuts everybody off and puts an empty database in its place, at the same address.
    pub(crate) async fn replace_with_empty(&self) {
        let cluster = SHARED.get().expect("it was started");
        let name = self.url.rsplit_once('/').map_or(&*self.url, |(_, name)| name);
        let name = name.split('?').next().unwrap_or(name);
        administer(cluster, &format!("drop database {name} with (force)")).await;
        administer(cluster, &format!("create database {name}")).await;
    }

    /// Carries out statements, as a superuser may.
    pub(crate) async fn carry_out(&self, statements: &str) {
        let mut admin = connect(&self.url).await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut admin)
            .await
            .expect("it may be done");
    }

    /// For whoever connects by itself, such as a second process.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A pool that belongs to this test's runtime.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// A cluster for one test alone, which may break it. It is gone when dropped.
pub(crate) struct TestCluster {
    cluster: Embedded,
}

impl TestCluster {
    /// A cluster with the migrated database `outdial`.
    pub(crate) async fn own() -> Self {
        let cluster = open().await;
        migrate(cluster.url()).await;
        Self { cluster }
    }

    /// The URL of the migrated database. It stays the same over restarts.
    pub(crate) fn url(&self) -> &str {
        self.cluster.url()
    }

    /// A new pool on the migrated database.
    pub(crate) async fn pool(&self) -> PgPool {
        pool(self.url()).await
    }

    /// Crashes the server and starts it again. What was committed is still there.
    pub(crate) async fn restart_immediate(&self) {
        let restarted = self.cluster.restart_immediate().await;
        restarted.expect("the server restarts");
    }

    /// Crashes the server, until [`TestCluster::start`].
    pub(crate) async fn stop_immediate(&self) {
        let stopped = self.cluster.stop_immediate().await;
        stopped.expect("the server stops");
    }

    /// Starts the server again.
    pub(crate) async fn start(&self) {
        self.cluster.start().await.expect("the server starts");
    }

    /// Cuts off every session but its own; answers how many there were.
    pub(crate) async fn kill_connections(&self) -> i64 {
        let mut admin = connect(self.url()).await;
        sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        .fetch_one(&mut admin)
        .await
        .expect("a superuser may end sessions")
    }
}

async fn shared() -> Embedded {
    let cluster = open().await;
    administer(&cluster, &format!("create database {TEMPLATE}")).await;
    migrate(&cluster.url_for(TEMPLATE)).await;
    // A session on the template would make every copy of it fail.
    administer(&cluster, &format!("alter database {TEMPLATE} allow_connections false")).await;
    cluster
}

async fn open() -> Embedded {
    let lifetime = Lifetime::Throwaway { under: fast_dir(), durable: false };
    let search = Search { path: std::env::var_os("PATH"), ..Search::default() };
    let options = Options { lifetime, search, settings: Vec::new() };
    Embedded::open(options).await.expect("a private Postgres starts")
}

/// Memory where there is plenty, as a database is some 300 files: a copy takes 10 ms
/// there, and 100 ms on a busy disk. Containers often have but 64 MB of it.
fn fast_dir() -> PathBuf {
    const PLENTY: u64 = 2 << 30;
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    if free >= PLENTY { memory.to_owned() } else { std::env::temp_dir() }
}

async fn migrate(url: &str) {
    let mut connection = connect(url).await;
    MIGRATOR.run(&mut connection).await.expect("the migrations apply");
    connection.close().await.expect("the session ends");
}

async fn administer(cluster: &Embedded, statement: &str) {
    let mut admin = connect(&cluster.url_for("postgres")).await;
    let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut admin).await;
    done.expect("a superuser may do this");
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the server takes connections")
}

/// Sessions plan as those of a serving process do.
pub(crate) fn as_in_service(url: &str) -> PgConnectOptions {
    let options: PgConnectOptions = url.parse().expect("a URL");
    options.options(outdial_jobs::store::PLANNING)
}

async fn pool(url: &str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(POOL_MAX);
    options.connect_with(as_in_service(url)).await.expect("the server takes connections")
}
