//! After an order to stop has been answered, no attempt becomes submitted.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::operations::{By, reports, setup};
use outdial_jobs::providers::exotel::Settings;
use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey, LeadId};
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::CallResults;
use outdial_workflows::workflow::State;
use rand::RngExt;
use serde_json::json;

use crate::support::world::{Setup, World, phones, settings, told, until};

/// Takes aim at the instant at which a dial job runs, however fast or busy the machine: what is
/// done after [`Aim::wait`] comes sooner next time when a dial was first, and later when none was.
struct Aim {
    pause: Duration,
    dialled: i64,
}

impl Aim {
    async fn at(world: &World) -> Self {
        Self { pause: Duration::from_millis(5), dialled: dialled(world).await }
    }

    async fn wait(&self) {
        tokio::time::sleep(self.pause.mul_f64(rand::rng().random_range(0.5..1.5))).await;
    }

    async fn learn(&mut self, world: &World) {
        let before = std::mem::replace(&mut self.dialled, dialled(world).await);
        let factor = if self.dialled > before { 0.7 } else { 1.4 };
        self.pause = self.pause.mul_f64(factor).clamp(Duration::from_micros(10), Duration::from_secs(1));
    }
}

/// Attempts that were submitted so far.
async fn dialled(world: &World) -> i64 {
    world.count("select count(*) from attempts where submitted_at is not null").await
}

