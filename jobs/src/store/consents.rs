//! What people agreed to.

use outdial_workflows::Moment;
use outdial_workflows::gate::Consent;
use outdial_workflows::ids::{ClientId, LeadId, new_id};
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::error::unreadable;
use super::rows::{ConsentLevelRow, PurposeRow};

/// A consent to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConsent {
    /// Whose.
    pub phone: PhoneNumber,
    /// How much was agreed to.
    pub level: ConsentLevel,
    /// What calls it is for; `None` for all.
    pub purpose: Option<Purpose>,
    /// Where it can be proved. At most 300 characters.
    pub source: String,
    /// When it was given, if that is known.
    pub given_at: Option<Moment>,
    /// When it ends by itself.
    pub expires_at: Option<Moment>,
}

/// A consent with its place in the record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub phone: PhoneNumber,
    /// What was agreed to.
    #[serde(flatten)]
    pub consent: Consent,
    /// Who recorded it.
    pub actor: String,
    /// When it was recorded.
    pub created_at: Moment,
}

/// Records consents, each once however often it comes. One of which nobody knows when it was given counts
/// from `now`, and is left out where the same is recorded already or the person ever took consent
/// back: it may be what was taken back. Returns the numbers with something new.
pub async fn insert(
    conn: &mut PgConnection,
    client: ClientId,
    new: &[NewConsent],
    import: Option<Uuid>,
    actor: &str,
    now: Moment,
) -> Result<Vec<String>, StoreError> {
    let phones = sqlx::query_scalar!(
        "insert into consents (client_id, consent_id, phone, level, purpose, source, given_at, expires_at, actor, created_at,
            import_id)
        select $1, x.id, x.phone, x.level, x.purpose, x.source, coalesce(x.given_at, $9), x.expires_at, $10, $9, $11
        from unnest($2::uuid[], $3::text[], $4::consent_level[], $5::purpose[], $6::text[], $7::timestamptz[],
            $8::timestamptz[]) as x(id, phone, level, purpose, source, given_at, expires_at)
        where (x.expires_at is null or x.expires_at > coalesce(x.given_at, $9))
            and (x.given_at is not null or not exists (
                select from consents c where c.client_id = $1 and c.phone = x.phone
                    and (c.revoked_at is not null or (c.level = x.level and c.source = x.source
                        and c.purpose is not distinct from x.purpose
                        and c.expires_at is not distinct from x.expires_at))))
        on conflict (client_id, phone, level, purpose, source, given_at, expires_at) do nothing
        returning phone",
        client.0,
        &new.iter().map(|_| new_id(now)).collect::<Vec<_>>(),
        &new.iter().map(|consent| consent.phone.as_str().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|consent| consent.level.into()).collect::<Vec<ConsentLevelRow>>() as &[ConsentLevelRow],
        &new.iter().map(|consent| consent.purpose.map(Into::into)).collect::<Vec<_>>() as &[Option<PurposeRow>],
        &new.iter().map(|consent| consent.source.clone()).collect::<Vec<_>>(),
        &new.iter().map(|consent| consent.given_at).collect::<Vec<_>>() as &[Option<Moment>],
        &new.iter().map(|consent| consent.expires_at).collect::<Vec<_>>() as &[Option<Moment>],
        now,
        actor,
        import
    )
    .fetch_all(conn)
    .await?;
    Ok(phones)
}

/// Takes a person's consent to calls for this purpose back, or to all calls. The caller holds the
/// barrier exclusively. That it was taken back is recorded in any case, also where nothing was
/// recorded that it takes back. Returns how many consents that were.
pub async fn revoke(
    conn: &mut PgConnection,
    client: ClientId,
    phone: &PhoneNumber,
    purpose: Option<Purpose>,
    source: &str,
    actor: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let purpose = purpose.map(PurposeRow::from);
    let revoked = sqlx::query!(
        "update consents set revoked_at = $4
        where client_id = $1 and phone = $2 and revoked_at is null and ($3::purpose is null or purpose = $3)",
        client.0,
        phone.as_str(),
        purpose as Option<PurposeRow>,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into consents (client_id, consent_id, phone, level, purpose, source, given_at, revoked_at, actor, created_at)
        select $1, $5, $2, 'express', $3, $6, $4, $4, $7, $4
        where not exists (select from consents where client_id = $1 and phone = $2 and revoked_at = $4
            and purpose is not distinct from $3)
        on conflict (client_id, phone, level, purpose, source, given_at, expires_at) do nothing",
        client.0,
        phone.as_str(),
        purpose as Option<PurposeRow>,
        now,
        new_id(now),
        source,
        actor
    )
    .execute(conn)
    .await?;
    Ok(revoked.rows_affected())
}

/// All that is recorded of these people's consent.
pub async fn of_phones(
    conn: &mut PgConnection,
    client: ClientId,
    phones: &[String],
) -> Result<Vec<Recorded>, StoreError> {
    let rows = sqlx::query_as!(
        ConsentRow,
        r#"select c.client_id, consent_id, c.phone, level as "level: ConsentLevelRow", purpose as "purpose: PurposeRow",
            source, given_at, expires_at, revoked_at, actor, created_at
        from (select distinct $1::uuid as client_id, * from unnest($2::text[]) as x(phone) offset 0) x
        join consents c on c.client_id = x.client_id and c.phone = x.phone order by given_at, consent_id"#,
        client.0,
        phones
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| row.read().map(|(_, recorded)| recorded)).collect()
}

/// All that is recorded, of all clients; a row that cannot be read spoils no other.
pub async fn all(
    conn: &mut PgConnection,
) -> Result<Vec<Result<(ClientId, Recorded), StoreError>>, StoreError> {
    let rows = sqlx::query_as!(
        ConsentRow,
        r#"select client_id, consent_id, phone, level as "level: ConsentLevelRow", purpose as "purpose: PurposeRow",
            source, given_at, expires_at, revoked_at, actor, created_at
        from consents"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(ConsentRow::read).collect())
}

struct ConsentRow {
    client_id: Uuid,
    consent_id: Uuid,
    phone: String,
    level: ConsentLevelRow,
    purpose: Option<PurposeRow>,
    source: String,
    given_at: Moment,
    expires_at: Option<Moment>,
    revoked_at: Option<Moment>,
    actor: String,
    created_at: Moment,
}

impl ConsentRow {
    fn read(self) -> Result<(ClientId, Recorded), StoreError> {
        let id = self.consent_id;
        let phone = self.phone.parse().map_err(|problem| unreadable("consents", id, problem))?;
        let consent = Consent {
            level: self.level.into(),
            purpose: self.purpose.map(Into::into),
            source: self.source,
            given_at: self.given_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        };
        let recorded = Recorded { id, phone, consent, actor: self.actor, created_at: self.created_at };
        Ok((ClientId(self.client_id), recorded))
    }
}

/// The leads with one of these numbers that are held for want of consent.
pub async fn held_for_want(
    conn: &mut PgConnection,
    client: ClientId,
    phones: &[String],
) -> Result<Vec<LeadId>, StoreError> {
    let leads = sqlx::query_scalar!(
        "select l.lead_id from leads l
        join workflows w on w.client_id = l.client_id and w.lead_id = l.lead_id
        where l.client_id = $1 and l.phone = any($2) and w.state = 'held'
            and w.why->>'why' in ('needs_consent', 'consent_revoked')
        order by l.lead_id",
        client.0,
        phones
    )
    .fetch_all(conn)
    .await?;
    Ok(leads.into_iter().map(LeadId).collect())
}
