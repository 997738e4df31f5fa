//! How a campaign would go: what would become of each lead, and the whole played through on paper, with
//! its own leads and rules.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use outdial_workflows::Moment;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::gate::{GateFacts, MayCall, whereabouts};
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::limits::{Limit, pooled};
use outdial_workflows::places::Whereabouts;
use outdial_workflows::preview::{Group, Preview, Prospect, as_if_running, once_due, prospect};
use outdial_workflows::rules::Rules;
use outdial_workflows::simulate::{Assumed, Crowd, Simulated, Waiting, simulate as play};
use outdial_workflows::why::Why;
use outdial_workflows::workflow::{State, Workflow};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{OperationError, campaigns, playbooks};
use crate::engine::numbers::{Numbers, before_numbers};
use crate::engine::{AccountError, Engine};
use crate::store::campaigns::CampaignFacts;
use crate::store::workflows::Seen;
use crate::store::{self, StoreError};

/// How many leads are read at once.
const PAGE: i64 = 1_000;

/// What would become of a campaign's leads if it dialled now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LaunchPreview {
    /// All of its leads.
    pub leads: u64,
    /// Leads that would be called as soon as limits leave room.
    pub now: u64,
    /// Leads that would be called later, by themselves.
    pub later: u64,
    /// Leads for which somebody has to mend something.
    pub held: u64,
    /// Leads that would be finished without another call.
    pub never: u64,
    /// The same, and those under way and finished, per reason.
    pub groups: Vec<Group>,
    /// What keeps all of them from being called.
    pub blockers: Vec<String>,
}

/// Asks the gate about each lead of a campaign as if the campaign and its account dialled; nothing is
/// written, and nobody is called. `progress` is told how many leads have been read.
///
/// # Errors
/// If the campaign does not exist.
pub async fn preview(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    mut progress: impl FnMut(u64),
) -> Result<LaunchPreview, OperationError> {
    let mut walk = Walk::of(engine, client, campaign).await?;
    let mut preview = Preview::default();
    let mut leads = 0;
    while let Some(page) = walk.page(engine).await? {
        leads += page.len() as u64;
        for looked in page {
            match &looked.found {
                Err(error) => preview.add_held(looked.lead, "unreadable", error.to_string()),
                Ok(_) if looked.quarantined => {
                    let reason = "in quarantine: see its error, mend it and release it";
                    preview.add_held(looked.lead, "quarantined", reason.into());
                }
                Ok((workflow, facts)) => {
                    preview.add(looked.lead, prospect(workflow, facts, walk.rules.as_deref(), walk.now));
                }
            }
        }
        progress(leads);
    }
    let blockers = blockers(engine, client, &walk).await?;
    let of = |prospect| preview.of(prospect);
    let (now, later) = (of(Prospect::Now), of(Prospect::Later));
    let (held, never) = (of(Prospect::Held), of(Prospect::Never));
    Ok(LaunchPreview { leads, now, later, held, never, groups: preview.groups(), blockers })
}

