//! The dial ledger.

use std::collections::HashSet;
use std::num::NonZeroU16;

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Revision, Submission};
use outdial_workflows::call::{CallEnd, CallId, CallStatus, CallerId, Talk};
use outdial_workflows::gate::Tried;
use outdial_workflows::ids::{AccountId, AttemptNumber, CampaignId, ClientId, LeadId};
use outdial_workflows::money::Cost;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::transfer::Transfer;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::{
    CallResultRow, CallStatusRow, LedgerRow, Lenient, OutcomeRow, TransferStateRow, count, small,
};

struct AttemptRow {
    lead_id: Uuid,
    number: i16,
    revision: i32,
    account_id: Uuid,
    caller_id: Option<String>,
    phone: Option<String>,
    ledger: Lenient<LedgerRow>,
    counts: bool,
    barrier_version: i64,
    dial_by: Moment,
    reserved_at: Moment,
    submitted_at: Option<Moment>,
    submit_token: Option<Uuid>,
    replied_at: Option<Moment>,
    call_id: Option<String>,
    second_call_id: Option<String>,
    status: Lenient<CallStatusRow>,
    answered_at: Option<Moment>,
    ended_at: Option<Moment>,
    result: Option<Lenient<CallResultRow>>,
    talk_ms: Option<i32>,
    cause: Option<String>,
    verdict: Option<Lenient<OutcomeRow>>,
    outcome: Option<Lenient<OutcomeRow>>,
    recording_url: Option<String>,
    asked: i16,
    cost_micros: Option<i64>,
    results_digest: Option<i64>,
    transfer_number: Option<i16>,
    transfer_to: Option<String>,
    transfer_state: Option<Lenient<TransferStateRow>>,
    transfer_briefing: Option<String>,
    abandoned: Option<bool>,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let id = row.lead_id;
        let number = count("attempts", id, row.number)?;
        let talk = row.talk_ms.map(u32::try_from).transpose();
        let talk = talk.map_err(|problem| unreadable("attempts", id, problem))?.map(|ms| Talk { ms });
        let phone = row.phone.map(|phone| phone.parse()).transpose();
        let result = row.result.map(|result| result.read("attempts", id)).transpose()?;
        let end = |result: CallResultRow| CallEnd { result: result.into(), talk, cause: row.cause };
        let outcome = |value: Option<Lenient<OutcomeRow>>| {
            let value = value.map(|value| value.read("attempts", id)).transpose()?;
            Ok::<_, StoreError>(value.map(Into::into))
        };
        let transfer = match (row.transfer_number, row.transfer_to, row.transfer_state) {
            (Some(number), Some(to), Some(state)) => Some(Transfer {
                number: NonZeroU16::new(count("attempts", id, number)?)
                    .ok_or_else(|| unreadable("attempts", id, "transfer number 0"))?,
                to: to.parse().map_err(|problem| unreadable("attempts", id, problem))?,
                briefing: row.transfer_briefing.and_then(|briefing| briefing.parse().ok()),
                state: state.read("attempts", id)?.into(),
            }),
            _ => None,
        };
        Ok(Self {
            number: AttemptNumber::new(number)
                .ok_or_else(|| unreadable("attempts", id, "attempt number 0"))?,
            revision: Revision(row.revision),
            account: AccountId(row.account_id),
            caller_id: row.caller_id.map(CallerId),
            phone: phone.map_err(|problem| unreadable("attempts", id, problem))?,
            ledger: row.ledger.read("attempts", id)?.into(),
            counts: row.counts,
            barrier: BarrierVersion(row.barrier_version),
            dial_by: row.dial_by,
            reserved_at: row.reserved_at,
            submission: row.submitted_at.zip(row.submit_token).map(|(at, token)| Submission { at, token }),
            replied_at: row.replied_at,
            call_id: row.call_id.map(CallId),
            second_call_id: row.second_call_id.map(CallId),
            status: row.status.read("attempts", id)?.into(),
            answered_at: row.answered_at,
            ended: row.ended_at.zip(result.map(end)),
            verdict: outcome(row.verdict)?,
            outcome: outcome(row.outcome)?,
            recording_url: row.recording_url,
            asked: count("attempts", id, row.asked)?,
            cost: row.cost_micros.map(|micros| Cost { micros }),
            results: row.results_digest,
            transfer,
            abandoned: row.abandoned,
        })
    }
}

