//! Rows: where they stand, what is wrong with them, and that the good ones go on.

use std::io::{self, Read};

use crate::operations::consents::ConsentSpec;
use insta::assert_snapshot;
use outdial_workflows::packs::ConsentLevel;

use super::{leads, options, rows, told};
use crate::import::{Options, Problem, read, read_numbers};

#[test]
fn bad_rows_are_reported_with_line_column_and_reason_and_good_rows_go_on() {
    let file = "\
Mobile No,name,Time Zone,priority,id
9876543210,Ann,Asia/Kolkata,urgent,1
,Bob,,,2
12345,Cem,,,3
call me: 98765,Dee,,,4
9876543210 / 9876543211,Eva,,,5
9.87654E+09,Fay,,,6
9876543211,Gus,Asia/Calcuta,,7
9876543211,Hal,IST,,8
9876543211,Ida,,asap,9
9876543211,Jon,,
9876543211,Kim,,,11,x
9876543211,Lea,,,12,,
\u{30}9876543211,Max,,,13
";
    assert_snapshot!(told(file), @r"
    line 2: +919876543210 Ann {}
    line 3, column Mobile No: the phone number is empty; write it with + and its country code
    line 4, column Mobile No: the phone number has 5 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field (*****)
    line 5, column Mobile No: the phone number contains letters; write it in digits (xxxx xx: *****)
    line 6, column Mobile No: there are several phone numbers in one field; keep one, or make one lead of each (********** / ********11)
    line 7, column Mobile No: the spreadsheet turned the phone number into a rounded number (like 9.19877E+11) and its last digits are lost; format the column as text, enter the number again, and export anew (*.*****x+09)
    line 8, column Time Zone: `Asia/Calcuta` is not an IANA time zone; did you mean Asia/Calcutta?
    line 9, column Time Zone: `IST` is an abbreviation, not a place; did you mean Asia/Kolkata or Europe/Dublin or Asia/Jerusalem?
    line 10, column priority: `asap` is not a priority; one of: urgent, high, normal, low
    line 11: the row has 4 fields, but the header has 5; check for a missing field, or for a delimiter or line break inside a field, which needs quotation marks around it
    line 12: the row has 6 fields, but the header has 5; check for a missing field, or for a delimiter or line break inside a field, which needs quotation marks around it
    line 13: +919876543211 Lea {}
    line 14: +919876543211 Max {}
    ");
}

#[test]
fn what_would_break_the_store_is_refused_at_the_door() {
    let long = "x".repeat(301);
    let file = format!(
        "phone,name,id,city\n9876543210,{long},,\n9876543210,,{long},\n9876543210,A,,{long}\n9876543210,Ann,,\u{1b}[31m\n",
    );
    let told: Vec<String> = rows(&file).into_iter().filter_map(|row| Some(row.err()?.to_string())).collect();
    assert_snapshot!(told.join("\n"), @r"
    line 2, column name: the name is longer than 300 characters; shorten it
    line 3, column id: the id is longer than 300 characters; shorten it
    ");
    // Behind the head, which is refused as a whole if it has a NUL.
    let filler = "9876543210,Ann,,\n".repeat(10_000);
    let file = format!("phone,name,id,city\n{filler}9876543210,A\0nn,,\n9876543210,Ann,,Pune\n");
    let last: Vec<_> = rows(&file).split_off(10_000);
    assert_eq!(
        last[0].as_ref().err().map(ToString::to_string).as_deref(),
        Some("line 10002, column name: the field contains a NUL character; remove it")
    );
    assert!(last[1].is_ok());
}

#[test]
fn a_long_or_odd_value_is_not_repeated_in_full() {
    let file = format!(
        "phone,zone,priority\n9876543210,{0},\n9876543210,,\u{1b}[31m{0}\nabc@example.com {0},,\n",
        "y".repeat(9_999)
    );
    assert_snapshot!(told(file), @r"
    line 2, column zone: `yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…` is not an IANA time zone; write a name such as Asia/Kolkata or America/New_York
    line 3, column priority: `�[31myyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…` is not a priority; one of: urgent, high, normal, low
    line 4, column phone: the phone number contains letters; write it in digits (xxx@xxxxxxx.xxx xxxxxxxxxxxxxxxxxxxxxxxx…)
    ");
}

#[test]
fn the_line_is_that_of_the_records_start_whatever_ends_lines() {
    for end in ["\n", "\r\n", "\r"] {
        let file = "\nphone,\"na\nme\"\n\n9876543210,\"a\n\nb\"\n,\n \n9876543211,c\n9876543212,d"
            .replace('\n', end);
        let lines: Vec<u64> = leads(&file).iter().map(|row| row.line).collect();
        assert_eq!(lines, [5, 10, 11], "{end:?}");
    }
}

#[test]
fn quoted_fields_keep_delimiters_quotation_marks_and_line_breaks() {
    let file = "phone,note\r\n9876543210,\"a, \"\"b\"\"\r\nc\"\r\n9876543210,5\" pipe\r\n9876543210,\"a\"b\r\n\"9876543210\",\"\"";
    assert_snapshot!(told(file), @r#"
    line 2: +919876543210  {"note":"a, \"b\"\r\nc"}
    line 4: +919876543210  {"note":"5\" pipe"}
    line 5: +919876543210  {"note":"ab"}
    line 6: +919876543210  {}
    "#);
}

#[test]
fn what_spreadsheets_put_around_a_value_is_taken_away() {
    for (given, read) in [
        ("'+91", "+91"),
        ("'007", "007"),
        ("=\"007\"", "007"),
        ("  x\u{a0}", "x"),
        ("\u{200b}x\u{feff}", "x"),
        ("'t Hooft", "'t Hooft"),
        ("O'Neil", "O'Neil"),
        ("=x", "=x"),
    ] {
        let file =
            format!("phone,note\n'9876543210,{given}\n=\"9876543210\",\"{}\"\n", given.replace('"', "\"\""));
        for row in leads(&file) {
            assert_eq!(row.spec.phone.as_str(), "+919876543210");
            assert_eq!(row.spec.attributes["note"], read, "{given:?}");
        }
    }
}

#[test]
fn a_quotation_mark_that_is_never_closed_is_reported_where_it_opens() {
    let file = "phone,note\n9876543210,fine\n9876543211,\"a\nb\" c\n9876543212,\"oops\n9876543213,lost\n";
    assert_snapshot!(told(file), @r#"
    line 2: +919876543210  {"note":"fine"}
    line 3: +919876543211  {"note":"a\nb c"}
    line 5: a quotation mark opened on line 5 is never closed; close or remove it; nothing behind it was read
    "#);
    // Without keeping what follows: 20 MB here.
    let tail = "9876543213,lost\n".repeat(1_250_000);
    let last = rows(format!("{file}{tail}")).pop().and_then(Result::err).expect("a problem");
    assert_eq!((last.line, last.rest_unread), (5, true));
}

#[test]
fn a_row_that_is_too_long_is_read_past() {
    for long in ["x".repeat(70_000), ",".repeat(70_000)] {
        let file = format!("phone,note\n9876543210,{long}\n9876543211,b\n");
        insta::allow_duplicates! {
            assert_snapshot!(told(file), @r#"
            line 2: the row is longer than 64 KiB; shorten it, and check for a quotation mark that is not closed
            line 3: +919876543211  {"note":"b"}
            "#);
        }
    }
}

/// Gives its bytes one by one, interrupted before each, and fails in the end.
struct Failing<'a>(&'a [u8], bool);

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        match (self.1, self.0.split_first()) {
            (true, _) => Err(io::ErrorKind::Interrupted.into()),
            (false, None) => Err(io::Error::other("the disk is gone")),
            (false, Some((byte, rest))) => {
                self.0 = rest;
                out[0] = *byte;
                Ok(1)
            }
        }
    }
}

#[test]
fn a_reader_that_fails_ends_the_rows_with_a_problem() {
    let file = format!("phone,name\n{}", "9876543210,Ann Example\n".repeat(9_000));
    let mut rows = read(Failing(file.as_bytes(), false), &options("IN")).expect("the head is good");
    let good = rows.by_ref().take_while(Result::is_ok).count();
    assert_eq!(good, 9_000);
    assert!(rows.next().is_none());
    let problem: Problem = read(Failing(file.as_bytes(), false), &options("IN"))
        .expect("the head is good")
        .find_map(Result::err)
        .expect("a problem");
    assert_snapshot!(problem, @"line 9001: the file could not be read further: the disk is gone; nothing behind it was read");
}

#[test]
fn where_people_are_and_what_they_agreed_to_is_read_and_what_cannot_be_is_reported() {
    let file = "\
Phone,Country,State Code,Consent,Consent Source,Consent Date,Consent Expires
9876543210,India,,Express,form 7,2026-01-02T10:00:00Z,
9876543211,usa,FL,express-written,form 7,,
9876543212,,US-OK,none,,,
9876543213,,KA,,,,
9876543214,Utopia,,,,,
9876543215,,,perhaps,,,
9876543216,,,written,,,
9876543217,,,written,form 7,02/01/2026,
9876543218,,,written,form 7,2026-01-02,2026-01-01
";
    let told = rows(file).into_iter().map(|row| match row {
        Err(problem) => problem.to_string(),
        Ok(row) => {
            let consent =
                row.spec.consent.map(|its| format!("{}, {}, {:?}", its.level, its.source, its.given_at));
            let region = row.spec.region.unwrap_or_default();
            format!("line {}: {region}; {}", row.line, consent.unwrap_or("nothing".into()))
        }
    });
    assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    line 2: IN; express, form 7, Some(2026-01-02T10:00:00Z)
    line 3: US-FL; express written, form 7, None
    line 4: US-OK; nothing
    line 5: IN-KA; nothing
    line 6, column Country: `Utopia` is not a region; write a country as IN, or a state or province with its country as US-FL (ISO 3166)
    line 7, column Consent: `perhaps` is not a kind of consent; write express, written or none
    line 8, column Consent: consent needs a source: where it can be proved, as `form of 12 March`
    line 9, column Consent Date: `02/01/2026` is not a time; write it as 2026-01-14T10:00:00+05:30, or the day as 2026-01-14
    line 10, column Consent: consent would end before it was given; check both times
    ");
    let of_all = ConsentSpec {
        level: ConsentLevel::ExpressWritten,
        purpose: None,
        source: "the list of May".into(),
        given_at: None,
        expires_at: None,
    };
    let with = |text: &str| {
        let options = Options { consent: Some(of_all.clone()), ..options("IN") };
        let rows = read(text.as_bytes(), &options).expect("rows");
        rows.map(|row| row.expect("a row").spec.consent).collect::<Vec<_>>()
    };
    assert_eq!(with("phone\n9876543210\n"), [Some(of_all.clone())]);
    let own = Some(ConsentSpec { source: "form 7".into(), level: ConsentLevel::Express, ..of_all.clone() });
    let rows =
        "phone,consent,consent source\n9876543210,express,form 7\n9876543211,no,\n9876543212,,form 7\n";
    let source_alone = Some(ConsentSpec { source: "form 7".into(), ..of_all.clone() });
    assert_eq!(with(rows), [own, None, source_alone]);
}

#[test]
fn a_list_of_numbers_needs_no_header_and_of_a_table_its_numbers_alone() {
    let numbers = |text: &str| {
        let rows = read_numbers(text.as_bytes(), &options("IN")).map_err(|error| error.to_string())?;
        let told = rows.map(|row| match row {
            Ok(row) => row.spec.phone.as_str().to_owned(),
            Err(problem) => problem.to_string(),
        });
        Ok::<_, String>(told.collect::<Vec<_>>().join("; "))
    };
    let two = || Ok("+919876543210; +919876543211".to_owned());
    for text in [
        "9876543210\n\n98765 43211\n",
        "+91 98765 43210\r\n+91 98765 43211",
        "phone\n9876543210\n9876543211\n",
        "zone,Mobile No,zone\nMars,9876543210,\n,9876543211,\n",
    ] {
        assert_eq!(numbers(text), two(), "{text}");
    }
    let one_bad = numbers("9876543210\n12345\n").expect("a list");
    assert!(
        one_bad.starts_with("+919876543210; line 2, column number: the phone number has 5 digits"),
        "{one_bad}"
    );
    for text in ["name\nAsha\n", "9876543210,Asha\n9876543211,Bela\n", ""] {
        assert!(numbers(text).is_err(), "{text}");
    }
}
