//! What only shows across leads: numbers in use twice, limits, carriers' own counts.
//!
//! One span an attempt, of about 100 bytes, so that a million attempts fit in memory.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::Hash;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::law::Caps;
use super::lead::dialled_after;
use super::reading::{Reading, Track, clock};
use super::verdict::{Finding, Rule};
use super::{Bounds, LeadRecord, World};
use crate::Moment;
use crate::attempt::{Ledger, Revision};
use crate::call::CallerId;
use crate::ids::{AccountId, AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId};
use crate::limits::Limit;
use crate::money::Cost;

/// Microseconds since 1970, as the database keeps time.
type Micros = i64;

/// An attempt, as far as other leads' attempts may collide with it.
pub(super) struct LeadSpan {
    number: AttemptNumber,
    account: AccountId,
    caller_id: Option<CallerId>,
    revision: Revision,
    /// The number's digits; E.164 has at most 15 of them.
    phone: Option<u64>,
    live_from: Micros,
    live_until: Micros,
    /// When it was committed to, the last time if that was repeated.
    submitted_at: Option<Micros>,
    /// Its request may have reached the carrier.
    seen: bool,
    /// It was concluded that it rang no phone.
    rang_nobody: bool,
    /// A later attempt of its lead was dialled.
    followed: bool,
    /// Whether caps count it.
    counts: bool,
    spending: Spending,
    /// The caps that it was to keep, if there were any.
    caps: Option<Box<Caps>>,
}

/// What an attempt took of a day's money.
#[derive(Clone, Copy, Debug)]
struct Spending {
    /// When it was known to cost nothing; [`Micros::MAX`] if that never was.
    over_at: Micros,
    /// When its cost became known, likewise, and what it was.
    priced_at: Micros,
    cost: Cost,
}

impl Spending {
    fn of(track: &Track) -> Self {
        let nothing =
            !matches!(track.ledger, Ledger::Reserved | Ledger::Submitted | Ledger::Unknown | Ledger::Bound);
        let over_at = track.released_at.filter(|_| nothing);
        let (priced_at, cost) = track.priced.unzip();
        Self {
            over_at: over_at.map_or(Micros::MAX, |at| at.timestamp_micros()),
            priced_at: priced_at.map_or(Micros::MAX, |at| at.timestamp_micros()),
            cost: cost.unwrap_or_default(),
        }
    }
}

impl LeadSpan {
    pub(super) fn of(record: &LeadRecord, reading: &Reading, track: &Track, caps: Option<Caps>) -> Self {
        let row = record.attempts.iter().find(|attempt| attempt.number == track.number);
        let phone = row.and_then(|attempt| attempt.phone.as_ref());
        let submission = row.and_then(|attempt| attempt.submission).map(|submission| submission.at);
        let submitted_at = track.submitted_at.max(submission.filter(|_| track.submitted_at.is_some()));
        Self {
            number: track.number,
            account: track.account,
            caller_id: row.and_then(|attempt| attempt.caller_id.clone()),
            revision: track.revision,
            phone: phone.and_then(|phone| phone.as_str().trim_start_matches('+').parse().ok()),
            live_from: track.reserved_at.timestamp_micros(),
            live_until: track.released_at.map_or(Micros::MAX, |at| at.timestamp_micros()),
            submitted_at: submitted_at.map(|at| at.timestamp_micros()),
            seen: !track.unseen,
            rang_nobody: matches!(track.ledger, Ledger::Absent | Ledger::Refused),
            followed: dialled_after(reading, track).is_some(),
            // A call that came to light late was not known to count when others were made.
            counts: track.counts && track.ledger != Ledger::BoundLate,
            spending: Spending::of(track),
            caps: caps.map(Box::new),
        }
    }
}

/// A span with its lead.
#[derive(Debug)]
struct Span {
    lead: LeadId,
    phone: u64,
    from: Micros,
    until: Micros,
    /// [`Micros::MIN`] if it was never submitted.
    submitted: Micros,
    client: u32,
    account: u32,
    /// Which of the account's numbers it dialled from.
    from_number: Option<u32>,
    campaign: u32,
    revision: Revision,
    number: AttemptNumber,
    seen: bool,
    rang_nobody: bool,
    followed: bool,
    counts: bool,
    spending: Spending,
    caps: Option<Box<Caps>>,
}

impl Span {
    fn accused(&self, rule: Rule, found: String) -> Finding {
        Finding { rule, lead: self.lead, attempt: Some(self.number), warning: false, found }
    }

