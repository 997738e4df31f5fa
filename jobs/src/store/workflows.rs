//! The workflow rows.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::workflow::Workflow;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::{Lenient, OutcomeRow, PriorityRow, StateRow, count, small};

struct WorkflowRow {
    lead_id: Uuid,
    campaign_id: Uuid,
    lane_id: Uuid,
    state: Lenient<StateRow>,
    priority: Lenient<PriorityRow>,
    wake_at: Option<Moment>,
    why: Value,
    attempts: i16,
    recorded: i16,
    counted: i16,
    forgiven: i16,
    refusals: i16,
    failures: i16,
    collisions: i16,
    withdrawals: i16,
    intent: Option<Value>,
    outcome: Option<Lenient<OutcomeRow>>,
    events: i64,
    quarantined: bool,
}

/// A locked row.
#[derive(Debug)]
pub enum Locked {
    /// It can be worked on.
    Ready(Workflow),
    /// It is in quarantine: news of it waits in the inbox.
    Quarantined(LeadId),
    /// It holds what this version cannot read.
    Unreadable(LeadId, StoreError),
}

impl Locked {
    /// The lead.
    pub fn lead(&self) -> LeadId {
        match self {
            Self::Ready(workflow) => workflow.lead,
            Self::Quarantined(lead) | Self::Unreadable(lead, _) => *lead,
        }
    }
}

impl From<WorkflowRow> for Locked {
    fn from(row: WorkflowRow) -> Self {
        let lead = LeadId(row.lead_id);
        if row.quarantined {
            return Self::Quarantined(lead);
        }
        match Workflow::try_from(row) {
            Ok(workflow) => Self::Ready(workflow),
            Err(error) => Self::Unreadable(lead, error),
        }
    }
}

impl TryFrom<WorkflowRow> for Workflow {
    type Error = StoreError;

    fn try_from(row: WorkflowRow) -> Result<Self, StoreError> {
        let id = row.lead_id;
        let number = |value| count("workflows", id, value);
        let read = |problem: serde_json::Error| unreadable("workflows", id, problem);
        Ok(Self {
            lead: LeadId(id),
            campaign: CampaignId(row.campaign_id),
            lane: LaneId(row.lane_id),
            state: row.state.read("workflows", id)?.into(),
            why: serde_json::from_value(row.why).map_err(read)?,
            wake_at: row.wake_at,
            priority: row.priority.read("workflows", id)?.into(),
            attempts: number(row.attempts)?,
            recorded: number(row.recorded)?,
            counted: number(row.counted)?,
            forgiven: number(row.forgiven)?,
            refusals: number(row.refusals)?,
            failures: number(row.failures)?,
            collisions: number(row.collisions)?,
            withdrawals: number(row.withdrawals)?,
            intent: row.intent.map(serde_json::from_value).transpose().map_err(read)?,
            outcome: row.outcome.map(|outcome| outcome.read("workflows", id)).transpose()?.map(Into::into),
            events: row.events,
        })
    }
}

