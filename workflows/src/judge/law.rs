//! The judge's own reading of the law: packs, holidays and numbers as they are written, and
//! caps counted one by one. It takes nothing from the gate but the files.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde_json::Value;

use super::hours::{Hours, zone_named};
use crate::Moment;
use crate::gate::{Consent, Kept};
use crate::phone::PhoneNumber;
use crate::rules::Rules;

/// The files, taken apart.
pub(super) struct Book {
    packs: Vec<Value>,
    /// Days as they are written, by area.
    holidays: HashMap<String, HashSet<String>>,
    covers: (String, String),
    zones: HashMap<&'static str, Vec<&'static str>>,
    areas: HashMap<&'static str, Vec<&'static str>>,
}

static BOOK: LazyLock<Book> = LazyLock::new(Book::read);

impl Book {
    pub(super) fn get() -> &'static Self {
        &BOOK
    }

    fn read() -> Self {
        let packs = crate::packs::FILES.iter().filter_map(|(_, text)| serde_json::from_str(text).ok());
        let (holidays, covers) = read_holidays(crate::packs::HOLIDAYS);
        Self {
            packs: packs.collect(),
            holidays,
            covers,
            zones: read_prefixes(crate::places::NUMBERS, "Z ", "z "),
            areas: read_prefixes(crate::places::NUMBERS, "A ", "a "),
        }
    }

    /// Whether the packs are those that this program carries.
    pub(super) fn is_current(&self, versions: &[String]) -> bool {
        versions.iter().all(|version| self.packs.iter().any(|pack| pack["version"] == version.as_str()))
    }

    pub(super) fn zones_of(&self, phone: &PhoneNumber) -> Vec<Tz> {
        longest(&self.zones, digits(phone)).iter().filter_map(|name| zone_named(name)).collect()
    }

    pub(super) fn areas_of(&self, phone: &PhoneNumber) -> Vec<String> {
        longest(&self.areas, digits(phone)).iter().map(|&name| name.to_owned()).collect()
    }

    /// Every zone of the numbers that are given out in an area.
    pub(super) fn zones_in(&self, area: &str) -> Vec<Tz> {
        let country = area.split('-').next().unwrap_or_default();
        let part_of = |its: &str| its.strip_prefix(country).is_some_and(|part| part.starts_with('-'));
        let fits = |its: &str| its == area || its == country || area == country && part_of(its);
        let held = self.areas.iter().filter(|(_, names)| names.iter().any(|its| fits(its)));
        let held: Vec<(&str, &[&str])> = held.map(|(prefix, names)| (*prefix, names.as_slice())).collect();
        // What is shared with other countries counts only where there is nothing else.
        let shared = |names: &[&str]| names.iter().any(|its| *its != country && !part_of(its));
        let all_shared = held.iter().all(|(_, names)| shared(names));
        let counted = held.into_iter().filter(|(_, names)| all_shared || !shared(names));
        let names: HashSet<&str> = counted.flat_map(|(prefix, _)| longest(&self.zones, prefix)).collect();
        names.into_iter().filter_map(zone_named).collect()
    }

    /// What the pack of an area says of calls under these rules.
    fn says<'a>(&'a self, area: &'a str, rules: &Rules) -> Option<impl Iterator<Item = &'a Value>> {
        let (purpose, voice) = (written(&rules.purpose), written(&rules.voice));
        let country = area.split('-').next()?;
        let lists =
            |list: &Value, name: &str| list.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let pack = self.packs.iter().find(|pack| lists(&pack["countries"], country))?;
        let here = move |rule: &&Value| {
            rule["areas"].as_array().is_none_or(|areas| {
                areas.iter().filter_map(Value::as_str).any(|its| {
                    its == area
                        || its == country
                        || area == country && its.starts_with(&format!("{country}-"))
                })
            })
        };
        let this = move |rule: &&Value| {
            let on = |field: &str, name: &str| rule[field].is_null() || lists(&rule[field], name);
            on("purposes", &purpose) && on("voices", &voice)
        };
        Some(pack["rules"].as_array()?.iter().filter(here).filter(this).map(|rule| &rule["says"]))
    }

    /// Hours and holidays that a call at `at` did not keep.
    pub(super) fn breaches(&self, areas: &[String], zones: &[Tz], rules: &Rules, at: Moment) -> Vec<String> {
        let mut found = Vec::new();
        let own: Vec<String> = rules.holidays.iter().map(written).collect();
        for zone in zones {
            let local = at.with_timezone(zone);
            let (day, shown) = (local.format("%Y-%m-%d").to_string(), local.format("%a %d %b %Y %H:%M:%S"));
            if own.iter().any(|holiday| *holiday == day || holiday.len() == 5 && day.ends_with(holiday)) {
                found.push(format!("it was submitted on {shown} in {zone}, a holiday of its campaign"));
            }
            for area in areas {
                let Some(says) = self.says(area, rules) else {
                    found.push(format!("no rules are known for {area}"));
                    continue;
                };
                let says: Vec<&Value> = says.collect();
                let hours = says.iter().filter(|says| !says["hours"].is_null());
                if hours.clone().any(|says| !Hours::of_json(&says["hours"]).hold(*zone, at)) {
                    found.push(format!("it was submitted on {shown} in {zone}, outside the hours of {area}"));
                }
                let by_law = says.iter().any(|says| **says == "no_public_holidays");
                let by_campaign = own.iter().any(|holiday| holiday == "public");
                if by_law && !self.is_workday(area, &day, true)
                    || by_campaign && !self.is_workday(area, &day, false)
                {
                    found.push(format!("it was submitted on {shown} in {zone}, a holiday in {area}"));
                }
            }
        }
        found
    }

    /// Whether a day is known to be no holiday in an area, nor, if `anywhere` counts, in any
    /// part of its country when the part is not known.
    fn is_workday(&self, area: &str, day: &str, anywhere: bool) -> bool {
        let (first, last) = (self.covers.0.as_str(), self.covers.1.as_str());
        let country = area.split('-').next().unwrap_or_default();
        let anywhere = anywhere && (!self.holidays.contains_key(area) || area == country);
        let concerns = |name: &str| {
            name == country || name == area || anywhere && name.starts_with(&format!("{country}-"))
        };
        let known = self.holidays.contains_key(country) && first <= day && day <= last;
        known && !self.holidays.iter().any(|(name, days)| concerns(name) && days.contains(day))
    }

    /// What consent was lacking at `at`.
    pub(super) fn lacks_consent(
        &self,
        areas: &[String],
        rules: &Rules,
        theirs: &[Consent],
        at: Moment,
    ) -> Option<String> {
        let rank = |level: &str| ["", "express", "express_written"].iter().position(|known| *known == level);
        let by_law = areas.iter().filter_map(|area| self.says(area, rules)).flatten();
        let by_law = by_law.filter_map(|says| says["consent"].as_str()).map(rank);
        let by_campaign = rules.consent.map(|level| rank(&written(&level)));
        let needed = by_law.chain(by_campaign).flatten().max().unwrap_or(0);
        let mut best = None;
        let mut revoked = None;
        for consent in theirs.iter().filter(|consent| consent.given_at <= at) {
            if consent.purpose.is_none_or(|purpose| purpose == rules.purpose) {
                revoked = revoked.max(consent.revoked_at.filter(|revoked| *revoked <= at));
            }
        }
        for consent in theirs.iter().filter(|consent| consent.given_at <= at) {
            let fits = consent.purpose.is_none_or(|purpose| purpose == rules.purpose);
            let holds = consent.expires_at.is_none_or(|end| at < end) && Some(consent.given_at) > revoked;
            if fits && holds && consent.revoked_at.is_none_or(|end| at < end) {
                best = best.max(rank(&written(&consent.level)));
            }
        }
        match (best, revoked) {
            (Some(best), _) if best >= needed => None,
            (None, None) if needed == 0 => None,
            (_, Some(_)) => Some("the person had taken consent back".to_owned()),
            (_, None) => Some("the consent that is asked for had not been recorded".to_owned()),
        }
    }
}