/// An attempt that was read, or the lead whose row cannot be read.
pub type Loaded = Result<(LeadId, Attempt), (LeadId, StoreError)>;

/// Reads these attempts. They stay as they were read only while the reader holds their workflows' lock.
pub async fn load(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
    numbers: &[i16],
) -> Result<Vec<Loaded>, StoreError> {
    let rows = sqlx::query_as!(
        AttemptRow,
        r#"select a.lead_id, a.number, revision, account_id, caller_id, phone, ledger as "ledger: Lenient<LedgerRow>", counts,
            barrier_version, dial_by, reserved_at, submitted_at, submit_token, replied_at, call_id,
            second_call_id, status as "status: Lenient<CallStatusRow>", answered_at, ended_at,
            result as "result: Lenient<CallResultRow>", talk_ms, cause, verdict as "verdict: Lenient<OutcomeRow>",
            outcome as "outcome: Lenient<OutcomeRow>", recording_url, asked, cost_micros, results_digest,
            transfer_number, transfer_to, transfer_state as "transfer_state: Lenient<TransferStateRow>",
            transfer_briefing, abandoned
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::smallint[]) as x(lead_id, number) offset 0) x
        join attempts a on a.client_id = x.client_id and a.lead_id = x.lead_id and a.number = x.number
        order by a.lead_id, a.number"#,
        client.0,
        leads,
        numbers
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(loaded).collect())
}

/// Reads all attempts of these leads, by lead and number.
pub async fn of_leads(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<Vec<Loaded>, StoreError> {
    let rows = sqlx::query_as!(
        AttemptRow,
        r#"select a.lead_id, a.number, revision, account_id, caller_id, phone, ledger as "ledger: Lenient<LedgerRow>", counts,
            barrier_version, dial_by, reserved_at, submitted_at, submit_token, replied_at, call_id,
            second_call_id, status as "status: Lenient<CallStatusRow>", answered_at, ended_at,
            result as "result: Lenient<CallResultRow>", talk_ms, cause, verdict as "verdict: Lenient<OutcomeRow>",
            outcome as "outcome: Lenient<OutcomeRow>", recording_url, asked, cost_micros, results_digest,
            transfer_number, transfer_to, transfer_state as "transfer_state: Lenient<TransferStateRow>",
            transfer_briefing, abandoned
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join attempts a on a.client_id = x.client_id and a.lead_id = x.lead_id order by a.lead_id, a.number"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(loaded).collect())
}

fn loaded(row: AttemptRow) -> Loaded {
    let lead = LeadId(row.lead_id);
    Attempt::try_from(row).map(|attempt| (lead, attempt)).map_err(|error| (lead, error))
}

/// An attempt with what its row names besides.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The lead.
    pub lead: LeadId,
    /// The lead's campaign.
    pub campaign: CampaignId,
    /// The attempt.
    pub attempt: &'a Attempt,
}

/// Writes new attempts, reserved or submitted, in the order of their numbers' phones. Those whose phone has another
/// live attempt are left out; the answer names those that were written.
pub async fn reserve(
    conn: &mut PgConnection,
    client: ClientId,
    mut rows: Vec<Of<'_>>,
) -> Result<HashSet<LeadId>, StoreError> {
    rows.sort_by(|a, b| a.attempt.phone.cmp(&b.attempt.phone));
    let text = |phone: &PhoneNumber| phone.as_str().to_owned();
    let phones: Vec<Option<String>> = rows.iter().map(|row| row.attempt.phone.as_ref().map(text)).collect();
    let submission = |row: &Of<'_>| row.attempt.submission;
    let written = sqlx::query_scalar!(
        "insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, caller_id, phone, ledger,
            counts, barrier_version, dial_by, reserved_at, submitted_at, submit_token, status)
        select $1, x.lead_id, x.number, x.campaign_id, x.revision, x.account_id, x.caller_id, x.phone, x.ledger,
            x.counts, x.barrier_version, x.dial_by, x.reserved_at, x.submitted_at, x.submit_token, x.status
        from unnest($2::uuid[], $3::smallint[], $4::uuid[], $5::integer[], $6::uuid[], $7::text[],
            $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::ledger[], $13::bool[],
            $14::timestamptz[], $15::uuid[], $16::call_status[]) with ordinality
            as x(lead_id, number, campaign_id, revision, account_id, phone, barrier_version, dial_by,
                reserved_at, caller_id, ledger, counts, submitted_at, submit_token, status, place)
        order by x.place
        on conflict do nothing returning lead_id",
        client.0,
        &rows.iter().map(|row| row.lead.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| small(row.attempt.number.get())).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.campaign.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt.revision.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt.account.0).collect::<Vec<_>>(),
        &phones as &[Option<String>],
        &rows.iter().map(|row| row.attempt.barrier.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt.dial_by).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt.reserved_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt.caller_id.as_ref().map(|number| number.0.clone())).collect::<Vec<_>>()
            as &[Option<String>],
        &rows.iter().map(|row| row.attempt.ledger.into()).collect::<Vec<_>>() as &[LedgerRow],
        &rows.iter().map(|row| row.attempt.counts).collect::<Vec<_>>(),
        &rows.iter().map(|row| submission(row).map(|made| made.at)).collect::<Vec<_>>() as &[Option<Moment>],
        &rows.iter().map(|row| submission(row).map(|made| made.token)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.attempt.status.into()).collect::<Vec<_>>() as &[CallStatusRow]
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(LeadId).collect())
}

