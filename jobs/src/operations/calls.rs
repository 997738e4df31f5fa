//! Calls for clients that bring their own lists: one by one, and in batches.
//!
//! A call is a lead of a campaign, as any other: everything that holds for leads — hours, consent, limits,
//! retries, one call an attempt — holds for it. Calls that name no campaign go into a standing one, which
//! there is for each account, agent, numbers called from and further rules; a batch is a campaign of its own.

use std::collections::HashSet;
use std::num::NonZeroU32;

use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::CallStatus;
use outdial_workflows::calling::{Stands, call_status};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId};
use outdial_workflows::input::{Answer, Command, Input};
use outdial_workflows::limits::Limit;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::{CallResults, Turn};
use outdial_workflows::rules::changes::changes;
use outdial_workflows::rules::{Agent, Rules};
use outdial_workflows::workflow::State;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::campaigns::{self, CampaignSpec, Order};
use super::leads::{self, LeadSpec, Listed};
use super::{By, Direction, OperationError, hanging_up, setup};
use crate::engine::Engine;
use crate::providers::{HangUp, Question, Requests};
use crate::store;
use crate::store::ledger::Made;

/// The most calls of one batch that is sent at once.
pub const MOST_IN_BATCH: usize = 10_000;

/// Through what calls are made.
#[derive(Clone, Debug)]
pub struct Through {
    /// The account.
    pub account: AccountId,
    /// The rules: what answers, and which number calls come from.
    pub rules: Rules,
}

/// Where a call goes.
#[derive(Clone, Debug)]
pub enum Into {
    /// Into a campaign that somebody made.
    Campaign(CampaignId),
    /// Into the standing campaign of these.
    Standing(Box<Through>),
    /// As a call of this campaign would be, to somebody who wants to hear it: into a campaign of its own, so that nothing
    /// of it is counted as the campaign's.
    TestOf(CampaignId),
}

/// Accepts one call. With an external id that the campaign has already, it is the call of before.
///
/// # Errors
/// If the campaign or account does not exist, its rules cannot be kept, or it was ended.
pub async fn place(
    engine: &Engine,
    client: ClientId,
    into: Into,
    mut spec: LeadSpec,
    scheduled_at: Option<Moment>,
    by: By<'_>,
) -> Result<LeadId, OperationError> {
    let campaign = match into {
        Into::Campaign(campaign) => campaign,
        Into::Standing(through) => standing(engine, client, &through, by).await?,
        Into::TestOf(campaign) => tests_of(engine, client, campaign, by).await?,
    };
    if state(engine, client, campaign).await? == Some(CampaignState::Ended) {
        let text = format!("campaign {campaign} was ended, and makes no calls any more; name another");
        return Err(OperationError::NotPossible(text));
    }
    // Two calls to one person are two calls, unless the sender says by a name that they are one.
    let id = spec.external_id.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
    let accepted =
        leads::accept_due(engine, client, campaign, std::slice::from_ref(&spec), scheduled_at, by.actor)
            .await?;
    match accepted.leads.first() {
        Some(lead) => Ok(*lead),
        None => leads::with_external_id(engine, client, campaign, &id).await,
    }
}

/// The campaign that calls through these go into, made and started if there is none.
async fn standing(
    engine: &Engine,
    client: ClientId,
    through: &Through,
    by: By<'_>,
) -> Result<CampaignId, OperationError> {
    let account = setup::account(engine, through.account).await?;
    if account.client != client {
        let given = through.account.to_string();
        return Err(OperationError::NotFound { kind: "account", given });
    }
    let name = standing_name(&account.name, &through.rules);
    running(engine, client, (&name, through), by).await
}

/// The campaign of test calls of another, as its rules are now, made and started if there is none.
async fn tests_of(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    by: By<'_>,
) -> Result<CampaignId, OperationError> {
    let of = campaigns::one(engine, client, campaign).await?;
    let (_, rules) = campaigns::rules(engine, client, campaign).await?;
    let through = Through { account: of.account, rules: rules.for_tests() };
    let others = further(&through.rules).map(|digest| format!(", rules {digest}")).unwrap_or_default();
    let name = format!("Test calls of {}{others}", of.name);
    running(engine, client, (&name, &through), by).await
}

/// The campaign of this name, made and started if there is none.
async fn running(
    engine: &Engine,
    client: ClientId,
    (name, Through { account, rules }): (&str, &Through),
    by: By<'_>,
) -> Result<CampaignId, OperationError> {
    let spec = CampaignSpec { name, account: *account, rules, actor: by.actor };
    let campaign = match named(engine, client, name).await? {
        Some(found) => found,
        None => match campaigns::create(engine, client, spec).await {
            Ok(made) => made,
            // Somebody else made it meanwhile.
            Err(error) => named(engine, client, name).await?.ok_or(error)?,
        },
    };
    // One that a person paused stays so; calls are accepted and wait.
    start_draft(engine, client, campaign, by).await?;
    Ok(campaign)
}

