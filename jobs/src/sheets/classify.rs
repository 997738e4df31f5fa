//! What an answer is. Google says it in many ways, and the order in which they are looked for counts.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde::Deserialize;
use url::Url;

use super::error::SheetError;
use super::hosts::Hosts;

/// Whoever is sent there is asked to sign in.
const SIGN_IN_HOST: &str = "accounts.google.com";

/// Where the query service's call stands, if it does: behind a comment at most, so not in some cell
/// of a list that speaks of it.
const SCRIPT_BYTES: usize = 1_024;

/// What the query service's script calls.
const SCRIPT_CALL: &[u8] = b"google.visualization.Query.setResponse";

/// The most characters of Google's words that a message repeats.
const SHOWN_CHARS: usize = 60;

/// The head of an answer that is no failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Go on there.
    Moved(Url),
    /// What follows may be the file.
    File,
}

/// What status and headers say of an answer from `from`.
pub(super) fn head(
    status: StatusCode,
    headers: &HeaderMap,
    from: &Url,
    hosts: &Hosts,
) -> Result<Head, SheetError> {
    if status.is_redirection()
        && let Some(to) = location(headers, from)
    {
        return moved(to, hosts);
    }
    match status.as_u16() {
        200 => {}
        404 => return Err(SheetError::NotFound),
        401 | 403 => return Err(SheetError::NotShared),
        status @ (429 | 500..) => return Err(SheetError::Busy { status }),
        status => return Err(SheetError::Refused { status }),
    }
    if content_type(headers).contains("html") { Err(SheetError::NotShared) } else { Ok(Head::File) }
}

/// What a whole body is, of an answer whose head was no failure.
pub(super) fn body(headers: &HeaderMap, body: &[u8]) -> Result<(), SheetError> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if text.starts_with(b"<") {
        return Err(SheetError::NotShared);
    }
    let start = &text[..text.len().min(SCRIPT_BYTES)];
    if start.starts_with(b"/*") || start.windows(SCRIPT_CALL.len()).any(|window| window == SCRIPT_CALL) {
        return Err(script(text));
    }
    let content_type = content_type(headers);
    // An answer that does not say what it is may still be the file.
    if !content_type.is_empty() && content_type != "text/csv" {
        let content_type = content_type.chars().take(SHOWN_CHARS).collect();
        return Err(SheetError::NotCsv { content_type });
    }
    if text.is_empty() { Err(SheetError::Empty) } else { Ok(()) }
}

fn location(headers: &HeaderMap, from: &Url) -> Option<Url> {
    from.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

fn moved(to: Url, hosts: &Hosts) -> Result<Head, SheetError> {
    if to.host_str() == Some(SIGN_IN_HOST) {
        return Err(SheetError::NotShared);
    }
    if hosts.allow(&to) {
        return Ok(Head::Moved(to));
    }
    let origin = to.origin();
    // Addresses such as `data:` have no host.
    let origin = if origin.is_tuple() { origin.ascii_serialization() } else { to.scheme().to_owned() };
    Err(SheetError::Redirected { origin })
}

/// The type without its parameters, in small letters; empty if there is none that could be read.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What the query service's script passes to the page that would run it.
#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    reason: String,
}

/// Two of the reasons are about sharing.
fn script(text: &[u8]) -> SheetError {
    let reason = reason(text).unwrap_or_else(|| "unknown".to_owned());
    match reason.as_str() {
        "access_denied" | "user_not_authenticated" => SheetError::NotShared,
        _ => SheetError::Query { reason },
    }
}

/// The first error's reason. They are words such as `invalid_query`.
fn reason(text: &[u8]) -> Option<String> {
    let from = text.iter().position(|byte| *byte == b'{')?;
    let to = text.iter().rposition(|byte| *byte == b'}')?;
    let response: Response = serde_json::from_slice(text.get(from..=to)?).ok()?;
    let reason = response.errors.into_iter().next()?.reason;
    let word = (1..=SHOWN_CHARS).contains(&reason.len())
        && reason.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    word.then_some(reason)
}