/// What keeps every lead of the campaign from being called, besides that it is not started.
async fn blockers(engine: &Engine, client: ClientId, walk: &Walk) -> Result<Vec<String>, OperationError> {
    let facts = &walk.facts;
    let mut blockers = vec![];
    if !facts.enabled {
        blockers.push("the carrier account is disabled".into());
    }
    if facts.paused {
        blockers.push("the carrier account or the client is paused: resume it".into());
    }
    if let Some(until) = facts.resting_until.filter(|until| *until > walk.now) {
        blockers.push(format!("the carrier account rests until {}", until.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    let mut conn = engine.pool().acquire().await?;
    let carrier = engine.carriers().get(&mut conn, client, facts.account, facts.account_version).await;
    drop(conn);
    match carrier {
        Ok(_) => {}
        Err(AccountError::Store(error)) => return Err(error.into()),
        Err(error) => blockers.push(format!("the carrier account cannot be opened: {error}")),
    }
    match &walk.rules {
        None => blockers.push("the campaign's rules come from a newer version".into()),
        Some(rules) => {
            if rules.caller_ids.is_empty() {
                blockers.push("the campaign names no number to call from: give it one by --caller-id".into());
            }
            blockers.extend(playbooks::missing(engine, client, &rules.agent).await?);
            if let Err(error) = limits(engine, client, walk.campaign, rules).await {
                blockers.push(error.to_string());
            }
        }
    }
    Ok(blockers)
}

/// Plays a campaign through from now on, as if it were started; nothing is written, and nobody is
/// called. `progress` is told how many leads have been read.
///
/// # Errors
/// If more than all calls are assumed to be answered or to find the line busy, the campaign does not exist, or
/// its rules or limits cannot be read.
pub async fn simulate(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    assumed: Assumed,
    mut progress: impl FnMut(u64),
) -> Result<Simulated, OperationError> {
    if u16::from(assumed.answered_percent) + u16::from(assumed.busy_percent) > 100 {
        let problem =
            "of a hundred calls no more than a hundred can be answered or find the line busy".into();
        return Err(OperationError::Invalid { place: "answered_percent".into(), problem });
    }
    let (_, rules) = campaigns::rules(engine, client, campaign).await?;
    let limits = limits(engine, client, campaign, &rules).await?;
    let mut walk = Walk::of(engine, client, campaign).await?;
    let now = walk.now;
    let mut crowds = Crowds { rules: &rules, now, due: BTreeMap::new(), held: BTreeMap::new() };
    let mut read = 0;
    while let Some(page) = walk.page(engine).await? {
        read += page.len() as u64;
        page.into_iter().for_each(|looked| crowds.add(looked));
        progress(read);
    }
    let (rules, held) = (rules.clone(), crowds.held);
    let crowds = crowds.due.into_iter().map(|(place, leads)| Crowd { place, leads }).collect();
    let played = tokio::task::spawn_blocking(move || play(&rules, &limits, crowds, assumed, now));
    let mut played =
        played.await.map_err(|_| OperationError::NotPossible("the simulation broke off".into()))?;
    for (why, leads) in held {
        played.leads += leads;
        *played.held.entry(why).or_default() += leads;
    }
    Ok(played)
}

/// A lead of a campaign, with what the gate would be told of it.
struct Looked {
    lead: LeadId,
    quarantined: bool,
    /// Facts as if the campaign ran; of a lead that does not wait, only what is known without its number.
    found: Result<(Workflow, GateFacts), StoreError>,
}

/// A walk over a campaign's leads.
struct Walk {
    client: ClientId,
    campaign: CampaignId,
    facts: CampaignFacts,
    rules: Option<Arc<Rules>>,
    now: Moment,
    after: LeadId,
}

impl Walk {
    async fn of(engine: &Engine, client: ClientId, campaign: CampaignId) -> Result<Self, OperationError> {
        let mut conn = engine.pool().acquire().await?;
        let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
        let not_found = || OperationError::NotFound { kind: "campaign", given: campaign.to_string() };
        let facts = facts.ok_or_else(not_found)?;
        let now = engine.now_in(&mut conn).await?;
        drop(conn);
        let rules = engine.rules(client, campaign, facts.revision).await?;
        Ok(Self { client, campaign, facts, rules, now, after: LeadId(Uuid::nil()) })
    }

    /// The next leads; `None` once all have been read. A row that cannot be read spoils its own lead alone.
    async fn page(&mut self, engine: &Engine) -> Result<Option<Vec<Looked>>, OperationError> {
        let page = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            self.read(&mut conn).await
        });
        let page: Vec<Looked> = page.await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = last.lead;
        Ok(Some(page))
    }

    async fn read(&self, conn: &mut PgConnection) -> Result<Vec<Looked>, StoreError> {
        let (client, campaign) = (self.client, self.campaign);
        let seen = store::workflows::page_of_campaign(conn, client, campaign, self.after, PAGE).await?;
        let waits = |seen: &&Seen| seen.workflow.as_ref().is_ok_and(|its| its.state == State::Waiting);
        let waiting: Vec<Uuid> = seen.iter().filter(waits).map(|seen| seen.lead.0).collect();
        let mut told = HashMap::new();
        let mut asked = vec![];
        for contact in store::leads::load(conn, client, &waiting).await? {
            match contact {
                Ok(contact) => {
                    let rules = self.rules.as_deref();
                    let (facts, needs) = before_numbers(&self.facts, true, &contact, rules);
                    asked.extend(contact.phone.clone().map(|phone| (phone, needs)));
                    told.insert(contact.lead, Ok(facts));
                }
                Err((lead, error)) => drop(told.insert(lead, Err(error))),
            }
        }
        let numbers = Numbers::read(conn, client, &asked, self.now).await?;
        let looked = seen.into_iter().map(|seen| {
            let facts = told.remove(&seen.lead).unwrap_or_else(|| Ok(GateFacts::default()));
            let found = seen.workflow.and_then(|workflow| {
                let mut facts = facts?;
                numbers.add_to(&mut facts, campaign);
                Ok((workflow, as_if_running(facts)))
            });
            Looked { lead: seen.lead, quarantined: seen.quarantined, found }
        });
        Ok(looked.collect())
    }
}

/// All that hold for the campaign: its own, and those of its numbers, its account and its client.
async fn limits(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    rules: &Rules,
) -> Result<Vec<Limit>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let not_found = |kind| OperationError::NotFound { kind, given: campaign.to_string() };
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    let facts = facts.ok_or_else(|| not_found("campaign"))?;
    let account = store::accounts::read(&mut conn, client, facts.account).await?;
    let account = account.ok_or_else(|| not_found("account of campaign"))?;
    let clients = store::clients::limits(&mut conn, client).await?;
    let clients = clients.ok_or_else(|| not_found("client of campaign"))?;
    let numbers = store::numbers::of_account(&mut conn, client, facts.account).await?;
    let parsed = |limits: serde_json::Value, whose: &str| {
        let limits = serde_json::from_value::<Vec<Limit>>(limits);
        limits.map_err(|_| OperationError::NotPossible(format!("the limits of the {whose} cannot be read")))
    };
    let of_pool = rules.caller_ids.iter().map(|number| {
        let known = numbers.iter().find(|known| known.number == *number);
        known.map_or(Ok(vec![]), |known| parsed(known.limits.clone(), &format!("number {number}")))
    });
    let mut limits = pooled(&of_pool.collect::<Result<Vec<_>, _>>()?);
    limits.extend(parsed(account.limits, "account")?);
    limits.extend(parsed(clients, "client")?);
    limits.extend(rules.limits.iter().copied());
    Ok(limits)
}

