//! Judging a whole database, and explaining one lead.

use outdial_workflows::Moment;
use outdial_workflows::explain::{AccountStop, Explanation, Known, Story, explain, explain_remains};
use outdial_workflows::ids::{ClientId, DialKey, LeadId, made_at};
use outdial_workflows::judge::{Judge, Verdict};
use outdial_workflows::limits::{Limit, Room, Usage, look_back, room, spent_since};
use outdial_workflows::retention::beginning_removed;
use outdial_workflows::rules::Rules;
use uuid::Uuid;

use super::OperationError;
use crate::engine::Engine;
use crate::engine::admission::of_number;
use crate::engine::numbers::{Numbers, before_numbers};
use crate::store;
use crate::store::admission::Used;
use crate::store::campaigns::CampaignFacts;
use crate::store::leads::Contact;

/// How many leads are read at once.
const PAGE: i64 = 500;

/// What a judgement is to take into account besides the database.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How often a carrier says that it dialled, by our key: only emulators can tell.
    pub dials: Vec<(DialKey, u32)>,
    /// Whether leads that wait although they are due count as stuck: after a run that should have finished.
    pub strict: bool,
}

/// Judges every lead of every client; a row that cannot be read is named in the verdict, and the
/// others are judged all the same. `progress` is told after each page how many leads were looked at.
///
/// # Errors
/// If the database cannot be asked.
pub async fn judge(
    engine: &Engine,
    evidence: &Evidence,
    mut progress: impl FnMut(u64),
) -> Result<Verdict, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let (world, unreadable) = store::judging::world(&mut conn).await?;
    let now = engine.now_in(&mut conn).await?;
    let (history_since, _) = store::retention::since(&mut conn).await?;
    let mut judge = Judge::new(world, now).with_history_since(history_since);
    if evidence.strict {
        judge = judge.strict();
    }
    unreadable.iter().for_each(|error| judge.unreadable(None, error.to_string()));
    let mut looked_at = 0;
    for (client, _) in store::clients::list(&mut conn).await? {
        let mut after = LeadId(Uuid::nil());
        loop {
            let page = store::judging::stored(&mut conn, client, after, None, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.lead;
            looked_at += page.len() as u64;
            for stored in page {
                let lead = stored.lead;
                match stored.whole() {
                    Ok(record) => judge.lead(&record),
                    Err(rows) => {
                        rows.iter().for_each(|error| judge.unreadable(Some(lead), error.to_string()));
                    }
                }
            }
            progress(looked_at);
        }
    }
    evidence.dials.iter().for_each(|(key, dials)| judge.provider_dials(*key, *dials));
    Ok(judge.finish())
}

/// Why a lead stands where it does, what happened so far, and what comes next; of what cannot be
/// read, which rows.
///
/// # Errors
/// If the lead does not exist.
pub async fn explain_lead(
    engine: &Engine,
    client: ClientId,
    lead: LeadId,
) -> Result<Explanation, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let page = store::judging::stored(&mut conn, client, LeadId(Uuid::nil()), Some(lead), 1).await?;
    let not_found = || OperationError::NotFound { kind: "lead", given: lead.to_string() };
    let stored = page.into_iter().next().ok_or_else(not_found)?;
    let unreadable = stored.unreadable.iter().map(ToString::to_string).collect();
    let Some(workflow) = &stored.workflow else {
        let remains = explain_remains(lead, &stored.attempts, &stored.events);
        return Ok(Explanation { unreadable, ..remains });
    };
    let since = store::retention::since(&mut conn).await?.0;
    let first = stored.events.first().map(|event| event.seq);
    let history_since =
        since.filter(|_| made_at(lead.0).is_some_and(|at| beginning_removed(at, first, since)));
    let facts = store::campaigns::facts(&mut conn, client, &[stored.campaign.0]).await?;
    let facts = facts.into_iter().next().ok_or_else(not_found)?;
    let now = engine.now_in(&mut conn).await?;
    let rules = engine.rules(client, stored.campaign, facts.revision).await?;
    let (phone, zone, region) = (stored.phone.clone(), stored.zone.clone(), stored.region.clone());
    let contact = Contact { lead, phone, zone, region };
    let ready = facts.account_ready(now);
    let (mut gate, needs) = before_numbers(&facts, ready, &contact, rules.as_deref());
    let asked: Vec<_> = stored.phone.iter().map(|phone| (phone.clone(), needs)).collect();
    Numbers::read(&mut conn, client, &asked, now).await?.add_to(&mut gate, stored.campaign);
    let rooms = rooms(&mut conn, client, &facts, rules.as_deref(), now).await?;
    drop(conn);
    let story = Story {
        workflow,
        quarantined: stored.quarantined,
        attempts: &stored.attempts,
        events: &stored.events,
    };
    let stopped = stopped(&facts);
    let known = Known {
        gate: &gate,
        rules: rules.as_deref(),
        account_stopped: stopped,
        account_rests_until: facts.resting_until.filter(|_| stopped.is_none()),
        account_room: rooms.account,
        campaign_room: rooms.campaign,
        client_room: rooms.client,
        numbers_room: rooms.numbers,
        seats: rooms.seats,
        ahead: None,
    };
    Ok(Explanation { unreadable, history_since, ..explain(&story, &known, now) })
}

