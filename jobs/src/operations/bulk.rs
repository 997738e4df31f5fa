//! Orders for many leads: previewed, carried out by a job, stopped.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, JobId, LeadId, new_id};
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::{Priority, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{By, OperationError, Part, the_one};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job, bulk::Bulk};
use crate::store::audit::Entry;
use crate::store::bulk::{BulkOperation, BulkState, Place, Standing, Tally};
use crate::store::queue::NewJob;
use crate::store::statistics::Reasoned;
use crate::store::{self, StoreError};

/// How many leads the walk passes in one look at the database.
pub const PAGE: i64 = 2_000;
/// The most leads that a filter names one by one.
const LEADS: usize = 1_000;
/// A preview looks at no more leads than this, where they have to be looked at: beyond, it says "more than".
const PREVIEW: u64 = 20_000;

/// Which leads are meant. Everything that is given must fit; within a list, one must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Those of this campaign; without it those of all the client's campaigns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// In one of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// With one of these outcomes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Of one of these priorities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<Priority>,
    /// For one of these reasons, by name, as `unknown_zone`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Those that came with this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<Uuid>,
    /// One of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<LeadId>,
}

impl Filter {
    /// Whether a lead is meant.
    pub fn fits(&self, lead: &Standing) -> bool {
        let among = |list: &[_], one| list.is_empty() || list.contains(&one);
        among(&self.states, lead.state)
            && (self.outcomes.is_empty()
                || lead.outcome.is_some_and(|outcome| self.outcomes.contains(&outcome)))
            && (self.priorities.is_empty() || self.priorities.contains(&lead.priority))
            && (self.why.is_empty() || self.why.contains(&lead.why))
            && (self.import.is_none() || self.import == lead.import)
            && (self.leads.is_empty() || self.leads.contains(&lead.place.1))
    }

    /// Whether statistics tell how many are meant.
    fn is_counted(&self) -> bool {
        let waits = |state: &State| matches!(state, State::Waiting | State::Held);
        self.priorities.is_empty()
            && self.import.is_none()
            && self.leads.is_empty()
            && (self.why.is_empty() || (!self.states.is_empty() && self.states.iter().all(waits)))
    }

    /// As [`Filter::fits`], of leads that are counted together.
    fn fits_counted(&self, leads: &Reasoned) -> bool {
        (self.states.is_empty() || self.states.contains(&leads.state))
            && (self.outcomes.is_empty()
                || leads.outcome.is_some_and(|outcome| self.outcomes.contains(&outcome)))
            && (self.why.is_empty() || leads.reason.as_ref().is_some_and(|why| self.why.contains(why)))
    }

    /// Behind which place the walk begins, and with which it ends; `None` if nobody can fit.
    pub(crate) async fn span(&self, conn: &mut PgConnection) -> Result<Option<(Place, Place)>, StoreError> {
        let Some(import) = self.import else {
            return Ok(Some(match self.campaign {
                Some(campaign) => {
                    (Place(campaign, LeadId(Uuid::nil())), Place(campaign, LeadId(Uuid::max())))
                }
                None => (Place::START, Place::END),
            }));
        };
        let Some(import) = store::imports::find(conn, import).await? else { return Ok(None) };
        let before = |lead: LeadId| LeadId(Uuid::from_u128(lead.0.as_u128().saturating_sub(1)));
        let span = |(first, last)| (Place(import.campaign, before(first)), Place(import.campaign, last));
        Ok(import
            .leads
            .map(span)
            .filter(|_| self.campaign.is_none_or(|campaign| campaign == import.campaign)))
    }

    /// Whether it can be looked through lead by lead, and its campaign is the client's.
    async fn check(&self, conn: &mut PgConnection, client: ClientId) -> Result<(), OperationError> {
        if self.leads.len() > LEADS {
            let problem = format!("{} are too many; name at most {LEADS}", self.leads.len());
            return Err(OperationError::Invalid { place: "filter.leads".into(), problem });
        }
        let Some(campaign) = self.campaign else { return Ok(()) };
        let found = store::campaigns::page(conn, client, Some(campaign), Part::newest(1)).await?;
        the_one("campaign", &campaign.to_string(), found).map(drop)
    }
}

/// How many leads an order would reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Leads that fit.
    pub leads: u64,
    /// Whether all were counted: where leads have to be looked at, a preview stops after 20,000.
    pub exact: bool,
}

