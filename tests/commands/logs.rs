//! What a whole run says in its logs and traces: enough to follow each lead, and nothing about the people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::alone::Alone;

/// The people whom the demo calls by itself.
const PEOPLE: &str = include_str!("../../src/demo/leads.csv");

/// Everything in the list that tells who somebody is, as it may turn up somewhere.
fn told_of_people() -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for row in PEOPLE.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let (name, phone, email) = (cells[0], cells[1], cells[3]);
        told.extend([name.to_owned(), email.to_owned(), phone.to_owned()]);
        // Without its country code, too.
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        told.insert(digits[digits.len() - 10..].to_owned());
    }
    assert!(told.len() > 60, "the list is read");
    told
}

#[tokio::test]
async fn a_whole_run_logs_json_lines_without_any_number_or_name() {
    let alone = Alone::new();
    let arguments =
        ["demo", "--exit-when-done", "--json", "--provider", "all", "--log", "debug", "--log-json"];
    let path = std::env::var_os("PATH").and_then(|path| path.into_string().ok()).expect("a path");
    let said = alone.says(&[("PATH", &path)], &arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let people = told_of_people();
    let mut lines = 0;
    for line in said.err.lines() {
        let read: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(read["timestamp"].is_string() && read["level"].is_string(), "{line}");
        lines += 1;
        for told in &people {
            assert!(!line.contains(told.as_str()), "{told} stands in the log: {line}");
        }
    }
    assert!(lines > 100, "at this level much is said: {lines} lines");
}

/// A collector: what it was sent.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn open() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/v1/traces", post(Self::take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    async fn take(State(collector): State<Self>, body: Bytes) {
        let sent = ExportTraceServiceRequest::decode(body.clone()).expect("OTLP");
        let spans = sent.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
        collector.spans.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
        collector.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend(body);
    }
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn each_lead_has_one_trace_from_its_acceptance_to_its_end() {
    let (collector, url) = Collector::open().await;
    let alone = Alone::new();
    let path = std::env::var_os("PATH").and_then(|path| path.into_string().ok()).expect("a path");
    let arguments = ["demo", "--exit-when-done", "--json", "--otlp", &url];
    let said = alone.says(&[("PATH", &path)], &arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let spans = collector.spans.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut of_leads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for span in &spans {
        if let Some(lead) = attribute(span, "lead.id") {
            let trace: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(trace, lead.replace('-', ""), "the trace of {} is its lead's", span.name);
            of_leads.entry(lead).or_default().insert(span.name.clone());
        }
    }
    assert_eq!(of_leads.len(), 24, "every lead is traced");
    for (lead, names) in &of_leads {
        for name in ["accepted", "dial.v1", "replied", "outcome_recorded", "finished"] {
            assert!(names.contains(name), "{lead} has no {name} among {names:?}");
        }
    }
    let webhooks = of_leads.values().filter(|names| names.contains("webhook")).count();
    assert!(webhooks > 12, "webhooks are in their leads' traces: {webhooks}");
    let requests: Vec<&Span> = spans.iter().filter(|span| span.name == "dial request").collect();
    assert!(requests.iter().all(|span| !span.parent_span_id.is_empty()), "a request is part of its job");
    assert!(requests.len() >= 24);
    let bytes =
        String::from_utf8_lossy(&collector.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    for told in told_of_people() {
        assert!(!bytes.contains(&told), "{told} stands in a trace");
    }
}
