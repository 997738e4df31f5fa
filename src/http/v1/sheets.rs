//! Google Sheets that campaigns take their leads from.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use outdial_jobs::import::Options;
use outdial_jobs::operations::OperationError;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::sheets::{self, NewLink, Sheet, SheetResult, Times};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::consents::ConsentInput;
use super::imports::StateName;
use super::paging::{LatestQuery, Page};
use super::{Asked, Body, Caller, Named, campaigns};
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// A sheet to be linked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetInput {
    /// Its address, as the browser shows it with the tab open that is meant. The sheet is to be shared with
    /// anyone who has the link, or published to the web.
    #[schema(
        example = "https://docs.google.com/spreadsheets/d/EXAMPLE-of-the-id-of-a-shared-sheet/edit#gid=0"
    )]
    link: String,
    /// The country of numbers without a country code.
    #[schema(example = "IN")]
    region: Option<String>,
    /// What the people agreed to whose rows say nothing of it.
    consent: Option<ConsentInput>,
    /// When it is refreshed by itself: second, minute, hour, day of month, month, day of week. Left out: never.
    /// Whatever it says, a minute passes from one look at the sheet to the next.
    #[schema(example = "0 0 * * * *")]
    cron: Option<String>,
    /// By whose clock; UTC unless told.
    #[schema(example = "Asia/Kolkata")]
    zone: Option<String>,
}

/// What is said of a sheet's rows, and when it is refreshed by itself. What is left out is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetChange {
    /// The country of numbers without a country code.
    #[schema(example = "IN")]
    region: Option<String>,
    /// What the people agreed to whose rows say nothing of it.
    consent: Option<ConsentInput>,
    /// When it is refreshed by itself.
    #[schema(example = "0 0 * * * *")]
    cron: Option<String>,
    /// By whose clock; UTC unless told.
    zone: Option<String>,
}

fn options(region: Option<String>, consent: Option<ConsentInput>) -> Options {
    Options { default_region: region, delimiter: None, consent: consent.map(Into::into) }
}

/// What came of a look at a sheet.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SheetResult)]
pub(crate) enum ResultName {
    /// An import was begun with it.
    TakenIn,
    /// It is as it was when it was last taken in.
    Unchanged,
    /// It could not be read.
    Failed,
}

/// A sheet that is linked to a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SheetBody {
    /// Its id.
    id: Uuid,
    /// The tenant.
    client: Uuid,
    /// The campaign.
    campaign: Uuid,
    /// As a browser opens it.
    link: String,
    /// The country of numbers without a country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// What the people agreed to whose rows say nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    consent: Option<Value>,
    /// When it is refreshed by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    /// By whose clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// The next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime<Utc>>,
    /// Whether a refresh is under way, or waits to be tried again.
    refreshing: bool,
    /// How often in a row it could not be read for what may pass, so that it is tried again.
    failures: i16,
    /// When it was last read, or could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<DateTime<Utc>>,
    /// What came of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_result: Option<ResultName>,
    /// Why it could not be read, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// What Google last called it: the document and its tab.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The import that last took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<Uuid>,
    /// Where that stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    import_state: Option<StateName>,
    /// Why no row of it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    import_failed_for: Option<String>,
    /// Who linked it, or last changed how.
    actor: String,
    /// When it was linked.
    created_at: DateTime<Utc>,
}

impl From<Sheet> for SheetBody {
    fn from(sheet: Sheet) -> Self {
        let said = |name: &str| sheet.options.get(name).filter(|said| !said.is_null()).cloned();
        Self {
            region: said("default_region").and_then(|region| region.as_str().map(str::to_owned)),
            consent: said("consent"),
            id: sheet.id,
            client: sheet.client.0,
            campaign: sheet.campaign.0,
            link: sheet.link,
            cron: sheet.cron,
            zone: sheet.zone,
            next_at: sheet.next_at,
            refreshing: sheet.refresh.is_some(),
            failures: sheet.failures,
            last_at: sheet.last_at,
            last_result: sheet.last_result.map(|result| match result {
                SheetResult::TakenIn => ResultName::TakenIn,
                SheetResult::Unchanged => ResultName::Unchanged,
                SheetResult::Failed => ResultName::Failed,
            }),
            last_error: sheet.last_error,
            title: sheet.last_title,
            import: sheet.last_import,
            import_state: sheet.import_state.map(Into::into),
            import_failed_for: sheet.import_failed_for,
            actor: sheet.actor,
            created_at: sheet.created_at,
        }
    }
}

