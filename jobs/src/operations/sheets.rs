//! Google Sheets as the source of a campaign's leads: linked, refreshed, unlinked.
//!
//! A refresh reads the sheet and, if it is not as it was when it was last taken in, begins an import with it; so
//! rows that are new become leads, and those that are known change nothing. What went wrong is kept with the
//! sheet: what may pass is tried again, ever later, and the rest waits for the next refresh.

mod refresh;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::ids::{CampaignId, ClientId, JobId, new_id};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{By, OperationError, recurring};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::import::{ImportError, Options};
use crate::jobs::{Job, refresh_sheet::RefreshSheet};
use crate::sheets::SheetLink;
use crate::store::audit::Entry;
use crate::store::queue::NewJob;
use crate::store::sheets::Key;
pub use crate::store::sheets::{Sheet, SheetResult};
use crate::store::{self, StoreError};
pub(crate) use refresh::{Refreshed, refresh};

/// A schedule reads a sheet no sooner than this after it was last read, whatever its cron expression says:
/// Google does not say how often is too often.
pub const APART: TimeDelta = TimeDelta::minutes(1);
/// A refresh that was asked for so long ago is lost, and the schedule goes on without it: with all its further
/// tries it takes half of that.
const LOST_AFTER: TimeDelta = TimeDelta::hours(1);
/// The most characters of a cron expression.
const CRON_CHARS: usize = 200;
/// The most sheets that one sweep takes.
const AT_ONCE: i64 = 100;

/// When a sheet is refreshed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times<'a> {
    cron: &'a str,
    zone: &'a str,
}

impl<'a> Times<'a> {
    /// As somebody gives them: the zone is UTC unless it is said.
    ///
    /// # Errors
    /// If there is a zone without a cron expression.
    pub fn given(cron: Option<&'a str>, zone: Option<&'a str>) -> Result<Option<Self>, OperationError> {
        match (cron, zone) {
            (Some(cron), zone) => Ok(Some(Self { cron, zone: zone.unwrap_or("UTC") })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(invalid("zone", "it is of no use without `cron`; give both, or neither")),
        }
    }

    fn first(self, now: Moment) -> Result<Moment, OperationError> {
        parse_zone(self.zone).map_err(|problem| invalid("zone", problem.to_string()))?;
        if self.cron.chars().count() > CRON_CHARS {
            return Err(invalid("cron", format!("it is longer than {CRON_CHARS} characters; shorten it")));
        }
        let next = recurring::next_time(self.cron, self.zone, now);
        let next = next.map_err(|problem| invalid("cron", problem))?;
        next.ok_or_else(|| invalid("cron", format!("`{}` names no time that is still to come", self.cron)))
    }
}

fn invalid(place: &str, problem: impl Into<String>) -> OperationError {
    OperationError::Invalid { place: place.into(), problem: problem.into() }
}

fn check(options: &Options) -> Result<Value, OperationError> {
    options.check().map_err(|error| match error {
        ImportError::Delimiter(_) => invalid("delimiter", error.to_string()),
        _ => invalid("region", error.to_string()),
    })?;
    let consent = options.consent.as_ref().map_or(Ok(()), |consent| consent.check());
    consent.map_err(|problem| invalid("consent", problem))?;
    Ok(serde_json::to_value(options).unwrap_or_default())
}

/// What is to be linked.
#[derive(Clone, Copy, Debug)]
pub struct NewLink<'a> {
    /// The tenant.
    pub client: ClientId,
    /// The campaign that it is for.
    pub campaign: CampaignId,
    /// The sheet's address, as somebody pasted it.
    pub link: &'a str,
    /// What they say of its rows.
    pub options: &'a Options,
    /// When it is refreshed by itself; `None`: never.
    pub times: Option<Times<'a>>,
    /// Who they are.
    pub by: By<'a>,
}

