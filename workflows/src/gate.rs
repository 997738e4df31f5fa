//! The gate: may this person be called now?
//!
//! It is asked when a lead is admitted and, if anything that may forbid a call has
//! changed since, again at the instant of dialling. In doubt the answer is no.

mod facts;
mod forbids;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::{Calendar, parse_zone};
use crate::hours::{CallingHours, LaneState};
use crate::packs::Law;
use crate::places::{Area, Whereabouts, areas_of, zones_in, zones_of};
use crate::rules::Rules;
use crate::why::Why;

pub use facts::{Consent, GateFacts, Needs, Tried};
pub use forbids::tried as tried_enough;

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Being prepared; nothing is dialled.
    #[default]
    Draft,
    /// Dialling.
    Running,
    /// Not dialling until resumed. Calls under way finish.
    Paused,
    /// Over for good. Its leads are finished by a job.
    Ended,
}

impl CampaignState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayCall {
    /// Yes.
    Now {
        /// What was kept; `None` for the open calendar.
        kept: Option<Kept>,
        /// When that changes by itself; `None` if it does not.
        closes_at: Option<Moment>,
    },
    /// Not before this moment.
    NotBefore(Moment, Why),
    /// Not until somebody mends it.
    Held(Why),
    /// Never.
    Never(Why),
}

/// By whose clocks and rules a call was allowed; stored with the attempt, for the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the person may be.
    pub place: Whereabouts,
    /// The versions of the packs whose rules were kept.
    pub packs: Vec<String>,
}

impl Kept {
    /// The zone to show times in: the first of those whose clocks were read.
    pub fn zone(&self) -> Option<Tz> {
        self.place.zones().first().copied()
    }
}

/// How long a lead waits when its campaign or account is not dialling: admission
/// passes both over, so this only keeps a withdrawn lead from coming straight back.
const NOT_DIALLING: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// May this person be called at `now`?
///
/// What forbids for good is asked first, then what somebody must mend, then what
/// time will mend, so that the strongest reason is the one given.
pub fn may_call(facts: &GateFacts, rules: Option<&Rules>, now: Moment) -> MayCall {
    decide(facts, rules, now).unwrap_or_else(|forbidden| forbidden)
}

/// The same, with everything but *now* as an error.
fn decide(facts: &GateFacts, rules: Option<&Rules>, now: Moment) -> Result<MayCall, MayCall> {
    if facts.campaign == CampaignState::Ended {
        return Err(MayCall::Never(Why::CampaignEnded));
    }
    if facts.suppressed.contains(&None) {
        return Err(MayCall::Never(Why::Suppressed { until: None }));
    }
    let rules = rules.ok_or(MayCall::Held(Why::UnreadableRules))?;
    forbids::for_good(facts, rules, now)?;
    let rulebook = Rulebook::of(facts, rules).map_err(MayCall::Held)?;
    let lane =
        rulebook.as_ref().map_or(LaneState::Open { closes_at: None }, |rulebook| rulebook.hours.state(now));
    let (opening, closes_at) = match lane {
        LaneState::Held { why } => return Err(MayCall::Held(why)),
        LaneState::Closed { opens_at, why } => (Some(MayCall::NotBefore(opens_at, why)), None),
        LaneState::Open { closes_at } => (None, closes_at),
    };
    let law = rulebook.as_ref().map(|rulebook| &rulebook.law);
    let consent_ends = forbids::consent(facts, rules, law, now).map_err(MayCall::Held)?;
    if let Some(until) = facts.suppressed.iter().flatten().max().filter(|until| **until > now) {
        return Err(MayCall::NotBefore(*until, Why::Suppressed { until: Some(*until) }));
    }
    if let Some(starts_at) = rules.starts_at.filter(|starts_at| *starts_at > now) {
        return Err(MayCall::NotBefore(starts_at, Why::NotStarted { starts_at }));
    }
    if facts.campaign != CampaignState::Running {
        return Err(MayCall::NotBefore(now + NOT_DIALLING, Why::CampaignNotRunning));
    }
    if !facts.account_ready {
        return Err(MayCall::NotBefore(now + NOT_DIALLING, Why::AccountNotReady));
    }
    let asked = rulebook.as_ref().map(|rulebook| (&rulebook.place, &rulebook.law));
    if let Some((until, why)) = forbids::tried(&facts.tried.at, rules, asked, now) {
        return Err(MayCall::NotBefore(until, why));
    }
    if let Some(later) = opening {
        return Err(later);
    }
    let closes_at = [closes_at, consent_ends, rules.ends_at].into_iter().flatten().min();
    Ok(MayCall::Now { kept: rulebook.map(Rulebook::kept), closes_at })
}

