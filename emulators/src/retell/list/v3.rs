//! `POST /v3/list-calls`: filters with operators, pages by an opaque cursor, no transcripts.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{Cut, Place, descending, facts, filter::Filter, limit, place, shown};
use crate::{
    carrier::Phone,
    retell::{
        Hub,
        agent::object,
        call::{Call, View},
        config::Config,
        manage::json_object,
        reads::answer,
        reason::Reason,
        reply::Refusal,
    },
};

pub(in crate::retell) async fn post(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&hub, &headers, |config| {
        let query = Query::read(&json_object(&body)?).map_err(Refusal::invalid)?;
        Ok(query.run(&hub, config))
    })
}

/// A checked query.
struct Query {
    wanted: Vec<Wanted>,
    cut: Cut,
    include_total: bool,
}

/// A condition on calls; all must hold.
enum Wanted {
    Fact(String, Filter),
    Entry {
        map: String,
        key: String,
        filter: Filter,
    },
    /// Any of these agents, each in any of its versions; no versions means any.
    Agent(Vec<(String, Vec<u64>)>),
    /// Calls with tools called like this: none, as nobody here calls tools.
    ToolCall,
}

/// Types of filter for a map's entries.
const ENTRY: [&str; 6] = ["string", "number", "boolean", "range", "enum", "present"];

impl Query {
    fn read(body: &Value) -> Result<Self, String> {
        for field in body.as_object().into_iter().flat_map(Map::keys) {
            match field.as_str() {
                "filter_criteria" | "limit" | "sort_order" | "pagination_key" | "skip" | "include_total" => {}
                // Silence would look like a filter that works.
                other => return Err(format!("{other} is no field of a list")),
            }
        }
        let criteria = object(&body["filter_criteria"], "filter_criteria")?;
        let wanted = criteria.into_iter().flatten().map(|(name, given)| wanted(name, given));
        let skip = match &body["skip"] {
            Value::Null => Some(0),
            given => given.as_u64().and_then(|skip| usize::try_from(skip).ok()),
        };
        let cut = Cut {
            descending: descending(&body["sort_order"])?,
            after: cursor(&body["pagination_key"])?,
            skip: skip.ok_or("skip must be an integer that is not negative")?,
            limit: limit(&body["limit"])?,
        };
        let wanted = wanted.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        Ok(Self { wanted, cut, include_total: body["include_total"] == true })
    }

    fn run(&self, hub: &Hub, config: &Config) -> Value {
        let world = hub.read();
        let mut found = shown(&world, config, &self.phones());
        found.retain(|call| self.wanted.iter().all(|wanted| wanted.holds(call)));
        let total = found.len();
        let page = self.cut.page(found);
        let items: Vec<_> = page.calls.iter().map(|call| call.object(View::Listed)).collect();
        let mut list = json!({"has_more": page.has_more, "items": items});
        if let Some(last) = page.calls.last().filter(|_| page.has_more) {
            list["pagination_key"] = key(place(last)).into();
        }
        if self.include_total {
            list["total"] = total.into();
        }
        list
    }

    /// The one number that is asked for, if it is. The filter is applied all the same.
    fn phones(&self) -> Vec<Phone> {
        let phone = |wanted: &Wanted| match wanted {
            Wanted::Fact(name, Filter::Text(super::filter::TextOp::Is, number)) if name == "to_number" => {
                Phone::e164(number)
            }
            _ => None,
        };
        self.wanted.iter().find_map(phone).into_iter().collect()
    }
}

impl Wanted {
    fn holds(&self, call: &Call) -> bool {
        match self {
            Self::Fact(name, filter) => filter.holds(facts::fact(call, name).as_ref()),
            Self::Entry { map, key, filter } => filter.holds(facts::entry(call, map, key).as_ref()),
            Self::Agent(agents) => agents.iter().any(|(id, versions)| {
                let version = u64::from(call.request.agent.version);
                *id == call.request.agent_id && (versions.is_empty() || versions.contains(&version))
            }),
            Self::ToolCall => false,
        }
    }
}

