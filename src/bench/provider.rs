//! The carrier of a bench: an emulator in a process of its own, or whatever is at an address.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use outdial_emulators::exotel as emulated;
use outdial_workflows::ids::{ClientId, DialKey};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use super::cpu;

/// From the dial to the answer, and from there to the end: the callback comes after both.
const RING_MS: u64 = 30;
const TALK_MS: u64 = 20;

/// How long the emulator may take to write out what it counted: every key is in it.
const EVIDENCE_WITHIN: Duration = Duration::from_secs(30);

/// A carrier that runs.
pub(super) struct Provider {
    pub(super) url: Url,
    http: reqwest::Client,
    child: Option<Child>,
}

/// What this needs of the emulator's evidence.
#[derive(Debug, Deserialize)]
struct Dials {
    keys: BTreeMap<String, emulated::KeyCount>,
}

/// What a carrier counted of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) dials: u64,
    pub(super) per_key_max: u32,
}

impl Provider {
    /// Starts this very program as the emulator. It ends when we do, in whatever way, because its
    /// standard input ends then.
    pub(super) async fn start(events: bool, http: reqwest::Client) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["emulator", "--port", "0", "--until-input-ends", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // Ctrl-C is for us, who then end it.
            .kill_on_drop(true)
            .spawn()
            .context("the emulator could not be started")?;
        let output = child.stdout.take().context("the emulator has no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.context("the emulator ended before it said where it is")?;
        let said: serde_json::Value = serde_json::from_str(&line)?;
        let url = said["base_url"].as_str().context("the emulator did not say where it is")?.parse()?;
        let provider = Self { url, http, child: Some(child) };
        provider.configure(events).await?;
        Ok(provider)
    }

    /// A carrier that somebody else runs.
    pub(super) fn at(url: Url, http: reqwest::Client) -> Self {
        Self { url, http, child: None }
    }

    /// Everybody answers, and hangs up soon.
    async fn configure(&self, events: bool) -> anyhow::Result<()> {
        let answered = json!({ "outcome": { "answered": { "talk_ms": TALK_MS } }, "ring_ms": RING_MS });
        let config = json!({
            "speed": 1.0,
            "fallback": { "always": answered },
            "callbacks": { "events_in_bot_modes": events },
        });
        let request = self.http.patch(self.url.join("_emulator/config")?).json(&config);
        request.send().await?.error_for_status().context("the emulator refused its settings")?;
        Ok(())
    }

    /// What it counted of this client's dials; `None` if it is no emulator of ours.
    pub(super) async fn counted(&self, client: ClientId) -> Option<Counted> {
        let url = self.url.join("_emulator/dials").ok()?;
        let answer =
            self.http.get(url).timeout(EVIDENCE_WITHIN).send().await.ok()?.error_for_status().ok()?;
        let Dials { keys } = answer.json().await.ok()?;
        let ours = |key: &str| key.parse().is_ok_and(|DialKey(attempt)| attempt.client == client);
        let accepted: Vec<u32> =
            keys.iter().filter(|(key, _)| ours(key)).map(|(_, count)| count.accepted).collect();
        Some(Counted {
            dials: accepted.iter().copied().map(u64::from).sum(),
            per_key_max: accepted.into_iter().max().unwrap_or_default(),
        })
    }

    /// Seconds of processor time it has used, if it is ours.
    pub(super) fn cpu_s(&self) -> Option<f64> {
        cpu::tree_s(i32::try_from(self.child.as_ref()?.id()?).ok()?)
    }

    /// Ends it, if it is ours.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
                child.kill().await?;
            }
        }
        Ok(())
    }
}
