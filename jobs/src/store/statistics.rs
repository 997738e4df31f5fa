//! Counts that never scan the leads.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LaneId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::statistics::Deltas;
use outdial_workflows::workflow::State;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::{OutcomeRow, StateRow};

/// Writes what a commit changed.
pub async fn add(conn: &mut PgConnection, client: ClientId, deltas: &Deltas) -> Result<(), StoreError> {
    let each = || deltas.iter().map(|(key, _)| key);
    sqlx::query!(
        "insert into statistics_deltas (client_id, campaign_id, lane_id, state, outcome, reason, hour, count)
        select $1, x.* from unnest($2::uuid[], $3::uuid[], $4::workflow_state[], $5::outcome[], $6::text[],
            $7::timestamptz[], $8::bigint[]) as x(campaign_id, lane_id, state, outcome, reason, hour, count)",
        client.0,
        &each().map(|key| key.campaign.0).collect::<Vec<_>>(),
        &each().map(|key| key.lane.0).collect::<Vec<_>>(),
        &each().map(|key| key.state().into()).collect::<Vec<StateRow>>() as &[StateRow],
        &each().map(|key| key.outcome.map(Into::into)).collect::<Vec<_>>() as &[Option<OutcomeRow>],
        &each().map(|key| key.reason.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|key| key.hour).collect::<Vec<Moment>>(),
        &deltas.iter().map(|(_, count)| count).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds what is pending to what is rolled up. Any node may, and two at once do not meet.
pub async fn roll_up(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let rolled = sqlx::query!(
        r#"with taken as (
            delete from statistics_deltas where delta_id in (
                select delta_id from statistics_deltas order by delta_id limit $1 for update skip locked)
            returning client_id, campaign_id, lane_id, state, outcome, reason, count
        ), summed as (
            select client_id, campaign_id, lane_id, state, outcome, timestamptz '-infinity' as hour,
                sum(count)::bigint as count
            from taken group by 1, 2, 3, 4, 5 having sum(count) <> 0
        ), written as (
            insert into statistics as s (client_id, campaign_id, lane_id, state, outcome, hour, count)
            select * from summed order by 1, 2, 3, 4, 5
            on conflict on constraint statistics_key do update set count = s.count + excluded.count
        ), stand as (
            insert into standings as s (client_id, campaign_id, state, reason, outcome, count)
            select client_id, campaign_id, state, reason, outcome, sum(count)::bigint from taken
            group by 1, 2, 3, 4, 5 having sum(count) <> 0 order by 1, 2, 3, 4, 5
            on conflict on constraint standings_key do update set count = s.count + excluded.count
        )
        select count(*) as "count!" from taken"#,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(rolled.count).unwrap_or_default())
}

/// How many leads of a campaign stand where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Their lane.
    pub lane: LaneId,
    /// The state.
    pub state: State,
    /// The outcome of finished leads.
    pub outcome: Option<Outcome>,
    /// How many.
    pub count: i64,
}

/// How many leads of a campaign stand where: what is rolled up and what is pending.
pub async fn of_campaign(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Vec<Standing>, StoreError> {
    let standings = of_campaigns(conn, client, &[campaign.0]).await?;
    Ok(standings.into_iter().map(|(_, standing)| standing).collect())
}

/// The same of several campaigns, each named once.
pub async fn of_campaigns(
    conn: &mut PgConnection,
    client: ClientId,
    campaigns: &[Uuid],
) -> Result<Vec<(CampaignId, Standing)>, StoreError> {
    let rows = sqlx::query!(
        r#"select campaign_id as "campaign_id!", lane_id as "lane_id!", state as "state!: StateRow",
            outcome as "outcome: OutcomeRow", sum(count)::bigint as "count!"
        from (
            select s.campaign_id, s.lane_id, s.state, s.outcome, s.count
            from (select $1::uuid as client_id, campaign_id from unnest($2::uuid[]) as u(campaign_id) offset 0) x
            join statistics s using (client_id, campaign_id)
            union all
            select campaign_id, lane_id, state, outcome, count from statistics_deltas
            where client_id = $1 and campaign_id = any($2)
        ) s group by campaign_id, lane_id, state, outcome having sum(count) <> 0
        order by campaign_id, lane_id, state, outcome"#,
        client.0,
        campaigns
    )
    .fetch_all(conn)
    .await?;
    let standing = |lane_id, state: StateRow, outcome: Option<OutcomeRow>, count| Standing {
        lane: LaneId(lane_id),
        state: state.into(),
        outcome: outcome.map(Into::into),
        count,
    };
    let each = rows.into_iter();
    Ok(each
        .map(|row| (CampaignId(row.campaign_id), standing(row.lane_id, row.state, row.outcome, row.count)))
        .collect())
}

/// How many leads stand so, wherever their lanes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoned {
    /// The state.
    pub state: State,
    /// Why they wait or are held, by name; of all others, none.
    pub reason: Option<String>,
    /// The outcome of finished leads.
    pub outcome: Option<Outcome>,
    /// How many.
    pub count: i64,
}

/// How many leads of a client, or of one of its campaigns, stand where and why: what is rolled up and what is pending.
pub async fn reasoned(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
) -> Result<Vec<Reasoned>, StoreError> {
    let rows = sqlx::query!(
        r#"select state as "state!: StateRow", reason, outcome as "outcome: OutcomeRow", sum(count)::bigint as "count!"
        from (
            select s.state, s.reason, s.outcome, s.count
            from (select client_id, campaign_id from campaigns
                where client_id = $1 and ($2::uuid is null or campaign_id = $2) offset 0) x
            join standings s using (client_id, campaign_id)
            union all
            select state, reason, outcome, count from statistics_deltas
            where client_id = $1 and ($2::uuid is null or campaign_id = $2)
        ) s group by 1, 2, 3 having sum(count) <> 0"#,
        client.0,
        campaign.map(|campaign| campaign.0) as Option<Uuid>
    )
    .fetch_all(conn)
    .await?;
    let each = rows.into_iter();
    Ok(each
        .map(|row| Reasoned {
            state: row.state.into(),
            reason: row.reason,
            outcome: row.outcome.map(Into::into),
            count: row.count,
        })
        .collect())
}
