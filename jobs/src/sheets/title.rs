//! The name of a file, which tells people what was read.

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap};

/// The most characters of a title that are kept: more than a sheet's and a tab's name should need.
const MAX_CHARS: usize = 200;

/// `<Document> - <Tab>`, from the parameter `filename*` (RFC 5987). The plain `filename` lacks
/// spaces and what is not ASCII, so that it is of no use.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    let header = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes());
    let mut parameters = parameters(&header).filter_map(|parameter| parameter.trim().split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("filename*"))?;
    let mut parts = value.trim().splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let title = name.strip_suffix(".csv").unwrap_or(&name);
    // Whoever owns the sheet chose it: it must not confuse a terminal.
    let plain: String = title.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// What stands between semicolons, apart from those in quotation marks.
fn parameters(header: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    header.split(move |c| {
        quoted ^= c == '"' && !escaped;
        escaped = quoted && !escaped && c == '\\';
        c == ';' && !quoted
    })
}
