//! Google Sheets that campaigns take their leads from.

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::imports::ImportState;

/// What came of reading a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "sheet_result", rename_all = "snake_case")]
pub enum SheetResult {
    /// An import was begun with it.
    TakenIn,
    /// It is as it was when it was last taken in.
    Unchanged,
    /// It could not be read.
    Failed,
}

/// A sheet that is linked to a campaign.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sheet {
    /// The tenant.
    pub client: ClientId,
    /// Its id.
    pub id: Uuid,
    /// The campaign.
    pub campaign: CampaignId,
    /// As a browser opens it.
    pub link: String,
    /// What is said of its rows.
    pub options: Value,
    /// When it is refreshed by itself, as six fields.
    pub cron: Option<String>,
    /// By whose clock.
    pub zone: Option<String>,
    /// The next time.
    pub next_at: Option<Moment>,
    /// The refresh that is under way.
    pub refresh: Option<Uuid>,
    /// How often in a row it failed for what may pass.
    pub failures: i16,
    /// When it was last read, or could not be.
    pub last_at: Option<Moment>,
    /// What came of that.
    pub last_result: Option<SheetResult>,
    /// Why it could not be.
    pub last_error: Option<String>,
    /// What Google last called it.
    pub last_title: Option<String>,
    /// SHA-256 of the content last taken in.
    #[serde(skip)]
    pub last_sha256: Option<Vec<u8>>,
    /// The import that took it in.
    pub last_import: Option<Uuid>,
    /// Where that stands.
    pub import_state: Option<ImportState>,
    /// Why no row of it could be read.
    pub import_failed_for: Option<String>,
    /// Who linked it, or last changed how.
    pub actor: String,
    /// When it was linked.
    pub created_at: Moment,
}

/// Which sheet.
pub type Key = (ClientId, Uuid);

