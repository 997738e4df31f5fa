//! Pages of lists: `page[number]`, `page[size]`, and `meta` (protocol page, §1).

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::reply::Refusal;

const SIZE_USUAL: usize = 20;
const SIZE_MAX: usize = 250;

/// A query's parameters in the order sent.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// `filter[name]`, or `filter[name][eq]`.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        let plain = format!("filter[{name}]");
        self.get(&plain).or_else(|| self.get(&format!("{plain}[eq]")))
    }

    /// `filter[name][contains]`
    pub(super) fn contains(&self, name: &str) -> Option<&str> {
        self.get(&format!("filter[{name}][contains]"))
    }

    /// Whether `filter[name]` allows this value.
    pub(super) fn allows(&self, name: &str, value: &str) -> bool {
        self.filter(name).is_none_or(|wanted| wanted == value)
    }

    /// `filter[name][gt|gte|lt|lte|eq]`
    pub(super) fn range(&self, name: &str) -> Result<Range, Refusal> {
        let date = |side: &str| -> Result<Option<DateTime<Utc>>, Refusal> {
            let name = format!("filter[{name}][{side}]");
            let Some(text) = self.get(&name) else { return Ok(None) };
            let parsed = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
            parsed.map(Some).map_err(|_| Refusal::unprocessable(&name, "Dates are ISO 8601 with a zone."))
        };
        let equal = date("eq")?;
        Ok(Range {
            after: date("gt")?,
            before: date("lt")?,
            least: date("gte")?.or(equal),
            most: date("lte")?.or(equal),
        })
    }

    /// One page of `items`.
    pub(super) fn page<T>(&self, items: &[T], resource: impl Fn(&T) -> Value) -> Result<Response, Refusal> {
        let number = self.count("page[number]", 1, usize::MAX / SIZE_MAX)?;
        let size = self.count("page[size]", SIZE_USUAL, SIZE_MAX)?;
        let shown = items.iter().skip((number - 1) * size).take(size).map(resource);
        let meta = json!({
            "page_number": number,
            "page_size": size,
            "total_pages": items.len().div_ceil(size),
            "total_results": items.len(),
        });
        Ok(Json(json!({"data": shown.collect::<Vec<_>>(), "meta": meta})).into_response())
    }

    fn count(&self, name: &str, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        let count = text.parse().ok().filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| {
            let detail = format!("'{name}' must be from 1 to {most}, not '{text}'.");
            Refusal::field("10033", "Value out of range", name, detail)
        })
    }
}

/// Moments that a filter lets through.
#[derive(Debug, Default)]
pub(super) struct Range {
    after: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    least: Option<DateTime<Utc>>,
    most: Option<DateTime<Utc>>,
}

impl Range {
    pub(super) fn holds(&self, at: Option<DateTime<Utc>>) -> bool {
        let Some(at) = at else { return self.is_open() };
        self.after.is_none_or(|after| at > after)
            && self.before.is_none_or(|before| at < before)
            && self.least.is_none_or(|least| at >= least)
            && self.most.is_none_or(|most| at <= most)
    }

    fn is_open(&self) -> bool {
        self.after.or(self.before).or(self.least).or(self.most).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_the_official_client_writes_them() {
        let query = Query::parse(Some(
            "filter%5Bwebhook%5D%5Bcontains%5D=YXR0XzE%3D&filter%5Bstatus%5D%5Beq%5D=failed\
             &filter%5Bstarted_at%5D%5Bgte%5D=2026-01-01T00%3A00%3A00Z",
        ));
        assert_eq!(query.contains("webhook"), Some("YXR0XzE="));
        assert_eq!(query.filter("status"), Some("failed"));
        let range = query.range("started_at").expect("a range");
        let at = |text: &str| text.parse().ok();
        assert!(range.holds(at("2026-01-01T00:00:00Z")) && !range.holds(at("2025-12-31T23:59:59Z")));
        assert!(!range.holds(None) && Range::default().holds(None));
    }

    #[test]
    fn a_date_that_is_none_and_a_page_that_cannot_be_are_refused() {
        let query = Query::parse(Some("filter[at][gte]=yesterday&page[size]=251&page[number]=0"));
        assert!(query.range("at").is_err());
        assert!(query.page(&[1], |_| Value::Null).is_err());
    }
}
