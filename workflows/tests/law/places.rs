//! From digits to zones and areas.

use outdial_workflows::calendar::parse_zone;
use outdial_workflows::places::{Whereabouts, areas_of, version, zones_of};
use proptest::prelude::*;

use crate::{area, phone};

fn check(number: &str, expected: &str) {
    let number = phone(number);
    let found = Whereabouts::new(zones_of(&number).iter().copied(), areas_of(&number).iter().copied());
    assert_eq!(found.to_string(), expected, "{}", number.as_str());
}

#[test]
fn known_numbers_are_where_they_are() {
    // Numbers of ranges kept for fiction, or with impossible ends, where such exist.
    for (number, expected) in [
        ("+919876543210", "Asia/Kolkata;IN"),
        ("+911123456789", "Asia/Kolkata;IN"),
        ("+12125550100", "America/New_York;US-NY"),
        ("+13055550100", "America/New_York;US-FL"),
        ("+14055550100", "America/Chicago;US-OK"),
        ("+12065550100", "America/Los_Angeles;US-WA"),
        ("+14165550100", "America/Toronto;CA-ON"),
        ("+17875550100", "America/Puerto_Rico;PR"),
        ("+18765550100", "America/Jamaica;JM"),
        ("+442079460000", "Europe/London;GB"),
        ("+447400123456", "Europe/London;GB"),
        ("+441534123456", "Europe/London;JE"),
        ("+4930123456", "Europe/Berlin;DE"),
        ("+33123456789", "Europe/Paris;FR"),
        ("+37780000000", "Europe/Monaco;MC"),
    ] {
        check(number, expected);
    }
}

#[test]
fn a_number_that_may_be_in_several_places_is_in_all_of_them() {
    for (number, zones, areas) in [
        // Area codes on the border of a zone, or over several states and territories.
        ("+18505550100", vec!["America/New_York", "America/Chicago"], vec!["US-FL"]),
        ("+12085550100", vec!["America/Los_Angeles", "America/Denver"], vec!["US-ID"]),
        ("+18675550100", vec!["America/Whitehorse", "America/Iqaluit"], vec!["CA-YT", "CA-NU", "CA-NT"]),
        ("+19025550100", vec!["America/Halifax"], vec!["CA-NS", "CA-PE"]),
        // Queensland has no summer time, and shares its area code with a corner that has.
        ("+61730000000", vec!["Australia/Brisbane", "Australia/Sydney"], vec!["AU-QLD", "AU-NSW"]),
        // Mobiles may be anywhere.
        (
            "+61491570156",
            vec!["Australia/Perth", "Australia/Sydney", "Australia/Brisbane"],
            vec!["AU-WA", "AU-VIC"],
        ),
        ("+34612345678", vec!["Europe/Madrid", "Atlantic/Canary"], vec!["ES"]),
        ("+351912345678", vec!["Europe/Lisbon", "Atlantic/Azores"], vec!["PT"]),
        ("+5511912345678", vec!["America/Sao_Paulo", "America/Manaus"], vec!["BR"]),
    ] {
        let number = phone(number);
        for zone in zones {
            let zone = parse_zone(zone).expect("a zone");
            assert!(zones_of(&number).contains(&zone), "{zone} for {}", number.as_str());
        }
        for part in areas {
            assert!(areas_of(&number).contains(&area(part)), "{part} for {}", number.as_str());
        }
    }
}

#[test]
fn a_number_of_no_country_is_nowhere() {
    for number in ["+80012345678", "+9991234567"] {
        check(number, ";");
    }
}

#[test]
fn whereabouts_have_one_written_form() {
    let places: Whereabouts = "America/Denver,America/Chicago;US-NE,US-KS".parse().expect("whereabouts");
    assert_eq!(places.to_string(), "America/Chicago,America/Denver;US-KS,US-NE");
    let json = serde_json::to_string(&places).expect("serialises");
    assert_eq!(serde_json::from_str::<Whereabouts>(&json).expect("reads back"), places);
    for bad in ["", "Asia/Kolkata", "Asia/Bangalore;IN", "Asia/Kolkata;India", "EST;US-NY"] {
        assert!(bad.parse::<Whereabouts>().is_err(), "{bad}");
    }
}

#[test]
fn areas_read_back_as_what_was_written() {
    for text in ["IN", "US-FL", "AU-NSW", "FR-6AE"] {
        assert_eq!(area(text).to_string(), text);
    }
    assert_eq!(area(" us-fl "), area("US-FL"));
    for bad in ["", "USA", "US-", "US-FLOR", "XX", "US-F_"] {
        assert!(bad.parse::<outdial_workflows::places::Area>().is_err(), "{bad}");
    }
    assert!(area("US").may_hold(area("US-FL")) && area("US-FL").may_hold(area("US")));
    assert!(!area("US-FL").may_hold(area("US-GA")) && !area("CA").may_hold(area("US")));
}

#[test]
fn the_data_names_its_version() {
    assert!(version().starts_with("phonenumbers-9."));
}

proptest! {
    /// Whatever the digits: where the numbering plan names one region, the place is in it. (The
    /// two are of different ages; elsewhere the younger may know more.)
    #[test]
    fn places_agree_with_the_numbering_plan(number in "\\+[1-9][0-9]{9,13}") {
        let number = phone(&number);
        let countries: Vec<_> = areas_of(&number).iter().map(|area| area.country()).collect();
        if let Some(region) = number.region() {
            prop_assert!(countries.contains(&region), "{region} is missing for {}", number.as_str());
        }
        prop_assert_eq!(countries.is_empty(), number.possible_regions().is_empty());
    }
}
