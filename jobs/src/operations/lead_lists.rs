//! Lists of leads: searched, sorted, and page by page.
//!
//! What an index tells apart (an attribute, the beginning of a name or number) is looked up by it while no more than
//! `FEW` leads fit. Where more do, they are found soon by walking the campaign in the order that is wanted, and no
//! page looks at more than `LOOKED_AT`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Direction, OperationError};
use crate::engine::Engine;
pub use crate::store::leads::Listed;
use crate::store::{StoreError, lead_lists};

/// Of so many an index finds all, and they are sorted here.
const FEW: usize = 2_000;
/// So many leads are looked at for a page.
const LOOKED_AT: usize = 5_000;
/// So many of them at once, where not all may fit.
const WINDOW: usize = 1_000;

/// By what leads are sorted; what is equal, by the order in which it was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The order in which they were accepted.
    #[default]
    Acceptance,
    /// When they are due. Only leads that wait are.
    DueTime,
    /// Their name, whatever the case of its letters. Only leads with a name.
    Name,
}

/// Which leads are listed.
#[derive(Clone, Debug, Default)]
pub struct Fits {
    /// Only those that stand so.
    pub state: Option<State>,
    /// Only those that ended so.
    pub outcome: Option<Outcome>,
    /// Only those that have all of these attributes.
    pub attributes: BTreeMap<String, String>,
    /// Only those whose number begins so: a plus and digits.
    pub phone: Option<String>,
    /// Only those whose name begins so, whatever the case of its letters.
    pub name: Option<String>,
}

impl Fits {
    fn all(&self) -> bool {
        let Self { state, outcome, attributes, phone, name } = self;
        state.is_none() && outcome.is_none() && attributes.is_empty() && phone.is_none() && name.is_none()
    }

    fn take(&self, lead: &Listed) -> bool {
        let begins = |text: &Option<String>, with: &Option<String>| {
            with.as_ref().is_none_or(|with| text.as_ref().is_some_and(|text| text.starts_with(with.as_str())))
        };
        let has = |(name, value): (&String, &String)| {
            lead.attributes.get(name).and_then(text_of).is_some_and(|text| text == *value)
        };
        self.state.is_none_or(|state| state == lead.state)
            && self.outcome.is_none_or(|outcome| Some(outcome) == lead.outcome)
            && begins(&lead.phone, &self.phone)
            && begins(&lead.name_key, &self.name)
            && self.attributes.iter().all(has)
    }
}

/// An attribute as it is looked for.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What a lead is found by that has these attributes: see the column `leads.terms`.
pub(super) fn terms<'a>(
    campaign: CampaignId,
    attributes: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Vec<i64> {
    let texts = attributes.into_iter().filter_map(|(name, value)| Some((name, text_of(value)?)));
    texts.map(|(name, text)| term(campaign, name, &text)).collect()
}

fn term(campaign: CampaignId, name: &str, text: &str) -> i64 {
    let mut hash = Sha256::new_with_prefix(campaign.0.as_bytes());
    hash.update(name);
    hash.update("=");
    hash.update(text);
    let first = hash.finalize().into_iter().take(8);
    i64::from_be_bytes(first.collect::<Vec<u8>>().try_into().unwrap_or_default())
}

/// A place in a list, behind a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    lead: LeadId,
    /// When it was due, in a list by that: it may be due at another time by now.
    due_at: Option<Moment>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.due_at {
            Some(due_at) => write!(f, "{}.{}", due_at.timestamp_micros(), self.lead),
            None => write!(f, "{}", self.lead),
        }
    }
}

/// A text that is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give the `next` of the page before")]
pub struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (due_at, lead) = match text.split_once('.') {
            Some((micros, lead)) => {
                let micros = micros.parse().map_err(|_| NotAPlace)?;
                (Some(Moment::from_timestamp_micros(micros).ok_or(NotAPlace)?), lead)
            }
            None => (None, text),
        };
        let lead = Uuid::try_parse(lead).map_err(|_| NotAPlace)?;
        Ok(Self { lead: LeadId(lead), due_at })
    }
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// By what it is sorted.
    pub sort: Sort,
    /// Which way round.
    pub direction: Direction,
    /// Behind which lead it begins; `None`: at the beginning.
    pub after: Option<Place>,
    /// The most leads.
    pub limit: usize,
}