/// Locks the workflows of these leads, in the order of their ids. Leads that do not exist are missing
/// from the answer.
pub async fn lock(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<Locked>, StoreError> {
    let rows = sqlx::query_as!(
        WorkflowRow,
        r#"select w.lead_id, campaign_id, lane_id, state as "state: Lenient<StateRow>",
            priority as "priority: Lenient<PriorityRow>",
            wake_at, why, attempts, recorded, counted, forgiven, refusals, failures, collisions,
            withdrawals, intent, outcome as "outcome: Lenient<OutcomeRow>", events, quarantined
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join workflows w on w.client_id = x.client_id and w.lead_id = x.lead_id
        order by w.lead_id for no key update of w"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Locks those of these waiting leads that are still due and that nobody else works on.
pub async fn lock_due(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
    now: Moment,
) -> Result<Vec<Locked>, StoreError> {
    let rows = sqlx::query_as!(
        WorkflowRow,
        r#"select w.lead_id, campaign_id, lane_id, state as "state: Lenient<StateRow>",
            priority as "priority: Lenient<PriorityRow>",
            wake_at, why, attempts, recorded, counted, forgiven, refusals, failures, collisions,
            withdrawals, intent, outcome as "outcome: Lenient<OutcomeRow>", events, quarantined
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join workflows w on w.client_id = x.client_id and w.lead_id = x.lead_id
        where state = 'waiting' and not quarantined and wake_at <= $3
        order by w.lead_id for no key update of w skip locked"#,
        client.0,
        leads,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Writes back rows that [`lock`] or [`lock_due`] locked in this transaction.
pub async fn save(
    conn: &mut PgConnection,
    client: ClientId,
    workflows: &[&Workflow],
) -> Result<(), StoreError> {
    let column = Columns::of(workflows)?;
    sqlx::query!(
        "update workflows w set state = x.state, wake_at = x.wake_at, why = x.why, priority = x.priority,
            attempts = x.attempts, recorded = x.recorded, counted = x.counted, forgiven = x.forgiven,
            refusals = x.refusals, failures = x.failures, collisions = x.collisions,
            withdrawals = x.withdrawals, intent = x.intent, outcome = x.outcome, events = x.events
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::workflow_state[], $4::timestamptz[],
            $5::jsonb[], $6::priority[], $7::smallint[], $8::smallint[], $9::smallint[], $10::smallint[],
            $11::smallint[], $12::smallint[], $13::smallint[], $14::smallint[], $15::jsonb[],
            $16::outcome[], $17::bigint[])
            as x(lead_id, state, wake_at, why, priority, attempts, recorded, counted, forgiven, refusals,
                failures, collisions, withdrawals, intent, outcome, events) offset 0) x
        where w.client_id = x.client_id and w.lead_id = x.lead_id",
        client.0,
        &column.lead,
        &column.state as &[StateRow],
        &column.wake_at as &[Option<Moment>],
        &column.why,
        &column.priority as &[PriorityRow],
        &column.attempts,
        &column.recorded,
        &column.counted,
        &column.forgiven,
        &column.refusals,
        &column.failures,
        &column.collisions,
        &column.withdrawals,
        &column.intent as &[Option<Value>],
        &column.outcome as &[Option<OutcomeRow>],
        &column.events
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the rows of newly accepted leads, whose `leads` rows exist already.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    workflows: &[&Workflow],
) -> Result<(), StoreError> {
    let column = Columns::of(workflows)?;
    sqlx::query!(
        "insert into workflows (client_id, lead_id, campaign_id, lane_id, state, wake_at, why, priority, events)
        select $1, x.* from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::workflow_state[],
            $6::timestamptz[], $7::jsonb[], $8::priority[], $9::bigint[])
            as x(lead_id, campaign_id, lane_id, state, wake_at, why, priority, events)",
        client.0,
        &column.lead,
        &column.campaign,
        &column.lane,
        &column.state as &[StateRow],
        &column.wake_at as &[Option<Moment>],
        &column.why,
        &column.priority as &[PriorityRow],
        &column.events
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The rows turned on their side, as `unnest` wants them.
struct Columns {
    lead: Vec<Uuid>,
    campaign: Vec<Uuid>,
    lane: Vec<Uuid>,
    state: Vec<StateRow>,
    wake_at: Vec<Option<Moment>>,
    why: Vec<Value>,
    priority: Vec<PriorityRow>,
    attempts: Vec<i16>,
    recorded: Vec<i16>,
    counted: Vec<i16>,
    forgiven: Vec<i16>,
    refusals: Vec<i16>,
    failures: Vec<i16>,
    collisions: Vec<i16>,
    withdrawals: Vec<i16>,
    intent: Vec<Option<Value>>,
    outcome: Vec<Option<OutcomeRow>>,
    events: Vec<i64>,
}

impl Columns {
    fn of(rows: &[&Workflow]) -> Result<Self, StoreError> {
        let json = |row: &Workflow, problem: serde_json::Error| unreadable("workflows", row.lead.0, problem);
        let mut why = Vec::with_capacity(rows.len());
        let mut intent = Vec::with_capacity(rows.len());
        for row in rows {
            why.push(serde_json::to_value(&row.why).map_err(|problem| json(row, problem))?);
            let wanted = row.intent.as_ref().map(serde_json::to_value).transpose();
            intent.push(wanted.map_err(|problem| json(row, problem))?);
        }
        Ok(Self {
            lead: rows.iter().map(|row| row.lead.0).collect(),
            campaign: rows.iter().map(|row| row.campaign.0).collect(),
            lane: rows.iter().map(|row| row.lane.0).collect(),
            state: rows.iter().map(|row| row.state.into()).collect(),
            wake_at: rows.iter().map(|row| row.wake_at).collect(),
            why,
            priority: rows.iter().map(|row| row.priority.into()).collect(),
            attempts: rows.iter().map(|row| small(row.attempts)).collect(),
            recorded: rows.iter().map(|row| small(row.recorded)).collect(),
            counted: rows.iter().map(|row| small(row.counted)).collect(),
            forgiven: rows.iter().map(|row| small(row.forgiven)).collect(),
            refusals: rows.iter().map(|row| small(row.refusals)).collect(),
            failures: rows.iter().map(|row| small(row.failures)).collect(),
            collisions: rows.iter().map(|row| small(row.collisions)).collect(),
            withdrawals: rows.iter().map(|row| small(row.withdrawals)).collect(),
            intent,
            outcome: rows.iter().map(|row| row.outcome.map(Into::into)).collect(),
            events: rows.iter().map(|row| row.events).collect(),
        })
    }
}

/// Lays a lead whose row [`lock`] locked in another lane of its campaign.
pub async fn move_to(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    lane: LaneId,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update workflows set lane_id = $3 where client_id = $1 and lead_id = $2",
        client.0,
        lead.0,
        lane.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueTimer {
    /// The tenant.
    pub client: ClientId,
    /// The lead.
    pub lead: LeadId,
}

/// The timers that were due by `before`, the oldest first, but for those of some clients.
pub async fn timers_due(
    conn: &mut PgConnection,
    before: Moment,
    but: &[ClientId],
    limit: i64,
) -> Result<Vec<DueTimer>, StoreError> {
    let rows = sqlx::query!(
        "select client_id, lead_id from workflows
        where timer_hour <= $1 and wake_at <= $1 and client_id <> all($2)
        order by wake_at limit $3",
        before,
        &but.iter().map(|client| client.0).collect::<Vec<_>>(),
        limit
    )
    .fetch_all(conn)
    .await?;
    let timer = |client, lead| DueTimer { client: ClientId(client), lead: LeadId(lead) };
    Ok(rows.into_iter().map(|row| timer(row.client_id, row.lead_id)).collect())
}

/// The campaign of a lead.
pub async fn campaign_of(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
) -> Result<Option<CampaignId>, StoreError> {
    let campaign = sqlx::query_scalar!(
        "select campaign_id from workflows where client_id = $1 and lead_id = $2",
        client.0,
        lead.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(campaign.map(CampaignId))
}

/// A workflow as the judge and explanations see it.
#[derive(Debug)]
pub struct Seen {
    /// The lead.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The row, or why it cannot be read.
    pub workflow: Result<Workflow, StoreError>,
    /// Whether it is in quarantine.
    pub quarantined: bool,
}

/// A page of a campaign's workflows after `after`, in the order of their leads' ids.
pub async fn page_of_campaign(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    after: LeadId,
    limit: i64,
) -> Result<Vec<Seen>, StoreError> {
    let rows = sqlx::query_as!(
        WorkflowRow,
        r#"select w.lead_id, w.campaign_id, lane_id, state as "state: Lenient<StateRow>",
            priority as "priority: Lenient<PriorityRow>",
            wake_at, why, attempts, recorded, counted, forgiven, refusals, failures, collisions,
            withdrawals, intent, outcome as "outcome: Lenient<OutcomeRow>", events, quarantined
        from (
            select client_id, lead_id from leads
            where campaign_id = $2 and lead_id > $3 and client_id = $1 order by lead_id limit $4) l
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
        order by w.lead_id"#,
        client.0,
        campaign.0,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(seen).collect())
}

fn seen(row: WorkflowRow) -> Seen {
    Seen {
        lead: LeadId(row.lead_id),
        campaign: CampaignId(row.campaign_id),
        quarantined: row.quarantined,
        workflow: Workflow::try_from(row),
    }
}

/// A page of a client's workflows after `after`, in the order of their ids; `only` bounds it to one lead.
pub async fn page(
    conn: &mut PgConnection,
    client: ClientId,
    after: LeadId,
    only: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Seen>, StoreError> {
    let rows = sqlx::query_as!(
        WorkflowRow,
        r#"select lead_id, campaign_id, lane_id, state as "state: Lenient<StateRow>",
            priority as "priority: Lenient<PriorityRow>",
            wake_at, why, attempts, recorded, counted, forgiven, refusals, failures, collisions,
            withdrawals, intent, outcome as "outcome: Lenient<OutcomeRow>", events, quarantined
        from workflows where client_id = $1 and lead_id > $2 and ($3::uuid is null or lead_id = $3)
        order by lead_id limit $4"#,
        client.0,
        after.0,
        only.map(|lead| lead.0),
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(seen).collect())
}
