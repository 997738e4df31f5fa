//! Which lanes admission looks at.
//!
//! A lane keeps where its calling hours stand and until when, so that a round costs nothing for
//! those that are closed. What has passed, or was computed from other rules or data, is computed
//! again before it is used: an edit, an opening and a closing touch no lead.

use outdial_workflows::Moment;
use outdial_workflows::hours::{LaneState, lane_visits};
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::packs::edition;
use outdial_workflows::places::Whereabouts;
use sqlx::PgConnection;

use super::Engine;
use crate::store::lanes::AccountLanes;
use crate::store::{self, StoreError};

/// The lanes of an account's running campaigns, under admission's lock. `None`: some were computed
/// again; once that is committed, a new round finds all of them as they stand.
pub(super) async fn visited(
    engine: &Engine,
    conn: &mut PgConnection,
    client: ClientId,
    account: AccountId,
    now: Moment,
) -> Result<Option<AccountLanes>, StoreError> {
    let lanes = store::lanes::of_account(conn, client, account, edition(), now).await?;
    let mut computed = vec![];
    for (lane, place) in &lanes.stale {
        let rules = engine.inner.rules.get(conn, client, lane.campaign, lane.revision).await?;
        let state = match (rules, place.parse::<Whereabouts>()) {
            (Some(rules), Ok(place)) => lane_visits(&rules, &place, now),
            // The gate holds each of its leads.
            (None, _) => LaneState::Open { closes_at: None },
            (_, Err(error)) => {
                tracing::error!(lane.id = %lane.lane, %error,
                    "ALERT: a lane's place cannot be read; the gate decides about each of its leads");
                LaneState::Open { closes_at: None }
            }
        };
        computed.push((*lane, state));
    }
    if computed.is_empty() {
        return Ok(Some(lanes));
    }
    store::lanes::save(conn, client, &computed, edition(), now).await?;
    Ok(None)
}
