//! What would become of each lead if its campaign dialled now: counted, per reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::gate::{CampaignState, GateFacts, MayCall, may_dial};
use crate::ids::LeadId;
use crate::rules::Rules;
use crate::why::Why;
use crate::workflow::{State, Workflow};

/// Where a lead would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prospect {
    /// It would be called as soon as limits leave room.
    Now,
    /// It would be called later, by itself.
    Later,
    /// Somebody has to mend something first.
    Held,
    /// It would be finished without another call.
    Never,
    /// It is being called, or its result is awaited.
    UnderWay,
    /// It is over.
    Finished,
}

/// Facts about a lead as they would be if its campaign and account were dialling.
pub fn as_if_running(facts: GateFacts) -> GateFacts {
    let campaign = match facts.campaign {
        CampaignState::Draft | CampaignState::Paused | CampaignState::Running => CampaignState::Running,
        CampaignState::Ended => CampaignState::Ended,
    };
    GateFacts { campaign, account_ready: true, ..facts }
}

/// What the gate would say of a waiting lead once it is due, not before `now`: with the moment that it
/// was asked for. `facts` are those of [`as_if_running`].
pub fn once_due(
    workflow: &Workflow,
    facts: &GateFacts,
    rules: Option<&Rules>,
    now: Moment,
) -> (Moment, MayCall) {
    let due = workflow.wake_at.map_or(now, |at| at.max(now));
    (due, may_dial(facts, rules, workflow.tried(), due))
}

/// Where a lead would stand, why, and from when on it would be called. `facts` are those of
/// [`as_if_running`], and needed only while it waits.
pub fn prospect(
    workflow: &Workflow,
    facts: &GateFacts,
    rules: Option<&Rules>,
    now: Moment,
) -> (Prospect, Option<Why>, Option<Moment>) {
    let stored = || Some(workflow.why.clone());
    match workflow.state {
        State::Waiting => match once_due(workflow, facts, rules, now) {
            (due, MayCall::Now { .. }) if due <= now => (Prospect::Now, None, Some(now)),
            (due, MayCall::Now { .. }) => (Prospect::Later, stored(), Some(due)),
            (_, MayCall::NotBefore(at, why)) => (Prospect::Later, Some(why), Some(at)),
            (_, MayCall::Held(why)) => (Prospect::Held, Some(why), None),
            (_, MayCall::Never(why)) => (Prospect::Never, Some(why), None),
        },
        State::Held => (Prospect::Held, stored(), None),
        State::Dialling | State::Calling | State::Settling => (Prospect::UnderWay, None, None),
        State::Finished => (Prospect::Finished, None, None),
    }
}

/// So many leads are named for each reason.
const EXAMPLES: usize = 2;

/// Leads that share a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where they would stand.
    pub prospect: Prospect,
    /// The reason's name in data; empty where there is none.
    pub why: String,
    /// The reason of the one that is called first, or was seen first, in a sentence.
    pub reason: String,
    /// How many.
    pub leads: u64,
    /// When the first of them would be called.
    pub from: Option<Moment>,
    /// Some of them.
    pub examples: Vec<LeadId>,
}

/// All leads of a campaign, by what would become of them.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    groups: BTreeMap<(Prospect, String), Group>,
}

impl Preview {
    /// Counts a lead.
    pub fn add(&mut self, lead: LeadId, (prospect, why, from): (Prospect, Option<Why>, Option<Moment>)) {
        let name = why.as_ref().map(Why::name).unwrap_or_default().to_owned();
        self.count(lead, prospect, name, why.map(|why| why.to_string()).unwrap_or_default(), from);
    }

    /// Counts a lead that would be held for what this version cannot know of it.
    pub fn add_held(&mut self, lead: LeadId, why: &str, reason: String) {
        self.count(lead, Prospect::Held, why.to_owned(), reason, None);
    }

