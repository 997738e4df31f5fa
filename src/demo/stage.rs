//! What the demo plays on: database, carrier, account, campaign, worker.

use std::sync::Arc;
use std::time::Duration;

use outdial_emulators::exotel as emulated;
use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::judging;
use outdial_jobs::operations::setup::{self, AccountSpec};
use outdial_jobs::providers::exotel::{Credentials, Exotel as Adapter, Settings};
use outdial_jobs::queue::Pace;
use outdial_jobs::seal::SealKey;
use outdial_jobs::store;
use outdial_jobs::worker::Worker;
use outdial_workflows::explain::Explanation;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::Rules;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::{Args, watch::Screen};
use crate::app::App;
use crate::config::{Global, Role};
use crate::http;
use crate::postgres::Embedded;

/// How much faster than life the emulated phones are: slow enough to watch.
const SPEED: f64 = 20.0;
/// The same where there are too many to watch.
const SPEED_OF_MANY: f64 = 100.0;
/// More leads than this are too many to watch.
const MANY: u32 = 100;
/// The flow that answers, built at the emulated carrier.
const FLOW: &str = "1001";

/// People of the shipped CSV who cannot be reached, however often they are tried.
fn unreached() -> [(&'static str, emulated::Scenario); 4] {
    use emulated::Scenario;
    [
        ("+911000000006", Scenario::no_answer()),
        ("+911000000011", Scenario::busy()),
        ("+15125550105", Scenario::no_answer()),
        ("+12065550108", Scenario::failed()),
    ]
}

/// Everything that runs during a demo.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) carrier: emulated::Exotel,
    pub(super) client: ClientId,
    pub(super) campaign: CampaignId,
    pub(super) address: Url,
    worker: Worker,
    http: JoinHandle<anyhow::Result<()>>,
    stop_http: CancellationToken,
}

impl Stage {
    pub(super) async fn set(global: &Global, args: &Args, screen: &Screen) -> anyhow::Result<Self> {
        screen.step("starting a private Postgres");
        let embedded = Embedded::open(global.throwaway()).await?;
        let database = embedded.url().to_owned();
        screen.step("starting an emulated carrier, which rings nobody");
        let carrier = emulated::Exotel::start(carrier(args)).await?;
        for (number, scenario) in unreached() {
            carrier.script(number, [scenario.clone(), scenario.clone(), scenario]);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        screen.step("starting the engine");
        let key = SealKey::parse(&SealKey::generate())?;
        let app = App::over(Some(embedded), &database, key, address.clone(), Arc::new(DatabaseClock)).await?;
        let client = setup::create_client(&app.engine, "Demo").await?;
        let campaign = campaign(&app, client, &carrier, args).await?;
        let worker = app.start_worker(&[Role::Api, Role::Worker], Pace::default()).await?;
        let stop_http = CancellationToken::new();
        let api = http::Api::new(app.engine.clone())?;
        let http = tokio::spawn(http::serve(listener, api, stop_http.clone().cancelled_owned()));
        Ok(Self { app, carrier, client, campaign, address, worker, http, stop_http })
    }

    /// Takes everything down, in order, and leaves nothing behind.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        self.worker.drain().await;
        self.carrier.stop().await;
        self.stop_http.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.http).await;
        self.app.close().await
    }

    /// The lead to whom most happened: its story shows the most.
    pub(super) async fn most_telling_lead(&self) -> anyhow::Result<Option<Explanation>> {
        let mut conn = self.app.engine.pool().acquire().await?;
        let nobody = LeadId(Uuid::nil());
        let page = store::judging::stored(&mut conn, self.client, nobody, None, 200).await?;
        drop(conn);
        let Some(lead) = page.iter().max_by_key(|stored| stored.events.len()) else { return Ok(None) };
        Ok(Some(judging::explain_lead(&self.app.engine, self.client, lead.lead).await?))
    }
}

/// The carrier: every number behaves in its own way, the same on every run.
fn carrier(args: &Args) -> emulated::Config {
    emulated::Config {
        speed: if args.leads.is_some_and(|n| n > MANY) { SPEED_OF_MANY } else { SPEED },
        fallback: emulated::Fallback::Mix,
        limits: emulated::Limits { calls_per_minute: None, ..emulated::Limits::default() },
        ..emulated::Config::default()
    }
}

async fn campaign(
    app: &App,
    client: ClientId,
    carrier: &emulated::Exotel,
    args: &Args,
) -> anyhow::Result<CampaignId> {
    let who = emulated::Account::default();
    let credentials =
        Credentials { account_sid: who.sid, api_key: who.api_key, api_token: who.api_token.into() };
    // What takes minutes with people takes seconds here.
    let settings = Settings {
        request_timeout_ms: 3_000,
        silence_ms: 6_000,
        ask_first_ms: 500,
        poll_first_ms: 4_000,
        ask_cap_ms: 4_000,
        absent_after_ms: Some(10_000),
        reads_per_minute: 199,
        ..Settings::default()
    };
    let at_once = args.max_concurrent.or(args.leads.map(|n| (n / 10).clamp(10, 500))).unwrap_or(10);
    let base_url = Url::parse(carrier.base_url())?;
    let spec = AccountSpec {
        limits: vec![Limit::Concurrent { max: at_once }],
        without_default_limits: true,
        ..AccountSpec::with::<Adapter>("Emulated Exotel", &base_url, &credentials, &settings)
    };
    let account = setup::create_account(&app.engine, client, spec).await?;
    let rules: Rules = serde_json::from_value(serde_json::json!({
        "calendar": "none",
        "caller_ids": ["+918040000000"],
        "agent": { "mode": "flow", "flow_id": FLOW },
        "ring_timeout_s": 30,
        "call_time_limit_s": 300,
        "retry": { "rules": {
            "no_answer": "2s",
            "busy": "3s",
            "unknown": "2s",
            "failed": { "first": "1s", "cap": "4s" },
        } },
    }))?;
    let spec = CampaignSpec { name: "Property enquiries", account, rules: &rules, actor: "the demo" };
    Ok(campaigns::create(&app.engine, client, spec).await?)
}
