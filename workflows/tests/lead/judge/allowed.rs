//! Never when we may not.

use outdial_workflows::attempt::{Revision, Submission};
use outdial_workflows::calendar::Calendar;
use outdial_workflows::call::CallResult;
use outdial_workflows::history::{Event, PersonPart};
use outdial_workflows::input::Command;
use outdial_workflows::judge::{Rule, SuppressionRecord};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::why::Why;
use uuid::Uuid;

use super::{Case, answered, caught, is, reached_later, spoilt, warned};
use crate::life::{ACCOUNT, CAMPAIGN, CLIENT, Life};
use crate::telling::{DIAL, Step, seconds, steps};

#[test]
fn calls_are_made_inside_the_hours() {
    // 10:00 to 19:00 in Kolkata are 04:30 to 13:30 UTC; the 18th is a Sunday.
    for closed in ["2026-01-12T04:29:59Z", "2026-01-12T13:30:00Z", "2026-01-18T08:00:00Z"] {
        caught(&answered(), |case| case.call_at(closed), Rule::Hours);
    }
    for open in ["2026-01-12T04:30:00Z", "2026-01-12T13:29:59Z", "2026-01-17T08:00:00Z"] {
        let verdict = spoilt(&answered(), |case| case.call_at(open));
        assert!(verdict.kept(), "{verdict}");
    }
}

#[test]
fn a_repeated_submission_is_judged_by_its_own_time() {
    let later = |case: &mut Case| {
        let attempt = case.attempt(1);
        attempt.submission = attempt.submission.map(|its| Submission { at: its.at + seconds(5), ..its });
    };
    caught(&answered(), later, Rule::DialBy);
}

#[test]
fn the_zone_is_the_leads_own_or_its_campaigns() {
    let named = |zone: &'static str| move |case: &mut Case| case.record.zone = Some(zone.into());
    caught(&answered(), named("America/New_York"), Rule::Zone); // 01:30 there
    warned(&answered(), named("Asia/Dubai"), Rule::Zone); // 10:30 there
    caught(&answered(), named("Asia/Bangalore"), Rule::Zone); // no such zone
    let nowhere = |case: &mut Case| {
        case.record.zone = None;
        case.record.phone = Some("+80012345678".parse().expect("a number of no country"));
    };
    caught(&answered(), nowhere, Rule::Zone);
    let by_campaign = |case: &mut Case| {
        case.record.zone = None;
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.zone = Some(chrono_tz::Asia::Kolkata);
    };
    assert!(spoilt(&answered(), by_campaign).kept());
    let nameless = |case: &mut Case| {
        let place = case.place(is("reserved"));
        if let Event::Reserved { zone, kept, .. } = &mut case.record.events[place].event {
            (*zone, *kept) = (None, None);
        }
    };
    caught(&answered(), nameless, Rule::Zone);
}

#[test]
fn a_call_is_judged_by_where_the_person_was_and_not_by_what_was_edited_since() {
    let moved = |case: &mut Case| {
        case.record.zone = Some("America/New_York".into()); // 01:30 there
        case.record.phone = Some("+14155550123".parse().expect("a number"));
    };
    caught(&answered(), moved, Rule::Zone);
    for (edited, allowed) in
        [(vec![PersonPart::Number, PersonPart::Zone], true), (vec![PersonPart::Name], false)]
    {
        let verdict = spoilt(&answered(), |case| {
            moved(case);
            let (parts, actor) = (edited.clone(), "somebody".to_owned());
            let event = Event::PersonEdited { parts, actor, reason: None };
            case.insert(is("finished"), event);
        });
        assert_eq!(verdict.kept(), allowed, "{edited:?}: {verdict}");
    }
}

#[test]
fn the_open_calendar_serves_emulated_accounts_only() {
    fn open(case: &mut Case, emulated: bool) {
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.calendar = Calendar::Open;
        case.world.accounts.get_mut(&ACCOUNT).expect("the account").emulated = emulated;
    }
    caught(&answered(), |case| open(case, false), Rule::OpenCalendar);
    assert!(spoilt(&answered(), |case| open(case, true)).kept());
}

