//! What people paste.

use std::fmt;
use std::str::FromStr;

use url::{Url, form_urlencoded};

use super::error::LinkError;

/// Where all links to sheets lead.
const HOST: &str = "docs.google.com";

/// The shortest that is taken for an id. Ids of sheets have about 44 characters, those of published
/// ones about 85.
pub(super) const MIN_ID_CHARS: usize = 20;

/// The longest that is taken for an id.
const MAX_ID_CHARS: usize = 200;

/// The longest name of a range.
const MAX_RANGE_CHARS: usize = 250;

/// A tab of a shared or published sheet, or a part of it.
///
/// Displayed it is an address that a browser opens, and that [`SheetLink::parse`] takes again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SheetLink {
    id: Id,
    gid: Option<u64>,
    range: Option<String>,
}

/// The two kinds of ids. One cannot be turned into the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    Shared(String),
    Published(String),
}

impl SheetLink {
    /// Understands the address of a sheet in all its forms: as the browser shows it, as sharing and
    /// publishing give it, and as programs use it. Nothing is fetched.
    ///
    /// # Errors
    /// If it names no sheet, or if it is not clear which part of it is meant: rows that nobody meant
    /// would be people who are called.
    pub fn parse(pasted: &str) -> Result<Self, LinkError> {
        let url = address(pasted)?;
        let id = id(&url)?;
        let named = Named::of(&url);
        if !named.all("sheet").is_empty() {
            return Err(LinkError::TabByName);
        }
        if !named.all("tq").is_empty() {
            return Err(LinkError::Query);
        }
        Ok(Self { id, gid: gid(&named)?, range: range(&named)? })
    }

    /// The sheet's id, which no other sheet has.
    pub fn id(&self) -> &str {
        match &self.id {
            Id::Shared(id) | Id::Published(id) => id,
        }
    }

    /// The number of the tab; `None` means the first one.
    pub fn gid(&self) -> Option<u64> {
        self.gid
    }

    /// The part of the tab, as `A1:D100` or by name; `None` means all of it.
    pub fn range(&self) -> Option<&str> {
        self.range.as_deref()
    }

    /// Where its CSV is, at `base`. Google may answer with what it answered minutes ago, unless
    /// `unique` was never sent before.
    pub(super) fn export_url(&self, base: &Url, unique: u64) -> Url {
        let (path, form): (&[&str], &[(&str, &str)]) = match &self.id {
            Id::Shared(id) => (&["d", id, "export"], &[("format", "csv")]),
            Id::Published(id) => (&["d", "e", id, "pub"], &[("single", "true"), ("output", "csv")]),
        };
        let mut url = base.clone();
        // Web addresses have segments, and `base` is one.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("spreadsheets").extend(path);
        }
        let mut query = url.query_pairs_mut();
        query.extend_pairs(form);
        if let Some(gid) = self.gid {
            query.append_pair("gid", &gid.to_string());
        }
        if let Some(range) = &self.range {
            query.append_pair("range", range);
        }
        query.append_pair("_cb", &unique.to_string());
        drop(query);
        url
    }
}

impl FromStr for SheetLink {
    type Err = LinkError;

    fn from_str(pasted: &str) -> Result<Self, LinkError> {
        Self::parse(pasted)
    }
}

impl fmt::Display for SheetLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = match &self.id {
            Id::Shared(id) => {
                write!(f, "https://{HOST}/spreadsheets/d/{id}/edit")?;
                '#'
            }
            Id::Published(id) => {
                write!(f, "https://{HOST}/spreadsheets/d/e/{id}/pubhtml?single=true")?;
                '&'
            }
        };
        if let Some(gid) = self.gid {
            write!(f, "{before}gid={gid}")?;
            before = '&';
        }
        if let Some(range) = &self.range {
            write!(f, "{before}range={range}")?;
        }
        Ok(())
    }
}