/// Counts the leads that an order would reach.
///
/// # Errors
/// If the filter names too many leads, or a campaign that does not exist.
pub async fn preview(engine: &Engine, client: ClientId, filter: &Filter) -> Result<Preview, OperationError> {
    let mut preview = Preview { leads: 0, exact: true };
    let mut looked_at = 0;
    let mut conn = engine.pool().acquire().await?;
    filter.check(&mut conn, client).await?;
    if filter.is_counted() {
        let standing = store::statistics::reasoned(&mut conn, client, filter.campaign).await?;
        let fits = standing.iter().filter(|standing| filter.fits_counted(standing));
        preview.leads = u64::try_from(fits.map(|standing| standing.count).sum::<i64>()).unwrap_or_default();
        return Ok(preview);
    }
    let Some((mut after, last)) = filter.span(&mut conn).await? else { return Ok(preview) };
    loop {
        let page = store::bulk::walk(&mut conn, client, after, last, PAGE).await?;
        let Some(passed) = page.last() else { return Ok(preview) };
        after = passed.place;
        looked_at += page.len() as u64;
        preview.leads += page.iter().filter(|lead| filter.fits(lead)).count() as u64;
        if looked_at >= PREVIEW {
            preview.exact = false;
            return Ok(preview);
        }
    }
}

/// An order for many leads, as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub client: ClientId,
    /// What is ordered, in words.
    pub order: String,
    /// For which leads.
    pub filter: Value,
    /// Who ordered it.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
    /// Where it stands.
    pub state: BulkState,
    /// What came of it so far.
    #[serde(flatten)]
    pub tally: Tally,
    /// When it was ordered.
    pub created_at: Moment,
    /// When it last moved.
    pub changed_at: Moment,
}

impl Operation {
    pub(super) fn of(client: ClientId, stored: BulkOperation) -> Self {
        let command = serde_json::from_value::<Command>(stored.command);
        Self {
            id: stored.id,
            client,
            order: command.map_or_else(|_| "unreadable".into(), |command| command.to_string()),
            filter: stored.filter,
            actor: stored.actor,
            reason: stored.reason,
            state: stored.state,
            tally: stored.tally,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
        }
    }
}

/// Orders something for all leads that fit. A job carries it out, page by page; once this returns, it
/// is not forgotten.
///
/// # Errors
/// If the filter names too many leads, or a campaign that does not exist.
pub async fn order(
    engine: &Engine,
    client: ClientId,
    filter: &Filter,
    command: Command,
    actor: &str,
    reason: Option<&str>,
) -> Result<Operation, OperationError> {
    filter.check(&mut *engine.pool().acquire().await?, client).await?;
    let ordered = engine.allow(async |conn, now| {
        let by = By { actor, reason };
        write(conn, client, filter, command, by, now).await
    });
    let new = ordered.await?;
    engine.hub().signal(client, QUEUED);
    Ok(Operation::of(client, new))
}

/// Writes an order down, and queues the job that carries it out.
pub(super) async fn write(
    conn: &mut PgConnection,
    client: ClientId,
    filter: &Filter,
    command: Command,
    By { actor, reason }: By<'_>,
    now: Moment,
) -> Result<BulkOperation, StoreError> {
    let new = BulkOperation {
        id: new_id(now),
        command: serde_json::to_value(&command).unwrap_or_default(),
        filter: serde_json::to_value(filter).unwrap_or_default(),
        actor: actor.to_owned(),
        reason: reason.map(str::to_owned),
        state: BulkState::Running,
        tally: Tally::default(),
        after: Place::START,
        created_at: now,
        changed_at: now,
    };
    store::bulk::insert(conn, client, &new).await?;
    let action = command.to_string();
    let entry =
        Entry { actor, action: &action, subject: "operation", id: new.id, reason, details: &new.filter };
    store::audit::note(conn, client, entry, now).await?;
    let args = serde_json::to_value(Bulk { client, operation: new.id }).unwrap_or_default();
    let job =
        NewJob { id: JobId::new(now), kind: Bulk::KIND, step: None, args, priority: 3, born_claimed: None };
    store::queue::insert(conn, client, &[job], now).await?;
    store::notify(conn, &QUEUED.payload(client)).await?;
    Ok(new)
}

pub(super) const QUEUED: Signal = Signal { jobs: true, admission: false };

/// The operation with this id.
///
/// # Errors
/// If there is none.
pub async fn find(engine: &Engine, given: &str) -> Result<Operation, OperationError> {
    let not_found = || OperationError::NotFound { kind: "operation", given: given.to_owned() };
    let id = Uuid::try_parse(given).map_err(|_| not_found())?;
    let mut conn = engine.pool().acquire().await?;
    let found = store::bulk::find(&mut conn, id).await?;
    found.map(|(client, stored)| Operation::of(client, stored)).ok_or_else(not_found)
}

/// Operations: of one client, or all.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    engine: &Engine,
    client: Option<ClientId>,
    part: Part,
) -> Result<Vec<Operation>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::bulk::list(&mut conn, client, part).await?;
    Ok(found.into_iter().map(|(client, stored)| Operation::of(client, stored)).collect())
}

