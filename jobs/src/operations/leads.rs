//! Leads: accepting them, and what people order for one.

use std::collections::{BTreeSet, HashMap, HashSet};

use outdial_workflows::Moment;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::gate::{GateFacts, whereabouts};
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::statistics::Deltas;
use outdial_workflows::workflow::{Priority, Workflow};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::OperationError;
use super::consents::ConsentSpec;
use super::lead_lists::terms;
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::store::consents::NewConsent;
use crate::store::imports::{Counts, Note, NoteKind};
pub use crate::store::leads::Listed;
use crate::store::leads::NewLead;
use crate::store::{self};
use crate::traces;

/// The most leads that one transaction accepts: an import does not hold anybody up.
pub const PAGE: usize = 1_000;

/// A person to be called, as somebody sends them.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadSpec {
    /// The number.
    pub phone: PhoneNumber,
    /// The person's name.
    pub name: Option<String>,
    /// The person's zone, as it was given; the gate reads it.
    pub zone: Option<String>,
    /// Where the person is, as it was given: a country, or a part of one. Without it the number tells.
    pub region: Option<String>,
    /// What the sender calls the lead.
    pub external_id: Option<String>,
    /// How soon.
    pub priority: Priority,
    /// Further columns.
    pub attributes: serde_json::Map<String, Value>,
    /// What the person agreed to, as far as the sender knows.
    pub consent: Option<ConsentSpec>,
}

impl LeadSpec {
    /// Somebody of whom nothing but the number is known.
    pub fn new(phone: PhoneNumber) -> Self {
        Self {
            phone,
            name: None,
            zone: None,
            region: None,
            external_id: None,
            priority: Priority::default(),
            attributes: serde_json::Map::new(),
            consent: None,
        }
    }

    /// What makes it the same lead when it comes again: its external id, else number and normalised name.
    pub fn dedupe_key(&self) -> String {
        match &self.external_id {
            Some(id) => format!("id {id}"),
            None => format!("{} {}", self.phone.as_str(), self.normalised_name()),
        }
    }

    fn new_consent(&self) -> Option<NewConsent> {
        self.consent.as_ref().map(|consent| consent.of(&self.phone))
    }

    fn normalised_name(&self) -> String {
        let words = self.name.as_deref().unwrap_or_default().split_whitespace();
        words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
    }
}

/// What came of a page of leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Those that were new.
    pub leads: Vec<LeadId>,
    /// How many the campaign had already.
    pub duplicates: usize,
    /// Consents that were new, of leads new or not.
    pub consents: usize,
}

/// Accepts leads into a campaign: at most [`PAGE`] in one transaction. Once this returns, each has
/// a workflow, which reaches a recorded end. What the people agreed to is recorded too, also of
/// those that the campaign has already.
///
/// # Errors
/// If the campaign does not exist.
///
/// # Panics
/// If there are more than [`PAGE`].
pub async fn accept(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    specs: &[LeadSpec],
) -> Result<Accepted, OperationError> {
    accept_due(engine, client, campaign, specs, None, "outdial").await
}

/// A page of a file's rows, besides its leads.
pub(crate) struct FilePage<'a> {
    /// The file.
    pub(crate) import: Uuid,
    /// Behind which line the page begins, and the line on which its last row does.
    pub(crate) lines: (i64, i64),
    /// The line of each lead.
    pub(crate) leads: &'a [i64],
    /// What is wrong with the others.
    pub(crate) problems: &'a [Note],
    /// How many more notes of each kind there is room for.
    pub(crate) room: (usize, usize),
    /// Whether the file could not be read further.
    pub(crate) rest_unread: bool,
}

/// As [`accept`], for leads that are not due before `due_at`, by the clock that decisions use;
/// `None` makes them due at once. `actor` is who records their consent.
///
/// # Errors
/// If the campaign does not exist.
///
/// # Panics
/// If there are more than [`PAGE`].
pub async fn accept_due(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    specs: &[LeadSpec],
    due_at: Option<Moment>,
    actor: &str,
) -> Result<Accepted, OperationError> {
    accept_rows(engine, client, campaign, specs, due_at, actor, None).await
}

