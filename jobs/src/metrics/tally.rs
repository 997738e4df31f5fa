//! What a commit did, to be counted once it has committed.

use std::collections::HashMap;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::call::{CallResult, Source};
use outdial_workflows::history::Event;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::outcome::Outcome;

use super::{Metrics, refusal};
use crate::engine::Counted;

/// What a commit did. Counted is only what stands: it is put together before the commit, and told after it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: HashMap<(CampaignId, &'static str, What), u64>,
    ends: Vec<(&'static str, Source, TimeDelta)>,
    talk_ms: HashMap<CampaignId, u64>,
    cost_micros: HashMap<CampaignId, i64>,
    freed: usize,
}

/// The steps of attempts that are counted.
const STEPS: [&str; 9] =
    ["reserved", "withdrawn", "submitted", "bound", "refused", "unknown", "absent", "bound_late", "resent"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Dial(&'static str),
    Refused(&'static str),
    TurnedAway { verdict: &'static str, reason: &'static str },
    Ended(CallResult, Source),
    Outcome(Outcome),
    Retry,
}

impl Tally {
    /// Adds what became of a lead.
    pub(crate) fn add(&mut self, case: &Counted<'_>, now: Moment) {
        for event in case.events {
            self.add_event(case, event, now);
        }
        if case.collided {
            self.count(case, What::TurnedAway { verdict: "busy", reason: "number_busy" });
        }
        self.freed += usize::from(case.freed);
    }

    fn add_event(&mut self, case: &Counted<'_>, event: &Event, now: Moment) {
        let away = |verdict, reason| What::TurnedAway { verdict, reason };
        match event {
            Event::Reserved { .. }
            | Event::Submitted { .. }
            | Event::Bound { .. }
            | Event::Absent { .. }
            | Event::BoundLate { .. }
            | Event::Resent { .. } => self.count(case, What::Dial(event.name())),
            Event::BecameUnknown { .. } => self.count(case, What::Dial("unknown")),
            Event::Withdrawn { reason, .. } => {
                self.count(case, What::Dial("withdrawn"));
                self.count(case, away("withdrawn", reason.name()));
            }
            Event::Refused { kind, .. } => {
                self.count(case, What::Dial("refused"));
                self.count(case, What::Refused(refusal(kind)));
            }
            Event::Postponed { reason, .. } => self.count(case, away("postponed", reason.name())),
            Event::Held { reason } => self.count(case, away("held", reason.name())),
            Event::Ended { attempt, result, talk, source } => {
                self.count(case, What::Ended(*result, *source));
                if let Some(talk) = talk {
                    *self.talk_ms.entry(case.campaign).or_default() += u64::from(talk.ms);
                }
                let answered = case.answered_at.iter().find(|(number, _)| number == attempt);
                if let (Some((_, answered)), Some(talk)) = (answered, talk) {
                    self.ends.push((case.provider, *source, now - (*answered + talk.delta())));
                }
            }
            Event::OutcomeRecorded { outcome, .. } => self.count(case, What::Outcome(*outcome)),
            Event::RetryScheduled { .. } => self.count(case, What::Retry),
            Event::Priced { cost, .. } => {
                *self.cost_micros.entry(case.campaign).or_default() += cost.micros;
            }
            // A second call for one attempt is looked for in the ledger, which outlives this process.
            Event::SecondCall { .. }
            | Event::Accepted
            | Event::Asked { .. }
            | Event::Progressed { .. }
            | Event::Reported { .. }
            | Event::Results { .. }
            | Event::OutcomeAmended { .. }
            | Event::Finished { .. }
            | Event::Suppressed { .. }
            | Event::Commanded { .. }
            | Event::PersonEdited { .. }
            | Event::TransferAsked { .. }
            | Event::Transferred { .. }
            | Event::JobQuarantined { .. } => {}
        }
    }

    fn count(&mut self, case: &Counted<'_>, what: What) {
        *self.counts.entry((case.campaign, case.provider, what)).or_default() += 1;
    }
}

impl Metrics {
    /// Counts what a commit of this client did.
    pub(crate) fn count(&self, client: ClientId, tally: &Tally) {
        let counts = &self.counts;
        for (&(campaign, provider, what), count) in &tally.counts {
            let (client, campaign) = self.names.labels(client, campaign);
            let (client, campaign) = (client.as_str(), campaign.as_str());
            let counter = match what {
                What::Dial(step) => {
                    // All steps of a campaign are shown from its first attempt on: the first unknown one is
                    // to be seen as one more.
                    for step in STEPS {
                        counts.dials.with_label_values(&[client, campaign, provider, step]);
                    }
                    counts.dials.with_label_values(&[client, campaign, provider, step])
                }
                What::Refused(kind) => counts.refusals.with_label_values(&[provider, kind]),
                What::TurnedAway { verdict, reason } => {
                    counts.turned_away.with_label_values(&[client, campaign, verdict, reason])
                }
                What::Ended(result, source) => {
                    let result = result.name();
                    counts.ended.with_label_values(&[client, campaign, provider, result, source.name()])
                }
                What::Outcome(outcome) => {
                    counts.outcomes.with_label_values(&[client, campaign, outcome.name()])
                }
                What::Retry => counts.retries.with_label_values(&[client, campaign]),
            };
            counter.inc_by(*count);
        }
        for (provider, source, late) in &tally.ends {
            let late = late.to_std().unwrap_or_default().as_secs_f64();
            counts.lateness.with_label_values(&[*provider, source.name()]).observe(late);
        }
        for (campaign, ms) in &tally.talk_ms {
            let (client, campaign) = self.names.labels(client, *campaign);
            let talk = std::time::Duration::from_millis(*ms).as_secs_f64();
            counts.talk.with_label_values(&[&client, &campaign]).inc_by(talk);
        }
        for (campaign, micros) in &tally.cost_micros {
            let (client, campaign) = self.names.labels(client, *campaign);
            let cost = super::real(*micros) / 1e6;
            counts.cost.with_label_values(&[&client, &campaign]).inc_by(cost.max(0.0));
        }
        self.slots_freed(tally.freed);
    }

    /// Leads of a campaign were accepted.
    pub(crate) fn accepted(&self, client: ClientId, campaign: CampaignId, leads: &[LeadId]) {
        let (client, campaign) = self.names.labels(client, campaign);
        let count = u64::try_from(leads.len()).unwrap_or_default();
        self.counts.accepted.with_label_values(&[&client, &campaign]).inc_by(count);
    }

    /// News of a call was taken in.
    pub(crate) fn news(&self, provider: &str, source: Source, is_new: bool) {
        let result = if is_new { "new" } else { "nothing_new" };
        self.counts.news.with_label_values(&[provider, source.name(), result]).inc();
    }
}
