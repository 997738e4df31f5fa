//! Who a lead's person is, put right: name, number, zone, region, attributes.
//!
//! An edit calls nobody and lets nobody go: the gate asks of the new number what it asks of any, at the next call.

use outdial_workflows::calendar::parse_zone;
use outdial_workflows::decide::person_edited;
use outdial_workflows::history::{PersonPart, Recorded};
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;
use outdial_workflows::statistics::Deltas;
use outdial_workflows::workflow::{State, Workflow};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::leads::{self, LeadSpec, Listed};
use super::{By, OperationError};
use crate::engine::Engine;
use crate::store;
use crate::store::StoreError;
use crate::store::audit::Entry;
use crate::store::workflows::Locked;

/// What is to be otherwise. What is not given stays; `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// The number.
    pub phone: Option<PhoneNumber>,
    /// The name.
    pub name: Option<Option<String>>,
    /// The zone by whose clock the person lives.
    pub zone: Option<Option<String>>,
    /// Where the person is.
    pub region: Option<Option<String>>,
    /// Attributes by their names; null takes one away. Those that are not named stay.
    pub attributes: Map<String, Value>,
}

/// What came of an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Edited {
    /// What is otherwise by now; nothing, if all was so before.
    pub changed: Vec<PersonPart>,
    /// Whether calls to the number are forbidden by a list: nobody is called for as long.
    pub suppressed: bool,
    /// How many consents are on record of the number. A campaign that wants one holds the lead without.
    pub consents: usize,
}

impl Edit {
    fn check(&self) -> Result<(), OperationError> {
        let wrong =
            |place: &str, problem: String| Err(OperationError::Invalid { place: place.into(), problem });
        if let Some(Some(Err(error))) = self.zone.as_ref().map(|zone| zone.as_deref().map(parse_zone)) {
            return wrong("zone", error.to_string());
        }
        let region = self.region.as_ref().map(|region| region.as_deref().map(str::parse::<Area>));
        if let Some(Some(Err(error))) = region {
            return wrong("region", error.to_string());
        }
        Ok(())
    }

    fn of(&self, before: &LeadSpec) -> LeadSpec {
        let mut after = before.clone();
        let take = |given: &Option<Option<String>>, place: &mut Option<String>| {
            if let Some(given) = given {
                place.clone_from(given);
            }
        };
        take(&self.name, &mut after.name);
        take(&self.zone, &mut after.zone);
        take(&self.region, &mut after.region);
        if let Some(phone) = &self.phone {
            after.phone = phone.clone();
        }
        for (name, value) in &self.attributes {
            match value {
                Value::Null => drop(after.attributes.remove(name)),
                value => drop(after.attributes.insert(name.clone(), value.clone())),
            }
        }
        after
    }
}

/// Why nothing was written.
enum Refused {
    /// Somebody else edited it since it was read, or it is gone.
    Meanwhile,
    Quarantined,
    UnderWay,
}

/// Edits the person of a lead. It is on record with what was before and after; the lead's history names what was edited.
///
/// # Errors
/// If the client has no such lead, the person was erased, what is given is wrong, another lead of the campaign has this
/// number and name, or the number, zone or region is to change while a call is under way.
pub async fn edit(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
    edit: &Edit,
    by: By<'_>,
) -> Result<Edited, OperationError> {
    edit.check()?;
    let found = leads::get(engine, lead).await?;
    if found.client != client {
        return Err(OperationError::NotFound { kind: "lead", given: lead.to_string() });
    }
    let before = spec(&found)?;
    let after = edit.of(&before);
    let changed = changed(&before, &after);
    let phones = [after.phone.as_str().to_owned()];
    if !changed.is_empty() {
        let mut conn = engine.pool().acquire().await?;
        // Made before the barrier is taken, which everybody else waits for.
        let lanes =
            leads::lanes_of(engine, &mut conn, client, found.campaign, std::slice::from_ref(&after)).await?;
        drop(conn);
        let written = engine.forbid(client, async |conn, now| {
            let Some(workflow) = locked(conn, &found, &changed).await? else {
                return Ok(Err(Refused::Meanwhile));
            };
            let workflow = match workflow {
                Ok(workflow) => workflow,
                Err(refused) => return Ok(Err(refused)),
            };
            let lane = lanes.first().copied().unwrap_or(workflow.lane);
            let (edited, event) = person_edited(&workflow, lane, &changed, by.actor, by.reason);
            store::leads::edit(conn, client, &leads::row(lead, found.campaign, &after)).await?;
            store::workflows::save(conn, client, &[&edited]).await?;
            if edited.lane != workflow.lane {
                store::workflows::move_to(conn, client, lead, edited.lane).await?;
            }
            let recorded = Recorded { seq: edited.events, at: now, event };
            store::events::append(conn, client, &[(lead, recorded)]).await?;
            let mut deltas = Deltas::default();
            deltas.moved(&workflow, &edited, now);
            store::statistics::add(conn, client, &deltas).await?;
            let details = json!({ "before": told(&before, &changed), "after": told(&after, &changed) });
            let (id, details) = (lead.0, &details);
            let By { actor, reason } = by;
            let entry = Entry { actor, action: "edit", subject: "lead", id, reason, details };
            store::audit::note(conn, client, entry, now).await?;
            store::notify(conn, &leads::SIGNAL.payload(client)).await?;
            Ok(Ok(()))
        });
        match written.await {
            Ok(Ok(())) => engine.hub().signal(client, leads::SIGNAL),
            Ok(Err(refused)) => return Err(refused.into()),
            Err(error) if error.constraint() == Some("leads_are_unique") => {
                let problem =
                    "its campaign has a lead with this number and name already: cancel one of them".into();
                return Err(OperationError::NotPossible(problem));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let (suppressed, consents) = standing(engine, &found, &phones).await?;
    Ok(Edited { changed, suppressed, consents })
}

impl From<Refused> for OperationError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Meanwhile => {
                Self::EditedMeanwhile("somebody else edited it meanwhile: look at it again".into())
            }
            Refused::Quarantined => {
                Self::NotPossible("the lead is in quarantine: have it released first".into())
            }
            Refused::UnderWay => Self::NotPossible(
                "the lead is being called: its number, zone and region can be edited once that call is over"
                    .into(),
            ),
        }
    }
}

