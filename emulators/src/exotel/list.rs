//! `GET Calls.json`: filters, order and pages (protocol page, §4.2).

use std::collections::HashSet;

use chrono::{DateTime, Months, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    Hub,
    call::{Call, Status, Zone},
    config::Config,
    phone,
    reply::Refusal,
};
use crate::{carrier::Phone, clock};

const PAGE_USUAL: usize = 50;
const PAGE_MAX: usize = 100;
const SIDS_MAX: usize = 100;
const NUMBERS_MAX: usize = 5;
/// Longest range of `DateCreated`, and how far back it reaches by default.
const RANGE: TimeDelta = TimeDelta::days(31);
const AGE_MONTHS: Months = Months::new(6);

/// One page of the account's calls.
pub(super) fn page(hub: &Hub, config: &Config, account: &str, query: &str) -> Result<Value, Refusal> {
    let query = Query::read(query, hub.config().zone()).map_err(Refusal::bad_request)?;
    let world = hub.read();
    let hidden = |call: &Call| config.reads.list_hides_live_calls && !call.status.is_terminal();
    let mut found = world.calls(&query.from);
    found.retain(|call| call.account() == account && !hidden(call) && query.matches(call));
    if !query.ascending {
        found.reverse();
    }
    let page = query.cut(&found);
    let calls: Vec<_> = page.calls.iter().map(|call| call.v1(hub.config().zone(), None)).collect();
    let uri = |cursor: Option<(&str, u64)>| query.uri(account, cursor);
    let (previous, next) = (
        page.previous.map(|before| uri(Some(("Before", before)))),
        page.next.map(|after| uri(Some(("After", after)))),
    );
    Ok(if config.reads.paging_in_metadata {
        json!({
            "Metadata": {
                "Total": found.len(),
                "PageSize": query.page_size,
                "FirstPageUri": uri(None),
                "PrevPageUri": previous,
                "NextPageUri": next,
            },
            "Calls": calls,
        })
    } else {
        json!({
            "Metadata": {"Total": found.len(), "PageSize": query.page_size},
            "FirstPageUri": uri(None),
            "PrevPageUri": previous,
            "NextPageUri": next,
            "Calls": calls,
        })
    })
}

struct Page<'a> {
    calls: &'a [&'a Call],
    previous: Option<u64>,
    next: Option<u64>,
}

/// A checked query; an absent filter lets everything through.
struct Query {
    sids: HashSet<String>,
    from: Vec<Phone>,
    to: Vec<Phone>,
    exophones: Vec<Phone>,
    least: DateTime<Utc>,
    most: DateTime<Utc>,
    status: Option<Status>,
    direction: Option<String>,
    page_size: usize,
    ascending: bool,
    before: Option<u64>,
    after: Option<u64>,
    /// The query without cursors, for the page URIs.
    filters: Vec<(String, String)>,
}

