//! `outdial campaign`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Ordered, Status};
use outdial_jobs::operations::setup;
use outdial_workflows::calendar::{Calendar, parse_zone};
use outdial_workflows::limits::Limit;
use outdial_workflows::rules::{Agent, Rules};
use serde_json::json;

use super::output::{Output, table};
use crate::app::App;

#[derive(Subcommand, Debug)]
pub(super) enum CampaignCommand {
    /// Make a campaign, in draft.
    Create(Box<Create>),
    /// Begin dialling.
    Start(Target),
    /// Stop dialling until resumed. Calls under way go on.
    Pause(Target),
    /// Dial again.
    Resume(Target),
    /// End it for good, and finish its leads. Calls under way go on.
    Cancel {
        #[command(flatten)]
        target: Target,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show how it stands.
    Status(Target),
}

#[derive(Args, Debug)]
pub(super) struct Target {
    /// Its name or id.
    campaign: String,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Its name, unique within the client.
    name: String,
    /// The account it dials from, by name or id.
    #[arg(long)]
    account: String,
    /// A JSON file with its rules; the flags below come on top.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The number that calls come from, as the account knows it.
    #[arg(long, env = "EXOTEL_VIRTUAL_NUMBER")]
    caller_id: Option<String>,
    /// The carrier's flow that answers; without it the carrier streams to us.
    #[arg(long, env = "EXOTEL_EXOPHLO_ID", value_name = "ID")]
    flow: Option<String>,
    /// When calling hours begin, by the called person's clock, as 10:00 or 10.
    #[arg(long, env = "CALLING_HOURS_START", value_name = "TIME")]
    hours_start: Option<String>,
    /// When they end.
    #[arg(long, env = "CALLING_HOURS_END", value_name = "TIME")]
    hours_end: Option<String>,
    /// On which days, as mon,tue,wed.
    #[arg(long, value_delimiter = ',')]
    days: Option<Vec<String>>,
    /// Call at all hours. Only for accounts whose carrier is emulated on this machine.
    #[arg(long, conflicts_with_all = ["hours_start", "hours_end", "days"])]
    open_calendar: bool,
    /// The zone of leads that name none, as Asia/Kolkata.
    #[arg(long)]
    zone: Option<String>,
    /// The most attempts for a lead.
    #[arg(long)]
    max_attempts: Option<u16>,
    /// The most calls at once.
    #[arg(long)]
    max_concurrent: Option<u32>,
    /// The most calls begun in a second.
    #[arg(long)]
    calls_per_second: Option<u32>,
    /// The longest call, in minutes.
    #[arg(long, env = "MAX_CALL_DURATION_MINUTES")]
    max_call_minutes: Option<u32>,
}

pub(super) async fn run(
    app: &App,
    command: CampaignCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<()> {
    match command {
        CampaignCommand::Create(create) => create.run(app, actor, output).await,
        CampaignCommand::Start(target) => target.order(app, Order::Start, actor, output).await,
        CampaignCommand::Pause(target) => target.order(app, Order::Pause, actor, output).await,
        CampaignCommand::Resume(target) => target.order(app, Order::Resume, actor, output).await,
        CampaignCommand::Cancel { target, yes } => {
            if !yes && !output.json && !confirmed(&target.campaign)? {
                bail!("nothing was changed");
            }
            target.order(app, Order::Cancel, actor, output).await
        }
        CampaignCommand::Status(target) => {
            let (client, campaign) = campaigns::find(&app.engine, &target.campaign).await?;
            let status = campaigns::status(&app.engine, client, campaign).await?;
            output.say(text_of(&status), &status);
            Ok(())
        }
    }
}

/// Ending a campaign cannot be undone.
fn confirmed(campaign: &str) -> anyhow::Result<bool> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        bail!("cancelling ends a campaign for good; say --yes if that is meant, or pause it");
    }
    #[expect(clippy::print_stderr, reason = "a question to a person")]
    {
        eprint!("End `{campaign}` for good and finish its leads? Type yes: ");
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

impl Target {
    async fn order(&self, app: &App, order: Order, actor: &str, output: &Output) -> anyhow::Result<()> {
        let (client, campaign) = campaigns::find(&app.engine, &self.campaign).await?;
        let reason = self.reason.as_deref();
        let ordered = campaigns::order(&app.engine, client, campaign, order, actor, reason).await?;
        output.say(told(&self.campaign, &ordered), &ordered);
        Ok(())
    }
}

fn told(campaign: &str, ordered: &Ordered) -> String {
    let already = if ordered.changed { "" } else { " already" };
    let underway = match ordered.underway.len() {
        0 => String::new(),
        n => format!("; {n} calls that were dialled before go on"),
    };
    format!("`{campaign}` is {}{already}{underway}", ordered.state.name())
}

fn text_of(status: &Status) -> String {
    let campaign = &status.campaign;
    let rows = |counts: &std::collections::BTreeMap<&'static str, i64>| {
        counts.iter().map(|(name, count)| vec![name.replace('_', " "), count.to_string()]).collect::<Vec<_>>()
    };
    let because = campaign.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "{} is {}, since {} by {}{because}\n{} leads, {} finished\n{}\n{}",
        campaign.name,
        campaign.state.name(),
        campaign.changed_at.format("%Y-%m-%d %H:%M:%S UTC"),
        campaign.changed_by,
        status.leads,
        status.finished,
        table(&["state", "leads"], rows(&status.by_state)),
        table(&["outcome", "leads"], rows(&status.by_outcome)),
    )
}