    fn was_submitted(&self) -> bool {
        self.submitted != Micros::MIN
    }
}

/// Ids that come again and again, kept once.
#[derive(Debug)]
struct Names<T> {
    ids: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { ids: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Names<T> {
    fn place(&mut self, id: T) -> u32 {
        let next = u32::try_from(self.ids.len()).expect("fewer than four billion accounts");
        *self.places.entry(id).or_insert_with_key(|id| {
            self.ids.push(id.clone());
            next
        })
    }

    fn id(&self, place: u32) -> Option<&T> {
        self.ids.get(usize::try_from(place).ok()?)
    }
}

/// Every attempt that was heard.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    clients: Names<ClientId>,
    accounts: Names<AccountId>,
    from_numbers: Names<(AccountId, CallerId)>,
    campaigns: Names<CampaignId>,
}

impl Spans {
    pub(super) fn add(&mut self, record: &LeadRecord, span: LeadSpan) {
        self.spans.push(Span {
            lead: record.lead,
            phone: span.phone.unwrap_or_default(),
            from: span.live_from,
            until: span.live_until,
            submitted: span.submitted_at.unwrap_or(Micros::MIN),
            client: self.clients.place(record.client),
            account: self.accounts.place(span.account),
            from_number: span.caller_id.map(|number| self.from_numbers.place((span.account, number))),
            campaign: self.campaigns.place(record.campaign),
            revision: span.revision,
            number: span.number,
            seen: span.seen,
            rang_nobody: span.rang_nobody,
            followed: span.followed,
            counts: span.counts,
            spending: span.spending,
            caps: span.caps,
        });
    }

    pub(super) fn judge(
        &mut self,
        world: &World,
        dials: &HashMap<DialKey, u32>,
        unheard: &HashSet<LeadId>,
    ) -> Vec<Finding> {
        let mut findings = self.carriers_count(dials, unheard);
        findings.extend(numbers_in_use(&self.spans));
        findings.extend(tried_too_often(&mut self.spans));
        self.spans.sort_unstable_by_key(|span| (span.client, span.from));
        for of_client in self.spans.chunk_by(|a, b| a.client == b.client) {
            let bounds = self.clients.id(of_client[0].client).and_then(|id| world.clients.get(id));
            findings.extend(bounds.iter().flat_map(|bounds| bounded(of_client, bounds, "client")));
        }
        self.spans.sort_unstable_by_key(|span| (span.account, span.from));
        for of_account in self.spans.chunk_by(|a, b| a.account == b.account) {
            let account = self.accounts.id(of_account[0].account).and_then(|id| world.accounts.get(id));
            findings.extend(account.iter().flat_map(|of| bounded(of_account, &of.bounds, "account")));
        }
        self.spans.sort_unstable_by_key(|span| (span.from_number, span.from));
        for of_number in self.spans.chunk_by(|a, b| a.from_number == b.from_number) {
            let number = of_number[0].from_number.and_then(|number| self.from_numbers.id(number));
            let bounds = number.and_then(|number| world.numbers.get(number));
            findings.extend(bounds.iter().flat_map(|bounds| bounded(of_number, bounds, "number")));
        }
        self.spans.sort_unstable_by_key(|span| (span.campaign, span.from));
        for of_campaign in self.spans.chunk_by(|a, b| a.campaign == b.campaign) {
            let Some(campaign) = self.campaigns.id(of_campaign[0].campaign) else { continue };
            let revisions: HashSet<Revision> = of_campaign.iter().map(|span| span.revision).collect();
            for revision in revisions {
                let limits = world.rules.get(&(*campaign, revision)).map(|rules| &rules.limits);
                for limit in limits.into_iter().flatten() {
                    findings.extend(within(of_campaign, limit, "campaign", |span| span.revision == revision));
                }
            }
        }
        findings
    }

