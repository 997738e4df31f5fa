//! Country packs: what the law of a place asks of a call, as data.
//!
//! A pack is a file of rules (`workflows/packs/`), each with its source and the date on which
//! that was read. Product defaults, not legal advice; where sources differ or are weak the
//! stricter reading is taken, and the note says so. Several rules may concern one call (a
//! state's and its country's, or those of every state in which a number may be): all of them
//! are kept, so the order of rules and packs does not matter, and a campaign can only add.
//!
//! A country in no pack is not called: no rules are known for it.

mod holidays;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, WeeklyWindows};
use crate::places::Area;
use crate::why::Why;

pub(crate) use holidays::TEXT as HOLIDAYS;
pub use holidays::{Holidays, LAST_DAY};

/// What a call is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To sell something, or to promote it. The default, being bound the most.
    #[default]
    Marketing,
    /// About something that the person has: an order, an appointment, an account.
    Service,
    /// About money that the person owes.
    Collections,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Marketing, Self::Service, Self::Collections];
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Marketing => "marketing",
            Self::Service => "service",
            Self::Collections => "collections",
        })
    }
}

/// Whose voice the called person hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// A machine's, that talks. The default: it is what answers our calls.
    #[default]
    Artificial,
    /// A recording.
    Recorded,
    /// A person's.
    Human,
}

impl Voice {
    /// Every kind of voice.
    pub const ALL: [Self; 3] = [Self::Artificial, Self::Recorded, Self::Human];
}

/// How much somebody agreed to be called; a later one includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentLevel {
    /// Said in words or by a deed that means nothing else.
    Express,
    /// The same, signed or ticked, with what was agreed to in writing.
    ExpressWritten,
}

impl fmt::Display for ConsentLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Express => "express",
            Self::ExpressWritten => "express written",
        })
    }
}

/// At most `max` attempts on one number in any `hours` hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingCap {
    /// Attempts, at least 1.
    pub max: u16,
    /// The window's length.
    pub hours: u16,
}

/// How many answered calls may find nobody speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abandonment {
    /// Percent of the calls that people answer.
    pub max_percent: u8,
    /// Counted over this many days.
    pub days: u16,
    /// An answered call without a word after this many milliseconds counts as abandoned.
    pub first_words_ms: u32,
    /// A phone rings at least this many seconds before the call is given up.
    pub ring_s: u32,
}

/// One thing that a pack asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// No call outside these hours.
    Hours(Calendar),
    /// No call on public holidays.
    NoPublicHolidays,
    /// Not too often.
    Cap(RollingCap),
    /// No call without this consent.
    Consent(ConsentLevel),
    /// The first words say that the voice is artificial.
    DiscloseArtificialVoice,
    /// A recording is announced.
    AnnounceRecording,
    /// Not too many silent calls.
    Abandonment(Abandonment),
}

/// A rule of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackRule {
    /// Where it holds; empty for all countries of the pack.
    #[serde(default)]
    pub areas: Vec<Area>,
    /// The purposes it holds for; empty for all.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// The voices it holds for; empty for all.
    #[serde(default)]
    pub voices: Vec<Voice>,
    /// The day from which on it holds; always, if it names none.
    #[serde(default)]
    pub since: Option<NaiveDate>,
    /// What it asks for.
    pub says: Says,
    /// Where it was read; `house` for a cautious choice of ours.
    pub source: String,
    /// When it was read.
    pub read: NaiveDate,
    /// Where the source was weak or stricter than needed: what was made of it.
    #[serde(default)]
    pub note: Option<String>,
}

/// The rules of a country, or of several that go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name, as the file's.
    pub pack: String,
    /// Its name with a number that every change of its rules raises.
    pub version: String,
    /// The countries it knows the rules of.
    pub countries: Vec<Area>,
    /// What it covers, in a sentence.
    pub note: String,
    /// Its rules.
    pub rules: Vec<PackRule>,
}

impl Pack {
    /// Whether it knows the rules of an area.
    pub fn covers(&self, area: Area) -> bool {
        self.countries.iter().any(|country| country.country() == area.country())
    }
}

impl PackRule {
    fn concerns(&self, area: Area, purpose: Purpose, voice: Voice) -> bool {
        (self.areas.is_empty() || self.areas.iter().any(|its| its.may_hold(area)))
            && (self.purposes.is_empty() || self.purposes.contains(&purpose))
            && (self.voices.is_empty() || self.voices.contains(&voice))
    }
}

/// The packs' files, by name.
pub(crate) const FILES: [(&str, &str); 6] = [
    ("au", include_str!("../packs/au.json")),
    ("ca", include_str!("../packs/ca.json")),
    ("eu", include_str!("../packs/eu.json")),
    ("gb", include_str!("../packs/gb.json")),
    ("in", include_str!("../packs/in.json")),
    ("us", include_str!("../packs/us.json")),
];

