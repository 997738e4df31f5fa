//! Where a redirect may lead.

use super::super::hosts::Hosts;
use super::super::{Settings, SettingsError};

fn allows(settings: &Settings, url: &str) -> bool {
    Hosts::of(settings).expect("good settings").allow(&url.parse().expect("an address"))
}

fn settings(base_url: &str, redirect_hosts: &[&str]) -> Settings {
    let redirect_hosts = redirect_hosts.iter().map(|host| (*host).to_owned()).collect();
    Settings { base_url: base_url.parse().expect("an address"), redirect_hosts }
}

#[test]
fn by_default_redirects_lead_to_googles_hosts_of_sheets_and_nowhere_else() {
    for (url, allowed) in [
        ("https://docs.google.com/spreadsheets/d/x/export", true),
        ("https://doc-14-2g-sheets.googleusercontent.com/export/a/b", true),
        ("https://doc-0c-bk-sheets.googleusercontent.com:443/export/a/b", true),
        ("http://doc-14-2g-sheets.googleusercontent.com/export/a/b", false),
        ("https://doc-14-2g-sheets.googleusercontent.com:8443/export", false),
        ("https://user@doc-14-2g-sheets.googleusercontent.com/export", false),
        ("https://doc-14-2g-sheets.googleusercontent.com.example.com/", false),
        ("https://doc--2g-sheets.googleusercontent.com/", false),
        ("https://doc-1.4-2g-sheets.googleusercontent.com/", false),
        ("https://doc-14-2g-sheets-googleusercontent.com/", false),
        ("https://script.googleusercontent.com/", false),
        ("https://example.com/doc-14-2g-sheets.googleusercontent.com", false),
        ("https://docs.google.com.example.com/", false),
        ("https://mail.google.com/", false),
        ("http://docs.google.com/", false),
        ("https://127.0.0.1/", false),
        ("http://127.0.0.1:80/", false),
        ("http://[::1]/", false),
        ("file:///etc/hostname", false),
        ("data:text/csv,phone", false),
    ] {
        assert_eq!(allows(&Settings::default(), url), allowed, "{url}");
    }
}

#[test]
fn a_port_is_part_of_the_host() {
    let settings = settings("http://127.0.0.1:8080", &["127.0.0.1:8081", "localhost"]);
    for (url, allowed) in [
        ("http://127.0.0.1:8080/x", true),
        ("http://127.0.0.1:8081/x", true),
        ("http://127.0.0.1:8082/x", false),
        ("http://localhost/x", true),
        ("https://localhost/x", true),
        ("http://localhost:8081/x", false),
    ] {
        assert_eq!(allows(&settings, url), allowed, "{url}");
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for base in
        ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080", "https://sheets.example.com/x"]
    {
        assert!(Hosts::of(&settings(base, &[])).is_ok(), "{base}");
    }
    for base in [
        "http://docs.google.com",
        "http://10.0.0.1",
        "ftp://docs.google.com",
        "https://docs.google.com/?x=1",
        "https://docs.google.com/#x",
        "https://user:secret@docs.google.com",
        "data:text/csv,phone",
    ] {
        let error = Hosts::of(&settings(base, &[])).expect_err("refused");
        assert!(matches!(error, SettingsError::Address), "{base}: {error}");
    }
    let through = settings("https://sheets.example.com", &["10.0.0.1"]);
    assert!(!allows(&through, "http://10.0.0.1/x"));
}

#[test]
fn what_is_no_host_is_refused_in_the_settings() {
    for host in ["", "https://example.com", "Example.com", "example.com/x", "example.com:port", ":80"] {
        let error = Hosts::of(&settings("https://docs.google.com", &[host])).expect_err("refused");
        assert!(matches!(&error, SettingsError::Host(named) if named == host), "{host}: {error}");
    }
}

#[test]
fn settings_are_read_with_defaults_and_without_unknown_keys() {
    let read = |text| serde_json::from_str::<Settings>(text);
    assert_eq!(read("{}").expect("settings"), Settings::default());
    let emulated = read(r#"{"base_url": "http://127.0.0.1:8080", "redirect_hosts": ["127.0.0.1:8081"]}"#);
    assert_eq!(emulated.expect("settings"), settings("http://127.0.0.1:8080", &["127.0.0.1:8081"]));
    read(r#"{"base": "http://127.0.0.1:8080"}"#).expect_err("an unknown key");
}
