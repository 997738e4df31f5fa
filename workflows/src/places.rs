//! Where a phone may be: from the digits of its number to areas and time zones.
//!
//! Several answers are normal (an area code on a zone's border, a mobile in Australia), and
//! then all of them count: calls must be allowed in every one. The table is made from public
//! data by `workflows/data/make_places.py`, errs towards more places rather than fewer, and
//! names its version. Numbers of no country (+800) are in no place.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::calendar::parse_zone;
use crate::phone::{PhoneNumber, Region};

/// The table, as it was made.
pub(crate) const NUMBERS: &str = include_str!("places/numbers.txt");

/// A country, or a part of one: ISO 3166-1 and 3166-2, such as `IN` or `US-FL`.
///
/// A country without a part means that the part is not known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area {
    country: Region,
    /// One to three capitals or digits, filled up with zeros; all zeros for the whole country.
    part: [u8; 3],
}

/// The text is not an area.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a region; write a country as IN, or a state or province with its country as US-FL (ISO 3166)"
)]
pub struct BadArea(pub String);

impl Area {
    /// The country.
    pub fn country(&self) -> Region {
        self.country
    }

    /// Whether the part of the country is known.
    pub fn has_part(&self) -> bool {
        self.part != [0; 3]
    }

    /// The part's code without its country, as `FL`; empty if it is not known.
    pub fn part(&self) -> &str {
        str::from_utf8(&self.part).unwrap_or_default().trim_end_matches('\0')
    }

    /// Whether something said of `self` may concern somebody in `other`: the same country, and
    /// not known to be another part of it.
    pub fn may_hold(&self, other: Self) -> bool {
        self.country == other.country && (self.part == other.part || !self.has_part() || !other.has_part())
    }
}

impl FromStr for Area {
    type Err = BadArea;

    fn from_str(text: &str) -> Result<Self, BadArea> {
        let bad = || BadArea(text.to_owned());
        let upper = text.trim().to_ascii_uppercase();
        let (country, part) = upper.split_once('-').map_or((upper.as_str(), None), |(c, p)| (c, Some(p)));
        let mut area = Self { country: Region::parse(country).map_err(|_| bad())?, part: [0; 3] };
        if let Some(part) = part {
            let sound = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            area.part
                .get_mut(..part.len())
                .filter(|_| sound)
                .ok_or_else(bad)?
                .copy_from_slice(part.as_bytes());
        }
        Ok(area)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.has_part() {
            true => write!(f, "{}-{}", self.country, self.part()),
            false => write!(f, "{}", self.country),
        }
    }
}

impl fmt::Debug for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Area {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Area {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where somebody may be: every zone and every area that is possible.
///
/// The key of a lane: leads of a campaign with the same whereabouts may be called at the same
/// times. It has one written form, `America/Chicago,America/Denver;US-NE`, with the names in
/// order, for storing and for comparing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whereabouts {
    zones: Vec<Tz>,
    areas: Vec<Area>,
}

impl Whereabouts {
    /// These zones and areas, in any order.
    pub fn new(zones: impl IntoIterator<Item = Tz>, areas: impl IntoIterator<Item = Area>) -> Self {
        let (mut zones, mut areas): (Vec<_>, Vec<_>) =
            (zones.into_iter().collect(), areas.into_iter().collect());
        zones.sort_unstable_by_key(|zone| zone.name());
        zones.dedup();
        areas.sort_unstable();
        areas.dedup();
        Self { zones, areas }
    }

    /// The zones by whose clocks calls must be allowed, by name.
    pub fn zones(&self) -> &[Tz] {
        &self.zones
    }

    /// The areas whose rules must be kept, by name.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, zone) in self.zones.iter().enumerate() {
            write!(f, "{}{zone}", if nth == 0 { "" } else { "," })?;
        }
        f.write_str(";")?;
        for (nth, area) in self.areas.iter().enumerate() {
            write!(f, "{}{area}", if nth == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The text is not the written form of whereabouts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a list of zones, a semicolon and a list of regions, as Asia/Kolkata;IN")]
pub struct BadWhereabouts(pub String);

impl FromStr for Whereabouts {
    type Err = BadWhereabouts;

    fn from_str(text: &str) -> Result<Self, BadWhereabouts> {
        let bad = || BadWhereabouts(text.to_owned());
        let (zones, areas) = text.split_once(';').ok_or_else(bad)?;
        let list = |part: &str| part.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let (zones, areas): (Vec<String>, Vec<String>) = (list(zones), list(areas));
        let zones: Result<Vec<Tz>, _> = zones.iter().map(|name| parse_zone(name)).collect();
        let areas: Result<Vec<Area>, _> = areas.iter().map(|name| name.parse()).collect();
        Ok(Self::new(zones.map_err(|_| bad())?, areas.map_err(|_| bad())?))
    }
}

impl PartialOrd for Whereabouts {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Whereabouts {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let names = |of: &Self| of.zones.iter().map(|zone| zone.name()).collect::<Vec<_>>();
        names(self).cmp(&names(other)).then_with(|| self.areas.cmp(&other.areas))
    }
}

impl Serialize for Whereabouts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Whereabouts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Every zone that the number may be in; empty if nothing is known of it.
pub fn zones_of(number: &PhoneNumber) -> &'static [Tz] {
    TABLE.zones.find(number)
}

/// Every area that the number may be in; empty if nothing is known of it.
pub fn areas_of(number: &PhoneNumber) -> &'static [Area] {
    TABLE.areas.find(number)
}

/// Every zone that somebody in the area may be in, by the numbers that are given out there;
/// empty if nothing is known of it.
pub fn zones_in(area: Area) -> Vec<Tz> {
    let (all, sets) = (&TABLE.areas.by_prefix, &TABLE.areas.sets);
    let holds = |set: &[Area]| set.iter().any(|its| its.may_hold(area));
    // Prefixes that several countries share say too little, if there are others.
    let its_own = |set: &[Area]| holds(set) && set.iter().all(|its| its.country() == area.country());
    let any_own = sets.iter().any(|set| its_own(set));
    let fits = |set: &[Area]| if any_own { its_own(set) } else { holds(set) };
    let prefixes = all.iter().filter(|(_, set)| fits(&sets[usize::from(*set)]));
    let mut zones: Vec<Tz> =
        prefixes.flat_map(|(prefix, _)| TABLE.zones.find_key(*prefix)).copied().collect();
    zones.sort_unstable_by_key(|zone| zone.name());
    zones.dedup();
    zones
}

/// The data's name and version, as `phonenumbers-9.0.43`.
pub fn version() -> &'static str {
    TABLE.version
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(NUMBERS).expect("the table was tested"));

