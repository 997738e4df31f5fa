//! Campaigns: making them, and what people order for them.

use std::collections::{BTreeMap, HashMap};

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::happening::{self, CampaignEvent};
use outdial_workflows::hours::{LaneState, lane_visits};
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, JobId, LaneId};
use outdial_workflows::rules::Rules;

use serde_json::json;

use super::hanging_up::HungUp;
use super::{By, OperationError, Part, name_of, named, playbooks, the_one};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job, end_campaign::EndCampaign};
use crate::providers::Provider;
use crate::providers::caller_ids::{self, NotACallerId};
use crate::store::attempts::Underway;
use crate::store::audit::Entry;
use crate::store::queue::NewJob;
use crate::store::{self, StoreError};

/// A campaign to be made.
#[derive(Clone, Debug)]
pub struct CampaignSpec<'a> {
    /// Its name, unique within the client.
    pub name: &'a str,
    /// The account it dials from.
    pub account: AccountId,
    /// Its first rules.
    pub rules: &'a Rules,
    /// Who makes it.
    pub actor: &'a str,
}

/// Makes a campaign, in draft.
///
/// # Errors
/// If a rule cannot be kept, the name is taken, or the account or the playbook does not exist.
pub async fn create(
    engine: &Engine,
    client: ClientId,
    spec: CampaignSpec<'_>,
) -> Result<CampaignId, OperationError> {
    check(spec.rules)?;
    let name = name_of("campaign", spec.name)?;
    playbooks::check_named(engine, client, spec.rules).await?;
    let mut tx = engine.pool().begin().await?;
    let account = store::accounts::read(&mut tx, client, spec.account).await?;
    let given = spec.account.to_string();
    let account = account.ok_or(OperationError::NotFound { kind: "account", given })?;
    check_calendar(spec.rules, account.emulated)?;
    check_caller_ids(spec.rules, account.provider)?;
    let now = engine.now_in(&mut tx).await?;
    let new = store::campaigns::NewCampaign {
        id: CampaignId::new(now),
        lane: LaneId::new(now),
        account: spec.account,
        name,
        rules: spec.rules,
        actor: spec.actor,
    };
    let made = store::campaigns::insert(&mut tx, client, &new, now).await;
    made.map_err(|error| named("campaign", spec.name, error))?;
    tx.commit().await?;
    Ok(new.id)
}

/// Makes a campaign like another, in draft: the same account and rules under another name, without leads.
///
/// # Errors
/// If the name is taken, the other does not exist, or its rules come from a newer version.
pub async fn clone(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    name: &str,
    actor: &str,
) -> Result<CampaignId, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    drop(conn);
    let given = campaign.to_string();
    let account = facts.ok_or(OperationError::NotFound { kind: "campaign", given })?.account;
    let (_, rules) = rules(engine, client, campaign).await?;
    create(engine, client, CampaignSpec { name, account, rules: &rules, actor }).await
}

fn check(rules: &Rules) -> Result<(), OperationError> {
    let checked = rules.check();
    checked.map_err(|error| OperationError::Invalid { place: error.place.into(), problem: error.problem })
}

/// Whether the account's carrier has numbers like those that calls are to come from.
fn check_caller_ids(rules: &Rules, provider: Provider) -> Result<(), OperationError> {
    let mut checked = rules.caller_ids.iter().map(|number| caller_ids::check(provider, number));
    let invalid = |problem: NotACallerId| OperationError::Invalid {
        place: "caller_ids".into(),
        problem: problem.to_string(),
    };
    checked.find_map(Result::err).map_or(Ok(()), |problem| Err(invalid(problem)))
}

fn check_calendar(rules: &Rules, emulated: bool) -> Result<(), OperationError> {
    if rules.calendar != Calendar::Open || emulated {
        return Ok(());
    }
    let problem = "the open calendar is only for accounts whose carrier is emulated on this machine; \
                   give the campaign calling hours"
        .into();
    Err(OperationError::Invalid { place: "calendar".into(), problem })
}