/// Link a Google Sheet
///
/// Its rows become leads, as those of a file do; it is read at once, by a job, and whenever it is refreshed.
/// A refresh that finds it changed begins an import with all of it: rows that are new are added, and those that
/// the campaign has change nothing. A row that is taken out of the sheet stays a lead.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/sheets", tag = "sheets",
    params(("campaign" = Uuid, Path, description = "The campaign's id")), request_body = SheetInput, responses(
    (status = 201, description = "It is linked, and its first refresh is asked for", body = SheetBody),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, description = "It is linked already", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn link(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Body(input): Body<SheetInput>,
) -> Result<(StatusCode, Json<SheetBody>), Problem> {
    caller.is(Role::Operator)?;
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let SheetInput { link, region, consent, cron, zone } = input;
    let (options, times) = (options(region, consent), Times::given(cron.as_deref(), zone.as_deref())?);
    let new = NewLink { client, campaign, link: &link, options: &options, times, by: caller.by() };
    Ok((StatusCode::CREATED, Json(sheets::link(&api.engine, new).await?.into())))
}

/// List a campaign's sheets
///
/// The latest first.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/sheets", tag = "sheets",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), LatestQuery), responses(
    (status = 200, description = "A page of them", body = Page<SheetBody>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    Asked(page): Asked<LatestQuery>,
) -> Result<Json<Page<SheetBody>>, Problem> {
    let (client, campaign) = campaigns::visible(&api, &caller, campaign).await?;
    let found = async |before, limit| sheets::list(&api.engine, client, campaign, before, limit).await;
    page.of(found, |sheet: &SheetBody| sheet.id).await
}

/// Show a sheet
///
/// When it was last read, and what came of it.
#[utoipa::path(get, path = "/v1/sheets/{sheet}", tag = "sheets",
    params(("sheet" = Uuid, Path, description = "Its id")), responses(
    (status = 200, description = "The sheet", body = SheetBody),
    (status = 404, description = "No such sheet", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn get(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(sheet): Named<Uuid>,
) -> Result<Json<SheetBody>, Problem> {
    Ok(Json(visible(&api, &caller, sheet).await?.into()))
}

/// Refresh a sheet
///
/// By a job: `refreshing` says that it is under way, and `last_result` what came of it. What may pass, such as
/// a Google that is busy, is tried again five times within half an hour; what a person has to mend waits for the
/// next refresh.
#[utoipa::path(post, path = "/v1/sheets/{sheet}/refresh", tag = "sheets",
    params(("sheet" = Uuid, Path, description = "Its id")), responses(
    (status = 202, description = "It is asked for", body = SheetBody),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such sheet", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn refresh(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(sheet): Named<Uuid>,
) -> Result<(StatusCode, Json<SheetBody>), Problem> {
    caller.is(Role::Operator)?;
    let sheet = visible(&api, &caller, sheet).await?;
    let asked = sheets::refresh_now(&api.engine, &sheet.id.to_string(), caller.by()).await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Change a sheet's schedule and options
///
/// Under another region or consent all of it is taken in anew at once: rows that could not be read before may
/// be leads now.
#[utoipa::path(put, path = "/v1/sheets/{sheet}", tag = "sheets",
    params(("sheet" = Uuid, Path, description = "Its id")), request_body = SheetChange, responses(
    (status = 200, description = "The sheet as it is now", body = SheetBody),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such sheet", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(sheet): Named<Uuid>,
    Body(input): Body<SheetChange>,
) -> Result<Json<SheetBody>, Problem> {
    caller.is(Role::Operator)?;
    let sheet = visible(&api, &caller, sheet).await?;
    let SheetChange { region, consent, cron, zone } = input;
    let (options, times) = (options(region, consent), Times::given(cron.as_deref(), zone.as_deref())?);
    let id = sheet.id.to_string();
    Ok(Json(sheets::change(&api.engine, &id, &options, times, caller.by()).await?.into()))
}

/// Unlink a sheet
///
/// It is read no more. Its leads stay.
#[utoipa::path(delete, path = "/v1/sheets/{sheet}", tag = "sheets",
    params(("sheet" = Uuid, Path, description = "Its id")), responses(
    (status = 204, description = "It is unlinked"),
    (status = 403, description = "Takes the role operator", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such sheet", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn unlink(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(sheet): Named<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.is(Role::Operator)?;
    let sheet = visible(&api, &caller, sheet).await?;
    sheets::unlink(&api.engine, &sheet.id.to_string(), caller.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn visible(api: &Api, caller: &Caller, sheet: Uuid) -> Result<Sheet, Problem> {
    let found = sheets::find(&api.engine, &sheet.to_string()).await?;
    let not_found = || OperationError::NotFound { kind: "sheet", given: sheet.to_string() };
    caller.sees(found.client).map_err(|_| Problem::from(not_found()))?;
    Ok(found)
}