/// Writes a new one down.
pub async fn insert(conn: &mut PgConnection, new: &Sheet) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into sheets (client_id, sheet_id, campaign_id, link, options, cron, zone, next_at, actor, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.client.0,
        new.id,
        new.campaign.0,
        new.link,
        new.options,
        new.cron,
        new.zone,
        new.next_at,
        new.actor,
        new.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The sheet with this id, over all clients, unless it was unlinked.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Sheet>, StoreError> {
    let row = sqlx::query_as!(
        SheetRow,
        r#"select s.client_id, s.sheet_id, s.campaign_id, link, s.options, cron, zone, next_at, refresh_id, failures,
            last_at, last_result as "last_result: SheetResult", last_error, last_title, last_sha256, last_import,
            i.state as "import_state?: ImportState", i.failed_for as "import_failed_for?", s.actor, s.created_at
        from (select client_id, $1::uuid as sheet_id from clients offset 0) x
        join sheets s on s.client_id = x.client_id and s.sheet_id = x.sheet_id
        left join imports i on i.client_id = s.client_id and i.import_id = s.last_import
        where removed_at is null"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The sheets of a campaign before `before`, the latest first.
pub async fn list(
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Sheet>, StoreError> {
    let rows = sqlx::query_as!(
        SheetRow,
        r#"select s.client_id, s.sheet_id, s.campaign_id, link, s.options, cron, zone, next_at, refresh_id, failures,
            last_at, last_result as "last_result: SheetResult", last_error, last_title, last_sha256, last_import,
            i.state as "import_state?: ImportState", i.failed_for as "import_failed_for?", s.actor, s.created_at
        from sheets s left join imports i on i.client_id = s.client_id and i.import_id = s.last_import
        where s.campaign_id = $2 and s.client_id = $1 and removed_at is null
            and ($3::uuid is null or s.sheet_id < $3)
        order by s.sheet_id desc limit $4"#,
        client.0,
        campaign.0,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A sheet whose time has come.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which.
    pub key: Key,
    /// The time that has come.
    pub next_at: Moment,
    /// When, as six fields.
    pub cron: String,
    /// By whose clock.
    pub zone: String,
}

/// Sheets whose time has come by `now`, the longest due first: those that were last read by `read_by`, and of
/// which no refresh is under way that was asked for after `asked_after`.
pub async fn due(
    conn: &mut PgConnection,
    now: Moment,
    read_by: Moment,
    asked_after: Moment,
    limit: i64,
) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query!(
        r#"select client_id, sheet_id, next_at as "next_at!", cron as "cron!", zone as "zone!" from sheets
        where next_at <= $1 and (last_at is null or last_at <= $2) and (asked_at is null or asked_at <= $3)
        order by next_at limit $4"#,
        now,
        read_by,
        asked_after,
        limit
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| Due {
        key: (ClientId(row.client_id), row.sheet_id),
        next_at: row.next_at,
        cron: row.cron,
        zone: row.zone,
    });
    Ok(due.collect())
}

/// Claims a due refresh by moving its time on. Tells whether it was still there to be claimed.
pub async fn claim(conn: &mut PgConnection, due: &Due, next_at: Option<Moment>) -> Result<bool, StoreError> {
    let claimed = sqlx::query!(
        "update sheets set next_at = $4 where client_id = $1 and sheet_id = $2 and next_at = $3",
        due.key.0.0,
        due.key.1,
        due.next_at,
        next_at
    )
    .execute(conn)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Asks for a refresh, in the place of one that is under way. Tells whether the sheet is linked still.
pub async fn ask(
    conn: &mut PgConnection,
    (client, id): Key,
    refresh: Uuid,
    now: Moment,
) -> Result<bool, StoreError> {
    let asked = sqlx::query!(
        "update sheets set refresh_id = $3, asked_at = $4, failures = 0
        where client_id = $1 and sheet_id = $2 and removed_at is null",
        client.0,
        id,
        refresh,
        now
    )
    .execute(conn)
    .await?;
    Ok(asked.rows_affected() == 1)
}

/// What a refresh has to say.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    /// An import took in what has this digest.
    TakenIn {
        /// Which.
        import: Uuid,
        /// SHA-256 of the content.
        digest: &'a [u8; 32],
        /// What Google calls the sheet.
        title: Option<&'a str>,
    },
    /// Nothing changed.
    Unchanged {
        /// What Google calls the sheet.
        title: Option<&'a str>,
    },
    /// It failed, so often in a row, and is over unless it is tried again.
    Failed {
        /// Why.
        error: &'a str,
        /// How often in a row it did so for what may pass.
        failures: i16,
        /// Whether it is tried again.
        again: bool,
    },
}

/// Notes what came of a refresh. Tells whether it was still the one under way; else nothing is noted.
pub async fn tell(
    conn: &mut PgConnection,
    (client, id): Key,
    refresh: Uuid,
    told: &Told<'_>,
    now: Moment,
) -> Result<bool, StoreError> {
    let (result, import, digest, title, error, failures, again) = match *told {
        Told::TakenIn { import, digest, title } => {
            (SheetResult::TakenIn, Some(import), Some(digest.as_slice()), title, None, 0, false)
        }
        Told::Unchanged { title } => (SheetResult::Unchanged, None, None, title, None, 0, false),
        Told::Failed { error, failures, again } => {
            (SheetResult::Failed, None, None, None, Some(error), failures, again)
        }
    };
    let noted = sqlx::query!(
        "update sheets set last_at = $4, last_result = $5, last_import = coalesce($6, last_import),
            last_sha256 = coalesce($7, last_sha256), last_title = coalesce($8, last_title), last_error = $9,
            failures = $10, refresh_id = case when $11 then refresh_id end, asked_at = case when $11 then asked_at end
        where client_id = $1 and sheet_id = $2 and refresh_id = $3",
        client.0,
        id,
        refresh,
        now,
        result as SheetResult,
        import,
        digest,
        title,
        error,
        failures,
        again
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Changes what is said of its rows and when it is refreshed; `anew`: what was taken in last is forgotten. Tells
/// whether it is linked still.
pub async fn change(conn: &mut PgConnection, to: &Sheet, anew: bool) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        "update sheets set cron = $3, zone = $4, next_at = $5, actor = $6,
            last_sha256 = case when not $8 then last_sha256 end, options = $7
        where client_id = $1 and sheet_id = $2 and removed_at is null",
        to.client.0,
        to.id,
        to.cron,
        to.zone,
        to.next_at,
        to.actor,
        to.options,
        anew
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Unlinks it. Tells whether it was linked.
pub async fn remove(conn: &mut PgConnection, (client, id): Key, now: Moment) -> Result<bool, StoreError> {
    let removed = sqlx::query!(
        "update sheets set removed_at = $3, next_at = null, refresh_id = null, asked_at = null
        where client_id = $1 and sheet_id = $2 and removed_at is null",
        client.0,
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(removed.rows_affected() == 1)
}

struct SheetRow {
    client_id: Uuid,
    sheet_id: Uuid,
    campaign_id: Uuid,
    link: String,
    options: Value,
    cron: Option<String>,
    zone: Option<String>,
    next_at: Option<Moment>,
    refresh_id: Option<Uuid>,
    failures: i16,
    last_at: Option<Moment>,
    last_result: Option<SheetResult>,
    last_error: Option<String>,
    last_title: Option<String>,
    last_sha256: Option<Vec<u8>>,
    last_import: Option<Uuid>,
    import_state: Option<ImportState>,
    import_failed_for: Option<String>,
    actor: String,
    created_at: Moment,
}

impl From<SheetRow> for Sheet {
    fn from(row: SheetRow) -> Self {
        Self {
            client: ClientId(row.client_id),
            id: row.sheet_id,
            campaign: CampaignId(row.campaign_id),
            link: row.link,
            options: row.options,
            cron: row.cron,
            zone: row.zone,
            next_at: row.next_at,
            refresh: row.refresh_id,
            failures: row.failures,
            last_at: row.last_at,
            last_result: row.last_result,
            last_error: row.last_error,
            last_title: row.last_title,
            last_sha256: row.last_sha256,
            last_import: row.last_import,
            import_state: row.import_state,
            import_failed_for: row.import_failed_for,
            actor: row.actor,
            created_at: row.created_at,
        }
    }
}