/// May this lead be dialled now: may the person be called, and has the lead attempts left?
///
/// `tried` are its counted attempts so far. That they were fewer than the rules allow when the
/// lead was put back to waiting proves nothing: its rules may have been edited since, or a call
/// have come to light that had been taken for none.
pub fn may_dial(facts: &GateFacts, rules: Option<&Rules>, tried: u16, now: Moment) -> MayCall {
    match (may_call(facts, rules, now), rules.map(|rules| rules.retry.max_attempts.get())) {
        (MayCall::Never(why), _) => MayCall::Never(why),
        (_, Some(allowed)) if tried >= allowed => MayCall::Never(Why::NoAttemptsLeft { tried, allowed }),
        (answer, _) => answer,
    }
}

/// What must be read of the lead's number before [`may_call`] is asked, told by the lead and its
/// campaign alone. Where nothing is needed nothing is looked up, so that a campaign on the open
/// calendar without caps costs no more for all the rules there are.
pub fn needs(facts: &GateFacts, rules: Option<&Rules>) -> Needs {
    let Some(rules) = rules else { return Needs::default() };
    let capped = rules.caps.per_day.is_some() || rules.caps.in_all.is_some();
    if rules.calendar == Calendar::Open {
        // Such calls reach nobody, so no law asks for anything, and nobody took anything back.
        return Needs { consents: rules.consent.is_some(), tried: capped };
    }
    // A lead of which no place is known is held, whatever else is known of it.
    let capped_by_law = || {
        let place = whereabouts(facts, rules.zone);
        place.is_ok_and(|place| Law::may_cap(place.areas(), rules.purpose, rules.voice))
    };
    Needs { consents: true, tried: capped || capped_by_law() }
}

/// Whether [`needs`] may say that the attempts on a number must be known, whoever's it is.
pub fn may_need_tried(rules: Option<&Rules>) -> bool {
    rules.is_some_and(|rules| {
        rules.calendar != Calendar::Open || rules.caps.per_day.is_some() || rules.caps.in_all.is_some()
    })
}

/// The rules of every place where the person may be, and the hours that they leave.
struct Rulebook {
    place: Whereabouts,
    law: Law,
    hours: CallingHours,
}

impl Rulebook {
    /// `None` if there are none: the account reaches nobody, and the campaign's calendar is open.
    fn of(facts: &GateFacts, rules: &Rules) -> Result<Option<Self>, Why> {
        if rules.calendar == Calendar::Open {
            return if facts.account_emulated { Ok(None) } else { Err(Why::OpenCalendar) };
        }
        let place = whereabouts(facts, rules.zone)?;
        let law = Law::of(place.areas(), rules.purpose, rules.voice)?;
        let hours = CallingHours::new(rules, &law, &place)?;
        Ok(Some(Self { place, law, hours }))
    }

    fn kept(self) -> Kept {
        let packs = self.law.packs.iter().map(|&version| version.to_owned()).collect();
        Kept { place: self.place, packs }
    }
}

