//! What people take out of a campaign: rows of named values, page by page, as CSV or lines of JSON.

use std::borrow::Cow;

use outdial_workflows::Moment;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::money::Cost;
use outdial_workflows::workflow::State;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::OperationError;
use crate::engine::Engine;
use crate::store::exports::Exported;
use crate::store::leads::Listed;
use crate::store::{self};

/// How many leads are read at once.
const LEADS: i64 = 500;

/// What is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row a lead: who, and where it stands.
    Leads,
    /// A row a finished lead: what came of it.
    Outcomes,
    /// A row an attempt, called or not.
    Attempts,
    /// A row a call that the carrier took.
    Calls,
    /// A row a call of which there is a transcript, or of which what it yielded was removed for its age; then it says from
    /// when on that is kept.
    Transcripts,
}

impl What {
    /// Everything that can be.
    pub const ALL: [Self; 5] = [Self::Leads, Self::Outcomes, Self::Attempts, Self::Calls, Self::Transcripts];

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Outcomes => "outcomes",
            Self::Attempts => "attempts",
            Self::Calls => "calls",
            Self::Transcripts => "transcripts",
        }
    }

    /// The columns of a row, in their order.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Leads => &[
                "lead",
                "external_id",
                "phone",
                "name",
                "zone",
                "region",
                "state",
                "outcome",
                "why",
                "priority",
                "next_at",
                "attempts",
                "created_at",
                "attributes",
            ],
            Self::Outcomes => &["lead", "external_id", "phone", "name", "outcome", "why", "attempts"],
            Self::Attempts | Self::Calls => &[
                "lead",
                "external_id",
                "phone",
                "name",
                "attempt",
                "from",
                "ledger",
                "call_id",
                "status",
                "reserved_at",
                "submitted_at",
                "answered_at",
                "ended_at",
                "result",
                "talk_ms",
                "cause",
                "outcome",
                "recording_url",
                "cost",
            ],
            Self::Transcripts => &[
                "lead",
                "external_id",
                "phone",
                "name",
                "attempt",
                "call_id",
                "ended_at",
                "talk_ms",
                "outcome",
                "transcript",
                "kept_since",
            ],
        }
    }
}

/// A row: its columns by name; what is not known is null.
pub type Row = Map<String, Value>;

/// A campaign's rows as they are read.
#[derive(Clone, Debug)]
pub struct Export {
    client: ClientId,
    campaign: CampaignId,
    what: What,
    after: Option<LeadId>,
}

impl Export {
    /// One from the beginning.
    pub fn new(client: ClientId, campaign: CampaignId, what: What) -> Self {
        Self { client, campaign, what, after: Some(LeadId(Uuid::nil())) }
    }

    /// The next rows, perhaps none; `None` behind the last. Each page is read as things stand then.
    ///
    /// # Errors
    /// The database.
    pub async fn next(&mut self, engine: &Engine) -> Result<Option<Vec<Row>>, OperationError> {
        let Some(after) = self.after else { return Ok(None) };
        Ok(store::in_time(self.page(engine, after)).await?)
    }

    async fn page(&mut self, engine: &Engine, after: LeadId) -> Result<Option<Vec<Row>>, store::StoreError> {
        let mut conn = engine.pool().acquire().await?;
        let (client, campaign) = (self.client, self.campaign);
        match self.what {
            What::Leads | What::Outcomes => {
                let page = store::leads::page(&mut conn, client, campaign, after, LEADS).await?;
                self.after = page.last().map(|lead| lead.lead);
                let all = self.what == What::Leads;
                let wanted = page.iter().filter(|lead| all || lead.state == State::Finished);
                let rows = wanted.map(|lead| if all { lead_row(lead) } else { outcome_row(lead) });
                Ok(self.after.map(|_| rows.collect()))
            }
            What::Attempts | What::Calls | What::Transcripts => {
                let page = store::exports::attempts(&mut conn, client, campaign, after, LEADS).await?;
                self.after = page.as_ref().map(|(_, last)| *last);
                let Some((attempts, _)) = page else { return Ok(None) };
                let (_, results_since) = store::retention::since(&mut conn).await?;
                let rows = attempts.iter().filter_map(|attempt| match self.what {
                    What::Calls if attempt.call_id.is_none() => None,
                    What::Transcripts => transcript_row(attempt, results_since),
                    What::Leads | What::Outcomes | What::Attempts | What::Calls => Some(attempt_row(attempt)),
                });
                Ok(Some(rows.collect()))
            }
        }
    }
}

fn row(value: Value) -> Row {
    let Value::Object(row) = value else { return Row::new() };
    row
}

/// The reason in words, as explanations have it.
fn why(lead: &Listed) -> Option<String> {
    let why: outdial_workflows::why::Why = serde_json::from_value(lead.why.clone()).ok()?;
    Some(why.to_string())
}

fn lead_row(lead: &Listed) -> Row {
    row(json!({
        "lead": lead.lead,
        "external_id": lead.external_id,
        "phone": lead.phone,
        "name": lead.name,
        "zone": lead.zone,
        "region": lead.region,
        "state": lead.state.name(),
        "outcome": lead.outcome.map(|outcome| outcome.name()),
        "why": why(lead),
        "priority": lead.priority.name(),
        "next_at": lead.wake_at,
        "attempts": lead.attempts,
        "created_at": lead.created_at,
        "attributes": lead.attributes,
    }))
}