/// Those of these leads whose numbers are held by live attempts.
pub async fn busy(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
) -> Result<HashSet<LeadId>, StoreError> {
    let busy = sqlx::query_scalar!(
        r#"select l.lead_id as "lead_id!"
        from (select distinct $1::uuid as client_id, * from unnest($2::uuid[]) as x(lead_id) offset 0) x
        join leads l on l.client_id = x.client_id and l.lead_id = x.lead_id
        join attempts a on a.client_id = l.client_id and a.phone = l.phone and a.live"#,
        client.0,
        leads
    )
    .fetch_all(conn)
    .await?;
    Ok(busy.into_iter().map(LeadId).collect())
}

/// Writes back attempts whose workflows are locked.
pub async fn save(conn: &mut PgConnection, client: ClientId, rows: &[Of<'_>]) -> Result<(), StoreError> {
    let each = || rows.iter().map(|row| row.attempt);
    let text = |call: &Option<CallId>| call.as_ref().map(|call| call.0.clone());
    let end = |attempt: &Attempt| attempt.ended.as_ref().map(|(_, end)| end.clone());
    let talk = |attempt: &Attempt| {
        end(attempt).and_then(|end| end.talk).map(|talk| i32::try_from(talk.ms).unwrap_or(i32::MAX))
    };
    let briefing = |attempt: &Attempt| attempt.transfer.as_ref().and_then(|to| to.briefing.clone());
    sqlx::query!(
        "update attempts a set ledger = x.ledger, counts = x.counts, submitted_at = x.submitted_at,
            submit_token = x.submit_token, replied_at = x.replied_at, call_id = x.call_id,
            second_call_id = x.second_call_id, status = x.status, answered_at = x.answered_at, ended_at = x.ended_at, result = x.result,
            talk_ms = x.talk_ms, cause = x.cause, verdict = x.verdict, outcome = x.outcome,
            recording_url = x.recording_url, asked = x.asked, cost_micros = x.cost_micros,
            results_digest = x.results_digest, transfer_number = x.transfer_number,
            transfer_to = x.transfer_to, transfer_state = x.transfer_state, transfer_briefing = x.transfer_briefing,
            abandoned = x.abandoned
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::smallint[], $4::ledger[], $5::boolean[],
            $6::timestamptz[], $7::uuid[], $8::timestamptz[], $9::text[], $10::text[], $11::call_status[],
            $12::timestamptz[], $13::timestamptz[], $14::call_result[], $15::integer[], $16::text[],
            $17::outcome[], $18::outcome[], $19::text[], $20::smallint[], $21::bigint[], $22::bigint[],
            $23::smallint[], $24::text[], $25::transfer_state[], $26::text[], $27::boolean[])
            as x(lead_id, number, ledger, counts, submitted_at, submit_token, replied_at, call_id,
                second_call_id, status, answered_at, ended_at, result, talk_ms, cause, verdict, outcome,
                recording_url, asked, cost_micros, results_digest, transfer_number, transfer_to,
                transfer_state, transfer_briefing, abandoned) offset 0) x
        where a.client_id = x.client_id and a.lead_id = x.lead_id and a.number = x.number",
        client.0,
        &rows.iter().map(|row| row.lead.0).collect::<Vec<_>>(),
        &each().map(|a| small(a.number.get())).collect::<Vec<_>>(),
        &each().map(|a| a.ledger.into()).collect::<Vec<LedgerRow>>() as &[LedgerRow],
        &each().map(|a| a.counts).collect::<Vec<_>>(),
        &each().map(|a| a.submission.map(|s| s.at)).collect::<Vec<_>>() as &[Option<Moment>],
        &each().map(|a| a.submission.map(|s| s.token)).collect::<Vec<_>>() as &[Option<Uuid>],
        &each().map(|a| a.replied_at).collect::<Vec<_>>() as &[Option<Moment>],
        &each().map(|a| text(&a.call_id)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|a| text(&a.second_call_id)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|a| a.status.into()).collect::<Vec<CallStatusRow>>() as &[CallStatusRow],
        &each().map(|a| a.answered_at).collect::<Vec<_>>() as &[Option<Moment>],
        &each().map(|a| a.ended.as_ref().map(|(at, _)| *at)).collect::<Vec<_>>() as &[Option<Moment>],
        &each().map(|a| end(a).map(|end| end.result.into())).collect::<Vec<_>>()
            as &[Option<CallResultRow>],
        &each().map(talk).collect::<Vec<_>>() as &[Option<i32>],
        &each().map(|a| end(a).and_then(|end| end.cause)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|a| a.verdict.map(Into::into)).collect::<Vec<_>>() as &[Option<OutcomeRow>],
        &each().map(|a| a.outcome.map(Into::into)).collect::<Vec<_>>() as &[Option<OutcomeRow>],
        &each().map(|a| a.recording_url.clone()).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|a| small(a.asked)).collect::<Vec<_>>(),
        &each().map(|a| a.cost.map(|cost| cost.micros)).collect::<Vec<_>>() as &[Option<i64>],
        &each().map(|a| a.results).collect::<Vec<_>>() as &[Option<i64>],
        &each().map(|a| a.transfer.as_ref().map(|to| small(to.number.get()))).collect::<Vec<_>>()
            as &[Option<i16>],
        &each().map(|a| a.transfer.as_ref().map(|to| to.to.dialled().to_owned())).collect::<Vec<_>>()
            as &[Option<String>],
        &each().map(|a| a.transfer.as_ref().map(|to| to.state.into())).collect::<Vec<_>>()
            as &[Option<TransferStateRow>],
        &each().map(|a| briefing(a).map(|briefing| briefing.as_str().to_owned())).collect::<Vec<_>>()
            as &[Option<String>],
        &each().map(|a| a.abandoned).collect::<Vec<_>>() as &[Option<bool>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How often these numbers were tried over all campaigns of the client: attempts that counted and are
/// over, in all and with their times since `since`. Numbers that never were are missing.
pub async fn tried(
    conn: &mut PgConnection,
    client: ClientId,
    phones: &[String],
    since: Moment,
) -> Result<Vec<(String, Tried)>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.phone as "phone!", count(*) as "in_all!",
            coalesce(array_agg(submitted_at) filter (where submitted_at > $3), '{}') as "at!: Vec<Moment>"
        from (select distinct $1::uuid as client_id, * from unnest($2::text[]) as x(phone) offset 0) x
        join attempts a on a.client_id = x.client_id and a.phone = x.phone
        where a.counts and not a.live group by a.phone"#,
        client.0,
        phones,
        since
    )
    .fetch_all(conn)
    .await?;
    let tried = |at, in_all| Tried { at, in_all: u32::try_from(in_all).unwrap_or(u32::MAX) };
    Ok(rows.into_iter().map(|row| (row.phone, tried(row.at, row.in_all))).collect())
}

