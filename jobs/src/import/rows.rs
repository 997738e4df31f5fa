//! From records to leads.

use std::collections::HashMap;
use std::io::{Chain, Cursor, Read};

use crate::operations::consents::ConsentSpec;
use crate::operations::leads::LeadSpec;
use outdial_workflows::calendar::parse_zone;
use outdial_workflows::packs::ConsentLevel;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::Area;
use outdial_workflows::workflow::Priority;
use serde_json::{Map, Value};

use super::columns::Columns;
use super::error::{Problem, redacted, shown};
use super::records::{Fault, MAX_RECORD_BYTES, Record, Records};
use super::text::{Decoder, NotText, Text};
use super::{Options, times};

/// The most characters of a name or an external id.
///
/// Both are part of an index, whose entries Postgres limits to 2704 bytes: one that is longer
/// would fail its whole page.
const MAX_KEY_CHARS: usize = 300;

/// How many different zones are remembered, so that a million rows of one zone look it up once.
const ZONES_KEPT: usize = 1_000;

/// A lead, and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line of the file that the row begins on, counted from 1.
    pub line: u64,
    /// The lead.
    pub spec: LeadSpec,
}

/// The rows of a file in their order. Blank ones are left out.
pub struct Rows<R> {
    records: Records<Chain<Cursor<Vec<u8>>, Text<R>>>,
    /// The record that was read to see whether there is one.
    first: Option<Record>,
    columns: Columns,
    decoder: Decoder,
    region: Option<String>,
    /// What holds for every row that says nothing of consent.
    consent: Option<ConsentSpec>,
    /// What zones that were seen turned out to be: good, or with this problem.
    zones: HashMap<String, Option<String>>,
    last_line: u64,
    ended: bool,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(
        records: Records<Chain<Cursor<Vec<u8>>, Text<R>>>,
        first: Record,
        columns: Columns,
        decoder: Decoder,
        options: &Options,
    ) -> Self {
        let last_line = first.line;
        let (first, zones) = (Some(first), HashMap::new());
        let Options { default_region: region, consent, .. } = options.clone();
        Self { records, first, columns, decoder, region, consent, zones, last_line, ended: false }
    }

