//! What people paste.

use proptest::prelude::{any, proptest};
use url::Url;

use super::super::{LinkError, SheetLink};

/// As long as ids are; of no sheet that is known.
const ID: &str = "1Fictional-Sheet_Of-Leads_0123456789abcdefgh";

/// What publishing made of it.
const PUBLISHED: &str = "2PACX-1vFictional-Sheet_Of-Leads_0123456789abcdefgh";

/// The address that is asked, for what was pasted with `{}` in place of the id.
fn asked(pasted: &str, id: &str) -> Result<String, LinkError> {
    let base = "https://docs.google.com".parse().expect("an address");
    let link = SheetLink::parse(&pasted.replace("{}", id))?;
    let url = link.export_url(&base, 5).to_string();
    let path = url.strip_prefix("https://docs.google.com/spreadsheets/d/").expect("Google's host");
    Ok(path.replace(id, "{}"))
}

#[test]
fn every_form_of_a_shared_sheets_address_leads_to_the_export_of_its_tab() {
    for (pasted, expected) in [
        ("https://docs.google.com/spreadsheets/d/{}/edit?gid=7#gid=7", "{}/export?format=csv&gid=7&_cb=5"),
        ("https://docs.google.com/spreadsheets/d/{}/edit#gid=0", "{}/export?format=csv&gid=0&_cb=5"),
        ("https://docs.google.com/spreadsheets/d/{}/edit?usp=sharing", "{}/export?format=csv&_cb=5"),
        (
            "https://docs.google.com/spreadsheets/d/{}/edit?gid=7&usp=sharing",
            "{}/export?format=csv&gid=7&_cb=5",
        ),
        ("https://docs.google.com/spreadsheets/d/{}/view", "{}/export?format=csv&_cb=5"),
        ("https://docs.google.com/spreadsheets/d/{}/htmlview?gid=12", "{}/export?format=csv&gid=12&_cb=5"),
        ("https://docs.google.com/spreadsheets/d/{}", "{}/export?format=csv&_cb=5"),
        ("https://docs.google.com/spreadsheets/d/{}/", "{}/export?format=csv&_cb=5"),
        ("https://docs.google.com/spreadsheets/u/0/d/{}/edit#gid=7", "{}/export?format=csv&gid=7&_cb=5"),
        ("https://docs.google.com/a/example.com/spreadsheets/d/{}/edit", "{}/export?format=csv&_cb=5"),
        (
            "https://docs.google.com/spreadsheets/d/{}/export?format=xlsx&gid=7",
            "{}/export?format=csv&gid=7&_cb=5",
        ),
        (
            "https://docs.google.com/spreadsheets/d/{}/gviz/tq?tqx=out:csv&gid=7&headers=1",
            "{}/export?format=csv&gid=7&_cb=5",
        ),
        (
            "https://docs.google.com/spreadsheets/d/{}/export?format=csv&gid=7&range=A1:D100",
            "{}/export?format=csv&gid=7&range=A1%3AD100&_cb=5",
        ),
        (
            "https://docs.google.com/spreadsheets/d/{}/edit?gid=7#gid=7&range=B:D",
            "{}/export?format=csv&gid=7&range=B%3AD&_cb=5",
        ),
        (
            "https://docs.google.com/spreadsheets/d/{}/export?range=spring_leads",
            "{}/export?format=csv&range=spring_leads&_cb=5",
        ),
        ("docs.google.com/spreadsheets/d/{}/edit#gid=7", "{}/export?format=csv&gid=7&_cb=5"),
        ("HTTP://Docs.Google.com/spreadsheets/d/{}/edit#gid=7", "{}/export?format=csv&gid=7&_cb=5"),
        (" <https://docs.google.com/spreadsheets/d/{}/edit#gid=7>\n", "{}/export?format=csv&gid=7&_cb=5"),
    ] {
        assert_eq!(asked(pasted, ID).as_deref(), Ok(expected), "{pasted}");
    }
}

#[test]
fn a_published_sheet_is_asked_at_its_own_address() {
    for (pasted, expected) in [
        (
            "https://docs.google.com/spreadsheets/d/e/{}/pub?gid=7&single=true&output=csv",
            "e/{}/pub?single=true&output=csv&gid=7&_cb=5",
        ),
        ("https://docs.google.com/spreadsheets/d/e/{}/pubhtml", "e/{}/pub?single=true&output=csv&_cb=5"),
        ("https://docs.google.com/spreadsheets/u/1/d/e/{}/pub", "e/{}/pub?single=true&output=csv&_cb=5"),
    ] {
        assert_eq!(asked(pasted, PUBLISHED).as_deref(), Ok(expected), "{pasted}");
    }
}

#[test]
fn the_base_may_have_a_path_of_its_own() {
    let link = SheetLink::parse(&format!("https://docs.google.com/spreadsheets/d/{ID}")).expect("a link");
    for base in ["http://127.0.0.1:8080/google", "http://127.0.0.1:8080/google/"] {
        let base: Url = base.parse().expect("an address");
        let expected = format!("http://127.0.0.1:8080/google/spreadsheets/d/{ID}/export?format=csv&_cb=5");
        assert_eq!(link.export_url(&base, 5).as_str(), expected);
    }
}