/// The caps that an attempt was to keep.
#[derive(Debug)]
pub(super) struct Caps {
    /// At most so many in so many hours.
    rolling: Vec<(u64, u64)>,
    /// At most so many on a day of any of these clocks.
    per_day: Option<(u16, Vec<Tz>)>,
    in_all: Option<u16>,
}

impl Caps {
    /// Those of the campaign and of the areas named; `None` if there are none.
    pub(super) fn of(rules: &Rules, kept: Option<&Kept>) -> Option<Self> {
        let areas = kept.map(|kept| kept.place.areas()).unwrap_or_default();
        let mut rolling = Vec::new();
        for area in areas {
            let area = area.to_string();
            let says = BOOK.says(&area, rules).into_iter().flatten();
            let caps = says.map(|says| &says["cap"]);
            rolling.extend(caps.filter_map(|cap| Some((cap["max"].as_u64()?, cap["hours"].as_u64()?))));
        }
        let fallback = || vec![rules.zone.unwrap_or(Tz::UTC)];
        let clocks = kept.map_or_else(fallback, |kept| kept.place.zones().to_vec());
        let per_day = rules.caps.per_day.map(|max| (max.get(), clocks));
        let in_all = rules.caps.in_all.map(std::num::NonZero::get);
        let any = !rolling.is_empty() || per_day.is_some() || in_all.is_some();
        any.then_some(Self { rolling, per_day, in_all })
    }

