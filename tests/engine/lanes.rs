//! Lanes open and close by the clocks of their people; no lead is touched for it.

use std::sync::Arc;

use outdial_jobs::clock::SetClock;
use outdial_jobs::engine::Round;
use outdial_jobs::operations::campaigns::{self, Status};
use outdial_jobs::operations::judging::explain_lead;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::{By, OperationError};
use outdial_workflows::Moment;
use outdial_workflows::hours::LaneState;
use outdial_workflows::ids::{CampaignId, LeadId};
use outdial_workflows::packs;
use outdial_workflows::phone::Region;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::State;
use serde_json::{Value, json};

use crate::support::world::{Setup, World, phones, spec};

const NEW_YORK: &str = "+12125550100";
const LOS_ANGELES: &str = "+12135550100";
const KOLKATA: &str = "+919876543210";
const SAO_PAULO: &str = "+5511912345678";

/// A world whose clock stands where it is put.
struct Timed {
    world: World,
    clock: Arc<SetClock>,
}

/// Every day from 10 to 19, by people and for no sale, so that nobody needs to have agreed.
fn from_ten_to_seven() -> Value {
    hours("10:00", "19:00")
}

fn hours(from: &str, to: &str) -> Value {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!({ "calendar": [{ "days": days, "from": from, "to": to }], "purpose": "service", "voice": "human" })
}

impl Timed {
    async fn at(now: &str) -> Self {
        let clock = Setup::clock_at(now);
        let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
        Self { world, clock }
    }

    fn move_to(&self, time: &str) {
        let time: Moment = time.parse().expect("a time");
        self.clock.advance(time - self.clock.read());
    }

    async fn round(&self) -> Round {
        self.world.engine.admit(self.world.client).await.expect("a round")
    }

    async fn due(&self, campaign: CampaignId, spec: LeadSpec, at: &str) -> LeadId {
        let at = Some(at.parse().expect("a time"));
        let accepted =
            leads::accept_due(&self.world.engine, self.world.client, campaign, &[spec], at, "a test").await;
        accepted.expect("accepted").leads[0]
    }

    /// Which of these leads a round reserves, without a look at any other. Nobody dials them, so that
    /// they wait again.
    async fn reserved<'a>(&self, leads: &[(&'a str, LeadId)]) -> Vec<&'a str> {
        let round = self.round().await;
        assert_eq!(round.looked_at, round.reserved, "the gate turned somebody away");
        let mut reserved = vec![];
        for (phone, lead) in leads {
            if self.world.record(*lead).await.workflow.state == State::Dialling {
                reserved.push(*phone);
            }
        }
        assert_eq!(reserved.len(), round.reserved);
        self.withdraw().await;
        reserved
    }

    async fn withdraw(&self) {
        self.clock.advance(chrono::TimeDelta::seconds(5));
        self.world.engine.fire_due_timers().await.expect("fired");
    }

    async fn edit(&self, campaign: CampaignId, change: Value) {
        let (engine, client) = (&self.world.engine, self.world.client);
        let (revision, rules) = campaigns::rules(engine, client, campaign).await.expect("rules");
        let mut rules = serde_json::to_value(rules).expect("rules");
        if let (Some(rules), Value::Object(change)) = (rules.as_object_mut(), change) {
            rules.extend(change);
        }
        let rules = serde_json::from_value(rules).expect("rules");
        let by = By { actor: "a test", reason: None };
        campaigns::edit(engine, client, campaign, revision, &rules, by).await.expect("edited");
    }

    async fn status(&self, campaign: CampaignId) -> Status {
        campaigns::status(&self.world.engine, self.world.client, campaign).await.expect("a status")
    }

    /// Which version of each row is there.
    async fn versions(&self, table: &str) -> String {
        let all = format!("select string_agg(xmin::text || ctid::text, ' ' order by ctid) from {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_one(self.world.db.pool()).await.expect("read")
    }
}