/// The carrier's names for other calls to a number, of attempts that were reserved since `since`.
pub async fn other_calls(
    conn: &mut PgConnection,
    client: ClientId,
    phone: &PhoneNumber,
    since: Moment,
    except: (LeadId, AttemptNumber),
) -> Result<Vec<CallId>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.call_id as "call_id!", a.second_call_id
        from (select $1::uuid as client_id, $2::text as phone offset 0) x
        join attempts a on a.client_id = x.client_id and a.phone = x.phone
        where a.call_id is not null and a.reserved_at >= $3 and not (a.lead_id = $4 and a.number = $5)"#,
        client.0,
        phone.as_str(),
        since,
        except.0.0,
        small(except.1.get())
    )
    .fetch_all(conn)
    .await?;
    let names = rows.into_iter().flat_map(|row| [Some(row.call_id), row.second_call_id]);
    Ok(names.flatten().map(CallId).collect())
}

/// The account that an attempt dials from; `None` if there is no such attempt.
pub async fn account(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    number: AttemptNumber,
) -> Result<Option<AccountId>, StoreError> {
    let account = sqlx::query_scalar!(
        "select account_id from attempts where client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get())
    )
    .fetch_optional(conn)
    .await?;
    Ok(account.map(AccountId))
}

/// An attempt whose phone may ring or has rung.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Underway {
    /// The lead.
    pub lead: LeadId,
    /// The attempt.
    pub number: u16,
    /// Its state in the ledger.
    pub ledger: outdial_workflows::attempt::Ledger,
    /// The account it was made from.
    pub account: AccountId,
}