impl Create {
    async fn run(self, app: &App, actor: &str, output: &Output) -> anyhow::Result<()> {
        let (client, account) = setup::find_account(&app.engine, &self.account).await?;
        let rules = self.rules()?;
        let spec = CampaignSpec { name: &self.name, account, rules: &rules, actor };
        let campaign = campaigns::create(&app.engine, client, spec).await?;
        let value = json!({ "id": campaign, "name": self.name, "rules": rules });
        output.say(format!("made campaign `{}` ({campaign}), in draft", self.name), &value);
        Ok(())
    }

    fn rules(&self) -> anyhow::Result<Rules> {
        let mut rules = match &self.rules {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_str(&text)
                    .with_context(|| format!("{} is not a campaign's rules", path.display()))?
            }
            None => Rules::default(),
        };
        if let Some(calendar) = self.calendar()? {
            rules.calendar = calendar;
        }
        if let Some(zone) = &self.zone {
            rules.zone = Some(parse_zone(zone).context("--zone")?);
        }
        if let Some(attempts) = self.max_attempts {
            rules.retry.max_attempts = attempts.try_into().context("--max-attempts: give at least 1")?;
        }
        rules.limits.extend(self.max_concurrent.map(|max| Limit::Concurrent { max }));
        rules.limits.extend(self.calls_per_second.map(Limit::per_second));
        if let Some(minutes) = self.max_call_minutes {
            rules.call_time_limit_s = minutes.saturating_mul(60);
        }
        if let Some(flow_id) = &self.flow {
            rules.agent = Agent::Flow { flow_id: flow_id.clone() };
        }
        rules.caller_id = self.caller_id.clone().or(rules.caller_id);
        Ok(rules)
    }

    /// The calendar that the flags describe; `None` if they describe none.
    fn calendar(&self) -> anyhow::Result<Option<Calendar>> {
        if self.open_calendar {
            return Ok(Some(Calendar::Open));
        }
        if self.hours_start.is_none() && self.hours_end.is_none() && self.days.is_none() {
            return Ok(None);
        }
        let usual = ["mon", "tue", "wed", "thu", "fri", "sat"].map(str::to_owned).to_vec();
        let time = |given: &Option<String>, usual: &str| match given {
            Some(hour) if !hour.contains(':') => format!("{hour:0>2}:00"),
            Some(time) => time.clone(),
            None => usual.to_owned(),
        };
        let window = json!([{
            "days": self.days.clone().unwrap_or(usual),
            "from": time(&self.hours_start, "10:00"),
            "to": time(&self.hours_end, "19:00"),
        }]);
        Ok(Some(serde_json::from_value(window)?))
    }
}