#[tokio::test]
async fn everybody_is_called_in_the_window_of_their_own_clock() {
    let timed = Timed::at("2026-01-14T00:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let mut leads = vec![];
    for phone in [NEW_YORK, LOS_ANGELES, KOLKATA] {
        leads.push((phone, timed.world.lead(campaign, phone).await));
    }
    for (now, reserved, opens_next) in [
        ("2026-01-14T04:29:59Z", vec![], Some("2026-01-14T04:30:00Z")),
        ("2026-01-14T04:30:00Z", vec![KOLKATA], None),
        ("2026-01-14T13:29:50Z", vec![KOLKATA], None),
        ("2026-01-14T13:30:00Z", vec![], Some("2026-01-14T15:00:00Z")),
        ("2026-01-14T15:00:00Z", vec![NEW_YORK], None),
        ("2026-01-14T18:00:00Z", vec![NEW_YORK, LOS_ANGELES], None),
        ("2026-01-15T00:00:00Z", vec![LOS_ANGELES], None),
        ("2026-01-15T03:00:00Z", vec![], Some("2026-01-15T04:30:00Z")),
    ] {
        timed.move_to(now);
        if let Some(opens_next) = opens_next {
            assert_eq!(timed.round().await.again_at, Some(opens_next.parse().expect("a time")), "{now}");
        }
        assert_eq!(timed.reserved(&leads).await, reserved, "{now}");
    }
    timed.world.end().await;
}

#[tokio::test]
async fn on_the_day_that_a_clock_is_changed_the_window_follows_the_wall() {
    let timed = Timed::at("2026-03-07T12:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let leads = [(NEW_YORK, timed.world.lead(campaign, NEW_YORK).await)];
    for (now, open) in [
        ("2026-03-07T14:59:59Z", false),
        ("2026-03-07T15:00:00Z", true),
        ("2026-03-08T00:00:00Z", false),
        ("2026-03-08T13:59:59Z", false), // The clock went forward at 02:00.
        ("2026-03-08T14:00:00Z", true),
        ("2026-03-08T23:00:00Z", false),
        ("2026-10-31T14:00:00Z", true),
        ("2026-11-01T14:59:59Z", false), // And back.
        ("2026-11-01T15:00:00Z", true),
        ("2026-11-02T00:00:00Z", false),
    ] {
        timed.move_to(now);
        assert_eq!(timed.reserved(&leads).await.len(), usize::from(open), "{now}");
    }
    timed.world.end().await;
}

#[tokio::test]
async fn lanes_open_and_close_and_no_lead_is_written() {
    let timed = Timed::at("2026-01-14T12:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    for phone in [NEW_YORK, KOLKATA] {
        timed.due(campaign, spec(phone), "2026-01-20T12:00:00Z").await;
    }
    timed.round().await;
    let (workflows, mut lanes) = (timed.versions("workflows").await, timed.versions("lanes").await);
    for now in ["2026-01-14T13:30:00Z", "2026-01-14T15:00:00Z", "2026-01-15T00:00:00Z"] {
        timed.move_to(now);
        assert_eq!(timed.round().await.looked_at, 0);
        let after = timed.versions("lanes").await;
        assert_ne!(after, lanes, "{now}");
        // Computed once.
        timed.round().await;
        assert_eq!(timed.versions("lanes").await, after, "{now}");
        lanes = after;
    }
    timed.edit(campaign, hours("11:00", "18:00")).await;
    timed.round().await;
    assert_ne!(timed.versions("lanes").await, lanes);
    assert_eq!(timed.versions("workflows").await, workflows);
    timed.world.end().await;
}

#[tokio::test]
async fn nobody_is_looked_at_where_it_is_night() {
    let timed = Timed::at("2026-01-14T20:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    timed.world.leads(campaign, &phones(1, 50)).await;
    for _ in 0..2 {
        let opens = "2026-01-15T04:30:00Z".parse().expect("a time");
        assert_eq!(timed.round().await, Round { reserved: 0, looked_at: 0, again_at: Some(opens) });
    }
    assert_eq!(timed.world.count("select count(*) from workflows where events > 1").await, 0);
    timed.world.end().await;
}

#[tokio::test]
async fn new_hours_hold_at_once_for_everybody_who_waits() {
    // 08:30 in New York.
    let timed = Timed::at("2026-01-14T13:30:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let new = (NEW_YORK, timed.world.lead(campaign, NEW_YORK).await);
    // To be tried again since a time in the night.
    let later = "+12125550101";
    let later = (later, timed.due(campaign, spec(later), "2026-01-14T13:10:00Z").await);
    let leads = [new, later];
    assert_eq!(timed.reserved(&leads).await, Vec::<&str>::new());
    timed.edit(campaign, hours("08:00", "19:00")).await;
    assert_eq!(timed.reserved(&leads).await, [new.0, later.0]);
    timed.edit(campaign, hours("12:00", "19:00")).await;
    timed.move_to("2026-01-14T16:00:00Z");
    assert_eq!(timed.reserved(&leads).await, Vec::<&str>::new());
    timed.move_to("2026-01-14T17:00:00Z");
    assert_eq!(timed.reserved(&leads).await, [new.0, later.0]);
    timed.world.end().await;
}

#[tokio::test]
async fn whose_place_cannot_be_told_is_held_with_the_reason() {
    let timed = Timed::at("2026-01-14T20:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let unknown = LeadSpec { zone: Some("Asia/Bangalore".into()), ..spec(KOLKATA) };
    let lead = timed.due(campaign, unknown, "2026-01-14T20:00:00Z").await;
    assert_eq!(timed.round().await.looked_at, 1);
    let workflow = timed.world.record(lead).await.workflow;
    assert_eq!(workflow.state, State::Held);
    assert_eq!(workflow.why, Why::UnknownZone { zone: "Asia/Bangalore".into() });
    timed.world.end().await;
}

#[tokio::test]
async fn leads_that_were_never_told_apart_are_called_in_their_windows_all_the_same() {
    let timed = Timed::at("2026-01-14T14:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let mut leads = vec![];
    for phone in [NEW_YORK, KOLKATA] {
        leads.push((phone, timed.world.lead(campaign, phone).await));
    }
    // As they were left by the version before.
    timed.world.run("update workflows set lane_id = (select lane_id from lanes where place = '')").await;
    timed.world.run("delete from lanes where place <> ''").await;
    let round = timed.round().await;
    assert_eq!((round.looked_at, round.reserved), (2, 0));
    for (now, reserved) in [("2026-01-14T15:00:00Z", vec![NEW_YORK]), ("2026-01-15T04:30:00Z", vec![KOLKATA])]
    {
        timed.move_to(now);
        let before = timed.round().await;
        assert_eq!(before.reserved, 1, "{now}");
        for (phone, lead) in &leads {
            let dialled = timed.world.record(*lead).await.workflow.state == State::Dialling;
            assert_eq!(dialled, reserved.contains(phone), "{phone} at {now}");
        }
        timed.withdraw().await;
        assert_eq!(timed.status(campaign).await.lanes.len(), 1);
    }
    timed.world.end().await;
}

#[tokio::test]
async fn what_was_computed_from_older_data_is_computed_again() {
    let timed = Timed::at("2026-01-14T06:30:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let leads = [(KOLKATA, timed.world.lead(campaign, KOLKATA).await)];
    let closed = "update lanes set revision = 1, opens_at = '2026-02-01Z', closes_at = null,
        why = '{\"why\": \"never_opens\"}', edition = ";
    timed.world.run(&format!("{closed} '{}' where place <> ''", packs::edition())).await;
    assert_eq!(timed.reserved(&leads).await, Vec::<&str>::new());
    timed.world.run(&format!("{closed} 'in-0' where place <> ''")).await;
    assert_eq!(timed.reserved(&leads).await, [KOLKATA]);
    timed.world.end().await;
}

#[tokio::test]
async fn leads_of_many_places_get_one_lane_a_place_whoever_imports_them() {
    let timed = Timed::at("2026-01-14T20:00:00Z").await;
    let campaign = timed.world.draft(from_ten_to_seven()).await;
    let zones = ["Asia/Kolkata", "Asia/Tokyo", "Europe/Paris", "America/Denver"];
    let page = |first: u32| -> Vec<LeadSpec> {
        let specs = phones(first, 500).into_iter().zip(zones.into_iter().cycle());
        specs.map(|(phone, zone)| LeadSpec { zone: Some(zone.into()), ..spec(&phone) }).collect()
    };
    let elsewhere = timed.world.another_engine().await;
    let (client, pages) = (timed.world.client, [page(1), page(10_001)]);
    let (one, other) = tokio::join!(
        leads::accept(&timed.world.engine, client, campaign, &pages[0]),
        leads::accept(&elsewhere, client, campaign, &pages[1]),
    );
    let accepted = |page: Result<leads::Accepted, OperationError>| page.expect("accepted").leads.len();
    assert_eq!(accepted(one) + accepted(other), 1_000);
    let lanes = timed.status(campaign).await.lanes;
    let told: Vec<(&str, i64)> = lanes.iter().map(|lane| (lane.place.as_str(), lane.waiting)).collect();
    let expected = [
        ("", 0),
        ("America/Denver;IN", 250),
        ("Asia/Kolkata;IN", 250),
        ("Asia/Tokyo;IN", 250),
        ("Europe/Paris;IN", 250),
    ];
    assert_eq!(told, expected);
    elsewhere.stop().await;
    timed.world.end().await;
}

#[tokio::test]
async fn explanation_and_status_say_when_a_lane_opens_and_why_not_now() {
    let timed = Timed::at("2026-01-14T20:00:00Z").await;
    let campaign = timed.world.campaign(from_ten_to_seven()).await;
    let kolkata = timed.world.lead(campaign, KOLKATA).await;
    let sao_paulo = LeadSpec { zone: Some("America/Sao_Paulo".into()), ..spec(SAO_PAULO) };
    timed.due(campaign, sao_paulo, "2026-01-14T20:00:00Z").await;
    // Nobody has looked at them.
    let (engine, client) = (&timed.world.engine, timed.world.client);
    let next = explain_lead(engine, client, kolkata).await.expect("explained").next.expect("it opens");
    let opens_at: Moment = "2026-01-15T04:30:00Z".parse().expect("a time");
    assert_eq!(next.at, opens_at);
    assert_eq!(
        next.what,
        "may be called from then on; until then, outside calling hours in Asia/Kolkata, which open Thu 15 Jan 10:00"
    );
    let lanes = timed.status(campaign).await.lanes;
    let state = |place: &str| {
        let lane =
            lanes.iter().find(|lane| lane.place == place).unwrap_or_else(|| panic!("{place}: {lanes:?}"));
        (lane.waiting, lane.hours.clone())
    };
    let why = Why::WindowClosed { zone: chrono_tz::Asia::Kolkata, opens_at };
    assert_eq!(state("Asia/Kolkata;IN"), (1, Some(LaneState::Closed { opens_at, why })));
    let why = Why::NoPack { country: Region::parse("BR").expect("a country") };
    assert_eq!(state("America/Sao_Paulo;BR"), (1, Some(LaneState::Held { why })));
    assert_eq!(state(""), (0, None));
    timed.world.end().await;
}

#[tokio::test]
async fn a_campaign_begins_for_all_at_once_and_ends_also_who_could_never_be_called() {
    let timed = Timed::at("2026-01-14T06:30:00Z").await;
    let mut rules = from_ten_to_seven();
    rules["starts_at"] = json!("2026-01-14T07:30:00Z");
    rules["ends_at"] = json!("2026-01-16T00:00:00Z");
    let campaign = timed.world.campaign(rules).await;
    let kolkata = timed.world.lead(campaign, KOLKATA).await;
    let sao_paulo = timed.world.lead(campaign, SAO_PAULO).await;
    let opens = "2026-01-14T07:30:00Z".parse().expect("a time");
    assert_eq!(timed.round().await, Round { reserved: 0, looked_at: 0, again_at: Some(opens) });
    timed.move_to("2026-01-14T07:30:00Z");
    assert_eq!(timed.reserved(&[(KOLKATA, kolkata)]).await, [KOLKATA]);
    timed.move_to("2026-01-16T00:00:00Z");
    let round = timed.round().await;
    assert_eq!((round.looked_at, round.reserved), (2, 0));
    for lead in [kolkata, sao_paulo] {
        let workflow = timed.world.record(lead).await.workflow;
        assert!(matches!(workflow.why, Why::PastEnd { .. }), "{:?}", workflow.why);
        assert_eq!(workflow.state, State::Finished);
    }
    timed.world.end().await;
}
