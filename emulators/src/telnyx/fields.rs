//! Reading the parameters of a request, each refusal with its code and pointer.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use url::Url;

use super::reply::Refusal;
use crate::carrier::Phone;

/// A JSON object; `null` and an empty text are as good as absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    pub(super) fn required(self, name: &str) -> Result<&'a str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::missing(name))
    }

    pub(super) fn at_most(self, name: &str, length: usize) -> Result<Option<&'a str>, Refusal> {
        match self.text(name)? {
            Some(text) if text.chars().count() > length => {
                Err(Refusal::unprocessable(name, format!("'{name}' may have at most {length} characters.")))
            }
            text => Ok(text),
        }
    }

    pub(super) fn one_of(
        self,
        name: &str,
        allowed: &[&'static str],
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(given) = self.text(name)? else { return Ok(None) };
        let known = allowed.iter().find(|one| **one == given);
        known.copied().map(Some).ok_or_else(|| {
            let detail = format!("'{name}' must be one of {}, not '{given}'.", allowed.join(", "));
            Refusal::field("10032", "Invalid enumerated value", name, detail)
        })
    }

    /// A JSON boolean, or the word in a form.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    /// A JSON integer, or digits in a form; `code` refuses one out of range.
    pub(super) fn whole(
        self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        code: &'static str,
    ) -> Result<Option<u64>, Refusal> {
        let Some(given) = self.get(name) else { return Ok(None) };
        let value = given.as_u64().or_else(|| given.as_str()?.parse().ok());
        let value = value.ok_or_else(|| wrong_type(name, "an integer"))?;
        if range.contains(&value) {
            return Ok(Some(value));
        }
        let detail = format!("'{name}' must be from {} to {}, not {value}.", range.start(), range.end());
        Err(Refusal::field(code, "Value out of range", name, detail))
    }

    pub(super) fn seconds(
        self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        code: &'static str,
    ) -> Result<Option<Duration>, Refusal> {
        Ok(self.whole(name, range, code)?.map(Duration::from_secs))
    }

    pub(super) fn milliseconds(
        self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, Refusal> {
        Ok(self.whole(name, range, "10033")?.map(Duration::from_millis))
    }

    /// Base64, kept as it came.
    pub(super) fn client_state(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.text(name)? {
            Some(text) if STANDARD.decode(text).is_err() => {
                let detail = format!("The '{name}' parameter must be a valid Base64 encoded string.");
                Err(Refusal::field("90017", "Invalid value for client_state", name, detail))
            }
            text => Ok(text),
        }
    }

    pub(super) fn http_url(self, name: &str) -> Result<Option<Url>, Refusal> {
        self.text(name)?.map(|text| http_url(name, text)).transpose()
    }

    pub(super) fn object(self, name: &str) -> Result<Option<Fields<'a>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields))),
            Some(_) => Err(wrong_type(name, "an object")),
        }
    }

    /// How many fields the protocol does not have.
    pub(super) fn strangers(self, known: &[&str]) -> usize {
        self.0.keys().filter(|given| !known.contains(&given.as_str())).count()
    }
}

pub(super) fn http_url(name: &str, text: &str) -> Result<Url, Refusal> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Refusal::unprocessable(name, format!("'{name}' must be an http(s) URL.")))
}

/// A number in E.164; SIP addresses are not emulated.
pub(super) fn phone(name: &str, text: &str) -> Result<Phone, Refusal> {
    Phone::e164(text).ok_or_else(|| Refusal::not_e164(name))
}

pub(super) fn wrong_type(name: &str, expected: &str) -> Refusal {
    Refusal::field("10026", "Invalid parameter type", name, format!("'{name}' must be {expected}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code<T>(read: Result<T, Refusal>) -> &'static str {
        read.err().map_or("", |refusal| refusal.code)
    }

    #[test]
    fn each_mistake_has_its_code() {
        let body = json!({"n": 1, "s": "x", "state": "not base64!", "null": null, "empty": "", "big": 99});
        let fields = Fields(body.as_object().expect("an object"));
        assert_eq!(code(fields.text("n")), "10026");
        assert_eq!(code(fields.required("null")), "10004");
        assert_eq!(code(fields.required("empty")), "10004");
        assert_eq!(code(fields.one_of("s", &["a", "b"])), "10032");
        assert_eq!(code(fields.flag("s")), "10026");
        assert_eq!(code(fields.whole("big", 5..=10, "90028")), "90028");
        assert_eq!(code(fields.client_state("state")), "90017");
        assert_eq!(code(fields.http_url("s")), "10027");
        assert_eq!(code(fields.object("s")), "10026");
        assert_eq!(fields.strangers(&["n", "s", "state", "null", "empty"]), 1);
    }

    #[test]
    fn forms_write_numbers_and_flags_as_text() {
        let body = json!({"n": "7", "yes": "true"});
        let fields = Fields(body.as_object().expect("an object"));
        assert_eq!(fields.whole("n", 0..=9, "10033"), Ok(Some(7)));
        assert_eq!(fields.flag("yes"), Ok(Some(true)));
    }
}
