//! What the demo plays on: database, carriers, accounts, campaigns, worker.

use std::sync::Arc;
use std::time::Duration;

use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::jobs::Job as _;
use outdial_jobs::jobs::converse::Converse;
use outdial_jobs::media::reception::Reception;
use outdial_jobs::media::speech::Speech;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::judging;
use outdial_jobs::operations::setup;
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

use super::{Args, talk, watch::Screen};
use crate::app::App;
use crate::config::{Global, Role};
use crate::http;
use crate::played::services::{Delays, Services};
use crate::played::{Manner, Played};
use crate::postgres::Embedded;

/// How much faster than life the emulated phones are: slow enough to watch.
const SPEED: f64 = 20.0;
/// The same where there are too many to watch.
const SPEED_OF_MANY: f64 = 100.0;
/// More leads than this are too many to watch.
const MANY: u32 = 100;
/// A carrier of the demo, and the campaign whose calls it makes.
pub(super) struct Part {
    pub(super) carrier: Played,
    pub(super) campaign: CampaignId,
}

/// Everything that runs during a demo.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) parts: Vec<Part>,
    pub(super) client: ClientId,
    pub(super) address: Url,
    services: Option<Services>,
    worker: Worker,
    http: JoinHandle<anyhow::Result<()>>,
    stop_http: CancellationToken,
}

impl Stage {
    pub(super) async fn set(global: &Global, args: &Args, screen: &Screen) -> anyhow::Result<Self> {
        screen.step("starting a private Postgres");
        let embedded = Embedded::open(global.throwaway()).await?;
        let database = embedded.url().to_owned();
        let mut carriers = vec![];
        for provider in args.provider.all() {
            screen.step(&format!("starting an emulated {}, which rings nobody", provider.title()));
            let carrier = Played::start(*provider, Manner { port: 0, speed: speed(args) }).await?;
            carrier.leave_unreached();
            carriers.push(carrier);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        screen.step("starting the engine");
        let key = SealKey::parse(&SealKey::generate())?;
        let app = App::over(Some(embedded), &database, key, address.clone(), Arc::new(DatabaseClock)).await?;
        let client = setup::create_client(&app.engine, "Demo").await?;
        let mut parts = vec![];
        for carrier in carriers {
            let campaign = campaign(&app, client, &carrier, &address, args).await?;
            parts.push(Part { carrier, campaign });
        }
        let services = if args.media { Some(talked_through(&app, screen).await?) } else { None };
        let worker = app.start_worker(&[Role::Api, Role::Worker], Pace::default(), Converse::SLOTS).await?;
        let stop_http = CancellationToken::new();
        let api = http::Api::new(app.engine.clone())?;
        let http = tokio::spawn(http::serve(listener, api, stop_http.clone().cancelled_owned()));
        Ok(Self { app, parts, client, address, services, worker, http, stop_http })
    }

    /// Takes everything down, in order, and leaves nothing behind.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        self.worker.drain().await;
        for part in self.parts {
            part.carrier.stop().await;
        }
        if let Some(services) = self.services {
            services.stop().await;
        }
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

/// Emulated services, through which this process holds conversations.
async fn talked_through(app: &App, screen: &Screen) -> anyhow::Result<Services> {
    screen.step("starting emulated services that recognise, answer and speak");
    let services = Services::start(talk::rules(), Delays::LIVELY).await?;
    app.engine.hold_conversations_at(Reception::new(Speech::new(services.settings()?)?));
    Ok(services)
}

fn speed(args: &Args) -> f64 {
    if args.media {
        return 1.0; // Nobody talks faster.
    }
    if args.leads.is_some_and(|n| n > MANY) { SPEED_OF_MANY } else { SPEED }
}

/// A campaign of its own with this carrier.
async fn campaign(
    app: &App,
    client: ClientId,
    carrier: &Played,
    address: &Url,
    args: &Args,
) -> anyhow::Result<CampaignId> {
    let at_once = args.max_concurrent.or(args.leads.map(|n| (n / 10).clamp(10, 500))).unwrap_or(10);
    let base_url = Url::parse(carrier.base_url())?;
    let title = carrier.provider().title();
    let name = format!("Emulated {title}");
    let spec = carrier.account(&name, &base_url, vec![Limit::Concurrent { max: at_once }]);
    let account = setup::create_account(&app.engine, client, spec).await?;
    let webhooks = format!("webhooks/{}/{client}/{account}", carrier.provider().name());
    carrier.send_webhooks_to(&address.join(&webhooks)?)?;
    let mut rules = serde_json::json!({
        "calendar": "none",
        "ring_timeout_s": 30,
        "call_time_limit_s": 300,
        "retry": { "rules": {
            "no_answer": "2s",
            "busy": "3s",
            "voicemail": "3s",
            "unknown": "2s",
            "failed": { "first": "1s", "cap": "4s" },
        } },
    });
    if let (Some(rules), Some(own)) = (rules.as_object_mut(), carrier.rules().as_object()) {
        rules.extend(own.clone());
        if args.media {
            let agent = serde_json::json!({ "mode": "stream", "playbook": talk::PLAYBOOK });
            rules.insert("agent".into(), agent);
        }
    }
    let rules: Rules = serde_json::from_value(rules)?;
    let name = format!("Property enquiries by {title}");
    let spec = CampaignSpec { name: &name, account, rules: &rules, actor: "the demo" };
    Ok(campaigns::create(&app.engine, client, spec).await?)
}