    fn next_record(&mut self) -> Result<Option<Record>, Problem> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        self.records.next_record().map_err(|error| {
            let problem = format!("the file could not be read further: {error}");
            Problem { rest_unread: true, ..Problem::row(self.last_line, problem) }
        })
    }

    fn row(&mut self, record: &Record) -> Result<Row, Problem> {
        let line = record.line;
        match record.fault {
            None => {}
            Some(Fault::TooLong) => return Err(Problem::row(line, too_long())),
            Some(Fault::Unclosed { line: opened }) => {
                let problem =
                    format!("a quotation mark opened on line {opened} is never closed; close or remove it");
                return Err(Problem { rest_unread: true, ..Problem::row(line, problem) });
            }
        }
        let fields = self.decoder.decode(record).map_err(|NotText| {
            Problem::row(line, "the row is not text in the file's encoding; save the file as `CSV UTF-8`")
        })?;
        let cells: Vec<&str> = fields.iter().map(|field| clean(field)).collect();
        self.refuse_misfits(line, &cells)?;
        Ok(Row { line, spec: self.spec(line, &cells)? })
    }

    /// Refuses rows of another shape than the header. Empty fields too many do no harm.
    fn refuse_misfits(&self, line: u64, cells: &[&str]) -> Result<(), Problem> {
        let names = &self.columns.names;
        let surplus = cells.get(names.len()..);
        if surplus.is_none_or(|cells| cells.iter().any(|cell| !cell.is_empty())) {
            let problem = format!(
                "the row has {} fields, but the header has {}; check for a missing field, or for a \
                 delimiter or line break inside a field, which needs quotation marks around it",
                cells.len(),
                names.len()
            );
            return Err(Problem::row(line, problem));
        }
        match names.iter().zip(cells).find(|(_, cell)| cell.contains('\0')) {
            Some((name, _)) => {
                Err(Problem::cell(line, name, "the field contains a NUL character; remove it"))
            }
            None => Ok(()),
        }
    }

    fn spec(&mut self, line: u64, cells: &[&str]) -> Result<LeadSpec, Problem> {
        let phone = self.phone(line, cells[self.columns.phone])?;
        let name = self.name(line, cells)?;
        let zone = self.zone(line, cells)?;
        let external_id = self.external_id(line, cells)?;
        let priority = self.priority(line, cells)?;
        let region = self.area(line, cells)?;
        let consent = self.consent(line, cells)?;
        let attribute = |index: &usize| {
            let value = Some(cells[*index]).filter(|value| !value.is_empty())?;
            Some((self.columns.names[*index].clone(), Value::from(value)))
        };
        let attributes: Map<String, Value> = self.columns.attributes.iter().filter_map(attribute).collect();
        Ok(LeadSpec { phone, name, zone, region, external_id, priority, attributes, consent })
    }

    fn phone(&self, line: u64, cell: &str) -> Result<PhoneNumber, Problem> {
        PhoneNumber::parse(cell, self.region.as_deref()).map_err(|error| {
            let value = Some(redacted(cell)).filter(|value| !value.is_empty());
            Problem { value, ..self.problem(line, self.columns.phone, error.to_string()) }
        })
    }

    fn name(&self, line: u64, cells: &[&str]) -> Result<Option<String>, Problem> {
        let parts = self.columns.name.iter().map(|index| cells[*index]).filter(|part| !part.is_empty());
        let name = parts.collect::<Vec<_>>().join(" ");
        match self.columns.name.first() {
            Some(column) if is_too_long(&name) => Err(self.problem(line, *column, key_too_long("name"))),
            Some(_) | None => Ok(Some(name).filter(|name| !name.is_empty())),
        }
    }

    fn external_id(&self, line: u64, cells: &[&str]) -> Result<Option<String>, Problem> {
        let Some((column, id)) = filled(cells, self.columns.external_id) else { return Ok(None) };
        if is_too_long(id) {
            return Err(self.problem(line, column, key_too_long("id")));
        }
        Ok(Some(id.to_owned()))
    }

    fn priority(&self, line: u64, cells: &[&str]) -> Result<Priority, Problem> {
        let Some((column, given)) = filled(cells, self.columns.priority) else {
            return Ok(Priority::default());
        };
        shown(given).parse().map_err(|error| self.problem(line, column, format!("{error}")))
    }

    /// Where the person is: as a column says it whole, or as those of the state and the country together.
    fn area(&self, line: u64, cells: &[&str]) -> Result<Option<String>, Problem> {
        let country = filled(cells, self.columns.country);
        let (column, given) = match (filled(cells, self.columns.region), filled(cells, self.columns.state)) {
            (Some((column, region)), _) => (column, region.to_owned()),
            (None, Some((column, state))) if state.contains('-') => (column, state.to_owned()),
            (None, Some((column, state))) => {
                let of = country.map(|(_, country)| code_of(country)).or(self.region.as_deref());
                (column, of.map_or_else(|| state.to_owned(), |country| format!("{country}-{state}")))
            }
            (None, None) => match country {
                Some((column, country)) => (column, code_of(country).to_owned()),
                None => return Ok(None),
            },
        };
        let area = shown(&given).parse::<Area>();
        area.map(|area| Some(area.to_string())).map_err(|error| self.problem(line, column, error.to_string()))
    }

    /// What the person agreed to: as the row says, or as whoever sends the file says of every row.
    fn consent(&self, line: u64, cells: &[&str]) -> Result<Option<ConsentSpec>, Problem> {
        let given = filled(cells, self.columns.consent);
        let level = match given {
            Some((column, text)) => match consent_level(text) {
                Ok(level) => level,
                Err(problem) => return Err(self.problem(line, column, problem)),
            },
            None => self.consent.as_ref().map(|consent| consent.level),
        };
        let Some(level) = level else { return Ok(None) };
        let time = |column| match filled(cells, column) {
            Some((column, text)) => {
                times::moment(&shown(text)).map(Some).map_err(|problem| self.problem(line, column, problem))
            }
            None => Ok(None),
        };
        let every = self.consent.as_ref();
        let (at, expires) = (time(self.columns.consent_at)?, time(self.columns.consent_expires)?);
        let source = filled(cells, self.columns.consent_source).map(|(_, source)| source.to_owned());
        let consent = ConsentSpec {
            level,
            purpose: every.and_then(|every| every.purpose),
            source: source.or_else(|| every.map(|every| every.source.clone())).unwrap_or_default(),
            given_at: at.or(every.and_then(|every| every.given_at)),
            expires_at: expires.or(every.and_then(|every| every.expires_at)),
        };
        let column = given.map(|(column, _)| column).or(self.columns.consent_source);
        consent.check().map(|()| Some(consent)).map_err(|problem| match column {
            Some(column) => self.problem(line, column, problem),
            None => Problem::row(line, problem),
        })
    }

    fn zone(&mut self, line: u64, cells: &[&str]) -> Result<Option<String>, Problem> {
        let Some((column, given)) = filled(cells, self.columns.zone) else { return Ok(None) };
        if !self.zones.contains_key(given) {
            if self.zones.len() >= ZONES_KEPT {
                self.zones.clear();
            }
            // No zone's name is as long as what is shown.
            let problem = parse_zone(&shown(given)).err().map(|error| error.to_string());
            self.zones.insert(given.to_owned(), problem);
        }
        match &self.zones[given] {
            Some(problem) => Err(self.problem(line, column, problem.clone())),
            None => Ok(Some(given.to_owned())),
        }
    }

    fn problem(&self, line: u64, column: usize, problem: String) -> Problem {
        Problem::cell(line, &self.columns.names[column], problem)
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let record = match self.next_record() {
                Ok(Some(record)) if record.is_blank() => continue,
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(problem) => {
                    self.ended = true;
                    return Some(Err(problem));
                }
            };
            self.last_line = record.line;
            return Some(self.row(&record));
        }
        self.ended = true;
        None
    }
}