/// As [`accept_due`], with what else stands in a page of a file: all in one transaction, so that a file that is
/// gone on with after a crash counts each row once.
pub(crate) async fn accept_rows(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    specs: &[LeadSpec],
    due_at: Option<Moment>,
    actor: &str,
    page: Option<&FilePage<'_>>,
) -> Result<Accepted, OperationError> {
    assert!(specs.len() <= PAGE, "accept leads page by page");
    let mut conn = engine.pool().acquire().await?;
    let lanes = lanes_of(engine, &mut conn, client, campaign, specs).await?;
    let mut tx = conn.begin().await?;
    let now = engine.now_in(&mut tx).await?;
    let mut by_id = HashMap::new();
    let rows: Vec<NewLead> = specs
        .iter()
        .zip(lanes)
        .map(|(spec, lane)| {
            let id = LeadId::new(now);
            by_id.insert(id, (lane, spec.priority));
            row(id, campaign, spec)
        })
        .collect();
    let import = page.map(|page| page.import);
    let written = store::leads::insert(&mut tx, client, campaign, &rows, import, now).await?;
    let workflow = |lead: &LeadId| workflow(*lead, campaign, by_id[lead], now, due_at);
    let workflows: Vec<Workflow> = written.iter().map(workflow).collect();
    if !workflows.is_empty() {
        store::workflows::insert(&mut tx, client, &workflows.iter().collect::<Vec<_>>()).await?;
        let accepted = |lead: &LeadId| (*lead, Recorded { seq: 1, at: now, event: Event::Accepted });
        store::events::append(&mut tx, client, &written.iter().map(accepted).collect::<Vec<_>>()).await?;
        let mut deltas = Deltas::default();
        workflows.iter().for_each(|workflow| deltas.accepted(workflow, now));
        store::statistics::add(&mut tx, client, &deltas).await?;
        store::notify(&mut tx, &SIGNAL.payload(client)).await?;
    }
    let consents: Vec<_> = specs.iter().filter_map(LeadSpec::new_consent).collect();
    // Last, since it takes a lock that admission waits for.
    let recorded = super::consents::record(&mut tx, client, &consents, import, actor, now).await?;
    if let Some(page) = page {
        note_page(&mut tx, client, page, &rows, &written, recorded.new, now).await?;
    }
    tx.commit().await?;
    engine.metrics().accepted(client, campaign, &written);
    traces::accepted(&written);
    engine.hub().signal(client, Signal { jobs: recorded.released > 0, ..SIGNAL });
    let duplicates = specs.len() - written.len();
    Ok(Accepted { duplicates, leads: written, consents: recorded.new })
}

/// Moves the file's place on, unless somebody else did.
async fn note_page(
    conn: &mut PgConnection,
    client: ClientId,
    page: &FilePage<'_>,
    leads: &[NewLead],
    written: &[LeadId],
    consents: usize,
    now: Moment,
) -> Result<(), OperationError> {
    let new: HashSet<LeadId> = written.iter().copied().collect();
    let merged = leads.iter().zip(page.leads).filter(|(lead, _)| !new.contains(&lead.id));
    let merged = merged.map(|(_, line)| Note {
        line: *line,
        note: NoteKind::Duplicate,
        column: None,
        value: None,
        problem: "the campaign has this lead already".into(),
    });
    let last = page.problems.last().filter(|_| page.rest_unread && page.problems.len() > page.room.0);
    let problems = page.problems.iter().take(page.room.0.saturating_sub(usize::from(last.is_some())));
    let notes: Vec<Note> = problems.chain(last).cloned().chain(merged.take(page.room.1)).collect();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = Counts {
        rows: count(leads.len() + page.problems.len()),
        accepted: count(written.len()),
        duplicates: count(leads.len() - written.len()),
        consents: count(consents),
        problems: count(page.problems.len()),
        rest_unread: page.rest_unread,
    };
    let key = (client, page.import);
    if !store::imports::advance(conn, key, page.lines, &counts, written, now).await? {
        return Err(OperationError::NotPossible(
            "another process takes this file in, or it was undone".into(),
        ));
    }
    Ok(store::imports::note(conn, key, &notes).await?)
}

