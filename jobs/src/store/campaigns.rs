//! Campaigns and their revisions.

use outdial_workflows::Moment;
use outdial_workflows::attempt::{BarrierVersion, Revision};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId};
use outdial_workflows::rules::Rules;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::audit::By;
use super::paging::{Part, part};
use super::rows::CampaignStateRow;

/// What decisions need to know of a campaign and its account.
#[derive(Clone, Copy, Debug)]
pub struct CampaignFacts {
    /// The campaign.
    pub campaign: CampaignId,
    /// Where it stands.
    pub state: CampaignState,
    /// Its present rules.
    pub revision: Revision,
    /// Its account.
    pub account: AccountId,
    /// The account's edit count.
    pub account_version: i32,
    /// Whether the account's carrier is emulated.
    pub emulated: bool,
    /// Whether the account may dial at all.
    pub enabled: bool,
    /// Whether a person paused the account or its client, or its carrier turns it down.
    pub paused: bool,
    /// Whether its carrier turns it down.
    pub held: bool,
    /// Until when it rests.
    pub resting_until: Option<Moment>,
    /// Whether the breaker of the account, or of one of its numbers, counts failures.
    pub ailing: bool,
    /// The client's barrier version.
    pub barrier: BarrierVersion,
}

impl CampaignFacts {
    /// Whether the account may dial at `now`.
    pub fn account_ready(&self, now: Moment) -> bool {
        self.enabled && !self.paused && self.resting_until.is_none_or(|until| until <= now)
    }
}

/// What decisions need to know of these campaigns. Read after the locks.
pub async fn facts(
    conn: &mut PgConnection,
    client: ClientId,
    campaigns: &[Uuid],
) -> Result<Vec<CampaignFacts>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.campaign_id, c.state as "state: CampaignStateRow", c.revision, c.account_id, a.version,
            a.emulated, a.enabled, a.resting_until, l.barrier_version,
            (a.paused_by is not null or a.held_at is not null or l.paused_by is not null) as "paused!",
            (a.held_at is not null) as "held!",
            (a.failing > 0 or a.trips > 0 or exists (
                select from numbers n where n.account_id = a.account_id and n.client_id = a.client_id
                    and (n.failing > 0 or n.trips > 0))) as "ailing!"
        from campaigns c
        join accounts a on a.client_id = c.client_id and a.account_id = c.account_id
        join clients l on l.client_id = c.client_id
        where c.client_id = $1 and c.campaign_id = any($2)"#,
        client.0,
        campaigns
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CampaignFacts {
            campaign: CampaignId(row.campaign_id),
            state: row.state.into(),
            revision: Revision(row.revision),
            account: AccountId(row.account_id),
            account_version: row.version,
            emulated: row.emulated,
            enabled: row.enabled,
            paused: row.paused,
            held: row.held,
            resting_until: row.resting_until,
            ailing: row.ailing,
            barrier: BarrierVersion(row.barrier_version),
        })
        .collect())
}

