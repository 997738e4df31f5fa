//! Encodings, delimiters, headers, and files that are something else.

use insta::assert_snapshot;

use super::{leads, options, refused, told};
use crate::import::{ImportError, Options, read};

const PLAIN: &str = "phone,name\r\n+919876543210,Zoë Müller\r\n";

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    ['\u{feff}']
        .into_iter()
        .chain(text.chars())
        .flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
        .flat_map(bytes)
        .collect()
}

#[test]
fn the_same_lead_is_read_from_every_encoding() {
    let bom = [b"\xef\xbb\xbf", PLAIN.as_bytes()].concat();
    let windows_1252: Vec<u8> = PLAIN.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    for file in [
        PLAIN.as_bytes().to_vec(),
        bom,
        utf16(PLAIN, u16::to_le_bytes),
        utf16(PLAIN, u16::to_be_bytes),
        windows_1252,
    ] {
        let leads = leads(&file);
        assert_eq!(leads.len(), 1, "{file:?}");
        assert_eq!(leads[0].spec.name.as_deref(), Some("Zoë Müller"), "{file:?}");
    }
}

#[test]
fn the_signs_that_windows_1252_has_and_latin_1_has_not_are_read() {
    let file = b"phone,budget\n9876543210,\x80 5 \x96 6 \x93lakh\x94\n";
    assert_eq!(leads(file)[0].spec.attributes["budget"], "€ 5 – 6 “lakh”");
}

