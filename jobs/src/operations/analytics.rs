//! How calls go.

use chrono_tz::Tz;
use outdial_workflows::Moment;
use outdial_workflows::analytics::{Analysis, analyse};
use outdial_workflows::ids::{CampaignId, ClientId};

use super::OperationError;
use crate::engine::Engine;
use crate::store;

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
    let within = (asked.from, asked.until);
    let counts = store::call_statistics::read(&mut conn, client, asked.campaign, within).await?;
    Ok(analyse(counts.iter().map(|(key, sum)| (key, sum)), asked.zone.unwrap_or(Tz::UTC)))
}
