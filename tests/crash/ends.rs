//! Processes that are told to stop, and those that must not start.

use std::path::Path;
use std::time::{Duration, Instant};

use outdial_jobs::seal::SealKey;
use outdial_workflows::Moment;
use outdial_workflows::history::Event;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::cluster::TestDb;
use super::process::{Process, free_port, ready};
use super::world::{World, eventually, well_behaved};

#[tokio::test]
async fn a_worker_told_to_stop_finishes_or_hands_back_and_the_next_one_goes_on() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 40).await;
    world.add_leads(well_behaved(200)).await;
    world.start().await;
    let mut worker = world.worker(&[]);
    for n in 1..=3 {
        world.finished_more_than(world.finished().await + 5).await;
        worker.signal(Signal::TERM);
        let stopped = worker.end(Duration::from_secs(25)).await;
        assert_eq!(stopped.value.code(), Some(0), "{}", worker.said());
        let leased: i64 = sqlx::query_scalar("select count(*) from jobs where lease_until > now()")
            .fetch_one(&world.pool)
            .await
            .expect("it can be read");
        let before = world.finished().await;
        worker = world.worker(&[]);
        let took = world.finished_more_than(before).await;
        println!(
            "stop {n}: it took {:.1?}, {leased} jobs stayed leased; the next outcome {took:.1?} after the restart",
            stopped.took
        );
        assert_eq!(leased, 0, "what it does not finish it hands back");
    }
    world.all_finished(Duration::from_secs(60)).await;
    world.assert_promises_kept().await;
    let unknown = world.count_events(|event| matches!(event, Event::BecameUnknown { .. })).await;
    assert_eq!(unknown, 0, "a drain waits for the answers to what was sent");
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_told_to_stop_dials_nobody_more_although_a_request_hangs() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 10).await;
    world.add_leads(well_behaved(400)).await;
    world.start().await;
    let mut worker = world.worker(&[]);
    world.finished_more_than(2).await;
    let mut hanging = TcpStream::connect(("127.0.0.1", world.port())).await.expect("it listens");
    let begun = b"POST /webhooks/exotel/a/b HTTP/1.1\r\nHost: us\r\nContent-Length: 9\r\n\r\nCall";
    hanging.write_all(begun).await.expect("it takes requests");
    world.finished_more_than(world.finished().await).await;
    worker.signal(Signal::TERM);
    let told = sqlx::query_scalar("select clock_timestamp()").fetch_one(&world.pool).await;
    let told: Moment = told.expect("it knows the time");
    let stopped = worker.end(Duration::from_secs(25)).await;
    assert_eq!(stopped.value.code(), Some(0), "{}", worker.said());
    let submitted: Vec<f64> = world
        .records()
        .await
        .iter()
        .flat_map(|record| &record.attempts)
        .filter_map(|attempt| attempt.submission.map(|submission| submission.at - told))
        .map(|late| late.as_seconds_f64())
        .filter(|late| *late > 0.5)
        .collect();
    println!("stop with a request that hangs: it took {:.1?}", stopped.took);
    assert!(submitted.is_empty(), "dialled so many seconds after it was told to stop: {submitted:?}");
}

#[tokio::test]
async fn a_process_with_another_key_says_so_and_does_not_start() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 1).await;
    let listen = format!("127.0.0.1:{}", free_port());
    let key = SealKey::generate();
    let arguments =
        ["serve", "--listen", &listen, "--database-url", database.url(), "--encryption-key", &key];
    let mut stranger = Process::start(arguments.map(str::to_owned), &[], world.next_log());
    let status = stranger.end(Duration::from_secs(20)).await.value;
    assert_eq!(status.code(), Some(1));
    let said = stranger.said();
    assert!(said.contains("was set up with the encryption key"), "{said}");
    assert!(said.contains("OUTDIAL_ENCRYPTION_KEY"), "it says what to do: {said}");
    assert!(!said.contains(key.trim()), "it does not print the key");
}