/// A campaign's present rules and their revision.
///
/// # Errors
/// If the campaign does not exist, or its rules come from a newer version.
pub async fn rules(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
) -> Result<(Revision, Rules), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    let given = campaign.to_string();
    let facts = facts.ok_or(OperationError::NotFound { kind: "campaign", given })?;
    drop(conn);
    let rules = engine.rules(client, campaign, facts.revision).await?;
    let unreadable = || OperationError::NotPossible("its rules cannot be read by this version".into());
    Ok((facts.revision, rules.as_deref().cloned().ok_or_else(unreadable)?))
}

/// Gives a campaign new rules, as a new revision. Attempts that were reserved under the old ones are
/// judged again before they are sent; leads that wait are judged by the new ones when their turn comes.
/// `from`: the revision that the edit was made on; another person's edit since is not overwritten.
///
/// # Errors
/// If a rule cannot be kept, the playbook does not exist, or the campaign has another revision by now.
pub async fn edit(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    from: Revision,
    rules: &Rules,
    by: By<'_>,
) -> Result<Revision, OperationError> {
    check(rules)?;
    // Before the barrier is taken: what is there is not taken away.
    playbooks::check_named(engine, client, rules).await?;
    let edited = engine.forbid(client, async |conn, now| {
        if store::campaigns::lock_state(conn, client, campaign).await?.is_none() {
            return Ok(Err(OperationError::NotFound { kind: "campaign", given: campaign.to_string() }));
        }
        let Some(facts) = store::campaigns::facts(conn, client, &[campaign.0]).await?.pop() else {
            return Ok(Err(OperationError::NotFound { kind: "campaign", given: campaign.to_string() }));
        };
        if facts.revision != from {
            let text = format!(
                "it was edited meanwhile: it has revision {} now, and this edit was made on {}; look again",
                facts.revision.0, from.0
            );
            return Ok(Err(OperationError::EditedMeanwhile(text)));
        }
        if let Err(error) = check_calendar(rules, facts.emulated) {
            return Ok(Err(error));
        }
        if let Some(account) = store::accounts::read(conn, client, facts.account).await?
            && let Err(error) = check_caller_ids(rules, account.provider)
        {
            return Ok(Err(error));
        }
        let next = Revision(from.0 + 1);
        store::campaigns::revise(conn, client, campaign, next, rules, by.actor, now).await?;
        let details = json!({ "revision": next.0 });
        let (action, subject, id) = ("edit", "campaign", campaign.0);
        let By { actor, reason } = by;
        store::audit::note(
            conn,
            client,
            Entry { actor, action, subject, id, reason, details: &details },
            now,
        )
        .await?;
        store::notify(conn, &EDITED.payload(client)).await?;
        Ok(Ok(next))
    });
    let next = edited.await??;
    engine.hub().signal(client, EDITED);
    Ok(next)
}

const EDITED: Signal = Signal { jobs: false, admission: true };

/// The campaigns of a client: all, or the one with a name.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    name: Option<&str>,
    part: Part,
) -> Result<Vec<store::campaigns::Campaign>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let only = match name {
        Some(name) => match store::campaigns::named(&mut conn, client, name).await? {
            Some(campaign) => Some(campaign),
            None => return Ok(vec![]),
        },
        None => None,
    };
    Ok(store::campaigns::page(&mut conn, client, only, part).await?)
}

/// Whose campaign this is. By its id alone: a name may look like another's id.
///
/// # Errors
/// If there is none.
pub async fn client_of(engine: &Engine, campaign: CampaignId) -> Result<ClientId, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::campaigns::client_of(&mut conn, campaign).await?;
    the_one("campaign", &campaign.to_string(), found)
}

/// The campaign with this id or name.
///
/// # Errors
/// If there is none, or more than one.
pub async fn find(engine: &Engine, given: &str) -> Result<(ClientId, CampaignId), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::campaigns::find(&mut conn, given).await?;
    the_one("campaign", given, found)
}

