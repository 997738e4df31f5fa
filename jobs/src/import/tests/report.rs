//! Summaries: pages, counts, and what people are shown.

use insta::assert_snapshot;

use super::rows;
use crate::import::{PROBLEMS_KEPT, Summary, rehearse};

/// What a rehearsal of a file says.
fn rehearsed(file: &str) -> Summary {
    rehearse(rows(file).into_iter(), |_| ())
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
      "import": null,
      "state": null,
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
      "rest_unread": false
    }
    "#);
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