fn wanted(name: &str, given: &Value) -> Result<Vec<Wanted>, String> {
    let types: &[&str] = match name {
        "call_id" => &["string", "enum"],
        "from_number" | "to_number" | "batch_call_id" => &["string"],
        "call_status"
        | "disconnection_reason"
        | "direction"
        | "call_type"
        | "user_sentiment"
        | "data_storage_setting"
        | "agent_tag" => &["enum"],
        "start_timestamp" | "end_timestamp" | "duration_ms" | "combined_cost" | "e2e_latency_p50" => {
            &["number", "range"]
        }
        "in_voicemail" | "call_successful" => &["boolean"],
        "metadata" | "dynamic_variables" | "custom_attributes" | "custom_analysis_data" => {
            return list(name, given)?.iter().map(|given| entry(name, given)).collect();
        }
        "agent" => {
            return Ok(vec![Wanted::Agent(list(name, given)?.iter().map(agent).collect::<Result<_, _>>()?)]);
        }
        "tool_calls" => return list(name, given)?.iter().map(tool_call).collect(),
        _ => return Err(format!("filter_criteria.{name} is no filter")),
    };
    let filter = Filter::read(name, given, types)?;
    if let Filter::OneOf(words) = &filter {
        check_words(name, words)?;
    }
    Ok(vec![Wanted::Fact(name.to_owned(), filter)])
}

fn list<'a>(name: &str, given: &'a Value) -> Result<&'a Vec<Value>, String> {
    given.as_array().ok_or_else(|| format!("filter_criteria.{name} must be an array"))
}

fn entry(map: &str, given: &Value) -> Result<Wanted, String> {
    let filter = Filter::read(map, given, &ENTRY)?;
    let key = given["key"].as_str().ok_or_else(|| format!("filter_criteria.{map} needs a key"))?;
    Ok(Wanted::Entry { map: map.to_owned(), key: key.to_owned(), filter })
}

fn agent(given: &Value) -> Result<(String, Vec<u64>), String> {
    let id = given["agent_id"].as_str().ok_or("filter_criteria.agent needs an agent_id")?;
    let versions = Option::<Vec<u64>>::deserialize(&given["version"])
        .map_err(|error| format!("filter_criteria.agent.version: {error}"))?;
    Ok((id.to_owned(), versions.unwrap_or_default()))
}

fn tool_call(given: &Value) -> Result<Wanted, String> {
    for (field, types) in [("latency_ms", &["number", "range"][..]), ("success", &["boolean"])] {
        if !given[field].is_null() {
            Filter::read("tool_calls", &given[field], types)?;
        }
    }
    Ok(Wanted::ToolCall)
}

/// Words that such a filter may name; notably not `registered`.
fn check_words(name: &str, words: &[String]) -> Result<(), String> {
    let known: &[&str] = match name {
        "call_status" => &["not_connected", "ongoing", "ended", "error"],
        "direction" => &["inbound", "outbound"],
        "call_type" => &["web_call", "phone_call"],
        "user_sentiment" => &["Negative", "Positive", "Neutral", "Unknown"],
        "data_storage_setting" => &["everything", "everything_except_pii", "basic_attributes_only"],
        _ => &[],
    };
    let strange = |word: &&String| match name {
        "disconnection_reason" => Reason::deserialize(&Value::from(word.as_str()))
            .is_ok_and(|reason| matches!(reason, Reason::Other(_))),
        _ => !known.is_empty() && !known.contains(&word.as_str()),
    };
    match words.iter().find(strange) {
        Some(word) => Err(format!("filter_criteria.{name} cannot be '{word}'")),
        None => Ok(()),
    }
}

fn key((at, sequence): Place) -> String {
    format!("{at:x}.{sequence:x}")
}

fn cursor(given: &Value) -> Result<Option<Place>, String> {
    if given.is_null() {
        return Ok(None);
    }
    let place = given.as_str().and_then(|key| key.split_once('.')).and_then(|(at, sequence)| {
        Some((i64::from_str_radix(at, 16).ok()?, u64::from_str_radix(sequence, 16).ok()?))
    });
    place.map(Some).ok_or_else(|| "pagination_key is not one that a list gave".into())
}
