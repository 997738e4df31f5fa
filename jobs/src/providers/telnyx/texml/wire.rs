//! TeXML's JSON, read leniently.

use chrono::DateTime;
use outdial_workflows::Moment;
use serde::Deserialize;

use crate::providers::telnyx::wire::text;

/// What a dial is answered with: not wrapped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Accepted {
    #[serde(deserialize_with = "text")]
    pub(super) call_sid: Option<String>,
}

/// A page of the list of calls.
#[derive(Debug, Deserialize)]
pub(super) struct Calls {
    /// Required: a body without it is no empty list.
    pub(super) calls: Vec<Call>,
    #[serde(default, deserialize_with = "text")]
    pub(super) next_page_uri: Option<String>,
}

/// A call, as reads show it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    #[serde(deserialize_with = "text")]
    pub(super) sid: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) from: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) direction: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) answered_by: Option<String>,
    /// Seconds.
    #[serde(deserialize_with = "text")]
    pub(super) duration: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) end_time: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) date_created: Option<String>,
    /// US dollars.
    #[serde(deserialize_with = "text")]
    pub(super) price: Option<String>,
}

/// Reads write dates by RFC 2822. Callbacks write them by ISO 8601, in an older description with a blank
/// instead of the `T`.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    let date = DateTime::parse_from_rfc2822(text)
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .or_else(|_| DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)));
    date.ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_each_of_their_forms() {
        for (text, second) in [
            ("Thu, 15 Jun 2023 09:56:45 +0000", Some(1_686_823_005)),
            ("Thu, 15 Jun 2023 11:56:45 +0200", Some(1_686_823_005)),
            ("2023-06-15T09:56:45.250Z", Some(1_686_823_005)),
            ("2023-06-15 09:56:45.250000Z", Some(1_686_823_005)),
            ("2023-06-15", None),
            ("soon", None),
        ] {
            assert_eq!(moment(text).map(|at| at.timestamp()), second, "{text}");
        }
    }
}