    /// What carriers say that they did.
    fn carriers_count(&self, dials: &HashMap<DialKey, u32>, unheard: &HashSet<LeadId>) -> Vec<Finding> {
        let mut unknown: HashSet<&DialKey> = dials.keys().collect();
        let mut findings = Vec::new();
        for span in &self.spans {
            let Some(client) = self.clients.id(span.client) else { continue };
            let key = DialKey(AttemptRef { client: *client, lead: span.lead, number: span.number });
            let Some(count) = dials.get(&key).filter(|count| **count > 0) else { continue };
            if span.was_submitted() {
                unknown.remove(&key);
            }
            if *count > 1 {
                findings
                    .push(span.accused(Rule::ProviderDials, format!("the carrier dialled {count} times")));
            }
            if span.rang_nobody && span.was_submitted() {
                let found = "it was concluded that it rang no phone, and the carrier did dial".to_owned();
                findings.push(Finding { warning: !span.followed, ..span.accused(Rule::LateCall, found) });
            }
        }
        findings.extend(unknown.into_iter().filter_map(|DialKey(key)| {
            let (rule, found) = match (unheard.contains(&key.lead), dials.get(&DialKey(*key)).copied()) {
                (_, None | Some(0)) | (true, Some(1)) => return None,
                (true, Some(count)) => (Rule::ProviderDials, format!("the carrier dialled {count} times")),
                (false, Some(_)) => {
                    let found = "the carrier dialled although it was never submitted".to_owned();
                    (Rule::DialWithoutSubmission, found)
                }
            };
            Some(Finding { rule, lead: key.lead, attempt: Some(key.number), warning: false, found })
        }));
        findings
    }
}

/// One number, one live attempt that may ring it: from its submission on. A reservation rings nobody,
/// and one that waited for the index to say that the number is free bears the time before the wait.
fn numbers_in_use(spans: &[Span]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rings = |span: &&Span| span.phone != 0 && span.was_submitted() && span.submitted < span.until;
    let mut known: Vec<&Span> = spans.iter().filter(rings).collect();
    known.sort_unstable_by_key(|span| (span.client, span.phone, span.submitted));
    let mut holder: Option<&Span> = None;
    for span in known {
        match holder.filter(|other| (other.client, other.phone) == (span.client, span.phone)) {
            Some(other) if span.submitted < other.until => {
                let (lead, number, from) = (other.lead, other.number, moment(span.submitted));
                let found = format!(
                    "it was submitted at {from} while attempt {number} of lead {lead} held its number"
                );
                findings.push(span.accused(Rule::OneLiveNumber, found));
                if other.until < span.until {
                    holder = Some(span);
                }
            }
            Some(_) | None => holder = Some(span),
        }
    }
    findings
}

/// Attempts on a number before each that has caps to keep.
fn tried_too_often(spans: &mut [Span]) -> Vec<Finding> {
    let mut findings = Vec::new();
    spans.sort_unstable_by_key(|span| (span.client, span.phone, span.submitted));
    for of_number in spans.chunk_by(|a, b| (a.client, a.phone) == (b.client, b.phone)) {
        for (place, span) in of_number.iter().enumerate().filter(|(_, span)| span.was_submitted()) {
            let (Some(caps), true) = (&span.caps, span.phone != 0) else { continue };
            let before = of_number[..place].iter().filter(|other| other.was_submitted() && other.counts);
            let before: Vec<Micros> =
                before.map(|other| other.submitted).filter(|at| *at < span.submitted).collect();
            let found = caps.broken(&before, span.submitted);
            findings.extend(found.into_iter().map(|found| span.accused(Rule::Caps, found)));
        }
    }
    findings
}

/// As [`within`], for all of these bounds.
fn bounded(spans: &[Span], bounds: &Bounds, whose: &str) -> Vec<Finding> {
    let since = bounds.since.map_or(Micros::MIN, |since| since.timestamp_micros());
    let each = bounds.limits.iter().map(|limit| within(spans, limit, whose, |span| span.from > since));
    each.flatten().collect()
}

/// Whether `spans`, sorted by their beginning, keep within a limit that binds those
/// that `binds` picks.
fn within(spans: &[Span], limit: &Limit, whose: &str, binds: impl Fn(&Span) -> bool) -> Vec<Finding> {
    match *limit {
        Limit::Concurrent { max } => at_once(spans, max, whose, binds),
        Limit::Rate { max, per_ms } => in_any_window(spans, max, per_ms, whose, binds),
        Limit::Delay { ms } => in_any_window(spans, 1, ms, whose, binds),
        Limit::Spend { per_day, per_call, zone } => {
            beyond_the_days_money(spans, (per_day.into(), per_call.into(), zone), whose, binds)
        }
    }
}

/// A cost that became known may not have been seen by a reservation that was made while it was being
/// recorded: the longest that a commit may take.
const RECORDED_WITHIN: Micros = 60_000_000;

/// What came of a day's money at a time: in this order, where times are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Freed,
    Reserved,
    Cost,
}