fn outcome_row(lead: &Listed) -> Row {
    row(json!({
        "lead": lead.lead,
        "external_id": lead.external_id,
        "phone": lead.phone,
        "name": lead.name,
        "outcome": lead.outcome.map(|outcome| outcome.name()),
        "why": why(lead),
        "attempts": lead.attempts,
    }))
}

fn attempt_row(attempt: &Exported) -> Row {
    row(json!({
        "lead": attempt.lead,
        "external_id": attempt.external_id,
        "phone": attempt.phone,
        "name": attempt.name,
        "attempt": attempt.number,
        "from": attempt.caller_id,
        "ledger": attempt.ledger,
        "call_id": attempt.call_id,
        "status": attempt.status,
        "reserved_at": attempt.reserved_at,
        "submitted_at": attempt.submitted_at,
        "answered_at": attempt.answered_at,
        "ended_at": attempt.ended_at,
        "result": attempt.result,
        "talk_ms": attempt.talk_ms,
        "cause": attempt.cause,
        "outcome": attempt.outcome,
        "recording_url": attempt.recording_url,
        "cost": attempt.cost_micros.map(|micros| Cost { micros }.to_string()),
    }))
}

/// `since` is from when on what calls yield is kept.
fn transcript_row(attempt: &Exported, since: Option<Moment>) -> Option<Row> {
    let transcript = attempt.results.as_ref().and_then(|results| results.get("transcript"));
    let over_before = |since: &Moment| attempt.ended_at.is_some_and(|ended| ended < *since);
    let answered = attempt.answered_at.is_some() && attempt.results.is_none();
    let kept_since = since.filter(|since| answered && over_before(since));
    if transcript.is_none() && kept_since.is_none() {
        return None;
    }
    Some(row(json!({
        "lead": attempt.lead,
        "external_id": attempt.external_id,
        "phone": attempt.phone,
        "name": attempt.name,
        "attempt": attempt.number,
        "call_id": attempt.call_id,
        "ended_at": attempt.ended_at,
        "talk_ms": attempt.talk_ms,
        "outcome": attempt.outcome,
        "transcript": transcript,
        "kept_since": kept_since,
    })))
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header line; what would be a formula to a spreadsheet has an apostrophe before it.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

impl Format {
    /// The header, if there is one.
    pub fn head(self, what: What) -> Vec<u8> {
        match self {
            Self::Csv => csv_line(what.columns().iter().map(|&column| column.to_owned())),
            Self::JsonLines => vec![],
        }
    }

    /// Some rows.
    pub fn rows(self, what: What, rows: &[Row]) -> Vec<u8> {
        match self {
            Self::Csv => rows
                .iter()
                .flat_map(|row| csv_line(what.columns().iter().map(|column| cell(column, row.get(*column)))))
                .collect(),
            Self::JsonLines => rows.iter().flat_map(|row| format!("{}\n", json!(row)).into_bytes()).collect(),
        }
    }
}

fn csv_line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    // Into memory: nothing that can fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

/// A value as a cell. Lists and objects are JSON; phone numbers keep their plus.
fn cell(column: &str, value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if ["phone", "from"].contains(&column) && is_number(text) => text.clone(),
        Some(Value::String(text)) => harmless(text).into_owned(),
        Some(other) => other.to_string(),
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A text that no spreadsheet takes for a formula: before what would begin one stands an apostrophe.
pub fn harmless(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_what_they_say_and_are_no_formulas() {
        let rows = [row(json!({
            "lead": null, "external_id": "=1+1", "phone": "+919800000001", "name": "Asha \"A\" Rao, Pune",
            "outcome": "-SUM(A1)", "why": "@x", "attempts": 2
        }))];
        let written = [Format::Csv.head(What::Outcomes), Format::Csv.rows(What::Outcomes, &rows)].concat();
        let text = String::from_utf8(written).expect("text");
        assert_eq!(
            text,
            "lead,external_id,phone,name,outcome,why,attempts\r\n\
            ,'=1+1,+919800000001,\"Asha \"\"A\"\" Rao, Pune\",'-SUM(A1),'@x,2\r\n"
        );
        let lines = Format::JsonLines.rows(What::Outcomes, &rows);
        assert_eq!(serde_json::from_slice::<Value>(&lines).ok(), Some(json!(rows[0])));
    }

    #[test]
    fn what_would_begin_a_formula_has_an_apostrophe_before_it() {
        for (cell, shown) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("Asha = Rao", "Asha = Rao"),
            ("A-1", "A-1"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), shown);
        }
    }

    #[test]
    fn every_row_has_the_columns_that_are_said() {
        let attempt = Exported {
            lead: LeadId(Uuid::nil()),
            external_id: None,
            name: None,
            phone: None,
            number: 1,
            caller_id: None,
            ledger: "bound".into(),
            call_id: None,
            status: "completed".into(),
            reserved_at: Moment::UNIX_EPOCH,
            submitted_at: None,
            answered_at: None,
            ended_at: None,
            result: None,
            talk_ms: None,
            cause: None,
            outcome: None,
            recording_url: None,
            cost_micros: Some(3_500_000),
            results: Some(json!({ "transcript": [] })),
        };
        let names = |row: &Row| row.keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let said = |what: What| what.columns().iter().map(|&name| name.to_owned()).collect();
        assert_eq!(names(&attempt_row(&attempt)), said(What::Calls));
        assert_eq!(names(&transcript_row(&attempt, None).expect("a transcript")), said(What::Transcripts));
        assert_eq!(attempt_row(&attempt)["cost"], "3.50");
    }
}