/// The rules of one revision as they are stored; parsing them is the caller's affair.
pub async fn rules(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    revision: Revision,
) -> Result<Option<serde_json::Value>, StoreError> {
    let rules = sqlx::query_scalar!(
        "select rules from campaign_revisions where client_id = $1 and campaign_id = $2 and revision = $3",
        client.0,
        campaign.0,
        revision.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(rules)
}

/// A revision of a campaign's rules, as it is stored.
#[derive(Clone, Debug)]
pub struct Revised {
    /// Which; counts from 1.
    pub revision: i32,
    /// The rules.
    pub rules: serde_json::Value,
    /// Those of the revision before; `None` for the first.
    pub before: Option<serde_json::Value>,
    /// Who made it.
    pub actor: String,
    /// When.
    pub created_at: Moment,
}

/// A campaign's revisions, the newest first, from the one before `before` on.
pub async fn revisions(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    before: Revision,
    limit: i64,
) -> Result<Vec<Revised>, StoreError> {
    let rows = sqlx::query_as!(
        Revised,
        r#"select r.revision, r.rules, p.rules as "before?", r.actor, r.created_at
        from campaign_revisions r
        left join campaign_revisions p on p.client_id = r.client_id and p.campaign_id = r.campaign_id
            and p.revision = r.revision - 1
        where r.client_id = $1 and r.campaign_id = $2 and r.revision < $3 order by r.revision desc limit $4"#,
        client.0,
        campaign.0,
        before.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// A campaign as people see it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Its name, unique within the client.
    pub name: String,
    /// The account it dials from.
    pub account: AccountId,
    /// Where it stands.
    pub state: CampaignState,
    /// Its present rules' revision.
    pub revision: i32,
    /// Who last changed its state.
    pub changed_by: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When.
    pub changed_at: Moment,
}

/// A campaign to be made.
#[derive(Clone, Debug)]
pub struct NewCampaign<'a> {
    /// Its id.
    pub id: CampaignId,
    /// The lane of its leads whose place is not known.
    pub lane: LaneId,
    /// The account it dials from.
    pub account: AccountId,
    /// Its name.
    pub name: &'a str,
    /// Its first rules.
    pub rules: &'a Rules,
    /// Who makes it.
    pub actor: &'a str,
}

/// Writes a campaign with its first revision and its first lane.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &NewCampaign<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let rules = serde_json::to_value(new.rules);
    let rules = rules.map_err(|problem| super::error::unreadable("campaign_revisions", new.id.0, problem))?;
    sqlx::query!(
        "insert into campaigns (client_id, campaign_id, account_id, name, revision, changed_by, created_at, changed_at)
        values ($1, $2, $3, $4, 1, $5, $6, $6)",
        client.0,
        new.id.0,
        new.account.0,
        new.name,
        new.actor,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into campaign_revisions (client_id, campaign_id, revision, rules, actor, created_at)
        values ($1, $2, 1, $3, $4, $5)",
        client.0,
        new.id.0,
        rules,
        new.actor,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into lanes (client_id, lane_id, campaign_id, served_at) values ($1, $2, $3, $4)",
        client.0,
        new.lane.0,
        new.id.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The campaign of a client that has this name.
pub async fn named(
    conn: &mut PgConnection,
    client: ClientId,
    name: &str,
) -> Result<Option<CampaignId>, StoreError> {
    let campaign = sqlx::query_scalar!(
        "select campaign_id from campaigns where client_id = $1 and name = $2",
        client.0,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(campaign.map(CampaignId))
}

/// Whose campaign this is: one, or none.
pub async fn client_of(conn: &mut PgConnection, campaign: CampaignId) -> Result<Vec<ClientId>, StoreError> {
    let clients = sqlx::query_scalar!("select client_id from campaigns where campaign_id = $1", campaign.0)
        .fetch_all(conn)
        .await?;
    Ok(clients.into_iter().map(ClientId).collect())
}

struct CampaignRow {
    campaign_id: Uuid,
    name: String,
    account_id: Uuid,
    state: CampaignStateRow,
    revision: i32,
    changed_by: String,
    reason: Option<String>,
    changed_at: Moment,
}

impl From<CampaignRow> for Campaign {
    fn from(row: CampaignRow) -> Self {
        Self {
            id: CampaignId(row.campaign_id),
            name: row.name,
            account: AccountId(row.account_id),
            state: row.state.into(),
            revision: row.revision,
            changed_by: row.changed_by,
            reason: row.reason,
            changed_at: row.changed_at,
        }
    }
}

/// The newest campaigns of a client that run or are paused.
pub async fn under_way(
    conn: &mut PgConnection,
    client: ClientId,
    limit: i64,
) -> Result<Vec<Campaign>, StoreError> {
    let rows = sqlx::query_as!(
        CampaignRow,
        r#"select campaign_id, name, account_id, state as "state: CampaignStateRow", revision, changed_by,
            reason, changed_at
        from campaigns where client_id = $1 and state in ('running', 'paused')
        order by campaign_id desc limit $2"#,
        client.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Campaign::from).collect())
}

/// Those of these campaigns that there are, each named once.
pub async fn of_ids(
    conn: &mut PgConnection,
    client: ClientId,
    campaigns: &[Uuid],
) -> Result<Vec<Campaign>, StoreError> {
    let rows = sqlx::query_as!(
        CampaignRow,
        r#"select c.campaign_id, c.name, c.account_id, c.state as "state: CampaignStateRow", c.revision, c.changed_by,
            c.reason, c.changed_at
        from (select $1::uuid as client_id, campaign_id from unnest($2::uuid[]) as u(campaign_id) offset 0) x
        join campaigns c using (client_id, campaign_id)"#,
        client.0,
        campaigns
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Campaign::from).collect())
}

/// Campaigns of a client: only one, or all.
pub async fn page(
    conn: &mut PgConnection,
    client: ClientId,
    only: Option<CampaignId>,
    part: Part,
) -> Result<Vec<Campaign>, StoreError> {
    let rows = part!(
        CampaignRow,
        conn,
        part,
        "campaign_id",
        r#"select campaign_id, name, account_id, state as "state: CampaignStateRow", revision, changed_by,
            reason, changed_at
        from campaigns where client_id = $3 and ($4::uuid is null or campaign_id = $4)"#,
        client.0,
        only.map(|campaign| campaign.0)
    )?;
    Ok(rows.into_iter().map(Campaign::from).collect())
}

/// Campaigns whose id or name is `text`, over all clients.
pub async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<(ClientId, CampaignId)>, StoreError> {
    let id = Uuid::try_parse(text).ok();
    let rows = sqlx::query!(
        "select client_id, campaign_id from campaigns where campaign_id = $1 or name = $2 limit 10",
        id,
        text
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ClientId(row.client_id), CampaignId(row.campaign_id))).collect())
}

/// Locks a campaign and tells where it stands.
pub async fn lock_state(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Option<CampaignState>, StoreError> {
    let state = sqlx::query_scalar!(
        r#"select state as "state: CampaignStateRow" from campaigns
        where client_id = $1 and campaign_id = $2 for no key update"#,
        client.0,
        campaign.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(state.map(Into::into))
}

/// Moves a locked campaign.
pub async fn set_state(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    state: CampaignState,
    by: By<'_>,
    resume_at: Option<Moment>,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update campaigns set state = $3, changed_by = $4, reason = $5, resume_at = $6, changed_at = $7
        where client_id = $1 and campaign_id = $2",
        client.0,
        campaign.0,
        CampaignStateRow::from(state) as CampaignStateRow,
        by.actor,
        by.reason,
        resume_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a revision, and makes it the campaign's present one.
pub async fn revise(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    revision: Revision,
    rules: &Rules,
    actor: &str,
    now: Moment,
) -> Result<(), StoreError> {
    let rules = serde_json::to_value(rules);
    let rules =
        rules.map_err(|problem| super::error::unreadable("campaign_revisions", campaign.0, problem))?;
    sqlx::query!(
        "insert into campaign_revisions (client_id, campaign_id, revision, rules, actor, created_at)
        values ($1, $2, $3, $4, $5, $6)",
        client.0,
        campaign.0,
        revision.0,
        rules,
        actor,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update campaigns set revision = $3 where client_id = $1 and campaign_id = $2",
        client.0,
        campaign.0,
        revision.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
