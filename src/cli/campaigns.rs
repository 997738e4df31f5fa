//! `outdial campaign`.

use std::num::NonZeroU16;
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{DateTime, FixedOffset};
use clap::{Args, Subcommand};
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order, Ordered, Status};
use outdial_jobs::operations::{By, recurring, setup};
use outdial_jobs::store::recurring::Action;
use outdial_workflows::Moment;
use outdial_workflows::calendar::{Calendar, parse_zone};
use outdial_workflows::call::CallerId;
use outdial_workflows::hours::LaneState;
use outdial_workflows::packs::{Purpose, Voice};
use outdial_workflows::pool::NumberChoice;
use outdial_workflows::rules::changes::{RuleChange, changes};
use outdial_workflows::rules::{Agent, Rules};
use serde_json::json;

use super::confirmed;
use super::consents::{named, purpose};
use super::forecast::{self, People};
use super::limits::LimitFlags;
use super::orders::moment;
use super::output::{Output, table};
use crate::app::App;

#[derive(Subcommand, Debug)]
pub(super) enum CampaignCommand {
    /// Make a campaign, in draft.
    Create(Box<Create>),
    /// Begin dialling.
    Start(Target),
    /// Stop dialling until resumed. Calls under way go on.
    Pause {
        #[command(flatten)]
        target: Target,
        /// Resume by itself then: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
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
    /// Change its rules, also while it runs: a new revision, which leads are judged by from now on.
    Edit {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        rules: Box<RuleFlags>,
        /// Only show what would change.
        #[arg(long)]
        preview: bool,
    },
    /// Ask about each lead, as if it dialled now: who would be called, who later, who not, and why? Nobody is
    /// called.
    Preview {
        /// Its name or id.
        campaign: String,
    },
    /// Play it through on paper: when would it be over, and what holds it up? Nobody is called.
    Simulate {
        /// Its name or id.
        campaign: String,
        #[command(flatten)]
        people: People,
    },
    /// Start it, pause it or go through it again, at set times.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Show how it stands.
    Status(Target),
}

#[derive(Subcommand, Debug)]
pub(super) enum ScheduleCommand {
    /// Set a recurring order up.
    Add {
        #[command(flatten)]
        target: Target,
        /// What: start, pause, or again (start, and try every finished lead anew that may be called).
        #[arg(long = "do", value_parser = action)]
        action: Action,
        /// When: second, minute, hour, day of month, month, weekday, as '0 30 9 * * Mon-Fri'.
        #[arg(long)]
        cron: String,
        /// By whose clock, as Asia/Kolkata.
        #[arg(long, default_value = "UTC")]
        zone: String,
    },
    /// List a campaign's recurring orders.
    List(Target),
    /// Take a recurring order back.
    Remove {
        /// Its id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

fn number_choice(text: &str) -> Result<NumberChoice, String> {
    named(&text.replace('-', "_"))
}

fn action(text: &str) -> Result<Action, String> {
    match text {
        "start" => Ok(Action::Start),
        "pause" => Ok(Action::Pause),
        "again" => Ok(Action::Again),
        _ => Err(format!("`{text}` is none of: start, pause, again")),
    }
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
    #[command(flatten)]
    rules: RuleFlags,
}

/// A campaign's rules, as flags.
#[derive(Args, Debug)]
pub(super) struct RuleFlags {
    /// A JSON file with its rules; the flags below come on top.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A number that calls come from, as the account knows it; several with commas, or given again and again.
    #[arg(long, env = "EXOTEL_VIRTUAL_NUMBER", value_delimiter = ',', value_name = "NUMBER")]
    caller_id: Vec<String>,
    /// How one of several numbers is picked: round_robin, sticky (the one that called the lead last) or
    /// same_area (the nearest to the lead's own).
    #[arg(long, value_parser = number_choice)]
    number_choice: Option<NumberChoice>,
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
    /// What the calls are for: marketing, service or collections. It decides which rules of a country hold.
    #[arg(long, value_parser = purpose)]
    purpose: Option<Purpose>,
    /// Whose voice people hear: artificial, recorded or human. It decides which rules hold, too.
    #[arg(long, value_parser = named::<Voice>)]
    voice: Option<Voice>,
    /// Nobody is called before then: as 2026-01-14T10:00:00+05:30.
    #[arg(long, value_name = "TIME")]
    starts_at: Option<DateTime<FixedOffset>>,
    /// Nobody is called from then on.
    #[arg(long, value_name = "TIME")]
    ends_at: Option<DateTime<FixedOffset>>,
    /// The most attempts on one number in a day, over all campaigns of the client.
    #[arg(long, value_name = "N")]
    per_day: Option<NonZeroU16>,
    /// The most attempts for a lead.
    #[arg(long)]
    max_attempts: Option<u16>,
    #[command(flatten)]
    limits: LimitFlags,
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
        CampaignCommand::Pause { target, until } => target.pause(app, until.as_deref(), actor, output).await,
        CampaignCommand::Edit { target, rules, preview } => {
            target.edit(app, &rules, preview, actor, output).await
        }
        CampaignCommand::Preview { campaign } => forecast::preview(app, &campaign, output).await,
        CampaignCommand::Simulate { campaign, people } => {
            forecast::simulate(app, &campaign, &people, output).await
        }
        CampaignCommand::Schedule(command) => schedule(app, command, actor, output).await,
        CampaignCommand::Resume(target) => target.order(app, Order::Resume, actor, output).await,
        CampaignCommand::Cancel { target, yes } => {
            let question = format!("End `{}` for good and finish its leads?", target.campaign);
            if !yes && !output.json && !confirmed(&question)? {
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

impl Target {
    async fn order(&self, app: &App, order: Order, actor: &str, output: &Output) -> anyhow::Result<()> {
        let (client, campaign) = campaigns::find(&app.engine, &self.campaign).await?;
        let reason = self.reason.as_deref();
        let ordered = campaigns::order(&app.engine, client, campaign, order, actor, reason).await?;
        output.say(told(&self.campaign, &ordered), &ordered);
        Ok(())
    }

    async fn pause(
        &self,
        app: &App,
        until: Option<&str>,
        actor: &str,
        output: &Output,
    ) -> anyhow::Result<()> {
        let (client, campaign) = campaigns::find(&app.engine, &self.campaign).await?;
        let resume_at = match until {
            Some(given) => Some(moment(given, app.engine.now().await?)?),
            None => None,
        };
        let (pause, reason) = (Order::Pause, self.reason.as_deref());
        let ordered =
            campaigns::order_until(&app.engine, client, campaign, pause, actor, reason, resume_at).await?;
        output.say(told(&self.campaign, &ordered), &ordered);
        Ok(())
    }

    async fn edit(
        &self,
        app: &App,
        flags: &RuleFlags,
        preview: bool,
        actor: &str,
        output: &Output,
    ) -> anyhow::Result<()> {
        let (client, campaign) = campaigns::find(&app.engine, &self.campaign).await?;
        let (revision, before) = campaigns::rules(&app.engine, client, campaign).await?;
        let after = flags.over(before.clone())?;
        let changes = changes(&serde_json::to_value(&before)?, &serde_json::to_value(&after)?);
        if changes.is_empty() {
            bail!("these are the campaign's rules already: nothing was changed");
        }
        let listed =
            changes.iter().map(|RuleChange { rule, before, after }| format!("  {rule}: {before} → {after}"));
        let listed = listed.collect::<Vec<_>>().join("\n");
        if preview {
            output.say(
                format!("would change:\n{listed}"),
                &json!({ "revision": revision, "changes": changes }),
            );
            return Ok(());
        }
        let by = By { actor, reason: self.reason.as_deref() };
        let revision = campaigns::edit(&app.engine, client, campaign, revision, &after, by).await?;
        let text = format!("`{}` has revision {} now:\n{listed}", self.campaign, revision.0);
        output.say(text, &json!({ "revision": revision, "changes": changes }));
        Ok(())
    }
}

async fn schedule(app: &App, command: ScheduleCommand, actor: &str, output: &Output) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::Add { target, action, cron, zone } => {
            let (client, campaign) = campaigns::find(&app.engine, &target.campaign).await?;
            let by = By { actor, reason: target.reason.as_deref() };
            let added = recurring::add(&app.engine, client, campaign, &cron, &zone, action, by).await?;
            let next = added.next_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
            let text = format!("scheduled ({}); the first time is {}", added.id, next.unwrap_or_default());
            output.say(text, &added);
        }
        ScheduleCommand::List(target) => {
            let (_, campaign) = campaigns::find(&app.engine, &target.campaign).await?;
            let found = recurring::list(&app.engine, campaign).await?;
            let time = |at: Option<Moment>| {
                at.map_or("–".into(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
            };
            let rows = found.iter().map(|one| {
                let action = format!("{:?}", one.action).to_lowercase();
                let (next, last) = (time(one.next_at), time(one.last_at));
                let problem = one.last_error.clone().unwrap_or_default();
                vec![one.id.to_string(), action, one.cron.clone(), one.zone.clone(), next, last, problem]
            });
            output.say(table(&["id", "do", "cron", "zone", "next", "last", "problem"], rows), &found);
        }
        ScheduleCommand::Remove { id, reason } => {
            recurring::remove(&app.engine, &id, By { actor, reason: reason.as_deref() }).await?;
            output.say("removed", &json!({ "removed": id }));
        }
    }
    Ok(())
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
    ) + &lanes_of(status)
}

/// Nothing if the campaign's leads are not told apart by place.
fn lanes_of(status: &Status) -> String {
    if status.lanes.iter().all(|lane| lane.place.is_empty()) {
        return String::new();
    }
    let time = |at: &Moment| at.format("%a %Y-%m-%d %H:%M UTC").to_string();
    let rows = status.lanes.iter().filter(|lane| lane.waiting > 0 || !lane.place.is_empty()).map(|lane| {
        let hours = match &lane.hours {
            Some(LaneState::Open { closes_at: Some(at) }) => format!("open until {}", time(at)),
            Some(LaneState::Open { closes_at: None }) => "open".into(),
            Some(LaneState::Closed { opens_at, why }) => format!("closed until {}: {why}", time(opens_at)),
            Some(LaneState::Held { why }) => format!("held: {why}"),
            None if lane.place.is_empty() => "looked at lead by lead".into(),
            None => "the campaign's rules cannot be read".into(),
        };
        let place = if lane.place.is_empty() { "not told apart" } else { &lane.place };
        vec![place.to_owned(), lane.waiting.to_string(), hours]
    });
    format!("\n{}", table(&["lane", "waiting", "hours"], rows))
}

impl Create {
    async fn run(self, app: &App, actor: &str, output: &Output) -> anyhow::Result<()> {
        let (client, account) = setup::find_account(&app.engine, &self.account).await?;
        let rules = self.rules.over(Rules::default())?;
        let spec = CampaignSpec { name: &self.name, account, rules: &rules, actor };
        let campaign = campaigns::create(&app.engine, client, spec).await?;
        let value = json!({ "id": campaign, "name": self.name, "rules": rules });
        output.say(format!("made campaign `{}` ({campaign}), in draft", self.name), &value);
        Ok(())
    }
}

impl RuleFlags {
    fn file(&self) -> anyhow::Result<Option<Rules>> {
        let Some(path) = &self.rules else { return Ok(None) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let rules = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a campaign's rules", path.display()))?;
        Ok(Some(rules))
    }

    /// These flags on top of `rules`, or of the file that they name.
    fn over(&self, rules: Rules) -> anyhow::Result<Rules> {
        let mut rules = self.file()?.unwrap_or(rules);
        if let Some(calendar) = self.calendar()? {
            rules.calendar = calendar;
        }
        if let Some(zone) = &self.zone {
            rules.zone = Some(parse_zone(zone).context("--zone")?);
        }
        rules.purpose = self.purpose.unwrap_or(rules.purpose);
        rules.voice = self.voice.unwrap_or(rules.voice);
        rules.starts_at = self.starts_at.map(|at| at.to_utc()).or(rules.starts_at);
        rules.ends_at = self.ends_at.map(|at| at.to_utc()).or(rules.ends_at);
        rules.caps.per_day = self.per_day.or(rules.caps.per_day);
        if let Some(attempts) = self.max_attempts {
            rules.retry.max_attempts = attempts.try_into().context("--max-attempts: give at least 1")?;
        }
        rules.limits = self.limits.over(rules.limits)?;
        if let Some(minutes) = self.max_call_minutes {
            rules.call_time_limit_s = minutes.saturating_mul(60);
        }
        if let Some(flow_id) = &self.flow {
            rules.agent = Agent::Flow { flow_id: flow_id.clone() };
        }
        if !self.caller_id.is_empty() {
            let trimmed = self.caller_id.iter().map(|number| CallerId(number.trim().to_owned()));
            rules.caller_ids = trimmed.collect();
        }
        rules.number_choice = self.number_choice.unwrap_or(rules.number_choice);
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
