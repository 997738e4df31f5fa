//! What conversations yield, beside the ledger.

use outdial_workflows::Moment;
use outdial_workflows::ids::{AttemptNumber, ClientId, LeadId};
use outdial_workflows::results::{CallResults, FlowCourse, Turn};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::small;

/// Adds results to what is known of these attempts, field by field, as are those of an analysis; each attempt at
/// most once.
pub async fn add(
    conn: &mut PgConnection,
    client: ClientId,
    results: &[(LeadId, AttemptNumber, Value)],
    now: Moment,
) -> Result<(), StoreError> {
    if results.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into call_results (client_id, lead_id, number, results, updated_at)
        select $1, x.lead_id, x.number, x.results, $5
        from unnest($2::uuid[], $3::smallint[], $4::jsonb[]) as x(lead_id, number, results)
        order by x.lead_id, x.number
        on conflict (client_id, lead_id, number)
            do update set updated_at = excluded.updated_at, results = call_results.results || excluded.results
                || case when jsonb_typeof(call_results.results -> 'analysis') = 'object'
                        and jsonb_typeof(excluded.results -> 'analysis') = 'object'
                    then jsonb_build_object('analysis',
                        (call_results.results -> 'analysis') || (excluded.results -> 'analysis'))
                    else '{}'::jsonb end",
        client.0,
        &results.iter().map(|(lead, ..)| lead.0).collect::<Vec<Uuid>>(),
        &results.iter().map(|(_, number, _)| small(number.get())).collect::<Vec<_>>(),
        &results.iter().map(|(.., results)| results.clone()).collect::<Vec<_>>(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds what was said to the transcript of an attempt. What is there already is not added again, so that a
/// report may come twice; turns whose times are all known stand in their order.
pub async fn add_turns(
    conn: &mut PgConnection,
    client: ClientId,
    (lead, number): (LeadId, AttemptNumber),
    turns: Vec<Turn>,
    now: Moment,
) -> Result<(), StoreError> {
    // Whoever comes second waits for this row, and then sees what the first has added.
    add(conn, client, &[(lead, number, json!({}))], now).await?;
    let known = read(conn, client, lead, number).await?.unwrap_or_default();
    let mut transcript = known.transcript;
    for turn in turns {
        if !transcript.contains(&turn) {
            transcript.push(turn);
        }
    }
    if transcript.iter().all(|turn| turn.at_ms.is_some()) {
        transcript.sort_by_key(|turn| turn.at_ms);
    }
    add(conn, client, &[(lead, number, json!({ "transcript": transcript }))], now).await
}

/// Adds to a call's transcript what was said in it by a flow, at one visit of the carrier's. False if this visit is
/// recorded already: the carrier asks once more.
pub async fn add_visit(
    conn: &mut PgConnection,
    client: ClientId,
    (lead, number): (LeadId, AttemptNumber),
    mut course: FlowCourse,
    mut turns: Vec<Turn>,
    now: Moment,
) -> Result<bool, StoreError> {
    // Whoever comes second waits for this row, and then sees what the first has added.
    add(conn, client, &[(lead, number, json!({}))], now).await?;
    let known = read(conn, client, lead, number).await?.unwrap_or_default();
    if let Some(before) = known.flow {
        if before.visits >= course.visits {
            return Ok(false);
        }
        course.began_at = before.began_at;
    }
    let at_ms = u32::try_from((now - course.began_at).num_milliseconds()).unwrap_or_default();
    turns.iter_mut().for_each(|turn| turn.at_ms = Some(at_ms));
    let transcript: Vec<Turn> = known.transcript.into_iter().chain(turns).collect();
    add(conn, client, &[(lead, number, json!({ "flow": course, "transcript": transcript }))], now).await?;
    Ok(true)
}

/// What is known of an attempt; `None` if nothing is.
pub async fn read(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
) -> Result<Option<CallResults>, StoreError> {
    let found = sqlx::query_scalar!(
        "select results from call_results where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(conn)
    .await?;
    let read =
        |value| serde_json::from_value(value).map_err(|problem| unreadable("call_results", lead.0, problem));
    found.map(read).transpose()
}
