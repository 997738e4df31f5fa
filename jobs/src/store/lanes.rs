//! Lanes: the leads of a campaign that share a calendar, and where that stands.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::hours::LaneState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, LaneId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::admission::OpenLane;

/// The present revision of a campaign's rules, and the lane of its leads whose place is not known.
pub async fn of_campaign(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Option<(Revision, LaneId)>, StoreError> {
    let found = sqlx::query!(
        "select c.revision, l.lane_id from campaigns c
        join lanes l on l.client_id = c.client_id and l.campaign_id = c.campaign_id and l.place = ''
        where c.client_id = $1 and c.campaign_id = $2",
        client.0,
        campaign.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (Revision(row.revision), LaneId(row.lane_id))))
}

/// A campaign's lanes for these places, as far as they exist.
pub async fn of_places(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    places: &[String],
) -> Result<Vec<(String, LaneId)>, StoreError> {
    let rows = sqlx::query!(
        "select place, lane_id from lanes where client_id = $1 and campaign_id = $2 and place = any($3)",
        client.0,
        campaign.0,
        places
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.place, LaneId(row.lane_id))).collect())
}

/// Makes lanes for these places, where they are still missing. `lanes`: as many new ids.
pub async fn add(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    places: &[String],
    lanes: &[LaneId],
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into lanes (client_id, lane_id, campaign_id, place, served_at)
        select $1, x.lane_id, $2, x.place, $5 from unnest($3::text[], $4::uuid[]) as x(place, lane_id)
        order by x.place
        on conflict on constraint lanes_are_distinct do nothing",
        client.0,
        campaign.0,
        places,
        &lanes.iter().map(|lane| lane.0).collect::<Vec<_>>(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The lanes of an account's running campaigns, as admission needs them.
#[derive(Clone, Debug, Default)]
pub struct AccountLanes {
    /// Those that are open, the longest unserved first.
    pub open: Vec<OpenLane>,
    /// Those whose state has passed, or was computed from something else, each with its place.
    pub stale: Vec<(OpenLane, String)>,
    /// When the next of the closed ones opens.
    pub next_opening: Option<Moment>,
}

/// How the lanes of an account's running campaigns stand at `now`. `edition`: of what their state is
/// computed from beside the campaigns' rules. Closed lanes are not returned, but for the next to open.
pub async fn of_account(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    edition: &str,
    now: Moment,
) -> Result<AccountLanes, StoreError> {
    let rows = sqlx::query!(
        r#"with mine as (
            select l.lane_id, l.campaign_id, c.revision, l.place, l.served_at, l.opens_at,
                l.place <> '' and (l.revision is distinct from c.revision or l.edition is distinct from $3
                    or (l.why is not null and l.opens_at <= $4) or l.closes_at <= $4) is true as stale,
                l.place = '' or (l.why is null and l.opens_at <= $4) as open
            from campaigns c
            join lanes l on l.client_id = c.client_id and l.campaign_id = c.campaign_id
            where c.client_id = $1 and c.account_id = $2 and c.state = 'running'
        )
        select lane_id, campaign_id, revision, stale as "stale!", open is true as "open!",
            case when stale then place end as place, opens_at
        from mine
        where stale or open
            or lane_id = (select lane_id from mine where not stale and not open order by opens_at limit 1)
        order by served_at, lane_id"#,
        client.0,
        account.0,
        edition,
        now
    )
    .fetch_all(conn)
    .await?;
    let mut lanes = AccountLanes::default();
    for row in rows {
        let (lane, campaign) = (LaneId(row.lane_id), CampaignId(row.campaign_id));
        let lane = OpenLane { lane, campaign, revision: Revision(row.revision) };
        match row.place {
            Some(place) => lanes.stale.push((lane, place)),
            None if row.open => lanes.open.push(lane),
            None => lanes.next_opening = row.opens_at,
        }
    }
    Ok(lanes)
}

/// Writes where lanes stand at `now`, as it was computed from their campaigns' present rules and `edition`.
pub async fn save(
    conn: &mut PgConnection,
    client: ClientId,
    lanes: &[(OpenLane, LaneState)],
    edition: &str,
    now: Moment,
) -> Result<(), StoreError> {
    let mut rows = vec![];
    for (lane, state) in lanes {
        let (opens_at, closes_at, why) = match state {
            LaneState::Open { closes_at } => (Some(now), *closes_at, None),
            LaneState::Closed { opens_at, why } => (Some(*opens_at), None, Some(why)),
            LaneState::Held { why } => (None, None, Some(why)),
        };
        let why = why.map(serde_json::to_value).transpose();
        let why = why.map_err(|problem| super::error::unreadable("lanes", lane.lane.0, problem))?;
        rows.push((lane, opens_at, closes_at, why));
    }
    sqlx::query!(
        "update lanes l set revision = x.revision, opens_at = x.opens_at, closes_at = x.closes_at, why = x.why,
            edition = $7
        from (
            select lane_id from lanes where client_id = $1 and lane_id = any($2) order by lane_id for no key update
        ) locked
        join unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[])
            as x(lane_id, revision, opens_at, closes_at, why) on x.lane_id = locked.lane_id
        where l.client_id = $1 and l.lane_id = locked.lane_id",
        client.0,
        &rows.iter().map(|(lane, ..)| lane.lane.0).collect::<Vec<_>>(),
        &rows.iter().map(|(lane, ..)| lane.revision.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, opens_at, ..)| *opens_at).collect::<Vec<_>>() as &[Option<Moment>],
        &rows.iter().map(|(_, _, closes_at, _)| *closes_at).collect::<Vec<_>>() as &[Option<Moment>],
        &rows.iter().map(|(.., why)| why.clone()).collect::<Vec<_>>() as &[Option<serde_json::Value>],
        edition
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The places of a campaign's lanes.
pub async fn places(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Vec<(LaneId, String)>, StoreError> {
    let rows = sqlx::query!(
        "select lane_id, place from lanes where client_id = $1 and campaign_id = $2 order by place",
        client.0,
        campaign.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (LaneId(row.lane_id), row.place)).collect())
}

/// The places of the lanes of several campaigns, each named once.
pub async fn places_of(
    conn: &mut PgConnection,
    client: ClientId,
    campaigns: &[Uuid],
) -> Result<Vec<(CampaignId, LaneId, String)>, StoreError> {
    let rows = sqlx::query!(
        "select l.campaign_id, l.lane_id, l.place
        from (select $1::uuid as client_id, campaign_id from unnest($2::uuid[]) as u(campaign_id) offset 0) x
        join lanes l using (client_id, campaign_id) order by l.campaign_id, l.place",
        client.0,
        campaigns
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (CampaignId(row.campaign_id), LaneId(row.lane_id), row.place)).collect())
}
