//! How calls go.

use std::collections::BTreeMap;

use chrono::{Days, TimeDelta};
use chrono_tz::Tz;
use outdial_workflows::Moment;
use outdial_workflows::analytics::{Abandonment, Analysis, analyse, changes_of};
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::statistics::hour_of;

use super::OperationError;
use crate::engine::Engine;
use crate::store;

/// Nothing was counted before.
const BEGINNING: Moment = Moment::from_timestamp_nanos(1_577_836_800_000_000_000); // 2020-01-01

/// Which calls are looked at: by when they were reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Of this campaign; `None` for all of the client.
    pub campaign: Option<CampaignId>,
    /// From then on, to the quarter of an hour.
    pub from: Option<Moment>,
    /// Before then.
    pub until: Option<Moment>,
    /// By whose clock hours and weekdays are told.
    pub zone: Option<Tz>,
}

/// Tells how a client's calls went: from counts that commits keep, so that no attempt is looked at.
///
/// # Errors
/// The database.
pub async fn calls(engine: &Engine, client: ClientId, asked: Asked) -> Result<Analysis, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let (within, zone) = ((asked.from, asked.until), asked.zone.unwrap_or(Tz::UTC));
    let now = engine.now_in(&mut conn).await?;
    let changes = changes_of(zone, asked.from.unwrap_or(BEGINNING), asked.until.unwrap_or(now));
    let counts =
        store::call_statistics::read_by_week(&mut conn, client, asked.campaign, within, &changes).await?;
    let today = now.date_naive();
    let since = today - Days::new(u64::from(Abandonment::DAYS) - 1);
    let (answered, abandoned) =
        store::call_statistics::abandonment(&mut conn, client, asked.campaign, since).await?;
    let mut told = analyse(counts.iter().map(|(key, sum)| (key, sum)), zone);
    told.abandonment = (answered > 0).then(|| Abandonment::new(answered, abandoned));
    Ok(told)
}

/// What came of the attempts that were reserved in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub from: Moment,
    /// Attempts that are over.
    pub attempts: i64,
    /// Those of them that somebody or something answered.
    pub answered: i64,
    /// All of them, by outcome.
    pub by_outcome: BTreeMap<Outcome, i64>,
}

/// The last so many hours, up to the present one: those in which nothing was over, too.
///
/// # Errors
/// The database.
pub async fn hours(
    engine: &Engine,
    client: ClientId,
    campaign: Option<CampaignId>,
    hours: u16,
) -> Result<Vec<Hour>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let last = hour_of(engine.now_in(&mut conn).await?);
    let first = last - TimeDelta::hours(i64::from(hours.max(1)) - 1);
    let counts = store::call_statistics::read(&mut conn, client, campaign, (Some(first), None)).await?;
    let empty = |n: u16| {
        let from = first + TimeDelta::hours(n.into());
        (from, Hour { from, attempts: 0, answered: 0, by_outcome: BTreeMap::new() })
    };
    let mut all: BTreeMap<Moment, Hour> = (0..hours.max(1)).map(empty).collect();
    for (key, sum) in &counts {
        let Some(hour) = all.get_mut(&hour_of(key.span)) else { continue };
        hour.attempts += sum.attempts;
        hour.answered += sum.answered;
        *hour.by_outcome.entry(key.outcome).or_default() += sum.attempts;
    }
    Ok(all.into_values().collect())
}
