//! The private Postgres: who starts it, who stops it, and what is left after a crash.
//!
//! As root these tests run the server as another user; as an ordinary user they run it as
//! themselves. Other processes are this program again, told what to do by [`as_another_process`].

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use outdial::postgres::{Embedded, Found, Lifetime, Options, PostgresError, Role, Search, look};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// The user `nobody`, as everywhere but on some BSDs.
const NOBODY: u32 = 65534;

#[tokio::test]
async fn a_server_starts_keeps_its_data_and_stops() {
    let dir = open_dir();
    let first = open(&dir.path().join("pg")).await;
    assert_eq!(first.role(), Role::Started);
    write(&first, "create table kept as select 7 as n").await;
    let server = pid_of(&first);
    first.close().await.expect("it stops");
    assert!(!lives(server));
    assert_eq!(look(&dir.path().join("pg")), Found::Stopped);

    let second = open(&dir.path().join("pg")).await;
    assert_eq!(second.role(), Role::Started);
    assert_eq!(read(second.url(), "select n from kept").await, 7);
    drop(second);
    assert_eq!(look(&dir.path().join("pg")), Found::Stopped, "a drop stops it too");
}

#[tokio::test]
async fn an_ordinary_user_runs_one_of_its_own() {
    if !geteuid().is_root() {
        return; // Then all the others show it.
    }
    let dir = open_dir();
    std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("we are root");
    let mut other = Other::run(&dir.path().join("pg"), "kept", Some(NOBODY));
    let data = fs::metadata(other.root.join("data")).expect("there is data");
    assert_eq!((other.role.as_str(), data.uid()), ("Started", NOBODY));
    other.close();
    assert!(!lives(other.server));
}

#[tokio::test]
async fn who_attaches_leaves_it_running_and_who_started_it_stops_it() {
    let dir = open_dir();
    let mut owner = Other::run(&dir.path().join("pg"), "kept", None);
    let guest = open(&dir.path().join("pg")).await;
    assert_eq!((guest.role(), pid_of(&guest)), (Role::Attached, owner.server));
    assert_eq!(read(guest.url(), "select 7").await, 7);
    let refused = guest.stop_immediate().await;
    assert!(matches!(refused, Err(PostgresError::NotOurs)), "{refused:?}");
    guest.close().await.expect("it leaves");
    let expected = Found::Running {
        pid: owner.server.as_raw_nonzero().get(),
        owner: i32::try_from(owner.process.id()).ok(),
    };
    assert_eq!(look(&dir.path().join("pg")), expected);
    owner.close();
    assert_eq!(look(&dir.path().join("pg")), Found::Stopped);
}

#[tokio::test]
async fn after_a_kill_9_of_its_owner_the_next_to_open_it_adopts_it() {
    let dir = open_dir();
    let mut owner = Other::run(&dir.path().join("pg"), "kept", None);
    owner.kill_9();
    let running = Found::Running { pid: owner.server.as_raw_nonzero().get(), owner: None };
    assert_eq!(look(&dir.path().join("pg")), running);
    let heir = open(&dir.path().join("pg")).await;
    assert_eq!((heir.role(), pid_of(&heir)), (Role::Adopted, owner.server));
    let guest = open(&dir.path().join("pg")).await;
    assert_eq!(guest.role(), Role::Attached);
    heir.close().await.expect("it stops");
    assert!(!lives(owner.server));
}

#[tokio::test]
async fn of_many_that_open_it_at_once_one_starts_it() {
    let dir = open_dir();
    let path = dir.path().join("pg");
    let mut others: Vec<Other> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| Other::run(&path, "kept", None))).collect();
        starts.into_iter().map(|start| start.join().expect("it opens")).collect()
    });
    let mut roles: Vec<&str> = others.iter().map(|other| other.role.as_str()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["Attached", "Attached", "Started"]);
    others.sort_by_key(|other| other.role == "Started");
    others.iter_mut().for_each(Other::close);
    assert_eq!(look(&path), Found::Stopped);
}

#[tokio::test]
async fn nothing_is_left_of_a_throwaway_however_its_process_ends() {
    let dir = open_dir();
    let mut closed = Other::run(dir.path(), "throwaway", None);
    assert!(closed.root.starts_with(dir.path().canonicalize().expect("it exists")));
    closed.close();
    assert!(!closed.root.exists() && !lives(closed.server), "at once when closed");

    let mut killed = Other::run(dir.path(), "throwaway", None);
    killed.kill_9();
    eventually("the directory is gone", || !killed.root.exists());
    eventually("the server is gone", || !lives(killed.server));

    // Killed while initdb runs.
    let mut early = Other::begin(dir.path(), "throwaway", None);
    let named = || fs::read_dir(dir.path()).expect("it exists").flatten().next();
    eventually("initdb runs", || named().is_some_and(|found| found.path().join("data.new").exists()));
    early.kill().expect("it is ours");
    early.wait().expect("it is ours");
    eventually("the directory is gone", || named().is_none());
}

