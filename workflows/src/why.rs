//! Reasons. Every decision carries one, as a value: stored with the row, shown to
//! people, and read by the judge. Reasons hold no personal data.

use std::fmt;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::AttemptNumber;
use crate::outcome::Outcome;
use crate::packs::ConsentLevel;
use crate::phone::Region;
use crate::places::Area;

/// Why a lead is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// Accepted, and not looked at yet.
    New,
    /// The calling window is closed where the lead is.
    WindowClosed {
        /// The zone whose clock was read.
        zone: Tz,
        /// When it opens.
        opens_at: Moment,
    },
    /// It is a holiday where the lead is, or may be.
    Holiday {
        /// The zone whose calendar was read.
        zone: Tz,
        /// When calls may be made again.
        opens_at: Moment,
    },
    /// The campaign's calendar has no opening at all.
    NeverOpens,
    /// The open calendar on an account that reaches real people.
    OpenCalendar,
    /// The lead's zone is not one we know.
    UnknownZone {
        /// As it was given.
        zone: String,
    },
    /// Neither the lead nor the campaign says where the lead is.
    NoZone,
    /// The lead's region is not one we know.
    UnknownRegion {
        /// As it was given.
        region: String,
    },
    /// Neither the lead nor its number says which country's rules hold.
    NoRegion,
    /// The lead's number is not there; with the person it may have been erased.
    NoNumber,
    /// No rules are known for the country.
    NoPack {
        /// Which.
        country: Region,
    },
    /// The country's holidays are to be kept, and none are known.
    NoHolidays {
        /// Which.
        country: Region,
    },
    /// Holidays are to be kept, and are not known for so late a day.
    HolidaysNotKnown {
        /// The last day of which they are.
        after: NaiveDate,
    },
    /// The person has not agreed to such calls.
    NeedsConsent {
        /// What is asked for.
        level: ConsentLevel,
        /// The area whose rules ask for it; `None` if the campaign does.
        area: Option<Area>,
    },
    /// The person took back what they had agreed to.
    ConsentRevoked {
        /// When.
        at: Moment,
    },
    /// The number was tried as often as it may be within a time.
    TriedOften {
        /// How often it may be.
        max: u16,
        /// In how many hours.
        hours: u16,
        /// The area whose rules say so.
        area: Area,
        /// When it may be tried again.
        until: Moment,
    },
    /// The number was tried as often today as the campaign allows.
    TriedToday {
        /// How often it may be.
        max: u16,
        /// When the day is over where the lead is.
        until: Moment,
    },
    /// The number was tried as often as the campaign allows in all.
    TriedEnough {
        /// How often it may be.
        max: u32,
    },
    /// The campaign begins later.
    NotStarted {
        /// When.
        starts_at: Moment,
    },
    /// The campaign's last moment has passed.
    PastEnd {
        /// When it was.
        ends_at: Moment,
    },
    /// The campaign's rules cannot be read by this version.
    UnreadableRules,
    /// Its campaign is not running.
    CampaignNotRunning,
    /// Its campaign has ended.
    CampaignEnded,
    /// The account is resting, paused or disabled, or the client is paused.
    AccountNotReady,
    /// The number is on a suppression list.
    Suppressed {
        /// When the suppression ends, if it does.
        until: Option<Moment>,
    },
    /// Another call to the same number is under way.
    NumberBusy,
    /// An attempt was reserved and its dial job waits.
    Reserved {
        /// Which.
        attempt: AttemptNumber,
    },
    /// The dial request is on its way.
    Submitted {
        /// Which.
        attempt: AttemptNumber,
    },
    /// It cannot be known yet whether the request took effect.
    Asking {
        /// Which.
        attempt: AttemptNumber,
    },
    /// The carrier has the call.
    OnCall {
        /// Which.
        attempt: AttemptNumber,
    },
    /// The call is over, and results may still come.
    AwaitingResults {
        /// Which.
        attempt: AttemptNumber,
        /// Until when.
        until: Moment,
    },
    /// The dial job did not get to it in time.
    TooLate {
        /// Which.
        attempt: AttemptNumber,
        /// How many reservations in a row were withdrawn, this one included.
        #[serde(default)]
        in_a_row: u16,
    },
    /// The carrier turned the request down; that does not count as an attempt.
    Refused {
        /// Which.
        attempt: AttemptNumber,
        /// In the carrier's words, or ours.
        cause: String,
    },
    /// An attempt came to this; another follows.
    RetryAfter {
        /// Which.
        attempt: AttemptNumber,
        /// What came of it.
        outcome: Outcome,
    },
    /// In an attempt the person asked to be called again then.
    CallBackAsked {
        /// Which.
        attempt: AttemptNumber,
    },
    /// The last allowed attempt came to this.
    AttemptsUsedUp {
        /// How many counted.
        attempts: u16,
        /// What came of the last.
        outcome: Outcome,
    },
    /// It has had as many attempts as its rules allow by now.
    NoAttemptsLeft {
        /// How many counted.
        tried: u16,
        /// How many its rules allow.
        allowed: u16,
    },
    /// Its attempts are numbered, and the numbers are used up.
    NumbersUsedUp,
    /// The person was erased, so there is no number to call.
    Erased,
    /// This outcome is not tried again.
    Settled {
        /// What came of it.
        outcome: Outcome,
    },
    /// Cancelled by a person.
    Cancelled {
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
    },
    /// A person undid its import before it was ever called.
    Undone {
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
    },
    /// Held by a person.
    HeldBy {
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
    },
    /// Let go again by a person.
    ResumedBy {
        /// Who.
        actor: String,
    },
    /// Tried again because a person said so.
    RetriedBy {
        /// Who.
        actor: String,
    },
    /// A person set the time.
    RescheduledBy {
        /// Who.
        actor: String,
        /// For when.
        at: Moment,
    },
}

