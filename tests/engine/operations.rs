//! What people order for many leads, for an account or a client, for later, and again and again.

use std::time::Duration;

use chrono::TimeDelta;
use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::bulk::{self, Filter, Operation};
use outdial_jobs::operations::campaigns::{self, Order};
use outdial_jobs::operations::{By, OperationError, forecast, pausing, recurring};
use outdial_jobs::store::bulk::BulkState;
use outdial_jobs::store::recurring::Action;
use outdial_workflows::attempt::Revision;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::CampaignId;
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::preview::Prospect;
use outdial_workflows::rules::Rules;
use outdial_workflows::simulate::Assumed;
use outdial_workflows::workflow::{Priority, State};
use serde_json::json;

use crate::support::world::{Setup, World, names, phones, told, until};

const ASHA: By<'static> = By { actor: "asha", reason: Some("a test") };

fn of(campaign: CampaignId) -> Filter {
    Filter { campaign: Some(campaign), ..Filter::default() }
}

async fn done(world: &World, ordered: &Operation) -> Operation {
    let id = ordered.id.to_string();
    let find = async || bulk::find(&world.engine, &id).await.expect("it exists");
    until("the operation to be done", async || find().await.state == BulkState::Done).await;
    find().await
}

#[tokio::test]
async fn an_order_for_many_leads_reaches_those_that_fit_and_says_what_came_of_it() {
    let world = World::working().await;
    let (campaign, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    for page in phones(1, 2_500).chunks(1_000) {
        world.leads(campaign, page).await;
    }
    world.leads(other, &phones(5_001, 10)).await;
    let low = Command::Prioritise { priority: Priority::Low };
    let first = bulk::order(&world.engine, world.client, &of(campaign), low, "asha", None).await;
    let first = done(&world, &first.expect("ordered")).await;
    assert_eq!((first.tally.looked_at, first.tally.changed, first.tally.declined), (2_500, 2_500, 0));
    let filter = Filter { priorities: vec![Priority::Low], ..Filter::default() };
    let preview = bulk::preview(&world.engine, world.client, &filter).await.expect("previewed");
    assert_eq!((preview.leads, preview.exact), (2_500, true));
    let cancelled =
        bulk::order(&world.engine, world.client, &filter, Command::Cancel, "asha", Some("a mistake")).await;
    let cancelled = done(&world, &cancelled.expect("ordered")).await;
    assert_eq!((cancelled.tally.looked_at, cancelled.tally.changed), (2_510, 2_500));
    let finished = "select count(*) from workflows where state = 'finished'";
    assert_eq!(world.count(finished).await, 2_500);
    let resumed =
        bulk::order(&world.engine, world.client, &of(campaign), Command::Resume, "asha", None).await;
    let resumed = done(&world, &resumed.expect("ordered")).await;
    assert_eq!((resumed.tally.changed, resumed.tally.declined), (0, 2_500));
    let why = resumed.tally.declined_for.expect("declined");
    assert!(why.contains("cancelled by asha: a mistake"), "{why}");
    let noted = "select count(*) from audit where subject = 'operation' and actor = 'asha'";
    assert_eq!(world.count(noted).await, 3);
    world.end().await;
}

#[tokio::test]
async fn an_operation_goes_on_where_its_process_left_it() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    for page in phones(1, 3_000).chunks(1_000) {
        world.leads(campaign, page).await;
    }
    let pause = bulk::order(&world.engine, world.client, &of(campaign), Command::Pause, "asha", None).await;
    let pause = pause.expect("ordered");
    world.work().await;
    let looked_at = "select looked_at from bulk_operations";
    until("a page to be done", async || world.count(looked_at).await > 0).await;
    world.settle().await;
    let elsewhere = world.work_elsewhere().await;
    let id = pause.id.to_string();
    until("the operation to be done", async || {
        bulk::find(&elsewhere, &id).await.expect("it exists").state == BulkState::Done
    })
    .await;
    assert_eq!(world.count("select count(*) from workflows where state = 'held'").await, 3_000);
    world.end().await;
}

