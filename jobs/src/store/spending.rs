//! What attempts took of what may be spent.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use outdial_workflows::limits::Spent;
use outdial_workflows::money::Cost;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Whose attempts, and the beginning of the [`Spent::SPAN`] in which they were reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The account.
    pub account: AccountId,
    /// The campaign.
    pub campaign: CampaignId,
    /// When the span began.
    pub span: Moment,
}

/// What a commit changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// More attempts, or fewer, of which no cost is known.
    pub open: i32,
    /// More or less that the others cost.
    pub micros: i64,
}

/// Writes what a commit changed.
pub async fn add(
    conn: &mut PgConnection,
    client: ClientId,
    deltas: &[(Key, Delta)],
) -> Result<(), StoreError> {
    let keys = || deltas.iter().map(|(key, _)| key);
    sqlx::query!(
        "insert into spending_deltas (client_id, account_id, campaign_id, span, open, cost_micros)
        select $1, x.* from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::integer[], $6::bigint[])
            as x(account_id, campaign_id, span, open, cost_micros)",
        client.0,
        &keys().map(|key| key.account.0).collect::<Vec<_>>(),
        &keys().map(|key| key.campaign.0).collect::<Vec<_>>(),
        &keys().map(|key| key.span).collect::<Vec<_>>(),
        &deltas.iter().map(|(_, delta)| delta.open).collect::<Vec<_>>(),
        &deltas.iter().map(|(_, delta)| delta.micros).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds what is pending to what is rolled up. Any node may, and two at once do not meet.
pub async fn roll_up(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let rolled = sqlx::query_scalar!(
        r#"with taken as (
            delete from spending_deltas where delta_id in (
                select delta_id from spending_deltas order by delta_id limit $1 for update skip locked)
            returning client_id, span, account_id, campaign_id, open, cost_micros
        ), written as (
            insert into spending as s (client_id, span, account_id, campaign_id, open, cost_micros)
            select client_id, span, account_id, campaign_id, sum(open), sum(cost_micros)::bigint
            from taken group by 1, 2, 3, 4 order by 1, 2, 3, 4
            on conflict (client_id, span, account_id, campaign_id) do update
                set open = s.open + excluded.open, cost_micros = s.cost_micros + excluded.cost_micros
        )
        select count(*) as "count!" from taken"#,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(rolled).unwrap_or_default())
}

/// What these accounts spent in the spans that began from `since` on.
pub async fn since(
    conn: &mut PgConnection,
    client: ClientId,
    accounts: &[Uuid],
    since: Moment,
) -> Result<Vec<(AccountId, CampaignId, Spent)>, StoreError> {
    let rows = sqlx::query!(
        r#"select account_id as "account_id!", campaign_id as "campaign_id!", span as "span!",
            sum(open)::bigint as "open!", sum(cost_micros)::bigint as "cost_micros!"
        from (
            select account_id, campaign_id, span, open, cost_micros from spending
            where client_id = $1 and span >= $3
            union all
            select account_id, campaign_id, span, open, cost_micros from spending_deltas
            where client_id = $1 and span >= $3
        ) s where account_id = any($2) group by account_id, campaign_id, span"#,
        client.0,
        accounts,
        since
    )
    .fetch_all(conn)
    .await?;
    let spent = |since, open: i64, micros| Spent {
        since,
        open: u32::try_from(open).unwrap_or_default(),
        cost: Cost { micros },
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let spent = spent(row.span, row.open, row.cost_micros);
            (AccountId(row.account_id), CampaignId(row.campaign_id), spent)
        })
        .collect())
}
