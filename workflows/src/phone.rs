//! Phone numbers: read leniently from what people type, kept strictly as E.164.
//!
//! [`PhoneNumber::parse`] is for the door (sheets, forms, the API). A number that was stored
//! comes back through [`FromStr`] or serde, which look at the form alone: numbering plans
//! change, and a lead accepted last year must still be readable after an update of the plans.
//!
//! No error repeats the number: errors end up in logs and reports, numbers must not.

mod plan;
mod text;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

pub use plan::Region;
use plan::{Fit, Plan};

/// Most digits of an E.164 number, country code included (ITU-T E.164, 6.1).
pub const MAX_DIGITS: usize = 15;

/// Fewest digits we take for a whole number, country code included.
///
/// E.164 names no minimum; the shortest subscriber numbers in use have 4 digits behind a
/// country code of 3 (Niue, +683).
pub const MIN_DIGITS: usize = 7;

/// A dialable number: `+`, then 7 to 15 digits, the first not 0 (ITU-T E.164).
///
/// `Display` and `Debug` hide most of it (`+91******10`), so that it cannot slip into a log;
/// [`PhoneNumber::as_str`] and serde give it whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// Why a text is not taken as a phone number, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PhoneError {
    /// Nothing was written.
    #[error("the phone number is empty; write it with + and its country code")]
    Empty,
    /// `9.19877E+11`: the last digits are gone, so no reading can be right.
    #[error(
        "the spreadsheet turned the phone number into a rounded number (like 9.19877E+11) and its \
         last digits are lost; format the column as text, enter the number again, and export anew"
    )]
    Scientific,
    /// `919876543210.0`: the zero behind the point would be read as a digit.
    #[error(
        "the phone number was exported as a decimal number (it ends in a point and one or two \
         digits); format the column as text and export anew"
    )]
    Decimal,
    /// An extension, which an outbound call cannot reach.
    #[error(
        "the phone number has an extension, which cannot be dialled; give a number that rings the \
         person directly"
    )]
    Extension,
    /// More than one number in one field.
    #[error("there are several phone numbers in one field; keep one, or make one lead of each")]
    Several,
    /// Letters, as in `1-800-FLOWERS` or `n/a`.
    #[error("the phone number contains letters; write it in digits")]
    Letters,
    /// A character that no way of writing numbers uses here.
    #[error(
        "the phone number contains {0:?}; write digits, and at most a leading +, spaces, dashes, \
         dots, slashes and parentheses"
    )]
    Unexpected(char),
    /// Neither a `+` nor a default region says which country is meant.
    #[error(
        "the phone number does not say its country; write + and the country code first, or give \
         the import a default region"
    )]
    NoCountry,
    /// No country has this code.
    #[error("the phone number begins with no known country code; check the digits after the +")]
    UnknownCountry,
    /// Too many or too few digits for the country.
    #[error(
        "the phone number has {found} digits after the country code +{code}, but numbers there \
         have {expected}; check for a missing or doubled digit, or a second number in the field"
    )]
    WrongLength {
        /// The country code, without `+`.
        code: u16,
        /// Digits after the country code and without a national 0.
        found: usize,
        /// The lengths that exist, for example `10` or `9 or 10`.
        expected: String,
    },
    /// A length that exists, but no numbers of that length begin so.
    #[error(
        "no phone number of +{0} looks like this; check its first digits, and for a missing or \
         doubled digit"
    )]
    NoSuchNumber(u16),
    /// The digits are a good number both with and without the country code in front.
    #[error(
        "the phone number can be read in two ways, with and without the country code +{0} in \
         front; write it with a leading +"
    )]
    Ambiguous(u16),
    /// The default region is neither an ISO 3166 code nor a country code.
    #[error(
        "`{0}` is not a region; use a two-letter ISO 3166 code such as IN, US or GB (not UK), or a \
         country code such as +91"
    )]
    UnknownRegion(String),
    /// Not in the stored form.
    #[error("not an E.164 number; write + and then 7 to 15 digits, the first not 0, nothing else")]
    NotE164,
}