#[tokio::test]
async fn a_stopped_operation_changes_no_more_leads() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &phones(1, 100)).await;
    let pause = bulk::order(&world.engine, world.client, &of(campaign), Command::Pause, "asha", None).await;
    let id = pause.expect("ordered").id.to_string();
    let stopped = bulk::cancel(&world.engine, &id, ASHA).await.expect("stopped");
    assert_eq!(stopped.state, BulkState::Cancelled);
    let again = bulk::cancel(&world.engine, &id, ASHA).await;
    assert!(matches!(again, Err(OperationError::NotPossible(_))), "{again:?}");
    world.work().await;
    until("its job to be gone", async || world.count("select count(*) from jobs").await == 0).await;
    assert_eq!(world.count("select count(*) from workflows where state = 'held'").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_rescheduled_lead_is_called_at_its_time() {
    let world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.scripted(campaign, "+919876543210", [Scenario::answered(Duration::from_secs(20))]).await;
    let at = world.database_time().await + TimeDelta::seconds(2);
    world.command(lead, Command::Reschedule { at }).await;
    world.order(campaign, Order::Start).await;
    let record = world.finished(lead).await;
    assert_eq!(told(&record), ["bound: successful"]);
    assert!(record.attempts[0].reserved_at >= at, "not before its time");
    world.end().await;
}

#[tokio::test]
async fn a_paused_account_or_client_dials_nothing_until_it_is_resumed() {
    let world = World::working().await;
    for account in [Some(world.account), None] {
        let pause = pausing::pause(&world.engine, world.client, account, ASHA, None).await.expect("paused");
        assert!(pause.changed && pause.underway.is_empty(), "{pause:?}");
        let campaign = world.campaign(json!({})).await;
        let lead = world.lead(campaign, "+919876543210").await;
        world.engine.admit(world.client).await.expect("looked");
        assert_eq!(world.record(lead).await.workflow.state, State::Waiting);
        assert_eq!(world.record(lead).await.attempts.len(), 0);
        assert_eq!(names(&world.record(lead).await), ["accepted"], "and nothing is written about it");
        let resumed = pausing::resume(&world.engine, world.client, account, ASHA).await;
        assert!(resumed.expect("resumed"));
        world.finished(lead).await;
    }
    assert_eq!(world.count("select count(*) from audit where reason = 'a test'").await, 4);
    world.end().await;
}

#[tokio::test]
async fn a_reservation_of_an_account_that_is_paused_meanwhile_is_not_sent() {
    let mut world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let lead = world.lead(campaign, "+919876543210").await;
    assert_eq!(world.engine.admit(world.client).await.expect("admitted").reserved, 1);
    let (client, account) = (world.client, Some(world.account));
    let paused = pausing::pause(&world.engine, client, account, ASHA, None).await.expect("paused");
    assert!(paused.underway.is_empty());
    world.work().await;
    world.until(lead, |record| record.workflow.state == State::Waiting).await;
    assert_eq!(world.carrier.totals().accepted, 0);
    pausing::resume(&world.engine, client, account, ASHA).await.expect("resumed");
    world.finished(lead).await;
    world.end().await;
}

#[tokio::test]
async fn a_pause_with_an_end_ends_by_itself() {
    let world = World::new().await;
    let (campaign, client) = (world.campaign(json!({})).await, world.client);
    let now = world.database_time().await;
    let end = now + TimeDelta::hours(2);
    let (asha, why) = ("asha", Some("lunch"));
    let paused =
        campaigns::order_until(&world.engine, client, campaign, Order::Pause, asha, why, Some(end)).await;
    assert_eq!(paused.expect("paused").state, CampaignState::Paused);
    for account in [Some(world.account), None] {
        pausing::pause(&world.engine, client, account, ASHA, Some(end)).await.expect("paused");
    }
    let before = recurring::carry_out_due(&world.engine, end - TimeDelta::seconds(1)).await;
    assert_eq!(before.expect("looked"), 0);
    let after = recurring::carry_out_due(&world.engine, end).await;
    assert_eq!(after.expect("looked"), 1, "one client has work again");
    let state = campaigns::status(&world.engine, client, campaign).await.expect("read").campaign.state;
    assert_eq!(state, CampaignState::Running);
    let paused = "select (select count(*) from accounts where paused_by is not null)
        + (select count(*) from clients where paused_by is not null)";
    assert_eq!(world.count(paused).await, 0);
    world.end().await;
}

#[tokio::test]
async fn an_edit_makes_a_revision_under_which_the_next_attempts_are_made() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let no_answer = || [Scenario::no_answer(), Scenario::no_answer()];
    let before = world.scripted(campaign, "+919876543210", no_answer()).await;
    assert_eq!(told(&world.finished(before).await).len(), 1);
    let (revision, rules) = campaigns::rules(&world.engine, world.client, campaign).await.expect("read");
    let twice = Rules {
        retry: serde_json::from_value(json!({ "max_attempts": 2, "rules": { "no_answer": "1s" } }))
            .expect("read"),
        ..rules
    };
    let edited = campaigns::edit(&world.engine, world.client, campaign, revision, &twice, ASHA).await;
    assert_eq!(edited.expect("edited"), Revision(2));
    let after = world.scripted(campaign, "+919876543211", no_answer()).await;
    let record = world.finished(after).await;
    assert_eq!(record.attempts.iter().map(|attempt| attempt.revision).collect::<Vec<_>>(), [Revision(2); 2]);
    assert_eq!(record.workflow.outcome, Some(Outcome::NoAnswer));
    let stale = campaigns::edit(&world.engine, world.client, campaign, revision, &twice, ASHA).await;
    assert!(
        matches!(&stale, Err(OperationError::EditedMeanwhile(why)) if why.contains("edited meanwhile")),
        "{stale:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_recurring_order_starts_a_campaign_and_goes_through_its_leads_again() {
    let mut world = World::new().await;
    let (campaign, client) = (world.draft(json!({})).await, world.client);
    let lead = world.lead(campaign, "+919876543210").await;
    let daily = "0 0 9 * * *";
    let again =
        recurring::add(&world.engine, client, campaign, daily, "Asia/Kolkata", Action::Again, ASHA).await;
    let first = again.expect("added").next_at.expect("there is a next time");
    assert_eq!(first.with_timezone(&chrono_tz::Asia::Kolkata).format("%H:%M").to_string(), "09:00");
    assert_eq!(
        recurring::carry_out_due(&world.engine, first - TimeDelta::seconds(1)).await.expect("looked"),
        0
    );
    world.work().await;
    for calls in 1..=2 {
        let at = first + TimeDelta::days(calls - 1);
        let carried_out = recurring::carry_out_due(&world.engine, at).await.expect("looked");
        assert_eq!(carried_out, 1);
        assert_eq!(recurring::carry_out_due(&world.engine, at).await.expect("looked"), 0, "once a time");
        let calls = usize::try_from(calls).expect("few");
        world
            .until(lead, |record| record.attempts.len() == calls && record.workflow.state == State::Finished)
            .await;
    }
    let listed = recurring::list(&world.engine, campaign).await.expect("listed");
    recurring::remove(&world.engine, &listed[0].id.to_string(), ASHA).await.expect("removed");
    assert!(recurring::list(&world.engine, campaign).await.expect("listed").is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_recurring_order_that_can_never_be_is_refused() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    for (cron, zone, word) in [
        ("daily", "UTC", "six fields"),
        ("0 0 9 1 1 * 2020", "UTC", "still to come"),
        ("0 0 9 * * *", "Mars", "Mars"),
    ] {
        let added =
            recurring::add(&world.engine, world.client, campaign, cron, zone, Action::Start, ASHA).await;
        let refused = added.expect_err("refused").to_string();
        assert!(refused.contains(word), "{refused}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_launch_preview_tells_what_would_become_of_each_lead_and_why() {
    let clock = Setup::clock_at("2027-01-11T06:30:00Z"); // Monday noon in Kolkata.
    let world = World::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let hours = json!([{ "days": ["mon", "tue"], "from": "10:00", "to": "19:00" }]);
    let rules = json!({ "calendar": hours, "purpose": "service", "voice": "human", "consent": "express" });
    let campaign = world.draft(rules).await;
    let people = phones(1, 8);
    let leads = world.leads(campaign, &people).await;
    let consent = |phone: &str| {
        let phone = phone.to_owned();
        let world = &world;
        async move {
            let (said, code) = world
                .says(&["consent", "add", &phone, "--client", &world.client.to_string(), "--source", "form"])
                .await;
            assert_eq!(code, Some(0), "{said}");
        }
    };
    for phone in &people[..6] {
        consent(phone).await;
    }
    let client = world.client.to_string();
    let (said, code) = world.says(&["suppression", "add", &people[0], "--client", &client]).await;
    assert_eq!(code, Some(0), "{said}");
    let tomorrow = clock.read() + TimeDelta::days(1);
    world.command(leads[1], Command::Reschedule { at: tomorrow }).await;
    world.command(leads[2], Command::Pause).await;
    world.command(leads[3], Command::Cancel).await;
    world.run(&format!("update workflows set quarantined = true where lead_id = '{}'", leads[4])).await;
    let mut read = 0;
    let told = forecast::preview(&world.engine, world.client, campaign, |n| read = n).await.expect("told");
    let groups: Vec<_> = told
        .groups
        .iter()
        .map(|group| (group.prospect, group.why.as_str(), group.leads, group.from))
        .collect();
    assert_eq!(
        groups,
        [
            (Prospect::Now, "", 1, Some(clock.read())),
            (Prospect::Later, "rescheduled_by", 1, Some(tomorrow)),
            (Prospect::Held, "needs_consent", 2, None),
            (Prospect::Held, "held_by", 1, None),
            (Prospect::Held, "quarantined", 1, None),
            (Prospect::Never, "suppressed", 1, None),
            (Prospect::Finished, "", 1, None),
        ]
    );
    assert_eq!((read, told.leads, told.now, told.later, told.held, told.never), (8, 8, 1, 1, 4, 1));
    assert_eq!(told.blockers, [""; 0]);
    // The account's own troubles stand for themselves.
    let account = world.account.to_string();
    world.says(&["account", "pause", &account]).await;
    clock.advance(TimeDelta::hours(9));
    let evening = forecast::preview(&world.engine, world.client, campaign, |_| ()).await.expect("told");
    assert_eq!((evening.now, evening.later), (0, 2));
    assert!(evening.blockers[0].contains("paused"), "{evening:?}");
    // What is told is what happens.
    world.says(&["account", "resume", &account]).await;
    clock.advance(TimeDelta::hours(-9));
    world.order(campaign, Order::Start).await;
    while world.engine.admit(world.client).await.expect("a round").looked_at > 0 {}
    let mut states = vec![];
    for state in ["dialling", "waiting", "held", "finished"] {
        let query = format!("select count(*) from workflows where state = '{state}' and not quarantined");
        states.push(world.count(&query).await);
    }
    assert_eq!(states, [1, 1, 3, 2]);
    world.run("update workflows set quarantined = false").await;
    world.order(campaign, Order::Cancel).await;
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(world.engine.fire_due_timers().await.expect("fired"), 1);
    world.run("delete from jobs").await;
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_played_through_without_a_call() {
    let world = World::new().await;
    let campaign = world.draft(json!({ "limits": [{ "limit": "concurrent", "max": 5 }] })).await;
    let leads = world.leads(campaign, &phones(1, 50)).await;
    world.command(leads[0], Command::Pause).await;
    let assumed = Assumed { answered_percent: 100, busy_percent: 0, ring_s: 10, talk_s: 50, seed: 0 };
    let mut read = 0;
    let played = forecast::simulate(&world.engine, world.client, campaign, assumed, |n| read = n).await;
    let played = played.expect("played");
    assert_eq!((read, played.leads, played.calls, played.most_at_once), (50, 50, 49, 5));
    assert_eq!(played.held.values().sum::<u64>(), 1, "{played:?}");
    let now = world.database_time().await;
    let end = played.finishes_at.expect("it ends");
    assert!(
        end > now + TimeDelta::minutes(9) && end < now + TimeDelta::minutes(11),
        "ten rounds of a minute"
    );
    assert_eq!(world.count("select count(*) from attempts").await, 0);
    world.end().await;
}
