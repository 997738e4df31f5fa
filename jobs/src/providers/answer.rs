//! An HTTP answer of a carrier or of a service, read as far as it is any use.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use url::Url;

/// More of a body than this is not read. A page of 50 calls without transcripts is under 100 KB, an hour's
/// transcript with the time of each word under 2 MB.
const BODY_MAX: usize = 8 * 1024 * 1024;

/// No carrier's wish keeps an account from dialling for longer than this, in milliseconds.
const RETRY_AFTER_MAX_MS: u32 = 3_600_000;

/// Status, body and what the headers ask for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after_ms: Option<u32>,
    /// `None` if it broke off, was too long, or is no text.
    pub(crate) text: Option<String>,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, retry_after_ms) = (response.status(), retry_after_ms(response.headers()));
        Self { status, retry_after_ms, text: read_text(response).await }
    }

    /// The body as the JSON expected, if it is that.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.text.as_deref()?).ok()
    }

    /// The status and what the carrier said, not yet fit to be stored.
    pub(crate) fn words(&self, message: Option<&str>) -> String {
        match message {
            Some(message) => format!("HTTP {}: {message}", self.status.as_u16()),
            None => format!("HTTP {}", self.status.as_u16()),
        }
    }
}

/// An address below `base`; `parts` are escaped.
pub(crate) fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    let mut path = url.path_segments_mut().expect("base addresses are http, as checked when made");
    path.pop_if_empty().extend(parts);
    drop(path);
    url
}

async fn read_text(mut response: reqwest::Response) -> Option<String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > BODY_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).ok()
}

/// An `X-RateLimit-Reset` below this counts seconds from now; above, since 1970.
const RESET_IS_A_WAIT_BELOW: i64 = 1_000_000;

/// `Retry-After`, else `X-RateLimit-Reset`: seconds to wait, or Unix time against the answer's own
/// `Date`, so that our clock does not matter.
fn retry_after_ms(headers: &HeaderMap) -> Option<u32> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let date = || DateTime::parse_from_rfc2822(text(DATE.as_str())?).ok().map(|at| at.to_utc());
    let until = |at: DateTime<Utc>| Some((at - date()?).num_milliseconds());
    let asked = text(RETRY_AFTER.as_str()).and_then(|wait| match wait.parse::<u32>() {
        Ok(seconds) => Some(i64::from(seconds) * 1_000),
        Err(_) => DateTime::parse_from_rfc2822(wait).ok().and_then(|at| until(at.to_utc())),
    });
    let reset = || match text("x-ratelimit-reset")?.parse::<i64>().ok()? {
        ..=0 => None,
        wait if wait < RESET_IS_A_WAIT_BELOW => Some(wait * 1_000),
        at => until(DateTime::from_timestamp(at, 0)?),
    };
    let wait = asked.or_else(reset)?;
    u32::try_from(wait.min(i64::from(RETRY_AFTER_MAX_MS))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_asked_for_is_read_from_whichever_header_tells_it() {
        const DATE: (&str, &str) = ("date", "Thu, 15 Jan 2026 08:55:00 GMT");
        const RESET: (&str, &str) = ("x-ratelimit-reset", "1768467330");
        for (given, wait) in [
            (&[("retry-after", "7")][..], Some(7_000)),
            (&[("retry-after", "7"), DATE, RESET], Some(7_000)),
            (&[DATE, RESET], Some(30_000)),
            (&[RESET], None),
            (&[("retry-after", "Thu, 15 Jan 2026 08:55:20 GMT"), DATE], Some(20_000)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "1768467330")], Some(3_600_000)),
            (&[("x-ratelimit-reset", "1"), DATE], Some(1_000)),
            (&[("x-ratelimit-reset", "5")], Some(5_000)),
            (&[("x-ratelimit-reset", "0")], None),
            (&[("x-ratelimit-reset", "-5")], None),
            (&[], None),
        ] {
            let headers = given.iter().map(|(name, value)| {
                (name.parse().expect("a header name"), value.parse().expect("a header value"))
            });
            assert_eq!(retry_after_ms(&headers.collect()), wait, "{given:?}");
        }
    }

    #[test]
    fn addresses_keep_a_path_of_the_base_and_escape_what_they_are_given() {
        let base: Url = "http://127.0.0.1:9000/proxy/".parse().expect("a URL");
        assert_eq!(below(&base, ["v1", "Calls.json"]).as_str(), "http://127.0.0.1:9000/proxy/v1/Calls.json");
        assert_eq!(below(&base, ["calls", "a/b?"]).path(), "/proxy/calls/a%2Fb%3F");
    }
}
