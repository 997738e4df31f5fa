//! How a campaign's leads stand, read back by whoever keeps a list of their own: page by page, in any number.

use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use serde_json::json;

use super::{By, OperationError, campaigns};
use crate::engine::Engine;
use crate::store;
use crate::store::audit::Entry;
pub use crate::store::leads::Standing;

/// How many leads are read at once.
pub const PAGE: i64 = 1_000;

/// The next leads of a campaign after `after`, in the order of their ids: [`PAGE`], and fewer at the end alone.
///
/// # Errors
/// The database.
pub async fn page(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    after: LeadId,
) -> Result<Vec<Standing>, OperationError> {
    let read = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::leads::standing(&mut conn, client, campaign, after, PAGE).await
    });
    Ok(read.await?)
}

/// Gives out the path under which a campaign's status is read without a key. Anybody who has it can read it, for
/// as long as the encryption key stays the same; that it was given out is on record.
///
/// # Errors
/// The database.
pub async fn give_link(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    By { actor, reason }: By<'_>,
) -> Result<String, OperationError> {
    let details = json!({});
    let (action, subject, id) = ("status link", "campaign", campaign.0);
    let noted = engine.allow(async |conn, now| {
        let entry = Entry { actor, action, subject, id, reason, details: &details };
        store::audit::note(conn, client, entry, now).await
    });
    noted.await?;
    Ok(format!("/v1/campaigns/{campaign}/status/{}.csv", engine.key().status_secret_of(campaign)))
}

/// Whose campaign it is that such a path names. Nothing is looked up for a wrong one.
///
/// # Errors
/// If the secret is not the campaign's; it does not tell from a campaign that does not exist.
pub async fn by_secret(
    engine: &Engine,
    campaign: CampaignId,
    secret: &str,
) -> Result<ClientId, OperationError> {
    if !engine.key().is_status_secret_of(campaign, secret) {
        return Err(OperationError::NotFound { kind: "campaign", given: campaign.to_string() });
    }
    campaigns::client_of(engine, campaign).await
}