    /// What an attempt at `now` broke after those `before` it; times in microseconds.
    pub(super) fn broken(&self, before: &[i64], now: i64) -> Vec<String> {
        let mut found = Vec::new();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (max, hours) in &self.rolling {
            let window = i64::try_from(*hours).map_or(TimeDelta::MAX, TimeDelta::hours);
            let window = window.num_microseconds().unwrap_or(i64::MAX);
            let recent = count(before.iter().filter(|at| now - **at < window).count());
            if recent >= *max {
                found.push(format!(
                    "its number had been tried {recent} times in {hours} hours, of {max} allowed"
                ));
            }
        }
        if let Some((max, clocks)) = &self.per_day {
            for zone in clocks {
                let day = |at: i64| {
                    let at = Moment::from_timestamp_micros(at).map(|at| at.with_timezone(zone));
                    at.map(|local| local.format("%Y-%m-%d").to_string())
                };
                let today = count(before.iter().filter(|at| day(**at) == day(now)).count());
                if today >= u64::from(*max) {
                    found.push(format!(
                        "its number had been tried {today} times that day in {zone}, of {max} allowed"
                    ));
                }
            }
        }
        if let Some(max) = self.in_all.filter(|max| count(before.len()) >= u64::from(*max)) {
            found.push(format!("its number had been tried {} times, of {max} allowed in all", before.len()));
        }
        found
    }
}

/// A name as data has it.
fn written(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn read_holidays(text: &str) -> (HashMap<String, HashSet<String>>, (String, String)) {
    let (mut holidays, mut covers) = (HashMap::new(), (String::new(), String::new()));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        match words.next() {
            Some("covers") => {
                let mut word = || words.next().unwrap_or_default().to_owned();
                covers = (word(), word());
            }
            Some("version" | "made") | None => {}
            Some(area) => {
                let (mut year, mut days) = ("", HashSet::new());
                for word in words {
                    // Years of this table begin with 20, and there is no month 20.
                    match word.starts_with("20") {
                        true => year = word,
                        false => drop(days.insert(format!("{year}-{}-{}", &word[..2], &word[2..]))),
                    }
                }
                holidays.insert(area.to_owned(), days);
            }
        }
    }
    (holidays, covers)
}

/// Prefixes and the names of their sets.
fn read_prefixes(text: &'static str, sets: &str, prefixes: &str) -> HashMap<&'static str, Vec<&'static str>> {
    let lines = |start: &str| -> Vec<Vec<&'static str>> {
        text.lines()
            .filter_map(|line| line.strip_prefix(start))
            .map(|line| line.split(' ').collect())
            .collect()
    };
    let sets: HashMap<&str, Vec<&str>> =
        lines(sets).into_iter().map(|words| (words[0], words[1..].to_vec())).collect();
    let mut found = HashMap::new();
    for words in lines(prefixes) {
        let names = sets.get(words[0]).cloned().unwrap_or_default();
        found.extend(words[1..].iter().map(|prefix| (*prefix, names.clone())));
    }
    found
}

fn digits(phone: &PhoneNumber) -> &str {
    phone.as_str().trim_start_matches('+')
}

