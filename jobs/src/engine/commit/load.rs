//! What a batch needs to know before it decides: set by set, under the locks.

use std::collections::{BTreeMap, HashMap, HashSet};

use outdial_workflows::Moment;
use outdial_workflows::gate::{GateFacts, Needs, may_need_tried};
use outdial_workflows::ids::{AttemptNumber, ClientId, LeadId};
use outdial_workflows::input::{Input, Run};
use outdial_workflows::rules::Rules;
use outdial_workflows::workflow::Workflow;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::fold::{Case, Reading, Setting};
use super::super::numbers::{Numbers, before_numbers};
use super::super::{AccountError, Engine, Item};
use super::{Batch, may_dial, rings};
use crate::store::leads::Contact;
use crate::store::queue::Lease;
use crate::store::suppressions::Suppression;
use crate::store::workflows::Locked;
use crate::store::{self, StoreError};

impl<'a> Batch<'a> {
    pub(super) async fn load(
        engine: &'a Engine,
        conn: &mut PgConnection,
        client: ClientId,
        items: &[Item],
        locked: Vec<Locked>,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let mut aside = HashSet::new();
        let mut workflows = Vec::with_capacity(locked.len());
        for row in locked {
            match row {
                Locked::Ready(workflow) => workflows.push(workflow),
                Locked::Quarantined(lead) => drop(aside.insert(lead)),
                // Halving finds the input that touches it.
                Locked::Unreadable(_, error) => return Err(error),
            }
        }
        let mut batch = Self {
            engine,
            client,
            now,
            cases: BTreeMap::new(),
            news: vec![],
            orders: vec![],
            aside,
            settings: HashMap::new(),
            readings: HashMap::new(),
            leases: HashSet::new(),
            suppressed: HashSet::new(),
            submits: false,
            slots: vec![],
            rests: vec![],
            answered: vec![],
        };
        batch.load_runs(conn, items, workflows).await?;
        batch.load_settings(conn).await?;
        batch.load_readings(conn, items).await?;
        batch.load_briefings(conn, items).await?;
        batch.load_leases(conn, items).await?;
        batch.load_suppressed(conn, items).await?;
        Ok(batch)
    }

    /// Each workflow with its latest attempt, the latest with an outcome, and those that inputs name.
    async fn load_runs(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        workflows: Vec<Workflow>,
    ) -> Result<(), StoreError> {
        let latest = workflows.iter().flat_map(|row| {
            let numbers = [row.attempts, row.recorded].into_iter().filter_map(AttemptNumber::new);
            numbers.map(|number| (row.lead, number))
        });
        let named = items.iter().filter_map(|item| Some((item.lead, item.input.attempt()?)));
        let wanted: HashSet<(LeadId, AttemptNumber)> = latest.chain(named).collect();
        let (leads, numbers): (Vec<Uuid>, Vec<i16>) =
            wanted.iter().map(|(lead, number)| (lead.0, i16::try_from(number.get()).unwrap_or(0))).unzip();
        let mut attempts: HashMap<LeadId, Vec<_>> = HashMap::new();
        if !leads.is_empty() {
            for loaded in store::attempts::load(conn, self.client, &leads, &numbers).await? {
                let (lead, attempt) = loaded.map_err(|(_, error)| error)?;
                attempts.entry(lead).or_default().push(attempt);
            }
        }
        for workflow in workflows {
            let attempts = attempts.remove(&workflow.lead).unwrap_or_default();
            self.cases.insert(workflow.lead, Case::new(Run { workflow, attempts }));
        }
        Ok(())
    }

    async fn load_settings(&mut self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let campaigns: HashSet<Uuid> = self.cases.values().map(|case| case.run.workflow.campaign.0).collect();
        if campaigns.is_empty() {
            return Ok(());
        }
        let campaigns: Vec<Uuid> = campaigns.into_iter().collect();
        for facts in store::campaigns::facts(conn, self.client, &campaigns).await? {
            let inner = &self.engine.inner;
            let rules = inner.rules.get(conn, self.client, facts.campaign, facts.revision).await?;
            let carrier = inner.carriers.get(conn, self.client, facts.account, facts.account_version).await;
            let carrier = match carrier {
                Ok(carrier) => Some(carrier),
                Err(AccountError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(account.id = %facts.account, error = &error as &dyn std::error::Error,
                        "ALERT: a carrier account cannot be opened; nothing is dialled from it");
                    None
                }
            };
            self.settings
                .insert(facts.campaign, Setting { facts, rules, carrier, playbook: None, flow: None });
        }
        Ok(())
    }

    /// What the gate and a new attempt need, for those leads whose inputs ask the gate.
    async fn load_readings(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let wanted: HashSet<LeadId> =
            items.iter().filter(|item| self.may_ask_gate(item)).map(|item| item.lead).collect();
        let ids: Vec<Uuid> =
            wanted.iter().filter(|lead| self.cases.contains_key(lead)).map(|lead| lead.0).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut before = HashMap::new();
        for contact in store::leads::contacts(conn, self.client, &ids).await? {
            before.extend(self.before_numbers(&contact).map(|facts| (contact.lead, facts)));
            self.readings.insert(contact.lead, Reading { phone: contact.phone, ..Reading::default() });
        }
        let mut asked = vec![];
        for item in items {
            let Some(needs) = before.get(&item.lead).map(|(_, needs)| *needs) else { continue };
            let Some(reading) = self.readings.get(&item.lead) else { continue };
            if reading.gate.is_some() || !self.asks_gate(item, needs) {
                continue;
            }
            asked.extend(reading.phone.clone().map(|phone| (phone, needs)));
            let gate = before.remove(&item.lead).map(|(facts, _)| facts);
            self.readings.entry(item.lead).and_modify(|reading| reading.gate = gate);
        }
        let numbers = Numbers::read(conn, self.client, &asked, self.now).await?;
        for (lead, reading) in &mut self.readings {
            if let (Some(case), Some(facts)) = (self.cases.get(lead), &mut reading.gate) {
                numbers.add_to(facts, case.run.workflow.campaign);
            }
        }
        Ok(())
    }

