//! Fuzz targets: whatever comes in, nothing panics, and what is read is what stands there.
//!
//! Each runs a bounded number of made-up inputs with `cargo test`, and for as long as is wished with
//! `BOLERO_RANDOM_TEST_TIME_MS=60000`. They are made of pieces that such inputs have, since bytes at random
//! hardly ever get past the first check.

use std::panic::AssertUnwindSafe;

use bolero::{TypeGenerator, check, generator};
use bytes::Bytes;
use outdial_jobs::events::Place;
use outdial_jobs::import::{Options, read, read_numbers};
use outdial_jobs::providers::exotel::{Credentials, Exotel, Settings};
use outdial_jobs::providers::{Carrier, WebhookRequest, http_client};
use outdial_jobs::sheets::SheetLink;
use outdial_workflows::Moment;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// Pieces of a text, by their place in a list, or bytes as they are.
#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Known(u8),
    Byte(u8),
    Bytes(#[generator(generator::produce::<Vec<u8>>().with().len(0usize..8))] Vec<u8>),
}

fn text(pieces: &[Piece], known: &[&[u8]]) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::Known(nth) => known[usize::from(*nth) % known.len()].to_vec(),
        Piece::Byte(byte) => vec![*byte],
        Piece::Bytes(bytes) => bytes.clone(),
    };
    pieces.iter().flat_map(piece).collect()
}

const CSV: [&[u8]; 28] = [
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b"phone",
    b"phone,name\n",
    b"name",
    b"time zone",
    b"external id",
    b"consent",
    b"priority",
    b"region",
    b"+919800000001",
    b"9876543210",
    b"00442079460018",
    b"Asia/Kolkata",
    b"express",
    b"=\"9876543210\"",
    b"'+91",
    b"sep=;\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xe9",
    "Zoë".as_bytes(),
];

#[test]
fn a_file_of_leads_is_read_row_by_row_or_refused_as_a_whole() {
    check!().with_type::<Vec<Piece>>().for_each(|pieces| {
        let file = text(pieces, &CSV);
        let options = Options { default_region: Some("IN".into()), ..Options::default() };
        let Ok(rows) = read(file.as_slice(), &options) else { return };
        let lines = rows.map(|row| row.map_or_else(|problem| problem.line, |row| row.line));
        let lines: Vec<u64> = lines.collect();
        assert!(lines.is_sorted_by(|before, line| before < line), "each row on a line of its own: {lines:?}");
    });
}

#[test]
fn a_list_of_numbers_is_read_likewise() {
    check!().with_type::<Vec<Piece>>().for_each(|pieces| {
        let file = text(pieces, &CSV);
        if let Ok(rows) = read_numbers(file.as_slice(), &Options::default()) {
            rows.for_each(drop);
        }
    });
}

const WEBHOOK: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\"CallSid\":\"abc\"",
    b"\"Status\":\"completed\"",
    b"CallSid=abc",
    b"&Status=",
    b"completed",
    b"no-answer",
    b"in-progress",
    b"&EventType=terminal",
    b"&DateCreated=",
    b"2026-01-12 10:00:00",
    b"%2B91",
    b"%",
    b"--x\r\n",
    b"Content-Disposition: form-data; name=\"CallSid\"\r\n\r\n",
    b"--x--\r\n",
    b"null",
    b"18446744073709551616",
];

const KINDS: [&str; 6] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "",
];

#[test]
fn a_webhook_is_read_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let credentials =
        serde_json::json!({ "account_sid": "acct1", "api_key": "EXAMPLE", "api_token": "EXAMPLE" });
    let credentials: Credentials = serde_json::from_value(credentials).expect("credentials");
    let address = "http://127.0.0.1:9/".parse().expect("an address");
    let client = http_client().expect("a client");
    let carrier = Exotel::new(client, address, credentials, Settings::default()).expect("an adapter");
    // A panic ends the target, so nobody sees what it left behind.
    let (carrier, runtime) = (AssertUnwindSafe(carrier), AssertUnwindSafe(runtime));
    check!().with_type::<(u8, Vec<Piece>)>().for_each(|(kind, pieces)| {
        let body = Bytes::from(text(pieces, &WEBHOOK));
        let kind = KINDS[usize::from(*kind) % KINDS.len()].parse().expect("a header");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let request =
            WebhookRequest { headers: &headers, body: &body, addressed: None, now: Moment::UNIX_EPOCH };
        let _ = runtime.block_on(carrier.webhook(request));
    });
}

const JSON: [&[u8]; 22] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"calendar\"",
    b"\"none\"",
    b"\"retry\"",
    b"\"max_attempts\"",
    b"\"limits\"",
    b"\"limit\":\"concurrent\"",
    b"\"max\"",
    b"\"caller_ids\"",
    b"\"zone\":\"Asia/Kolkata\"",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1e400",
    b"99999999999999999999",
    b"\"\\u0000\"",
];

#[test]
fn rules_are_read_or_refused_and_what_is_read_is_written_as_it_reads() {
    check!().with_type::<Vec<Piece>>().for_each(|pieces| {
        let given = text(pieces, &JSON);
        let Ok(rules) = serde_json::from_slice::<Rules>(&given) else { return };
        let written = serde_json::to_value(&rules).expect("rules are JSON");
        let again: Rules = serde_json::from_value(written.clone()).expect("they read back");
        assert_eq!(serde_json::to_value(again).ok(), Some(written));
    });
}

#[test]
fn what_people_paste_and_type_is_understood_or_refused() {
    const WORDS: [&[u8]; 14] = [
        b"https://docs.google.com/spreadsheets/d/",
        b"/edit",
        b"#gid=",
        b"?gid=",
        b"0",
        b"e/2PACX-",
        b"1Fictional-Sheet_of_Leads",
        b"u/0/",
        b"&range=A1:D100",
        b"+91",
        b"98765 43210",
        b"-",
        b"(0)",
        b"ext. 5",
    ];
    check!().with_type::<Vec<Piece>>().for_each(|pieces| {
        let given = String::from_utf8_lossy(&text(pieces, &WORDS)).into_owned();
        if let Ok(link) = SheetLink::parse(&given) {
            assert_eq!(SheetLink::parse(&link.to_string()).ok(), Some(link), "it is kept as it is shown");
        }
        if let Ok(number) = PhoneNumber::parse(&given, Some("IN")) {
            assert_eq!(PhoneNumber::parse(number.as_str(), None).ok(), Some(number));
        }
        let _ = given.parse::<Place>();
    });
}
