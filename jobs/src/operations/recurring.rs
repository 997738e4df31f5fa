//! Recurring orders for campaigns, and pauses that end by themselves.

use std::collections::BTreeSet;
use std::str::FromStr;

use cron::Schedule as Cron;
use outdial_workflows::Moment;
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::happening::{CampaignEvent, Ordered};
use outdial_workflows::ids::{CampaignId, ClientId, new_id};
use outdial_workflows::input::Command;
use outdial_workflows::workflow::State;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::bulk::{self, Filter};
use super::campaigns::{self, Order};
use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::store::audit::Entry;
use crate::store::recurring::{Action, PAUSED_UNTIL_NOW, Recurring};
use crate::store::{self, StoreError};

/// The first time after `now` that a cron expression names, by the clock of a zone.
///
/// # Errors
/// Says what cannot be read.
pub fn next_time(cron: &str, zone: &str, now: Moment) -> Result<Option<Moment>, String> {
    let cron = Cron::from_str(cron).map_err(|problem| {
        // The library draws a picture over several lines; its last says what is wrong.
        let problem = problem.to_string();
        let problem = problem.lines().last().unwrap_or_default();
        format!("`{cron}` is not a cron expression of six fields (second minute hour day month weekday): {problem}")
    })?;
    let zone = parse_zone(zone).map_err(|problem| problem.to_string())?;
    Ok(cron.after(&now.with_timezone(&zone)).next().map(|at| at.to_utc()))
}

/// Sets a recurring order up.
///
/// # Errors
/// If the cron expression or the zone cannot be read, never comes true, or the campaign does not exist.
pub async fn add(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    cron: &str,
    zone: &str,
    action: Action,
    by: By<'_>,
) -> Result<Recurring, OperationError> {
    let invalid = |problem: String| OperationError::Invalid { place: "schedule".into(), problem };
    let now = engine.now().await?;
    let next_at = next_time(cron, zone, now).map_err(invalid)?;
    let never = || invalid(format!("`{cron}` names no time that is still to come"));
    let next_at = Some(next_at.ok_or_else(never)?);
    let new = Recurring {
        id: new_id(now),
        client,
        campaign,
        cron: cron.to_owned(),
        zone: zone.to_owned(),
        action,
        actor: by.actor.to_owned(),
        next_at,
        last_at: None,
        last_error: None,
    };
    engine
        .allow(async |conn, now| {
            store::recurring::insert(conn, &new, now).await?;
            let details = json!({ "cron": cron, "zone": zone, "action": action, "schedule": new.id });
            let (subject, id, By { actor, reason }) = ("campaign", campaign.0, by);
            let entry = Entry { actor, action: "schedule", subject, id, reason, details: &details };
            store::audit::note(conn, client, entry, now).await
        })
        .await?;
    Ok(new)
}

/// A campaign's recurring orders, the next first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(engine: &Engine, campaign: CampaignId) -> Result<Vec<Recurring>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::recurring::list(&mut conn, Some(campaign), None).await?)
}

/// Whose recurring order this is.
///
/// # Errors
/// If there is none with this id.
pub async fn campaign_of(engine: &Engine, id: Uuid) -> Result<(ClientId, CampaignId), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    store::recurring::campaign_of(&mut conn, id).await?.ok_or_else(|| not_found(id.to_string()))
}

/// Takes a recurring order back.
///
/// # Errors
/// If there is none with this id.
pub async fn remove(engine: &Engine, given: &str, by: By<'_>) -> Result<(), OperationError> {
    let id = Uuid::try_parse(given).map_err(|_| not_found(given.to_owned()))?;
    take_back(engine, None, id, by).await
}

/// The same of one campaign.
///
/// # Errors
/// If it has none with this id.
pub async fn remove_from(
    engine: &Engine,
    campaign: CampaignId,
    id: Uuid,
    by: By<'_>,
) -> Result<(), OperationError> {
    take_back(engine, Some(campaign), id, by).await
}

async fn take_back(
    engine: &Engine,
    campaign: Option<CampaignId>,
    id: Uuid,
    by: By<'_>,
) -> Result<(), OperationError> {
    let removed = engine.allow(async |conn, now| {
        let Some((client, campaign)) = store::recurring::remove(conn, campaign, id).await? else {
            return Ok(false);
        };
        let By { actor, reason } = by;
        let details = json!({ "schedule": id });
        let (action, subject, id) = ("unschedule", "campaign", campaign.0);
        let entry = Entry { actor, action, subject, id, reason, details: &details };
        store::audit::note(conn, client, entry, now).await?;
        Ok(true)
    });
    match removed.await? {
        true => Ok(()),
        false => Err(not_found(id.to_string())),
    }
}