    fn count(&mut self, lead: LeadId, prospect: Prospect, why: String, reason: String, from: Option<Moment>) {
        let group = self.groups.entry((prospect, why.clone())).or_insert_with(|| Group {
            prospect,
            why,
            reason: reason.clone(),
            leads: 0,
            from,
            examples: Vec::new(),
        });
        if from.zip(group.from).is_some_and(|(from, first)| from < first) {
            (group.reason, group.from) = (reason, from);
        }
        group.leads += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(lead);
        }
    }

    /// How many leads were counted under this heading.
    pub fn of(&self, prospect: Prospect) -> u64 {
        self.groups.values().filter(|group| group.prospect == prospect).map(|group| group.leads).sum()
    }

    /// The groups, those called first on top, the larger before the smaller.
    pub fn groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by_key(|group| (group.prospect, std::cmp::Reverse(group.leads)));
        groups
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{CampaignId, LaneId};
    use crate::workflow::Priority;

    /// Monday 12 January 2026, 12:00 in Kolkata.
    fn noon() -> Moment {
        "2026-01-12T06:30:00Z".parse().expect("a time")
    }

    fn lead(n: u128) -> LeadId {
        LeadId(Uuid::from_u128(n))
    }

    fn waiting(due: Moment) -> Workflow {
        let (campaign, lane) = (CampaignId(Uuid::from_u128(1)), LaneId(Uuid::from_u128(2)));
        Workflow {
            wake_at: Some(due),
            ..Workflow::accepted(lead(1), campaign, lane, Priority::Normal, noon())
        }
    }

    fn somebody() -> GateFacts {
        as_if_running(GateFacts {
            phone: Some("+919876543210".parse().expect("a number")),
            ..GateFacts::default()
        })
    }

    /// For which no consent is asked.
    fn service() -> Rules {
        serde_json::from_str(r#"{"purpose": "service", "voice": "human"}"#).expect("rules")
    }

    #[test]
    fn a_draft_is_looked_at_as_if_it_ran_and_an_ended_campaign_is_not() {
        assert_eq!(somebody().campaign, CampaignState::Running);
        let ended = GateFacts { campaign: CampaignState::Ended, ..GateFacts::default() };
        let told = prospect(&waiting(noon()), &as_if_running(ended), Some(&service()), noon());
        assert_eq!(told.0, Prospect::Never);
    }

    #[test]
    fn each_lead_has_one_prospect() {
        let told =
            |workflow: &Workflow, facts: &GateFacts, rules, now| prospect(workflow, facts, rules, now).0;
        let rules = service();
        let later = noon() + TimeDelta::hours(1);
        assert_eq!(told(&waiting(noon()), &somebody(), Some(&rules), noon()), Prospect::Now);
        assert_eq!(
            prospect(&waiting(later), &somebody(), Some(&rules), noon()),
            (Prospect::Later, Some(Why::New), Some(later))
        );
        let night = noon() + TimeDelta::hours(12);
        let opens: Moment = "2026-01-13T04:30:00Z".parse().expect("a time");
        assert_eq!(prospect(&waiting(noon()), &somebody(), Some(&rules), night).2, Some(opens));
        assert_eq!(told(&waiting(noon()), &somebody(), None, noon()), Prospect::Held);
        let suppressed = GateFacts { suppressed: vec![None], ..somebody() };
        assert_eq!(told(&waiting(noon()), &suppressed, Some(&rules), noon()), Prospect::Never);
        for (state, prospect) in [
            (State::Held, Prospect::Held),
            (State::Dialling, Prospect::UnderWay),
            (State::Calling, Prospect::UnderWay),
            (State::Settling, Prospect::UnderWay),
            (State::Finished, Prospect::Finished),
        ] {
            let workflow = Workflow { state, ..waiting(noon()) };
            assert_eq!(told(&workflow, &somebody(), Some(&rules), noon()), prospect);
        }
    }

    #[test]
    fn leads_are_counted_per_reason_with_the_first_of_each() {
        let mut preview = Preview::default();
        let opens = |hours| {
            let opens_at = noon() + TimeDelta::hours(hours);
            let why = Why::WindowClosed { zone: chrono_tz::Tz::Asia__Kolkata, opens_at };
            (Prospect::Later, Some(why), Some(opens_at))
        };
        for (n, told) in
            [(1, opens(2)), (2, opens(1)), (3, opens(3)), (4, (Prospect::Now, None, Some(noon())))]
        {
            preview.add(lead(n), told);
        }
        preview.add_held(lead(5), "unreadable", "its row cannot be read".into());
        assert_eq!((preview.of(Prospect::Later), preview.of(Prospect::Held)), (3, 1));
        let groups = preview.groups();
        let whys: Vec<_> =
            groups.iter().map(|group| (group.prospect, group.why.as_str(), group.leads)).collect();
        assert_eq!(
            whys,
            [
                (Prospect::Now, "", 1),
                (Prospect::Later, "window_closed", 3),
                (Prospect::Held, "unreadable", 1)
            ]
        );
        assert_eq!(groups[1].from, Some(noon() + TimeDelta::hours(1)));
        assert_eq!(groups[1].examples, [lead(1), lead(2)]);
        assert!(groups[1].reason.contains("13:00"), "{}", groups[1].reason);
    }
}