/// Those of these attempts whose calls our own agent talks on, by the rules that they were made under.
pub async fn ours(
    conn: &mut PgConnection,
    client: ClientId,
    leads: &[Uuid],
    numbers: &[i16],
) -> Result<Vec<(LeadId, u16)>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.lead_id, a.number
        from (select $1::uuid as client_id, * from unnest($2::uuid[], $3::int2[]) as x(lead_id, number) offset 0) x
        join attempts a on a.client_id = x.client_id and a.lead_id = x.lead_id and a.number = x.number
        join campaign_revisions r on r.client_id = a.client_id and r.campaign_id = a.campaign_id
            and r.revision = a.revision
        where r.playbook is not null"#,
        client.0,
        leads,
        numbers
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (LeadId(row.lead_id), u16::try_from(row.number).unwrap_or_default()))
        .collect())
}

/// The attempts of a client, of one of its campaigns or accounts, that were committed to and are not over:
/// those that an order to stop cannot take back.
pub async fn underway(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: Option<CampaignId>,
    account: Option<AccountId>,
) -> Result<Vec<Underway>, StoreError> {
    let rows = sqlx::query!(
        r#"select lead_id, number, account_id, ledger as "ledger: LedgerRow" from attempts
        where client_id = $1 and live and ledger <> 'reserved'
            and ($2::uuid is null or campaign_id = $2) and ($3::uuid is null or account_id = $3)
        order by submitted_at limit 10000"#,
        client.0,
        campaign.map(|campaign| campaign.0),
        account.map(|account| account.0)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = count("attempts", row.lead_id, row.number)?;
            Ok(Underway {
                lead: LeadId(row.lead_id),
                number,
                ledger: row.ledger.into(),
                account: AccountId(row.account_id),
            })
        })
        .collect()
}

