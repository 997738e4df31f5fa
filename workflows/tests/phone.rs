//! Phone numbers: what is taken, as what, and what is refused with which advice.

use std::collections::BTreeSet;

use outdial_workflows::phone::{PhoneError, PhoneNumber, Region};
use proptest::prelude::*;

fn read(text: &str, region: &str) -> Result<String, PhoneError> {
    let region = Some(region).filter(|region| !region.is_empty());
    PhoneNumber::parse(text, region).map(|number| number.as_str().to_owned())
}

#[test]
fn a_number_is_read_however_people_write_it() {
    for (text, region, expected) in [
        ("+919876543210", "", "+919876543210"),
        ("+91 98765 43210", "", "+919876543210"),
        ("+91-98765-43210", "US", "+919876543210"),
        ("(+91) 98765.43210", "", "+919876543210"),
        ("0091 98765 43210", "", "+919876543210"),
        ("0091 98765 43210", "IN", "+919876543210"),
        ("+91 098765 43210", "", "+919876543210"),
        ("9876543210", "IN", "+919876543210"),
        ("9876543210", "in", "+919876543210"),
        ("9876543210", "+91", "+919876543210"),
        ("9876543210", "91", "+919876543210"),
        ("098765 43210", "IN", "+919876543210"),
        ("919876543210", "IN", "+919876543210"),
        ("91 098765 43210", "IN", "+919876543210"),
        ("9198765432", "IN", "+919198765432"),
        ("'+919876543210", "", "+919876543210"),
        ("\u{2019}9876543210", "IN", "+919876543210"),
        ("=\"+919876543210\"", "", "+919876543210"),
        ("tel:+91-98765-43210", "", "+919876543210"),
        ("TEL: 9876543210", "IN", "+919876543210"),
        (
            "\u{ff0b}\u{ff19}\u{ff11}\u{3000}\u{ff19}\u{ff18}\u{ff17}\u{ff16}\u{ff15}43210",
            "",
            "+919876543210",
        ),
        ("\u{202a}+91\u{a0}98765\u{202f}43210\u{202c}", "", "+919876543210"),
        ("९८७६५४३२१०", "IN", "+919876543210"),
        ("(202) 456-1111", "US", "+12024561111"),
        ("1 (202) 456-1111", "US", "+12024561111"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("030/1234567", "DE", "+49301234567"),
        ("0011 91 98765 43210", "AU", "+919876543210"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("8 800 555 35 35", "RU", "+78005553535"),
        ("+39 06 698 12345", "", "+390669812345"),
        ("06 698 12345", "IT", "+390669812345"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("01.23.45.67.89", "FR", "+33123456789"),
    ] {
        assert_eq!(read(text, region).as_deref(), Ok(expected), "{text:?} in {region:?}");
    }
}

#[test]
fn a_number_of_a_possible_length_is_taken_and_told_apart_from_a_known_range() {
    for (text, known) in [
        ("+12025550123", true),
        ("+919876543210", true),
        // Reserved for fiction by Ofcom.
        ("+447700900123", false),
        // No Indian area code or mobile series begins with 10.
        ("+911000000010", false),
    ] {
        let number = PhoneNumber::parse(text, None).expect(text);
        assert_eq!((number.as_str(), number.in_known_range()), (text, known));
    }
    assert_eq!(read("07700 900123", "GB").as_deref(), Ok("+447700900123"));
}

#[test]
fn what_is_no_number_is_refused_with_a_cause_and_a_remedy() {
    let cases = [
        ("", ""),
        (" \u{200b}' ", ""),
        ("+", ""),
        ("9.19877E+11", "IN"),
        ("9,19877e+11", "IN"),
        ("919876543210.0", "IN"),
        ("+91 98765 43210 x12", ""),
        ("98765 43210 ext. 4", "IN"),
        ("+91 98765 43210;ext=4", ""),
        ("+919876543210, +919876543211", ""),
        ("9876543210 / 9876543211", "IN"),
        ("9876543210 or 9876543211", "IN"),
        ("+919876543210 +919876543211", ""),
        ("9876543210\n9876543211", "IN"),
        ("9876543210 9876543211", "IN"),
        ("n/a", "IN"),
        ("1-800-FLOWERS", "US"),
        ("*98765 43210", "IN"),
        ("98765+43210", "IN"),
        ("9876543210", ""),
        ("+0919876543210", ""),
        ("+999 12345678", ""),
        ("+91 98765 4321", ""),
        ("+91 0 98765 4321", ""),
        ("+91 98765 432101", ""),
        ("+1 202 555 012", ""),
        ("+44 7700 90012", ""),
        ("+1 102 456 1111", ""),
        ("8 495 123-45-6", "RU"),
        ("112", "IN"),
        ("9876543210", "UK"),
        ("9876543210", "India"),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|(text, region)| format!("{text:?}: {}", read(text, region).expect_err(text)))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    "": the phone number is empty; write it with + and its country code
    " \u{200b}' ": the phone number is empty; write it with + and its country code
    "+": the phone number is empty; write it with + and its country code
    "9.19877E+11": the spreadsheet turned the phone number into a rounded number (like 9.19877E+11) and its last digits are lost; format the column as text, enter the number again, and export anew
    "9,19877e+11": the spreadsheet turned the phone number into a rounded number (like 9.19877E+11) and its last digits are lost; format the column as text, enter the number again, and export anew
    "919876543210.0": the phone number was exported as a decimal number (it ends in a point and one or two digits); format the column as text and export anew
    "+91 98765 43210 x12": the phone number has an extension, which cannot be dialled; give a number that rings the person directly
    "98765 43210 ext. 4": the phone number has an extension, which cannot be dialled; give a number that rings the person directly
    "+91 98765 43210;ext=4": the phone number has an extension, which cannot be dialled; give a number that rings the person directly
    "+919876543210, +919876543211": there are several phone numbers in one field; keep one, or make one lead of each
    "9876543210 / 9876543211": there are several phone numbers in one field; keep one, or make one lead of each
    "9876543210 or 9876543211": there are several phone numbers in one field; keep one, or make one lead of each
    "+919876543210 +919876543211": there are several phone numbers in one field; keep one, or make one lead of each
    "9876543210\n9876543211": there are several phone numbers in one field; keep one, or make one lead of each
    "9876543210 9876543211": the phone number has 20 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field
    "n/a": the phone number contains letters; write it in digits
    "1-800-FLOWERS": the phone number contains letters; write it in digits
    "*98765 43210": the phone number contains '*'; write digits, and at most a leading +, spaces, dashes, dots, slashes and parentheses
    "98765+43210": the phone number contains '+'; write digits, and at most a leading +, spaces, dashes, dots, slashes and parentheses
    "9876543210": the phone number does not say its country; write + and the country code first, or give the import a default region
    "+0919876543210": the phone number begins with no known country code; check the digits after the +
    "+999 12345678": the phone number begins with no known country code; check the digits after the +
    "+91 98765 4321": the phone number has 9 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field
    "+91 0 98765 4321": no phone number of +91 looks like this; check its first digits, and for a missing or doubled digit
    "+91 98765 432101": the phone number has 11 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field
    "+1 202 555 012": the phone number has 9 digits after the country code +1, but numbers there have 10; check for a missing or doubled digit, or a second number in the field
    "+44 7700 90012": no phone number of +44 looks like this; check its first digits, and for a missing or doubled digit
    "+1 102 456 1111": no phone number of +1 looks like this; check its first digits, and for a missing or doubled digit
    "8 495 123-45-6": no phone number of +7 looks like this; check its first digits, and for a missing or doubled digit
    "112": the phone number has 3 digits after the country code +91, but numbers there have 10; check for a missing or doubled digit, or a second number in the field
    "9876543210": `UK` is not a region; use a two-letter ISO 3166 code such as IN, US or GB (not UK), or a country code such as +91
    "9876543210": `India` is not a region; use a two-letter ISO 3166 code such as IN, US or GB (not UK), or a country code such as +91
    "#);
}

#[test]
fn a_number_tells_its_region_when_it_can() {
    let region = |text: &str| {
        let number: PhoneNumber = text.parse().expect(text);
        let regions: Vec<String> = number.possible_regions().iter().map(Region::to_string).collect();
        (number.country_code(), number.region().map(|region| region.to_string()), regions.len())
    };
    assert_eq!(region("+919876543210"), (Some(91), Some("IN".to_owned()), 1));
    assert_eq!(region("+911000000010"), (Some(91), Some("IN".to_owned()), 1));
    assert_eq!(region("+12025550123"), (Some(1), Some("US".to_owned()), 1));
    assert_eq!(region("+14165550123"), (Some(1), Some("CA".to_owned()), 1));
    assert_eq!(region("+447700900123"), (Some(44), None, 4));
    assert_eq!(region("+80012345678"), (Some(800), None, 0));
    assert_eq!(region("+9991234567"), (None, None, 0));
}

#[test]
fn a_stored_number_is_read_strictly() {
    for sound in ["+919876543210", "+6834000", "+123456789012345"] {
        assert_eq!(sound.parse::<PhoneNumber>().expect(sound).as_str(), sound);
    }
    for unsound in [
        "",
        "+",
        "919876543210",
        "+91 9876543210",
        "+0919876543210",
        "+123456",
        "+1234567890123456",
        "+91\u{966}876543210",
        "++919876543210",
    ] {
        assert_eq!(unsound.parse::<PhoneNumber>(), Err(PhoneError::NotE164), "{unsound:?}");
    }
    let json = r#""+919876543210""#;
    let number: PhoneNumber = serde_json::from_str(json).expect("E.164");
    assert_eq!(serde_json::to_string(&number).expect("a string"), json);
    assert!(serde_json::from_str::<PhoneNumber>(r#""98765 43210""#).is_err());
}

#[test]
fn a_printed_number_hides_most_of_itself() {
    let number: PhoneNumber = "+919876543210".parse().expect("E.164");
    assert_eq!(number.to_string(), "+91******10");
    assert_eq!(format!("{number:?}"), "PhoneNumber(+91******10)");
    assert_eq!("+9991234567".parse::<PhoneNumber>().expect("E.164").to_string(), "+******67");
}

#[test]
fn every_example_of_every_numbering_plan_is_known_in_all_its_spellings() {
    for plan in phonenumber::metadata::DATABASE.iter() {
        let kinds = plan.descriptors();
        for example in [kinds.fixed_line(), kinds.mobile()].into_iter().flatten().filter_map(|k| k.example())
        {
            let whole = format!("+{}{example}", plan.country_code());
            let number = PhoneNumber::parse(&whole, None).expect(&whole);
            assert_eq!(number.as_str(), whole);
            assert!(number.in_known_range(), "{whole}");
            let regions: BTreeSet<String> = number.possible_regions().iter().map(Region::to_string).collect();
            assert_eq!(regions.len(), usize::from(plan.id() != "001"), "{whole}");
            for national in [example.to_owned(), format!("{}{example}", plan.national_prefix().unwrap_or(""))]
            {
                match read(&national, plan.id()) {
                    Ok(read) => assert_eq!(read, whole, "{national} in {}", plan.id()),
                    Err(error) => assert!(
                        matches!(error, PhoneError::Ambiguous(_)),
                        "{national} in {}: {error}",
                        plan.id()
                    ),
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_e164_and_reads_as_itself(
        text in r"\+?[0-9 ().'/x,+-]{0,20}", region in prop::option::of(prop::sample::select(vec!["IN", "US", "DE", "AR"])),
    ) {
        if let Ok(number) = PhoneNumber::parse(&text, region) {
            prop_assert_eq!(number.as_str().parse::<PhoneNumber>(), Ok(number.clone()));
            prop_assert_eq!(PhoneNumber::parse(number.as_str(), region), Ok(number));
        }
    }

    #[test]
    fn no_text_at_all_breaks_the_reader_or_is_repeated_in_its_error(text: String, digits in "[0-9]{5,9}") {
        let error = PhoneNumber::parse(&format!("{text}{digits}"), None).err();
        prop_assert!(error.is_none_or(|error| !error.to_string().contains(&digits)));
    }
}