impl PhoneNumber {
    /// Reads a number as people write it.
    ///
    /// `default_region` (an ISO 3166 code such as `IN`, or a country code such as `+91`) is
    /// the country of numbers written without one.
    ///
    /// A number is accepted when its country code exists, and its length and first digits are
    /// those of a line somebody may answer there, even if its range is not known to be in use
    /// ([`PhoneNumber::in_known_range`] tells). New ranges open faster than our data follows,
    /// and numbers reserved for fiction, such as Ofcom's +44 7700 900xxx, are never "in use".
    /// A wrong length is always refused.
    pub fn parse(text: &str, default_region: Option<&str>) -> Result<Self, PhoneError> {
        let written = text::read(text)?;
        let home = default_region.map(Plan::of_region).transpose()?;
        let abroad = match &home {
            _ if written.plus => Some(written.digits.as_str()),
            Some(home) => home.strip_international(&written.digits),
            None => written.digits.strip_prefix("00"),
        };
        match (abroad, home) {
            (Some(digits), _) => international(digits),
            (None, Some(home)) => national(&home, &written.digits),
            (None, None) => Err(PhoneError::NoCountry),
        }
    }

    /// The whole number, from the `+` on.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country code without `+`, if the number begins with one that exists.
    pub fn country_code(&self) -> Option<u16> {
        Plan::split(self.digits()).map(|(plan, _)| plan.code())
    }

    /// The one region the number belongs to, if that can be told.
    ///
    /// Several regions share a country code (+1, +7, +44). A number in a range we know gives
    /// its region; one outside gives a region only if its code has a single one.
    pub fn region(&self) -> Option<Region> {
        match self.possible_regions().as_slice() {
            [region] => Some(*region),
            _ => None,
        }
    }

    /// Every region the number may belong to; empty for country codes of no country (+800).
    pub fn possible_regions(&self) -> Vec<Region> {
        Plan::split(self.digits()).map_or_else(Vec::new, |(plan, national)| plan.regions_of(national))
    }

    /// Whether the number lies in a range known to be in use.
    ///
    /// False also for ranges reserved for fiction, and for ranges newer than our data: show it
    /// as a doubt in an import's report, do not refuse the lead for it.
    pub fn in_known_range(&self) -> bool {
        Plan::split(self.digits()).is_some_and(|(plan, national)| plan.fit(national) == Fit::Known)
    }

    fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    fn assemble(code: u16, national: &str) -> Self {
        Self(format!("+{code}{national}"))
    }
}

/// Reads digits that begin with a country code.
fn international(digits: &str) -> Result<PhoneNumber, PhoneError> {
    let (plan, national) = Plan::split(digits).ok_or(PhoneError::UnknownCountry)?;
    // As written first: only if that is no good was a national 0 left in, as in +44 (0)20.
    let readings = [Some(national), plan.strip_trunk(national)];
    for wanted in [Fit::Known, Fit::Possible] {
        for reading in readings.into_iter().flatten() {
            if plan.fit(reading) == wanted {
                return Ok(PhoneNumber::assemble(plan.code(), reading));
            }
        }
    }
    Err(plan.misfit(national))
}

/// Reads digits as dialled inside the country, or with its code but no `+`.
fn national(home: &Plan, digits: &str) -> Result<PhoneNumber, PhoneError> {
    let with_code = digits.strip_prefix(&home.code().to_string());
    let mut readings = vec![digits.to_owned()];
    readings.extend(home.strip_trunk(digits).map(str::to_owned));
    readings.extend(with_code.map(str::to_owned));
    readings.extend(with_code.and_then(|rest| home.strip_trunk(rest)).map(str::to_owned));
    readings.extend(home.transform(digits));
    for wanted in [Fit::Known, Fit::Possible] {
        let mut good: Vec<&str> =
            readings.iter().map(String::as_str).filter(|r| home.fit(r) == wanted).collect();
        good.sort_unstable();
        good.dedup();
        match good.as_slice() {
            [] => {}
            [only] => return Ok(PhoneNumber::assemble(home.code(), only)),
            // Better no call than one to a stranger.
            _ => return Err(PhoneError::Ambiguous(home.code())),
        }
    }
    Err(home.misfit(digits))
}

impl FromStr for PhoneNumber {
    type Err = PhoneError;

    /// Takes E.164 and nothing else.
    fn from_str(text: &str) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError::NotE164)?;
        let sound = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if sound { Ok(Self(text.to_owned())) } else { Err(PhoneError::NotE164) }
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_two = &self.0[self.0.len() - 2..];
        match self.country_code() {
            Some(code) => write!(f, "+{code}******{last_two}"),
            None => write!(f, "+******{last_two}"),
        }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
