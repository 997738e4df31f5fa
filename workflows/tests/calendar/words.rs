//! How calendars and zones are written, and what a wrong one is answered with.

use chrono_tz::Tz;
use outdial_workflows::calendar::{Calendar, parse_zone};

use super::weekly;

#[test]
fn the_written_form_comes_back_with_equal_hours_together() {
    let calendar = weekly("sat 10:00-14:00; mon 9:00-12:00; mon 13:00-24:00; tue 09:00-12:00");
    let written = serde_json::to_string(&calendar).expect("a calendar can be written");
    insta::assert_snapshot!(written, @r#"[{"days":["mon","tue"],"from":"09:00","to":"12:00"},{"days":["mon"],"from":"13:00","to":"24:00"},{"days":["sat"],"from":"10:00","to":"14:00"}]"#);
    assert_eq!(serde_json::from_str::<Calendar>(&written).expect("our own form"), calendar);
    assert_eq!(serde_json::to_string(&Calendar::Open).expect("a name"), r#""none""#);
}

#[test]
fn a_calendar_that_cannot_be_meant_says_where_and_what_to_do() {
    let cases = [
        r#"[]"#,
        r#"[{"days":[],"from":"10:00","to":"19:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00","to":"19:00"},{"days":["tues"],"from":"10:00","to":"19:00"}]"#,
        r#"[{"days":["mon","monday"],"from":"10:00","to":"19:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00","to":"10:00"}]"#,
        r#"[{"days":["mon"],"from":"20:00","to":"02:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00","to":"25:00"}]"#,
        r#"[{"days":["mon"],"from":"9:75","to":"19:00"}]"#,
        r#"[{"days":["mon"],"from":"10am","to":"19:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00","to":"24:01"}]"#,
        r#"[{"days":["mon","tue"],"from":"10:00","to":"19:00"},{"days":["tue"],"from":"18:59","to":"20:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00"}]"#,
        r#"[{"days":["mon"],"from":"10:00","until":"19:00"}]"#,
        r#""always""#,
        r#"7"#,
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| serde_json::from_str::<Calendar>(case).expect_err(case).to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    the calendar has no windows, so nobody could ever be called; give at least one at line 1 column 2
    calendar window 1: `days` is empty; name at least one of mon, tue, wed, thu, fri, sat, sun at line 1 column 41
    calendar window 2: `tues` is not a weekday; use mon, tue, wed, thu, fri, sat or sun at line 1 column 92
    calendar window 1: `Mon` is named twice; name it once at line 1 column 55
    calendar window 1: `from` and `to` are both 10:00; for a whole day write from 00:00 to 24:00 at line 1 column 46
    calendar window 1: `to` (02:00) is before `from` (20:00); if it should run over midnight, split it in two: from 20:00 to 24:00, and from 00:00 to 02:00 on the days after at line 1 column 46
    calendar window 1: `to` is "25:00"; write hours and minutes as HH:MM, from 00:00 to 24:00 at line 1 column 46
    calendar window 1: `from` is "9:75"; write hours and minutes as HH:MM, from 00:00 to 24:00 at line 1 column 45
    calendar window 1: `from` is "10am"; write hours and minutes as HH:MM, from 00:00 to 24:00 at line 1 column 45
    calendar window 1: `to` is "24:01"; write hours and minutes as HH:MM, from 00:00 to 24:00 at line 1 column 46
    calendar window 2: overlaps Tue 10:00 to 19:00 of an earlier window; join the two, or move one at line 1 column 97
    calendar window 1: missing field `to` at line 1 column 32
    calendar window 1: unknown field `until`, expected one of `days`, `from`, `to` at line 1 column 39
    invalid value: string "always", expected a calendar: "none", or a list of windows such as {"days": ["mon", "tue"], "from": "10:00", "to": "19:00"} at line 1 column 8
    invalid type: integer `7`, expected a calendar: "none", or a list of windows such as {"days": ["mon", "tue"], "from": "10:00", "to": "19:00"} at line 1 column 1
    "#);
}

#[test]
fn a_zone_is_read_by_its_name_in_any_case() {
    for (text, zone) in [
        ("Asia/Kolkata", Tz::Asia__Kolkata),
        (" asia/kolkata ", Tz::Asia__Kolkata),
        ("Asia/Calcutta", Tz::Asia__Calcutta),
        ("US/Pacific", Tz::US__Pacific),
        ("Japan", Tz::Japan),
        ("UTC", Tz::UTC),
        ("Etc/UTC", Tz::Etc__UTC),
    ] {
        assert_eq!(parse_zone(text), Ok(zone));
    }
}

#[test]
fn a_text_that_is_no_zone_is_answered_with_what_to_write() {
    let cases = [
        "",
        "IST",
        "pst",
        "EST",
        "GMT",
        "PST8PDT",
        "+05:30",
        "UTC+5",
        "Etc/GMT+5",
        "Asia/Bangalore",
        "Mumbai",
        "Kolkata",
        "New York",
        "Asia/Kolkatta",
        "America/Los Angeles",
        "Europe/Londno",
        "Amerika/Chicago",
        "Kiev/Europe",
        "Nowhere",
        "x",
    ];
    let said: Vec<String> = cases.iter().map(|case| parse_zone(case).expect_err(case).to_string()).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    the time zone is empty; write a name such as Asia/Kolkata or America/New_York
    `IST` is an abbreviation, not a place; did you mean Asia/Kolkata or Europe/Dublin or Asia/Jerusalem?
    `pst` is an abbreviation, not a place; did you mean America/Los_Angeles or America/Vancouver or Asia/Manila?
    `EST` is an abbreviation, not a place; did you mean America/New_York or America/Toronto or America/Panama?
    `GMT` is an abbreviation, not a place; did you mean Europe/London or Africa/Accra or UTC?
    `PST8PDT` is an abbreviation, not a place; did you mean America/Los_Angeles or America/Vancouver?
    `+05:30` is a distance from UTC, which does not say when clocks change (and Etc/GMT+5 means five hours *behind*); write the place, such as Asia/Kolkata or America/New_York
    `UTC+5` is a distance from UTC, which does not say when clocks change (and Etc/GMT+5 means five hours *behind*); write the place, such as Asia/Kolkata or America/New_York
    `Etc/GMT+5` is a distance from UTC, which does not say when clocks change (and Etc/GMT+5 means five hours *behind*); write the place, such as Asia/Kolkata or America/New_York
    `Asia/Bangalore` is not an IANA time zone; did you mean Asia/Kolkata?
    `Mumbai` is not an IANA time zone; did you mean Asia/Kolkata?
    `Kolkata` is not an IANA time zone; did you mean Asia/Kolkata?
    `New York` is not an IANA time zone; did you mean America/New_York?
    `Asia/Kolkatta` is not an IANA time zone; did you mean Asia/Kolkata?
    `America/Los Angeles` is not an IANA time zone; did you mean America/Los_Angeles?
    `Europe/Londno` is not an IANA time zone; did you mean Europe/London or Europe/Monaco?
    `Amerika/Chicago` is not an IANA time zone; did you mean America/Chicago?
    `Kiev/Europe` is not an IANA time zone; write a name such as Asia/Kolkata or America/New_York
    `Nowhere` is not an IANA time zone; write a name such as Asia/Kolkata or America/New_York
    `x` is not an IANA time zone; write a name such as Asia/Kolkata or America/New_York
    ");
}