static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(|| {
    let read = |(_, text): &(&str, &str)| serde_json::from_str(text).expect("the packs were tested");
    FILES.iter().map(read).collect()
});

static EDITION: LazyLock<String> = LazyLock::new(|| {
    let packs: Vec<&str> = PACKS.iter().map(|pack| pack.version.as_str()).collect();
    let (numbers, holidays) = (crate::places::version(), holidays::version());
    format!("{} {numbers} {holidays} tzdata-{}", packs.join(" "), chrono_tz::IANA_TZDB_VERSION)
});

/// Every pack, by name.
pub fn packs() -> &'static [Pack] {
    &PACKS
}

/// The versions of everything that calling hours are made of, apart from the campaign: packs,
/// numbers, holidays, time zones. Hours that were computed under another edition are stale.
pub fn edition() -> &'static str {
    &EDITION
}

/// What the rules of some areas together ask of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// The versions of the packs it comes from, by name.
    pub packs: Vec<&'static str>,
    /// The hours that all rules leave; `None` if they leave none.
    pub hours: Option<WeeklyWindows>,
    /// The areas on whose public holidays nobody is called.
    pub holidays_of: Vec<Area>,
    /// Caps, each with an area that asks for it.
    pub caps: Vec<(RollingCap, Area)>,
    /// The consent that is needed, with an area that asks for it.
    pub consent: Option<(ConsentLevel, Area)>,
    /// From when on the first words must say that the voice is artificial; `None` if they
    /// need not. The beginning of all time for *always*.
    pub disclose_since: Option<NaiveDate>,
    /// Whether a recording is announced.
    pub announce_recording: bool,
    /// The strictest bound on silent calls.
    pub abandonment: Option<Abandonment>,
}

impl Default for Law {
    /// Nothing is asked.
    fn default() -> Self {
        Self {
            packs: Vec::new(),
            hours: Some(WeeklyWindows::always()),
            holidays_of: Vec::new(),
            caps: Vec::new(),
            consent: None,
            disclose_since: None,
            announce_recording: false,
            abandonment: None,
        }
    }
}

impl Law {
    /// What the packs ask of a call to somebody who may be in any of `areas`.
    ///
    /// # Errors
    /// If there is no area, or one that no pack knows the hours of.
    pub fn of(areas: &[Area], purpose: Purpose, voice: Voice) -> Result<Self, Why> {
        let mut law = Self::default();
        if areas.is_empty() {
            return Err(Why::NoRegion);
        }
        let mut versions = BTreeSet::new();
        for area in areas {
            let unknown = || Why::NoPack { country: area.country() };
            let pack = packs().iter().find(|pack| pack.covers(*area)).ok_or_else(unknown)?;
            versions.insert(pack.version.as_str());
            let mut hours_known = false;
            for rule in pack.rules.iter().filter(|rule| rule.concerns(*area, purpose, voice)) {
                hours_known |= matches!(rule.says, Says::Hours(_));
                law.add(*area, rule);
            }
            hours_known.then_some(()).ok_or_else(unknown)?;
        }
        law.packs = versions.into_iter().collect();
        Ok(law)
    }

    /// Whether any of these areas, or a part of one, bounds how often a number is tried.
    pub fn may_cap(areas: &[Area], purpose: Purpose, voice: Voice) -> bool {
        let caps = |rule: &&PackRule| matches!(rule.says, Says::Cap(_));
        let concerned = |rule: &PackRule| areas.iter().any(|area| rule.concerns(*area, purpose, voice));
        packs().iter().flat_map(|pack| &pack.rules).filter(caps).any(concerned)
    }

    fn add(&mut self, area: Area, rule: &PackRule) {
        match &rule.says {
            Says::Hours(Calendar::Open) => {}
            Says::Hours(Calendar::Weekly(windows)) => {
                self.hours = self.hours.take().and_then(|hours| hours.intersect(windows));
            }
            Says::NoPublicHolidays => self.holidays_of.push(area),
            Says::Cap(cap) if self.caps.iter().any(|(known, _)| known == cap) => {}
            Says::Cap(cap) => self.caps.push((*cap, area)),
            Says::Consent(level) if self.consent.is_some_and(|(known, _)| known >= *level) => {}
            Says::Consent(level) => self.consent = Some((*level, area)),
            Says::DiscloseArtificialVoice => {
                let since = rule.since.unwrap_or(NaiveDate::MIN);
                self.disclose_since = Some(self.disclose_since.map_or(since, |known| known.min(since)));
            }
            Says::AnnounceRecording => self.announce_recording = true,
            Says::Abandonment(bound) => {
                let known = self.abandonment.unwrap_or(*bound);
                self.abandonment = Some(Abandonment {
                    max_percent: known.max_percent.min(bound.max_percent),
                    days: known.days.min(bound.days),
                    first_words_ms: known.first_words_ms.min(bound.first_words_ms),
                    ring_s: known.ring_s.max(bound.ring_s),
                });
            }
        }
    }
}
