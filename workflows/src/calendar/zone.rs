//! Time zones, by IANA name.

use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A time zone of the IANA database.
pub type Zone = Tz;

/// How many near names an error suggests.
const SUGGESTIONS: usize = 3;

/// Why a text is not taken as a time zone, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ZoneError {
    /// Nothing was written.
    #[error("the time zone is empty; write a name such as Asia/Kolkata or America/New_York")]
    Empty,
    /// An abbreviation: it leaves open which place is meant, and when its clocks change.
    #[error("`{given}` is an abbreviation, not a place; {}", remedy(.instead))]
    Abbreviation {
        /// What was written.
        given: String,
        /// Zones it may stand for.
        instead: Vec<&'static str>,
    },
    /// A fixed distance from UTC.
    #[error(
        "`{0}` is a distance from UTC, which does not say when clocks change (and Etc/GMT+5 means \
         five hours *behind*); write the place, such as Asia/Kolkata or America/New_York"
    )]
    FixedOffset(String),
    /// No zone of the IANA database.
    #[error("`{given}` is not an IANA time zone; {}", remedy(.near))]
    Unknown {
        /// What was written.
        given: String,
        /// Names that look or sound like it, the nearest first.
        near: Vec<&'static str>,
    },
}

fn remedy(names: &[&str]) -> String {
    match names {
        [] => "write a name such as Asia/Kolkata or America/New_York".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    }
}

/// Reads an IANA name, such as `Asia/Kolkata`, in any case.
///
/// Refused although IANA still lists them: abbreviations (`EST`, `CET`, `PST8PDT`, `GMT`) and
/// fixed offsets (`Etc/GMT+5`). People who write them mean a place whose clocks change, and we
/// would call an hour early for half of the year. `UTC` is taken, being no place's time.
pub fn parse_zone(text: &str) -> Result<Tz, ZoneError> {
    let given = text.trim();
    if given.is_empty() {
        return Err(ZoneError::Empty);
    }
    let upper = given.to_ascii_uppercase();
    if let Some((_, instead)) = ABBREVIATIONS.iter().find(|(short, _)| *short == upper) {
        return Err(ZoneError::Abbreviation { given: given.to_owned(), instead: instead.to_vec() });
    }
    if is_fixed_offset(&upper) {
        return Err(ZoneError::FixedOffset(given.to_owned()));
    }
    let any_case = || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(given));
    Tz::from_str(given)
        .ok()
        .or_else(any_case)
        .ok_or_else(|| ZoneError::Unknown { given: given.to_owned(), near: near(given) })
}

/// Reads an optional zone by [`parse_zone`]: for `#[serde(default, deserialize_with = "…")]`
/// on a field, since `Tz` by itself takes `EST` and suggests nothing.
pub fn read_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_zone(&text)).transpose().map_err(de::Error::custom)
}

/// `+05:30`, `UTC+5`, `GMT-3`, `Etc/GMT+5`, but not `Etc/UTC`.
fn is_fixed_offset(upper: &str) -> bool {
    let rest = upper.strip_prefix("ETC/").unwrap_or(upper);
    let rest = rest.strip_prefix("UTC").or_else(|| rest.strip_prefix("GMT")).unwrap_or(rest);
    let distance = rest.trim().trim_start_matches(['+', '-', '\u{2212}']);
    distance.len() < rest.trim().len() && distance.starts_with(|c: char| c.is_ascii_digit())
        || matches!(upper, "ETC/GMT" | "ETC/GMT0" | "ETC/GREENWICH")
}

/// Zone names near to what was written: the same city, a city IANA files under another name,
/// else the fewest changed letters.
fn near(given: &str) -> Vec<&'static str> {
    let wanted = plain(given);
    let city = last_part(&wanted);
    if let Some((_, zone)) = CITIES.iter().find(|(name, _)| *name == city) {
        return vec![zone];
    }
    let mut found: Vec<(usize, &'static str)> = TZ_VARIANTS
        .into_iter()
        .map(Tz::name)
        .filter_map(|name| Some((distance(&wanted, city, name)?, name)))
        .collect();
    found.sort_unstable();
    let best = found.first().map_or(0, |(changes, _)| *changes);
    let near = found.into_iter().filter(|(changes, _)| *changes <= best + 1);
    near.map(|(_, name)| name).take(SUGGESTIONS).collect()
}

/// How far a zone's name is from what was written, if it is near at all.
fn distance(wanted: &str, city: &str, name: &str) -> Option<usize> {
    let (whole, changes_allowed) = (plain(name), |text: &str| 1 + text.len() / 6);
    let by_whole = Some(edits(wanted, &whole)).filter(|n| *n <= changes_allowed(wanted));
    // A city of a few letters is near to everything.
    let by_city = Some(edits(city, last_part(&whole)))
        .filter(|n| *n == 0 || city.len() > 3 && *n <= changes_allowed(city));
    by_whole.into_iter().chain(by_city).min()
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(['_', '-'], " ")
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name).trim()
}