impl Query {
    fn read(query: &str, zone: Zone) -> Result<Self, String> {
        let now = clock::now();
        let mut read = Self {
            sids: HashSet::new(),
            from: Vec::new(),
            to: Vec::new(),
            exophones: Vec::new(),
            least: now - RANGE,
            most: DateTime::<Utc>::MAX_UTC,
            status: None,
            direction: None,
            page_size: PAGE_USUAL,
            ascending: false,
            before: None,
            after: None,
            filters: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            read.take(&name, &value, zone, now)?;
            if !matches!(name.as_str(), "Before" | "After") {
                read.filters.push((name, value));
            }
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: &str, zone: Zone, now: DateTime<Utc>) -> Result<(), String> {
        match name {
            "Sid" => self.sids = comma_list(name, value, SIDS_MAX)?.map(str::to_owned).collect(),
            "From" => self.from = phones(name, value)?,
            "To" => self.to = phones(name, value)?,
            "PhoneNumber" => self.exophones = phones(name, value)?,
            "DateCreated" => (self.least, self.most) = dates(value, zone, now)?,
            "Status" => self.status = Some(status(value)?),
            "Direction" => self.direction = Some(value.to_owned()),
            "PageSize" => self.page_size = page_size(value)?,
            "SortBy" => self.ascending = ascending(value)?,
            "Before" => self.before = Some(cursor(name, value)?),
            "After" => self.after = Some(cursor(name, value)?),
            // Silence would look like a filter that works.
            "Duration" | "Price" => return Err(format!("{name} is not emulated as a filter")),
            _ => {}
        }
        Ok(())
    }

    fn matches(&self, call: &Call) -> bool {
        let any = |phones: &[Phone], phone| phones.is_empty() || phones.contains(&phone);
        (self.sids.is_empty() || self.sids.contains(call.sid()))
            && any(&self.to, call.to())
            && any(&self.exophones, call.request.exophone)
            && (self.least.timestamp()..=self.most.timestamp()).contains(&call.base.created.timestamp())
            && self.status.is_none_or(|status| status == call.status)
            && self.direction.as_deref().is_none_or(|direction| direction == "outbound-api")
    }

    /// The page that the cursors point at; both name the sequence of a call they exclude.
    fn cut<'a>(&self, found: &'a [&'a Call]) -> Page<'a> {
        let is_past = |call: &Call, cursor: u64| {
            if self.ascending { call.base.sequence > cursor } else { call.base.sequence < cursor }
        };
        let reaches = |call: &Call, cursor: u64| call.base.sequence == cursor || is_past(call, cursor);
        let (start, end) = match (self.after, self.before) {
            (Some(after), _) => {
                let start = found.partition_point(|call| !is_past(call, after));
                (start, start + self.page_size)
            }
            (None, Some(before)) => {
                let end = found.partition_point(|call| !reaches(call, before));
                (end.saturating_sub(self.page_size), end)
            }
            (None, None) => (0, self.page_size),
        };
        let end = end.min(found.len());
        let calls = &found[start.min(end)..end];
        Page {
            calls,
            previous: calls.first().filter(|_| start > 0).map(|call| call.base.sequence),
            next: calls.last().filter(|_| end < found.len()).map(|call| call.base.sequence),
        }
    }

    fn uri(&self, account: &str, cursor: Option<(&str, u64)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        if let Some((name, sequence)) = cursor {
            query.append_pair(name, &format!("{sequence:x}"));
        }
        format!("/v1/Accounts/{account}/Calls.json?{}", query.finish())
    }
}

fn comma_list<'a>(name: &str, value: &'a str, most: usize) -> Result<impl Iterator<Item = &'a str>, String> {
    if value.split(',').count() > most {
        return Err(format!("{name} may list at most {most}"));
    }
    Ok(value.split(',').map(str::trim))
}

fn phones(name: &str, value: &str) -> Result<Vec<Phone>, String> {
    let refusal = |text: &str| format!("{name} is not a valid phone number: '{text}'");
    let listed = comma_list(name, value, NUMBERS_MAX)?;
    listed.map(|text| phone::parse(text).ok_or_else(|| refusal(text))).collect()
}

fn status(value: &str) -> Result<Status, String> {
    let found = Status::ALL.into_iter().find(|status| status.name() == value);
    found.ok_or_else(|| format!("Status is not a call status: '{value}'"))
}

fn page_size(value: &str) -> Result<usize, String> {
    let size = value.parse().ok().filter(|size| (1..=PAGE_MAX).contains(size));
    size.ok_or_else(|| format!("PageSize must be from 1 to {PAGE_MAX}, not '{value}'"))
}

fn ascending(value: &str) -> Result<bool, String> {
    match value {
        "DateCreated:asc" => Ok(true),
        "DateCreated:desc" | "DateCreated" => Ok(false),
        other => Err(format!("SortBy must be DateCreated:asc or DateCreated:desc, not '{other}'")),
    }
}

fn cursor(name: &str, value: &str) -> Result<u64, String> {
    u64::from_str_radix(value, 16).map_err(|_| format!("{name} is not a cursor: '{value}'"))
}

/// `gte:2026-01-15 00:00:00;lte:2026-01-15 23:59:59`, either part alone, or `eq:`.
fn dates(value: &str, zone: Zone, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), String> {
    let (mut least, mut most) = (None, None);
    for part in value.split(';').filter(|part| !part.is_empty()) {
        match part.split_once(':') {
            Some(("gte", text)) => least = Some(date(text, zone)?),
            Some(("lte", text)) => most = Some(date(text, zone)?),
            Some(("eq", text)) => (least, most) = (Some(date(text, zone)?), Some(date(text, zone)?)),
            _ => return Err(format!("DateCreated takes gte:, lte: and eq:, not '{part}'")),
        }
    }
    let least = least.unwrap_or_else(|| most.unwrap_or(now).min(now) - RANGE);
    let most = most.unwrap_or(least + RANGE);
    if most - least > RANGE {
        return Err("DateCreated may span at most one month".into());
    }
    if now.checked_sub_months(AGE_MONTHS).is_some_and(|oldest| least < oldest) {
        return Err("DateCreated may reach back at most six months".into());
    }
    Ok((least, most))
}

fn date(text: &str, zone: Zone) -> Result<DateTime<Utc>, String> {
    let refusal = || format!("DateCreated must be like 2026-01-15 00:00:00, not '{text}'");
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map_err(|_| refusal())?;
    let at = local.and_local_timezone(zone.offset()).single().ok_or_else(refusal)?;
    Ok(at.to_utc())
}