fn longest(table: &HashMap<&'static str, Vec<&'static str>>, digits: &str) -> Vec<&'static str> {
    let prefixes = (1..=digits.len()).rev().map(|length| &digits[..length]);
    prefixes.filter_map(|prefix| table.get(prefix)).next().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{CampaignState, GateFacts, MayCall, may_call, whereabouts};
    use crate::packs::ConsentLevel;
    use crate::why::Why;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn caps_count_what_came_before() {
        let kept = |place: &str| Kept { place: place.parse().expect("whereabouts"), packs: vec![] };
        let broken = |caps: Option<Caps>, before: &[i64]| caps.map_or(0, |caps| caps.broken(before, 0).len());
        let florida = || Caps::of(&Rules::default(), Some(&kept("America/New_York;US-FL")));
        assert_eq!(broken(florida(), &[-24 * HOUR, -2 * HOUR, -HOUR]), 0);
        assert_eq!(broken(florida(), &[-23 * HOUR, -2 * HOUR, -HOUR]), 1);
        assert!(Caps::of(&Rules::default(), Some(&kept("America/New_York;US-GA"))).is_none());
        let own = |text: &str| {
            let rules: Rules = serde_json::from_str(text).expect("rules");
            Caps::of(&rules, Some(&kept("Asia/Kolkata;IN")))
        };
        // 1970 begins at 05:30 in Kolkata.
        assert_eq!(broken(own(r#"{"caps": {"per_day": 1}}"#), &[-6 * HOUR]), 0);
        assert_eq!(broken(own(r#"{"caps": {"per_day": 1}}"#), &[-5 * HOUR]), 1);
        assert_eq!(broken(own(r#"{"caps": {"in_all": 2}}"#), &[-9_000 * HOUR, -5 * HOUR]), 1);
    }

    /// Two readings of one table, by code that shares nothing.
    #[test]
    fn the_judge_and_the_gate_find_the_same_places() {
        let mut seed = 1_u64;
        for _ in 0..5_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let phone: PhoneNumber =
                format!("+{}", 10_000_000_000 + (seed >> 20) % 989_999_999_999).parse().expect("a number");
            let areas: Vec<String> =
                crate::places::areas_of(&phone).iter().map(ToString::to_string).collect();
            assert_eq!(Book::get().areas_of(&phone), areas, "{}", phone.as_str());
            assert_eq!(Book::get().zones_of(&phone), crate::places::zones_of(&phone), "{}", phone.as_str());
            if seed.is_multiple_of(50) {
                for area in crate::places::areas_of(&phone) {
                    let (ours, theirs) =
                        (Book::get().zones_in(&area.to_string()), crate::places::zones_in(*area));
                    let names = |zones: Vec<Tz>| zones.iter().map(|zone| zone.name()).collect::<HashSet<_>>();
                    assert_eq!(names(ours), names(theirs), "{area}");
                }
            }
        }
    }

    /// Numbers of every pack, rules of several kinds, any time of some years: where the gate lets
    /// a call through the judge finds nothing, and where it does not, the judge finds why.
    #[test]
    fn the_judge_and_the_gate_agree_on_every_law() {
        let phones = [
            "+919876543210",
            "+13055550100",
            "+12125550100",
            "+18505550100",
            "+19075550100",
            "+14165550100",
            "+18675550100",
            "+442079460000",
            "+61491570156",
            "+61730000000",
            "+4930123456",
            "+33123456789",
            "+34612345678",
            "+351912345678",
        ];
        let all_week = r#""calendar": [{"days": ["mon","tue","wed","thu","fri","sat","sun"], "from": "00:00", "to": "24:00"}]"#;
        let kinds = [
            "{}".to_owned(),
            format!("{{{all_week}}}"),
            format!(r#"{{{all_week}, "purpose": "collections", "holidays": ["public", "12-24"]}}"#),
            format!(r#"{{{all_week}, "purpose": "service", "voice": "human", "holidays": ["2027-03-01"]}}"#),
        ];
        let (mut seed, mut calls, mut waits) = (7_u64, 0, 0);
        let mut draw = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or(0) % below
        };
        for _ in 0..4_000 {
            let facts = GateFacts {
                campaign: CampaignState::Running,
                account_ready: true,
                phone: phones[draw(phones.len())].parse().ok(),
                consents: vec![Consent {
                    level: ConsentLevel::ExpressWritten,
                    purpose: None,
                    source: "form".into(),
                    given_at: Moment::UNIX_EPOCH,
                    expires_at: None,
                    revoked_at: None,
                }],
                ..GateFacts::default()
            };
            let rules: Rules = serde_json::from_str(&kinds[draw(kinds.len())]).expect("rules");
            let minutes = i64::try_from(draw(5 * 366 * 24 * 60)).unwrap_or(0);
            let now = "2026-01-01T00:00:00Z".parse::<Moment>().expect("a time") + TimeDelta::minutes(minutes);
            let place = whereabouts(&facts, None).expect("a place");
            let areas: Vec<String> = place.areas().iter().map(ToString::to_string).collect();
            let own = Hours::read(&rules.calendar);
            let kept = place.zones().iter().all(|zone| own.hold(*zone, now))
                && BOOK.breaches(&areas, place.zones(), &rules, now).is_empty();
            match may_call(&facts, Some(&rules), now) {
                MayCall::Now { .. } => {
                    assert!(kept, "{place} at {now}");
                    calls += 1;
                }
                MayCall::NotBefore(..) | MayCall::Held(Why::NeverOpens) => {
                    assert!(!kept, "{place} at {now}");
                    waits += 1;
                }
                other => panic!("{other:?} for {place} {now}"),
            }
        }
        assert!(calls > 500 && waits > 500, "{calls} calls, {waits} waits");
    }
}