/// Links a sheet to a campaign, and asks for its first refresh.
///
/// # Errors
/// If the link is none or is linked already, an option or the schedule is wrong, or the campaign does not exist.
pub async fn link(engine: &Engine, new: NewLink<'_>) -> Result<Sheet, OperationError> {
    let NewLink { client, campaign, times, by, .. } = new;
    let link = SheetLink::parse(new.link).map_err(|error| invalid("link", error.to_string()))?.to_string();
    let options = check(new.options)?;
    let now = engine.now().await?;
    let next_at = times.map(|times| times.first(now)).transpose()?;
    let sheet = |now| Sheet {
        client,
        id: new_id(now),
        campaign,
        link: link.clone(),
        options: options.clone(),
        cron: times.map(|times| times.cron.to_owned()),
        zone: times.map(|times| times.zone.to_owned()),
        next_at,
        refresh: None,
        failures: 0,
        last_at: None,
        last_result: None,
        last_error: None,
        last_title: None,
        last_sha256: None,
        last_import: None,
        import_state: None,
        import_failed_for: None,
        actor: by.actor.to_owned(),
        created_at: now,
    };
    let linked = engine.allow(async |conn, now| {
        if store::campaigns::lock_state(conn, client, campaign).await?.is_none() {
            return Ok(None);
        }
        let sheet = sheet(now);
        store::sheets::insert(conn, &sheet).await?;
        queue(conn, (client, sheet.id), now).await?;
        note(conn, &sheet, "sheet link", by, now).await?;
        Ok(Some(sheet.id))
    });
    let linked = linked.await.map_err(|error| match error.constraint() {
        Some("sheets_are_linked_once") => {
            OperationError::Exists { kind: "linked sheet", given: link.clone() }
        }
        Some(_) | None => error.into(),
    });
    let not_found = || OperationError::NotFound { kind: "campaign", given: campaign.to_string() };
    let id = linked?.ok_or_else(not_found)?;
    engine.hub().signal(client, Signal::JOBS);
    find(engine, &id.to_string()).await
}

/// The sheet with this id.
///
/// # Errors
/// If there is none, or it was unlinked.
pub async fn find(engine: &Engine, given: &str) -> Result<Sheet, OperationError> {
    let id = Uuid::try_parse(given).map_err(|_| not_found(given))?;
    let mut conn = engine.pool().acquire().await?;
    store::sheets::find(&mut conn, id).await?.ok_or_else(|| not_found(given))
}

fn not_found(given: &str) -> OperationError {
    OperationError::NotFound { kind: "sheet", given: given.to_owned() }
}

/// A campaign's sheets before `before`, the latest first.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Sheet>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::sheets::list(&mut conn, client, campaign, before, limit).await?)
}

/// Asks for a refresh now, by a job. One that waits to be tried again is over.
///
/// # Errors
/// If there is no such sheet.
pub async fn refresh_now(engine: &Engine, given: &str, by: By<'_>) -> Result<Sheet, OperationError> {
    let sheet = find(engine, given).await?;
    let asked = engine.allow(async |conn, now| {
        let asked = queue(conn, (sheet.client, sheet.id), now).await?;
        if asked {
            note(conn, &sheet, "sheet refresh", by, now).await?;
        }
        Ok(asked)
    });
    if !asked.await? {
        return Err(not_found(given));
    }
    engine.hub().signal(sheet.client, Signal::JOBS);
    find(engine, given).await
}

/// Changes what is said of a sheet's rows, and when it is refreshed by itself. Under other options all of it is
/// taken in anew at once.
///
/// # Errors
/// If an option or the schedule is wrong, or there is no such sheet.
pub async fn change(
    engine: &Engine,
    given: &str,
    options: &Options,
    times: Option<Times<'_>>,
    by: By<'_>,
) -> Result<Sheet, OperationError> {
    let before = find(engine, given).await?;
    let options = check(options)?;
    let now = engine.now().await?;
    let next_at = times.map(|times| times.first(now)).transpose()?;
    let anew = options != before.options;
    let after = Sheet {
        options,
        cron: times.map(|times| times.cron.to_owned()),
        zone: times.map(|times| times.zone.to_owned()),
        next_at,
        actor: by.actor.to_owned(),
        ..before
    };
    let changed = engine.allow(async |conn, now| {
        if !store::sheets::change(conn, &after, anew).await? {
            return Ok(false);
        }
        if anew {
            queue(conn, (after.client, after.id), now).await?;
        }
        note(conn, &after, "sheet change", by, now).await?;
        Ok(true)
    });
    if !changed.await? {
        return Err(not_found(given));
    }
    engine.hub().signal(after.client, Signal { jobs: anew, admission: false });
    find(engine, given).await
}