fn spec(lead: &Listed) -> Result<LeadSpec, OperationError> {
    let erased = || OperationError::NotPossible("the person was erased: there is nobody to edit".into());
    let phone: PhoneNumber = lead.phone.as_deref().and_then(|phone| phone.parse().ok()).ok_or_else(erased)?;
    Ok(LeadSpec {
        name: lead.name.clone(),
        zone: lead.zone.clone(),
        region: lead.region.clone(),
        external_id: lead.external_id.clone(),
        priority: lead.priority,
        attributes: lead.attributes.as_object().cloned().unwrap_or_default(),
        ..LeadSpec::new(phone)
    })
}

fn changed(before: &LeadSpec, after: &LeadSpec) -> Vec<PersonPart> {
    let each = [
        (PersonPart::Number, before.phone != after.phone),
        (PersonPart::Name, before.name != after.name),
        (PersonPart::Zone, before.zone != after.zone),
        (PersonPart::Region, before.region != after.region),
        (PersonPart::Attributes, before.attributes != after.attributes),
    ];
    each.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}

/// What the record says of a person: the parts that were edited.
fn told(spec: &LeadSpec, parts: &[PersonPart]) -> Value {
    let told = |part| match part {
        PersonPart::Number => json!(spec.phone.as_str()),
        PersonPart::Name => json!(spec.name),
        PersonPart::Zone => json!(spec.zone),
        PersonPart::Region => json!(spec.region),
        PersonPart::Attributes => json!(spec.attributes),
    };
    Value::Object(parts.iter().map(|&part| (part.name().to_owned(), told(part))).collect())
}

/// The workflow of a lead that is still as it was read, locked; or why it cannot be edited now.
async fn locked(
    conn: &mut PgConnection,
    found: &Listed,
    changed: &[PersonPart],
) -> Result<Option<Result<Workflow, Refused>>, StoreError> {
    let locked = store::workflows::lock(conn, found.client, &[found.lead.0]).await?.pop();
    let (Some(locked), Some(now)) = (locked, store::leads::listed(conn, found.lead).await?) else {
        return Ok(None);
    };
    let who = |lead: &Listed| {
        (
            lead.phone.clone(),
            lead.name.clone(),
            lead.zone.clone(),
            lead.region.clone(),
            lead.attributes.clone(),
        )
    };
    if who(&now) != who(found) {
        return Ok(None);
    }
    let workflow = match locked {
        Locked::Ready(workflow) => workflow,
        Locked::Quarantined(_) => return Ok(Some(Err(Refused::Quarantined))),
        Locked::Unreadable(_, error) => return Err(error),
    };
    let moves = changed.iter().any(|part| part.moves());
    Ok(Some(match workflow.state {
        State::Dialling | State::Calling | State::Settling if moves => Err(Refused::UnderWay),
        State::Waiting
        | State::Held
        | State::Dialling
        | State::Calling
        | State::Settling
        | State::Finished => Ok(workflow),
    }))
}

/// Whether the number is on a list that forbids calls to it, and how many consents there are of it.
async fn standing(
    engine: &Engine,
    lead: &Listed,
    phones: &[String],
) -> Result<(bool, usize), OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let now = engine.now_in(&mut conn).await?;
    let listed = store::suppressions::of_phones(&mut conn, lead.client, phones).await?;
    let suppressed = listed.iter().any(|listed| listed.forbids(lead.campaign, now));
    Ok((suppressed, store::consents::of_phones(&mut conn, lead.client, phones).await?.len()))
}
