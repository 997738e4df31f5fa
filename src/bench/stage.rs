//! What a run happens on: database, carrier, account, campaign, worker, webhook route.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{self, Next};
use outdial_emulators::exotel::Account;
use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::jobs::Job as _;
use outdial_jobs::jobs::converse::Converse;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::exotel::{Credentials, Exotel as Adapter, Settings};
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use outdial_jobs::store::{self, measure::Durability};
use outdial_jobs::worker::Worker;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Rules;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::provider::Provider;
use super::recorder::Recorder;
use super::{Progress, cpu};
use crate::app::App;
use crate::config::{Global, Role};
use crate::http;
use crate::postgres::Embedded;

/// What a stage is set with.
pub(super) struct Props<'a> {
    /// The carrier; our own emulator if none is named.
    pub(super) provider_url: Option<&'a Url>,
    /// What it knows us by.
    pub(super) credentials: Credentials,
    /// The most calls in flight; 0 sets no limit.
    pub(super) concurrency: u32,
    /// Whether the emulator reports the answer, too.
    pub(super) events: bool,
    /// How many nodes work.
    pub(super) nodes: u32,
    /// Nobody works at all.
    pub(super) idle: bool,
    /// Further settings of a private server.
    pub(super) settings: Vec<(String, String)>,
}

impl Default for Props<'_> {
    fn default() -> Self {
        let Account { sid, api_key, api_token } = Account::default();
        Self {
            provider_url: None,
            credentials: Credentials { account_sid: sid, api_key, api_token: api_token.into() },
            concurrency: 0,
            events: false,
            nodes: 1,
            idle: false,
            settings: vec![],
        }
    }
}

/// Everything that runs during a bench.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) provider: Provider,
    pub(super) client: ClientId,
    pub(super) campaign: CampaignId,
    pub(super) recorder: Arc<Recorder>,
    /// The database server, if it runs on this machine.
    pub(super) postmaster: Option<i32>,
    pub(super) durability: Durability,
    /// What a private server writes.
    pub(super) log: Option<PathBuf>,
    /// Where this process is reached.
    pub(super) address: Url,
    /// Further nodes, each over the same database.
    others: Vec<(App, Worker)>,
    worker: Option<Worker>,
    http: JoinHandle<anyhow::Result<()>>,
    stop_http: CancellationToken,
}

impl Stage {
    pub(super) async fn set(global: &Global, props: &Props<'_>, progress: &Progress) -> anyhow::Result<Self> {
        progress.step("starting the database");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let (app, place, log) = open(global, address.clone(), &props.settings).await?;
        let mut conn = app.engine.pool().acquire().await?;
        let durability = store::measure::durability(&mut conn).await?;
        let postmaster = cpu::postmaster_of(store::measure::backend_pid(&mut conn).await?);
        drop(conn);
        progress.step("starting the carrier");
        let client = outdial_jobs::providers::http_client()?;
        let provider = match props.provider_url {
            Some(url) => Provider::at(url.clone(), client),
            None => Provider::start(props.events, client).await?,
        };
        progress.step("starting the engine");
        let recorder = Arc::new(Recorder::default());
        let hearing = Arc::clone(&recorder);
        app.engine.observe(move |happened| hearing.hear(happened));
        let client = setup::create_client(&app.engine, &format!("Bench {}", Uuid::new_v4())).await?;
        let campaign = campaign(&app, client, &provider.url, props).await?;
        let worker = match props.idle {
            true => None,
            false => Some(
                app.start_worker(
                    &[Role::Api, Role::Worker],
                    Pace::default(),
                    (u16::try_from(Converse::SLOTS)?, None),
                )
                .await?,
            ),
        };
        let mut others = vec![];
        for _ in 1..props.nodes {
            let other = place.another().await?;
            let hearing = Arc::clone(&recorder);
            other.engine.observe(move |happened| hearing.hear(happened));
            let worker = other
                .start_worker(&[Role::Worker], Pace::default(), (u16::try_from(Converse::SLOTS)?, None))
                .await?;
            others.push((other, worker));
        }
        let stop_http = CancellationToken::new();
        let timing = Arc::clone(&recorder);
        // As many requests as a bench likes.
        let access = http::Access { requests_per_minute: None, ..http::Access::default() };
        let router = http::router(http::Api::with(app.engine.clone(), access)?).layer(middleware::from_fn(
            move |request: Request, next: Next| {
                let timing = Arc::clone(&timing);
                async move {
                    let (received, webhook) =
                        (Instant::now(), request.uri().path().starts_with("/webhooks/"));
                    let response = next.run(request).await;
                    if webhook && response.status().is_success() {
                        timing.webhook_taken(received.elapsed());
                    }
                    response
                }
            },
        ));
        let http = tokio::spawn(http::serve_router(listener, router, stop_http.clone().cancelled_owned()));
        Ok(Self {
            app,
            provider,
            client,
            campaign,
            recorder,
            postmaster,
            durability,
            log,
            address,
            others,
            worker,
            http,
            stop_http,
        })
    }

