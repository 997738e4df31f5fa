//! `outdial campaign`.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use outdial_jobs::operations::campaigns::{Order, Ordered, Status};
use outdial_jobs::operations::hanging_up::HungUp;
use outdial_jobs::store::recurring::Action;
use outdial_workflows::Moment;
use outdial_workflows::calendar::{Calendar, TimeOfDay, parse_zone};
use outdial_workflows::call::CallerId;
use outdial_workflows::hours::LaneState;
use outdial_workflows::packs::{Purpose, Voice};
use outdial_workflows::pool::NumberChoice;
use outdial_workflows::rules::changes::{RuleChange, changes};
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::template::{Template, TemplateError};
use serde_json::{Value, json};
use url::Url;

use super::backend::Backend;
use super::confirmed;
use super::consents::{named, purpose};
use super::forecast::{self, People};
use super::limits::LimitFlags;
use super::orders::moment;
use super::output::{Output, table};
use crate::config::{NewCampaign, address, call_length, hours, time_of_day};

#[derive(Subcommand, Debug)]
pub(super) enum CampaignCommand {
    /// Make a campaign, in draft.
    Create(Box<Create>),
    /// Make a campaign like another, in draft: the same account and rules, without leads.
    Clone {
        /// The other's name or id.
        campaign: String,
        /// The new one's name, unique within the client.
        name: String,
    },
    /// List campaigns, the newest first.
    List {
        /// Only those of one client, by name or id.
        #[arg(long)]
        client: Option<String>,
        /// The most to show.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show its rules, defaults included.
    Rules {
        /// Its name or id.
        campaign: String,
    },
    /// Begin dialling.
    Start(Target),
    /// Stop dialling until resumed. Calls under way go on, unless told otherwise.
    Pause {
        #[command(flatten)]
        target: Target,
        /// End calls under way, as far as their carriers can.
        #[arg(long)]
        hang_up: bool,
        /// Resume by itself then: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Dial again.
    Resume(Target),
    /// End it for good, and finish its leads. Calls under way go on, unless told otherwise.
    Cancel {
        #[command(flatten)]
        target: Target,
        /// End calls under way, as far as their carriers can.
        #[arg(long)]
        hang_up: bool,
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
    /// Give out a link to its leads' status, for a cell of a Google Sheet. Anybody who has it can read numbers and
    /// outcomes, and it cannot be taken back by itself.
    StatusLink {
        #[command(flatten)]
        target: Target,
        /// Where `outdial serve` is reached from outside, as `https://calls.example.com`. A server knows that by
        /// itself.
        #[arg(id = "serve.public_url", long = "public-url", value_parser = address, value_name = "URL")]
        public_url: Option<Url>,
    },
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

fn variable(text: &str) -> Result<(String, Template), String> {
    let (name, template) = text.split_once('=').ok_or("give a name and a text, as greeting=Hello")?;
    Ok((name.trim().to_owned(), template.parse().map_err(|error: TemplateError| error.to_string())?))
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
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    caller_id: Vec<String>,
    /// How one of several numbers is picked: round_robin, sticky (the one that called the lead last) or
    /// same_area (the nearest to the lead's own).
    #[arg(long, value_parser = number_choice)]
    number_choice: Option<NumberChoice>,
    /// The playbook that our own agent goes by, to whom the carrier streams the call; see `outdial playbook list`.
    /// Without it, a flow or an agent, calls are closed once they are answered.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["agent", "flow"])]
    playbook: Option<String>,
    /// The flow of ours that calls go by: the carrier asks us, step by step, what to say and ask. With --playbook, our
    /// own agent talks in some of its steps.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["agent", "flow"])]
    ivr: Option<String>,
    /// Which version of it. Without it, the one that is the latest as a call begins.
    #[arg(long, value_name = "N", requires = "ivr")]
    ivr_version: Option<u32>,
    /// Which version of it. Without it, the one that is the latest as a call is made.
    #[arg(long, value_name = "N", requires = "playbook", conflicts_with = "ivr")]
    playbook_version: Option<u32>,
    /// The carrier's flow that answers; without it the carrier streams to us.
    #[arg(long, value_name = "ID", conflicts_with = "agent")]
    flow: Option<String>,
    /// The agent of the carrier's side that talks: Retell's agent id, or the name that a LiveKit worker registered
    /// under.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Which version of that agent. Without it, the one that its side takes by itself.
    #[arg(long, value_name = "VERSION", requires = "agent")]
    agent_version: Option<String>,
    /// What the agent is told before a call, as a variable of its prompts; again and again. The text may have
    /// places, as `greeting=Hello {{ lead.name | there }}`.
    #[arg(long, value_name = "NAME=TEXT", value_parser = variable)]
    tell: Vec<(String, Template)>,
    /// Tell the agent all further columns of the lead's list, too, by their names.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tell_attributes: Option<bool>,
    /// Record the calls.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    record: Option<bool>,
    /// When calling hours begin, by the called person's clock, as 10:00 or 10.
    #[arg(long, value_parser = time_of_day, value_name = "TIME")]
    hours_start: Option<TimeOfDay>,
    /// When they end.
    #[arg(long, value_parser = time_of_day, value_name = "TIME")]
    hours_end: Option<TimeOfDay>,
    /// On which days, as mon,tue,wed.
    #[arg(long, value_delimiter = ',')]
    days: Option<Vec<String>>,
    /// Call at all hours. Only for accounts whose carrier is emulated on this machine.
    #[arg(long, conflicts_with_all = ["hours_start", "hours_end", "days"])]
    open_calendar: bool,
    /// The zone of leads that name none, as Asia/Kolkata.
    #[arg(long, value_parser = parse_zone)]
    zone: Option<Tz>,
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
    /// The longest call, as 10min; a bare number counts minutes.
    #[arg(long, alias = "max-call-minutes", value_parser = call_length, value_name = "TIME")]
    max_call: Option<Duration>,
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: CampaignCommand,
    new: &NewCampaign,
    output: &Output,
) -> anyhow::Result<()> {
    match command {
        CampaignCommand::Create(create) => create.run(to, new, output).await,
        CampaignCommand::Clone { campaign, name } => {
            let made = to.clone_campaign(to.find_campaign(&campaign).await?, &name).await?;
            let value = json!({ "id": made, "name": name });
            output.say(format!("made campaign `{name}` ({made}) like `{campaign}`, in draft"), &value);
            Ok(())
        }
        CampaignCommand::List { client, limit } => list(to, client.as_deref(), limit, output).await,
        CampaignCommand::Rules { campaign } => {
            let (revision, rules) = to.campaign_rules(to.find_campaign(&campaign).await?).await?;
            let text = format!("revision {}\n{}", revision.0, rules_in_words(&serde_json::to_value(&rules)?));
            output.say(text, &json!({ "revision": revision, "rules": rules }));
            Ok(())
        }
        CampaignCommand::Start(target) => target.order(to, Order::Start, false, output).await,
        CampaignCommand::Pause { target, hang_up, until } => {
            target.pause(to, until.as_deref(), hang_up, output).await
        }
        CampaignCommand::Edit { target, rules, preview } => target.edit(to, &rules, preview, output).await,
        CampaignCommand::Preview { campaign } => forecast::preview(to, &campaign, output).await,
        CampaignCommand::Simulate { campaign, people } => {
            forecast::simulate(to, &campaign, &people, output).await
        }
        CampaignCommand::Schedule(command) => schedule(to, command, output).await,
        CampaignCommand::Resume(target) => target.order(to, Order::Resume, false, output).await,
        CampaignCommand::Cancel { target, hang_up, yes } => {
            let question = format!("End `{}` for good and finish its leads?", target.campaign);
            if !yes && !output.json && !confirmed(&question)? {
                bail!("nothing was changed");
            }
            target.order(to, Order::Cancel, hang_up, output).await
        }
        CampaignCommand::Status(target) => {
            let status = to.campaign_status(to.find_campaign(&target.campaign).await?).await?;
            output.say(text_of(&status), &status);
            Ok(())
        }
        CampaignCommand::StatusLink { target, public_url } => {
            let campaign = to.find_campaign(&target.campaign).await?;
            let url = to.status_link(campaign, public_url.as_ref(), target.reason.as_deref()).await?;
            let formula = format!("=IMPORTDATA(\"{url}\")");
            output.say(&formula, &json!({ "url": url, "formula": formula }));
            Ok(())
        }
    }
}

async fn list(to: &Backend<'_>, client: Option<&str>, limit: u32, output: &Output) -> anyhow::Result<()> {
    let client = match client {
        Some(client) => Some(to.find_client(client).await?),
        None => None,
    };
    let found = to.campaigns(client, limit as usize).await?;
    let names: BTreeMap<_, _> = to.clients().await?.into_iter().collect();
    let rows = found.iter().map(|listed| {
        let campaign = &listed.campaign;
        vec![
            campaign.name.clone(),
            names.get(&listed.client).cloned().unwrap_or_default(),
            campaign.state.name().to_owned(),
            campaign.changed_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            campaign.changed_by.clone(),
            campaign.revision.to_string(),
            campaign.id.to_string(),
        ]
    });
    let head = ["campaign", "client", "state", "since", "by", "revision", "id"];
    output.say(table(&head, rows), &found);
    Ok(())
}

/// Each rule by its name in the data, as `retry.max_attempts`.
fn rules_in_words(rules: &Value) -> String {
    fn tell(place: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(held) if !held.is_empty() => {
                for (name, value) in held {
                    let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                    tell(&place, value, rows);
                }
            }
            Value::String(text) => rows.push(vec![place.to_owned(), text.clone()]),
            Value::Null => rows.push(vec![place.to_owned(), "–".to_owned()]),
            other => rows.push(vec![place.to_owned(), other.to_string()]),
        }
    }
    let mut rows = vec![];
    tell("", rules, &mut rows);
    table(&["rule", "is"], rows)
}

impl Target {
    async fn order(
        &self,
        to: &Backend<'_>,
        order: Order,
        hang_up: bool,
        output: &Output,
    ) -> anyhow::Result<()> {
        let campaign = to.find_campaign(&self.campaign).await?;
        let ordered = to.order_campaign(campaign, order, self.reason.as_deref(), None, hang_up).await?;
        output.say(told(&self.campaign, &ordered), &ordered);
        Ok(())
    }

    async fn pause(
        &self,
        to: &Backend<'_>,
        until: Option<&str>,
        hang_up: bool,
        output: &Output,
    ) -> anyhow::Result<()> {
        let campaign = to.find_campaign(&self.campaign).await?;
        let resume_at = match until {
            Some(given) => Some(moment(given, to.now().await?)?),
            None => None,
        };
        let reason = self.reason.as_deref();
        let ordered = to.order_campaign(campaign, Order::Pause, reason, resume_at, hang_up).await?;
        output.say(told(&self.campaign, &ordered), &ordered);
        Ok(())
    }

    async fn edit(
        &self,
        to: &Backend<'_>,
        flags: &RuleFlags,
        preview: bool,
        output: &Output,
    ) -> anyhow::Result<()> {
        let campaign = to.find_campaign(&self.campaign).await?;
        let (revision, before) = to.campaign_rules(campaign).await?;
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
        let revision = to.edit_campaign(campaign, revision, &after, self.reason.as_deref()).await?;
        let text = format!("`{}` has revision {} now:\n{listed}", self.campaign, revision.0);
        output.say(text, &json!({ "revision": revision, "changes": changes }));
        Ok(())
    }
}

async fn schedule(to: &Backend<'_>, command: ScheduleCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::Add { target, action, cron, zone } => {
            let campaign = to.find_campaign(&target.campaign).await?;
            let added = to.add_schedule(campaign, action, (&cron, &zone), target.reason.as_deref()).await?;
            let next = added.next_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
            let text = format!("scheduled ({}); the first time is {}", added.id, next.unwrap_or_default());
            output.say(text, &added);
        }
        ScheduleCommand::List(target) => {
            let found = to.schedules(to.find_campaign(&target.campaign).await?).await?;
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
            to.remove_schedule(&id, reason.as_deref()).await?;
            output.say("removed", &json!({ "removed": id }));
        }
    }
    Ok(())
}

fn told(campaign: &str, ordered: &Ordered) -> String {
    let already = if ordered.changed { "" } else { " already" };
    let underway = underway(ordered.underway.len(), ordered.hung_up);
    format!("`{campaign}` is {}{already}{underway}", ordered.state.name())
}

/// What becomes of so many calls that were dialled before an order.
pub(super) fn underway(calls: usize, hung_up: Option<HungUp>) -> String {
    match (calls, hung_up) {
        (0, _) => String::new(),
        (n, None) => format!("; {n} calls that were dialled before go on"),
        (_, Some(HungUp { ending, going_on: 0, over })) => {
            format!("; {ending} calls are ended, {over} were over")
        }
        (_, Some(HungUp { ending, going_on, over })) => format!(
            "; {ending} calls are ended, {over} were over, and {going_on} go on: their carrier has no way to end them"
        ),
    }
}

fn text_of(status: &Status) -> String {
    let campaign = &status.campaign;
    let rows = |counts: &BTreeMap<String, i64>| {
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
    async fn run(self, to: &Backend<'_>, new: &NewCampaign, output: &Output) -> anyhow::Result<()> {
        let rules = self.rules.begun(new)?;
        let account = to.find_account(&self.account).await?;
        let campaign = to.create_campaign(account, &self.name, &rules).await?;
        let value = json!({ "id": campaign, "name": self.name, "rules": rules });
        output.say(format!("made campaign `{}` ({campaign}), in draft", self.name), &value);
        Ok(())
    }
}

impl RuleFlags {
    /// The rules of a new campaign: these flags on top of the file that they name, on top of what is configured.
    fn begun(&self, new: &NewCampaign) -> anyhow::Result<Rules> {
        let configured = new.rules()?;
        let rules = self.file(&configured)?.unwrap_or(configured);
        self.flags_over(rules, (new.hours_start, new.hours_end))
    }

    /// These flags on top of `rules`, or of the file that they name.
    fn over(&self, rules: Rules) -> anyhow::Result<Rules> {
        let rules = self.file(&Rules::default())?.unwrap_or(rules);
        self.flags_over(rules, (None, None))
    }

    /// The rules of the file; what it leaves out is as in `otherwise`.
    fn file(&self, otherwise: &Rules) -> anyhow::Result<Option<Rules>> {
        let Some(path) = &self.rules else { return Ok(None) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let wrong = || format!("{} is not a campaign's rules", path.display());
        // Read by itself first: what is wrong is told with its line.
        let _: Rules = serde_json::from_str(&text).with_context(wrong)?;
        let given: serde_json::Map<String, Value> = serde_json::from_str(&text).with_context(wrong)?;
        let mut all = serde_json::to_value(otherwise)?;
        if let Some(all) = all.as_object_mut() {
            // The one rule with two names.
            if given.contains_key("caller_id") {
                all.remove("caller_ids");
            }
            all.extend(given);
        }
        Ok(Some(serde_json::from_value(all).with_context(wrong)?))
    }

    /// Of hours, the end that the flags leave out is as in `usual`.
    fn flags_over(
        &self,
        mut rules: Rules,
        usual: (Option<TimeOfDay>, Option<TimeOfDay>),
    ) -> anyhow::Result<Rules> {
        if self.open_calendar {
            rules.calendar = Calendar::Open;
        } else if self.hours_start.is_some() || self.hours_end.is_some() || self.days.is_some() {
            let (start, end) = (self.hours_start.or(usual.0), self.hours_end.or(usual.1));
            rules.calendar = hours(self.days.as_deref(), start, end)?;
        }
        rules.zone = self.zone.or(rules.zone);
        rules.purpose = self.purpose.unwrap_or(rules.purpose);
        rules.voice = self.voice.unwrap_or(rules.voice);
        rules.starts_at = self.starts_at.map(|at| at.to_utc()).or(rules.starts_at);
        rules.ends_at = self.ends_at.map(|at| at.to_utc()).or(rules.ends_at);
        rules.caps.per_day = self.per_day.or(rules.caps.per_day);
        if let Some(attempts) = self.max_attempts {
            rules.retry.max_attempts = attempts.try_into().context("--max-attempts: give at least 1")?;
        }
        rules.limits = self.limits.over(rules.limits)?;
        if let Some(longest) = self.max_call {
            rules.call_time_limit_s = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
        }
        if let Some(playbook) = &self.playbook {
            rules.agent = Agent::Stream { playbook: Some(playbook.clone()), version: self.playbook_version };
        }
        if let Some(flow) = &self.ivr {
            let (flow, version, playbook) = (flow.clone(), self.ivr_version, self.playbook.clone());
            rules.agent = Agent::Ivr { flow, version, playbook };
        }
        if let Some(flow_id) = &self.flow {
            rules.agent = Agent::Flow { flow_id: flow_id.clone() };
        }
        if let Some(agent_id) = &self.agent {
            rules.agent = Agent::Hosted { agent_id: agent_id.clone(), version: self.agent_version.clone() };
        }
        rules.variables.extend(self.tell.iter().cloned());
        rules.pass_attributes = self.tell_attributes.unwrap_or(rules.pass_attributes);
        rules.record = self.record.unwrap_or(rules.record);
        if !self.caller_id.is_empty() {
            let trimmed = self.caller_id.iter().map(|number| CallerId(number.trim().to_owned()));
            rules.caller_ids = trimmed.collect();
        }
        rules.number_choice = self.number_choice.unwrap_or(rules.number_choice);
        Ok(rules)
    }
}