/// The lane of each lead. Those that are missing are made at once, before any lead is written.
///
/// A lane is told by what is known of its people alone. A lead of which not enough is known without
/// the campaign's rules, which may be edited, goes to the lane without a place, where the gate decides;
/// so do all leads of a campaign on the open calendar.
pub(super) async fn lanes_of(
    engine: &Engine,
    conn: &mut PgConnection,
    client: ClientId,
    campaign: CampaignId,
    specs: &[LeadSpec],
) -> Result<Vec<LaneId>, OperationError> {
    let found = store::lanes::of_campaign(conn, client, campaign).await?;
    let given = campaign.to_string();
    let (revision, placeless) = found.ok_or(OperationError::NotFound { kind: "campaign", given })?;
    let rules = engine.rules_in(conn, client, campaign, revision).await?;
    if rules.is_some_and(|rules| rules.calendar == Calendar::Open) {
        return Ok(vec![placeless; specs.len()]);
    }
    let places: Vec<Option<String>> = specs.iter().map(place).collect();
    let wanted: BTreeSet<String> = places.iter().flatten().cloned().collect();
    let wanted: Vec<String> = wanted.into_iter().collect();
    let mut known: HashMap<String, LaneId> =
        store::lanes::of_places(conn, client, campaign, &wanted).await?.into_iter().collect();
    let missing: Vec<String> = wanted.into_iter().filter(|place| !known.contains_key(place)).collect();
    if !missing.is_empty() {
        let now = engine.now_in(conn).await?;
        let ids: Vec<LaneId> = missing.iter().map(|_| LaneId::new(now)).collect();
        store::lanes::add(conn, client, campaign, &missing, &ids, now).await?;
        known.extend(store::lanes::of_places(conn, client, campaign, &missing).await?);
    }
    let lane = |place: Option<String>| place.and_then(|place| known.get(&place).copied());
    Ok(places.into_iter().map(|place| lane(place).unwrap_or(placeless)).collect())
}

/// Where the person may be, by what is said of the person; `None` if that does not tell.
fn place(spec: &LeadSpec) -> Option<String> {
    let facts = GateFacts {
        zone: spec.zone.clone(),
        region: spec.region.clone(),
        phone: Some(spec.phone.clone()),
        ..GateFacts::default()
    };
    Some(whereabouts(&facts, None).ok()?.to_string())
}

pub(super) const SIGNAL: Signal = Signal { jobs: false, admission: true };

pub(super) fn row(id: LeadId, campaign: CampaignId, spec: &LeadSpec) -> NewLead {
    NewLead {
        id,
        phone: spec.phone.clone(),
        name: spec.name.clone(),
        zone: spec.zone.clone(),
        region: spec.region.clone(),
        external_id: spec.external_id.clone(),
        attributes: Value::Object(spec.attributes.clone()),
        dedupe_key: spec.dedupe_key(),
        terms: terms(campaign, &spec.attributes),
    }
}

fn workflow(
    lead: LeadId,
    campaign: CampaignId,
    (lane, priority): (LaneId, Priority),
    now: Moment,
    due_at: Option<Moment>,
) -> Workflow {
    let accepted = Workflow::accepted(lead, campaign, lane, priority, now);
    Workflow { events: 1, wake_at: due_at.or(accepted.wake_at), ..accepted }
}

/// The lead with this id, with where it stands.
///
/// # Errors
/// If there is none.
pub async fn get(engine: &Engine, lead: LeadId) -> Result<Listed, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::leads::listed(&mut conn, lead).await?;
    found.ok_or_else(|| OperationError::NotFound { kind: "lead", given: lead.to_string() })
}

/// The lead of a campaign that its sender calls so.
///
/// # Errors
/// If there is none.
pub async fn with_external_id(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    id: &str,
) -> Result<LeadId, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let found = store::leads::with_key(&mut conn, client, campaign, &format!("id {id}")).await?;
    found.ok_or_else(|| OperationError::NotFound { kind: "lead", given: id.to_owned() })
}

/// The lead with this id, external id or number.
///
/// # Errors
/// If there is none, or more than one.
pub async fn find(engine: &Engine, given: &str) -> Result<store::leads::Person, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    super::the_one("lead", given, store::leads::find(&mut conn, None, given).await?)
}

/// The leads that have this id, external id or number, with where they stand: at most 20, of one client or of all.
///
/// # Errors
/// The database.
pub async fn named(
    engine: &Engine,
    only: Option<ClientId>,
    given: &str,
) -> Result<Vec<Listed>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let mut found = vec![];
    for person in store::leads::find(&mut conn, only, given).await? {
        found.extend(store::leads::listed(&mut conn, person.lead).await?);
    }
    Ok(found)
}

/// Carries an order for one lead out, and puts it on record.
///
/// # Errors
/// If the lead does not exist, or the order makes no sense where it stands.
pub async fn order(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
    command: Command,
    actor: &str,
    reason: Option<&str>,
) -> Result<Answer, OperationError> {
    let (actor, reason) = (actor.to_owned(), reason.map(str::to_owned));
    let order = Input::Command { command, actor, reason, alone: true };
    let reply = engine.input(client, lead, order, None).await?;
    match reply.answer {
        Answer::Declined(why) => Err(OperationError::NotPossible(why)),
        Answer::NoTransfer(why) => Err(why.into()),
        answer => Ok(answer),
    }
}
