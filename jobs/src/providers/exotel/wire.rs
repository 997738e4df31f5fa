//! Exotel's JSON, read leniently: what is a number on one page is a string on the next.

use chrono::{DateTime, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use outdial_workflows::Moment;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The answer to a dial request, and a call's v1 details.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CallEnvelope {
    pub(super) call: Call,
}

/// A call as v1 shows it. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Call {
    #[serde(deserialize_with = "text")]
    pub(super) sid: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) date_created: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) end_time: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) duration: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) direction: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) recording_url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) price: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) details: Details,
}

/// What `details=true` adds.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Details {
    #[serde(deserialize_with = "text")]
    pub(super) conversation_duration: Option<String>,
}

/// A page of the list of calls.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CallList {
    /// Required: a body without it is no empty list.
    pub(super) calls: Vec<Call>,
    #[serde(default, deserialize_with = "or_default")]
    metadata: Paging,
    #[serde(default, deserialize_with = "text")]
    next_page_uri: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Paging {
    #[serde(deserialize_with = "text")]
    next_page_uri: Option<String>,
}

impl CallList {
    /// Where the next page is; the documents put it in two places.
    pub(super) fn next_page_uri(&self) -> Option<&str> {
        self.metadata.next_page_uri.as_deref().or(self.next_page_uri.as_deref())
    }
}

/// The v3 envelope around a call's details.
#[derive(Debug, Deserialize)]
pub(super) struct DetailsEnvelope {
    pub(super) response: DetailsResponse,
}

/// The inner part of the envelope.
#[derive(Debug, Deserialize)]
pub(super) struct DetailsResponse {
    pub(super) call_details: CallDetails,
}

/// A call as v3 shows it. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallDetails {
    #[serde(deserialize_with = "text")]
    pub(super) sid: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) state: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) end_time: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) total_talk_time: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) custom_field: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) recordings: Vec<Recording>,
}

/// A recording in the v3 details.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Recording {
    #[serde(deserialize_with = "text")]
    pub(super) url: Option<String>,
}

/// A string, or a number as text. Empty, null and everything else is `None`.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(scalar(&Value::deserialize(from)?))
}

/// Anything unexpected is the default.
fn or_default<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    from: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// A string or number as text; `None` if it is neither, or blank.
pub(super) fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// What an error body says, in whichever of the known forms it comes.
///
/// v1 has `RestException`, in JSON or XML; v2 and v3 have `response.error_data`. A gateway's
/// page has none, which is `None`.
pub(super) fn error_message(body: &str) -> Option<String> {
    let Ok(json) = serde_json::from_str::<Value>(body) else { return xml_message(body) };
    let exception = &json["RestException"];
    let data = &json["response"]["error_data"];
    let message =
        [&exception["Message"], &data["description"], &data["message"]].into_iter().find_map(scalar);
    let code = [&exception["Code"], &data["code"]].into_iter().find_map(scalar);
    match (message, code) {
        (Some(message), Some(code)) => Some(format!("{message} ({code})")),
        (message, code) => message.or(code),
    }
}

/// The text of the first `<Message>`.
fn xml_message(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("<Message>")?;
    let (message, _) = rest.split_once("</Message>")?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(message.trim().to_owned(), |text, (escaped, plain)| text.replace(escaped, plain));
    (!plain.is_empty()).then_some(plain)
}

/// A date with an offset, or one without that is read in `zone`. The zero date of Unix, which
/// Exotel writes for "not yet", is none.
pub(super) fn moment(text: &str, zone: Tz) -> Option<Moment> {
    let with_offset = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%:z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .map(|at| at.to_utc());
    let at = with_offset.ok().or_else(|| {
        let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
        zone.from_local_datetime(&local).earliest().map(|at| at.to_utc())
    })?;
    (at.timestamp() > 24 * 3_600).then_some(at)
}

/// A date as the list's filter wants it.
pub(super) fn local_date(at: Moment, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_call_reads_whether_its_numbers_are_text_or_not() {
        for duration in [r#""17""#, "17"] {
            let text = format!(
                r#"{{"Call": {{"Sid": "c57", "Status": "completed", "Duration": {duration},
                "EndTime": null, "Price": "1.500", "RecordingUrl": "", "Details": null}}}}"#
            );
            let call = serde_json::from_str::<CallEnvelope>(&text).expect("reads").call;
            assert_eq!(call.sid.as_deref(), Some("c57"));
            assert_eq!(call.duration.as_deref(), Some("17"));
            assert_eq!((call.end_time, call.recording_url), (None, None));
        }
    }

    #[test]
    fn a_list_names_its_next_page_in_either_place_and_a_body_without_calls_is_no_list() {
        for text in [
            r#"{"Metadata": {"NextPageUri": "/x?After=7"}, "Calls": []}"#,
            r#"{"NextPageUri": "/x?After=7", "Calls": []}"#,
        ] {
            let list: CallList = serde_json::from_str(text).expect("reads");
            assert_eq!(list.next_page_uri(), Some("/x?After=7"));
        }
        assert!(serde_json::from_str::<CallList>(r#"{"Metadata": {"Total": 0}}"#).is_err());
    }

    #[test]
    fn error_bodies_are_read_in_every_known_form() {
        for (body, says) in [
            (
                r#"{"RestException":{"Status":401,"Message":"No","Code":"UNAUTHORIZED"}}"#,
                Some("No (UNAUTHORIZED)"),
            ),
            (r#"{"RestException":{"Status":401,"Message":"No","Code":34010}}"#, Some("No (34010)")),
            (r#"{"RestException":{"Status":401,"Message":"No"}}"#, Some("No")),
            (
                "<TwilioResponse><RestException><Status>403</Status><Message>A &amp; B</Message></RestException></TwilioResponse>",
                Some("A & B"),
            ),
            (
                r#"{"http_code":400,"response":{"code":400,"error_data":{"code":1002,"message":"Invalid parameter","description":"bad sid"}}}"#,
                Some("bad sid (1002)"),
            ),
            ("<html><body>502 Bad Gateway</body></html>", None),
            (r#"["?"]"#, None),
            ("", None),
        ] {
            assert_eq!(error_message(body).as_deref(), says, "{body}");
        }
    }

    #[test]
    fn a_date_without_zone_is_read_in_the_accounts() {
        let utc = |text, zone| moment(text, zone).map(|at| at.to_rfc3339());
        let noon = Some("2026-01-15T08:55:10+00:00".to_owned());
        assert_eq!(utc("2026-01-15 14:25:10", Tz::Asia__Kolkata), noon);
        assert_eq!(utc("2026-01-15 16:55:10", Tz::Asia__Singapore), noon);
        assert_eq!(utc("2026-01-15 14:25:10+05:30", Tz::UTC), noon);
        assert_eq!(utc("2026-01-15T14:25:10+05:30", Tz::UTC), noon);
        assert_eq!(utc("1970-01-01 05:30:00+05:30", Tz::UTC), None);
        assert_eq!(utc("soon", Tz::UTC), None);
        let back =
            moment("2026-01-15 14:25:10", Tz::Asia__Kolkata).map(|at| local_date(at, Tz::Asia__Kolkata));
        assert_eq!(back.as_deref(), Some("2026-01-15 14:25:10"));
    }
}