/// Leads by where they may be.
struct Crowds<'a> {
    rules: &'a Rules,
    now: Moment,
    due: BTreeMap<Option<Whereabouts>, Vec<Waiting>>,
    held: BTreeMap<String, u64>,
}

impl Crowds<'_> {
    fn add(&mut self, looked: Looked) {
        match looked.found {
            Err(error) => self.hold(error.to_string()),
            Ok(_) if looked.quarantined => self.hold("in quarantine".into()),
            Ok((workflow, facts)) => match workflow.state {
                State::Waiting => self.wait(&workflow, facts),
                State::Held => self.hold(format!("held already: {}", workflow.why.name().replace('_', " "))),
                State::Dialling | State::Calling | State::Settling | State::Finished => {}
            },
        }
    }

    fn wait(&mut self, workflow: &Workflow, facts: GateFacts) {
        let due = match once_due(workflow, &facts, Some(self.rules), self.now) {
            (due, MayCall::Now { .. }) => due,
            // The hours are the lane's, which looks at them again and again.
            (due, MayCall::NotBefore(_, Why::WindowClosed { .. } | Why::Holiday { .. })) => due,
            (_, MayCall::NotBefore(at, _)) => at,
            (_, MayCall::Held(why)) => return self.hold(why.to_string()),
            (_, MayCall::Never(why)) => return self.hold(format!("would not be called: {why}")),
        };
        let place = match self.rules.calendar {
            Calendar::Open => None,
            Calendar::Weekly(_) => match whereabouts(&facts, self.rules.zone) {
                Ok(place) => Some(place),
                Err(why) => return self.hold(why.to_string()),
            },
        };
        let waiting = Waiting { due, attempts: workflow.tried(), tried: facts.tried };
        self.due.entry(place).or_default().push(waiting);
    }

    fn hold(&mut self, why: String) {
        *self.held.entry(why).or_default() += 1;
    }
}