async fn named(engine: &Engine, client: ClientId, name: &str) -> Result<Option<CampaignId>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::campaigns::named(&mut conn, client, name).await?)
}

async fn start_draft(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    By { actor, reason }: By<'_>,
) -> Result<(), OperationError> {
    if state(engine, client, campaign).await? == Some(CampaignState::Draft) {
        campaigns::order(engine, client, campaign, Order::Start, actor, reason).await?;
    }
    Ok(())
}

async fn state(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
) -> Result<Option<CampaignState>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    Ok(facts.map(|facts| facts.state))
}

/// Names what calls have in common that share a standing campaign.
fn standing_name(account: &str, rules: &Rules) -> String {
    let agent = match &rules.agent {
        Agent::Stream { playbook: None, .. } => "our own agent".to_owned(),
        Agent::Stream { playbook: Some(playbook), version: None } => format!("playbook {playbook}"),
        Agent::Stream { playbook: Some(playbook), version: Some(version) } => {
            format!("playbook {playbook} {version}")
        }
        Agent::Flow { flow_id } => format!("flow {flow_id}"),
        Agent::Ivr { flow, version: None, .. } => format!("our flow {flow}"),
        Agent::Ivr { flow, version: Some(version), .. } => format!("our flow {flow} {version}"),
        Agent::Hosted { agent_id, version: None } => agent_id.clone(),
        Agent::Hosted { agent_id, version: Some(version) } => format!("{agent_id} {version}"),
    };
    let from = match rules.caller_ids.as_slice() {
        [] => String::new(),
        [number] => format!(", from {number}"),
        [number, others @ ..] => format!(", from {number} and {} more", others.len()),
    };
    let others = further(rules).map(|digest| format!(", rules {digest}")).unwrap_or_default();
    format!("Calls through {account}, {agent}{from}{others}")
}

/// Tells apart calls that differ by more than a name can say. A rule that a later version adds changes nothing,
/// as long as it is left at its default.
fn further(rules: &Rules) -> Option<String> {
    let said = Rules {
        agent: rules.agent.clone(),
        caller_ids: rules.caller_ids.iter().take(1).cloned().collect(),
        pass_attributes: rules.pass_attributes,
        ..Rules::default()
    };
    let stored = |rules: &Rules| serde_json::to_value(rules).unwrap_or_default();
    let differ = changes(&stored(&said), &stored(rules));
    if differ.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for change in &differ {
        hash.update(format!("{} {}\n", change.rule, change.after));
    }
    Some(hex::encode(&hash.finalize()[..4]))
}

/// A batch of calls.
#[derive(Clone, Debug)]
pub struct BatchSpec {
    /// Its name, unique among the client's campaigns.
    pub name: String,
    /// Through what.
    pub through: Through,
    /// The most of its calls at once.
    pub max_concurrent: Option<NonZeroU32>,
    /// Nobody of it is called before.
    pub scheduled_at: Option<Moment>,
    /// The people.
    pub calls: Vec<LeadSpec>,
}

/// What came of a batch that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batched {
    /// Its campaign.
    pub campaign: CampaignId,
    /// Calls that it has.
    pub accepted: usize,
    /// People who were in it twice.
    pub duplicates: usize,
}

/// Makes a batch and starts it. Sent again under the same name while it was not begun, it is gone on with.
///
/// # Errors
/// If the name is taken, the account does not exist, or a rule cannot be kept.
pub async fn batch(
    engine: &Engine,
    client: ClientId,
    spec: BatchSpec,
    by: By<'_>,
) -> Result<Batched, OperationError> {
    let BatchSpec { name, through: Through { account, mut rules }, max_concurrent, scheduled_at, calls } =
        spec;
    rules.limits.extend(max_concurrent.map(|max| Limit::Concurrent { max: max.get() }));
    rules.starts_at = scheduled_at.or(rules.starts_at);
    let spec = CampaignSpec { name: &name, account, rules: &rules, actor: by.actor };
    let campaign = match campaigns::create(engine, client, spec).await {
        Ok(made) => made,
        Err(error) => unbegun(engine, client, (&name, account, &rules)).await?.ok_or(error)?,
    };
    for page in calls.chunks(leads::PAGE) {
        leads::accept_due(engine, client, campaign, page, scheduled_at, by.actor).await?;
    }
    start_draft(engine, client, campaign, by).await?;
    // Those that were taken before a crash are the batch's own, and no duplicates.
    let accepted = calls.iter().map(LeadSpec::dedupe_key).collect::<HashSet<_>>().len();
    Ok(Batched { campaign, accepted, duplicates: calls.len() - accepted })
}

