//! Summaries: pages, counts, and what people are shown.

use crate::engine::Engine;
use crate::operations::leads::Accepted;
use insta::assert_snapshot;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use uuid::Uuid;

use super::rows;
use crate::import::report::Tally;
use crate::import::{Options, PROBLEMS_KEPT, Summary, import, read};

/// What a rehearsal of a file says.
fn rehearsed(file: &str) -> Summary {
    let mut tally = Tally::new(true);
    let mut rows = rows(file).into_iter();
    while let Some(page) = tally.page(&mut rows) {
        tally.rehearse(&page);
    }
    tally.summary
}

#[test]
fn a_rehearsal_counts_leads_duplicates_and_problems() {
    let file = "phone,name,id\n9876543210,Ann Rao,\n09876543210,ann  RAO,\n9876543210,Bob,\n1,,\n9876543211,,7\n9876543212,,7\n";
    let summary = rehearsed(file);
    assert_snapshot!(summary, @r"
    6 rows read, nothing written: 3 leads to accept, 2 duplicates in the file, 1 problem
      line 5, column phone: the phone number has 1 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field (*)
    ");
    assert_snapshot!(serde_json::to_string_pretty(&summary).expect("a summary is JSON"), @r#"
    {
      "dry_run": true,
      "rows": 6,
      "accepted": 3,
      "duplicates": 2,
      "consents": 0,
      "problems_total": 1,
      "problems": [
        {
          "line": 5,
          "column": "phone",
          "value": "*",
          "problem": "the phone number has 1 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field",
          "rest_unread": false
        }
      ],
      "first_leads": [],
      "rest_unread": false
    }
    "#);
}

#[test]
fn rows_come_in_pages_and_bad_ones_count_too() {
    let file = format!("phone,name\n{}{}", "1,x\n".repeat(1_500), "9876543210,x\n".repeat(1_000));
    let mut tally = Tally::new(false);
    let mut rows = rows(&file).into_iter();
    let pages: Vec<usize> = std::iter::from_fn(|| Some(tally.page(&mut rows)?.len())).collect();
    assert_eq!(pages, [0, 500, 500]);
    assert_eq!(tally.summary.rows, 2_500);
}

#[test]
fn of_many_problems_the_first_are_kept_fewer_are_shown_and_all_are_counted() {
    let file = format!("phone,name\n{}9876543210,\"x\n", "1,x\n".repeat(1_500));
    let summary = rehearsed(&file);
    assert_eq!((summary.problems_total, summary.problems.len()), (1_501, PROBLEMS_KEPT));
    assert!(summary.rest_unread);
    let told = summary.to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 23);
    assert_snapshot!([&lines[..2], &lines[20..]].concat().join("\n"), @r"
    1501 rows read, nothing written: 0 leads to accept, 0 duplicates in the file, 1501 problems
      line 2, column phone: the phone number has 1 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field (*)
      line 21, column phone: the phone number has 1 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field (*)
      line 1502: a quotation mark opened on line 1502 is never closed; close or remove it; nothing behind it was read
      and 1480 more
    ");
}

#[test]
fn what_pages_came_to_is_added_up_and_the_first_leads_are_named() {
    let mut tally = Tally::new(false);
    let leads = (0..7).map(|n| LeadId(Uuid::from_u128(n))).collect();
    let accepted = Accepted { leads, duplicates: 2, consents: 3 };
    tally.accepted(&accepted);
    tally.accepted(&accepted);
    tally.accepted(&accepted);
    let Summary { accepted, duplicates, first_leads, .. } = &tally.summary;
    assert_eq!((*accepted, *duplicates, first_leads.len()), (21, 6, 10));
    assert_snapshot!(tally.summary, @"0 rows read: 21 leads accepted, 6 duplicates, 0 problems; 9 consents recorded");
}

/// An HTTP handler may import: this is checked by the compiler, and never called.
#[expect(dead_code, reason = "only its types matter")]
fn an_import_may_run_on_any_thread(engine: &Engine, client: ClientId, campaign: CampaignId) {
    fn sendable<T: Send>(_: T) {}
    if let Ok(rows) = read(std::io::empty(), &Options::default()) {
        sendable(import(engine, client, campaign, rows, false, "asha", |_| ()));
    }
}