/// A page of a campaign's leads, and where the next one begins, if there may be one. A page may hold fewer than its
/// limit although more follow.
///
/// # Errors
/// If the lead behind which it begins has no place among those that are sorted so; the database.
pub async fn page(
    engine: &Engine,
    place: (ClientId, CampaignId),
    fits: &Fits,
    wanted: Wanted,
) -> Result<(Vec<Listed>, Option<Place>), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let name = match &fits.name {
        Some(name) => Some(lead_lists::lowered(&mut conn, name).await?),
        None => None,
    };
    let fits = &Fits { name, ..fits.clone() };
    let mut at = behind(&mut conn, place.0, wanted).await?;
    if let Some(few) = few(&mut conn, place, fits).await? {
        let found = lead_lists::of(&mut conn, place.0, place.1, &few).await?;
        return Ok(sorted(found, fits, wanted, at.as_ref()));
    }
    let (mut found, mut looked_at) = (vec![], 0);
    loop {
        // One more than is wanted tells that there is another page.
        let step = if fits.all() { wanted.limit + 1 } else { WINDOW };
        let leads = step_of(&mut conn, place, fits, wanted, at.as_ref(), step).await?;
        let last = leads.len() < step;
        looked_at += leads.len();
        for lead in leads {
            if found.len() == wanted.limit {
                return Ok((found, at.map(|at| at.place())));
            }
            at = Some(At::of(&lead, wanted.sort));
            if fits.take(&lead) {
                found.push(lead);
            }
        }
        if last || looked_at >= LOOKED_AT {
            return Ok((found, at.map(|at| at.place()).filter(|_| !last)));
        }
    }
}

/// Where a lead stands among others.
#[derive(Clone, Debug)]
struct At {
    lead: LeadId,
    due_at: Option<Moment>,
    name: Option<String>,
}

impl At {
    fn of(lead: &Listed, sort: Sort) -> Self {
        Self {
            lead: lead.lead,
            due_at: lead.due_at.filter(|_| sort == Sort::DueTime),
            name: lead.name_key.clone().filter(|_| sort == Sort::Name),
        }
    }

    fn place(&self) -> Place {
        Place { lead: self.lead, due_at: self.due_at }
    }

    /// The order in which they come first that are first.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due_at, &self.name, self.lead.0).cmp(&(other.due_at, &other.name, other.lead.0))
    }
}

async fn behind(
    conn: &mut PgConnection,
    client: ClientId,
    wanted: Wanted,
) -> Result<Option<At>, OperationError> {
    let Some(Place { lead, due_at }) = wanted.after else { return Ok(None) };
    let wrong = |problem: &str| OperationError::Invalid { place: "cursor".into(), problem: problem.into() };
    let name = match wanted.sort {
        Sort::Name => {
            let gone = || wrong("the person at whom that page ended was erased; begin anew");
            Some(lead_lists::name_key(conn, client, lead).await?.ok_or_else(gone)?)
        }
        Sort::Acceptance | Sort::DueTime => None,
    };
    if due_at.is_some() != (wanted.sort == Sort::DueTime) {
        return Err(wrong("it is of a list that is sorted otherwise; give `sort` as with the page before"));
    }
    Ok(Some(At { lead, due_at, name }))
}

