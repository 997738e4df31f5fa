//! How calls go, by outcome and time.

use chrono::NaiveDate;
use outdial_workflows::Moment;
use outdial_workflows::analytics::{Deltas, Key, Sum};
use outdial_workflows::ids::{CampaignId, ClientId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::rows::OutcomeRow;

/// Writes what a commit changed.
pub async fn add(conn: &mut PgConnection, client: ClientId, deltas: &Deltas) -> Result<(), StoreError> {
    let keys = || deltas.iter().map(|(key, _)| key);
    let sums = |of: fn(&Sum) -> i64| deltas.iter().map(|(_, sum)| of(sum)).collect::<Vec<_>>();
    if deltas.iter().next().is_none() {
        return Ok(());
    }
    sqlx::query!(
        "insert into call_statistics_deltas (client_id, campaign_id, span, outcome, number, attempts, answered,
            talk_ms, priced, cost_micros, person_answered, abandoned)
        select $1, x.* from unnest($2::uuid[], $3::timestamptz[], $4::outcome[], $5::smallint[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
            as x(campaign_id, span, outcome, number, attempts, answered, talk_ms, priced, cost_micros, person_answered,
                abandoned)",
        client.0,
        &keys().map(|(campaign, _)| campaign.0).collect::<Vec<_>>(),
        &keys().map(|(_, key)| key.span).collect::<Vec<_>>(),
        &keys().map(|(_, key)| key.outcome.into()).collect::<Vec<OutcomeRow>>() as &[OutcomeRow],
        &keys().map(|(_, key)| i16::from(key.number)).collect::<Vec<_>>(),
        &sums(|sum| sum.attempts),
        &sums(|sum| sum.answered),
        &sums(|sum| sum.talk_ms),
        &sums(|sum| sum.priced),
        &sums(|sum| sum.cost_micros),
        &sums(|sum| sum.person_answered),
        &sums(|sum| sum.abandoned)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds what is pending to what is rolled up. Any node may, and two at once do not meet.
pub async fn roll_up(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let rolled = sqlx::query_scalar!(
        r#"with taken as (
            delete from call_statistics_deltas where delta_id in (
                select delta_id from call_statistics_deltas order by delta_id limit $1 for update skip locked)
            returning *
        ), written as (
            insert into call_statistics as s (client_id, campaign_id, span, outcome, number, attempts, answered,
                talk_ms, priced, cost_micros)
            select client_id, campaign_id, span, outcome, number, sum(attempts)::bigint, sum(answered)::bigint,
                sum(talk_ms)::bigint, sum(priced)::bigint, sum(cost_micros)::bigint
            from taken group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
            on conflict (client_id, campaign_id, span, outcome, number) do update
                set attempts = s.attempts + excluded.attempts, answered = s.answered + excluded.answered,
                    talk_ms = s.talk_ms + excluded.talk_ms, priced = s.priced + excluded.priced,
                    cost_micros = s.cost_micros + excluded.cost_micros
        ), by_day as (
            insert into abandonment as a (client_id, campaign_id, day, answered, abandoned)
            select client_id, campaign_id, (span at time zone 'UTC')::date, sum(person_answered)::bigint,
                sum(abandoned)::bigint
            from taken where person_answered <> 0 or abandoned <> 0 group by 1, 2, 3 order by 1, 2, 3
            on conflict (client_id, campaign_id, day) do update
                set answered = a.answered + excluded.answered, abandoned = a.abandoned + excluded.abandoned
        )
        select count(*) as "count!" from taken"#,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(rolled).unwrap_or_default())
}

/// Reads what is counted, where rows are summed up that have this in common.
macro_rules! summed {
    ($conn:expr, $together:tt, $client:expr, $campaign:expr, $within:expr $(, $argument:expr)*) => {{
        let (from, until): (Option<Moment>, Option<Moment>) = $within;
        let campaign: Option<CampaignId> = $campaign;
        let rows = sqlx::query!(
            r#"select min(span) as "span!", outcome as "outcome!: OutcomeRow", number as "number!",
                sum(attempts)::bigint as "attempts!", sum(answered)::bigint as "answered!",
                sum(talk_ms)::bigint as "talk_ms!", sum(priced)::bigint as "priced!",
                sum(cost_micros)::bigint as "cost_micros!"
            from (
                select s.span, s.outcome, s.number, s.attempts, s.answered, s.talk_ms, s.priced, s.cost_micros
                from (select client_id, campaign_id from campaigns
                    where client_id = $1 and ($2::uuid is null or campaign_id = $2) offset 0) x
                cross join lateral (
                    select * from call_statistics s
                    where s.client_id = x.client_id and s.campaign_id = x.campaign_id
                        and s.span >= coalesce($3, timestamptz '-infinity')
                        and s.span < coalesce($4, timestamptz 'infinity')
                ) s
                union all
                select span, outcome, number, attempts, answered, talk_ms, priced, cost_micros
                from call_statistics_deltas
                where client_id = $1 and ($2::uuid is null or campaign_id = $2)
                    and span >= coalesce($3, timestamptz '-infinity') and span < coalesce($4, timestamptz 'infinity')
            ) s
            group by outcome, number, "# + $together,
            $client.0,
            campaign.map(|campaign| campaign.0) as Option<Uuid>,
            from,
            until
            $(, $argument)*
        )
        .fetch_all($conn)
        .await?;
        let summed = rows.into_iter().map(|row| {
            let number = u8::try_from(row.number).unwrap_or(outdial_workflows::analytics::LAST_NUMBER);
            let key = Key { span: row.span, outcome: row.outcome.into(), number };
            let (attempts, answered, talk_ms) = (row.attempts, row.answered, row.talk_ms);
            let (priced, cost_micros) = (row.priced, row.cost_micros);
            (key, Sum { attempts, answered, talk_ms, priced, cost_micros, ..Sum::default() })
        });
        Ok(summed.collect())
    }};
}

/// What is counted of a client, or of one of its campaigns, from `from` until `until`. Whatever the time, no more is
/// read than what was counted within it.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    within: (Option<Moment>, Option<Moment>),
) -> Result<Vec<(Key, Sum)>, StoreError> {
    summed!(conn, "span", client, campaign, within)
}

/// The same, where quarters of an hour of any weeks are summed up that are the same of the week, unless the clocks were
/// changed between them, as at `changes`: of each, the first is told. So a year is no more than a week to whoever reads.
pub async fn read_by_week(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    within: (Option<Moment>, Option<Moment>),
    changes: &[Moment],
) -> Result<Vec<(Key, Sum)>, StoreError> {
    summed!(
        conn,
        "width_bucket(span, $5::timestamptz[]), span - date_bin('7 days', span, timestamptz '2001-01-01 00:00:00+00')",
        client,
        campaign,
        within,
        changes
    )
}

/// How many calls of our own agent a person answered since a day, of a client or of one of its campaigns, and how many of
/// these persons were not spoken to in time: what is rolled up, and what is pending.
pub async fn abandonment(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    since: NaiveDate,
) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query!(
        r#"select coalesce(sum(answered), 0)::bigint as "answered!", coalesce(sum(abandoned), 0)::bigint as "abandoned!"
        from (
            select answered, abandoned
            from (select client_id, campaign_id from campaigns
                where client_id = $1 and ($2::uuid is null or campaign_id = $2) offset 0) x
            cross join lateral (
                select * from abandonment a
                where a.client_id = x.client_id and a.campaign_id = x.campaign_id and a.day >= $3) a
            union all
            select person_answered, abandoned from call_statistics_deltas
            where client_id = $1 and ($2::uuid is null or campaign_id = $2)
                and (span at time zone 'UTC')::date >= $3
        ) a"#,
        client.0,
        campaign.map(|campaign| campaign.0) as Option<Uuid>,
        since
    )
    .fetch_one(conn)
    .await?;
    Ok((row.answered, row.abandoned))
}
