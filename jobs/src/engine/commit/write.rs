//! What a batch decided, written once, set by set.

use std::collections::HashSet;

use outdial_workflows::history::Recorded;
use outdial_workflows::ids::{AttemptNumber, JobId, LeadId, new_id};
use outdial_workflows::input::{Answer, JobOrder};
use outdial_workflows::workflow::Workflow;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Item;
use super::super::fold::{self, Case};
use super::super::wake::Signal;
use super::{Answers, Batch, is_news, record};
use crate::jobs::registry;
use crate::providers::Provider;
use crate::queue::Slot;
use crate::store::queue::{Claim, Claimed, Lease, NewJob};
use crate::store::{self, StoreError, attempts::Of, dial_requests::Request};

/// What a batch made possible.
pub(super) struct Written {
    pub(super) signal: Signal,
    pub(super) born: Vec<Born>,
}

/// A job that was claimed as it was queued, and its slot. Should the commit fail, the slot is free
/// again; should nobody know whether it did, the lease runs out.
pub(super) struct Born {
    pub(super) claimed: Claimed,
    pub(super) slot: Slot,
}

impl Batch<'_> {
    /// Writes new attempts first: their unique index says which numbers are busy.
    pub(super) async fn reserve(&self, conn: &mut PgConnection) -> Result<HashSet<LeadId>, StoreError> {
        let new = |case: &'_ Case| case.reserved().map(|attempt| attempt.number).next();
        let wanted: HashSet<LeadId> =
            self.cases.iter().filter(|(_, case)| new(case).is_some()).map(|(lead, _)| *lead).collect();
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let rows = self.cases.values().flat_map(|case| {
            let workflow = &case.run.workflow;
            case.reserved().map(|attempt| Of { lead: workflow.lead, campaign: workflow.campaign, attempt })
        });
        let written = store::attempts::reserve(conn, self.client, rows.collect()).await?;
        Ok(wanted.difference(&written).copied().collect())
    }

    pub(super) async fn write(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        answers: &Answers,
    ) -> Result<Written, StoreError> {
        let client = self.client;
        let changed: Vec<&Workflow> =
            self.cases.values().filter(|case| case.is_changed()).map(|case| &case.run.workflow).collect();
        if !changed.is_empty() {
            store::workflows::save(conn, client, &changed).await?;
        }
        let attempts = self.changed_attempts();
        if !attempts.is_empty() {
            store::attempts::save(conn, client, &attempts).await?;
        }
        let requests = self.requests();
        if !requests.is_empty() {
            store::dial_requests::keep(conn, client, requests, self.now).await?;
        }
        store::call_results::add(conn, client, &self.results(), self.now).await?;
        let events = self.events();
        if !events.is_empty() {
            store::events::append(conn, client, &events).await?;
        }
        record::write(conn, client, &self.orders, self.now).await?;
        self.write_suppressions(conn).await?;
        let born = self.write_jobs(conn, items, answers).await?;
        self.keep_news(conn, items).await?;
        let deltas = fold::deltas(self.cases.values(), self.now);
        if !deltas.is_empty() {
            store::statistics::add(conn, client, &deltas).await?;
        }
        let spending = fold::spending(self.cases.values());
        if !spending.is_empty() {
            store::spending::add(conn, client, &spending).await?;
        }
        store::call_statistics::add(conn, client, &fold::calls(self.cases.values())).await?;
        let queued = self.cases.values().map(|case| case.jobs.len()).sum::<usize>();
        // Nobody needs to look for those that are claimed.
        let signal = Signal { jobs: queued > born.len(), ..fold::signal(self.cases.values()) };
        if !signal.is_empty() {
            store::notify(conn, &signal.payload(client)).await?;
        }
        Ok(Written { signal, born })
    }

    fn changed_attempts(&self) -> Vec<Of<'_>> {
        let each = self.cases.values().flat_map(|case| {
            let workflow = &case.run.workflow;
            let (lead, campaign) = (workflow.lead, workflow.campaign);
            case.changed().map(move |attempt| Of { lead, campaign, attempt })
        });
        each.collect()
    }

    fn requests(&self) -> Vec<Request> {
        let each = self.cases.iter().flat_map(|(lead, case)| {
            case.bodies.iter().filter_map(|(number, body)| {
                Some(Request { lead: *lead, number: *number, body: serde_json::to_vec(body).ok()? })
            })
        });
        each.collect()
    }

    fn results(&self) -> Vec<(LeadId, AttemptNumber, Value)> {
        let each = self.cases.iter().flat_map(|(lead, case)| {
            let told = |(number, results): (&AttemptNumber, &Map<String, Value>)| {
                (*lead, *number, Value::Object(results.clone()))
            };
            case.results.iter().map(told)
        });
        each.collect()
    }

    fn events(&self) -> Vec<(LeadId, Recorded)> {
        let at = self.now;
        self.cases
            .iter()
            .flat_map(|(lead, case)| {
                let first = case.before.workflow.events + 1;
                (first..)
                    .zip(&case.events)
                    .map(|(seq, event)| (*lead, Recorded { seq, at, event: event.clone() }))
            })
            .collect()
    }

    async fn write_suppressions(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let leads: Vec<LeadId> =
            self.cases.iter().filter(|(_, case)| case.suppress).map(|(lead, _)| *lead).collect();
        if leads.is_empty() {
            return Ok(());
        }
        store::suppressions::from_results(conn, self.client, &leads, self.now).await
    }

    /// Removes what is done or has no use any more, and queues what the decisions order. Returns those
    /// that were claimed with it.
    async fn write_jobs(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        answers: &Answers,
    ) -> Result<Vec<Born>, StoreError> {
        let goes_on =
            |answer: &Answer| matches!(answer, Answer::Send(_) | Answer::Transfer(_) | Answer::LeaseLost);
        let done: Vec<Lease> = items
            .iter()
            .zip(answers)
            .filter(|(_, answer)| !answer.as_ref().is_ok_and(|(answer, _)| goes_on(answer)))
            .filter_map(|(item, _)| item.lease)
            .collect();
        if !done.is_empty() {
            store::queue::finish(conn, self.client, &done, self.now).await?;
        }
        let resolved =
            self.cases.iter().flat_map(|(lead, case)| case.resolved().map(|number| (lead.0, number)));
        let (leads, numbers): (Vec<Uuid>, Vec<i16>) =
            resolved.map(|(lead, number)| (lead, i16::try_from(number.get()).unwrap_or(0))).unzip();
        if !leads.is_empty() {
            store::queue::drop_steps(conn, self.client, &leads, &numbers, self.now).await?;
        }
        let mut slots = std::mem::take(&mut self.slots);
        let (new, mut born): (Vec<NewJob>, Vec<Option<Born>>) = self
            .cases
            .iter()
            .flat_map(|(lead, case)| case.jobs.iter().map(move |order| (*lead, case, *order)))
            .map(|(lead, case, order)| self.job(lead, case, order, &mut slots))
            .unzip();
        if new.is_empty() {
            return Ok(vec![]);
        }
        let queued = store::queue::insert(conn, self.client, &new, self.now).await?;
        born.retain(|born| born.as_ref().is_some_and(|born| queued.contains(&born.claimed.lease.job)));
        Ok(born.into_iter().flatten().collect())
    }

    /// A step, claimed as it is queued if this process has a free slot for it; those for dial jobs may have
    /// been taken before.
    fn job(
        &self,
        lead: LeadId,
        case: &Case,
        order: JobOrder,
        for_dials: &mut Vec<Slot>,
    ) -> (NewJob, Option<Born>) {
        let (kind, number) = registry::step(order);
        let id = JobId::new(self.now);
        let mut args = serde_json::json!({ "client": self.client, "lead": lead, "number": number });
        // A transfer outlives its call until it is known what came of it, and another may be ordered meanwhile.
        let step = match order {
            JobOrder::Dial(_) | JobOrder::AwaitStatus(_) | JobOrder::HangUp(_) => Some((lead, number)),
            JobOrder::Transfer(_, transfer) => {
                args["transfer"] = transfer.get().into();
                None
            }
        };
        let priority = case.run.workflow.priority as i16;
        let desk = self.engine.inner.desk.get();
        let taken = if matches!(order, JobOrder::Dial(_)) { for_dials.pop() } else { None };
        let slot = desk.and_then(|desk| Some((taken.or_else(|| desk.slot(kind))?, self.now + desk.lease())));
        let token = Uuid::new_v4();
        let claim = slot.as_ref().map(|(_, until)| Claim { node: self.engine.node(), token, until: *until });
        let born = slot.map(|(slot, _)| Born {
            claimed: Claimed {
                lease: Lease { client: self.client, job: id, token },
                kind: kind.to_owned(),
                args: args.clone(),
                lead: step.map(|(lead, _)| lead),
                tries: 1,
                rescued: false,
            },
            slot,
        });
        (NewJob { id, kind, step, args, priority, born_claimed: claim }, born)
    }

    /// News of leads in quarantine waits in the inbox until they are released.
    async fn keep_news(&self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let kept: Vec<store::inbox::Kept> = items
            .iter()
            .filter(|item| self.aside.contains(&item.lead) && is_news(&item.input))
            .filter_map(|item| {
                Some(store::inbox::Kept {
                    id: new_id(self.now),
                    lead: item.lead,
                    number: item.input.attempt().and_then(|number| i16::try_from(number.get()).ok()),
                    input: serde_json::to_value(&item.input).ok()?,
                })
            })
            .collect();
        if kept.is_empty() {
            return Ok(());
        }
        store::inbox::keep(conn, self.client, Provider::Exotel, &kept, self.now).await
    }
}