#[test]
fn what_names_no_sheet_is_refused_for_what_it_is() {
    let elsewhere = |host: &str| LinkError::Elsewhere { host: host.to_owned() };
    for (pasted, error) in [
        ("", LinkError::NotALink),
        ("Spring leads", LinkError::NotALink),
        ("{}", LinkError::NotALink),
        ("/spreadsheets/d/{}/edit", LinkError::NotALink),
        ("file:///spreadsheets/d/{}/edit", LinkError::NotALink),
        ("javascript:alert(1)", LinkError::NotALink),
        ("https://example.com/spreadsheets/d/{}/edit", elsewhere("example.com")),
        ("https://docs.google.com.example.com/spreadsheets/d/{}", elsewhere("docs.google.com.example.com")),
        ("https://docs.google.com@example.com/spreadsheets/d/{}", elsewhere("example.com")),
        ("http://169.254.169.254/spreadsheets/d/{}", elsewhere("169.254.169.254")),
        ("docs.google.com.example.com/spreadsheets/d/{}", elsewhere("docs.google.com.example.com")),
        ("https://drive.google.com/file/d/{}/view", LinkError::NotASheet),
        ("https://docs.google.com/document/d/{}/edit", LinkError::NotASheet),
        ("https://docs.google.com/forms/d/e/{}/viewform", LinkError::NotASheet),
        ("https://docs.google.com/spreadsheets/u/0/", LinkError::NotASheet),
        ("https://docs.google.com/", LinkError::NotASheet),
        ("https://docs.google.com/spreadsheets/d/1Fictional/edit", LinkError::BadId),
        ("https://docs.google.com/spreadsheets/d/{}…/edit", LinkError::BadId),
        ("https://docs.google.com/spreadsheets/d/{}%2F..%2F..%2Fx/edit", LinkError::BadId),
        ("https://docs.google.com/spreadsheets/d/e/", LinkError::BadId),
    ] {
        assert_eq!(asked(pasted, ID), Err(error), "{pasted}");
    }
    let endless = format!("https://docs.google.com/spreadsheets/d/{}", "x".repeat(201));
    assert_eq!(SheetLink::parse(&endless), Err(LinkError::BadId));
}

#[test]
fn what_leaves_open_which_rows_are_meant_is_refused() {
    for (behind, error) in [
        ("edit?gid=1#gid=2", LinkError::TwoTabs),
        ("edit#gid=first", LinkError::BadTab),
        ("edit#gid=-1", LinkError::BadTab),
        ("edit#gid=99999999999999999999", LinkError::BadTab),
        ("gviz/tq?tqx=out:csv&sheet=Leads", LinkError::TabByName),
        ("gviz/tq?tqx=out:csv&gid=1&tq=select%20A", LinkError::Query),
        ("edit#gid=0&range=D100", LinkError::OneCell("D100".to_owned())),
        ("export?range='Other%20tab'!A1:B2", LinkError::BadRange),
        ("export?range=A1:B2&range=A1:B3", LinkError::BadRange),
        ("export?range=A1:", LinkError::BadRange),
    ] {
        let pasted = format!("https://docs.google.com/spreadsheets/d/{{}}/{behind}");
        assert_eq!(asked(&pasted, ID), Err(error), "{behind}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    for error in [
        LinkError::NotALink,
        LinkError::Elsewhere { host: "example.com".to_owned() },
        LinkError::NotASheet,
        LinkError::BadId,
        LinkError::BadTab,
        LinkError::TwoTabs,
        LinkError::TabByName,
        LinkError::Query,
        LinkError::OneCell("A1".to_owned()),
        LinkError::BadRange,
    ] {
        let message = error.to_string();
        assert!(["copy ", "take "].iter().any(|verb| message.contains(verb)), "{message}");
    }
}

#[test]
fn a_link_is_displayed_as_a_browser_opens_it() {
    for (pasted, shown) in [
        ("https://docs.google.com/spreadsheets/u/3/d/{}/export?gid=7&format=csv", "{}/edit#gid=7"),
        ("docs.google.com/spreadsheets/d/{}/edit?range=A1:D9", "{}/edit#range=A1:D9"),
        ("docs.google.com/spreadsheets/d/{}/edit?range=A1:D9#gid=0", "{}/edit#gid=0&range=A1:D9"),
        ("docs.google.com/spreadsheets/d/{}", "{}/edit"),
        ("docs.google.com/spreadsheets/d/e/{}/pub?gid=7&output=csv", "e/{}/pubhtml?single=true&gid=7"),
    ] {
        let link = SheetLink::parse(&pasted.replace("{}", ID)).expect("a link");
        assert_eq!(
            link.to_string(),
            format!("https://docs.google.com/spreadsheets/d/{}", shown.replace("{}", ID))
        );
    }
}

proptest! {
    #[test]
    fn a_displayed_link_means_the_same(
        published in any::<bool>(),
        id in "[A-Za-z0-9_-]{20,90}",
        gid in proptest::option::of(any::<u64>()),
        range in proptest::option::of("[A-Z]{1,3}[1-9][0-9]{0,7}:[A-Z]{1,3}|[a-zäß]{4,20}_[0-9]"),
    ) {
        let kind = if published { "e/" } else { "" };
        let gid = gid.map(|gid| format!("gid={gid}")).unwrap_or_default();
        let range = range.map(|range| format!("range={range}")).unwrap_or_default();
        let pasted = format!("https://docs.google.com/spreadsheets/d/{kind}{id}/x?{gid}&{range}");
        let link = SheetLink::parse(&pasted).expect("a link");
        assert_eq!(SheetLink::parse(&link.to_string()), Ok(link));
    }

    #[test]
    fn whatever_is_pasted_is_understood_or_refused(pasted in ".*") {
        let _ = SheetLink::parse(&pasted);
        let _ = SheetLink::parse(&format!("docs.google.com/spreadsheets/{pasted}"));
    }
}