fn not_found(given: String) -> OperationError {
    OperationError::NotFound { kind: "schedule", given }
}

/// Carries out what is due: recurring orders, and the ends of pauses. Returns how many.
///
/// # Errors
/// If the database cannot be asked. An order that cannot be carried out is noted with its schedule.
pub async fn carry_out_due(engine: &Engine, now: Moment) -> Result<u64, StoreError> {
    let (resumed, due) = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        let resumed = resume_due(&mut conn, now).await?;
        Ok::<_, StoreError>((resumed, store::recurring::list(&mut conn, None, Some(now)).await?))
    })
    .await?;
    for client in &resumed {
        engine.hub().signal(*client, FREED);
    }
    let mut done = resumed.len() as u64;
    for recurring in due {
        // A run that was missed is made up for once, however often it was missed.
        let next_at = next_time(&recurring.cron, &recurring.zone, now).unwrap_or_default();
        let claimed = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            store::recurring::claim(&mut conn, &recurring, next_at, now).await
        });
        if !claimed.await? {
            continue;
        }
        done += 1;
        if let Err(error) = carry_out(engine, &recurring).await {
            let text = error.to_string();
            tracing::warn!(campaign.id = %recurring.campaign, error = text, "a recurring order could not be carried out");
            store::in_time(async {
                let mut conn = engine.pool().acquire().await?;
                store::recurring::failed(&mut conn, &recurring, &text).await
            })
            .await?;
        }
    }
    Ok(done)
}

/// Lets every pause end whose time has come, and tells of each campaign. Returns whose clients have work again.
async fn resume_due(conn: &mut PgConnection, now: Moment) -> Result<BTreeSet<ClientId>, StoreError> {
    let mut tx = conn.begin().await?;
    let resumed = store::recurring::resume_due(&mut tx, now).await?;
    for (client, campaign) in &resumed {
        let Some(campaign) = *campaign else { continue };
        let by = Ordered { actor: "outdial".into(), reason: Some(PAUSED_UNTIL_NOW.into()) };
        store::journal::tell(&mut tx, (*client, campaign), &CampaignEvent::Resumed { by }, now).await?;
    }
    let clients: BTreeSet<ClientId> = resumed.into_iter().map(|(client, _)| client).collect();
    for client in &clients {
        store::notify(&mut tx, &FREED.payload(*client)).await?;
    }
    tx.commit().await?;
    Ok(clients)
}

const FREED: Signal = Signal { jobs: false, admission: true };
const REASON: Option<&str> = Some("as scheduled");

async fn carry_out(engine: &Engine, recurring: &Recurring) -> Result<(), OperationError> {
    let Recurring { client, campaign, .. } = *recurring;
    let actor = recurring.actor.as_str();
    let order = match recurring.action {
        Action::Start | Action::Again => Order::Start,
        Action::Pause => Order::Pause,
    };
    campaigns::order(engine, client, campaign, order, actor, REASON).await?;
    if recurring.action == Action::Again {
        let filter = Filter { campaign: Some(campaign), states: vec![State::Finished], ..Filter::default() };
        bulk::order(engine, client, &filter, Command::Retry, actor, REASON).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_sent_as_a_cron_expression_is_read_or_refused(cron in "[0-9*/,\\-?# A-Za-z]{0,40}") {
            let now = "2026-01-14T06:31:00Z".parse().expect("a time");
            let _ = next_time(&cron, "Asia/Kolkata", now);
        }

        #[test]
        fn so_is_what_has_six_fields(fields in proptest::collection::vec("[0-9*,/-]{1,6}|[A-Z][a-z]{2}", 6..8)) {
            let now = "2026-01-14T06:31:00Z".parse().expect("a time");
            let _ = next_time(&fields.join(" "), "America/New_York", now);
        }
    }

    #[test]
    fn a_time_is_that_of_the_zones_clock() {
        let now = "2026-01-14T06:31:00Z".parse().expect("a time");
        let next = |cron, zone| next_time(cron, zone, now).map(|at| at.map(|at| at.to_rfc3339()));
        assert_eq!(next("0 0 9 * * Mon", "Asia/Kolkata"), Ok(Some("2026-01-19T03:30:00+00:00".into())));
        assert_eq!(next("0 0 9 1 1 * 2025", "UTC"), Ok(None), "gone by");
        assert!(next("every day", "UTC").is_err_and(|problem| problem.contains("six fields")));
        assert!(next("0 0 9 * * *", "Mars").is_err());
    }
}
