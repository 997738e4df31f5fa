//! What the packs say, and that they can be trusted to say it.

use chrono::{NaiveDate, TimeDelta};
use insta::assert_snapshot;
use outdial_workflows::calendar::Calendar;
use outdial_workflows::gate::Tried;
use outdial_workflows::packs::{ConsentLevel, Holidays, LAST_DAY, Law, Purpose, Says, Voice, edition, packs};
use outdial_workflows::places::Area;
use outdial_workflows::why::Why;

use crate::area;

fn law(area_name: &str, purpose: Purpose, voice: Voice) -> Law {
    Law::of(&[area(area_name)], purpose, voice).expect("a country with a pack")
}

fn hours(law: &Law) -> String {
    let weekly = law.hours.clone().expect("some hours");
    let windows = weekly.windows();
    let line = |its: &outdial_workflows::calendar::Hours| {
        let days: Vec<String> = its.days.iter().map(ToString::to_string).collect();
        format!("{} {}-{}", days.join(" "), its.from, its.to)
    };
    windows.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[test]
fn hours_by_place_and_purpose() {
    let mut told = String::new();
    for place in ["US-NY", "US-FL", "US", "IN", "GB", "CA-ON", "AU-NSW", "DE", "FR"] {
        for purpose in Purpose::ALL {
            told += &format!("{place} {purpose}: {}\n", hours(&law(place, purpose, Voice::Artificial)));
        }
    }
    assert_snapshot!(told, @"
    US-NY marketing: Mon Tue Wed Thu Fri Sat Sun 08:00-21:00
    US-NY service: Mon Tue Wed Thu Fri Sat Sun 08:00-21:00
    US-NY collections: Mon Tue Wed Thu Fri Sat Sun 08:00-21:00
    US-FL marketing: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    US-FL service: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    US-FL collections: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    US marketing: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    US service: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    US collections: Mon Tue Wed Thu Fri Sat Sun 08:00-20:00
    IN marketing: Mon Tue Wed Thu Fri Sat Sun 10:00-21:00
    IN service: Mon Tue Wed Thu Fri Sat Sun 09:00-21:00
    IN collections: Mon Tue Wed Thu Fri Sat Sun 08:00-19:00
    GB marketing: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    GB service: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    GB collections: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    CA-ON marketing: Mon Tue Wed Thu Fri 09:00-21:30, Sat Sun 10:00-18:00
    CA-ON service: Mon Tue Wed Thu Fri 09:00-21:30, Sat Sun 10:00-18:00
    CA-ON collections: Mon Tue Wed Thu Fri 09:00-21:30, Sat Sun 10:00-18:00
    AU-NSW marketing: Mon Tue Wed Thu Fri 09:00-20:00, Sat 09:00-17:00
    AU-NSW service: Mon Tue Wed Thu Fri 09:00-20:00, Sat 09:00-17:00
    AU-NSW collections: Mon Tue Wed Thu Fri 09:00-20:00, Sat 09:00-17:00
    DE marketing: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    DE service: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    DE collections: Mon Tue Wed Thu Fri 09:00-20:00, Sat 10:00-17:00
    FR marketing: Mon Tue Wed Thu Fri 10:00-13:00, Mon Tue Wed Thu Fri 14:00-20:00
    FR service: Mon Tue Wed Thu Fri 10:00-13:00, Mon Tue Wed Thu Fri 14:00-20:00
    FR collections: Mon Tue Wed Thu Fri 10:00-13:00, Mon Tue Wed Thu Fri 14:00-20:00
    ");
}

#[test]
fn consent_by_place_purpose_and_voice() {
    use ConsentLevel::{Express, ExpressWritten};
    use Purpose::{Marketing, Service};
    use Voice::{Artificial, Human};
    for (place, purpose, voice, level) in [
        ("US-NY", Marketing, Artificial, Some(ExpressWritten)),
        ("US-NY", Service, Artificial, Some(Express)),
        ("US-NY", Service, Human, None),
        ("IN", Marketing, Artificial, Some(Express)),
        ("IN", Marketing, Human, None),
        ("IN", Service, Artificial, None),
        ("DE", Marketing, Human, Some(Express)),
        ("GB", Marketing, Artificial, Some(Express)),
        ("AU", Service, Artificial, None),
    ] {
        let found = law(place, purpose, voice).consent.map(|(level, _)| level);
        assert_eq!(found, level, "{place} {purpose} {voice:?}");
    }
}

#[test]
fn caps_disclosure_recording_and_silence() {
    let of = |place: &str| law(place, Purpose::Marketing, Voice::Artificial);
    let caps = |place: &str| of(place).caps.iter().map(|(cap, _)| (cap.max, cap.hours)).collect::<Vec<_>>();
    assert_eq!((caps("US-FL"), caps("US-GA"), caps("FR")), (vec![(3, 24)], vec![], vec![(4, 744)]));
    // Where the state is not known, it may be Florida.
    assert_eq!(caps("US"), [(3, 24)]);
    let since = |text: &str| text.parse::<NaiveDate>().ok();
    assert_eq!(of("DE").disclose_since, since("2026-08-02"));
    assert_eq!(law("DE", Purpose::Marketing, Voice::Human).disclose_since, None);
    assert!(packs().iter().all(|pack| of(pack.countries[0].country().as_str()).announce_recording));
    assert_eq!(of("US-GA").abandonment.map(|bound| (bound.max_percent, bound.days)), Some((3, 30)));
}

#[test]
fn several_places_keep_the_strictest_of_each() {
    let both = Law::of(&[area("US-FL"), area("FR")], Purpose::Marketing, Voice::Artificial).expect("packs");
    assert_eq!(hours(&both), "Mon Tue Wed Thu Fri 10:00-13:00, Mon Tue Wed Thu Fri 14:00-20:00");
    assert_eq!(both.consent, Some((ConsentLevel::ExpressWritten, area("US-FL"))));
    assert_eq!(both.caps.len(), 2);
    assert_eq!(both.packs, ["eu-1", "us-1"]);
}

#[test]
fn attempts_are_known_for_as_long_as_a_cap_counts_them() {
    let known = TimeDelta::days(Tried::DAYS);
    let caps = packs().iter().flat_map(|pack| &pack.rules).filter_map(|rule| match rule.says {
        Says::Cap(cap) => Some(TimeDelta::hours(cap.hours.into())),
        _ => None,
    });
    assert!(caps.max().is_some_and(|longest| longest <= known));
}

#[test]
fn a_country_without_a_pack_is_not_called() {
    let unknown = Law::of(&[area("IN"), area("BR")], Purpose::Service, Voice::Human);
    assert_eq!(unknown, Err(Why::NoPack { country: area("BR").country() }));
    assert_eq!(Law::of(&[], Purpose::Service, Voice::Human), Err(Why::NoRegion));
}

#[test]
fn every_rule_has_a_source_and_a_date_and_every_country_has_hours() {
    let today: NaiveDate = "2026-11-20".parse().expect("a day");
    let mut countries: Vec<Area> = Vec::new();
    for pack in packs() {
        assert!(pack.version.starts_with(&format!("{}-", pack.pack)), "{}", pack.version);
        for rule in &pack.rules {
            assert!(!rule.source.is_empty() && rule.read <= today, "{}: {rule:?}", pack.pack);
            assert!(rule.source != "house" || rule.note.is_some(), "{}: {rule:?}", pack.pack);
            assert!(rule.areas.iter().all(|area| pack.covers(*area)), "{}: {rule:?}", pack.pack);
            assert_ne!(rule.says, Says::Hours(Calendar::Open), "{}", pack.pack);
        }
        for country in &pack.countries {
            for (purpose, voice) in Purpose::ALL.into_iter().flat_map(|p| Voice::ALL.map(|v| (p, v))) {
                let law = Law::of(&[*country], purpose, voice).expect("hours");
                assert!(law.hours.is_some(), "{country} {purpose}");
                assert!(
                    law.holidays_of.iter().all(|area| Holidays::possible_in(*area).is_some()),
                    "{country}"
                );
            }
        }
        countries.extend(&pack.countries);
    }
    let all = countries.len();
    countries.sort_unstable();
    countries.dedup();
    assert_eq!(countries.len(), all, "a country in two packs");
}

#[test]
fn the_edition_names_everything_that_hours_are_made_of() {
    for part in ["us-1", "in-1", "gb-1", "ca-1", "au-1", "eu-1", "phonenumbers-", "holidays-", "tzdata-20"] {
        assert!(edition().contains(part), "{}", edition());
    }
    assert_eq!(LAST_DAY.to_string(), "2031-12-31");
}