/// The leads among which all are that fit, if an index says that they are few.
async fn few(
    conn: &mut PgConnection,
    (client, campaign): (ClientId, CampaignId),
    fits: &Fits,
) -> Result<Option<Vec<LeadId>>, StoreError> {
    let limit = i64::try_from(FEW).unwrap_or(i64::MAX).saturating_add(1);
    if !fits.attributes.is_empty() {
        let wanted = fits.attributes.iter();
        let terms: Vec<i64> = wanted.map(|(name, text)| term(campaign, name, text)).collect();
        let found = lead_lists::with_terms(conn, client, &terms, limit).await?;
        if found.len() <= FEW {
            return Ok(Some(found));
        }
    }
    if let Some(phone) = &fits.phone {
        let (found, more) = lead_lists::with_phone(conn, client, phone, limit).await?;
        if !more {
            return Ok(Some(found));
        }
    }
    if let Some(name) = &fits.name {
        let found = lead_lists::with_name(conn, client, campaign, name, limit).await?;
        if found.len() <= FEW {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The page of a few leads, which are all that may fit.
fn sorted(
    found: Vec<Listed>,
    fits: &Fits,
    Wanted { sort, direction, limit, .. }: Wanted,
    after: Option<&At>,
) -> (Vec<Listed>, Option<Place>) {
    let order = |one: &At, other: &At| match direction {
        Direction::OldestFirst => one.cmp(other),
        Direction::NewestFirst => other.cmp(one),
    };
    let has_place = |lead: &Listed| match sort {
        Sort::Acceptance => true,
        Sort::DueTime => lead.due_at.is_some(),
        Sort::Name => lead.name_key.is_some(),
    };
    let mut seen = HashSet::new();
    let fitting = found.into_iter().filter(|lead| has_place(lead) && fits.take(lead));
    let mut sorted: Vec<(At, Listed)> = fitting
        .filter(|lead| seen.insert(lead.lead))
        .map(|lead| (At::of(&lead, sort), lead))
        .filter(|(at, _)| after.is_none_or(|after| order(after, at) == Ordering::Less))
        .collect();
    sorted.sort_by(|(one, _), (other, _)| order(one, other));
    let more = sorted.len() > limit;
    sorted.truncate(limit);
    let next = sorted.last().map(|(at, _)| at.place()).filter(|_| more);
    (sorted.into_iter().map(|(_, lead)| lead).collect(), next)
}

/// The next leads in the order that is wanted.
async fn step_of(
    conn: &mut PgConnection,
    place: (ClientId, CampaignId),
    fits: &Fits,
    Wanted { sort, direction, .. }: Wanted,
    at: Option<&At>,
    step: usize,
) -> Result<Vec<Listed>, StoreError> {
    let limit = i64::try_from(step).unwrap_or(i64::MAX);
    match sort {
        Sort::Acceptance => {
            lead_lists::by_acceptance(conn, place, direction, at.map(|at| at.lead), limit).await
        }
        Sort::Name => {
            let prefix = fits.name.as_deref().unwrap_or_default();
            let after = at.and_then(|at| Some((at.name.as_deref()?, at.lead)));
            lead_lists::by_name(conn, place, direction, prefix, after, limit).await
        }
        Sort::DueTime => {
            let after = at.and_then(|at| Some((at.due_at?, at.lead)));
            lead_lists::by_due_time(conn, place, direction, after, limit).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_told() {
        let lead = LeadId(Uuid::from_u128(7));
        for due_at in [None, Some("2026-01-14T06:30:00.123456Z".parse().expect("a time"))] {
            let place = Place { lead, due_at };
            assert_eq!(place.to_string().parse::<Place>(), Ok(place));
        }
        for wrong in ["", "7", "x.y", "1.2", "99999999999999999999.00000000-0000-0000-0000-000000000007"] {
            assert_eq!(wrong.parse::<Place>(), Err(NotAPlace), "{wrong}");
        }
    }

    /// The migration that introduced them made them so, too.
    #[test]
    fn a_term_is_the_beginning_of_a_hash_over_campaign_name_and_value() {
        let campaign = CampaignId(Uuid::nil());
        assert_eq!(term(campaign, "city", "Pune"), TERM);
        let attributes = serde_json::json!({ "city": "Pune", "none": null, "n": 7 });
        let attributes = attributes.as_object().expect("an object");
        assert_eq!(terms(campaign, attributes).len(), 2);
    }
    const TERM: i64 = 8_172_557_088_095_191_548;
}
