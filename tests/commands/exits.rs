//! What the program's exit codes say, and its completions.

use std::process::Stdio;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::alone::Alone;
use super::support::world::World;

/// A database where none is.
const NOWHERE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
/// A key, obviously no real one.
const KEY: (&str, &str) =
    ("OUTDIAL_ENCRYPTION_KEY", "0000000000000000000000000000000000000000000000000000000000000000");

#[tokio::test]
async fn what_is_refused_exits_with_1_and_what_is_not_there_with_3() {
    let world = World::new().await;
    let exits = async |arguments: &[&str]| {
        let (said, code) = world.says(arguments).await;
        assert_eq!(said["error"].is_string(), code != Some(0), "{arguments:?}: {said}");
        code
    };
    let client = world.client.to_string();
    assert_eq!(exits(&["client", "create", "Acme Homes"]).await, Some(0));
    assert_eq!(exits(&["client", "create", "Acme Homes"]).await, Some(1), "there is one already");
    for arguments in [
        ["campaign", "status", "Nobody's"].as_slice(),
        &["campaign", "create", "Spring", "--account", "Nobody's"],
        &["account", "test", "Nobody's"],
        &["client", "pause", "Nobody's"],
        &["lead", "explain", "0199f000-0000-7000-8000-000000000000"],
        &["key", "list", "--client", "Nobody's"],
    ] {
        assert_eq!(exits(arguments).await, Some(3), "{arguments:?}");
    }
    for arguments in [
        ["client", "limit", &client].as_slice(),
        &["client", "pause", &client, "--until", "whenever"],
        &["account", "add", "second", "--client", &client],
    ] {
        assert_eq!(exits(arguments).await, Some(2), "{arguments:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn wrong_usage_exits_with_2_before_anything_is_looked_at() {
    let here = Alone::new();
    for arguments in [
        ["campaign"].as_slice(),
        &["campaign", "begin"],
        &["leads", "cancel"],
        &["doctor", "--loudly"],
        &["serve", "--listen", "here"],
        &["campaign", "create", "Spring", "--account", "a", "--zone", "Asia/Bangalore"],
        &["completions", "tcsh"],
        &["--config", "missing.toml", "client", "list"],
    ] {
        let said = here.says(&[NOWHERE, KEY], arguments).await;
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
    }
    let said = here.says(&[NOWHERE], &["client", "list"]).await;
    assert_eq!(said.code, Some(2), "there is no key for the database: {said:?}");
    let said = here.says(&[("DATABASE_URL", "nonsense"), KEY], &["client", "list"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[tokio::test]
async fn a_database_that_is_away_exits_with_4_whatever_was_asked() {
    let here = Alone::new();
    let asked: [&[&str]; 4] =
        [&["client", "list"], &["judge"], &["migrate"], &["serve", "--listen", "127.0.0.1:0"]];
    // Together, as each is patient with a database that may be about to come.
    for said in join_all(asked.map(|arguments| here.says(&[NOWHERE, KEY], arguments))).await {
        assert_eq!(said.code, Some(4), "{said:?}");
    }
    let said =
        here.says(&[("OUTDIAL_PG_BIN", "/nowhere"), ("OUTDIAL_DATA_DIR", "data")], &["client", "list"]).await;
    assert_eq!(said.code, Some(4), "no private Postgres can be had: {said:?}");
    let world = World::new().await;
    let other = world.db.url().replace("/test_", "/no_such_");
    let (said, code) = world.says(&["client", "list", "--database-url", &other]).await;
    assert_eq!(code, Some(4), "there is no such database: {said}");
    world.end().await;
}

#[tokio::test]
async fn help_says_what_the_codes_mean() {
    let said = Alone::new().says(&[], &["--help"]).await;
    assert_eq!(said.code, Some(0));
    assert!(said.out.contains(outdial::cli::EXIT_CODES), "{said:?}");
}

#[tokio::test]
async fn each_shell_gets_a_script_that_knows_the_commands() {
    let here = Alone::new();
    here.write("outdial.toml", "[wrong]\n");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = here.says(&[], &["completions", shell]).await;
        assert_eq!(said.code, Some(0), "{shell}: {said:?}");
        for name in ["campaign", "simulate", "public-url"] {
            assert!(said.out.contains(name), "{shell} knows no {name}");
        }
        let told: Value = here.says(&[], &["completions", shell, "--json"]).await.json();
        assert_eq!(told["shell"], shell);
    }
}

#[tokio::test]
async fn bash_takes_its_script() {
    let here = Alone::new();
    let script = here.says(&[], &["completions", "bash"]).await.out;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("there is bash");
    let mut input = bash.stdin.take().expect("it is piped");
    input.write_all(script.as_bytes()).await.expect("it reads");
    drop(input);
    assert!(bash.wait().await.expect("it ends").success());
}
