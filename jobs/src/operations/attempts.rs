//! Attempts and the calls that came of them, looked through.

use outdial_workflows::Moment;
use outdial_workflows::call::CallResult;
use outdial_workflows::ids::{CampaignId, ClientId, DialKey, LeadId};
use outdial_workflows::outcome::Outcome;

use super::{Direction, OperationError};
use crate::engine::Engine;
use crate::store;
pub use crate::store::ledger::{Made, Place};

/// How many attempts are read at once where not all fit.
const STEP: usize = 500;
/// The most attempts that are looked at for one page: a filter that few fit does not have all be read.
const LOOKED_AT: usize = 5_000;

/// Whose attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A lead's, in their order.
    Lead(ClientId, LeadId),
    /// A campaign's, by the time of their reservation.
    Campaign(CampaignId),
}

/// Which of them are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fits {
    /// Only those that the carrier took: calls.
    pub calls: bool,
    /// Only those whose call ended so.
    pub result: Option<CallResult>,
    /// Only those of which this was recorded in the end.
    pub outcome: Option<Outcome>,
    /// Only those reserved from then on.
    pub since: Option<Moment>,
    /// Only those reserved before.
    pub until: Option<Moment>,
}

impl Fits {
    fn all(&self) -> bool {
        let Self { calls, result, outcome, since: _, until: _ } = self;
        !calls && result.is_none() && outcome.is_none()
    }

    fn fits(&self, made: &Made) -> bool {
        (!self.calls || made.call_id.is_some())
            && (self.result.is_none() || self.result == made.result)
            && (self.outcome.is_none() || self.outcome == made.outcome)
            && self.since.is_none_or(|since| made.reserved_at >= since)
            && self.until.is_none_or(|until| made.reserved_at < until)
    }

    /// Between which times all are: what Postgres can write down, if nobody bounds it.
    fn span(&self) -> (Moment, Moment) {
        let far = |millis| Moment::from_timestamp_millis(millis).unwrap_or_default();
        let (first, last) = (far(0), far(9_999_999_999_999));
        let within = |at: Moment| at.clamp(first, last);
        (self.since.map_or(first, within), self.until.map_or(last, within))
    }
}

/// A page of attempts beyond `after`, and where the next one begins, if there may be one. A page may hold fewer
/// than `limit` although more follow.
///
/// # Errors
/// The database.
pub async fn page(
    engine: &Engine,
    whose: Whose,
    fits: Fits,
    direction: Direction,
    mut after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Made>, Option<Place>), OperationError> {
    // The one too many tells that there is another page.
    let step = if fits.all() { limit + 1 } else { STEP.max(limit + 1) };
    let rows = i64::try_from(step).unwrap_or(i64::MAX);
    let (mut found, mut looked_at) = (vec![], 0);
    let mut conn = engine.pool().acquire().await?;
    loop {
        let read = match whose {
            Whose::Lead(client, lead) => {
                let after = after.map(|place| place.number);
                store::ledger::of_lead(&mut conn, client, lead, direction, after, rows).await?
            }
            Whose::Campaign(campaign) => {
                store::ledger::of_campaign(&mut conn, campaign, fits.span(), direction, after, rows).await?
            }
        };
        let last = read.len() < step;
        looked_at += read.len();
        for made in read {
            if found.len() == limit {
                return Ok((found, after));
            }
            after = Some(made.place());
            if fits.fits(&made) {
                found.push(made);
            }
        }
        if last || looked_at >= LOOKED_AT {
            return Ok((found, after.filter(|_| !last)));
        }
    }
}

/// A client's attempts that hold a slot, the latest first.
///
/// # Errors
/// The database.
pub async fn live(engine: &Engine, client: ClientId, limit: i64) -> Result<Vec<Made>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::ledger::live(&mut conn, client, limit).await?)
}

/// One attempt.
///
/// # Errors
/// If there is none.
pub async fn get(engine: &Engine, key: DialKey) -> Result<Made, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::ledger::one(&mut conn, key).await?;
    found.ok_or_else(|| OperationError::NotFound { kind: "attempt", given: key.to_string() })
}
