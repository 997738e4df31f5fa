//! The law of the place, the campaign's own holidays and dates, consent and caps.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::gate::Consent;
use outdial_workflows::history::Event;
use outdial_workflows::judge::Rule;
use outdial_workflows::packs::Purpose;
use outdial_workflows::rules::Rules;

use super::{Case, answered, caught, is, reached_later, spoilt, warned};
use crate::life::{CAMPAIGN, CLIENT, Life, rules};
use crate::telling::seconds;

/// Changes the rules that the call names.
fn under(case: &mut Case, text: &str) {
    let known: &mut Rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
    *known = rules(text);
}

/// Changes where the person is said to have been, and by which packs that was judged.
fn kept(case: &mut Case, place: Option<&str>, packs: &[&str]) {
    let reserved = case.place(is("reserved"));
    let Event::Reserved { kept: Some(kept), .. } = &mut case.record.events[reserved].event else {
        panic!("it says whose rules it kept");
    };
    kept.place = place.map_or(kept.place.clone(), |place| place.parse().expect("whereabouts"));
    kept.packs = packs.iter().map(|&version| version.to_owned()).collect();
}

const ALL_DAY: &str = r#"{"calendar": [{"days": ["mon", "sun"], "from": "00:00", "to": "24:00"}]}"#;

#[test]
fn the_hours_of_the_law_bind_where_the_campaigns_are_wider() {
    // India's 10:00 to 21:00 are 04:30 to 15:30 UTC.
    for (at, allowed) in [
        ("2026-01-12T04:29:59Z", false),
        ("2026-01-12T04:30:00Z", true),
        ("2026-01-12T15:29:59Z", true),
        ("2026-01-12T15:30:00Z", false),
    ] {
        let wide = |case: &mut Case| {
            case.call_at(at);
            under(case, ALL_DAY);
        };
        match allowed {
            true => assert!(spoilt(&answered(), wide).kept(), "{at}"),
            false => caught(&answered(), wide, Rule::Law),
        }
    }
}

#[test]
fn rules_that_changed_since_make_a_warning() {
    let early = |case: &mut Case| {
        case.call_at("2026-01-12T04:29:59Z");
        under(case, ALL_DAY);
        kept(case, None, &["in-0"]);
    };
    warned(&answered(), early, Rule::Law);
}

#[test]
fn holidays_of_the_campaign_and_of_the_place_are_kept() {
    caught(&answered(), |case| under(case, r#"{"holidays": ["2026-01-12"]}"#), Rule::Law);
    caught(&answered(), |case| under(case, r#"{"holidays": ["01-12"]}"#), Rule::Law);
    assert!(spoilt(&answered(), |case| under(case, r#"{"holidays": ["public", "01-13"]}"#)).kept());
    let republic_day = |case: &mut Case| {
        case.call_at("2026-01-26T08:00:00Z");
        under(case, r#"{"holidays": ["public"]}"#);
    };
    caught(&answered(), republic_day, Rule::Law);
    // Whoever may be in Australia too is spared on Australia Day.
    let also_there = |case: &mut Case| {
        case.call_at("2026-01-26T05:00:00Z");
        kept(case, Some("Asia/Kolkata;AU,IN"), &["au-1", "in-1"]);
    };
    caught(&answered(), also_there, Rule::Law);
}

#[test]
fn no_place_is_left_out_in_which_the_person_may_be() {
    caught(&answered(), |case| kept(case, Some("Asia/Kolkata;GB"), &["gb-1"]), Rule::Region);
    caught(&answered(), |case| case.record.region = Some("FR".into()), Rule::Region);
    assert!(spoilt(&answered(), |case| case.record.region = Some("in".into())).kept());
    let in_new_york = |case: &mut Case| {
        case.record.zone = None; // The number's is 01:30 then.
        case.record.phone = Some("+12125550100".parse().expect("a number"));
        kept(case, Some("Asia/Kolkata;US-NY"), &["us-1"]);
    };
    caught(&answered(), in_new_york, Rule::Zone);
    let moved_to_new_york = |case: &mut Case| {
        case.record.zone = None;
        case.record.region = Some("US-NY".into());
        kept(case, Some("Asia/Kolkata;US-NY"), &["us-1"]);
    };
    caught(&answered(), moved_to_new_york, Rule::Zone);
}

#[test]
fn a_country_without_rules_is_not_called() {
    caught(&answered(), |case| kept(case, Some("Asia/Kolkata;BR,IN"), &["in-1"]), Rule::Law);
}

#[test]
fn a_call_that_does_not_say_whose_rules_it_kept_is_looked_at() {
    let silent = |case: &mut Case| {
        let reserved = case.place(is("reserved"));
        if let Event::Reserved { kept, .. } = &mut case.record.events[reserved].event {
            *kept = None;
        }
    };
    warned(&answered(), silent, Rule::Law);
}

#[test]
fn nobody_is_called_without_consent() {
    let call = Life::new(rules("{}")).now;
    let recorded = |change: fn(&mut Consent, Moment)| {
        move |case: &mut Case| {
            let mut consent = Life::new(rules("{}")).gate.consents.remove(0);
            change(&mut consent, call);
            case.world.consents = Some([((CLIENT, Life::phone()), vec![consent])].into());
        }
    };
    assert!(spoilt(&answered(), recorded(|_, _| ())).kept());
    let broken: [fn(&mut Consent, Moment); 4] = [
        |its, call| its.given_at = call + seconds(1),
        |its, call| its.expires_at = Some(call),
        |its, call| its.revoked_at = Some(call),
        |its, _| its.purpose = Some(Purpose::Service),
    ];
    for change in broken {
        caught(&answered(), recorded(change), Rule::Consent);
    }
    let sound: [fn(&mut Consent, Moment); 3] = [
        |its, call| its.expires_at = Some(call + seconds(1)),
        |its, call| its.revoked_at = Some(call + seconds(1)),
        |its, _| its.purpose = Some(Purpose::Marketing),
    ];
    for change in sound {
        assert!(spoilt(&answered(), recorded(change)).kept());
    }
    caught(&answered(), |case| case.world.consents = Some([].into()), Rule::Consent);
    assert!(spoilt(&answered(), |case| case.world.consents = None).kept(), "nobody looked");
    let stricter = |case: &mut Case| {
        recorded(|_, _| ())(case);
        under(case, r#"{"consent": "express_written"}"#);
    };
    caught(&answered(), stricter, Rule::Consent);
}

#[test]
fn no_number_is_tried_more_often_than_allowed() {
    caught(&reached_later(), |case| under(case, r#"{"caps": {"per_day": 1}}"#), Rule::Caps);
    caught(&reached_later(), |case| under(case, r#"{"caps": {"in_all": 1}}"#), Rule::Caps);
    assert!(spoilt(&reached_later(), |case| under(case, r#"{"caps": {"per_day": 2, "in_all": 2}}"#)).kept());
}

#[test]
fn a_campaigns_dates_are_kept() {
    caught(&answered(), |case| under(case, r#"{"starts_at": "2026-01-13T00:00:00Z"}"#), Rule::Dates);
    caught(&answered(), |case| under(case, r#"{"ends_at": "2026-01-12T06:30:00Z"}"#), Rule::Dates);
}