#[tokio::test]
async fn a_crashed_server_starts_again_with_what_was_committed() {
    let dir = open_dir();
    let cluster = open_throwaway(dir.path()).await;
    let url = cluster.url().to_owned();
    write(&cluster, "create table kept as select 7 as n").await;
    cluster.restart_immediate().await.expect("it restarts");
    assert_eq!(read(&url, "select n from kept").await, 7);

    // The whole server killed, as the system does when memory runs out.
    kill_process(pid_of(&cluster), Signal::KILL).expect("it is ours to kill");
    eventually("it is down", || cluster.server_pid().is_none());
    cluster.start().await.expect("it starts");
    assert_eq!(read(&url, "select n from kept").await, 7);
    cluster.close().await.expect("it stops");
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_dead_server_is_not_taken_for_it() {
    let dir = open_dir();
    let path = dir.path().join("pg");
    open(&path).await.close().await.expect("it stops");
    let data = fs::metadata(path.join("data")).expect("there is data");
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    if geteuid().is_root() {
        sleep.uid(data.uid()).gid(data.gid());
    }
    let mut stranger = sleep.spawn().expect("it runs");
    let pid_file = format!("{}\n{}\n1\n5432\n\n\n\nready   \n", stranger.id(), path.join("data").display());
    fs::write(path.join("data/postmaster.pid"), pid_file).expect("we may write there");

    assert_eq!(look(&path), Found::Stopped);
    let cluster = open(&path).await;
    assert_eq!(cluster.role(), Role::Started);
    cluster.close().await.expect("it stops");
    assert_eq!(stranger.try_wait().expect("it is ours"), None, "it was left alone");
    stranger.kill().expect("it is ours");
    stranger.wait().expect("it is ours");
}

#[tokio::test]
async fn an_initdb_that_was_cut_short_is_begun_anew() {
    let dir = open_dir();
    let path = dir.path().join("pg");
    fs::create_dir_all(path.join("data.new/base")).expect("we may write there");
    let cluster = open(&path).await;
    assert_eq!(cluster.role(), Role::Started);
    assert!(!path.join("data.new").exists());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_will_do() {
    let dir = open_dir();
    let path = dir.path().join("long".repeat(30));
    let first = open(&path).await;
    let url = first.url().to_owned();
    first.close().await.expect("it stops");
    let second = open(&path).await;
    assert_eq!(second.url(), url, "the same directory elsewhere is used again");
    let elsewhere = fs::read_link(path.join("run")).expect("it is a link");
    second.close().await.expect("it stops");
    fs::remove_dir_all(elsewhere).expect("it is ours");
}

#[tokio::test]
async fn others_on_this_machine_are_kept_out() {
    let dir = open_dir();
    let cluster = open_throwaway(dir.path()).await;
    let mode = |name: &str| {
        let found = fs::metadata(cluster.data_dir().join(name)).expect("it exists");
        found.permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("password"), mode("run"), mode("data"), mode("server.log")),
        (0o600, 0o700, 0o700, 0o600)
    );
    let (before, rest) = cluster.url().split_once("outdial:").expect("a role and a password");
    let (_, after) = rest.split_once('@').expect("a host");
    let guessed = PgConnection::connect(&format!("{before}outdial:guess@{after}")).await;
    let code = guessed.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    assert_eq!(code.as_deref(), Some("28P01"), "even from who may reach the socket, a password is asked");
    let listens = read(cluster.url(), "select length(current_setting('listen_addresses'))").await;
    assert_eq!(listens, 0);
}

#[tokio::test]
async fn what_cannot_work_says_what_to_do() {
    let dir = open_dir();
    let mut options = kept(&dir.path().join("pg"));
    options.search.bin = Some("/nonexistent".into());
    let missing = Embedded::open(options).await.expect_err("there is no Postgres there");
    assert!(missing.to_string().contains("OUTDIAL_PG_BIN"), "{missing}");

    let path = dir.path().join("pg");
    fs::create_dir_all(path.join("data")).expect("we may write there");
    fs::write(path.join("data/PG_VERSION"), "14\n").expect("we may write there");
    let _ = fs::remove_file(path.join("password"));
    let orphaned = Embedded::open(kept(&path)).await.expect_err("its password is gone");
    assert!(matches!(orphaned, PostgresError::NoPassword { .. }), "{orphaned}");
    fs::write(path.join("password"), "secret").expect("we may write there");
    let other = Embedded::open(kept(&path)).await.expect_err("we have another version");
    assert!(matches!(other, PostgresError::OtherVersion { wanted: 14, .. }), "{other}");

    if geteuid().is_root() {
        let closed = TempDir::new().expect("a directory can be made");
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        let unreachable = Embedded::open(kept(&closed.path().join("pg"))).await;
        let unreachable = unreachable.expect_err("the server's user cannot enter");
        assert!(matches!(unreachable, PostgresError::OutOfReach { .. }), "{unreachable}");
        assert!(look(&closed.path().join("pg")) == Found::Nothing);
    }
}

/// Not a test: what this program does as another process. It opens the cluster that its
/// input names, says what it found, and closes it at the end of its input.
#[tokio::test]
#[ignore = "run by the others"]
async fn as_another_process() {
    let mut input = BufReader::new(std::io::stdin()).lines();
    let Some(Ok(line)) = input.next() else { return };
    let (lifetime, path) = line.split_once(' ').expect("a lifetime and a path");
    let options = if lifetime == "kept" { kept(path.as_ref()) } else { throwaway(path.as_ref()) };
    let cluster = Embedded::open(options).await.expect("it opens");
    let said = format!(
        "\nopened {:?} {} {}\n",
        cluster.role(),
        pid_of(&cluster).as_raw_nonzero(),
        cluster.data_dir().display()
    );
    std::io::stdout().write_all(said.as_bytes()).expect("someone listens");
    assert!(input.next().is_none());
    cluster.close().await.expect("it closes");
}

/// Another process that has opened a cluster.
struct Other {
    process: Child,
    input: Option<ChildStdin>,
    /// Read no further, but it must not fail to write.
    _output: BufReader<ChildStdout>,
    role: String,
    server: Pid,
    root: PathBuf,
}

impl Other {
    fn run(path: &Path, lifetime: &str, uid: Option<u32>) -> Self {
        let mut process = Self::begin(path, lifetime, uid);
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let said = output.by_ref().lines().map_while(Result::ok).find(|line| line.starts_with("opened "));
        let said = said.expect("the other process opens it");
        let [_, role, server, root] = said.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{said}") };
        let server = server.parse().ok().and_then(Pid::from_raw).expect("a process id");
        Self { process, input, _output: output, role: role.to_owned(), server, root: root.into() }
    }

    fn begin(path: &Path, lifetime: &str, uid: Option<u32>) -> Child {
        let mut program = std::env::current_exe().expect("we run from a file");
        if uid.is_some() {
            // A copy that the other user may run.
            let copy = path.with_extension("program");
            fs::copy(&program, &copy).expect("there is space");
            program = copy;
        }
        let mut command = Command::new(program);
        command.args(["--ignored", "--exact", "as_another_process", "--nocapture"]);
        if let Some(uid) = uid {
            command.uid(uid).gid(uid).current_dir("/");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let input = child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{lifetime} {}", path.display()).expect("it listens");
        child
    }

    fn close(&mut self) {
        self.input.take();
        assert!(self.process.wait().expect("it is ours").success());
    }

    fn kill_9(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it is ours");
    }
}

/// A directory that the server's user may enter, wherever the tests run as root.
fn open_dir() -> TempDir {
    let dir = TempDir::new().expect("a directory can be made");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    dir
}

fn kept(path: &Path) -> Options {
    options(Lifetime::Kept { data_dir: path.to_owned() })
}

fn throwaway(under: &Path) -> Options {
    options(Lifetime::Throwaway { under: under.to_owned(), durable: false })
}

fn options(lifetime: Lifetime) -> Options {
    let search = Search { path: std::env::var_os("PATH"), ..Search::default() };
    Options { lifetime, search, settings: Vec::new() }
}

async fn open(path: &Path) -> Embedded {
    Embedded::open(kept(path)).await.expect("it opens")
}

async fn open_throwaway(under: &Path) -> Embedded {
    Embedded::open(throwaway(under)).await.expect("it opens")
}

async fn write(cluster: &Embedded, statement: &'static str) {
    let mut connection = PgConnection::connect(cluster.url()).await.expect("it takes connections");
    sqlx::query(statement).execute(&mut connection).await.expect("it is written");
}

async fn read(url: &str, query: &'static str) -> i32 {
    let mut connection = PgConnection::connect(url).await.expect("it takes connections");
    sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("it is there")
}

fn pid_of(cluster: &Embedded) -> Pid {
    let pid = cluster.server_pid().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).expect("the server runs")
}

/// Whether it runs. One that has ended and was not waited for has no command line.
fn lives(pid: Pid) -> bool {
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
    match Path::new("/proc/self").exists() {
        true => arguments.is_ok_and(|arguments| !arguments.is_empty()),
        false => test_kill_process(pid).is_ok(),
    }
}

fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(15);
    while !happened() {
        assert!(Instant::now() < until, "not within 15 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