/// The batch of this name, if a crash kept it from being begun. A draft that somebody else is at work on has
/// other rules, and is left alone.
async fn unbegun(
    engine: &Engine,
    client: ClientId,
    (name, account, rules): (&str, AccountId, &Rules),
) -> Result<Option<CampaignId>, OperationError> {
    let Some(campaign) = named(engine, client, name.trim()).await? else { return Ok(None) };
    let mut conn = engine.pool().acquire().await?;
    let facts = store::campaigns::facts(&mut conn, client, &[campaign.0]).await?.pop();
    drop(conn);
    let is_batch = facts.is_some_and(|facts| facts.state == CampaignState::Draft && facts.account == account);
    if !is_batch {
        return Ok(None);
    }
    let (_, its) = campaigns::rules(engine, client, campaign).await?;
    Ok((its == *rules).then_some(campaign))
}

/// A call as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its lead.
    pub lead: Listed,
    /// How far it has come.
    pub status: CallStatus,
    /// The latest attempt, if there was one.
    pub latest: Option<Made>,
}

/// The call with this id.
///
/// # Errors
/// If the client has none.
pub async fn get(
    engine: &Engine,
    client: ClientId,
    call: LeadId,
) -> Result<(Standing, Option<CallResults>), OperationError> {
    let lead = leads::get(engine, call).await?;
    if lead.client != client {
        return Err(OperationError::NotFound { kind: "call", given: call.to_string() });
    }
    let mut conn = engine.pool().acquire().await?;
    let standing = standing_of(&mut conn, vec![lead]).await?.pop();
    let standing =
        standing.ok_or_else(|| OperationError::NotFound { kind: "call", given: call.to_string() })?;
    let Some(made) = &standing.latest else { return Ok((standing, None)) };
    let attempt = made.key.0;
    let results = store::call_results::read(&mut conn, client, call, attempt.number).await?;
    // While an agent of ours talks, what was said so far.
    let results = match store::conversations::underway(&mut conn, attempt).await? {
        Some(underway) => {
            let results = results.unwrap_or_default();
            let analysis = underway.known.into_iter().chain(results.analysis).collect();
            Some(CallResults { transcript: underway.turns, analysis, ..results })
        }
        None => results,
    };
    Ok((standing, results))
}

async fn standing_of(
    conn: &mut sqlx::PgConnection,
    found: Vec<Listed>,
) -> Result<Vec<Standing>, OperationError> {
    let mut all = Vec::with_capacity(found.len());
    let mut latest = store::ledger::latest(conn, &found).await?;
    for lead in found {
        let latest = latest.remove(&lead.lead);
        let attempt = latest.as_ref().map(|made| made.status);
        let stands = Stands { state: lead.state, outcome: lead.outcome, attempt };
        all.push(Standing { status: call_status(stands), lead, latest });
    }
    Ok(all)
}

/// What one attempt's call yielded, as far as it is known.
///
/// # Errors
/// The database.
pub async fn results(engine: &Engine, key: DialKey) -> Result<Option<CallResults>, OperationError> {
    let AttemptRef { client, lead, number } = key.0;
    let mut conn = engine.pool().acquire().await?;
    Ok(store::call_results::read(&mut conn, client, lead, number).await?)
}

/// What was said so far in a call that an agent of ours holds, turn by turn as it is stored; nothing once that is
/// among the results, nor in calls that are held elsewhere.
///
/// # Errors
/// The database.
pub async fn said_so_far(engine: &Engine, key: DialKey) -> Result<Vec<Turn>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let underway = store::conversations::underway(&mut conn, key.0).await?;
    Ok(underway.map(|underway| underway.turns).unwrap_or_default())
}

/// Which calls are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fits {
    /// Only those that stand so.
    pub status: Option<CallStatus>,
    /// Only those of which this came.
    pub outcome: Option<Outcome>,
    /// Only those of this campaign or batch.
    pub campaign: Option<CampaignId>,
}

/// How many calls are read at once, and looked at for one page at most.
const STEP: usize = 500;
const LOOKED_AT: usize = 5_000;

