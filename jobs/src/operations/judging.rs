//! Judging a whole database, and explaining one lead.

use outdial_workflows::explain::{Explanation, Known, Story, explain};
use outdial_workflows::gate::GateFacts;
use outdial_workflows::ids::{ClientId, DialKey, LeadId};
use outdial_workflows::judge::{Judge, Verdict};
use uuid::Uuid;

use super::OperationError;
use crate::engine::Engine;
use crate::store;

/// How many leads are read at once.
const PAGE: i64 = 500;

/// What a judgement is to take into account besides the database.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How often a carrier says that it dialled, by our key: only emulators can tell.
    pub dials: Vec<(DialKey, u32)>,
    /// Whether leads that wait although they are due count as stuck: after a run that should have finished.
    pub strict: bool,
}

/// Judges every lead of every client. `progress` is told after each page how many were judged.
///
/// # Errors
/// If the database cannot be read.
pub async fn judge(
    engine: &Engine,
    evidence: &Evidence,
    mut progress: impl FnMut(u64),
) -> Result<Verdict, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let world = store::judging::world(&mut conn).await?;
    let now = engine.now_in(&mut conn).await?;
    let mut judge = Judge::new(world, now);
    if evidence.strict {
        judge = judge.strict();
    }
    let mut judged = 0;
    for (client, _) in store::clients::list(&mut conn).await? {
        let mut after = LeadId(Uuid::nil());
        loop {
            let page = store::judging::records(&mut conn, client, after, None, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.lead;
            page.iter().for_each(|record| judge.lead(record));
            judged += page.len() as u64;
            progress(judged);
        }
    }
    evidence.dials.iter().for_each(|(key, dials)| judge.provider_dials(*key, *dials));
    Ok(judge.finish())
}

/// Why a lead stands where it does, what happened so far, and what comes next.
///
/// # Errors
/// If the lead does not exist.
pub async fn explain_lead(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
) -> Result<Explanation, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let page = store::judging::records(&mut conn, client, LeadId(Uuid::nil()), Some(lead), 1).await?;
    let not_found = || OperationError::NotFound { kind: "lead", given: lead.to_string() };
    let record = page.into_iter().next().ok_or_else(not_found)?;
    let facts = store::campaigns::facts(&mut conn, client, &[record.campaign.0]).await?;
    let facts = facts.into_iter().next().ok_or_else(not_found)?;
    let now = engine.now_in(&mut conn).await?;
    let phones: Vec<String> = record.phone.iter().map(|phone| phone.as_str().to_owned()).collect();
    let suppressed = store::suppressions::of_phones(&mut conn, client, &phones).await?;
    drop(conn);
    let rules = engine.rules(client, record.campaign, facts.revision).await?;
    let gate = GateFacts {
        campaign: facts.state,
        account_ready: facts.account_ready(now),
        account_emulated: facts.emulated,
        zone: record.zone.clone(),
        suppressed: suppressed
            .iter()
            .filter(|row| row.campaign.is_none_or(|bounded| bounded == record.campaign))
            .map(|row| row.expires_at)
            .collect(),
    };
    let story = Story {
        workflow: &record.workflow,
        quarantined: record.quarantined,
        attempts: &record.attempts,
        events: &record.events,
    };
    let known = Known {
        gate: &gate,
        rules: rules.as_deref(),
        account_rests_until: facts.resting_until,
        account_room: None,
        campaign_room: None,
        ahead: None,
    };
    Ok(explain(&story, &known, now))
}
