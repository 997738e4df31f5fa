//! A database that is restored from a copy, and one that a newer version has brought further.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use outdial::postgres::{Search, find_installation};
use outdial_workflows::ids::{AttemptRef, DialKey};

use super::cluster::TestDb;
use super::process::Process;
use super::world::{World, eventually, well_behaved};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn after_a_restore_nobody_is_dialled_until_carriers_were_asked_and_nobody_twice_then() {
    let database = TestDb::new().await;
    let mut world = World::new(database.url(), 8).await;
    world.add_leads(well_behaved(120)).await;
    world.start().await;
    let worker = world.worker(&[]);
    world.finished_more_than(15).await;
    let copy = world.dump();
    // What is dialled from here on is lost with the machine.
    let at_copy = world.finished().await;
    world.finished_more_than(at_copy + 15).await;
    worker.kill_9();
    world.carrier_is_idle().await;
    let rung = world.rung();

    let restored = TestDb::empty().await;
    restore(&copy, restored.url());
    world.moves_to(restored.url()).await;
    let worker = world.worker(&[]);
    world.is_paused_by_itself().await;
    // It works: what was under way as the copy was made is asked about, and comes to its end.
    world.nothing_is_live().await;
    assert_eq!(world.rung(), rung, "nobody is dialled");

    // The numbers that the carrier lists and the copy does not know stay out of it for a day.
    let lost = world.unknown_to_us().await;
    assert!(lost.len() >= 10, "calls were lost: {}", lost.len());
    let list: String = lost.iter().map(|number| format!("{number}\n")).collect();
    let file = world.next_log();
    std::fs::write(&file, list).expect("it can be written");
    let file = file.display().to_string();
    world.run(&["suppression", "import", &file, "--client", "Crash", "--until", "1day"]).await;
    world.run(&["client", "resume", "Crash", "--reason", "the carrier was asked"]).await;
    world.finished_all_but(lost.len()).await;

    let now = world.rung();
    assert!(now.values().sum::<u32>() > rung.values().sum::<u32>(), "the others are called");
    for number in &lost {
        assert_eq!(now.get(number), rung.get(number), "{number} was called before, and is not again");
    }
    assert!(world.carrier.dials().keys_rung_twice().is_empty());
    worker.stop().await;

    // It was resumed for good: the next process finds the database where it was.
    let worker = world.worker(&[]);
    world.has_a_process().await;
    assert_eq!(world.paused_by().await, None, "nobody is paused again");
    worker.stop().await;
}

#[tokio::test]
async fn a_process_whose_database_becomes_another_dials_nobody_and_ends() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 8).await;
    world.add_leads(well_behaved(200)).await;
    world.start().await;
    let mut worker = world.worker(&[]);
    world.finished_more_than(5).await;
    // Behind the address that it knows there is a copy all of a sudden, as after a replica has taken over.
    let copy = world.dump();
    database.replace_with_empty().await;
    restore(&copy, database.url());
    let ended = worker.end(Duration::from_secs(60)).await;
    assert!(!ended.value.success(), "whatever keeps it running is told to start it again");
    let worker = world.worker(&[]);
    world.is_paused_by_itself().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_process_of_the_version_before_works_on_the_schema_of_the_next() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 8).await;
    world.add_leads(well_behaved(60)).await;
    world.start().await;
    let old = world.worker(&[]);
    world.finished_more_than(5).await;
    // What a migration may do while older processes run: add, and never take away.
    database
        .carry_out(
            "alter table workflows add column of_the_next_version int;
             alter type ledger add value 'of_the_next_version';
             insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (99991231000000, 'of the next version', true, '', 0)",
        )
        .await;
    let before = world.finished().await;
    world.finished_more_than(before + 5).await;
    // One that falls over meanwhile comes back.
    old.kill_9();
    let back = world.worker(&[]);
    world.all_finished(Duration::from_secs(60)).await;
    world.assert_promises_kept().await;
    back.stop().await;
}

/// How often each number was rung.
type Rung = BTreeMap<String, u32>;