/// Attempts that were submitted between two moments.
async fn submitted_between(world: &World, from: Moment, to: Moment) -> i64 {
    let submitted = "select count(*) from attempts where submitted_at between $1 and $2";
    let counted = sqlx::query_scalar(submitted).bind(from).bind(to).fetch_one(world.db.pool()).await;
    counted.expect("counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_pause_is_answered_nothing_is_submitted_until_the_campaign_is_resumed() {
    const ROUNDS: u32 = 100;
    // Nobody asks: reads have a budget of their own.
    let settings = Settings { poll_first_ms: 60_000, ask_cap_ms: 60_000, ..settings() };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.draft(json!({})).await;
    world.order(campaign, Order::Start).await;
    world.order(campaign, Order::Pause).await;
    // It has no workers: what it reserves is submitted by the others' dial jobs.
    let idle = world.another_engine().await;
    let mut raced = 0;
    let mut still = vec![];
    let mut aim = Aim::at(&world).await;
    for round in 0..ROUNDS {
        let leads = world.leads(campaign, &phones(round * 8, 8)).await;
        world.order(campaign, Order::Resume).await;
        if round % 2 == 0 {
            let _ = idle.admit(world.client).await;
        }
        aim.wait().await;
        let pause = world.order(campaign, Order::Pause).await;
        let answered = world.database_time().await;
        let paused: Moment = sqlx::query_scalar("select changed_at from campaigns")
            .fetch_one(world.db.pool())
            .await
            .expect("it changed");
        still.push((paused, answered));
        aim.learn(&world).await;
        // The answer names all that ring or will: those that were submitted and are not over.
        for lead in leads {
            let record = world.record(lead).await;
            for attempt in &record.attempts {
                let named = pause.underway.iter().any(|underway| underway.lead == lead);
                match attempt.ledger {
                    Ledger::Reserved | Ledger::Withdrawn => assert!(!named, "round {round}"),
                    _ if attempt.ended.as_ref().is_some_and(|(at, _)| *at <= answered) => {}
                    _ => assert!(named || attempt.ledger == Ledger::Refused, "round {round}: {attempt:?}"),
                }
            }
        }
        raced += usize::from(!pause.underway.is_empty());
        // Whatever was reserved has been given up before the next round.
        until("reservations to be given up", async || {
            world.count("select count(*) from attempts where ledger = 'reserved'").await == 0
        })
        .await;
        let now = world.database_time().await;
        assert_eq!(submitted_between(&world, paused, now).await, 0, "round {round}");
    }
    let withdrawn = world.count("select count(*) from attempts where ledger = 'withdrawn'").await;
    println!("{raced} of {ROUNDS} pauses met calls under way, and {withdrawn} attempts were withdrawn");
    assert!(raced > 0 && withdrawn > 0, "the orders raced with dial jobs");
    let dialled = dialled(&world).await;
    until("what was committed to be dialled", async || {
        let accepted = world.carrier.totals().accepted;
        i64::try_from(accepted).expect("a count") == dialled
    })
    .await;
    world.order(campaign, Order::Resume).await;
    world.all_finished().await;
    assert_eq!(world.carrier.totals().accepted, u64::from(ROUNDS) * 8);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_account_is_disabled_nothing_is_submitted_until_it_is_enabled() {
    const ROUNDS: u32 = 40;
    let settings = Settings { poll_first_ms: 60_000, ask_cap_ms: 60_000, ..settings() };
    let mut world = World::with(Setup { settings, ..Setup::default() }).await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.draft(json!({})).await;
    let by = By { actor: "a test", reason: None };
    let switch = async |on| {
        let switched = setup::enable_account(&world.engine, world.client, world.account, on, by).await;
        assert!(switched.expect("switched"));
    };
    switch(false).await;
    world.order(campaign, Order::Start).await;
    // It has no workers: what it reserves is submitted by the others' dial jobs.
    let idle = world.another_engine().await;
    let mut aim = Aim::at(&world).await;
    for round in 0..ROUNDS {
        world.leads(campaign, &phones(round * 8, 8)).await;
        switch(true).await;
        if round % 2 == 0 {
            let _ = idle.admit(world.client).await;
        }
        aim.wait().await;
        switch(false).await;
        let answered = world.database_time().await;
        aim.learn(&world).await;
        until("reservations to be given up", async || {
            world.count("select count(*) from attempts where ledger = 'reserved'").await == 0
        })
        .await;
        let now = world.database_time().await;
        assert_eq!(submitted_between(&world, answered, now).await, 0, "round {round}");
    }
    let dialled = dialled(&world).await;
    assert!(dialled > 0 && dialled < i64::from(ROUNDS) * 8, "the orders raced with dial jobs: {dialled}");
    switch(true).await;
    world.all_finished().await;
    world.end().await;
}

/// As the one before, by what an agent heard in an earlier call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_agent_has_reported_a_wish_not_to_be_called_its_number_is_not_submitted() {
    let mut world = World::new().await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({})).await;
    let phones = phones(1, 60);
    let called = world.leads(campaign, &phones).await;
    world.all_finished().await;
    let mut answers = vec![];
    let mut aim = Aim::at(&world).await;
    for (lead, phone) in called.iter().zip(&phones) {
        let again = world.lead(campaign, phone).await;
        aim.wait().await;
        let attempt = AttemptRef { client: world.client, lead: *lead, number: AttemptNumber::FIRST };
        let wish = CallResults { do_not_call: Some(true), ..CallResults::default() };
        reports::result(&world.engine, DialKey(attempt), wish).await.expect("taken in");
        answers.push((again, world.database_time().await));
        aim.learn(&world).await;
    }
    world.all_finished().await;
    let (mut reached, mut spared) = (0, 0);
    for (lead, answered) in answers {
        let record = world.record(lead).await;
        let mut submitted = record.attempts.iter().filter_map(|attempt| attempt.submission);
        assert!(submitted.all(|submission| submission.at < answered), "{:?} {answered}", told(&record));
        match record.workflow.outcome {
            Some(Outcome::DoNotCall) => spared += 1,
            _ => reached += 1,
        }
    }
    assert!(reached > 0 && spared > 0, "the reports raced with dial jobs: {reached}, {spared}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_suppression_is_answered_its_number_is_not_submitted() {
    let mut world = World::new().await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({})).await;
    let mut answers = vec![];
    let mut aim = Aim::at(&world).await;
    for phone in phones(1, 120) {
        let lead = world.lead(campaign, &phone).await;
        aim.wait().await;
        let whose = Whose { client: world.client, campaign: None };
        let by = By { actor: "a test", reason: None };
        let phones = [phone.parse().expect("a number")];
        let added = suppressions::add(&world.engine, whose, &phones, "a wish", None, by).await;
        assert_eq!(added.expect("suppressed").added, 1);
        let suppressed: Moment = sqlx::query_scalar("select created_at from suppressions where phone = $1")
            .bind(&phone)
            .fetch_one(world.db.pool())
            .await
            .expect("it is there");
        answers.push((lead, suppressed));
        aim.learn(&world).await;
    }
    world.all_finished().await;
    let (mut called, mut spared) = (0, 0);
    for (lead, suppressed) in answers {
        let record = world.record(lead).await;
        let submitted = record.attempts.iter().filter_map(|attempt| attempt.submission);
        let submitted: Vec<Moment> = submitted.map(|submission| submission.at).collect();
        assert!(submitted.iter().all(|at| *at < suppressed), "{submitted:?} {suppressed}");
        match record.workflow.outcome {
            Some(Outcome::DoNotCall) => spared += 1,
            _ => called += 1,
        }
    }
    println!("{called} were called before, {spared} were spared");
    assert!(called > 0 && spared > 0, "the suppressions raced with dial jobs");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_leads_cancel_is_answered_it_is_not_submitted() {
    let mut world = World::new().await;
    world.work().await;
    world.work_elsewhere().await;
    let campaign = world.campaign(json!({})).await;
    let mut orders: Vec<(LeadId, Answer, Moment)> = vec![];
    let mut aim = Aim::at(&world).await;
    for phone in phones(1, 120) {
        let lead = world.lead(campaign, &phone).await;
        world.carrier.script(&phone, [Scenario::no_answer()]);
        aim.wait().await;
        let answer = world.command(lead, Command::Cancel).await;
        orders.push((lead, answer, world.database_time().await));
        aim.learn(&world).await;
    }
    world.all_finished().await;
    for (lead, answer, answered) in &orders {
        let record = world.record(*lead).await;
        let submitted = record.attempts.iter().filter_map(|attempt| attempt.submission);
        let submitted: Vec<Moment> = submitted.map(|submission| submission.at).collect();
        assert!(submitted.iter().all(|at| at < answered), "{submitted:?} {answered}");
        match answer {
            Answer::Done => assert!(submitted.is_empty(), "{:?}", told(&record)),
            Answer::Deferred => assert_eq!(submitted.len(), 1, "{:?}", told(&record)),
            other => panic!("{other:?}"),
        }
        assert_eq!(record.workflow.state, State::Finished);
    }
    let deferred = orders.iter().filter(|(_, answer, _)| *answer == Answer::Deferred).count();
    assert!(deferred > 0 && deferred < orders.len(), "the orders raced with dial jobs: {deferred}");
    world.end().await;
}
