//! What people agreed to: recorded, taken back, looked up.

use outdial_workflows::Moment;
use outdial_workflows::ids::{ClientId, JobId};
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::jobs::{Job, consented::Consented};
use crate::store::audit::Entry;
use crate::store::consents::{NewConsent, Recorded};
use crate::store::queue::NewJob;
use crate::store::{self, StoreError};

/// The most characters of a source.
pub const SOURCE_CHARS: usize = 300;

/// What somebody agreed to, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentSpec {
    /// How much.
    pub level: ConsentLevel,
    /// To what calls; `None` for all.
    pub purpose: Option<Purpose>,
    /// Where it can be proved: a form, a recording, a contract. 1 to [`SOURCE_CHARS`] characters.
    pub source: String,
    /// When. Where that is not known it counts from when it is recorded, and only for people who never
    /// took consent back.
    pub given_at: Option<Moment>,
    /// When it ends by itself.
    pub expires_at: Option<Moment>,
}

impl ConsentSpec {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        match self.source.chars().count() {
            0 => return Err("consent needs a source: where it can be proved, as `form of 12 March`".into()),
            1..=SOURCE_CHARS => {}
            _ => return Err(format!("the source is longer than {SOURCE_CHARS} characters; shorten it")),
        }
        match (self.given_at, self.expires_at) {
            (Some(given), Some(expires)) if expires <= given => {
                Err("consent would end before it was given; check both times".into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn of(&self, phone: &PhoneNumber) -> NewConsent {
        let Self { level, purpose, source, given_at, expires_at } = self.clone();
        NewConsent { phone: phone.clone(), level, purpose, source, given_at, expires_at }
    }
}

/// What came of recording consents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Added {
    /// How many were new.
    pub new: usize,
    /// How many leads go on that were held for want of consent.
    pub released: usize,
}

/// Records what a person agreed to. Leads with the number that were held for want of consent go on by
/// themselves, as far as it is enough.
///
/// # Errors
/// If the consent is not sound.
pub async fn add(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
    consent: &ConsentSpec,
    by: By<'_>,
) -> Result<Added, OperationError> {
    let invalid = |problem| OperationError::Invalid { place: "consent".into(), problem };
    consent.check().map_err(invalid)?;
    let new = [consent.of(phone)];
    let added = engine.allow(async |conn, now| {
        let details = json!({ "level": consent.level, "purpose": consent.purpose, "source": consent.source });
        note(conn, client, "consent add", by, &details, now).await?;
        record(conn, client, &new, None, by.actor, now).await
    });
    let added = added.await?;
    engine.hub().signal(client, Signal { jobs: added.released > 0, admission: false });
    Ok(added)
}

/// Records consents, and queues the release of leads that were held for want of them. The client's row is
/// taken first, as admission takes it: a lead is then held either before this looks, or by what it wrote.
pub(super) async fn record(
    conn: &mut PgConnection,
    client: ClientId,
    new: &[NewConsent],
    import: Option<Uuid>,
    actor: &str,
    now: Moment,
) -> Result<Added, StoreError> {
    if new.is_empty() {
        return Ok(Added::default());
    }
    store::admission::alone(conn, client).await?;
    let phones = store::consents::insert(conn, client, new, import, actor, now).await?;
    if phones.is_empty() {
        return Ok(Added::default());
    }
    let held = store::consents::held_for_want(conn, client, &phones).await?;
    let jobs: Vec<NewJob> = held
        .chunks(Consented::LEADS)
        .map(|leads| {
            let job = Consented { client, leads: leads.to_vec(), actor: actor.to_owned() };
            let args = serde_json::to_value(job).unwrap_or_default();
            NewJob {
                id: JobId::new(now),
                kind: Consented::KIND,
                step: None,
                args,
                priority: 2,
                born_claimed: None,
            }
        })
        .collect();
    if !jobs.is_empty() {
        store::queue::insert(conn, client, &jobs, now).await?;
        let queued = Signal { jobs: true, admission: false };
        store::notify(conn, &queued.payload(client)).await?;
    }
    Ok(Added { new: phones.len(), released: held.len() })
}

/// Takes a person's consent back, to calls for this purpose or to all: once this returns, nobody with the
/// number is dialled any more for that purpose by this client, until consent is given anew. Calls
/// under way go on. Returns how many consents this took back; that it was is recorded even if it is none.
///
/// # Errors
/// If the database cannot be asked.
pub async fn revoke(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
    purpose: Option<Purpose>,
    by: By<'_>,
) -> Result<u64, OperationError> {
    let revoked = engine.forbid(client, async |conn, now| {
        let source = by.reason.filter(|reason| !reason.is_empty()).unwrap_or("taken back");
        let source: String = source.chars().take(SOURCE_CHARS).collect();
        let revoked = store::consents::revoke(conn, client, phone, purpose, &source, by.actor, now).await?;
        let details = json!({ "purpose": purpose, "taken_back": revoked });
        note(conn, client, "consent revoke", by, &details, now).await?;
        Ok(revoked)
    });
    Ok(revoked.await?)
}

/// All that is recorded of a person's consent, by when it was given.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    phone: &PhoneNumber,
) -> Result<Vec<Recorded>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::consents::of_phones(&mut conn, client, &[phone.as_str().to_owned()]).await?)
}

/// Without the number: what it was is in the row, which names the actor and the time.
async fn note(
    conn: &mut PgConnection,
    client: ClientId,
    action: &str,
    By { actor, reason }: By<'_>,
    details: &serde_json::Value,
    now: Moment,
) -> Result<(), StoreError> {
    let entry = Entry { actor, action, subject: "client", id: client.0, reason, details };
    store::audit::note(conn, client, entry, now).await
}