/// Every reservation takes of its day what a call is taken to cost, until it is known to cost something else.
fn beyond_the_days_money(
    spans: &[Span],
    (per_day, per_call, zone): (Cost, Cost, Tz),
    whose: &str,
    binds: impl Fn(&Span) -> bool,
) -> Vec<Finding> {
    let mut steps: Vec<(Micros, Step, i64, &Span)> = Vec::with_capacity(spans.len());
    for span in spans {
        let Spending { over_at, priced_at, cost } = span.spending;
        steps.push((span.from, Step::Reserved, per_call.micros, span));
        let more = cost.micros - per_call.micros;
        match (over_at, priced_at) {
            (Micros::MAX, Micros::MAX) => {}
            (Micros::MAX, at) if more > 0 => {
                steps.push((at.saturating_add(RECORDED_WITHIN), Step::Cost, more, span));
            }
            (Micros::MAX, at) => steps.push((at, Step::Freed, more, span)),
            (at, _) => steps.push((at, Step::Freed, -per_call.micros, span)),
        }
    }
    steps.sort_by_key(|(at, step, ..)| (*at, *step));
    let day_of =
        |span: &Span| Moment::from_timestamp_micros(span.from).map(|at| at.with_timezone(&zone).date_naive());
    let mut days: HashMap<Option<NaiveDate>, i64> = HashMap::new();
    let mut findings = Vec::new();
    for (at, step, micros, span) in steps {
        let spent = days.entry(day_of(span)).or_default();
        *spent += micros;
        if step == Step::Reserved && *spent > per_day.micros && binds(span) {
            let (spent, at) = (Cost { micros: *spent }, moment(at));
            let found =
                format!("with it, at {at}, its {whose} would spend {spent} in the day, and {per_day} may be");
            findings.push(span.accused(Rule::Spending, found));
        }
    }
    findings
}

/// A slot that is let go in the same moment in which it is taken again was free.
fn at_once(spans: &[Span], max: u32, whose: &str, binds: impl Fn(&Span) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ends: BinaryHeap<Reverse<Micros>> = BinaryHeap::new();
    for span in spans.iter().filter(|span| span.from < span.until) {
        while ends.peek().is_some_and(|Reverse(end)| *end <= span.from) {
            ends.pop();
        }
        ends.push(Reverse(span.until));
        let live = ends.len();
        if binds(span) && live > usize::try_from(max).unwrap_or(usize::MAX) {
            let at = moment(span.from);
            let found =
                format!("with it, {live} attempts of its {whose} were live at {at}, and {max} may be");
            findings.push(span.accused(Rule::Concurrent, found));
        }
    }
    findings
}

/// The carrier saw each request between its submission and its answer. We count from the
/// reservation until a window after the answer, which is stricter, so that windows of
/// submissions alone never hold more than `max`.
fn in_any_window(
    spans: &[Span],
    max: u32,
    per_ms: u32,
    whose: &str,
    binds: impl Fn(&Span) -> bool,
) -> Vec<Finding> {
    let Ok(max) = usize::try_from(max) else { return Vec::new() };
    let mut sent: Vec<&Span> = spans.iter().filter(|span| span.was_submitted() && span.seen).collect();
    sent.sort_unstable_by_key(|span| span.submitted);
    // Limits of a revision bind from the first reservation under it on: those of an older
    // revision say nothing about a window that holds a newer one.
    let newest_bound = sent.iter().filter(|span| binds(span)).map(|span| span.revision).max();
    let window = Micros::from(per_ms) * 1_000;
    let too_full = sent.windows(max.saturating_add(1)).filter(|requests| {
        let (first, last) = (requests[0], requests[max]);
        let bound = requests.iter().any(|span| binds(span));
        let newer = whose == "campaign" && requests.iter().any(|span| Some(span.revision) > newest_bound);
        last.submitted - first.submitted < window && bound && !newer
    });
    let found = too_full.map(|requests| {
        let (first, last) = (requests[0], requests[max]);
        let (count, from, to) = (max + 1, moment(first.submitted), moment(last.submitted));
        let found = format!(
            "with it, {count} requests of its {whose} were submitted from {from} to {to}, and {max} may be in {per_ms} ms"
        );
        last.accused(Rule::Rate, found)
    });
    found.collect()
}

fn moment(at: Micros) -> String {
    Moment::from_timestamp_micros(at).map_or_else(|| format!("{at} µs"), |at| clock(at).to_string())
}
