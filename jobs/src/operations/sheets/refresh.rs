//! A refresh that was asked for, carried out.

use std::time::Duration;

use outdial_workflows::gate::CampaignState;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Sheet;
use crate::engine::Engine;
use crate::import::Options;
use crate::operations::imports::{self, Sent};
use crate::operations::{By, OperationError};
use crate::sheets::{Fetched, Limits, SheetError, SheetLink};
use crate::store::sheets::{Key, Told};
use crate::store::{self, StoreError};

/// How often a refresh is tried again that failed for what may pass.
const AGAIN: i16 = 5;
const ENDED: &str = "the campaign has ended and takes no more leads from its sheets; unlink this one";
const REASON: Option<&str> = Some("a refresh of its linked sheet");

/// How a refresh went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// There is nothing more to do for it.
    Over,
    /// It is to be tried again after this long.
    Again(Duration),
}

/// How long to wait after so many failures in a row, the latest included: a minute, and twice as long each
/// time. `None`: it is given up until the next refresh.
fn again_after(failures: i16) -> Option<Duration> {
    let doubled = u32::try_from(failures).ok().filter(|_| failures <= AGAIN)?.checked_sub(1)?;
    Some(Duration::from_secs(60 << doubled))
}

/// Carries a refresh out that was asked for. Whatever came of it is noted with the sheet.
///
/// # Errors
/// If that could not be noted.
pub(crate) async fn refresh(engine: &Engine, key: Key, refresh: Uuid) -> Result<Refreshed, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let sheet = store::sheets::find(&mut conn, key.1).await?;
    let Some(sheet) = sheet.filter(|sheet| sheet.refresh == Some(refresh)) else {
        return Ok(Refreshed::Over);
    };
    let campaign = store::campaigns::facts(&mut conn, key.0, &[sheet.campaign.0]).await?.pop();
    drop(conn);
    if campaign.is_some_and(|campaign| campaign.state == CampaignState::Ended) {
        return failed(engine, &sheet, refresh, ENDED, false).await;
    }
    let link = SheetLink::parse(&sheet.link).map_err(|error| error.to_string());
    let ready = link.and_then(|link| Ok((link, engine.sheets().map_err(|error| error.to_string())?)));
    let (link, reader) = match ready {
        Ok(ready) => ready,
        Err(error) => return failed(engine, &sheet, refresh, &error, false).await,
    };
    match reader.fetch(&link, &Limits::default()).await {
        Ok(fetched) => take_in(engine, &sheet, refresh, &fetched).await,
        Err(error) => {
            tracing::warn!(sheet.id = %sheet.id, error = &error as &dyn std::error::Error, "a sheet could not be read");
            failed(engine, &sheet, refresh, &error.to_string(), SheetError::may_pass(&error)).await
        }
    }
}

async fn failed(
    engine: &Engine,
    sheet: &Sheet,
    refresh: Uuid,
    error: &str,
    may_pass: bool,
) -> Result<Refreshed, OperationError> {
    let failures = if may_pass { sheet.failures.saturating_add(1) } else { 0 };
    let pause = again_after(failures);
    let told = Told::Failed { error, failures, again: pause.is_some() };
    let noted = tell(engine, sheet, refresh, &told).await?;
    Ok(pause.filter(|_| noted).map_or(Refreshed::Over, Refreshed::Again))
}

async fn tell(engine: &Engine, sheet: &Sheet, refresh: Uuid, told: &Told<'_>) -> Result<bool, StoreError> {
    let key = (sheet.client, sheet.id);
    engine.allow(async |conn, now| store::sheets::tell(conn, key, refresh, told, now).await).await
}

/// Begins an import with what was read, unless it is what was taken in last.
async fn take_in(
    engine: &Engine,
    sheet: &Sheet,
    refresh: Uuid,
    fetched: &Fetched,
) -> Result<Refreshed, OperationError> {
    let (title, digest) = (fetched.title.as_deref(), &fetched.sha256);
    if sheet.last_sha256.as_deref() == Some(digest) {
        tell(engine, sheet, refresh, &Told::Unchanged { title }).await?;
        return Ok(Refreshed::Over);
    }
    let options: Options = serde_json::from_value(sheet.options.clone()).map_err(|problem| {
        let (table, problem) = ("sheets", problem.to_string());
        StoreError::Unreadable { table, id: sheet.id, problem }
    })?;
    let Sheet { client, campaign, .. } = *sheet;
    let (name, by) = (title.unwrap_or(&sheet.link), By { actor: &sheet.actor, reason: REASON });
    let mut receiving =
        imports::receive(engine, Sent { client, campaign, name, options: &options, by }).await?;
    receiving.push(&fetched.bytes).await?;
    let told = Told::TakenIn { import: receiving.id(), digest, title };
    // In one transaction with the import: a crash has both, or neither.
    let key = (client, sheet.id);
    let also = async |conn: &mut PgConnection, now| store::sheets::tell(conn, key, refresh, &told, now).await;
    match receiving.finish_with(also).await {
        // Another refresh was asked for meanwhile, or the sheet was unlinked.
        Ok(_) | Err(OperationError::NotPossible(_)) => Ok(Refreshed::Over),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::LOST_AFTER;
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_ever_later_and_then_given_up() {
        let minutes: Vec<Option<u64>> =
            (1..=6).map(|failures| again_after(failures).map(|pause| pause.as_secs() / 60)).collect();
        assert_eq!(minutes, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
        assert_eq!((again_after(0), again_after(i16::MAX)), (None, None), "what will not pass is not");
        let in_all: u64 = minutes.into_iter().flatten().sum();
        assert!(TimeDelta::minutes(in_all.cast_signed()) < LOST_AFTER);
    }
}
