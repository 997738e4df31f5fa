//! A lead with everything around it that `decide` must know, in memory.

use std::collections::HashMap;

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::attempt::{BarrierVersion, Revision};
use outdial_workflows::call::CarrierTimes;
use outdial_workflows::decide::decide;
use outdial_workflows::gate::{CampaignState, Consent, GateFacts};
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::ids::{AccountId, AttemptNumber, CampaignId, ClientId, LaneId, LeadId};
use outdial_workflows::input::{Context, Decision, Input, Run};
use outdial_workflows::judge::{AccountWorld, Bounds, Judge, LeadRecord, SuppressionRecord, Verdict, World};
use outdial_workflows::packs::ConsentLevel;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use outdial_workflows::workflow::{Priority, Workflow};
use uuid::Uuid;

pub(crate) const CLIENT: ClientId = ClientId(Uuid::from_u128(1));
pub(crate) const CAMPAIGN: CampaignId = CampaignId(Uuid::from_u128(2));
pub(crate) const ACCOUNT: AccountId = AccountId(Uuid::from_u128(3));
pub(crate) const LEAD: LeadId = LeadId(Uuid::from_u128(4));

/// Monday 12 January 2026, 12:00 in Kolkata.
pub(crate) fn monday_noon() -> Moment {
    "2026-01-12T06:30:00Z".parse().expect("a time")
}

pub(crate) fn rules(text: &str) -> Rules {
    serde_json::from_str(text).expect("a test's rules")
}

/// What the law asks for where the lead lives.
fn consent(given_at: Moment) -> Consent {
    Consent {
        level: ConsentLevel::Express,
        purpose: None,
        source: "form".into(),
        given_at,
        expires_at: None,
        revoked_at: None,
    }
}

pub(crate) fn number(n: u16) -> AttemptNumber {
    AttemptNumber::new(n).expect("attempts count from 1")
}

pub(crate) const TIMES: CarrierTimes = CarrierTimes {
    silence: TimeDelta::seconds(20),
    ask_first: TimeDelta::seconds(5),
    poll_first: TimeDelta::seconds(60),
    ask_cap: TimeDelta::seconds(60),
};

/// One lead, its campaign, its account and the clock.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) run: Run,
    pub(crate) events: Vec<Recorded>,
    pub(crate) now: Moment,
    pub(crate) chance: u64,
    pub(crate) rules: Rules,
    /// Its earlier revisions.
    pub(crate) past_rules: Vec<Rules>,
    pub(crate) gate: GateFacts,
    /// For carriers that tell copies of a request apart.
    pub(crate) resend_within: Option<TimeDelta>,
    pub(crate) barrier: BarrierVersion,
    /// `None` once the person was erased.
    pub(crate) phone: Option<PhoneNumber>,
    pub(crate) suppressions: Vec<SuppressionRecord>,
}

impl Life {
    /// A lead in Kolkata, accepted on Monday at noon, in a running campaign.
    pub(crate) fn new(rules: Rules) -> Self {
        let now = monday_noon();
        let mut workflow =
            Workflow::accepted(LEAD, CAMPAIGN, LaneId(Uuid::from_u128(5)), Priority::Normal, now);
        workflow.events = 1;
        Self {
            run: Run { workflow, attempts: Vec::new() },
            events: vec![Recorded { seq: 1, at: now, event: Event::Accepted }],
            now,
            chance: 0,
            rules,
            past_rules: Vec::new(),
            gate: GateFacts {
                campaign: CampaignState::Running,
                account_ready: true,
                account_emulated: false,
                zone: Some("Asia/Kolkata".into()),
                phone: Some(Self::phone()),
                consents: vec![consent(now - TimeDelta::days(30))],
                ..GateFacts::default()
            },
            resend_within: None,
            barrier: BarrierVersion(0),
            phone: Some(Self::phone()),
            suppressions: Vec::new(),
        }
    }

    pub(crate) fn phone() -> PhoneNumber {
        "+919876543210".parse().expect("a number")
    }

    /// Decides, and commits the decision.
    pub(crate) fn tell(&mut self, input: &Input) -> Decision {
        let ctx = Context {
            now: self.now,
            chance: self.chance,
            rules: Some(&self.rules),
            revision: self.revision(),
            times: TIMES,
            resend_within: self.resend_within,
            barrier: self.barrier,
            gate: Some(&self.gate),
            phone: self.phone.as_ref(),
        };
        let decision = decide(self.run.clone(), input, &ctx);
        self.run = decision.run.clone();
        for event in &decision.events {
            let seq = i64::try_from(self.events.len()).expect("a short life") + 1;
            self.events.push(Recorded { seq, at: self.now, event: event.clone() });
        }
        if decision.suppress.is_some() {
            self.suppress(None);
        }
        decision
    }

    /// Puts the number on the list, as the engine does: behind the barrier.
    pub(crate) fn suppress(&mut self, until: Option<Moment>) {
        self.barrier.0 += 1;
        self.gate.suppressed.push(until);
        self.suppressions.push(SuppressionRecord {
            client: CLIENT,
            phone: Self::phone(),
            campaign: None,
            created_at: self.now,
            expires_at: until,
            removed_at: None,
        });
    }

    /// The present revision of the rules.
    pub(crate) fn revision(&self) -> Revision {
        Revision(1 + i32::try_from(self.past_rules.len()).expect("few"))
    }

    /// The rules are edited, behind the barrier.
    pub(crate) fn revise(&mut self, rules: Rules) {
        self.barrier.0 += 1;
        self.past_rules.push(std::mem::replace(&mut self.rules, rules));
    }

    /// The campaign's state changes, behind the barrier.
    pub(crate) fn campaign(&mut self, state: CampaignState) {
        self.barrier.0 += 1;
        self.gate.campaign = state;
    }

    pub(crate) fn pass(&mut self, time: TimeDelta) {
        self.now += time;
    }

    pub(crate) fn world(&self) -> World {
        let account = AccountWorld { bounds: Bounds::default(), emulated: self.gate.account_emulated };
        let revisions = (1..).map(Revision).zip(self.past_rules.iter().chain([&self.rules]));
        World {
            rules: revisions.map(|(revision, rules)| ((CAMPAIGN, revision), rules.clone())).collect(),
            accounts: [(ACCOUNT, account)].into(),
            clients: HashMap::new(),
            numbers: HashMap::new(),
            campaigns: [(CAMPAIGN, self.gate.campaign)].into(),
            suppressions: self.suppressions.clone(),
            consents: None,
        }
    }

    pub(crate) fn record(&self) -> LeadRecord {
        LeadRecord {
            client: CLIENT,
            lead: LEAD,
            campaign: CAMPAIGN,
            phone: self.phone.clone(),
            zone: self.gate.zone.clone(),
            region: self.gate.region.clone(),
            workflow: self.run.workflow.clone(),
            quarantined: false,
            attempts: self.run.attempts.clone(),
            events: self.events.clone(),
        }
    }

    pub(crate) fn judged(&self) -> Verdict {
        let consents = Some([((CLIENT, Self::phone()), self.gate.consents.clone())].into());
        let mut judge = Judge::new(World { consents, ..self.world() }, self.now);
        judge.lead(&self.record());
        judge.finish()
    }
}