#[test]
fn a_utf_8_file_is_not_read_as_windows_1252_for_one_broken_character() {
    let file = b"phone,name\n9876543210,Zo\xc3\xab\n9876543211,Zo\xc3\n9876543212,Zo\xc3\xab\n";
    assert_snapshot!(told(file), @r"
    line 2: +919876543210 Zoë {}
    line 3: the row is not text in the file's encoding; save the file as `CSV UTF-8`
    line 4: +919876543212 Zoë {}
    ");
}

#[test]
fn a_row_that_is_text_in_no_encoding_is_reported() {
    assert_snapshot!(told(b"phone,name\n9876543210,\x81\x8d\n9876543211,Ann\n"), @r"
    line 2: the row is not text in the file's encoding; save the file as `CSV UTF-8`
    line 3: +919876543211 Ann {}
    ");
}

#[test]
fn half_a_character_at_the_end_of_utf_16_is_replaced() {
    let mut file = utf16("phone,name\n9876543210,Ann😀", u16::to_le_bytes);
    assert_eq!(leads(&file)[0].spec.name.as_deref(), Some("Ann😀"));
    file.pop();
    assert_eq!(leads(&file)[0].spec.name.as_deref(), Some("Ann\u{fffd}\u{fffd}"));
}

#[test]
fn the_delimiter_is_recognised_in_the_header() {
    for file in [
        "phone,name,budget\n9876543210,Ann,5\n",
        "phone;name;budget\n9876543210;Ann;5\n",
        "phone\tname\tbudget\n9876543210\tAnn\t5\n",
        "\n\nphone;name;budget\n9876543210;Ann;5\n",
        "sep=;\r\nphone;name;budget\r\n9876543210;Ann;5\r\n",
        "sep=|\nphone|name|budget\n9876543210|Ann|5\n",
    ] {
        let leads = leads(file);
        assert_eq!(leads[0].spec.name.as_deref(), Some("Ann"), "{file:?}");
        assert_eq!(leads[0].spec.attributes["budget"], "5", "{file:?}");
    }
    // More commas than semicolons, but only a semicolon leaves a phone column.
    let file = "phone;name (first, middle, last);\"city, state, zip\"\n9876543210;Ann;Pune\n";
    assert_eq!(leads(file)[0].spec.attributes["name (first, middle, last)"], "Ann");
    assert_eq!(leads("phone\n9876543210\n").len(), 1);
}

#[test]
fn a_given_delimiter_is_taken_before_any_other() {
    let piped = Options { delimiter: Some(b'|'), ..options("IN") };
    for file in ["phone|name\n9876543210|A,B;C\n", "sep=;\nphone|name\n9876543210|A,B;C\n"] {
        let mut rows = read(file.as_bytes(), &piped).expect("the file is good");
        let row = rows.next().expect("a row").expect("a lead");
        assert_eq!(row.spec.name.as_deref(), Some("A,B;C"));
    }
    for byte in [b'"', b'\n', 0, 0xe9] {
        let odd = Options { delimiter: Some(byte), ..options("IN") };
        assert!(matches!(read("phone".as_bytes(), &odd), Err(ImportError::Delimiter(_))), "{byte}");
    }
}

#[test]
fn columns_are_known_by_many_names() {
    for phone in [
        "phone",
        "Phone Number",
        "PHONE_NO.",
        "mobile",
        "Mobile No.",
        "contact",
        "Contact Number",
        "Tel.",
        "Telephone",
        "WhatsApp",
        "number",
    ] {
        let file =
            format!("Full Name, {phone} ,Time Zone,CRM ID,Priority\nAnn,9876543210,Asia/Kolkata,7,HIGH\n");
        let row = &leads(&file)[0].spec;
        let read = (row.phone.as_str(), row.name.as_deref(), row.zone.as_deref(), row.external_id.as_deref());
        assert_eq!(read, ("+919876543210", Some("Ann"), Some("Asia/Kolkata"), Some("7")), "{phone}");
        assert_eq!((row.priority.name(), row.attributes.len()), ("high", 0), "{phone}");
    }
}

#[test]
fn of_several_columns_that_would_do_the_plainest_is_taken_and_the_others_are_attributes() {
    let file = "Contact,Mobile,Phone,id,Lead ID\nAnn,9876543211,9876543210,3,7\n";
    assert_snapshot!(told(file), @r#"line 2: +919876543210  {"Contact":"Ann","Mobile":"9876543211","id":"3"}"#);
    assert_eq!(leads(file)[0].spec.external_id.as_deref(), Some("7"));
}

#[test]
fn a_name_is_whole_or_made_of_first_and_last_name() {
    for (header, row, name) in [
        ("first name,last name", "Ann,Rao", Some("Ann Rao")),
        ("Last_Name,First_Name", "Rao,Ann", Some("Ann Rao")),
        ("first name,last name", "Ann,", Some("Ann")),
        ("surname,city", "Rao,Pune", Some("Rao")),
        ("first name,name", "Annie,Ann Rao", Some("Ann Rao")),
        ("name,city", ",Pune", None),
        ("city,state", "Pune,MH", None),
    ] {
        let read = &leads(format!("phone,{header}\n9876543210,{row}\n"))[0].spec;
        assert_eq!(read.name.as_deref(), name, "{header}: {row}");
    }
}

#[test]
fn other_columns_become_attributes_under_their_header() {
    let file = "phone, Property Type ,budget,,\"multi\nline\"\n9876543210, Villa ,,x,y\n";
    assert_snapshot!(told(file), @r#"line 3: +919876543210  {"Property Type":"Villa","column_4":"x","multi line":"y"}"#);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let many = (0..1001).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let files: [&[u8]; 19] = [
        b"",
        b"\xef\xbb\xbf",
        b"\r\n \n,,\n",
        b"phone,name\r\n",
        b"phone,name\n\n,\n",
        b"PK\x03\x04\x14\x00\x06\x00",
        b"\xd0\xcf\x11\xe0\xa1\xb1",
        b"p\x00h\x00o\x00n\x00e\x00",
        b"  <html><table>",
        b"\x81phone,name\n1,2\n",
        b"name,email\nAnn,a@example.com\n",
        b"Ann,+91 98765 43210\nBob,+91 98765 43211\n",
        b"phone,Phone ,budget,Budget,city,city\n9876543210,,,,,\n",
        b"phone,Mobile No,mobile_no\n1,2,3\n",
        b"phone,column_3,\n9876543210,a,b\n",
        b"\n\"phone,name\n9876543210,Ann\n",
        many.as_bytes(),
        b"sep=;\n",
        b"\x1b[31mred\n1\n",
    ];
    let told: Vec<String> = files.iter().map(|file| refused(file).to_string()).collect();
    assert_snapshot!(told.join("\n"), @r"
    the file is empty; save the sheet as CSV, with a header line and a line for each lead
    the file is empty; save the sheet as CSV, with a header line and a line for each lead
    no column holds phone numbers: the header has `,,`; name one of them `phone`, `phone number`, `mobile`, `mobile no`, `contact number`, `telephone`, `tel`, `whatsapp`, `number`
    the file has a header line but no leads under it; check that the right sheet was saved as CSV
    the file has a header line but no leads under it; check that the right sheet was saved as CSV
    this is a spreadsheet file (or a zip archive), not CSV; open it and save it as CSV, best as `CSV UTF-8`
    this is a spreadsheet file (or a zip archive), not CSV; open it and save it as CSV, best as `CSV UTF-8`
    this is not a text file (it contains NUL bytes); open it in the program it comes from and save it as CSV, best as `CSV UTF-8`
    this is a web page or XML, not CSV; open it in a spreadsheet and save it as CSV
    the header line is neither UTF-8 nor Windows-1252; save the file as `CSV UTF-8`
    no column holds phone numbers: the header has `name`, `email`; name one of them `phone`, `phone number`, `mobile`, `mobile no`, `contact number`, `telephone`, `tel`, `whatsapp`, `number`
    the first line looks like a lead, not like a header; put a line with the columns' names above it, such as `phone,name`
    the header names columns twice: `phone` = `Phone`, `budget` = `Budget`, `city`; rename or remove one of each
    the header names columns twice: `Mobile No` = `mobile_no`; rename or remove one of each
    the header names columns twice: `column_3`; rename or remove one of each
    a quotation mark opened on line 2, in the header, is never closed; close or remove it
    the file has 1001 columns, more than a lead may have; remove those that nobody needs
    the file is empty; save the sheet as CSV, with a header line and a line for each lead
    no column holds phone numbers: the header has `�[31mred`; name one of them `phone`, `phone number`, `mobile`, `mobile no`, `contact number`, `telephone`, `tel`, `whatsapp`, `number`
    ");
    assert!(matches!(refused("phone,".repeat(20_000)), ImportError::HeaderTooLong));
    let late = format!("{}phone,a\0b\n9876543210,c\n", "\n".repeat(200_000));
    assert!(matches!(refused(late), ImportError::Binary));
    let region = read(PLAIN.as_bytes(), &options("UK")).err().expect("UK is no region");
    assert!(matches!(region, ImportError::Region(_)), "{region}");
}
