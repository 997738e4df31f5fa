//! Lists of leads: searched, sorted, page by page.

// Written so by `utoipa::path` for parameters of the handler's own module.
#![allow(unused_qualifications)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State as Shared};
use axum::http::Uri;
use outdial_jobs::operations::Direction;
use outdial_jobs::operations::lead_lists::{self, Fits, Place, Sort, Wanted};
use outdial_workflows::outcome::Outcome;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, parse};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Lead;
use crate::http::problem::ProblemDetails;
use crate::http::v1::input::{asked, sought, wrong};
use crate::http::v1::names::StateName;
use crate::http::v1::paging::page_limit;
use crate::http::v1::{Caller, Named, Page, campaigns};
use crate::http::{Api, Problem};

/// What a parameter begins with that asks for an attribute.
const ATTRIBUTE: &str = "attribute.";
/// The most attributes that are asked for at once.
const ATTRIBUTES: usize = 10;
/// The most digits of a number.
const DIGITS: usize = 15;

/// By what leads are sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = LeadSort)]
pub(crate) enum SortName {
    /// First those that were accepted first.
    #[serde(rename = "created_at")]
    Created,
    /// First those that were accepted last.
    #[serde(rename = "-created_at")]
    CreatedLast,
    /// First those that are due first. Only leads that wait.
    #[serde(rename = "due_at")]
    Due,
    /// First those that are due last.
    #[serde(rename = "-due_at")]
    DueLast,
    /// By their names' letters, whatever their case. Only leads with a name.
    #[serde(rename = "name")]
    Name,
    /// The same the other way round.
    #[serde(rename = "-name")]
    NameLast,
}

impl SortName {
    fn parts(self) -> (Sort, Direction) {
        match self {
            Self::Created => (Sort::Acceptance, Direction::OldestFirst),
            Self::CreatedLast => (Sort::Acceptance, Direction::NewestFirst),
            Self::Due => (Sort::DueTime, Direction::OldestFirst),
            Self::DueLast => (Sort::DueTime, Direction::NewestFirst),
            Self::Name => (Sort::Name, Direction::OldestFirst),
            Self::NameLast => (Sort::Name, Direction::NewestFirst),
        }
    }
}

/// Which leads, and which page of them.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LeadsQuery {
    /// Only those that stand so.
    state: Option<StateName>,
    /// Only those that ended so, as `no_answer`.
    outcome: Option<String>,
    /// Only those whose number begins so, with its country code: `+9198765`.
    #[param(example = "+9198765", max_length = 16)]
    phone: Option<String>,
    /// Only those whose name begins so, whatever the case of its letters.
    #[param(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// By what they are sorted: `created_at` (unless told), `due_at` or `name`, with `-` before it the other way round.
    /// Give it again with each cursor.
    #[param(inline)]
    sort: Option<SortName>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 200, 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl LeadsQuery {
    /// Parameters that begin as attributes do are taken out of the others, whose names are known.
    pub(in crate::http) fn read(query: Option<&str>) -> Result<(Self, BTreeMap<String, String>), Problem> {
        let (mut rest, mut attributes) = (Serializer::new(String::new()), BTreeMap::new());
        for (name, value) in parse(query.unwrap_or_default().as_bytes()) {
            match name.strip_prefix(ATTRIBUTE) {
                Some("") => return Err(wrong(&name, "say which attribute, as `attribute.city=Pune`")),
                Some(attribute) => {
                    sought(&name, attribute)?;
                    sought(&name, &value)?;
                    if attributes.insert(attribute.to_owned(), value.into_owned()).is_some() {
                        return Err(wrong(&name, "it is asked for twice; no lead has two of one name"));
                    }
                }
                None => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        if attributes.len() > ATTRIBUTES {
            return Err(wrong("attribute", format!("give {ATTRIBUTES} attributes at most")));
        }
        let rest: Uri = format!("/?{}", rest.finish())
            .parse()
            .map_err(|error: axum::http::uri::InvalidUri| wrong("query", error.to_string()))?;
        Ok((asked(&rest)?, attributes))
    }

    fn phone(&self) -> Result<Option<String>, Problem> {
        let Some(given) = &self.phone else { return Ok(None) };
        // Behind a question mark, a + that is not escaped comes as a space.
        let digits = given.strip_prefix(['+', ' ']).unwrap_or_default();
        if (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Some(format!("+{digits}")));
        }
        Err(wrong("phone", "give what numbers begin with: `+` and 1 to 15 digits, as `+9198765`"))
    }

    fn name(&self) -> Result<Option<String>, Problem> {
        let Some(given) = self.name.as_deref() else { return Ok(None) };
        match given.chars().count() {
            1..=200 => Ok(Some(sought("name", given)?.to_owned())),
            _ => Err(wrong("name", "give 1 to 200 characters with which names begin")),
        }
    }

    /// What it asks of leads.
    pub(in crate::http) fn fits(&self, attributes: BTreeMap<String, String>) -> Result<Fits, Problem> {
        let outcome = self.outcome.as_deref().map(str::parse::<Outcome>).transpose();
        let outcome = outcome.map_err(|error| wrong("outcome", error.to_string()))?;
        let (phone, name) = (self.phone()?, self.name()?);
        Ok(Fits { state: self.state.map(Into::into), outcome, attributes, phone, name })
    }

    /// Which page it asks for.
    pub(in crate::http) fn wanted(&self) -> Result<Wanted, Problem> {
        let (sort, direction) = self.sort.unwrap_or(SortName::Created).parts();
        let after = self.cursor.as_deref().map(str::parse::<Place>).transpose();
        let after = after.map_err(|error| wrong("cursor", error.to_string()))?;
        Ok(Wanted { sort, direction, after, limit: page_limit(self.limit)? })
    }
}

/// List leads
///
/// Those of a campaign, first those that came first unless told otherwise. `attribute.NAME=VALUE`, with any name,
/// asks for leads that have this attribute, letter for letter; several are to hold all. A page may hold fewer than
/// asked for although more follow: what fits is looked for five thousand leads at a time.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/leads", tag = "leads",
    params(("campaign" = Uuid, Path, description = "The campaign's id"), LeadsQuery,
        ("attribute.NAME" = Option<String>, Query, description = "Only those whose attribute NAME is this; for NAME stands that of any")),
    responses(
    (status = 200, description = "A page of leads", body = Page<Lead>),
    (status = 404, description = "No such campaign", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Shared(api): Shared<Api>,
    caller: Caller,
    Named(campaign): Named<Uuid>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<Lead>>, Problem> {
    let (query, attributes) = LeadsQuery::read(query.as_deref())?;
    let place = campaigns::visible(&api, &caller, campaign).await?;
    let (fits, wanted) = (query.fits(attributes)?, query.wanted()?);
    let (found, next) = lead_lists::page(&api.engine, place, &fits, wanted).await?;
    Ok(Json(Page::from_to(found.into_iter().map(Lead::from).collect(), next)))
}
