//! The gate: may this person be called now?
//!
//! It is asked when a lead is admitted and, if anything that may forbid a call has
//! changed since, again at the instant of dialling. In doubt the answer is no.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::{Calendar, parse_zone};
use crate::rules::Rules;
use crate::why::Why;

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Being prepared; nothing is dialled.
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

/// What the gate needs to know about a lead, its campaign and its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFacts {
    /// Where the campaign stands.
    pub campaign: CampaignState,
    /// Whether the account may dial: enabled, and not resting.
    pub account_ready: bool,
    /// Whether the account's carrier is emulated, on this machine.
    pub account_emulated: bool,
    /// The lead's zone as it was given.
    pub zone: Option<String>,
    /// Suppressions of the number that apply to this campaign, each with its end.
    pub suppressed: Vec<Option<Moment>>,
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayCall {
    /// Yes.
    Now {
        /// The zone whose clock was read; `None` for the open calendar.
        zone: Option<Tz>,
        /// When the window closes; `None` if it does not.
        closes_at: Option<Moment>,
    },
    /// Not before this moment.
    NotBefore(Moment, Why),
    /// Not until somebody mends it.
    Held(Why),
    /// Never.
    Never(Why),
}

/// How long a lead waits when its campaign or account is not dialling: admission
/// passes both over, so this only keeps a withdrawn lead from coming straight back.
const NOT_DIALLING: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// May this person be called at `now`?
///
/// What forbids for good is asked first, then what somebody must mend, then what
/// time will mend, so that the strongest reason is the one given.
pub fn may_call(facts: &GateFacts, rules: Option<&Rules>, now: Moment) -> MayCall {
    if facts.campaign == CampaignState::Ended {
        return MayCall::Never(Why::CampaignEnded);
    }
    if facts.suppressed.contains(&None) {
        return MayCall::Never(Why::Suppressed { until: None });
    }
    let Some(rules) = rules else { return MayCall::Held(Why::UnreadableRules) };
    let opening = match window(facts, rules, now) {
        Ok(opening) => opening,
        Err(why) => return MayCall::Held(why),
    };
    if let Some(until) = facts.suppressed.iter().flatten().max().filter(|until| **until > now) {
        return MayCall::NotBefore(*until, Why::Suppressed { until: Some(*until) });
    }
    if facts.campaign != CampaignState::Running {
        return MayCall::NotBefore(now + NOT_DIALLING, Why::CampaignNotRunning);
    }
    if !facts.account_ready {
        return MayCall::NotBefore(now + NOT_DIALLING, Why::AccountNotReady);
    }
    opening
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

/// What the calendar says, or what keeps it from being read.
fn window(facts: &GateFacts, rules: &Rules, now: Moment) -> Result<MayCall, Why> {
    if rules.calendar == Calendar::Open {
        return match facts.account_emulated {
            true => Ok(MayCall::Now { zone: None, closes_at: None }),
            false => Err(Why::OpenCalendar),
        };
    }
    let zone = zone_of(facts, rules)?;
    let opens_at = rules.calendar.next_open(&[zone], now).ok_or(Why::NeverOpens)?;
    if opens_at > now {
        return Ok(MayCall::NotBefore(opens_at, Why::WindowClosed { zone, opens_at }));
    }
    Ok(MayCall::Now { zone: Some(zone), closes_at: rules.calendar.closes_at(&[zone], now) })
}

/// The lead's own zone, else the campaign's.
fn zone_of(facts: &GateFacts, rules: &Rules) -> Result<Tz, Why> {
    match &facts.zone {
        Some(zone) => parse_zone(zone).map_err(|_| Why::UnknownZone { zone: zone.clone() }),
        None => rules.zone.ok_or(Why::NoZone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        text.parse().expect("a time")
    }

    fn ready() -> GateFacts {
        GateFacts {
            campaign: CampaignState::Running,
            account_ready: true,
            account_emulated: false,
            zone: Some("Asia/Kolkata".into()),
            suppressed: vec![],
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
        let zone = Some(chrono_tz::Asia::Kolkata);
        let closes_at = Some(at("2026-01-14T13:30:00Z"));
        assert_eq!(ask(|_, _| (), noon()), MayCall::Now { zone, closes_at });
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
    fn the_campaigns_zone_stands_in_for_a_missing_one_and_neither_means_held() {
        let with_default = |facts: &mut GateFacts, rules: &mut Rules| {
            facts.zone = None;
            rules.zone = Some(chrono_tz::America::New_York);
        };
        assert!(matches!(ask(with_default, noon()), MayCall::NotBefore(_, Why::WindowClosed { .. })));
        assert_eq!(ask(|facts, _| facts.zone = None, noon()), MayCall::Held(Why::NoZone));
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
        assert_eq!(open(true), MayCall::Now { zone: None, closes_at: None });
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