/// Levenshtein distance: letters added, left out or replaced.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// What people write for a zone, and the places it may stand for. Not complete and not meant
/// to be: others end as unknown names.
const ABBREVIATIONS: [(&str, &[&str]); 38] = [
    ("IST", &["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"]),
    ("ET", &["America/New_York", "America/Toronto"]),
    ("EST", &["America/New_York", "America/Toronto", "America/Panama"]),
    ("EDT", &["America/New_York", "America/Toronto"]),
    ("EST5EDT", &["America/New_York", "America/Toronto"]),
    ("CT", &["America/Chicago", "America/Winnipeg"]),
    ("CST", &["America/Chicago", "America/Mexico_City", "Asia/Shanghai"]),
    ("CDT", &["America/Chicago", "America/Winnipeg"]),
    ("CST6CDT", &["America/Chicago", "America/Winnipeg"]),
    ("MT", &["America/Denver", "America/Edmonton"]),
    ("MST", &["America/Denver", "America/Phoenix"]),
    ("MDT", &["America/Denver", "America/Edmonton"]),
    ("MST7MDT", &["America/Denver", "America/Edmonton"]),
    ("PT", &["America/Los_Angeles", "America/Vancouver"]),
    ("PST", &["America/Los_Angeles", "America/Vancouver", "Asia/Manila"]),
    ("PDT", &["America/Los_Angeles", "America/Vancouver"]),
    ("PST8PDT", &["America/Los_Angeles", "America/Vancouver"]),
    ("AKST", &["America/Anchorage"]),
    ("HST", &["Pacific/Honolulu", "America/Adak"]),
    ("AST", &["America/Halifax", "America/Puerto_Rico", "Asia/Riyadh"]),
    ("NST", &["America/St_Johns"]),
    ("GMT", &["Europe/London", "Africa/Accra", "UTC"]),
    ("GMT0", &["Europe/London", "Africa/Accra", "UTC"]),
    ("BST", &["Europe/London", "Asia/Dhaka"]),
    ("WET", &["Europe/Lisbon", "Atlantic/Canary"]),
    ("CET", &["Europe/Paris", "Europe/Berlin", "Africa/Algiers"]),
    ("CEST", &["Europe/Paris", "Europe/Berlin"]),
    ("MET", &["Europe/Paris", "Europe/Berlin"]),
    ("EET", &["Europe/Athens", "Europe/Kyiv", "Africa/Cairo"]),
    ("EEST", &["Europe/Athens", "Europe/Kyiv"]),
    ("MSK", &["Europe/Moscow"]),
    ("GST", &["Asia/Dubai"]),
    ("PKT", &["Asia/Karachi"]),
    ("SGT", &["Asia/Singapore"]),
    ("JST", &["Asia/Tokyo"]),
    ("AEST", &["Australia/Sydney", "Australia/Brisbane"]),
    ("AEDT", &["Australia/Sydney", "Australia/Melbourne"]),
    ("SAST", &["Africa/Johannesburg"]),
];

/// Large cities that IANA knows only by another city's name.
const CITIES: [(&str, &str); 40] = [
    ("bangalore", "Asia/Kolkata"),
    ("bengaluru", "Asia/Kolkata"),
    ("bombay", "Asia/Kolkata"),
    ("mumbai", "Asia/Kolkata"),
    ("delhi", "Asia/Kolkata"),
    ("new delhi", "Asia/Kolkata"),
    ("chennai", "Asia/Kolkata"),
    ("hyderabad", "Asia/Kolkata"),
    ("pune", "Asia/Kolkata"),
    ("ahmedabad", "Asia/Kolkata"),
    ("india", "Asia/Kolkata"),
    ("lahore", "Asia/Karachi"),
    ("islamabad", "Asia/Karachi"),
    ("beijing", "Asia/Shanghai"),
    ("shenzhen", "Asia/Shanghai"),
    ("osaka", "Asia/Tokyo"),
    ("abu dhabi", "Asia/Dubai"),
    ("boston", "America/New_York"),
    ("washington", "America/New_York"),
    ("philadelphia", "America/New_York"),
    ("atlanta", "America/New_York"),
    ("miami", "America/New_York"),
    ("houston", "America/Chicago"),
    ("dallas", "America/Chicago"),
    ("austin", "America/Chicago"),
    ("minneapolis", "America/Chicago"),
    ("san francisco", "America/Los_Angeles"),
    ("san diego", "America/Los_Angeles"),
    ("seattle", "America/Los_Angeles"),
    ("las vegas", "America/Los_Angeles"),
    ("calgary", "America/Edmonton"),
    ("ottawa", "America/Toronto"),
    ("rio de janeiro", "America/Sao_Paulo"),
    ("manchester", "Europe/London"),
    ("edinburgh", "Europe/London"),
    ("frankfurt", "Europe/Berlin"),
    ("munich", "Europe/Berlin"),
    ("hamburg", "Europe/Berlin"),
    ("milan", "Europe/Rome"),
    ("barcelona", "Europe/Madrid"),
];
