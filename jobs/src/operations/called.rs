//! Whom a call goes to, and what it goes by.

use std::sync::Arc;

use outdial_workflows::Moment;
use outdial_workflows::attempt::Attempt;
use outdial_workflows::ids::AttemptRef;
use outdial_workflows::rules::Rules;

use crate::engine::Engine;
use crate::store::leads::{Briefing, Contact};
use crate::store::{self, StoreError};

/// What whoever talks on a call has to know.
pub(crate) struct Called {
    /// When it was read.
    pub(crate) now: Moment,
    /// `None`: no such attempt was made.
    pub(crate) attempt: Option<Attempt>,
    /// `None`: the person was erased.
    pub(crate) contact: Option<Contact>,
    /// Likewise.
    pub(crate) briefing: Option<Briefing>,
    /// Those that the attempt was made by; `None` if this version cannot read them.
    pub(crate) rules: Option<Arc<Rules>>,
}

/// Reads what is known of a call.
///
/// # Errors
/// The database.
pub(crate) async fn read(
    engine: &Engine,
    AttemptRef { client, lead, number }: AttemptRef,
) -> Result<Called, StoreError> {
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let now = engine.now_in(&mut conn).await?;
        let leads = [lead.0];
        let number = i16::try_from(number.get()).unwrap_or(i16::MAX);
        let contact = store::leads::contacts(&mut conn, client, &leads).await?.pop();
        let briefing = store::leads::briefings(&mut conn, client, &leads).await?.pop();
        let attempt = store::attempts::load(&mut conn, client, &leads, &[number]).await?.pop();
        let attempt = attempt.transpose().map_err(|(_, error)| error)?.map(|(_, attempt)| attempt);
        let campaign = store::workflows::campaign_of(&mut conn, client, lead).await?;
        let rules = match (&attempt, campaign) {
            (Some(attempt), Some(campaign)) => {
                engine.rules_in(&mut conn, client, campaign, attempt.revision).await?
            }
            (_, _) => None,
        };
        let briefing = briefing.map(|(_, briefing)| briefing);
        Ok(Called { now, attempt, contact, briefing, rules })
    })
    .await
}