/// The address in what was pasted. Mail programs put it in brackets, and browsers leave the scheme out.
fn address(pasted: &str) -> Result<Url, LinkError> {
    let wrapped = |c: char| c.is_whitespace() || "<>\"'`".contains(c);
    let text = pasted.trim_matches(wrapped);
    let bare = text.get(..HOST.len()).is_some_and(|start| start.eq_ignore_ascii_case(HOST));
    let url = if bare { format!("https://{text}").parse() } else { text.parse::<Url>() };
    let url = url.map_err(|_| LinkError::NotALink)?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(HOST)) => Ok(url),
        ("http" | "https", Some("drive.google.com" | "sheets.google.com")) => Err(LinkError::NotASheet),
        ("http" | "https", Some(host)) => Err(LinkError::Elsewhere { host: host.to_owned() }),
        _ => Err(LinkError::NotALink),
    }
}

/// The id behind `/spreadsheets/d/` or `/spreadsheets/d/e/`. Which of several accounts the browser
/// was signed in to (`/u/0/`, or `/a/` and a domain) does not matter.
fn id(url: &Url) -> Result<Id, LinkError> {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let path = match segments.as_slice() {
        ["a", _, rest @ ..] => rest,
        path => path,
    };
    let [first, path @ ..] = path else { return Err(LinkError::NotASheet) };
    let path = match path {
        ["u", account, rest @ ..] if account.bytes().all(|digit| digit.is_ascii_digit()) => rest,
        path => path,
    };
    let (id, kind): (&str, fn(String) -> Id) = match (*first, path) {
        ("spreadsheets", ["d", "e", id, ..]) => (id, Id::Published),
        ("spreadsheets", ["d", id, ..]) => (id, Id::Shared),
        _ => return Err(LinkError::NotASheet),
    };
    let sound = id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    let fits = (MIN_ID_CHARS..=MAX_ID_CHARS).contains(&id.len());
    if sound && fits { Ok(kind(id.to_owned())) } else { Err(LinkError::BadId) }
}

/// What an address says as `name=value`, behind `?` as well as behind `#`.
struct Named(Vec<(String, String)>);

impl Named {
    fn of(url: &Url) -> Self {
        let parts = [url.query(), url.fragment()].into_iter().flatten();
        Self(parts.flat_map(|part| form_urlencoded::parse(part.as_bytes()).into_owned()).collect())
    }

    /// The different values under a name.
    fn all(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
        let mut values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// The browser writes the number twice. If they differ, nobody knows which one was meant.
fn gid(named: &Named) -> Result<Option<u64>, LinkError> {
    match named.all("gid").as_slice() {
        [] => Ok(None),
        [gid] if gid.bytes().all(|digit| digit.is_ascii_digit()) => {
            gid.parse().map(Some).map_err(|_| LinkError::BadTab)
        }
        [_] => Err(LinkError::BadTab),
        [..] => Err(LinkError::TwoTabs),
    }
}

fn range(named: &Named) -> Result<Option<String>, LinkError> {
    match named.all("range").as_slice() {
        [] => Ok(None),
        [cell] if is_cell(cell) => Err(LinkError::OneCell((*cell).to_owned())),
        [range] if is_range(range) || is_name(range) => Ok(Some((*range).to_owned())),
        [..] => Err(LinkError::BadRange),
    }
}

/// Such as `D100`. No named range may look like that.
fn is_cell(text: &str) -> bool {
    let (letters, digits) = split_corner(text);
    !letters.is_empty() && !digits.is_empty() && is_corner(text)
}

/// Such as `A1:D100`, `A:D` or `1:100`.
fn is_range(text: &str) -> bool {
    text.split_once(':').is_some_and(|(from, to)| is_corner(from) && is_corner(to))
}

/// Columns have at most three letters, and rows at most eight digits: a sheet has ten million cells.
fn is_corner(text: &str) -> bool {
    let (letters, digits) = split_corner(text);
    !text.is_empty()
        && letters.len() <= 3
        && digits.len() <= 8
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn split_corner(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_alphabetic).count())
}

/// A name that somebody gave to a range.
fn is_name(text: &str) -> bool {
    text.chars().count() <= MAX_RANGE_CHARS && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}
