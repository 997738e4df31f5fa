//! Orders for many leads.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::{Priority, State};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::paging::{Part, part};
use super::rows::{BulkStateRow, OutcomeRow, PriorityRow, StateRow};

/// Where an order for many leads stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkState {
    /// A job carries it out, or waits to.
    Running,
    /// Every lead was looked at.
    Done,
    /// A person stopped it; what was changed stays changed.
    Cancelled,
}

impl BulkState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What came of some leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Leads that were passed, fitting or not.
    pub looked_at: i64,
    /// Leads for which it is carried out.
    pub changed: i64,
    /// Leads for which it takes effect once their call has resolved.
    pub deferred: i64,
    /// Leads for which it made no sense where they stand.
    pub declined: i64,
    /// Why the last of them was declined.
    pub declined_for: Option<String>,
}

/// An order for many leads.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    /// Its id.
    pub id: Uuid,
    /// What is ordered for each lead.
    pub command: Value,
    /// For which leads.
    pub filter: Value,
    /// Who ordered it.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
    /// Where it stands.
    pub state: BulkState,
    /// What came of it so far.
    pub tally: Tally,
    /// How far the walk has come.
    pub after: Place,
    /// When it was ordered.
    pub created_at: Moment,
    /// When it last moved.
    pub changed_at: Moment,
}

/// A place in the walk over a client's leads: campaign by campaign, lead by lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub CampaignId, pub LeadId);

impl Place {
    /// Before every lead.
    pub const START: Self = Self(CampaignId(Uuid::nil()), LeadId(Uuid::nil()));
    /// Behind every lead.
    pub const END: Self = Self(CampaignId(Uuid::max()), LeadId(Uuid::max()));
}

/// Where a lead stands, as filters see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The lead, and where the walk is when it has passed it.
    pub place: Place,
    /// Its state.
    pub state: State,
    /// Its outcome, once finished.
    pub outcome: Option<Outcome>,
    /// Its priority.
    pub priority: Priority,
    /// Waiting: when it is due.
    pub wake_at: Option<Moment>,
    /// The name of its reason.
    pub why: String,
    /// The file that it came with.
    pub import: Option<Uuid>,
}

/// Writes an order down.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &BulkOperation,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into bulk_operations (client_id, operation_id, command, filter, actor, reason, created_at, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)",
        client.0,
        new.id,
        new.command,
        new.filter,
        new.actor,
        new.reason,
        new.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    client_id: Uuid,
    operation_id: Uuid,
    command: Value,
    filter: Value,
    actor: String,
    reason: Option<String>,
    state: BulkStateRow,
    looked_at: i64,
    changed: i64,
    deferred: i64,
    declined: i64,
    declined_for: Option<String>,
    after_campaign: Option<Uuid>,
    after_lead: Option<Uuid>,
    created_at: Moment,
    changed_at: Moment,
}

impl From<Row> for (ClientId, BulkOperation) {
    fn from(row: Row) -> Self {
        let operation = BulkOperation {
            id: row.operation_id,
            command: row.command,
            filter: row.filter,
            actor: row.actor,
            reason: row.reason,
            state: row.state.into(),
            tally: Tally {
                looked_at: row.looked_at,
                changed: row.changed,
                deferred: row.deferred,
                declined: row.declined,
                declined_for: row.declined_for,
            },
            after: match (row.after_campaign, row.after_lead) {
                (Some(campaign), Some(lead)) => Place(CampaignId(campaign), LeadId(lead)),
                (None, _) | (_, None) => Place::START,
            },
            created_at: row.created_at,
            changed_at: row.changed_at,
        };
        (ClientId(row.client_id), operation)
    }
}

/// Reads one.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
) -> Result<Option<BulkOperation>, StoreError> {
    let found = find(conn, id).await?;
    Ok(found.filter(|(its, _)| *its == client).map(|(_, operation)| operation))
}

/// The one with this id, whosever it is.
pub async fn find(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(ClientId, BulkOperation)>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select b.client_id, b.operation_id, command, filter, actor, reason, state as "state: BulkStateRow",
            looked_at, changed, deferred, declined, declined_for, after_campaign, after_lead, created_at, changed_at
        from (select client_id, $1::uuid as operation_id from clients offset 0) x
        join bulk_operations b on b.client_id = x.client_id and b.operation_id = x.operation_id"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Those of a client, or all.
pub async fn list(
    conn: &mut PgConnection,
    client: Option<ClientId>,
    part: Part,
) -> Result<Vec<(ClientId, BulkOperation)>, StoreError> {
    let rows = part!(
        Row,
        conn,
        part,
        "operation_id",
        r#"select client_id, operation_id, command, filter, actor, reason, state as "state: BulkStateRow",
            looked_at, changed, deferred, declined, declined_for, after_campaign, after_lead, created_at, changed_at
        from bulk_operations where ($3::uuid is null or client_id = $3)"#,
        client.map(|client| client.0)
    )?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Adds what came of a page, unless the order is not running any more. Tells whether it is.
pub async fn advance(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    page: &Tally,
    after: Place,
    now: Moment,
) -> Result<bool, StoreError> {
    let advanced = sqlx::query!(
        "update bulk_operations set looked_at = looked_at + $3, changed = changed + $4, deferred = deferred + $5,
            declined = declined + $6, declined_for = coalesce($7, declined_for), after_campaign = $8,
            after_lead = $9, changed_at = $10
        where client_id = $1 and operation_id = $2 and state = 'running'",
        client.0,
        id,
        page.looked_at,
        page.changed,
        page.deferred,
        page.declined,
        page.declined_for,
        after.0.0,
        after.1.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(advanced.rows_affected() == 1)
}

/// Ends a running order. Tells whether it was running.
pub async fn end(
    conn: &mut PgConnection,
    client: ClientId,
    id: Uuid,
    state: BulkState,
    now: Moment,
) -> Result<bool, StoreError> {
    let ended = sqlx::query!(
        "update bulk_operations set state = $3, changed_at = $4
        where client_id = $1 and operation_id = $2 and state = 'running'",
        client.0,
        id,
        BulkStateRow::from(state) as BulkStateRow,
        now
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// The next leads of a client's walk, up to and with `last`.
pub async fn walk(
    conn: &mut PgConnection,
    client: ClientId,
    after: Place,
    last: Place,
    limit: i64,
) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"select w.campaign_id, w.lead_id, state as "state: StateRow", outcome as "outcome: OutcomeRow",
            priority as "priority: PriorityRow", wake_at, coalesce(why->>'why', '') as "why!",
            l.import_id
        from (
            select client_id, lead_id, import_id from leads
            where client_id = $1 and (campaign_id, lead_id) > ($2, $3) and (campaign_id, lead_id) <= ($4, $5)
            order by campaign_id, lead_id limit $6) l
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
        order by w.campaign_id, w.lead_id"#,
        client.0,
        after.0.0,
        after.1.0,
        last.0.0,
        last.1.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Standing {
            place: Place(CampaignId(row.campaign_id), LeadId(row.lead_id)),
            state: row.state.into(),
            outcome: row.outcome.map(Into::into),
            priority: row.priority.into(),
            wake_at: row.wake_at,
            why: row.why,
            import: row.import_id,
        })
        .collect())
}