    /// What agents are told of people, for the leads that may be dialled by this batch.
    async fn load_briefings(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let told = |item: &&Item| {
            let dials = matches!(item.input, Input::Admit { .. } | Input::Submit { .. });
            let setting =
                self.cases.get(&item.lead).and_then(|case| self.settings.get(&case.run.workflow.campaign));
            let rules = setting.and_then(|setting| setting.rules.as_deref());
            dials && rules.is_some_and(Rules::tells_of_people)
        };
        let leads: Vec<Uuid> = items.iter().filter(told).map(|item| item.lead.0).collect();
        if leads.is_empty() {
            return Ok(());
        }
        for (lead, briefing) in store::leads::briefings(conn, self.client, &leads).await? {
            self.readings.entry(lead).or_default().briefing = Some(briefing);
        }
        self.load_playbooks(conn, &leads).await
    }

    /// What our own agent, or a flow of ours, would say to these leads.
    async fn load_playbooks(&mut self, conn: &mut PgConnection, leads: &[Uuid]) -> Result<(), StoreError> {
        let campaigns = leads.iter().filter_map(|lead| self.cases.get(&LeadId(*lead)));
        let campaigns: HashSet<_> = campaigns.map(|case| case.run.workflow.campaign).collect();
        for campaign in campaigns {
            let Some(setting) = self.settings.get_mut(&campaign) else { continue };
            let Some(agent) = setting.rules.as_deref().map(|rules| &rules.agent) else { continue };
            let inner = &self.engine.inner;
            if let Some((name, version)) = agent.playbook() {
                let found = inner.playbooks.get(conn, self.client, name, version).await?;
                setting.playbook = Some(found.map(|(playbook, _)| playbook));
            }
            if let Some((name, version)) = agent.flow() {
                let found = inner.flows.get(conn, self.client, name, version).await?;
                setting.flow = Some(found.map(|(flow, _)| flow));
            }
        }
        Ok(())
    }

    /// What the gate is told of a lead before anything is read of its number, and what must be.
    fn before_numbers(&self, contact: &Contact) -> Option<(GateFacts, Needs)> {
        let case = self.cases.get(&contact.lead)?;
        let setting = self.settings.get(&case.run.workflow.campaign)?;
        let ready = setting.carrier.is_some() && setting.facts.account_ready(self.now);
        Some(before_numbers(&setting.facts, ready, contact, setting.rules.as_deref()))
    }

    /// Whether [`Self::asks_gate`] may say yes, as far as can be told without reading the lead.
    fn may_ask_gate(&self, item: &Item) -> bool {
        let case = self.cases.get(&item.lead);
        let setting = case.and_then(|case| self.settings.get(&case.run.workflow.campaign));
        let rules = setting.and_then(|setting| setting.rules.as_deref());
        self.asks_gate(item, Needs { tried: may_need_tried(rules), ..Needs::default() })
    }

    /// The gate is asked for admissions, for retries by a person, and for submissions whose
    /// facts may have changed since they were read: after a change that may forbid calls, or
    /// because other attempts on the number may have ended.
    fn asks_gate(&self, item: &Item, needs: Needs) -> bool {
        let Input::Submit { attempt, .. } = item.input else { return may_dial(&item.input) };
        let Some(case) = self.cases.get(&item.lead) else { return false };
        let reserved_under = case.run.attempt(attempt).map(|attempt| attempt.barrier);
        let now = self.settings.get(&case.run.workflow.campaign).map(|setting| setting.facts.barrier);
        needs.tried || reserved_under != now
    }

    async fn load_leases(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let needed = |item: &&Item| rings(&item.input);
        let leases: Vec<Lease> = items.iter().filter(needed).filter_map(|item| item.lease).collect();
        if !leases.is_empty() {
            self.leases =
                store::queue::held(conn, self.client, &leases, self.now).await?.into_iter().collect();
        }
        Ok(())
    }

    /// Which of the transfers that are about to be asked for would ring somebody who is not to be called.
    async fn load_suppressed(&mut self, conn: &mut PgConnection, items: &[Item]) -> Result<(), StoreError> {
        let begun = items.iter().filter_map(|item| {
            let Input::BeginTransfer { attempt, .. } = item.input else { return None };
            let case = self.cases.get(&item.lead)?;
            let number = case.run.attempt(attempt)?.transfer.as_ref()?.to.number()?;
            Some((item.lead, attempt, case.run.workflow.campaign, number))
        });
        let begun: Vec<_> = begun.collect();
        if begun.is_empty() {
            return Ok(());
        }
        let phones: Vec<String> = begun.iter().map(|(.., number)| number.as_str().to_owned()).collect();
        let listed = store::suppressions::of_phones(conn, self.client, &phones).await?;
        for (lead, attempt, campaign, number) in begun {
            let of_it = |row: &&Suppression| row.phone == number.as_str();
            if listed.iter().filter(of_it).any(|row| row.forbids(campaign, self.now)) {
                self.suppressed.insert((lead, attempt));
            }
        }
        Ok(())
    }
}
