//! What the gate asks besides hours: where, consent, caps, dates, money.

use chrono::{Datelike, TimeDelta, Timelike};
use outdial_workflows::Moment;
use outdial_workflows::gate::{
    CampaignState, Consent, GateFacts, MayCall, Needs, Tried, may_call, needs, whereabouts,
};
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::places::zones_of;
use outdial_workflows::rules::Rules;
use outdial_workflows::why::Why;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{area, at, phone};

/// Wednesday, 12:00 in New York, 11:00 in Chicago.
fn noon() -> Moment {
    at("2026-01-14T17:00:00Z")
}

fn consent(level: ConsentLevel) -> Consent {
    Consent {
        level,
        purpose: None,
        source: "form 7".into(),
        given_at: at("2025-06-01T00:00:00Z"),
        expires_at: None,
        revoked_at: None,
    }
}

/// Somebody in Miami who signed.
fn miami() -> GateFacts {
    GateFacts {
        campaign: CampaignState::Running,
        account_ready: true,
        phone: Some(phone("+13055550100")),
        consents: vec![consent(ConsentLevel::ExpressWritten)],
        ..GateFacts::default()
    }
}

fn rules(text: &str) -> Rules {
    let rules: Rules = serde_json::from_str(text).expect("rules");
    rules.check().expect("sound rules");
    rules
}

fn ask(change: impl FnOnce(&mut GateFacts), text: &str, now: Moment) -> MayCall {
    let mut facts = miami();
    change(&mut facts);
    may_call(&facts, Some(&rules(text)), now)
}