impl Why {
    /// The name used in data.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("why").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |reason: &Option<String>| match reason {
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        match self {
            Self::New => f.write_str("accepted, and due"),
            Self::WindowClosed { zone, opens_at } => {
                let local = opens_at.with_timezone(zone);
                write!(f, "outside calling hours in {zone}, which open {}", local.format("%a %d %b %H:%M"))
            }
            Self::Holiday { zone, opens_at } => {
                let local = opens_at.with_timezone(zone);
                write!(f, "a holiday by the calendar in {zone}; calls may be made again {}", local.format("%a %d %b %H:%M"))
            }
            Self::NeverOpens => f.write_str(
                "the campaign's calling hours never open within the hours of the law in every place where the lead may be; edit them, or set the lead's zone and region",
            ),
            Self::UnknownRegion { region } => {
                write!(f, "the region `{region}` is unknown, so the rules cannot be told; correct the lead's region")
            }
            Self::NoRegion => f.write_str(
                "no country is known, so the rules cannot be told; set a region on the lead",
            ),
            Self::NoNumber => f.write_str("the number is not known any more"),
            Self::NoPack { country } => write!(
                f,
                "no calling rules are known for {country}, so nobody is called there; if the person lives elsewhere, set a region on the lead"
            ),
            Self::NoHolidays { country } => {
                write!(f, "no holidays are known for {country}, and they are to be kept")
            }
            Self::HolidaysNotKnown { after } => {
                write!(f, "holidays are not known after {after}, and they are to be kept; update the program")
            }
            Self::NeedsConsent { level, area: Some(area) } => {
                write!(f, "{level} consent is needed in {area}, and none is recorded that holds now; record it, with its source")
            }
            Self::NeedsConsent { level, area: None } => {
                write!(f, "the campaign asks for {level} consent, and none is recorded that holds now; record it, with its source")
            }
            Self::ConsentRevoked { at } => {
                write!(f, "consent was taken back on {}", at.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::TriedOften { max, hours, area, until } => write!(
                f,
                "the number was tried {max} times in {hours} hours, the most allowed in {area}; again from {}",
                until.format("%Y-%m-%d %H:%M UTC")
            ),
            Self::TriedToday { max, until } => write!(
                f,
                "the number was tried {max} times today, the most that the campaign allows; again from {}",
                until.format("%Y-%m-%d %H:%M UTC")
            ),
            Self::TriedEnough { max } => {
                write!(f, "the number was tried {max} times, the most that the campaign allows in all")
            }
            Self::NotStarted { starts_at } => {
                write!(f, "the campaign begins {}", starts_at.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::PastEnd { ends_at } => {
                write!(f, "the campaign was to end {}", ends_at.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::OpenCalendar => f.write_str(
                "the open calendar is only for emulated accounts; give the campaign calling hours",
            ),
            Self::UnknownZone { zone } => {
                write!(
                    f,
                    "the time zone `{zone}` is unknown, so the hours cannot be told; correct the lead's zone"
                )
            }
            Self::NoZone => f.write_str(
                "no time zone is known, so the hours cannot be told; set one on the lead or the campaign",
            ),
            Self::UnreadableRules => f.write_str("the campaign's rules cannot be read; save them again"),
            Self::CampaignNotRunning => f.write_str("the campaign is not running"),
            Self::CampaignEnded => f.write_str("the campaign has ended"),
            Self::AccountNotReady => {
                f.write_str("the carrier account is resting, paused or disabled, or the client is paused")
            }
            Self::Suppressed { until: None } => f.write_str("the number is on a suppression list"),
            Self::Suppressed { until: Some(until) } => {
                write!(f, "the number is on a suppression list until {}", until.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::NumberBusy => f.write_str("another call to the same number is under way"),
            Self::Reserved { attempt } => write!(f, "attempt {attempt} is reserved and about to be dialled"),
            Self::Submitted { attempt } => write!(f, "attempt {attempt} is being sent to the carrier"),
            Self::Asking { attempt } => write!(
                f,
                "it is not known whether attempt {attempt} reached the phone; the carrier is being asked, and nobody is dialled until it is known"
            ),
            Self::OnCall { attempt } => write!(f, "attempt {attempt} is with the carrier"),
            Self::AwaitingResults { attempt, until } => {
                write!(
                    f,
                    "attempt {attempt} is over; results may come until {}",
                    until.format("%H:%M:%S UTC")
                )
            }
            Self::TooLate { attempt, in_a_row } => {
                write!(f, "attempt {attempt} was not sent in time, and was withdrawn")?;
                match in_a_row.saturating_sub(1) {
                    0 => Ok(()),
                    before => write!(
                        f,
                        ", as were the {before} before it; dial jobs wait too long, and the lead ever longer"
                    ),
                }
            }
            Self::Refused { attempt, cause } => {
                write!(f, "attempt {attempt} was turned down and does not count: {cause}")
            }
            Self::RetryAfter { attempt, outcome } => {
                write!(f, "attempt {attempt} ended with {outcome}; trying again")
            }
            Self::CallBackAsked { attempt } => {
                write!(f, "in attempt {attempt} the person asked to be called again at this time")
            }
            Self::AttemptsUsedUp { attempts, outcome } => {
                write!(f, "all {attempts} attempts are used up; the last ended with {outcome}")
            }
            Self::NoAttemptsLeft { tried, allowed } => {
                write!(f, "its rules allow no further attempt by now: {tried} made, {allowed} allowed")
            }
            Self::NumbersUsedUp => write!(
                f,
                "its {} attempt numbers are used up; cancel it, and import the person anew",
                AttemptNumber::LAST
            ),
            Self::Erased => f.write_str("the person was erased, and there is no number to call"),
            Self::Settled { outcome } => write!(f, "{outcome}"),
            Self::Cancelled { actor, reason } => write!(f, "cancelled by {actor}{}", because(reason)),
            Self::Undone { actor, reason } => write!(f, "its import was undone by {actor}{}", because(reason)),
            Self::HeldBy { actor, reason } => write!(f, "held by {actor}{}", because(reason)),
            Self::ResumedBy { actor } => write!(f, "resumed by {actor}"),
            Self::RetriedBy { actor } => write!(f, "retried by {actor}"),
            Self::RescheduledBy { actor, at } => {
                write!(f, "rescheduled by {actor} for {}", at.format("%Y-%m-%d %H:%M UTC"))
            }
        }
    }
}
