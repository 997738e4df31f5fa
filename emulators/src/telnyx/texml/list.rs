//! `GET /v2/texml/Accounts/{account_sid}/Calls`: filters by day, and pages (protocol page, §7.2).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use url::form_urlencoded;

use super::Shown;
use crate::telnyx::{
    Hub,
    call::Call,
    door::{self, Purpose},
    reply::{Refusal, texml_not_found},
};

const PAGE_USUAL: usize = 20;
const PAGE_MAX: usize = 1000;
const STATUSES: [&str; 5] = ["canceled", "completed", "failed", "busy", "no-answer"];

pub(in crate::telnyx) async fn list(
    State(hub): State<Arc<Hub>>,
    Path(account_sid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let config = hub.config();
    match door::enter(&hub, &config, &headers, Purpose::Other) {
        Ok(account) if account.id == account_sid => {}
        Ok(_) => return texml_not_found(),
        Err(response) => return *response,
    }
    let query = match Query::read(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(refusal) => return refusal.respond(),
    };
    let world = hub.read();
    let calls = world.calls(&[]).into_iter().rev().filter(|call| call.account() == account_sid);
    let shown = calls.filter_map(|call| Some((call, Shown::at(call, &config)?)));
    let found: Vec<_> = shown.filter(|(call, shown)| query.matches(call, shown)).collect();
    let start = query.page * query.page_size;
    let page: Vec<_> = found.iter().skip(start).take(query.page_size).collect();
    let uri = |page: usize| query.uri(&account_sid, page);
    Json(json!({
        "calls": page.iter().map(|(call, shown)| shown.resource(call)).collect::<Vec<_>>(),
        "page": query.page,
        "page_size": query.page_size,
        "start": start,
        "end": (start + page.len()).saturating_sub(1),
        "uri": uri(query.page),
        "first_page_uri": uri(0),
        "next_page_uri": (start + page.len() < found.len()).then(|| uri(query.page + 1)),
    }))
    .into_response()
}

/// A checked query; an absent filter lets everything through.
#[derive(Default)]
struct Query {
    to: Option<String>,
    from: Option<String>,
    status: Option<String>,
    started: Days,
    ended: Days,
    page: usize,
    page_size: usize,
    /// The query without its page, for the page URIs.
    filters: Vec<(String, String)>,
}

/// A range of days, both included.
#[derive(Default)]
struct Days {
    least: Option<NaiveDate>,
    most: Option<NaiveDate>,
}

impl Query {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut read = Self { page_size: PAGE_USUAL, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            match name.as_str() {
                "To" => read.to = Some(value.clone()),
                "From" => read.from = Some(value.clone()),
                "Status" => read.status = Some(status(&value)?),
                "Page" => {
                    read.page = number("Page", &value, 0, usize::MAX / PAGE_MAX)?;
                    continue;
                }
                "PageSize" => read.page_size = number("PageSize", &value, 1, PAGE_MAX)?,
                "PageToken" => continue,
                _ => read.take_days(&name, &value)?,
            }
            read.filters.push((name, value));
        }
        Ok(read)
    }

    /// `StartTime`, `StartTime>` and so on; the documents also write `StartTime_gt`.
    fn take_days(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let (days, side) = match (name.strip_prefix("StartTime"), name.strip_prefix("EndTime")) {
            (Some(side), _) => (&mut self.started, side),
            (None, Some(side)) => (&mut self.ended, side),
            (None, None) => return Ok(()),
        };
        let day = NaiveDate::parse_from_str(value, "%Y-%m-%d")
            .map_err(|_| Refusal::unprocessable(name, format!("'{name}' must be a date like 2026-01-15.")))?;
        match side {
            "" => (days.least, days.most) = (Some(day), Some(day)),
            ">" | "_gt" => days.least = Some(day),
            "<" | "_lt" => days.most = Some(day),
            _ => {}
        }
        Ok(())
    }

    fn matches(&self, call: &Call, shown: &Shown) -> bool {
        let is =
            |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        is(&self.to, &call.request.to)
            && is(&self.from, &call.request.from)
            && is(&self.status, shown.status.name())
            && self.started.hold(Some(call.base.created))
            && self.ended.hold(shown.ended)
    }

    fn uri(&self, account: &str, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("Page", &page.to_string());
        query.extend_pairs(&self.filters);
        format!("/v2/texml/Accounts/{account}/Calls?{}", query.finish())
    }
}

impl Days {
    fn hold(&self, at: Option<DateTime<Utc>>) -> bool {
        if self.least.is_none() && self.most.is_none() {
            return true;
        }
        let day = at.map(|at| at.date_naive());
        day.is_some_and(|day| {
            self.least.is_none_or(|least| day >= least) && self.most.is_none_or(|most| day <= most)
        })
    }
}

fn status(value: &str) -> Result<String, Refusal> {
    if STATUSES.contains(&value) {
        return Ok(value.to_owned());
    }
    let detail = format!("'Status' must be one of {}, not '{value}'.", STATUSES.join(", "));
    Err(Refusal::field("10032", "Invalid enumerated value", "Status", detail))
}

fn number(name: &str, value: &str, least: usize, most: usize) -> Result<usize, Refusal> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let detail = format!("'{name}' must be from {least} to {most}, not '{value}'.");
        Refusal::field("10033", "Value out of range", name, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_include_both_ends_whichever_way_they_are_written() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        for query in [
            "StartTime%3E=2026-01-02&StartTime%3C=2026-01-03",
            "StartTime_gt=2026-01-02&StartTime_lt=2026-01-03",
        ] {
            let days = Query::read(query).expect("a query").started;
            assert!(days.hold(at("2026-01-02T00:00:00Z")) && days.hold(at("2026-01-03T23:59:59Z")));
            assert!(!days.hold(at("2026-01-01T23:59:59Z")) && !days.hold(at("2026-01-04T00:00:00Z")));
        }
        assert!(Query::read("StartTime=yesterday").is_err());
        assert!(Query::read("Status=in-progress").is_err());
    }
}