    /// Nobody works from now on.
    pub(super) async fn rest(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.drain().await;
        }
    }

    /// Takes everything down, in order.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        for (app, worker) in self.others {
            worker.drain().await;
            app.close().await?;
        }
        if let Some(worker) = self.worker {
            worker.drain().await;
        }
        self.provider.stop().await?;
        self.stop_http.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.http).await;
        self.app.close().await
    }
}

/// The database that was named, else a private one that is gone afterwards; both durable.
async fn open(
    global: &Global,
    address: Url,
    settings: &[(String, String)],
) -> anyhow::Result<(App, Place, Option<PathBuf>)> {
    let (embedded, place) = match &global.database_url {
        Some(url) => (None, Place { database: url.expose_secret().to_owned(), key: global.key()?, address }),
        None => {
            let mut options = global.throwaway();
            options.settings.extend_from_slice(settings);
            let embedded = Embedded::open(options).await?;
            let database = embedded.url().to_owned();
            (Some(embedded), Place { database, key: SealKey::parse(&SealKey::generate())?, address })
        }
    };
    let log = embedded.as_ref().map(Embedded::log);
    Ok((place.app(embedded).await?, place, log))
}

/// Where nodes meet.
struct Place {
    database: String,
    key: SealKey,
    /// Where the carrier reaches us.
    address: Url,
}

impl Place {
    async fn another(&self) -> anyhow::Result<App> {
        self.app(None).await
    }

    async fn app(&self, embedded: Option<Embedded>) -> anyhow::Result<App> {
        let (key, address) = (self.key.clone(), self.address.clone());
        App::over(embedded, &self.database, key, address, Arc::new(DatabaseClock)).await
    }
}

async fn campaign(
    app: &App,
    client: ClientId,
    provider: &Url,
    props: &Props<'_>,
) -> anyhow::Result<CampaignId> {
    let spec = AccountSpec {
        limits: (props.concurrency > 0)
            .then_some(Limit::Concurrent { max: props.concurrency })
            .into_iter()
            .collect(),
        without_default_limits: true,
        ..AccountSpec::with::<Adapter>("Exotel", provider, &props.credentials, &Settings::default())
    };
    let account = setup::create_account(&app.engine, client, spec).await?;
    // One attempt a lead: whatever comes of it ends the run. Where nobody is dialled the hours are those of
    // any campaign, so that each lead's place is looked up.
    let calendar = if props.idle { json!(Calendar::default()) } else { json!("none") };
    let rules: Rules = serde_json::from_value(json!({
        "calendar": calendar,
        "caller_ids": ["+918040000000"],
        "agent": { "mode": "flow", "flow_id": "1001" },
        "retry": { "max_attempts": 1 },
    }))?;
    let spec = CampaignSpec { name: "Lead runs", account, rules: &rules, actor: "the bench" };
    Ok(campaigns::create(&app.engine, client, spec).await?)
}
