//! What became of a campaign's rules: who edited them, when, and what changed.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::rules::Rules;
use outdial_workflows::rules::changes::{RuleChange, changes};
use serde_json::Value;

use super::OperationError;
use crate::engine::Engine;
use crate::store;
use crate::store::campaigns::Revised;

/// A revision of a campaign's rules, as people see it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Edit {
    /// Which; counts from 1.
    pub revision: Revision,
    /// Who made it.
    pub actor: String,
    /// When.
    pub created_at: Moment,
    /// What differs from the revision before; of the first, from the rules' defaults.
    pub changes: Vec<RuleChange>,
}

impl From<Revised> for Edit {
    fn from(revised: Revised) -> Self {
        let before = match revised.before {
            Some(rules) => filled(rules),
            None => serde_json::to_value(Rules::default()).unwrap_or_default(),
        };
        let changes = changes(&before, &filled(revised.rules));
        let revision = Revision(revised.revision);
        Self { revision, actor: revised.actor, created_at: revised.created_at, changes }
    }
}

/// With all defaults, so that a rule that came with a version of the program is no edit. Rules that this version
/// cannot read are taken as they are.
fn filled(rules: Value) -> Value {
    let read = serde_json::from_value::<Rules>(rules.clone());
    read.ok().and_then(|read| serde_json::to_value(read).ok()).unwrap_or(rules)
}

/// The edits of a campaign's rules, the newest first. `after` is the last of the page before.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    after: Option<Revision>,
    limit: i64,
) -> Result<Vec<Edit>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let before = after.unwrap_or(Revision(i32::MAX));
    let found = store::campaigns::revisions(&mut conn, client, campaign, before, limit).await?;
    Ok(found.into_iter().map(Edit::from).collect())
}