#[test]
fn rules_that_cannot_be_read_allow_nothing() {
    caught(&answered(), |case| case.world.rules.clear(), Rule::ReadableRules);
}

#[test]
fn nothing_is_submitted_too_late() {
    let late = |case: &mut Case| {
        let at = case.attempt(1).reserved_at;
        case.attempt(1).dial_by = at;
        let place = case.place(is("reserved"));
        if let Event::Reserved { dial_by, .. } = &mut case.record.events[place].event {
            *dial_by = at;
        }
    };
    caught(&answered(), late, Rule::DialBy);
}

#[test]
fn no_suppressed_number_is_called() {
    let suppressed = |change: fn(&mut SuppressionRecord)| {
        move |case: &mut Case| {
            let at = case.attempt(1).submission.expect("it was submitted").at;
            let mut record = SuppressionRecord {
                client: CLIENT,
                phone: Life::phone(),
                campaign: None,
                created_at: at - seconds(1),
                expires_at: None,
                removed_at: None,
            };
            change(&mut record);
            case.world.suppressions.push(record);
        }
    };
    caught(&answered(), suppressed(|_| ()), Rule::Suppression);
    caught(&answered(), suppressed(|record| record.created_at += seconds(1)), Rule::Suppression);
    caught(&answered(), suppressed(|record| record.campaign = Some(CAMPAIGN)), Rule::Suppression);
    let allowed: [fn(&mut SuppressionRecord); 5] = [
        |record| record.created_at += seconds(2),
        |record| record.expires_at = Some(record.created_at + seconds(1)),
        |record| record.removed_at = Some(record.created_at),
        |record| record.campaign = Some(outdial_workflows::ids::CampaignId(Uuid::from_u128(99))),
        |record| record.client = outdial_workflows::ids::ClientId(Uuid::from_u128(99)),
    ];
    for change in allowed {
        let verdict = spoilt(&answered(), suppressed(change));
        assert!(verdict.kept(), "{verdict}");
    }
}

#[test]
fn a_wish_not_to_be_called_that_was_spoken_in_the_call_comes_after_it() {
    let told = steps(&[&DIAL, &[Step::Reports(Outcome::DoNotCall), Step::Ends(CallResult::Answered)]]);
    assert!(Case::of(&told).judge().kept());
}

#[test]
fn after_an_order_to_stop_nothing_is_dialled() {
    let ordered = |command: &'static str| {
        move |case: &mut Case| {
            let event = Event::Commanded {
                command: command.into(),
                actor: "asha".into(),
                reason: None,
                deferred: false,
            };
            case.insert(is("reserved"), event);
        }
    };
    caught(&answered(), ordered("pause"), Rule::Orders);
    caught(&answered(), ordered("cancel"), Rule::Orders);
    let held = |case: &mut Case| case.insert(is("accepted"), Event::Held { reason: Why::NoZone });
    caught(&answered(), held, Rule::Orders);
    let finished = |case: &mut Case| {
        case.insert(is("accepted"), Event::Finished { outcome: None, reason: Why::CampaignEnded });
    };
    caught(&answered(), finished, Rule::Orders);
    for letting_go in [Command::Resume, Command::Retry] {
        let told = steps(&[&[Step::Orders(Command::Pause), Step::Orders(letting_go)], &answered()]);
        assert!(Case::of(&told).judge().kept());
    }
}

#[test]
fn a_lead_is_tried_no_more_often_than_its_rules_allow() {
    let once = |case: &mut Case| {
        let rules = case.world.rules.get_mut(&(CAMPAIGN, Revision(1))).expect("the revision");
        rules.retry.max_attempts = std::num::NonZeroU16::MIN;
    };
    caught(&reached_later(), once, Rule::MaxAttempts);
    // What a person grants anew does not count.
    let granted = steps(&[&answered(), &[Step::Orders(Command::Retry)], &answered()]);
    assert!(spoilt(&granted, once).kept());
}