struct Table {
    version: &'static str,
    zones: Prefixes<Tz>,
    areas: Prefixes<Area>,
}

/// Sets by number, and which prefix has which.
struct Prefixes<T: 'static> {
    sets: Vec<Vec<T>>,
    /// Sorted. A prefix is written as a number with a 1 before it, so that `12` is not `012`.
    by_prefix: Vec<(u32, u16)>,
    longest: usize,
}

impl<T> Prefixes<T> {
    fn new() -> Self {
        Self { sets: Vec::new(), by_prefix: Vec::new(), longest: 0 }
    }

    /// The set of the longest prefix of a number.
    fn find(&self, number: &PhoneNumber) -> &[T] {
        let digits = number.as_str().trim_start_matches('+');
        key(&digits[..self.longest.min(digits.len())]).map_or(&[], |key| self.find_key(key))
    }

    /// The set of the longest prefix of a prefix.
    fn find_key(&self, key: u32) -> &[T] {
        let shorter = std::iter::successors(Some(key), |key| (*key > 19).then_some(key / 10));
        let found = shorter.into_iter().find_map(|key| {
            let place = self.by_prefix.binary_search_by_key(&key, |(prefix, _)| *prefix).ok()?;
            self.sets.get(usize::from(self.by_prefix[place].1))
        });
        found.map_or(&[], Vec::as_slice)
    }
}

/// Prefixes of up to nine digits fit.
fn key(prefix: &str) -> Option<u32> {
    prefix.bytes().try_fold(1_u32, |key, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        key.checked_mul(10)?.checked_add(digit.into())
    })
}

impl Table {
    fn read(text: &'static str) -> Option<Self> {
        let mut table = Self { version: "", zones: Prefixes::new(), areas: Prefixes::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (kind, rest) = line.split_once(' ')?;
            match kind {
                "version" => table.version = rest,
                "made" => {}
                "Z" => table.zones.set(rest, |name| name.parse().ok())?,
                "A" => table.areas.set(rest, |name| name.parse().ok())?,
                "z" => table.zones.prefixes(rest)?,
                "a" => table.areas.prefixes(rest)?,
                _ => return None,
            }
        }
        table.zones.by_prefix.sort_unstable();
        table.areas.by_prefix.sort_unstable();
        (!table.version.is_empty()).then_some(table)
    }
}

impl<T> Prefixes<T> {
    fn set(&mut self, line: &str, read: impl Fn(&str) -> Option<T>) -> Option<()> {
        let (number, names) = line.split_once(' ')?;
        (number.parse() == Ok(self.sets.len())).then_some(())?;
        self.sets.push(names.split(' ').map(read).collect::<Option<_>>()?);
        Some(())
    }

    fn prefixes(&mut self, line: &str) -> Option<()> {
        let (number, prefixes) = line.split_once(' ')?;
        let set: u16 = number.parse().ok().filter(|set| usize::from(*set) < self.sets.len())?;
        for prefix in prefixes.split(' ') {
            self.by_prefix.push((key(prefix)?, set));
            self.longest = self.longest.max(prefix.len());
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_says_what_it_is() {
        let table = Table::read(NUMBERS).expect("the table reads");
        assert!(table.version.starts_with("phonenumbers-"));
        assert!(table.zones.by_prefix.len() > 1_000 && table.areas.by_prefix.len() > 1_000);
        let doubles = |by_prefix: &[(u32, u16)]| by_prefix.windows(2).any(|pair| pair[0].0 == pair[1].0);
        assert!(!doubles(&table.zones.by_prefix) && !doubles(&table.areas.by_prefix));
    }

    #[test]
    fn every_zone_is_one_that_may_be_written_on_a_lead() {
        for zone in TABLE.zones.sets.iter().flatten() {
            assert_eq!(parse_zone(zone.name()), Ok(*zone));
        }
    }
}