fn now_until(verdict: MayCall) -> Option<Moment> {
    match verdict {
        MayCall::Now { closes_at, .. } => closes_at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn facts_by_default_let_nobody_be_called() {
    assert_eq!(may_call(&GateFacts::default(), Some(&rules("{}")), noon()), MayCall::Held(Why::NoNumber));
}

#[test]
fn number_region_and_zone_say_where() {
    let place = |change: fn(&mut GateFacts)| {
        let mut facts = miami();
        change(&mut facts);
        whereabouts(&facts, None).map(|place| place.to_string())
    };
    assert_eq!(place(|_| ()), Ok("America/New_York;US-FL".into()));
    assert_eq!(
        place(|facts| facts.zone = Some("America/Chicago".into())),
        Ok("America/Chicago;US-FL".into())
    );
    assert_eq!(place(|facts| facts.region = Some("US-GA".into())), Ok("America/New_York;US-GA".into()));
    // Whoever moved away with the number lives by other clocks than the number's.
    assert_eq!(place(|facts| facts.region = Some("US-CA".into())), Ok("America/Los_Angeles;US-CA".into()));
    assert_eq!(place(|facts| facts.region = Some("IN".into())), Ok("Asia/Kolkata;IN".into()));
    // A country alone does not undo the state that the number tells.
    assert_eq!(place(|facts| facts.region = Some("us".into())), Ok("America/New_York;US-FL".into()));
    let canada = place(|facts| facts.region = Some("CA".into())).expect("a place");
    assert!(canada.contains("America/St_Johns") && canada.contains("America/Vancouver"), "{canada}");
    assert!(canada.ends_with(";CA"), "{canada}");
    assert_eq!(
        place(|facts| facts.region = Some("Florida".into())),
        Err(Why::UnknownRegion { region: "Florida".into() })
    );
    assert_eq!(place(|facts| facts.phone = Some(phone("+80012345678"))), Err(Why::NoRegion));
    assert_eq!(place(|facts| (facts.phone, facts.zone) = (None, Some("UTC".into()))), Err(Why::NoNumber));
}

#[test]
fn where_no_rules_are_known_nobody_is_called() {
    let brazil = |facts: &mut GateFacts| facts.phone = Some(phone("+5511912345678"));
    assert_eq!(ask(brazil, "{}", noon()), MayCall::Held(Why::NoPack { country: area("BR").country() }));
}

#[test]
fn the_open_calendar_keeps_no_law() {
    let emulated = |facts: &mut GateFacts| {
        facts.account_emulated = true;
        facts.phone = Some(phone("+5511912345678"));
        facts.consents.clear();
    };
    let night = at("2026-01-14T04:00:00Z");
    assert_eq!(ask(emulated, r#"{"calendar": "none"}"#, night), MayCall::Now { kept: None, closes_at: None });
    // An emulated account with hours keeps it.
    assert!(matches!(ask(emulated, "{}", noon()), MayCall::Held(Why::NoPack { .. })));
}

#[test]
fn consent_is_asked_for_as_the_law_and_the_campaign_say() {
    let needs =
        |level, place: Option<&str>| MayCall::Held(Why::NeedsConsent { level, area: place.map(area) });
    let with = |consents: Vec<Consent>, text: &str| ask(|facts| facts.consents = consents, text, noon());
    let (express, written) = (consent(ConsentLevel::Express), consent(ConsentLevel::ExpressWritten));
    let florida = needs(ConsentLevel::ExpressWritten, Some("US-FL"));
    assert_eq!(with(vec![], "{}"), florida);
    assert_eq!(with(vec![express.clone()], "{}"), florida);
    now_until(with(vec![express.clone(), written.clone()], "{}"));
    now_until(with(vec![express.clone()], r#"{"purpose": "service"}"#));
    assert_eq!(with(vec![], r#"{"purpose": "service"}"#), needs(ConsentLevel::Express, Some("US-FL")));
    now_until(with(vec![], r#"{"purpose": "service", "voice": "human"}"#));
    assert_eq!(
        with(
            vec![express.clone()],
            r#"{"purpose": "service", "voice": "human", "consent": "express_written"}"#
        ),
        needs(ConsentLevel::ExpressWritten, None)
    );
    // A campaign asks for less in vain.
    assert_eq!(with(vec![express], r#"{"consent": "express"}"#), florida);
    let of = |change: fn(&mut Consent)| {
        let mut its = written.clone();
        change(&mut its);
        with(vec![its], "{}")
    };
    assert_eq!(of(|its| its.purpose = Some(Purpose::Service)), florida);
    assert_eq!(of(|its| its.given_at = noon() + TimeDelta::seconds(1)), florida);
    assert_eq!(of(|its| its.expires_at = Some(noon())), florida);
    let soon = noon() + TimeDelta::minutes(1);
    let ends_soon = with(vec![Consent { expires_at: Some(soon), ..written.clone() }], "{}");
    assert_eq!(now_until(ends_soon), Some(soon));
}

#[test]
fn consent_that_was_taken_back_forbids_even_where_none_is_needed() {
    let revoked_at = at("2026-01-01T00:00:00Z");
    let given_again =
        |given_at: &str| Consent { given_at: at(given_at), ..consent(ConsentLevel::ExpressWritten) };
    let with = |later: Option<Consent>, text: &str| {
        let revoked = Consent { revoked_at: Some(revoked_at), ..consent(ConsentLevel::ExpressWritten) };
        ask(|facts| facts.consents = [revoked].into_iter().chain(later).collect(), text, noon())
    };
    let none_needed = r#"{"purpose": "service", "voice": "human"}"#;
    for text in ["{}", none_needed] {
        assert_eq!(with(None, text), MayCall::Held(Why::ConsentRevoked { at: revoked_at }));
        // What was given before goes with it; what is given later stands.
        assert_eq!(
            with(Some(given_again("2025-12-01T00:00:00Z")), text),
            MayCall::Held(Why::ConsentRevoked { at: revoked_at })
        );
        now_until(with(Some(given_again("2026-01-02T00:00:00Z")), text));
    }
}

#[test]
fn a_states_cap_counts_any_day_and_names_when_the_oldest_leaves() {
    let tried = |hours: &[i64]| Tried {
        at: hours.iter().map(|hours| noon() - TimeDelta::hours(*hours)).collect(),
        in_all: 9,
    };
    let with = |hours: &[i64]| ask(|facts| facts.tried = tried(hours), "{}", noon());
    now_until(with(&[1, 2]));
    now_until(with(&[1, 2, 24]));
    let until = noon() + TimeDelta::hours(1);
    let why = Why::TriedOften { max: 3, hours: 24, area: area("US-FL"), until };
    assert_eq!(with(&[23, 2, 1]), MayCall::NotBefore(until, why));
    // Elsewhere there is none.
    let georgia = |facts: &mut GateFacts| {
        facts.tried = tried(&[1, 2, 3, 4]);
        facts.region = Some("US-GA".into());
    };
    now_until(ask(georgia, "{}", noon()));
}

#[test]
fn a_campaigns_caps_count_the_day_of_the_called_person_and_all_time() {
    let with = |at: &[Moment], in_all: u32, text: &str| {
        ask(|facts| facts.tried = Tried { at: at.to_vec(), in_all }, text, noon())
    };
    let twice = r#"{"caps": {"per_day": 2}}"#;
    let yesterday = at("2026-01-14T04:59:00Z"); // 23:59 in Miami.
    let today = at("2026-01-14T05:00:00Z");
    now_until(with(&[yesterday, today], 2, twice));
    let until = at("2026-01-15T05:00:00Z");
    assert_eq!(
        with(&[today, noon() - TimeDelta::hours(1)], 2, twice),
        MayCall::NotBefore(until, Why::TriedToday { max: 2, until })
    );
    let five = r#"{"caps": {"in_all": 5}}"#;
    now_until(with(&[], 4, five));
    assert_eq!(with(&[], 5, five), MayCall::Never(Why::TriedEnough { max: 5 }));
}

#[test]
fn what_is_read_of_a_number_is_what_its_rules_may_ask_for() {
    let asked = |number: &str, text: &str| {
        let facts = GateFacts { phone: Some(phone(number)), ..miami() };
        let Needs { consents, tried } = needs(&facts, Some(&rules(text)));
        (consents, tried)
    };
    let open = |more: &str| format!(r#"{{"calendar": "none"{more}}}"#);
    for (number, text, consents, tried) in [
        ("+13055550100", open(""), false, false), // It reaches nobody.
        ("+13055550100", open(r#", "consent": "express""#), true, false),
        ("+13055550100", open(r#", "caps": {"in_all": 2}"#), false, true),
        ("+13055550100", "{}".into(), true, true), // Florida allows 3 in 24 hours.
        ("+33123456789", "{}".into(), true, true),
        ("+12125550100", "{}".into(), true, false),
        ("+919876543210", "{}".into(), true, false),
        ("+919876543210", r#"{"caps": {"per_day": 2}}"#.into(), true, true),
        ("+80012345678", "{}".into(), true, false), // Held, being nowhere.
    ] {
        assert_eq!(asked(number, &text), (consents, tried), "{number} {text}");
    }
    let moved = GateFacts { region: Some("US-OK".into()), phone: Some(phone("+12125550100")), ..miami() };
    assert!(needs(&moved, Some(&rules("{}"))).tried, "by the lead's own region");
    assert_eq!(needs(&miami(), None), Needs::default());
}

#[test]
fn a_campaign_begins_and_ends_when_it_says() {
    let starts = r#"{"starts_at": "2026-02-01T00:00:00Z"}"#;
    let starts_at = at("2026-02-01T00:00:00Z");
    assert_eq!(ask(|_| (), starts, noon()), MayCall::NotBefore(starts_at, Why::NotStarted { starts_at }));
    let ends = r#"{"ends_at": "2026-01-14T17:05:00Z"}"#;
    let ends_at = at("2026-01-14T17:05:00Z");
    assert_eq!(now_until(ask(|_| (), ends, noon())), Some(ends_at));
    assert_eq!(ask(|_| (), ends, ends_at), MayCall::Never(Why::PastEnd { ends_at }));
}

#[test]
fn reasons_keep_their_names_and_speak_for_themselves() {
    let until = noon();
    for (why, name) in [
        (Why::NoPack { country: area("BR").country() }, "no_pack"),
        (
            Why::NeedsConsent { level: ConsentLevel::ExpressWritten, area: Some(area("US-FL")) },
            "needs_consent",
        ),
        (Why::ConsentRevoked { at: until }, "consent_revoked"),
        (Why::TriedOften { max: 3, hours: 24, area: area("US-FL"), until }, "tried_often"),
        (Why::TriedToday { max: 2, until }, "tried_today"),
        (Why::TriedEnough { max: 5 }, "tried_enough"),
        (Why::NotStarted { starts_at: until }, "not_started"),
        (Why::PastEnd { ends_at: until }, "past_end"),
        (Why::HolidaysNotKnown { after: until.date_naive() }, "holidays_not_known"),
        (Why::Holiday { zone: chrono_tz::Tz::UTC, opens_at: until }, "holiday"),
        (Why::NoHolidays { country: area("BR").country() }, "no_holidays"),
        (Why::UnknownRegion { region: "Florida".into() }, "unknown_region"),
        (Why::NoRegion, "no_region"),
        (Why::NoNumber, "no_number"),
    ] {
        let json = serde_json::to_value(&why).expect("serialises");
        assert_eq!(json["why"], name);
        assert_eq!(serde_json::from_value::<Why>(json).expect("reads back"), why);
        assert!(why.to_string().len() > 10, "{why}");
    }
}

/// Numbers with the hours in which their country's marketing calls may be made on a Monday to
/// Friday, written out by hand.
const PEOPLE: [(&str, u32, u32); 8] = [
    ("+919876543210", 10, 21),
    ("+12125550100", 8, 21),
    ("+13055550100", 8, 20),
    ("+18505550100", 8, 20), // Florida, in two zones.
    ("+19075550100", 8, 21), // Alaska, in two zones.
    ("+442079460000", 9, 20),
    ("+61491570156", 9, 20), // A mobile in Australia: anywhere.
    ("+34612345678", 9, 20), // A mobile in Spain: the Canaries too.
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Never now outside the hours of any clock, and what is named otherwise is the first moment.
    #[test]
    fn now_is_inside_every_window_and_later_is_the_first_opening(
        (number, opens, closes) in select(PEOPLE.to_vec()),
        minute in 0_i64..3 * 365 * 24 * 60,
    ) {
        let week = r#"{"calendar": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "00:00", "to": "24:00"}]}"#;
        let number = phone(number);
        let ask = |now: Moment| ask(|facts| facts.phone = Some(number.clone()), week, now);
        let inside = |now: Moment| zones_of(&number).iter().all(|zone| {
            let wall = now.with_timezone(zone);
            wall.weekday().num_days_from_monday() < 5 && (opens..closes).contains(&wall.hour())
        });
        let now = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
        match ask(now) {
            MayCall::Now { closes_at, .. } => {
                prop_assert!(inside(now));
                let closes_at = closes_at.expect("hours close");
                prop_assert!(closes_at > now && !inside(closes_at));
                prop_assert!(inside(closes_at - TimeDelta::seconds(1)));
            }
            MayCall::NotBefore(later, _) => {
                let is_now = |at: Moment| matches!(ask(at), MayCall::Now { .. });
                prop_assert!(later > now && is_now(later) && !is_now(later - TimeDelta::seconds(1)));
                prop_assert!(!is_now(now + (later - now) / 2));
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
