//! The bench measures the real thing: a small run, in processes of its own.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

/// No run here takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn outdial(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
    command.args(arguments).env_remove("DATABASE_URL").kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_small_run_dials_everybody_once_and_says_what_it_cost() {
    let leads = ["--leads", "50", "--concurrency", "8", "--backlog", "20"];
    let mut command = outdial(&[&["bench", "lead-runs", "--json"], leads.as_slice()].concat());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    for (place, expected) in [
        ("/leads", 50),
        ("/backlog", 20),
        ("/finished", 50),
        ("/by_outcome/successful", 50),
        ("/dials", 50),
        ("/dials_per_key_max", 1),
        ("/webhook_to_outcome/count", 50),
        ("/slot_to_dial/count", 42),
    ] {
        assert_eq!(report.pointer(place).and_then(Value::as_u64), Some(expected), "{place} of {report}");
    }
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(report["postgres"][setting], "on", "{setting}: nothing is switched off");
    }
    let positive = ["/leads_per_s", "/submits_per_s", "/wal_bytes_per_1000_leads", "/job_pickup/count"];
    for place in positive {
        let value = report.pointer(place).and_then(Value::as_f64);
        assert!(value.is_some_and(|value| value > 0.0), "{place} of {report}");
    }
}

/// As many workflows as there are plans for that differ from those of millions, and few enough for a minute of CI.
#[tokio::test]
async fn no_page_and_no_list_reads_a_large_table_whole() {
    let sizes = ["--workflows", "300000", "--rounds", "1"];
    let mut command = outdial(&[&["bench", "pages", "--json"], sizes.as_slice()].concat());
    let output =
        tokio::time::timeout(PATIENCE * 3, command.output()).await.expect("in time").expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let report = said.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let report = report.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    // How soon pages come is for a machine that does nothing else; whatever the machine, its plans are these.
    assert_eq!(report["whole_reads"], serde_json::json!([]), "{report}");
    for (place, least) in [
        ("/explained", 300),
        ("/rows/workflows", 300_000),
        ("/rows/leads", 300_000),
        ("/rows/workflow_events", 800_000),
        ("/rows/attempts", 100_000),
        ("/rows/jobs", 30_000),
    ] {
        let counted = report.pointer(place).and_then(Value::as_u64);
        assert!(counted >= Some(least), "{place} of {report}");
    }
}

#[tokio::test]
async fn an_emulator_that_was_started_by_a_program_ends_with_it() {
    let mut command = outdial(&["emulator", "--port", "0", "--until-input-ends", "--json"]);
    let mut emulator = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let output = emulator.stdout.take().expect("it is piped");
    let line = BufReader::new(output).lines().next_line().await.expect("it can be read").expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert!(said["base_url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{said}");
    assert!(emulator.try_wait().expect("it is ours").is_none(), "it serves until then");
    drop(emulator.stdin.take());
    let ended = tokio::time::timeout(PATIENCE, emulator.wait()).await.expect("in time").expect("it is ours");
    assert!(ended.success());
}

#[tokio::test]
async fn the_services_that_conversations_need_are_emulated_too() {
    for name in ["deepgram", "openai", "elevenlabs"] {
        let mut command =
            outdial(&["emulator", "--provider", name, "--port", "0", "--until-input-ends", "--json"]);
        let mut emulator = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = emulator.stdout.take().expect("it is piped");
        let line = BufReader::new(output).lines().next_line().await.expect("it can be read").expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        assert!(said["key"].as_str().is_some_and(|key| !key.is_empty()), "{said}");
        let address = said["base_url"].as_str().expect("an address").strip_prefix("http://").expect("plain");
        assert_eq!(said["socket_url"], format!("ws://{address}"));
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        let request =
            format!("GET /_emulator/health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.ends_with(&format!("{{\"emulates\":\"{name}\"}}")), "{answer}");
        drop(emulator.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, emulator.wait()).await.expect("in time");
        assert!(ended.expect("it is ours").success());
    }
}