#[tokio::test]
async fn a_process_starts_although_this_month_has_no_partition_and_can_get_none() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 1).await;
    let months = "select inhrelid::regclass::text from pg_inherits
        where inhparent = 'workflow_events'::regclass and inhrelid <> 'workflow_events_default'::regclass";
    let months: Vec<String> =
        sqlx::query_scalar(months).fetch_all(&world.pool).await.expect("they are listed");
    for month in months {
        let drop = sqlx::query(sqlx::AssertSqlSafe(format!("drop table {month}"))).execute(&world.pool);
        drop.await.expect("it is dropped");
    }
    world.add_leads(well_behaved(1)).await;
    let worker = world.worker(&[]);
    ready(world.port()).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_while_it_starts_ends_in_peace() {
    let database = TestDb::new().await;
    let world = World::new(database.url(), 1).await;
    let worker = world.worker(&[]);
    let listens = eventually(Duration::from_secs(20), async || {
        TcpStream::connect(("127.0.0.1", world.port())).await.ok()
    });
    assert!(listens.await.is_some(), "it listens within 20 s:\n{}", worker.said());
    worker.stop().await;
}

#[tokio::test]
async fn a_demo_that_is_interrupted_at_work_leaves_nothing_behind() {
    interrupted_demo(6).await;
}

#[tokio::test]
async fn a_demo_that_is_interrupted_while_it_starts_leaves_nothing_behind() {
    interrupted_demo(0).await;
}

/// Interrupts a demo once its server has so many sessions.
async fn interrupted_demo(sessions: usize) {
    let dir = TempDir::new().expect("a directory can be made");
    // The server may run as another user, who has to come in.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("it is ours");
    let temp = dir.path().join("temp");
    std::fs::create_dir(&temp).expect("it can be made");
    let arguments = ["demo", "--leads", "200"].map(str::to_owned);
    let mut demo = Process::start(arguments, &[("TMPDIR", &temp)], dir.path().join("demo.log"));
    let at_work = eventually(Duration::from_secs(40), async || {
        let server = servers(&temp).into_iter().next()?;
        (sessions_of(server) >= sessions).then_some(())
    });
    assert!(at_work.await.is_some(), "it is at work within 40 s:\n{}", demo.said());
    let began = Instant::now();
    demo.signal(Signal::INT);
    let status = demo.end(Duration::from_secs(30)).await.value;
    let ended = began.elapsed();
    let gone = eventually(Duration::from_secs(20), async || {
        let files = std::fs::read_dir(&temp).map_or(0, Iterator::count);
        (files == 0 && naming(&temp).is_empty() && in_group(demo.id()).is_empty()).then_some(())
    });
    let left = || {
        let files: Vec<_> = std::fs::read_dir(&temp).into_iter().flatten().flatten().collect();
        format!("{files:?} {:?} {:?}\n{}", naming(&temp), in_group(demo.id()), demo.said())
    };
    let gone = gone.await.unwrap_or_else(|| panic!("something is left: {}", left())).took;
    println!("interrupted demo: {status} after {ended:.1?}, all traces gone {gone:.1?} later");
}

/// Running processes, each with its command line.
fn processes() -> impl Iterator<Item = (i32, String)> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let arguments = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&arguments).replace('\0', " ")))
    })
}

fn naming(dir: &Path) -> Vec<(i32, String)> {
    let dir = dir.to_str().expect("it is text");
    processes().filter(|(_, arguments)| arguments.contains(dir)).collect()
}

/// The servers whose data is in `dir`.
fn servers(dir: &Path) -> Vec<i32> {
    let naming = naming(dir).into_iter();
    naming
        .filter(|(_, arguments)| arguments.split(' ').next().is_some_and(|name| name.ends_with("postgres")))
        .map(|(pid, _)| pid)
        .collect()
}

/// The parent and the process group of a process.
fn kin(pid: i32) -> Option<(i32, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn sessions_of(server: i32) -> usize {
    let of_server = |pid| kin(pid).is_some_and(|(parent, _)| parent == server);
    processes().filter(|(pid, title)| title.starts_with("postgres: outdial ") && of_server(*pid)).count()
}

fn in_group(group: Pid) -> Vec<(i32, String)> {
    let group = group.as_raw_nonzero().get();
    processes().filter(|(pid, _)| kin(*pid).is_some_and(|(_, of)| of == group)).collect()
}
