//! The title in the name of a file.

use reqwest::header::{CONTENT_DISPOSITION, HeaderMap, HeaderValue};

use super::super::title;

fn title(disposition: &str) -> Option<String> {
    let value = HeaderValue::from_bytes(disposition.as_bytes()).expect("a header");
    title::of(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]))
}

#[test]
fn the_full_name_is_taken_without_its_ending() {
    for (disposition, expected) in [
        (
            "attachment; filename=\"SpringLeads-Sheet1.csv\"; filename*=UTF-8''Spring%20Leads%20-%20Sheet1.csv",
            "Spring Leads - Sheet1",
        ),
        ("attachment; FILENAME*=utf-8'en'A%2BB+C%20-%20%E6%9D%8E.csv", "A+B+C - 李"),
        (
            "attachment; filename=\"a; filename*=UTF-8''b.csv\\\"; filename*=UTF-8''c.csv\"; filename*=UTF-8''d.csv",
            "d",
        ),
        ("attachment; filename=\"Frühling\"; filename*=UTF-8''Fr%C3%BChling", "Frühling"),
        ("attachment; filename*=UTF-8''clear%1B%5B2J%0Ahere.csv", "clear[2Jhere"),
    ] {
        assert_eq!(title(disposition).as_deref(), Some(expected), "{disposition}");
    }
    let long = format!("attachment; filename*=UTF-8''{}", "x".repeat(500));
    assert_eq!(title(&long).map(|title| title.len()), Some(200));
}

#[test]
fn without_a_full_name_there_is_no_title() {
    for disposition in [
        "attachment",
        "attachment; filename=\"data.csv\"",
        "attachment; filename*=ISO-8859-1''Leads.csv",
        "attachment; filename*=UTF-8''%FF.csv",
        "attachment; filename*=Leads.csv",
        "attachment; filename*=UTF-8''.csv",
    ] {
        assert_eq!(title(disposition), None, "{disposition}");
    }
    assert_eq!(title::of(&HeaderMap::new()), None);
}
