//! The dial ledger, looked through.

use std::collections::HashMap;

use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::{CallResult, CallStatus};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::transfer::TransferState;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::leads::Listed;
use super::paging::Direction;
use super::rows::{CallResultRow, CallStatusRow, LedgerRow, OutcomeRow, TransferStateRow, count, small};

/// An attempt as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which.
    pub key: DialKey,
    /// The lead's campaign.
    pub campaign: CampaignId,
    /// The revision of the campaign's rules that it was made under.
    pub revision: i32,
    /// The account it dials from.
    pub account: AccountId,
    /// The number it dials from.
    pub caller_id: Option<String>,
    /// The number dialled; `None` once the person was erased.
    pub phone: Option<String>,
    /// Where it stands between us and the carrier.
    pub ledger: Ledger,
    /// Whether caps and retry limits see it.
    pub counts: bool,
    /// When it was reserved.
    pub reserved_at: Moment,
    /// When sending it was committed to.
    pub submitted_at: Option<Moment>,
    /// When the request's result became known.
    pub replied_at: Option<Moment>,
    /// The carrier's name for the call, once bound.
    pub call_id: Option<String>,
    /// How far the call has come.
    pub status: CallStatus,
    /// When the called side picked up.
    pub answered_at: Option<Moment>,
    /// When the end became known.
    pub ended_at: Option<Moment>,
    /// How the call ended, as the carrier saw it.
    pub result: Option<CallResult>,
    /// Time connected, in milliseconds.
    pub talk_ms: Option<i32>,
    /// The carrier's word for the reason of the end.
    pub cause: Option<String>,
    /// What was reported about the conversation.
    pub verdict: Option<Outcome>,
    /// What was recorded in the end.
    pub outcome: Option<Outcome>,
    /// Where a recording lies.
    pub recording_url: Option<String>,
    /// What the call cost, in millionths of the unit of the account's currency.
    pub cost_micros: Option<i64>,
    /// Whom the latest transfer hands the call to, if one was ordered.
    pub transfer_to: Option<String>,
    /// Where that transfer stands.
    pub transfer_state: Option<TransferState>,
}

impl Made {
    /// Its place in the list of its campaign.
    pub fn place(&self) -> Place {
        let AttemptRef { lead, number, .. } = self.key.0;
        Place { at: self.reserved_at, lead, number }
    }
}

/// A place in a list of attempts by their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the attempt was reserved.
    pub at: Moment,
    /// Whose it is.
    pub lead: LeadId,
    /// Which of the lead's.
    pub number: AttemptNumber,
}

struct Row {
    client_id: Uuid,
    lead_id: Uuid,
    number: i16,
    campaign_id: Uuid,
    revision: i32,
    account_id: Uuid,
    caller_id: Option<String>,
    phone: Option<String>,
    ledger: LedgerRow,
    counts: bool,
    reserved_at: Moment,
    submitted_at: Option<Moment>,
    replied_at: Option<Moment>,
    call_id: Option<String>,
    status: CallStatusRow,
    answered_at: Option<Moment>,
    ended_at: Option<Moment>,
    result: Option<CallResultRow>,
    talk_ms: Option<i32>,
    cause: Option<String>,
    verdict: Option<OutcomeRow>,
    outcome: Option<OutcomeRow>,
    recording_url: Option<String>,
    cost_micros: Option<i64>,
    transfer_to: Option<String>,
    transfer_state: Option<TransferStateRow>,
}

impl TryFrom<Row> for Made {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = row.lead_id;
        let number = AttemptNumber::new(count("attempts", id, row.number)?);
        let number = number.ok_or_else(|| unreadable("attempts", id, "attempt number 0"))?;
        Ok(Self {
            key: DialKey(AttemptRef { client: ClientId(row.client_id), lead: LeadId(id), number }),
            campaign: CampaignId(row.campaign_id),
            revision: row.revision,
            account: AccountId(row.account_id),
            caller_id: row.caller_id,
            phone: row.phone,
            ledger: row.ledger.into(),
            counts: row.counts,
            reserved_at: row.reserved_at,
            submitted_at: row.submitted_at,
            replied_at: row.replied_at,
            call_id: row.call_id,
            status: row.status.into(),
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            result: row.result.map(Into::into),
            talk_ms: row.talk_ms,
            cause: row.cause,
            verdict: row.verdict.map(Into::into),
            outcome: row.outcome.map(Into::into),
            recording_url: row.recording_url,
            cost_micros: row.cost_micros,
            transfer_to: row.transfer_to,
            transfer_state: row.transfer_state.map(Into::into),
        })
    }
}