/// What may be ordered for a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin dialling.
    Start,
    /// Stop dialling until resumed; calls under way go on.
    Pause,
    /// Dial again.
    Resume,
    /// End it for good; calls under way go on, and its leads are finished.
    Cancel,
}

impl Order {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    /// The state that follows from `from`; `None` if the order makes no sense there.
    fn leads_to(self, from: CampaignState) -> Option<CampaignState> {
        use CampaignState::{Draft, Ended, Paused, Running};
        match (self, from) {
            (Self::Start, Draft | Running | Paused) | (Self::Resume, Paused | Running) => Some(Running),
            (Self::Pause, Running | Paused) => Some(Paused),
            (Self::Cancel, Draft | Running | Paused | Ended) => Some(Ended),
            (Self::Start | Self::Resume | Self::Pause, Ended) | (Self::Resume | Self::Pause, Draft) => None,
        }
    }
}

/// How an order went.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Ordered {
    /// Where the campaign stands now.
    pub state: CampaignState,
    /// Whether that is a change.
    pub changed: bool,
    /// Attempts that were committed to before: their calls go on. No other is submitted.
    pub underway: Vec<Underway>,
    /// What becomes of those calls, if they were ordered to end; see [`hang_up`](super::hanging_up::hang_up).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hung_up: Option<HungUp>,
}

/// Carries an order out. Once this returns for a pause or a cancel, no attempt of the
/// campaign becomes submitted; `underway` lists those that were.
///
/// # Errors
/// If the campaign does not exist, or the order makes no sense where it stands.
pub async fn order(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    order: Order,
    actor: &str,
    reason: Option<&str>,
) -> Result<Ordered, OperationError> {
    order_until(engine, client, campaign, order, actor, reason, None).await
}

/// As [`order`]; a pause resumes by itself at `resume_at`.
///
/// # Errors
/// As [`order`].
pub async fn order_until(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    order: Order,
    actor: &str,
    reason: Option<&str>,
    resume_at: Option<Moment>,
) -> Result<Ordered, OperationError> {
    let resume_at = resume_at.filter(|_| order == Order::Pause);
    let carry_out = async |conn: &mut sqlx::PgConnection, now| {
        let Some(from) = store::campaigns::lock_state(conn, client, campaign).await? else {
            return Ok(Err(OperationError::NotFound { kind: "campaign", given: campaign.to_string() }));
        };
        let Some(state) = order.leads_to(from) else {
            let text = format!("a campaign that is {} cannot be told to {}", from.name(), order.name());
            return Ok(Err(OperationError::NotPossible(text)));
        };
        let changed = state != from;
        if changed || resume_at.is_some() {
            let by = By { actor, reason };
            store::campaigns::set_state(conn, client, campaign, state, by, resume_at, now).await?;
            let details = json!({ "from": from.name(), "to": state.name(), "resume_at": resume_at });
            let (action, subject, id) = (order.name(), "campaign", campaign.0);
            store::audit::note(
                conn,
                client,
                Entry { actor, action, subject, id, reason, details: &details },
                now,
            )
            .await?;
        }
        let by = happening::Ordered { actor: actor.to_owned(), reason: reason.map(str::to_owned) };
        if let Some(turned) = CampaignEvent::turned(from, state, by, resume_at) {
            store::journal::tell(conn, (client, campaign), &turned, now).await?;
        }
        if changed && order == Order::Cancel {
            let job =
                EndCampaign { client, campaign, actor: actor.to_owned(), reason: reason.map(str::to_owned) };
            queue_bulk(conn, client, EndCampaign::KIND, &job, now).await?;
        }
        let signal = Signal { jobs: order == Order::Cancel, admission: true };
        store::notify(conn, &signal.payload(client)).await?;
        let underway = store::attempts::underway(conn, client, Some(campaign), None).await?;
        Ok(Ok((Ordered { state, changed, underway, hung_up: None }, signal)))
    };
    let (ordered, signal) = match order {
        Order::Pause | Order::Cancel => engine.forbid(client, carry_out).await??,
        Order::Start | Order::Resume => engine.allow(carry_out).await??,
    };
    tracing::info!(campaign.id = %campaign, order = order.name(), state = ordered.state.name(), actor, "a campaign was ordered");
    engine.hub().signal(client, signal);
    Ok(ordered)
}