/// What keeps the account from dialling; what somebody has to look at first comes first.
fn stopped(facts: &CampaignFacts) -> Option<AccountStop> {
    match facts {
        facts if !facts.enabled => Some(AccountStop::Disabled),
        facts if facts.held => Some(AccountStop::TurnedDown),
        facts if facts.paused => Some(AccountStop::Paused),
        _ => None,
    }
}

/// What limits leave.
#[derive(Default)]
struct Rooms {
    account: Option<Room>,
    campaign: Option<Room>,
    client: Option<Room>,
    numbers: Option<Room>,
    seats: Option<u32>,
}

/// What the limits of a campaign, its numbers, its account and its client leave at the moment, as
/// admission reckons it, but under no lock. Nothing of limits that cannot be read.
async fn rooms(
    conn: &mut sqlx::PgConnection,
    client: ClientId,
    facts: &CampaignFacts,
    rules: Option<&Rules>,
    now: Moment,
) -> Result<Rooms, OperationError> {
    let parsed = |limits| serde_json::from_value::<Vec<Limit>>(limits).ok();
    let account = store::accounts::read(conn, client, facts.account).await?;
    let account = account.and_then(|account| parsed(account.limits));
    let clients = store::clients::limits(conn, client).await?.and_then(parsed);
    let (Some(account), Some(clients), Some(rules)) = (account, clients, rules) else {
        return Ok(Rooms::default());
    };
    let numbers = store::numbers::of_account(conn, client, facts.account).await?;
    let numbers: Vec<_> = numbers
        .into_iter()
        .filter(|number| rules.caller_ids.contains(&number.number))
        .map(|number| (number.number, number.breaker, parsed(number.limits)))
        .collect();
    let of_numbers = numbers.iter().filter_map(|(.., limits)| limits.as_ref()).flatten();
    let all: Vec<Limit> =
        account.iter().chain(&clients).chain(&rules.limits).chain(of_numbers).copied().collect();
    let (since, spent_since) = (look_back(&all, now), spent_since(&all, now));
    let accounts = store::admission::all_accounts(conn, client).await?;
    let usage = store::admission::usage(conn, client, &accounts, since, spent_since).await?;
    let used = |fits: &dyn Fn(&Used) -> bool| {
        Usage::together(usage.iter().filter(|used| fits(used)).map(|used| &used.usage))
    };
    let of_pool = rules.caller_ids.iter().map(|caller_id| {
        let known = numbers.iter().find(|(number, ..)| number == caller_id);
        known.map_or(Room::ENDLESS, |(number, breaker, limits)| {
            let used = used(&|used| used.account == facts.account && used.caller_id.as_ref() == Some(number));
            of_number(breaker, limits.as_deref(), &used, now)
        })
    });
    let seats = match rules.agent.playbook() {
        Some(_) => Some(store::seats::free(conn, client, now).await?.unwrap_or_default()),
        None => None,
    };
    Ok(Rooms {
        seats,
        numbers: Some(Room::of_any(of_pool)),
        account: Some(room(&account, &used(&|used| used.account == facts.account), now)),
        campaign: Some(room(&rules.limits, &used(&|used| used.campaign == facts.campaign), now)),
        client: Some(room(&clients, &used(&|_| true), now)),
    })
}