/// Reads attempts by a statement that ends so.
macro_rules! made {
    ($conn:expr, $rest:tt $(, $argument:expr)+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select client_id, lead_id, number, campaign_id, revision, account_id, caller_id, phone,
                ledger as "ledger: LedgerRow", counts, reserved_at, submitted_at, replied_at, call_id,
                status as "status: CallStatusRow", answered_at, ended_at, result as "result: CallResultRow", talk_ms,
                cause, verdict as "verdict: OutcomeRow", outcome as "outcome: OutcomeRow", recording_url, cost_micros,
                transfer_to, transfer_state as "transfer_state: TransferStateRow"
            from attempts where "# + $rest
            $(, $argument)+
        )
        .fetch_all($conn)
        .await
    };
}

/// One attempt.
pub async fn one(conn: &mut PgConnection, DialKey(of): DialKey) -> Result<Option<Made>, StoreError> {
    let AttemptRef { client, lead, number } = of;
    let rows = made!(
        conn,
        "client_id = $1 and lead_id = $2 and number = $3",
        client.0,
        lead.0,
        small(number.get())
    )?;
    rows.into_iter().next().map(Made::try_from).transpose()
}

/// The latest attempt of each of these leads that has one.
pub async fn latest(conn: &mut PgConnection, leads: &[Listed]) -> Result<HashMap<LeadId, Made>, StoreError> {
    let tried = || leads.iter().filter(|lead| lead.attempts > 0);
    let rows = made!(
        conn,
        "(client_id, lead_id, number) in (select * from unnest($1::uuid[], $2::uuid[], $3::smallint[]))",
        &tried().map(|lead| lead.client.0).collect::<Vec<_>>(),
        &tried().map(|lead| lead.lead.0).collect::<Vec<_>>(),
        &tried().map(|lead| lead.attempts).collect::<Vec<_>>()
    )?;
    rows.into_iter().map(|row| Made::try_from(row).map(|made| (made.key.0.lead, made))).collect()
}

/// A lead's attempts after this one, in the order of their numbers.
pub async fn of_lead(
    conn: &mut PgConnection,
    client: ClientId,
    lead: LeadId,
    direction: Direction,
    after: Option<AttemptNumber>,
    limit: i64,
) -> Result<Vec<Made>, StoreError> {
    let after = after.map(|number| small(number.get()));
    let rows = match direction {
        Direction::OldestFirst => made!(
            conn,
            "client_id = $1 and lead_id = $2 and number > $3 order by number limit $4",
            client.0,
            lead.0,
            after.unwrap_or(0),
            limit
        ),
        Direction::NewestFirst => made!(
            conn,
            "client_id = $1 and lead_id = $2 and number <= $3 order by number desc limit $4",
            client.0,
            lead.0,
            after.map_or(i16::MAX, |number| number - 1),
            limit
        ),
    }?;
    rows.into_iter().map(Made::try_from).collect()
}

/// A campaign's attempts beyond this place, by their time, from `since` on and before `until`. A campaign's id
/// tells its client: beside it, a condition on the client would make other indexes look useful.
pub async fn of_campaign(
    conn: &mut PgConnection,
    campaign: CampaignId,
    (since, until): (Moment, Moment),
    direction: Direction,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Made>, StoreError> {
    let (lead, number) = (after.map(|place| place.lead.0), after.map(|place| small(place.number.get())));
    let rows = match direction {
        Direction::OldestFirst => made!(
            conn,
            "campaign_id = $1 and reserved_at < $2 and (reserved_at, lead_id, number) > ($3, $4, $5)
            order by reserved_at, lead_id, number limit $6",
            campaign.0,
            until,
            after.map_or(since, |place| place.at),
            lead.unwrap_or(Uuid::nil()),
            number.unwrap_or(0),
            limit
        ),
        Direction::NewestFirst => made!(
            conn,
            "campaign_id = $1 and reserved_at >= $2 and (reserved_at, lead_id, number) < ($3, $4, $5)
            order by reserved_at desc, lead_id desc, number desc limit $6",
            campaign.0,
            since,
            after.map_or(until, |place| place.at),
            lead.unwrap_or(Uuid::nil()),
            number.unwrap_or(0),
            limit
        ),
    }?;
    rows.into_iter().map(Made::try_from).collect()
}

/// A client's attempts that hold a slot, the latest first: as many as its limits let be at once.
pub async fn live(conn: &mut PgConnection, client: ClientId, limit: i64) -> Result<Vec<Made>, StoreError> {
    let rows = made!(conn, "client_id = $1 and live order by reserved_at desc limit $2", client.0, limit)?;
    rows.into_iter().map(Made::try_from).collect()
}
