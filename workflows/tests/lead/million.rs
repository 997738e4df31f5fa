//! A million dials on paper: everywhere on earth, around every change of the clocks, by workers that
//! stand still and machines whose clocks are wrong. The judge, who reckons local times and caps by code of
//! its own, finds nothing.

use chrono::{TimeDelta, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use outdial_workflows::Moment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::call::{CallEnd, CallFact, CallId, CallResult, DialReply, Source};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AttemptNumber, CampaignId, LeadId};
use outdial_workflows::input::{Answer, Input};
use outdial_workflows::judge::{AccountWorld, Judge, Verdict, World};
use outdial_workflows::rules::Rules;
use outdial_workflows::workflow::State;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use uuid::Uuid;

use crate::life::{ACCOUNT, Life, rules};

/// Campaigns, each with its revisions.
const CAMPAIGNS: usize = 200;
const REVISIONS: usize = 3;

#[test]
fn the_judge_finds_nothing_over_many_dials() {
    kept_over(20_000);
}

#[test]
#[ignore = "takes minutes"]
fn the_judge_finds_nothing_over_a_million_dials() {
    kept_over(1_000_000);
}

fn kept_over(dials: usize) {
    let mut rng = StdRng::seed_from_u64(2_026);
    let campaigns: Vec<Vec<Rules>> =
        (0..CAMPAIGNS).map(|_| (0..REVISIONS).map(|_| some_rules(&mut rng)).collect()).collect();
    let mut world = World::default();
    world.accounts.insert(ACCOUNT, AccountWorld::default());
    for (campaign, revisions) in campaigns.iter().enumerate() {
        for (revision, rules) in (1..).zip(revisions) {
            world.rules.insert((campaign_id(campaign), Revision(revision)), rules.clone());
        }
    }
    let mut judge = Judge::new(world, at("2040-01-01T00:00:00Z"));
    let (mut made, mut leads, mut refused) = (0, 0_u32, 0_usize);
    while made < dials {
        let campaign = rng.random_range(0..CAMPAIGNS);
        let mut life = somebody(leads, &campaigns[campaign][0], &mut rng);
        for _ in 0..60 {
            match dial(&mut life, &mut rng) {
                Dialled::Yes => made += 1,
                Dialled::No => refused += 1,
                Dialled::Over => break,
            }
            if rng.random_bool(0.03) && life.past_rules.len() + 1 < REVISIONS {
                life.revise(campaigns[campaign][life.past_rules.len() + 1].clone());
            }
        }
        let mut record = life.record();
        record.lead = LeadId(Uuid::from_u128(1_000 + u128::from(leads)));
        record.campaign = campaign_id(campaign);
        judge.lead(&record);
        leads += 1;
    }
    let verdict: Verdict = judge.finish();
    assert!(verdict.kept(), "{made} dials to {leads} leads: {verdict}");
    assert!(refused > made / 50, "and not for want of trying: {refused}");
}

fn campaign_id(n: usize) -> CampaignId {
    CampaignId(Uuid::from_u128(1_000_000 + n as u128))
}

fn at(text: &str) -> Moment {
    text.parse().expect("a time")
}

/// Calendars of every shape; narrow ones often, so that their edges are met.
fn some_rules(rng: &mut impl Rng) -> Rules {
    let from = rng.random_range(0..23_usize);
    let to = rng.random_range(from + 1..=24);
    let minute = |hour: usize| match hour {
        24 => "24:00".to_owned(),
        hour => format!("{hour:02}:{:02}", [0, 0, 30, 59][hour % 4]),
    };
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days: Vec<&str> = days.into_iter().filter(|_| rng.random_bool(0.7)).collect();
    let days = if days.is_empty() { vec!["mon"] } else { days };
    let per_day = if rng.random_bool(0.5) { r#""caps": {"per_day": 2},"# } else { "" };
    let holidays = if rng.random_bool(0.3) { r#""holidays": ["public", "02-29", "12-31"],"# } else { "" };
    rules(&format!(
        r#"{{"purpose": "service", "voice": "human", {per_day} {holidays}
            "calendar": [{{"days": {}, "from": "{}", "to": "{}"}}],
            "retry": {{"max_attempts": 50, "rules": {{"no_answer": "{}", "busy": "7m", "unknown": "1s"}}}}}}"#,
        serde_json::to_string(&days).expect("days"),
        minute(from),
        minute(to),
        ["1s", "37m", "2h", "11h"][rng.random_range(0..4)],
    ))
}