/// Stops an operation. The page that is under way is finished; what was changed stays changed.
///
/// # Errors
/// If there is none, or it has ended.
pub async fn cancel(engine: &Engine, given: &str, by: By<'_>) -> Result<Operation, OperationError> {
    let operation = find(engine, given).await?;
    let (client, id) = (operation.client, operation.id);
    let cancelled = engine.allow(async |conn, now| {
        let cancelled = store::bulk::end(conn, client, id, BulkState::Cancelled, now).await?;
        if cancelled {
            let details = Value::Null;
            let (action, subject) = ("cancel", "operation");
            let By { actor, reason } = by;
            let entry = Entry { actor, action, subject, id, reason, details: &details };
            store::audit::note(conn, client, entry, now).await?;
        }
        Ok(cancelled)
    });
    match cancelled.await? {
        true => find(engine, given).await,
        false => Err(OperationError::NotPossible(format!("it is {} already", operation.state.name()))),
    }
}

/// Counts an answer.
pub(crate) fn count(tally: &mut Tally, answer: Answer) {
    match answer {
        Answer::Deferred => tally.deferred += 1,
        Answer::Declined(why) => {
            tally.declined += 1;
            tally.declined_for = Some(why);
        }
        Answer::NoTransfer(why) => {
            tally.declined += 1;
            tally.declined_for = Some(why.to_string());
        }
        _ => tally.changed += 1,
    }
}

/// What the job needs to go on.
pub(crate) struct Page {
    pub(crate) operation: BulkOperation,
    pub(crate) command: Command,
    /// The file whose leads are meant, if it is one's.
    pub(crate) import: Option<Uuid>,
    /// Those that fit, of the leads that were passed.
    pub(crate) leads: Vec<LeadId>,
    pub(crate) passed: usize,
    /// Where the walk is then; `None` when it is over.
    pub(crate) place: Option<Place>,
}

/// The next page of an operation; `None` if it does not run any more.
pub(crate) async fn page(engine: &Engine, client: ClientId, id: Uuid) -> Result<Option<Page>, StoreError> {
    let mut conn = engine.pool().acquire().await?;
    let operation = store::bulk::read(&mut conn, client, id).await?;
    let Some(operation) = operation.filter(|operation| operation.state == BulkState::Running) else {
        return Ok(None);
    };
    let unreadable = |problem: serde_json::Error| StoreError::Unreadable {
        table: "bulk_operations",
        id,
        problem: problem.to_string(),
    };
    let filter: Filter = serde_json::from_value(operation.filter.clone()).map_err(unreadable)?;
    let command: Command = serde_json::from_value(operation.command.clone()).map_err(unreadable)?;
    let page = match filter.span(&mut conn).await? {
        Some((first, last)) => {
            store::bulk::walk(&mut conn, client, operation.after.max(first), last, PAGE).await?
        }
        None => vec![],
    };
    Ok(Some(Page {
        place: page.last().map(|lead| lead.place),
        passed: page.len(),
        leads: page.iter().filter(|lead| filter.fits(lead)).map(|lead| lead.place.1).collect(),
        import: filter.import,
        operation,
        command,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(outcome: Option<Outcome>) -> Standing {
        let place = Place(CampaignId(Uuid::from_u128(1)), LeadId(Uuid::from_u128(2)));
        let (state, priority) = (State::Finished, Priority::Normal);
        Standing {
            place,
            state,
            outcome,
            priority,
            wake_at: None,
            why: "attempts_used_up".into(),
            import: None,
        }
    }

    fn filter(text: &str) -> Filter {
        serde_json::from_str(text).expect("a filter")
    }

    #[test]
    fn whatever_a_filter_names_must_fit() {
        let lead = finished(Some(Outcome::NoAnswer));
        for (text, fits) in [
            ("{}", true),
            (r#"{"states": ["waiting", "finished"]}"#, true),
            (r#"{"states": ["waiting"]}"#, false),
            (r#"{"outcomes": ["no_answer"], "why": ["attempts_used_up"]}"#, true),
            (r#"{"outcomes": ["no_answer"], "why": ["settled"]}"#, false),
            (r#"{"priorities": ["low"]}"#, false),
            (r#"{"leads": ["00000000-0000-0000-0000-000000000002"]}"#, true),
            (r#"{"leads": ["00000000-0000-0000-0000-000000000003"]}"#, false),
        ] {
            assert_eq!(filter(text).fits(&lead), fits, "{text}");
        }
        assert!(!filter(r#"{"outcomes": ["no_answer"]}"#).fits(&finished(None)));
    }

    #[test]
    fn a_filter_with_a_misspelt_name_is_refused() {
        assert!(serde_json::from_str::<Filter>(r#"{"state": ["waiting"]}"#).is_err());
    }
}
