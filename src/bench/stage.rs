//! What a run happens on: database, carrier, account, campaign, worker, webhook route.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{self, Next};
use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::exotel::Settings;
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use outdial_jobs::store::{self, measure::Durability};
use outdial_jobs::worker::Worker;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Rules;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::provider::Provider;
use super::recorder::Recorder;
use super::{Args, Progress, cpu};
use crate::app::App;
use crate::config::{Global, Role};
use crate::http;
use crate::postgres::Embedded;

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
    worker: Worker,
    http: JoinHandle<anyhow::Result<()>>,
    stop_http: CancellationToken,
}

impl Stage {
    pub(super) async fn set(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Self> {
        progress.step("starting the database");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let app = open(global, address).await?;
        let mut conn = app.engine.pool().acquire().await?;
        let durability = store::measure::durability(&mut conn).await?;
        let postmaster = cpu::postmaster_of(store::measure::backend_pid(&mut conn).await?);
        drop(conn);
        progress.step("starting the carrier");
        let client = outdial_jobs::providers::exotel::http_client()?;
        let provider = match &args.provider_url {
            Some(url) => Provider::at(url.clone(), client),
            None => Provider::start(args.events, client).await?,
        };
        progress.step("starting the engine");
        let recorder = Arc::new(Recorder::default());
        let hearing = Arc::clone(&recorder);
        app.engine.observe(move |happened| hearing.hear(happened));
        let client = setup::create_client(&app.engine, &format!("Bench {}", Uuid::new_v4())).await?;
        let campaign = campaign(&app, client, &provider.url, args).await?;
        let worker = app.start_worker(&[Role::Api, Role::Worker], Pace::default()).await?;
        let stop_http = CancellationToken::new();
        let timing = Arc::clone(&recorder);
        let router = http::router(http::Api::new(app.engine.clone())?).layer(middleware::from_fn(
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
            worker,
            http,
            stop_http,
        })
    }

    /// Takes everything down, in order.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        self.worker.drain().await;
        self.provider.stop().await?;
        self.stop_http.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.http).await;
        self.app.close().await
    }
}

/// The database that was named, else a private one that is gone afterwards; both durable.
async fn open(global: &Global, address: Url) -> anyhow::Result<App> {
    let clock = Arc::new(DatabaseClock);
    if let Some(url) = &global.database_url {
        return App::over(None, url.expose_secret(), global.key()?, address, clock).await;
    }
    let embedded = Embedded::open(global.throwaway()).await?;
    let url = embedded.url().to_owned();
    let key = SealKey::parse(&SealKey::generate())?;
    App::over(Some(embedded), &url, key, address, clock).await
}

async fn campaign(app: &App, client: ClientId, provider: &Url, args: &Args) -> anyhow::Result<CampaignId> {
    let spec = AccountSpec {
        name: "Exotel",
        base_url: provider,
        credentials: args.credentials(),
        settings: Settings::default(),
        limits: (args.concurrency > 0)
            .then_some(Limit::Concurrent { max: args.concurrency })
            .into_iter()
            .collect(),
        without_default_limits: true,
    };
    let account = setup::create_account(&app.engine, client, spec).await?;
    // One attempt a lead: whatever comes of it ends the run.
    let rules: Rules = serde_json::from_value(serde_json::json!({
        "calendar": "none",
        "caller_ids": ["+918040000000"],
        "agent": { "mode": "flow", "flow_id": "1001" },
        "retry": { "max_attempts": 1 },
    }))?;
    let spec = CampaignSpec { name: "Lead runs", account, rules: &rules, actor: "the bench" };
    Ok(campaigns::create(&app.engine, client, spec).await?)
}
