//! Those who are multiplied: leads that run with every carrier, wait, are held, are in calls and in quarantine.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use outdial_emulators::carrier::Quirk;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::setup;
use outdial_jobs::providers::Provider;
use outdial_jobs::store;
use outdial_workflows::ids::CampaignId;
use outdial_workflows::input::Command;
use outdial_workflows::rules::Rules;
use serde_json::json;

use super::super::stage::Stage;
use super::super::{LOOK, Progress, STANDSTILL};
use crate::demo::people;
use crate::played::{Manner, Played};

/// How much faster than life the emulated phones are.
const SPEED: f64 = 50.0;
/// How many people of each campaign are called until they are finished or wait for another call.
const CALLED: usize = 40;
/// How many have still to be called, and how many of these are held.
const SCHEDULED: usize = 36;
const HELD: usize = 2;
/// How many are in a call.
const IN_CALLS: usize = 3;
/// Longer than the bench takes to look.
const LONG: Duration = Duration::from_secs(7_000);

/// A carrier, and the campaign that it made the calls of.
pub(super) struct Part {
    carrier: Played,
    pub(super) campaign: CampaignId,
}

impl Part {
    pub(super) async fn stop(self) {
        self.carrier.stop().await;
    }
}

/// Has a small campaign run with each carrier, up to where some wait, some are in calls and most are finished; and takes
/// all of them as models.
pub(super) async fn play(stage: &Stage, progress: &Progress) -> anyhow::Result<Vec<Part>> {
    progress.step("running those who are multiplied");
    let mut people = people::generate(10_000).filter(|lead| lead.phone.as_str().starts_with("+91"));
    let mut parts = vec![];
    for provider in Provider::ALL {
        parts.push(part(stage, *provider).await?);
    }
    let (engine, client) = (&stage.app.engine, stage.client);
    for part in &parts {
        let called: Vec<LeadSpec> = people.by_ref().take(CALLED).collect();
        leads::accept(engine, client, part.campaign, &called).await?;
    }
    let mut conn = engine.pool().acquire().await?;
    store::seed::queue_poison(&mut conn, client, engine.now().await?).await?;
    until(async || {
        let soon = engine.now().await? + TimeDelta::minutes(30);
        let still = store::seed::stands_still(&mut conn, client, soon).await?;
        Ok(still && store::seed::aside(&mut conn, client).await? > 0)
    })
    .await
    .context("those who are called do not come to an end")?;
    for part in &parts {
        wait_for_tomorrow(stage, part, people.by_ref().take(SCHEDULED).collect()).await?;
    }
    let mut conn = engine.pool().acquire().await?;
    let least = i64::try_from(parts.len())?;
    for part in &parts {
        let talking: Vec<LeadSpec> = people.by_ref().take(IN_CALLS - 1).collect();
        for lead in &talking {
            part.carrier.script_first(lead.phone.as_str(), Some(LONG), &[]);
        }
        leads::accept(engine, client, part.campaign, &talking).await?;
    }
    until(async || Ok(store::seed::in_calls(&mut conn, client).await?[1] >= least))
        .await
        .context("nobody is called")?;
    // Only then, since a dial without an answer is looked after within seconds.
    for part in &parts {
        let silent: Vec<LeadSpec> = people.by_ref().take(1).collect();
        for lead in &silent {
            let quirk = Quirk::Hang { accepted: true, times: 1 };
            part.carrier.script_first(lead.phone.as_str(), Some(LONG), &[quirk]);
        }
        leads::accept(engine, client, part.campaign, &silent).await?;
    }
    until(async || Ok(store::seed::in_calls(&mut conn, client).await?[0] > 0))
        .await
        .context("nobody is being dialled")?;
    store::seed::take_models(&mut conn, client).await?;
    Ok(parts)
}

async fn until(mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so().await? {
        anyhow::ensure!(began.elapsed() < STANDSTILL, "it took longer than {} s", STANDSTILL.as_secs());
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Some who are due tomorrow, of whom a few are held.
async fn wait_for_tomorrow(stage: &Stage, part: &Part, people: Vec<LeadSpec>) -> anyhow::Result<()> {
    let (engine, client) = (&stage.app.engine, stage.client);
    let tomorrow = engine.now().await? + TimeDelta::days(1);
    let accepted =
        leads::accept_due(engine, client, part.campaign, &people, Some(tomorrow), "the bench").await?;
    for lead in accepted.leads.iter().take(HELD) {
        leads::order(engine, client, *lead, Command::Pause, "the bench", Some("asked to wait")).await?;
    }
    Ok(())
}

async fn part(stage: &Stage, provider: Provider) -> anyhow::Result<Part> {
    let (engine, client) = (&stage.app.engine, stage.client);
    let carrier = Played::start(provider, Manner { port: 0, speed: SPEED }).await?;
    let base_url = carrier.base_url().parse()?;
    let title = provider.title();
    let name = format!("Emulated {title}");
    let account = setup::create_account(engine, client, carrier.account(&name, &base_url, vec![])).await?;
    let webhooks = format!("webhooks/{}/{client}/{account}", provider.name());
    carrier.send_webhooks_to(&stage.address.join(&webhooks)?)?;
    // Of two carriers whoever was not reached is soon tried again, of the others tomorrow.
    let again = if matches!(provider, Provider::Exotel | Provider::Retell) { "1s" } else { "20h" };
    let mut rules = json!({
        "calendar": "none",
        "ring_timeout_s": 30,
        "call_time_limit_s": 7_200,
        "retry": { "max_attempts": 2, "rules": {
            "no_answer": again, "busy": again, "voicemail": again, "unknown": again,
            "failed": { "first": again, "cap": again },
        } },
    });
    if let (Some(rules), Some(own)) = (rules.as_object_mut(), carrier.rules().as_object()) {
        rules.extend(own.clone());
    }
    let rules: Rules = serde_json::from_value(rules)?;
    let name = format!("Enquiries by {title}");
    let spec = CampaignSpec { name: &name, account, rules: &rules, actor: "the bench" };
    let campaign = campaigns::create(engine, client, spec).await?;
    campaigns::order(engine, client, campaign, Order::Start, "the bench", None).await?;
    Ok(Part { carrier, campaign })
}
