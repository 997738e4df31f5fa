//! Limits, as fields of a form, and back.

use std::collections::HashMap;

use askama::Template;
use chrono_tz::Tz;
use outdial_workflows::limits::Limit;
use outdial_workflows::money::Minor;

use super::show::Html;
use crate::http::Problem;
use crate::http::v1::input::wrong;

/// So many rates have fields.
const RATES: usize = 2;

/// What a form asks for. What it has no fields for stands beside them, as JSON, and stays.
#[derive(Clone, Debug, Default, PartialEq, Template)]
#[template(path = "limits_fields.html")]
pub(super) struct LimitFields {
    /// Calls at once.
    at_once: String,
    /// Requests, and in how many seconds.
    rates: [(String, String); RATES],
    /// Seconds between two requests.
    delay_s: String,
    /// What a day and a call may cost, in minor units, and by whose clock days are counted.
    spend: (String, String, String),
    /// All others.
    others: String,
}

impl LimitFields {
    pub(super) fn of(limits: &[Limit]) -> Self {
        let mut fields = Self::default();
        let mut others = vec![];
        let mut rates = 0;
        for limit in limits {
            match limit {
                Limit::Concurrent { max } if fields.at_once.is_empty() => fields.at_once = max.to_string(),
                Limit::Rate { max, per_ms } if rates < RATES => {
                    fields.rates[rates] = (max.to_string(), seconds(*per_ms));
                    rates += 1;
                }
                Limit::Delay { ms } if fields.delay_s.is_empty() => fields.delay_s = seconds(*ms),
                Limit::Spend { per_day, per_call, zone } if fields.spend.0.is_empty() => {
                    fields.spend = (per_day.0.to_string(), per_call.0.to_string(), zone.name().to_owned());
                }
                other => others.push(other),
            }
        }
        if !others.is_empty() {
            fields.others = serde_json::to_string_pretty(&others).unwrap_or_default();
        }
        fields
    }

    pub(super) fn html(&self) -> Result<Html, Problem> {
        Ok(Html(self.render().map_err(|error| Problem::ours(&error))?))
    }
}

/// What was given in the fields; empty ones limit nothing.
pub(super) fn read(given: &HashMap<String, String>) -> Result<Vec<Limit>, Problem> {
    let text = |name: &str| given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut limits = vec![];
    if let Some(max) = text("at_once") {
        limits.push(Limit::Concurrent { max: whole("at_once", max)? });
    }
    for n in 1..=RATES {
        let (of, per) = (format!("rate_{n}"), format!("rate_{n}_s"));
        match (text(&of), text(&per)) {
            (Some(max), Some(s)) => {
                limits.push(Limit::Rate { max: whole(&of, max)?, per_ms: milliseconds(&per, s)? });
            }
            (Some(_), None) => return Err(wrong(&per, "say in how many seconds")),
            (None, Some(_)) => return Err(wrong(&of, "say how many requests")),
            (None, None) => {}
        }
    }
    if let Some(s) = text("delay_s") {
        limits.push(Limit::Delay { ms: milliseconds("delay_s", s)? });
    }
    match (text("spend_per_day"), text("spend_per_call")) {
        (Some(day), Some(call)) => {
            let minor = |place, text| -> Result<Minor, Problem> { whole(place, text).map(Minor) };
            let zone = text("spend_zone").unwrap_or("UTC");
            let zone: Tz =
                zone.parse().map_err(|_| wrong("spend_zone", format!("`{zone}` is no time zone")))?;
            let (per_day, per_call) = (minor("spend_per_day", day)?, minor("spend_per_call", call)?);
            limits.push(Limit::Spend { per_day, per_call, zone });
        }
        (Some(_), None) => return Err(wrong("spend_per_call", "say what a call is taken to cost")),
        (None, Some(_)) => return Err(wrong("spend_per_day", "say what a day may cost")),
        (None, None) => {}
    }
    limits.extend(list("limits", text("limits").unwrap_or_default())?);
    Ok(limits)
}

/// A list of limits as JSON.
pub(super) fn list(place: &str, text: &str) -> Result<Vec<Limit>, Problem> {
    match text.trim() {
        "" => Ok(vec![]),
        text => serde_json::from_str(text).map_err(|error| wrong(place, error.to_string())),
    }
}

fn whole(place: &str, text: &str) -> Result<u32, Problem> {
    text.parse()
        .map_err(|_| wrong(place, format!("`{text}` is no whole number; give one from 1, or leave it empty")))
}

fn seconds(ms: u32) -> String {
    let (whole, rest) = (ms / 1_000, ms % 1_000);
    match rest {
        0 => whole.to_string(),
        rest => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

/// Seconds with up to three places, in milliseconds.
fn milliseconds(place: &str, text: &str) -> Result<u32, Problem> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let read = || {
        let sound =
            digits(whole) && digits(part) && part.len() <= 3 && !(whole.is_empty() && part.is_empty());
        let ms: u64 = sound.then(|| format!("{whole}{part:0<3}").parse().ok()).flatten()?;
        u32::try_from(ms).ok()
    };
    read().ok_or_else(|| wrong(place, format!("`{text}` is no time; give seconds, such as 60 or 0.25")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a browser sends the fields back.
    fn sent(fields: &LimitFields) -> HashMap<String, String> {
        let LimitFields { at_once, rates, delay_s, spend, others } = fields.clone();
        let [(rate_1, rate_1_s), (rate_2, rate_2_s)] = rates;
        let (day, call, zone) = spend;
        [
            ("at_once", at_once),
            ("rate_1", rate_1),
            ("rate_1_s", rate_1_s),
            ("rate_2", rate_2),
            ("rate_2_s", rate_2_s),
            ("delay_s", delay_s),
            ("spend_per_day", day),
            ("spend_per_call", call),
            ("spend_zone", zone),
            ("limits", others),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    #[test]
    fn limits_are_the_same_once_they_went_through_the_fields() {
        let all = r#"[{"limit": "concurrent", "max": 30}, {"limit": "rate", "max": 200, "per_ms": 60000},
            {"limit": "rate", "max": 1, "per_ms": 250}, {"limit": "delay", "ms": 1500},
            {"limit": "spend", "per_day": 500000, "per_call": 250, "zone": "Asia/Kolkata"},
            {"limit": "rate", "max": 9, "per_ms": 1000}]"#;
        for text in ["[]", r#"[{"limit": "delay", "ms": 100}]"#, all] {
            let limits = list("limits", text).map_err(|_| ()).expect("limits");
            let again = read(&sent(&LimitFields::of(&limits))).map_err(|_| ()).expect("fields");
            assert_eq!(again, limits, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_limit_is_refused() {
        for (name, value) in [
            ("at_once", "many"),
            ("at_once", "-1"),
            ("rate_1", "5"),
            ("rate_1_s", "5"),
            ("delay_s", "1.2345"),
            ("delay_s", "."),
            ("delay_s", "1s"),
            ("spend_per_day", "5"),
            ("spend_per_call", "5"),
            ("limits", "[{}]"),
        ] {
            assert!(read(&[(name.to_owned(), value.to_owned())].into()).is_err(), "{name}: {value}");
        }
    }
}