/// The code of a country that is written out, for those that we have the rules of; else what is given.
fn code_of(country: &str) -> &str {
    const NAMES: [(&str, &str); 9] = [
        ("india", "IN"),
        ("united states", "US"),
        ("united states of america", "US"),
        ("usa", "US"),
        ("united kingdom", "GB"),
        ("great britain", "GB"),
        ("uk", "GB"),
        ("canada", "CA"),
        ("australia", "AU"),
    ];
    let named = NAMES.iter().find(|(name, _)| country.eq_ignore_ascii_case(name));
    named.map_or(country, |(_, code)| code)
}

/// How much somebody agreed to; `None` for people of whom the file says that they did not.
pub fn consent_level(text: &str) -> Result<Option<ConsentLevel>, String> {
    let plain = text.trim().to_lowercase().replace([' ', '-'], "_");
    match plain.as_str() {
        "express" => Ok(Some(ConsentLevel::Express)),
        "written" | "express_written" => Ok(Some(ConsentLevel::ExpressWritten)),
        "no" | "none" | "false" | "0" => Ok(None),
        _ => Err(format!("`{}` is not a kind of consent; write express, written or none", shown(text))),
    }
}

/// The column and what stands in it, unless that is nothing.
fn filled<'a>(cells: &[&'a str], column: Option<usize>) -> Option<(usize, &'a str)> {
    let column = column?;
    Some((column, cells[column])).filter(|(_, cell)| !cell.is_empty())
}

/// A field without what spreadsheets put around it: blanks, `="…"`, and the apostrophe that keeps
/// digits text. An apostrophe before a letter is part of a name (`'t Hooft`).
fn clean(field: &str) -> &str {
    let invisible =
        |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}');
    let cell = field.trim_matches(invisible);
    if let Some(formula) = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return formula.trim_matches(invisible);
    }
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit() || "+-=@".contains(c)) => rest,
        Some(_) | None => cell,
    }
}

fn is_too_long(key: &str) -> bool {
    key.chars().nth(MAX_KEY_CHARS).is_some()
}

fn key_too_long(what: &str) -> String {
    format!("the {what} is longer than {MAX_KEY_CHARS} characters; shorten it")
}

fn too_long() -> String {
    format!(
        "the row is longer than {} KiB; shorten it, and check for a quotation mark that is not closed",
        MAX_RECORD_BYTES / 1024
    )
}
