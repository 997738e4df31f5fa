//! Seats for conversations of our own agent: how many there are, who has them, who is granted how many.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, NodeId};
use outdial_workflows::seats::Standing;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use url::Url;
use uuid::Uuid;

use super::StoreError;

/// A process that was not seen for so long has no seats: two leases.
pub const GONE_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Begins to share seats out. Waits no longer for a round of admission than another round would.
pub async fn begin(conn: &mut PgConnection) -> Result<Transaction<'_, Postgres>, StoreError> {
    Ok(conn.begin_with("begin; set local lock_timeout = '200ms'").await?)
}

/// Whether nobody else shares seats out, until the transaction ends.
pub async fn alone(conn: &mut PgConnection) -> Result<bool, StoreError> {
    // A number of our own choice; nobody else uses it.
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(7306375) as "alone!""#);
    Ok(alone.fetch_one(conn).await?)
}

/// The seats of all processes that are there at `now`.
pub async fn of_fleet(conn: &mut PgConnection, now: Moment) -> Result<u32, StoreError> {
    let seats = sqlx::query_scalar!(
        r#"select coalesce(sum(seats), 0) as "seats!" from nodes where seen_at > $1"#,
        now - GONE_AFTER
    )
    .fetch_one(conn)
    .await?;
    Ok(u32::try_from(seats).unwrap_or_default())
}

/// Clients that our own agent may have to talk for: those with a running campaign that names a playbook, and those
/// that have a grant. By their ids.
pub async fn clients(conn: &mut PgConnection) -> Result<Vec<Uuid>, StoreError> {
    let clients = sqlx::query_scalar!(
        r#"select c.client_id as "client_id!" from campaigns c
        join campaign_revisions r on r.client_id = c.client_id and r.campaign_id = c.campaign_id
            and r.revision = c.revision
        where c.state = 'running' and r.playbook is not null
        union select client_id from seat_grants
        order by 1"#
    )
    .fetch_all(conn)
    .await?;
    Ok(clients)
}

/// How these clients stand, in their order. Leads are counted up to `most` for each lane and priority.
pub async fn standing(
    conn: &mut PgConnection,
    clients: &[Uuid],
    most: u32,
    now: Moment,
) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"select coalesce(taken.calls, 0) as "taken!", coalesce(due.leads, 0) as "due!"
        from unnest($1::uuid[]) with ordinality as x(client_id, place)
        left join (
            select a.client_id, sum(a.calls)::bigint as calls
            from (
                select client_id, campaign_id, revision, count(*) as calls from attempts
                where client_id = any($1) and live group by client_id, campaign_id, revision) a
            join campaign_revisions r on r.client_id = a.client_id and r.campaign_id = a.campaign_id
                and r.revision = a.revision
            where r.playbook is not null group by a.client_id) taken on taken.client_id = x.client_id
        left join (
            select l.client_id, count(*) as leads
            from lanes l
            join campaigns c on c.client_id = l.client_id and c.campaign_id = l.campaign_id
            join campaign_revisions r on r.client_id = c.client_id and r.campaign_id = c.campaign_id
                and r.revision = c.revision
            cross join unnest(enum_range(null::priority)) as p(priority)
            cross join lateral (
                select from workflows w
                where w.client_id = l.client_id and w.lane_id = l.lane_id and w.priority = p.priority
                    and w.due_at <= $3 limit $2) w
            where l.client_id = any($1) and c.state = 'running' and r.playbook is not null
                and (l.place = '' or (l.why is null and l.opens_at <= $3))
            group by l.client_id) due on due.client_id = x.client_id
        order by x.place"#,
        clients,
        i64::from(most),
        now
    )
    .fetch_all(conn)
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(rows.into_iter().map(|row| Standing { taken: count(row.taken), due: count(row.due) }).collect())
}

/// Grants these clients so many seats until then. Tells who has more than before. What stays as it is, is written only
/// once it would end `soon`.
pub async fn grant(
    conn: &mut PgConnection,
    clients: &[Uuid],
    seats: &[u32],
    (soon, until): (Moment, Moment),
) -> Result<Vec<ClientId>, StoreError> {
    let seats: Vec<i32> = seats.iter().map(|seats| i32::try_from(*seats).unwrap_or(i32::MAX)).collect();
    let raised = sqlx::query_scalar!(
        r#"with before as (select client_id, seats, until from seat_grants where client_id = any($1)),
        granted as (
            insert into seat_grants (client_id, seats, until)
            select x.client_id, x.seats, $3 from unnest($1::uuid[], $2::int[]) as x(client_id, seats)
            left join before b on b.client_id = x.client_id
            where b.seats is distinct from x.seats or b.until <= $4
            on conflict (client_id) do update set seats = excluded.seats, until = excluded.until
            returning client_id, seats)
        select g.client_id as "client_id!" from granted g left join before b on b.client_id = g.client_id
        where g.seats > coalesce(b.seats, 0)"#,
        clients,
        &seats,
        until,
        soon
    )
    .fetch_all(conn)
    .await?;
    Ok(raised.into_iter().map(ClientId).collect())
}

/// How many seats a client is granted; `None` if it was granted none.
pub async fn granted(
    conn: &mut PgConnection,
    client: ClientId,
    now: Moment,
) -> Result<Option<u32>, StoreError> {
    let granted = sqlx::query_scalar!(
        "select seats from seat_grants where client_id = $1 and until > $2",
        client.0,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(granted.map(|seats| u32::try_from(seats).unwrap_or_default()))
}

/// How many seats a client has left, in a round of admission; `None` if it was granted none.
pub async fn free(conn: &mut PgConnection, client: ClientId, now: Moment) -> Result<Option<u32>, StoreError> {
    let Some(granted) = granted(conn, client, now).await? else { return Ok(None) };
    let taken = sqlx::query_scalar!(
        r#"select coalesce(sum(a.calls), 0)::bigint as "taken!"
        from (
            select campaign_id, revision, count(*) as calls from attempts
            where client_id = $1 and live group by campaign_id, revision) a
        join campaign_revisions r on r.client_id = $1 and r.campaign_id = a.campaign_id and r.revision = a.revision
        where r.playbook is not null"#,
        client.0
    )
    .fetch_one(conn)
    .await?;
    Ok(Some(u32::try_from(i64::from(granted) - taken).unwrap_or_default()))
}

/// Where a process takes sockets; `None` if it takes none, or is gone.
pub async fn address_of(conn: &mut PgConnection, node: NodeId) -> Result<Option<Url>, StoreError> {
    let address = sqlx::query_scalar!("select address from nodes where node_id = $1", node.0)
        .fetch_optional(conn)
        .await?;
    Ok(address.flatten().and_then(|address| Url::parse(&address).ok()))
}

/// Where the process is reached that has most seats free, among those that take sockets; `None` if none has any.
pub async fn most_room(conn: &mut PgConnection, but: NodeId, now: Moment) -> Result<Option<Url>, StoreError> {
    let address = sqlx::query_scalar!(
        r#"select n.address as "address!" from nodes n
        left join (
            select node_id, count(*) as held from conversations where ended_at is null group by node_id) c
            on c.node_id = n.node_id
        where n.node_id <> $1 and n.seen_at > $2 and n.address is not null and n.seats > coalesce(c.held, 0)
        order by n.seats - coalesce(c.held, 0) desc limit 1"#,
        but.0,
        now - GONE_AFTER
    )
    .fetch_optional(conn)
    .await?;
    Ok(address.and_then(|address| Url::parse(&address).ok()))
}