async fn queue_bulk(
    conn: &mut sqlx::PgConnection,
    client: ClientId,
    kind: &'static str,
    job: &impl serde::Serialize,
    now: Moment,
) -> Result<(), StoreError> {
    let args = serde_json::to_value(job).unwrap_or_default();
    let job = NewJob { id: JobId::new(now), kind, step: None, args, priority: 3, born_claimed: None };
    store::queue::insert(conn, client, &[job], now).await?;
    Ok(())
}

/// How a campaign stands.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: store::campaigns::Campaign,
    /// Leads by where they stand.
    pub by_state: BTreeMap<String, i64>,
    /// Finished leads by outcome.
    pub by_outcome: BTreeMap<String, i64>,
    /// All leads.
    pub leads: i64,
    /// Finished leads.
    pub finished: i64,
    /// The lanes of its leads, by place.
    pub lanes: Vec<LaneStatus>,
}

/// How a lane stands.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LaneStatus {
    /// Where its people may be, as `Asia/Kolkata;IN`; empty if that is not known, or not told apart.
    pub place: String,
    /// Where its calling hours stand, within the campaign's time. `None` without a place and where the
    /// campaign's rules cannot be read: then the gate decides about each lead.
    pub hours: Option<LaneState>,
    /// Leads that wait in it.
    pub waiting: i64,
}

/// The campaign itself.
///
/// # Errors
/// If it does not exist.
pub async fn one(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
) -> Result<store::campaigns::Campaign, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::campaigns::page(&mut conn, client, Some(campaign), Part::newest(1)).await?;
    the_one("campaign", &campaign.to_string(), found)
}

/// How a campaign stands, from the statistics: no lead is counted.
///
/// # Errors
/// If the campaign does not exist.
pub async fn status(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Status, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::campaigns::page(&mut conn, client, Some(campaign), Part::newest(1)).await?;
    let row = the_one("campaign", &campaign.to_string(), found)?;
    let mut status = Status {
        campaign: row,
        by_state: Default::default(),
        by_outcome: Default::default(),
        leads: 0,
        finished: 0,
        lanes: vec![],
    };
    let mut waiting: HashMap<LaneId, i64> = HashMap::new();
    for standing in store::statistics::of_campaign(&mut conn, client, campaign).await? {
        status.leads += standing.count;
        *status.by_state.entry(standing.state.name().to_owned()).or_default() += standing.count;
        if standing.state == outdial_workflows::workflow::State::Finished {
            status.finished += standing.count;
            let outcome = standing.outcome.map_or("cancelled", |outcome| outcome.name());
            *status.by_outcome.entry(outcome.to_owned()).or_default() += standing.count;
        }
        if standing.state == outdial_workflows::workflow::State::Waiting {
            *waiting.entry(standing.lane).or_default() += standing.count;
        }
    }
    let now = engine.now_in(&mut conn).await?;
    let rules = engine.rules_in(&mut conn, client, campaign, Revision(status.campaign.revision)).await?;
    for (lane, place) in store::lanes::places(&mut conn, client, campaign).await? {
        let known = rules.as_deref().zip(place.parse().ok());
        let hours = known.map(|(rules, place)| lane_visits(rules, &place, now));
        let waiting = waiting.get(&lane).copied().unwrap_or_default();
        status.lanes.push(LaneStatus { place, hours, waiting });
    }
    Ok(status)
}
