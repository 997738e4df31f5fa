//! A campaign's own holidays, as they are written: `"2026-12-24"`, `"12-25"`, `"public"`.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A day, or days, on which a campaign calls nobody, by the calendar of the called person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnHoliday {
    /// The public holidays of the countries where the person may be, and of their states where
    /// those are known.
    Public,
    /// One day.
    On(NaiveDate),
    /// The same day every year; 29 February only in leap years.
    Yearly {
        /// 1 to 12.
        month: u32,
        /// 1 to 31.
        day: u32,
    },
}

/// The text is not a holiday.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a holiday; write a day as 2026-12-24, a day of every year as 12-25, or `public` for the \
     public holidays where the person is"
)]
pub struct BadHoliday(pub String);

impl FromStr for OwnHoliday {
    type Err = BadHoliday;

    fn from_str(text: &str) -> Result<Self, BadHoliday> {
        let bad = || BadHoliday(text.to_owned());
        match text.trim() {
            "public" => Ok(Self::Public),
            day if day.len() == 5 => {
                // A leap year, so that 29 February can be written.
                let day: NaiveDate = format!("2024-{day}").parse().map_err(|_| bad())?;
                Ok(Self::Yearly { month: day.month(), day: day.day() })
            }
            day => day.parse().map(Self::On).map_err(|_| bad()),
        }
    }
}

impl fmt::Display for OwnHoliday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::On(day) => write!(f, "{day}"),
            Self::Yearly { month, day } => write!(f, "{month:02}-{day:02}"),
        }
    }
}

impl Serialize for OwnHoliday {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OwnHoliday {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
