//! Numbering plans: which lengths and ranges exist behind a country code.
//!
//! The data is that of Google's libphonenumber, as carried by the crate `phonenumber`. We take
//! its tables and not its parser, which skips over letters, guesses, and strips national
//! prefixes twice.

use std::collections::BTreeSet;
use std::fmt;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{MAX_DIGITS, MIN_DIGITS, PhoneError};

/// What is dialled before a country code, where that is not `00` (or not only). North
/// America's holds for all of +1.
const INTERNATIONAL_PREFIXES: [(u16, &str); 3] = [(1, "011"), (61, "0011"), (81, "010")];

/// The id that the data gives to country codes of no country, such as +800 (UN M.49: world).
const WORLD: &str = "001";

/// A region that phone numbers belong to: an ISO 3166 two-letter code, in capitals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 2]);

impl Region {
    /// Reads a two-letter code in any case; the region must have phone numbers.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let upper = text.trim().to_ascii_uppercase();
        match (upper.as_bytes(), DATABASE.by_id(upper.as_str())) {
            ([a, b], Some(_)) => Ok(Self([*a, *b])),
            _ => Err(PhoneError::UnknownRegion(text.to_owned())),
        }
    }

    /// The code, in capitals.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a region is made of ASCII letters")
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// How well a number (without its country code) fits a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// In a range known to be in use.
    Known,
    /// Of a length and shape that exist, in no known range.
    Possible,
    /// No line has such a number.
    Impossible,
}

/// The regions behind one country code, the main one first.
pub(super) struct Plan {
    code: u16,
    regions: Vec<&'static Metadata>,
}

impl Plan {
    /// The plan of a default region: an ISO 3166 code, or a country code with or without `+`.
    pub(super) fn of_region(text: &str) -> Result<Self, PhoneError> {
        let code = match text.trim().trim_start_matches('+').parse::<u16>() {
            Ok(code) => code,
            Err(_) => {
                let region = Region::parse(text)?;
                DATABASE.by_id(region.as_str()).map_or(0, Metadata::country_code)
            }
        };
        Self::of_code(code).ok_or_else(|| PhoneError::UnknownRegion(text.to_owned()))
    }

    /// Splits the digits of an international number at the end of its country code.
    pub(super) fn split(digits: &str) -> Option<(Self, &str)> {
        // No country code is the beginning of another, so the first that fits is the one.
        (1..=3).find_map(|length| {
            let (code, national) = digits.split_at_checked(length)?;
            if code.starts_with('0') {
                return None;
            }
            Some((Self::of_code(code.parse().ok()?)?, national))
        })
    }

    fn of_code(code: u16) -> Option<Self> {
        DATABASE.by_code(&code).map(|regions| Self { code, regions })
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// What follows the international prefix, if the digits begin with one.
    pub(super) fn strip_international<'a>(&self, digits: &'a str) -> Option<&'a str> {
        INTERNATIONAL_PREFIXES
            .into_iter()
            .find_map(|(code, prefix)| digits.strip_prefix(prefix).filter(|_| code == self.code))
            .or_else(|| digits.strip_prefix("00"))
    }

    /// The number without what is dialled before it inside the country (mostly a 0).
    pub(super) fn strip_trunk<'a>(&self, national: &'a str) -> Option<&'a str> {
        national.strip_prefix(self.trunk()?)
    }

    /// The number as it is dialled from abroad, where that is more than leaving a prefix out:
    /// Argentina's mobiles lose a 15 in the middle and get a 9 in front.
    pub(super) fn transform(&self, national: &str) -> Option<String> {
        let main = self.regions.first()?;
        main.national_prefix_transform_rule()?;
        let number = phonenumber::parse(main.id().parse().ok(), national).ok()?;
        (number.country().code() == self.code).then(|| number.national().to_string())
    }

    pub(super) fn fit(&self, national: &str) -> Fit {
        let total = national.len() + self.code.to_string().len();
        if !(MIN_DIGITS..=MAX_DIGITS).contains(&total) {
            Fit::Impossible
        } else if self.region_with(national).is_some() {
            Fit::Known
        } else if self.lengths().contains(&national.len())
            && self.strip_trunk(national).is_none()
            && self.regions.iter().any(|region| region.descriptors().general().is_match(national))
        {
            Fit::Possible
        } else {
            Fit::Impossible
        }
    }

    /// The region of a number in a known range, else all regions of the plan.
    pub(super) fn regions_of(&self, national: &str) -> Vec<Region> {
        let regions = match self.region_with(national) {
            Some(region) => vec![region],
            None => self.regions.clone(),
        };
        let ids = regions.into_iter().map(Metadata::id).filter(|id| *id != WORLD);
        ids.filter_map(|id| Region::parse(id).ok()).collect()
    }

    /// What is wrong with an impossible number.
    pub(super) fn misfit(&self, national: &str) -> PhoneError {
        let (found, lengths) = (self.strip_trunk(national).unwrap_or(national).len(), self.lengths());
        if lengths.contains(&found) || lengths.contains(&national.len()) {
            return PhoneError::NoSuchNumber(self.code);
        }
        PhoneError::WrongLength { code: self.code, found, expected: in_words(&lengths) }
    }

    fn trunk(&self) -> Option<&'static str> {
        self.regions.first()?.national_prefix()
    }

    /// The first region with a known range that holds the number.
    fn region_with(&self, national: &str) -> Option<&'static Metadata> {
        self.regions.iter().copied().find(|region| {
            let leads = region.leading_digits();
            leads.is_none_or(|r| r.find(national).is_some_and(|found| found.start() == 0))
                && ranges(region).any(|range| range.is_match(national))
        })
    }

    /// Lengths of the lines that a person may answer, without the country code.
    fn lengths(&self) -> BTreeSet<usize> {
        let personal: BTreeSet<usize> = self.regions.iter().flat_map(|r| personal(r)).collect();
        if !personal.is_empty() {
            return personal;
        }
        let any = self.regions.iter().flat_map(|r| ranges(r)).flat_map(Descriptor::possible_length);
        any.copied().map(usize::from).collect()
    }
}

fn personal(region: &'static Metadata) -> impl Iterator<Item = usize> {
    let all = region.descriptors();
    let kinds = [all.fixed_line(), all.mobile(), all.voip(), all.personal_number()];
    kinds.into_iter().flatten().flat_map(Descriptor::possible_length).copied().map(usize::from)
}

fn ranges(region: &'static Metadata) -> impl Iterator<Item = &'static Descriptor> {
    let all = region.descriptors();
    let kinds = [
        all.mobile(),
        all.fixed_line(),
        all.voip(),
        all.personal_number(),
        all.toll_free(),
        all.shared_cost(),
        all.premium_rate(),
        all.uan(),
        all.pager(),
        all.voicemail(),
    ];
    kinds.into_iter().flatten()
}

/// `10`, `9 or 10`, `6, 8 or 9`; from four lengths on `5 to 15`.
fn in_words(lengths: &BTreeSet<usize>) -> String {
    let words: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    match words.as_slice() {
        [] => "no length we know".to_owned(),
        [only] => only.clone(),
        [first, .., last] if words.len() > 3 => format!("{first} to {last}"),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}