/// A page of a client's calls beyond `after`, and where the next one begins, if there may be one.
///
/// # Errors
/// The database.
pub async fn page(
    engine: &Engine,
    client: ClientId,
    fits: Fits,
    direction: Direction,
    mut after: Option<LeadId>,
    limit: usize,
) -> Result<(Vec<Standing>, Option<LeadId>), OperationError> {
    let (mut found, mut looked_at) = (vec![], 0);
    let rows = i64::try_from(STEP).unwrap_or(i64::MAX);
    let mut conn = engine.pool().acquire().await?;
    loop {
        let read = store::leads::of_client(&mut conn, client, fits.campaign, direction, after, rows).await?;
        let last = read.len() < STEP;
        looked_at += read.len();
        let unfit = |lead: &Listed| fits.outcome.is_some() && lead.outcome != fits.outcome;
        for standing in standing_of(&mut conn, read).await? {
            if found.len() == limit {
                return Ok((found, after));
            }
            after = Some(standing.lead.lead);
            if !unfit(&standing.lead) && fits.status.is_none_or(|status| status == standing.status) {
                found.push(standing);
            }
        }
        if last || looked_at >= LOOKED_AT {
            return Ok((found, after.filter(|_| !last)));
        }
    }
}

/// What became of the wish to cancel a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// No call is under way, and none will be made.
    BeforeItWasMade,
    /// Its carrier ends it; no other follows.
    Ending,
    /// It goes on until it ends by itself; no other follows.
    GoesOn {
        /// Why it cannot be ended, for people to read.
        why: String,
    },
    /// It was over before.
    WasOver,
}

/// Cancels a call in whatever state it is: it is not made, or ended as far as its carrier can; no other
/// attempt follows.
///
/// # Errors
/// If the client has no such call, or the database cannot be asked.
pub async fn cancel(
    engine: &Engine,
    client: ClientId,
    call: LeadId,
    by: By<'_>,
) -> Result<Cancelled, OperationError> {
    let lead = leads::get(engine, call).await?;
    if lead.client != client {
        return Err(OperationError::NotFound { kind: "call", given: call.to_string() });
    }
    let order = |command, alone| Input::Command {
        command,
        actor: by.actor.to_owned(),
        reason: by.reason.map(str::to_owned),
        alone,
    };
    let reply = engine.input(client, call, order(Command::Cancel, true), None).await?;
    let attempt = latest_attempt(engine, client, call).await?;
    let attempt = match reply.answer {
        Answer::Deferred => attempt,
        // It may have come to its end meanwhile; else somebody is to look after it first.
        Answer::Declined(why) => match leads::get(engine, call).await?.state {
            State::Finished => None,
            _ => return Err(OperationError::NotPossible(why)),
        },
        // A call that was cancelled while it went on is over by now.
        _ if lead.state == State::Finished && attempt.as_ref().is_some_and(|made| was_sent(made.ledger)) => {
            None
        }
        _ => return Ok(Cancelled::BeforeItWasMade),
    };
    let Some(attempt) = attempt else { return Ok(Cancelled::WasOver) };
    let made = AttemptRef { client, lead: call, number: attempt.number };
    if !hanging_up::can_be_ended(engine, made, attempt.account).await? {
        let why = can_not(engine, client, call, &attempt).await?;
        return Ok(Cancelled::GoesOn { why });
    }
    let reply = engine.input(client, call, order(Command::HangUp, false), None).await?;
    Ok(match reply.answer {
        Answer::Done | Answer::Deferred => Cancelled::Ending,
        _ => Cancelled::WasOver,
    })
}

fn was_sent(ledger: Ledger) -> bool {
    match ledger {
        Ledger::Reserved | Ledger::Withdrawn | Ledger::Refused => false,
        Ledger::Submitted | Ledger::Bound | Ledger::Unknown | Ledger::Absent | Ledger::BoundLate => true,
    }
}

pub(super) async fn latest_attempt(
    engine: &Engine,
    client: ClientId,
    call: LeadId,
) -> Result<Option<outdial_workflows::attempt::Attempt>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    let loaded = store::attempts::of_leads(&mut conn, client, &[call.0]).await?;
    let last = loaded.into_iter().next_back().transpose().map_err(|(_, error)| error)?;
    Ok(last.map(|(_, attempt)| attempt))
}

/// The carrier's own reason.
async fn can_not(
    engine: &Engine,
    client: ClientId,
    call: LeadId,
    attempt: &outdial_workflows::attempt::Attempt,
) -> Result<String, OperationError> {
    let usual = || "its carrier has no way to end calls".to_owned();
    let Some(carrier) = engine.carrier(client, attempt.account).await? else { return Ok(usual()) };
    let Some(phone) = &attempt.phone else { return Ok(usual()) };
    let (requests, now, rules) = (Requests::default(), engine.now().await?, Rules::default());
    let key = DialKey(AttemptRef {
        client,
        lead: call,
        number: AttemptNumber::new(attempt.number.get()).unwrap_or(AttemptNumber::FIRST),
    });
    let question = Question { key, attempt, rules: &rules, phone, now, requests: &requests, others: &[] };
    Ok(match carrier.hang_up(&question).await {
        HangUp::Impossible { cause } => cause,
        HangUp::Asked | HangUp::Over | HangUp::Failed { .. } => usual(),
    })
}