/// How many of a client's attempts hold a slot, by how far their calls have come.
pub async fn count_live(
    conn: &mut PgConnection,
    client: ClientId,
) -> Result<Vec<(CallStatus, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"select status as "status!: CallStatusRow", count(*) as "count!" from attempts
        where client_id = $1 and live group by status order by status"#,
        client.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.status.into(), row.count)).collect())
}

/// How many requests of a client carriers answered since then, but no more than `most` are counted an account.
pub async fn answered_since(
    conn: &mut PgConnection,
    client: ClientId,
    since: Moment,
    most: i64,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select coalesce(sum(n), 0)::bigint as "count!"
        from (select account_id from accounts where client_id = $1 offset 0) c
        cross join lateral (
            select count(*) as n from (
                select 1 from attempts a where a.account_id = c.account_id and a.replied_at > $2 limit $3) l) m"#,
        client.0,
        since,
        most
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Which calls are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Unpriced {
    /// Those that were over by then.
    pub ended_by: Moment,
    /// But not those that were over by then: their carrier has had all the time it is given.
    pub ended_after: Moment,
    /// Nor those whose request was answered before that: no call lasts so long.
    pub answered_after: Moment,
}

/// A call of which it is not known what it cost.
#[derive(Clone, Debug)]
pub struct UnpricedCall {
    /// The lead.
    pub lead: LeadId,
    /// Which of its attempts.
    pub number: AttemptNumber,
    /// The carrier's name for the call.
    pub call_id: CallId,
    /// When the carrier had answered its request.
    pub replied_at: Moment,
}

/// The next calls of an account that are to be asked about, from where the last walk over them stands.
pub async fn unpriced(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    wanted: &Unpriced,
    limit: i64,
) -> Result<Vec<UnpricedCall>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.lead_id, a.number, a.call_id as "call_id!", a.replied_at as "replied_at!"
        from accounts c join attempts a on a.account_id = c.account_id and a.client_id = c.client_id
        where c.client_id = $1 and c.account_id = $2
            and a.replied_at >= greatest(c.priced_before, c.pricing_at, $6)
            and (c.pricing_at is null or (a.replied_at, a.lead_id) > (c.pricing_at, c.pricing_lead))
            and a.replied_at <= $3 and a.ended_at <= $3 and a.ended_at > $4
            and a.cost_micros is null and a.call_id is not null
        order by a.replied_at, a.lead_id limit $5"#,
        client.0,
        account.0,
        wanted.ended_by,
        wanted.ended_after,
        limit,
        wanted.answered_after
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(UnpricedCall {
                lead: LeadId(row.lead_id),
                number: AttemptNumber::new(count("attempts", row.lead_id, row.number)?)
                    .ok_or_else(|| unreadable("attempts", row.lead_id, "attempt number 0"))?,
                call_id: CallId(row.call_id),
                replied_at: row.replied_at,
            })
        })
        .collect()
}

/// Notes how far the walk over an account's calls has come.
pub async fn priced_up_to(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    (replied_at, lead): (Moment, LeadId),
) -> Result<(), StoreError> {
    sqlx::query!(
        "update accounts set pricing_at = $3, pricing_lead = $4 where client_id = $1 and account_id = $2",
        client.0,
        account.0,
        replied_at,
        lead.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has the next walk begin with the first call that is still, or will be, to be asked about.
pub async fn price_anew(
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    wanted: &Unpriced,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update accounts c set pricing_at = null, pricing_lead = null, priced_before = coalesce((
            select a.replied_at from attempts a
            where a.account_id = c.account_id and a.client_id = c.client_id
                and a.replied_at >= greatest(c.priced_before, $5)
                and a.cost_micros is null and (a.live or a.ended_at > $4)
            order by a.replied_at limit 1), $3)
        where c.client_id = $1 and c.account_id = $2",
        client.0,
        account.0,
        wanted.ended_by,
        wanted.ended_after,
        wanted.answered_after
    )
    .execute(conn)
    .await?;
    Ok(())
}
