//! Numbers that must not be called: put on lists, taken off, looked up.

mod file;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::phone::PhoneNumber;
use serde_json::json;
use uuid::Uuid;

use super::{By, OperationError, Part};
use crate::engine::Engine;
use crate::store::audit::Entry;
use crate::store::suppressions::List;
use crate::store::{self, StoreError};

pub use crate::store::suppressions::{Added, Listed};
pub use file::{Numbers, Taken, read};

/// The most numbers that one transaction puts on a list: whoever dials waits for no more.
pub const PAGE: usize = 1_000;

/// Which list: a client's, or that of one of its campaigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The client.
    pub client: ClientId,
    /// The campaign that the list is bounded to; `None`: it holds for all.
    pub campaign: Option<CampaignId>,
}

/// Puts numbers on a list: once this returns, nobody on it is dialled, but calls under way go on. A
/// number that is on it for longer stays so.
///
/// # Errors
/// If `until` is over, or the campaign does not exist.
///
/// # Panics
/// If there are more than [`PAGE`].
pub async fn add(
    engine: &Engine,
    whose: Whose,
    phones: &[PhoneNumber],
    source: &str,
    until: Option<Moment>,
    by: By<'_>,
) -> Result<Added, OperationError> {
    assert!(phones.len() <= PAGE, "suppress numbers page by page");
    let phones: Vec<String> = phones.iter().map(|phone| phone.as_str().to_owned()).collect();
    let list = List { campaign: whose.campaign, source, until };
    let added = engine.forbid(whose.client, async |conn, now| {
        if until.is_some_and(|until| until <= now) {
            let problem = "it is over already; give a later time, or none".to_owned();
            return Ok(Err(OperationError::Invalid { place: "expires_at".into(), problem }));
        }
        if let Err(error) = exists(conn, whose).await? {
            return Ok(Err(error));
        }
        let added = store::suppressions::add(conn, whose.client, list, &phones, by.actor, now).await?;
        if added.added + added.extended > 0 {
            let details =
                json!({ "added": added.added, "extended": added.extended, "source": source, "until": until });
            note(conn, whose, "suppress", by, &details, now).await?;
        }
        Ok(Ok(added))
    });
    added.await?
}

/// Takes a number off a list. Tells whether it was on it. Leads that finished because of it stay
/// finished until somebody retries them.
///
/// # Errors
/// If the campaign does not exist.
pub async fn remove(
    engine: &Engine,
    whose: Whose,
    phone: &PhoneNumber,
    by: By<'_>,
) -> Result<bool, OperationError> {
    let removed = engine.allow(async |conn, now| {
        if let Err(error) = exists(conn, whose).await? {
            return Ok(Err(error));
        }
        let removed = store::suppressions::remove(conn, whose.client, whose.campaign, phone, now).await?;
        if !removed.is_empty() {
            note(conn, whose, "unsuppress", by, &json!({ "removed": removed }), now).await?;
        }
        Ok(Ok(!removed.is_empty()))
    });
    removed.await?
}

/// Ends the entry with this id. Leads that finished because of it stay finished until somebody retries them.
///
/// # Errors
/// If none of the client's that is in force has this id.
pub async fn lift(engine: &Engine, client: ClientId, id: Uuid, by: By<'_>) -> Result<(), OperationError> {
    let lifted = engine.allow(async |conn, now| {
        let Some(campaign) = store::suppressions::lift(conn, client, id, now).await? else {
            return Ok(false);
        };
        note(conn, Whose { client, campaign }, "unsuppress", by, &json!({ "removed": [id] }), now).await?;
        Ok(true)
    });
    match lifted.await? {
        true => Ok(()),
        false => Err(OperationError::NotFound { kind: "suppression", given: id.to_string() }),
    }
}

/// What is in force now: of a client and all its campaigns, or of one campaign; of all numbers or of one.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    engine: &Engine,
    Whose { client, campaign }: Whose,
    phone: Option<&PhoneNumber>,
    part: Part,
) -> Result<Vec<Listed>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    Ok(match phone {
        Some(phone) => store::suppressions::of_phone(&mut conn, client, campaign, phone, part, now).await?,
        None => store::suppressions::list(&mut conn, client, campaign, part, now).await?,
    })
}

async fn exists(
    conn: &mut sqlx::PgConnection,
    whose: Whose,
) -> Result<Result<(), OperationError>, StoreError> {
    let Some(campaign) = whose.campaign else { return Ok(Ok(())) };
    let found = store::campaigns::lock_state(conn, whose.client, campaign).await?;
    let not_found = || OperationError::NotFound { kind: "campaign", given: campaign.to_string() };
    Ok(found.map(|_| ()).ok_or_else(not_found))
}

/// Without the numbers: the rows name actor and time.
async fn note(
    conn: &mut sqlx::PgConnection,
    whose: Whose,
    action: &str,
    By { actor, reason }: By<'_>,
    details: &serde_json::Value,
    now: Moment,
) -> Result<(), StoreError> {
    let (subject, id) = match whose.campaign {
        Some(campaign) => ("campaign", campaign.0),
        None => ("client", whose.client.0),
    };
    let entry = Entry { actor, action, subject, id, reason, details };
    store::audit::note(conn, whose.client, entry, now).await
}
