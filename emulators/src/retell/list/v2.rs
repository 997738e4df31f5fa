//! `POST /v2/list-calls`: filters of plain arrays, a bare array of whole call objects.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use serde_json::{Map, Value};

use super::{Cut, descending, facts, limit, place, shown};
use crate::retell::{
    Hub,
    agent::object,
    call::{Call, View},
    config::Config,
    manage::json_object,
    reads::{answer, find},
    reply::Refusal,
};

pub(in crate::retell) async fn post(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&hub, &headers, |config| list(&hub, config, &json_object(&body)?))
}

fn list(hub: &Hub, config: &Config, body: &Value) -> Result<Value, Refusal> {
    let wanted = wanted(body).map_err(Refusal::invalid)?;
    let (limit, descending) = limit(&body["limit"])
        .and_then(|limit| Ok((limit, descending(&body["sort_order"])?)))
        .map_err(Refusal::invalid)?;
    let world = hub.read();
    let after = match &body["pagination_key"] {
        Value::Null => None,
        given => Some(place(find(&world, config, given.as_str().unwrap_or_default())?)),
    };
    let mut found = shown(&world, config, &[]);
    found.retain(|call| wanted.iter().all(|wanted| wanted.holds(call)));
    let page = Cut { descending, after, skip: 0, limit }.page(found);
    Ok(page.calls.iter().map(|call| call.object(View::Whole)).collect())
}

/// A condition on calls; all must hold.
enum Wanted {
    OneOf(String, Vec<Value>),
    Entry {
        map: String,
        key: String,
        values: Vec<Value>,
    },
    /// From the first to the second, both included.
    Between(String, f64, f64),
}

impl Wanted {
    fn holds(&self, call: &Call) -> bool {
        match self {
            Self::OneOf(name, values) => facts::fact(call, name).is_some_and(|fact| values.contains(&fact)),
            Self::Entry { map, key, values } => {
                facts::entry(call, map, key).is_some_and(|fact| values.contains(&fact))
            }
            Self::Between(name, least, most) => {
                let number = facts::fact(call, name).and_then(|fact| fact.as_f64());
                number.is_some_and(|number| (*least..=*most).contains(&number))
            }
        }
    }
}

/// `Err` is the message of a 400.
fn wanted(body: &Value) -> Result<Vec<Wanted>, String> {
    for field in body.as_object().into_iter().flat_map(Map::keys) {
        match field.as_str() {
            "filter_criteria" | "limit" | "sort_order" | "pagination_key" => {}
            // Silence would look like a filter that works.
            other => return Err(format!("{other} is no field of a list")),
        }
    }
    let criteria = object(&body["filter_criteria"], "filter_criteria")?;
    criteria.into_iter().flatten().map(|(name, given)| criterion(name, given)).collect()
}

fn criterion(name: &str, given: &Value) -> Result<Wanted, String> {
    let values =
        || given.as_array().cloned().ok_or_else(|| format!("filter_criteria.{name} must be an array"));
    match name {
        "call_id"
        | "agent_id"
        | "call_status"
        | "call_type"
        | "direction"
        | "from_number"
        | "to_number"
        | "disconnection_reason"
        | "batch_call_id"
        | "user_sentiment"
        | "in_voicemail"
        | "call_successful"
        | "version" => Ok(Wanted::OneOf(name.to_owned(), values()?)),
        "start_timestamp" | "end_timestamp" | "duration_ms" => {
            let bound = |field: &str, open: f64| match &given[field] {
                Value::Null => Ok(open),
                bound => {
                    bound.as_f64().ok_or_else(|| format!("filter_criteria.{name}.{field} must be a number"))
                }
            };
            object(given, name)?;
            let least = bound("lower_threshold", f64::NEG_INFINITY)?;
            Ok(Wanted::Between(name.to_owned(), least, bound("upper_threshold", f64::INFINITY)?))
        }
        _ => match name.split_once('.') {
            Some((map @ ("metadata" | "dynamic_variables"), key)) => {
                Ok(Wanted::Entry { map: map.to_owned(), key: key.to_owned(), values: values()? })
            }
            _ => Err(format!("filter_criteria.{name} is no filter")),
        },
    }
}