impl World {
    /// A copy of the database, as it is now.
    fn dump(&self) -> PathBuf {
        let copy = self.next_log().with_extension("dump");
        let (from, to) = (format!("--dbname={}", self.database), format!("--file={}", copy.display()));
        postgres("pg_dump", &["--format=custom", &from, &to]);
        copy
    }

    fn rung(&self) -> Rung {
        let numbers = self.carrier.dials().numbers.into_iter();
        numbers
            .map(|(number, count)| (number, count.accepted))
            .filter(|(_, accepted)| *accepted > 0)
            .collect()
    }

    async fn carrier_is_idle(&self) {
        let idle = eventually(PATIENCE, async || (self.carrier.dials().totals.live == 0).then_some(())).await;
        idle.expect("every call ends");
    }

    async fn count(&self, query: &'static str) -> Option<i64> {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.ok()
    }

    async fn nothing_is_live(&self) {
        let live = "select count(*) from attempts where live";
        let none = eventually(PATIENCE, async || (self.count(live).await? == 0).then_some(())).await;
        none.expect("what was under way comes to its end");
    }

    async fn has_a_process(&self) {
        let there = "select count(*) from nodes";
        let some = eventually(PATIENCE, async || (self.count(there).await? > 0).then_some(())).await;
        some.expect("a process says that it is there");
    }

    async fn paused_by(&self) -> Option<String> {
        let paused = sqlx::query_scalar("select paused_by from clients").fetch_one(&self.pool).await;
        paused.expect("there is one client")
    }

    async fn is_paused_by_itself(&self) {
        let paused = eventually(PATIENCE, async || {
            let asked = sqlx::query_scalar("select paused_by from clients").fetch_one(&self.pool).await;
            let by: Option<String> = asked.ok()?;
            (by.as_deref() == Some("outdial")).then_some(())
        });
        paused.await.expect("the client is paused");
    }

    /// The numbers that were rung under a key that the database does not know.
    async fn unknown_to_us(&self) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for record in self.records().await {
            known.extend(record.attempts.iter().map(|attempt| (record.lead, attempt.number)));
        }
        let dials = self.carrier.dials().timeline.into_iter();
        let lost = dials.filter(|dial| {
            let key = dial.key.as_deref().expect("the carrier is given keys of ours");
            let DialKey(AttemptRef { lead, number, .. }) = key.parse().expect("a key");
            !known.contains(&(lead, number))
        });
        lost.map(|dial| dial.number).collect()
    }

    /// A command, as people give it.
    async fn run(&self, command: &[&str]) {
        let database = ["--database-url", &self.database, "--encryption-key", &self.key];
        let words = command.iter().chain(&database).map(|&word| word.to_owned());
        let mut process = Process::start(words, &[], self.next_log());
        let ended = process.end(PATIENCE).await.value;
        assert!(ended.success(), "{command:?}: {}", process.said());
    }

    /// Waits until all leads but these are finished.
    async fn finished_all_but(&self, few: usize) {
        let open = "select count(*) from workflows where state <> 'finished'";
        let few = i64::try_from(few).expect("few");
        let done = eventually(PATIENCE, async || (self.count(open).await? <= few).then_some(())).await;
        assert!(done.is_some(), "{:?} are not finished instead of {few}", self.count(open).await);
    }
}

fn restore(copy: &std::path::Path, to: &str) {
    postgres("pg_restore", &["--exit-on-error", &format!("--dbname={to}"), &copy.display().to_string()]);
}

fn postgres(program: &str, arguments: &[&str]) {
    let search = Search { path: std::env::var_os("PATH"), ..Search::default() };
    let beside = find_installation(&search, None).expect("Postgres is installed").bin.join(program);
    // What Debian has on the path stands for the installation; the programs may be elsewhere.
    let program = if beside.is_file() { beside } else { program.into() };
    let done = Command::new(&program).args(arguments).output().expect("it can be run");
    assert!(done.status.success(), "{program:?}: {}", String::from_utf8_lossy(&done.stderr));
}
