//! The written form of a calendar: `"none"`, or a list of windows.

use std::fmt;

use chrono::Weekday;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Calendar;
use super::windows::{CalendarError, Hours, TimeOfDay, WeeklyWindows};

/// The name of the open calendar.
const OPEN: &str = "none";

/// A window as it is written: `{"days": ["mon", "tue"], "from": "10:00", "to": "19:00"}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowForm {
    days: Vec<String>,
    from: String,
    to: String,
}

impl WindowForm {
    /// `window` is its place in the list, from 1.
    fn read(self, window: usize) -> Result<Hours, CalendarError> {
        let day = |text: &String| {
            read_day(text).ok_or_else(|| CalendarError::UnknownDay { window, day: text.clone() })
        };
        let time =
            |field, text: String| text.parse().map_err(|_| CalendarError::BadTime { window, field, text });
        Ok(Hours {
            days: self.days.iter().map(day).collect::<Result<_, _>>()?,
            from: time("from", self.from)?,
            to: time("to", self.to)?,
        })
    }

    fn write(hours: &Hours) -> Self {
        let name = |day: &Weekday| day.to_string().to_ascii_lowercase();
        let text = |time: TimeOfDay| time.to_string();
        Self { days: hours.days.iter().map(name).collect(), from: text(hours.from), to: text(hours.to) }
    }
}

/// Reads `mon` or `monday`, in any case; nothing in between.
fn read_day(text: &str) -> Option<Weekday> {
    // chrono takes exactly the short and the whole names.
    text.trim().parse().ok()
}

impl Serialize for Calendar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open => serializer.serialize_str(OPEN),
            Self::Weekly(windows) => serializer.collect_seq(windows.windows().iter().map(WindowForm::write)),
        }
    }
}

impl<'de> Deserialize<'de> for Calendar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CalendarVisitor)
    }
}

struct CalendarVisitor;

impl<'de> Visitor<'de> for CalendarVisitor {
    type Value = Calendar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a calendar: \"none\", or a list of windows such as \
             {\"days\": [\"mon\", \"tue\"], \"from\": \"10:00\", \"to\": \"19:00\"}",
        )
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Calendar, E> {
        match name {
            OPEN => Ok(Calendar::Open),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Calendar, A::Error> {
        let mut windows = Vec::new();
        loop {
            let window = windows.len() + 1;
            let form = list.next_element::<WindowForm>();
            let form =
                form.map_err(|error| A::Error::custom(format_args!("calendar window {window}: {error}")))?;
            let Some(form) = form else { break };
            windows.push(form.read(window).map_err(A::Error::custom)?);
        }
        WeeklyWindows::new(windows).map(Calendar::Weekly).map_err(A::Error::custom)
    }
}
