//! How a client's dialling goes at the moment, and why it does not go faster.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use outdial_workflows::attempt::Revision;
use outdial_workflows::call::CallStatus;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::hours::{LaneState, lane_visits};
use outdial_workflows::ids::{CampaignId, ClientId, LaneId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use outdial_workflows::{Moment, analytics};

use super::OperationError;
use crate::engine::Engine;
use crate::store;
pub use crate::store::campaigns::Campaign;
pub use crate::store::nodes::Seen;

/// The most campaigns that are told of at once: the newest that run or are paused.
pub const CAMPAIGNS: i64 = 25;
/// The most requests of a minute that are counted an account.
const COUNTED: i64 = 100_000;

/// How far a campaign has come: from statistics, so that no lead is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All leads.
    pub leads: i64,
    /// By where they stand.
    pub by_state: BTreeMap<&'static str, i64>,
    /// Finished ones, by outcome; without one they were cancelled.
    pub by_outcome: BTreeMap<&'static str, i64>,
    /// Finished ones.
    pub finished: i64,
    /// Those of them that went well.
    pub successes: i64,
}

impl Progress {
    fn add(&mut self, state: State, outcome: Option<Outcome>, count: i64) {
        self.leads += count;
        *self.by_state.entry(state.name()).or_default() += count;
        if state == State::Finished {
            self.finished += count;
            *self.by_outcome.entry(outcome.map_or("cancelled", Outcome::name)).or_default() += count;
            if outcome.is_some_and(analytics::is_success) {
                self.successes += count;
            }
        }
    }

    /// How many stand so.
    pub fn of(&self, state: State) -> i64 {
        self.by_state.get(state.name()).copied().unwrap_or_default()
    }
}

/// How far these campaigns have come; of those without leads, nothing.
///
/// # Errors
/// The database.
pub async fn progress(
    engine: &Engine,
    client: ClientId,
    campaigns: &[CampaignId],
) -> Result<HashMap<CampaignId, Progress>, OperationError> {
    let ids: Vec<_> = campaigns.iter().map(|campaign| campaign.0).collect();
    let mut conn = engine.pool().acquire().await?;
    let mut each: HashMap<CampaignId, Progress> = HashMap::new();
    for (campaign, standing) in store::statistics::of_campaigns(&mut conn, client, &ids).await? {
        each.entry(campaign).or_default().add(standing.state, standing.outcome, standing.count);
    }
    Ok(each)
}

/// What these campaigns are called.
///
/// # Errors
/// The database.
pub async fn names(
    engine: &Engine,
    client: ClientId,
    campaigns: impl IntoIterator<Item = CampaignId>,
) -> Result<HashMap<CampaignId, String>, OperationError> {
    let mut ids: Vec<_> = campaigns.into_iter().map(|campaign| campaign.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut conn = engine.pool().acquire().await?;
    let found = store::campaigns::of_ids(&mut conn, client, &ids).await?;
    Ok(found.into_iter().map(|campaign| (campaign.id, campaign.name)).collect())
}

/// Why leads wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Brake {
    /// Their campaign is paused.
    Paused,
    /// Outside calling hours, as this says.
    Hours(String),
    /// Their campaign's rules, or where they are, cannot be told: the gate looks at each.
    EachByItself,
    /// They may be called: they wait for their time, or for a free slot.
    Due,
}

/// How a client's dialling goes.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Campaigns that run or are paused, with how far they have come: the newest.
    pub campaigns: Vec<(Campaign, Progress)>,
    /// Attempts that hold a slot, by how far their calls have come.
    pub live: Vec<(CallStatus, i64)>,
    /// Requests that carriers answered within the last minute.
    pub dialled_last_minute: i64,
    /// Leads of those campaigns that wait, by why, and when the first of them may be called if that is known.
    pub waiting: BTreeMap<Brake, (i64, Option<Moment>)>,
    /// Leads of those campaigns that somebody has to see to.
    pub held: i64,
}

/// Looks at a client's campaigns that are under way.
///
/// # Errors
/// The database.
pub async fn overview(engine: &Engine, client: ClientId) -> Result<Overview, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let campaigns = store::campaigns::under_way(&mut conn, client, CAMPAIGNS).await?;
    let ids: Vec<_> = campaigns.iter().map(|campaign| campaign.id.0).collect();
    let mut progress: HashMap<CampaignId, Progress> = HashMap::new();
    let mut in_lanes: HashMap<LaneId, i64> = HashMap::new();
    for (campaign, standing) in store::statistics::of_campaigns(&mut conn, client, &ids).await? {
        progress.entry(campaign).or_default().add(standing.state, standing.outcome, standing.count);
        if standing.state == State::Waiting {
            *in_lanes.entry(standing.lane).or_default() += standing.count;
        }
    }
    let mut waiting: BTreeMap<Brake, (i64, Option<Moment>)> = BTreeMap::new();
    for (campaign, lane, place) in store::lanes::places_of(&mut conn, client, &ids).await? {
        let leads = in_lanes.get(&lane).copied().unwrap_or_default();
        let Some(campaign) = campaigns.iter().find(|known| known.id == campaign).filter(|_| leads > 0) else {
            continue;
        };
        let rules = engine.rules_in(&mut conn, client, campaign.id, Revision(campaign.revision)).await?;
        let hours = rules.zip(place.parse().ok()).map(|(rules, place)| lane_visits(&rules, &place, now));
        let (brake, opens_at) = match (campaign.state, hours) {
            (CampaignState::Running, Some(LaneState::Open { .. })) => (Brake::Due, None),
            (CampaignState::Running, Some(LaneState::Closed { opens_at, why })) => {
                (Brake::Hours(kind_of(&why)), Some(opens_at))
            }
            (CampaignState::Running, Some(LaneState::Held { why })) => (Brake::Hours(why.to_string()), None),
            (CampaignState::Running, None) => (Brake::EachByItself, None),
            (CampaignState::Paused | CampaignState::Draft | CampaignState::Ended, _) => (Brake::Paused, None),
        };
        let (count, first) = waiting.entry(brake).or_default();
        *count += leads;
        *first = (*first).into_iter().chain(opens_at).min();
    }
    let held = progress.values().map(|progress| progress.of(State::Held)).sum();
    let live = store::attempts::count_live(&mut conn, client).await?;
    let since = now - TimeDelta::minutes(1);
    let dialled_last_minute = store::attempts::answered_since(&mut conn, client, since, COUNTED).await?;
    let mut with_progress = |campaign: Campaign| {
        let progress = progress.remove(&campaign.id).unwrap_or_default();
        (campaign, progress)
    };
    let campaigns = campaigns.into_iter().map(&mut with_progress).collect();
    Ok(Overview { campaigns, live, dialled_last_minute, waiting, held })
}

/// What closes a lane, without when it opens: lanes of several zones share it.
fn kind_of(why: &outdial_workflows::why::Why) -> String {
    match why.name() {
        "window_closed" => "outside calling hours".into(),
        "holiday" => "a holiday".into(),
        _ => why.to_string(),
    }
}

/// How many calls of a client may be under way at once that our own agent talks on, as its seats are shared out; `None`
/// if nobody was granted it any.
///
/// # Errors
/// The database.
pub async fn seats(engine: &Engine, client: ClientId) -> Result<Option<u32>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    Ok(store::seats::granted(&mut conn, client, now).await?)
}

/// The processes that are known to run.
///
/// # Errors
/// The database.
pub async fn nodes(engine: &Engine) -> Result<Vec<Seen>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::nodes::all(&mut conn).await?)
}
