//! A lane says of its leads what the gate says of each.

use chrono::TimeDelta;
use chrono_tz::TZ_VARIANTS;
use outdial_workflows::Moment;
use outdial_workflows::gate::{CampaignState, Consent, GateFacts, MayCall, may_call, whereabouts};
use outdial_workflows::hours::{LaneState, lane_state, lane_visits};
use outdial_workflows::packs::ConsentLevel;
use outdial_workflows::places::Whereabouts;
use outdial_workflows::rules::Rules;
use outdial_workflows::why::Why;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{at, phone};

/// Somebody who may be called but for the hours.
fn leads() -> impl Strategy<Value = GateFacts> {
    const STARTS: [&str; 14] = [
        "+1212555", "+1305555", "+1308555", "+1907555", "+1204555", "+1800555", "+9198765", "+4420794",
        "+6141234", "+6128374", "+3491555", "+5511912", "+8001234", "+8625555",
    ];
    const REGIONS: [&str; 10] = ["US", "US-FL", "US-CA", "CA", "IN", "GB", "AU-VIC", "AU", "BR", "Florida"];
    let zones = prop_oneof![
        4 => select(TZ_VARIANTS.to_vec()).prop_map(|zone| zone.name().to_owned()),
        1 => Just("Asia/Bangalore".to_owned()),
    ];
    let (region, zone) = (option::weighted(0.3, select(REGIONS.to_vec())), option::weighted(0.3, zones));
    (select(STARTS.to_vec()), 0_u32..10_000, region, zone).prop_map(|(start, digits, region, zone)| {
        GateFacts {
            campaign: CampaignState::Running,
            account_ready: true,
            phone: Some(phone(&format!("{start}{digits:04}"))),
            region: region.map(str::to_owned),
            zone,
            consents: vec![Consent {
                level: ConsentLevel::ExpressWritten,
                purpose: None,
                source: "form 7".into(),
                given_at: at("2025-06-01T00:00:00Z"),
                expires_at: None,
                revoked_at: None,
            }],
            ..GateFacts::default()
        }
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let texts = [
        "{}",
        r#"{"purpose": "service", "voice": "human"}"#,
        r#"{"calendar": [{"days": ["sat", "sun"], "from": "00:00", "to": "24:00"}]}"#,
        r#"{"calendar": [{"days": ["mon", "fri"], "from": "20:30", "to": "22:00"}]}"#,
        r#"{"holidays": ["public", "12-31"]}"#,
    ];
    let zone = option::weighted(0.3, select(TZ_VARIANTS.to_vec()));
    (select(texts.to_vec()), zone).prop_map(|(text, zone)| {
        let rules: Rules = serde_json::from_str(text).expect("rules");
        Rules { zone, ..rules }
    })
}

fn moments() -> impl Strategy<Value = Moment> {
    (0_i64..6 * 365 * 24 * 60).prop_map(|minute| at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The lane is told without the campaign's rules, and read back from its text.
    #[test]
    fn gate_and_lane_agree_about_the_hours(facts in leads(), rules in rules(), now in moments()) {
        let verdict = may_call(&facts, Some(&rules), now);
        let Ok(place) = whereabouts(&facts, None) else {
            // The lane without a place: the gate decides, and may hold.
            let why = whereabouts(&facts, rules.zone).err();
            prop_assert!(why.is_none_or(|why| verdict == MayCall::Held(why)));
            return Ok(());
        };
        prop_assert_eq!(whereabouts(&facts, rules.zone), Ok(place.clone()));
        let read: Whereabouts = place.to_string().parse().expect("whereabouts");
        match (lane_state(&rules, &read, now), verdict) {
            (LaneState::Open { closes_at }, MayCall::Now { closes_at: gate, kept }) => {
                prop_assert_eq!(closes_at, gate);
                prop_assert_eq!(kept.map(|kept| kept.place), Some(place));
            }
            (LaneState::Closed { opens_at, why }, verdict) => {
                prop_assert_eq!(verdict, MayCall::NotBefore(opens_at, why));
            }
            (LaneState::Held { why }, verdict) => prop_assert_eq!(verdict, MayCall::Held(why)),
            (lane, verdict) => prop_assert!(false, "{:?} and {:?}", lane, verdict),
        }
    }

    /// So a lane is computed again only when that time has come.
    #[test]
    fn a_lane_stands_as_it_does_until_the_time_it_names(
        facts in leads(), rules in rules(), now in moments(), part in 0_i32..1_000,
        starts in option::of(-500_i64..500), length in option::of(1_i64..500),
    ) {
        let starts_at = starts.map(|hours| now + TimeDelta::hours(hours));
        let ends_at = length.map(|hours| starts_at.unwrap_or(now - TimeDelta::hours(250)) + TimeDelta::hours(hours));
        let rules = Rules { starts_at, ends_at, ..rules };
        let Ok(place) = whereabouts(&facts, None) else { return Ok(()) };
        let state = lane_visits(&rules, &place, now);
        let until = match &state {
            LaneState::Open { closes_at } => *closes_at,
            LaneState::Closed { opens_at, .. } => Some(*opens_at),
            LaneState::Held { .. } => None,
        };
        let until = until.unwrap_or(now + TimeDelta::days(2));
        prop_assert!(until > now);
        let within = now + (until - now) * part / 1_000;
        let open = |state: &LaneState| matches!(state, LaneState::Open { .. });
        prop_assert_eq!(open(&lane_visits(&rules, &place, within)), open(&state), "{} {}", place, within);
        if !matches!(state, LaneState::Held { .. }) && !open(&state) {
            prop_assert!(open(&lane_visits(&rules, &place, until)), "{} {}", place, until);
        }
    }
}

#[test]
fn a_campaign_s_time_bounds_when_its_lanes_are_looked_at() {
    let place: Whereabouts = "Asia/Kolkata;IN".parse().expect("whereabouts");
    let visits = |rules: &str, place: &Whereabouts, now: &str| {
        let rules: Rules = serde_json::from_str(rules).expect("rules");
        lane_visits(&rules, place, at(now))
    };
    let starts = r#"{"starts_at": "2026-01-14T06:00:00Z"}"#;
    let starts_at = at("2026-01-14T06:00:00Z");
    let not_started = |opens_at| LaneState::Closed { opens_at, why: Why::NotStarted { starts_at } };
    assert_eq!(visits(starts, &place, "2026-01-13T06:00:00Z"), not_started(starts_at));
    assert!(matches!(visits(starts, &place, "2026-01-14T06:00:00Z"), LaneState::Open { .. }));
    let at_night = r#"{"starts_at": "2026-01-14T16:00:00Z"}"#;
    let LaneState::Closed { opens_at, .. } = visits(at_night, &place, "2026-01-13T06:00:00Z") else {
        panic!("it has not begun")
    };
    assert_eq!(opens_at, at("2026-01-15T04:30:00Z"));
    // Once its time is over the gate ends its leads, at night too and where nobody may be called.
    let ends = r#"{"ends_at": "2026-01-14T16:00:00Z"}"#;
    let ends_at = at("2026-01-14T16:00:00Z");
    let brazil: Whereabouts = "America/Sao_Paulo;BR".parse().expect("whereabouts");
    for place in [&place, &brazil] {
        let LaneState::Closed { opens_at, .. } = visits(ends, place, "2026-01-14T15:00:00Z") else {
            panic!("closed for the night")
        };
        assert_eq!(opens_at, ends_at);
        assert_eq!(visits(ends, place, "2026-01-14T16:00:00Z"), LaneState::Open { closes_at: None });
    }
}