/// Unlinks a sheet: it is read no more. Its leads stay.
///
/// # Errors
/// If there is no such sheet.
pub async fn unlink(engine: &Engine, given: &str, by: By<'_>) -> Result<(), OperationError> {
    let sheet = find(engine, given).await?;
    let removed = engine.allow(async |conn, now| {
        let removed = store::sheets::remove(conn, (sheet.client, sheet.id), now).await?;
        if removed {
            note(conn, &sheet, "sheet unlink", by, now).await?;
        }
        Ok(removed)
    });
    if removed.await? { Ok(()) } else { Err(not_found(given)) }
}

/// Asks for the refresh of every sheet whose time has come. Returns of how many.
///
/// # Errors
/// If the database cannot be asked.
pub async fn refresh_due(engine: &Engine, now: Moment) -> Result<u64, StoreError> {
    let due = store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::sheets::due(&mut conn, now, now - APART, now - LOST_AFTER, AT_ONCE).await
    });
    let mut asked = 0;
    for due in due.await? {
        // A time that was missed is made up for once, however often it was missed.
        let next_at = recurring::next_time(&due.cron, &due.zone, now).unwrap_or_default();
        let claimed = engine.allow(async |conn, now| {
            Ok(store::sheets::claim(conn, &due, next_at).await? && queue(conn, due.key, now).await?)
        });
        if claimed.await? {
            engine.hub().signal(due.key.0, Signal::JOBS);
            asked += 1;
        }
    }
    Ok(asked)
}

/// Asks for a refresh in the place of one that is under way. Tells whether the sheet is linked still.
async fn queue(conn: &mut PgConnection, (client, sheet): Key, now: Moment) -> Result<bool, StoreError> {
    let refresh = new_id(now);
    if !store::sheets::ask(conn, (client, sheet), refresh, now).await? {
        return Ok(false);
    }
    let args = serde_json::to_value(RefreshSheet { client, sheet, refresh }).unwrap_or_default();
    let kind = RefreshSheet::KIND;
    let job = NewJob { id: JobId::new(now), kind, step: None, args, priority: 3, born_claimed: None };
    store::queue::insert(conn, client, &[job], now).await?;
    store::notify(conn, &Signal::JOBS.payload(client)).await?;
    Ok(true)
}

async fn note(
    conn: &mut PgConnection,
    sheet: &Sheet,
    action: &str,
    By { actor, reason }: By<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let Sheet { link, campaign, cron, zone, .. } = sheet;
    let details: Value = json!({ "link": link, "campaign": campaign, "cron": cron, "zone": zone });
    let entry = Entry { actor, action, subject: "sheet", id: sheet.id, reason, details: &details };
    store::audit::note(conn, sheet.client, entry, now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_checked_part_by_part() {
        let now = "2026-01-14T06:31:00Z".parse().expect("a time");
        let place =
            |cron, zone| match Times::given(cron, zone).map(|times| times.map(|times| times.first(now))) {
                Ok(Some(Ok(at))) => at.to_rfc3339(),
                Ok(None) => "never".to_owned(),
                Ok(Some(Err(OperationError::Invalid { place, .. })))
                | Err(OperationError::Invalid { place, .. }) => place,
                other => panic!("{other:?}"),
            };
        assert_eq!(place(Some("0 0 * * * *"), None), "2026-01-14T07:00:00+00:00");
        assert_eq!(place(Some("0 0 9 * * *"), Some("Asia/Kolkata")), "2026-01-15T03:30:00+00:00");
        assert_eq!(place(None, None), "never");
        assert_eq!(place(None, Some("UTC")), "zone");
        assert_eq!(place(Some("0 0 9 * * *"), Some("Mars")), "zone");
        assert_eq!(place(Some("hourly"), None), "cron");
        assert_eq!(place(Some("0 0 9 1 1 * 2025"), None), "cron");
    }
}