/// Where the person may be: the key of the lane that the lead belongs in.
///
/// The area is the lead's own, else every area of its number; a country without a part leaves
/// those parts that the number tells. The zone is the lead's own, else every zone of its number
/// (or of the lead's own area, where the number is from elsewhere), else the campaign's.
///
/// # Errors
/// If what the lead says cannot be read, or nothing tells a zone or a country.
pub fn whereabouts(facts: &GateFacts, campaign_zone: Option<Tz>) -> Result<Whereabouts, Why> {
    let of_number = facts.phone.as_ref().map_or(&[][..], areas_of);
    let of_lead = match &facts.region {
        Some(region) => {
            Some(region.parse::<Area>().map_err(|_| Why::UnknownRegion { region: region.clone() })?)
        }
        None => None,
    };
    let told: Vec<Area> =
        of_number.iter().copied().filter(|area| of_lead.is_none_or(|its| its.may_hold(*area))).collect();
    let areas = match of_lead {
        Some(its) if its.has_part() || told.is_empty() => vec![its],
        Some(_) | None => told.clone(),
    };
    if areas.is_empty() {
        return Err(if facts.phone.is_none() { Why::NoNumber } else { Why::NoRegion });
    }
    let zones: Vec<Tz> = match (&facts.zone, of_lead) {
        (Some(zone), _) => vec![parse_zone(zone).map_err(|_| Why::UnknownZone { zone: zone.clone() })?],
        (None, Some(moved)) if told.is_empty() => zones_in(moved),
        (None, _) => facts.phone.as_ref().map_or(&[][..], zones_of).to_vec(),
    };
    let zones = if zones.is_empty() { vec![campaign_zone.ok_or(Why::NoZone)?] } else { zones };
    Ok(Whereabouts::new(zones, areas))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::ConsentLevel;

    fn at(text: &str) -> Moment {
        text.parse().expect("a time")
    }

    fn ready() -> GateFacts {
        GateFacts {
            campaign: CampaignState::Running,
            account_ready: true,
            account_emulated: false,
            zone: Some("Asia/Kolkata".into()),
            phone: Some("+919876543210".parse().expect("a number")),
            consents: vec![consent()],
            ..GateFacts::default()
        }
    }

    fn consent() -> Consent {
        Consent {
            level: ConsentLevel::Express,
            purpose: None,
            source: "form".into(),
            given_at: at("2025-12-01T00:00:00Z"),
            expires_at: None,
            revoked_at: None,
        }
    }

    /// 12:00 in Kolkata on a Wednesday.
    fn noon() -> Moment {
        at("2026-01-14T06:30:00Z")
    }

    fn ask(change: impl FnOnce(&mut GateFacts, &mut Rules), now: Moment) -> MayCall {
        let (mut facts, mut rules) = (ready(), Rules::default());
        change(&mut facts, &mut rules);
        may_call(&facts, Some(&rules), now)
    }

    #[test]
    fn a_lead_is_called_within_its_window_until_that_closes() {
        let place = "Asia/Kolkata;IN".parse().expect("whereabouts");
        let kept = Some(Kept { place, packs: vec!["in-1".into()] });
        let closes_at = Some(at("2026-01-14T13:30:00Z"));
        assert_eq!(ask(|_, _| (), noon()), MayCall::Now { kept, closes_at });
    }

    #[test]
    fn a_lead_waits_for_the_opening_by_its_own_clock() {
        let late = at("2026-01-17T14:00:00Z"); // Saturday 19:30 in Kolkata; Sunday is closed.
        let MayCall::NotBefore(opens, Why::WindowClosed { .. }) = ask(|_, _| (), late) else {
            panic!("closed on Saturday evening");
        };
        assert_eq!(opens, at("2026-01-19T04:30:00Z")); // Monday 10:00.
    }

    #[test]
    fn the_number_stands_in_for_a_missing_zone_and_where_it_tells_nothing_the_lead_is_held() {
        let nowhere = |facts: &mut GateFacts, rules: &mut Rules| {
            facts.zone = None;
            facts.phone = Some("+80012345678".parse().expect("a number of no country"));
            rules.zone = Some(chrono_tz::Asia::Kolkata);
        };
        assert_eq!(ask(nowhere, noon()), MayCall::Held(Why::NoRegion));
        let by_number = |facts: &mut GateFacts, _: &mut Rules| facts.zone = None;
        assert_eq!(ask(by_number, noon()), ask(|_, _| (), noon()));
        let unknown = |facts: &mut GateFacts, _: &mut Rules| facts.zone = Some("Asia/Bangalore".into());
        assert_eq!(ask(unknown, noon()), MayCall::Held(Why::UnknownZone { zone: "Asia/Bangalore".into() }));
    }

    #[test]
    fn a_suppressed_number_is_never_called_or_not_before_the_suppression_ends() {
        assert_eq!(
            ask(|facts, _| facts.suppressed = vec![Some(noon()), None], noon()),
            MayCall::Never(Why::Suppressed { until: None })
        );
        let until = noon() + chrono::TimeDelta::days(3);
        assert_eq!(
            ask(|facts, _| facts.suppressed = vec![Some(until)], noon()),
            MayCall::NotBefore(until, Why::Suppressed { until: Some(until) })
        );
        let expired = |facts: &mut GateFacts, _: &mut Rules| facts.suppressed = vec![Some(noon())];
        assert!(matches!(ask(expired, noon()), MayCall::Now { .. }));
    }

    #[test]
    fn rules_that_cannot_be_read_hold_the_lead() {
        assert_eq!(may_call(&ready(), None, noon()), MayCall::Held(Why::UnreadableRules));
    }

    #[test]
    fn the_open_calendar_serves_emulated_accounts_only() {
        let open = |emulated| {
            ask(
                |facts, rules| {
                    facts.account_emulated = emulated;
                    rules.calendar = Calendar::Open;
                },
                noon(),
            )
        };
        assert_eq!(open(true), MayCall::Now { kept: None, closes_at: None });
        assert_eq!(open(false), MayCall::Held(Why::OpenCalendar));
    }

    #[test]
    fn what_is_not_running_does_not_dial() {
        for campaign in [CampaignState::Draft, CampaignState::Paused] {
            assert!(matches!(
                ask(|facts, _| facts.campaign = campaign, noon()),
                MayCall::NotBefore(_, Why::CampaignNotRunning)
            ));
        }
        assert_eq!(
            ask(|facts, _| facts.campaign = CampaignState::Ended, noon()),
            MayCall::Never(Why::CampaignEnded)
        );
        assert!(matches!(
            ask(|facts, _| facts.account_ready = false, noon()),
            MayCall::NotBefore(_, Why::AccountNotReady)
        ));
    }
}
