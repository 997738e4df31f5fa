//! Listing calls: what both versions have in common (protocol page, §4.1 and §4.2).

mod facts;
mod filter;
mod v2;
mod v3;

pub(super) use self::{v2::post as v2, v3::post as v3};
use super::{World, call::Call, config::Config, reason::Status};
use crate::{
    carrier::{Paced as _, Phone},
    clock,
};

/// Calls in a page. Documented for the older list, assumed for the newer.
const LIMIT_USUAL: usize = 50;
const LIMIT_MAX: u64 = 1000;

/// A call's place in the order of lists: by its beginning, or if it has none by its acceptance.
type Place = (i64, u64);

fn place(call: &Call) -> Place {
    (call.started.unwrap_or(call.base.created).timestamp_millis(), call.base.sequence)
}

/// What lists may show, only to `phones` if any are named.
fn shown<'a>(world: &'a World, config: &Config, phones: &[Phone]) -> Vec<&'a Call> {
    let lag = chrono::TimeDelta::from_std(config.pace().wall(config.reads.list_lag)).unwrap_or_default();
    let newest = clock::now() - lag;
    let hides = |call: &Call| config.reads.lists_hide_registered && call.status == Status::Registered;
    let mut calls = world.calls(phones);
    calls.retain(|call| !call.deleted && !hides(call) && call.base.created <= newest);
    calls
}

/// Which part of the calls found is asked for.
struct Cut {
    descending: bool,
    /// The call that the page comes after.
    after: Option<Place>,
    skip: usize,
    limit: usize,
}

struct Page<'a> {
    calls: Vec<&'a Call>,
    has_more: bool,
}

impl Cut {
    fn page<'a>(&self, mut found: Vec<&'a Call>) -> Page<'a> {
        found.sort_by_key(|call| place(call));
        if self.descending {
            found.reverse();
        }
        if let Some(after) = self.after {
            let is_past = |place: Place| if self.descending { place < after } else { place > after };
            found.retain(|call| is_past(place(call)));
        }
        let rest = found.len().saturating_sub(self.skip);
        let calls = found.into_iter().skip(self.skip).take(self.limit).collect();
        Page { calls, has_more: rest > self.limit }
    }
}

/// `limit`, from 1 to the most.
fn limit(given: &serde_json::Value) -> Result<usize, String> {
    if given.is_null() {
        return Ok(LIMIT_USUAL);
    }
    let limit = given.as_u64().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.ok_or_else(|| format!("limit must be an integer from 1 to {LIMIT_MAX}"))
}

/// `sort_order`: whether the newest come first.
fn descending(given: &serde_json::Value) -> Result<bool, String> {
    match given.as_str() {
        None if given.is_null() => Ok(true),
        Some("descending") => Ok(true),
        Some("ascending") => Ok(false),
        _ => Err("sort_order must be ascending or descending".into()),
    }
}