/// Somebody in any zone, at a time around which its clocks change, a leap day or a year's end, or any other.
fn somebody(n: u32, rules: &Rules, rng: &mut impl Rng) -> Life {
    let mut life = Life::new(rules.clone());
    let zone: Tz = TZ_VARIANTS[rng.random_range(0..TZ_VARIANTS.len())];
    let year = rng.random_range(2020..2036);
    let day = |month, day, hour| chrono::Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).single();
    let hour = rng.random_range(0..24);
    let begins = match rng.random_range(0..4) {
        0 => day(2, 28, hour),
        1 => day(12, 31, hour),
        2 => change_of(zone, year, rng).map(|change| change - TimeDelta::hours(hour.into())),
        _ => None,
    };
    let any = || day(1 + hour % 12, 1 + hour, hour);
    life.now = begins.or_else(any).expect("a time");
    life.gate.zone = Some(zone.name().to_owned());
    life.gate.region = Some("IN".into());
    let phone = format!("+9198{:08}", n % 100_000_000).parse().expect("a number");
    life.gate.phone = Some(phone);
    life.phone.clone_from(&life.gate.phone);
    life.run.workflow.wake_at = Some(life.now);
    life.events[0].at = life.now;
    life
}

/// A moment in `year` around which the zone's clocks change, if they do.
fn change_of(zone: Tz, year: i32, rng: &mut impl Rng) -> Option<Moment> {
    use chrono::Offset;
    let begins = chrono::Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single()?;
    let offset = |hours: i64| {
        let at = begins + TimeDelta::hours(hours);
        zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    };
    let changes: Vec<i64> =
        (0..365).filter(|day| offset(day * 24) != offset(day * 24 + 24)).map(|day| day * 24).collect();
    let hour = changes.get(rng.random_range(0..changes.len().max(1)))?;
    Some(begins + TimeDelta::hours(*hour + 12))
}

enum Dialled {
    Yes,
    /// Withdrawn, or not due, or turned away.
    No,
    /// The lead is finished.
    Over,
}

/// The next attempt, if it comes to one, and what becomes of it.
fn dial(life: &mut Life, rng: &mut impl Rng) -> Dialled {
    match life.run.workflow.state {
        State::Finished | State::Held => return Dialled::Over,
        State::Waiting => {
            let due = life.run.workflow.wake_at.unwrap_or(life.now);
            life.now = life.now.max(due) + TimeDelta::milliseconds(rng.random_range(0..3_000));
        }
        State::Dialling | State::Calling | State::Settling => {}
    }
    life.chance = rng.random();
    let tried = life.gate.tried.clone();
    let Answer::Reserved(attempt) = life.tell(&Input::Admit { account: ACCOUNT, caller_id: None }).answer
    else {
        return Dialled::No;
    };
    // Its worker stands still: for a moment, for longer than the reservation, or over night.
    let stands = [40, 900, 4_999, 5_001, 60_000, 30_000_000][rng.random_range(0..6)];
    if rng.random_bool(0.3) {
        life.pass(TimeDelta::milliseconds(stands));
    }
    if rng.random_bool(0.02) {
        life.campaign([CampaignState::Paused, CampaignState::Running][rng.random_range(0..2)]);
    }
    let token = Uuid::from_u128(1);
    let answer = life.tell(&Input::Submit { attempt, token, lease_held: true }).answer;
    life.gate.campaign = CampaignState::Running;
    if !matches!(answer, Answer::Send(_)) {
        return Dialled::No;
    }
    life.gate.tried = tried;
    life.gate.tried.at.push(life.now);
    life.gate.tried.in_all += 1;
    goes_on(life, attempt, rng);
    Dialled::Yes
}

fn goes_on(life: &mut Life, attempt: AttemptNumber, rng: &mut impl Rng) {
    let call_id = CallId(format!("call {attempt}"));
    life.pass(TimeDelta::milliseconds(rng.random_range(1..2_000)));
    life.tell(&Input::Replied { attempt, reply: DialReply::Bound { call_id: call_id.clone() } });
    life.pass(TimeDelta::milliseconds(rng.random_range(500..60_000)));
    let result = [CallResult::NoAnswer, CallResult::Busy][rng.random_range(0..2)];
    let fact = CallFact::ended(Some(call_id), CallEnd { result, talk: None, cause: None });
    life.tell(&Input::News { attempt, fact, source: Source::Webhook });
}
