//! Carriers that are played on this machine, and accounts with them: for the demo, `outdial emulator` and tests.

pub mod services;

use std::time::Duration;

use outdial_emulators::carrier::{Dials, Emulator, Protocol, Quirk};
use outdial_emulators::media::{Caller, Conversation};
use outdial_emulators::{exotel, livekit, retell, telnyx};
use outdial_jobs::operations::setup::AccountSpec;
use outdial_jobs::providers::Provider;
use outdial_workflows::limits::Limit;
use serde_json::{Value, json};
use url::Url;

/// What a played carrier is like. What this leaves open is as the emulator has it by itself.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// How many of its seconds pass in one of ours.
    pub speed: f64,
}

/// A carrier that is played.
pub enum Played {
    /// Exotel.
    Exotel(exotel::Exotel),
    /// Retell.
    Retell(retell::Retell),
    /// Telnyx.
    Telnyx(telnyx::Telnyx),
    /// LiveKit.
    LiveKit(livekit::LiveKit),
}

/// The same for each, whichever it is.
macro_rules! each {
    ($played:expr, $emulator:ident => $do:expr) => {
        match $played {
            Played::Exotel($emulator) => $do,
            Played::Retell($emulator) => $do,
            Played::Telnyx($emulator) => $do,
            Played::LiveKit($emulator) => $do,
        }
    };
}

/// The number that calls come from, which each carrier's account owns.
const NUMBER: &str = "+14155550100";
/// The flow that answers, built at the emulated Exotel.
const FLOW: &str = "1001";
/// The agent that talks, at the carriers whose side runs one.
const AGENT: &str = "agent_example";
/// The connection that the emulated Telnyx has by itself.
const CONNECTION: &str = "1494404757140276705";

/// How Retell's seconds count for its window of repeated requests: it is an hour of ours, however fast the phones.
const HOUR_MS: f64 = 3_600_000.0;

impl Played {
    /// Starts one: every number behaves in its own way, the same on every run, and nobody's budget runs out.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(provider: Provider, manner: Manner) -> anyhow::Result<Self> {
        let Manner { port, speed } = manner;
        let usual = json!({ "port": port, "speed": speed, "fallback": "mix" });
        Ok(match provider {
            Provider::Exotel => {
                let own = json!({ "limits": { "calls_per_minute": null } });
                Self::Exotel(started(usual, own).await?)
            }
            Provider::Retell => {
                let own = json!({
                    "from_numbers": [NUMBER],
                    "agents": { AGENT: {} },
                    "limits": { "base_concurrency": 100_000 },
                    "idempotency": { "window_ms": whole(HOUR_MS * speed) },
                });
                Self::Retell(started(usual, own).await?)
            }
            Provider::Telnyx => {
                let own = json!({
                    "limits": { "dials_per_5_s": null },
                    // Our key stands there in the addresses of TeXML callbacks.
                    "texml": { "key": { "segment": 4 } },
                });
                Self::Telnyx(started(usual, own).await?)
            }
            Provider::LiveKit => Self::LiveKit(started(usual, json!({ "agents": [AGENT] })).await?),
        })
    }

    /// Which carrier it is.
    pub fn provider(&self) -> Provider {
        match self {
            Self::Exotel(_) => Provider::Exotel,
            Self::Retell(_) => Provider::Retell,
            Self::Telnyx(_) => Provider::Telnyx,
            Self::LiveKit(_) => Provider::LiveKit,
        }
    }

    /// Where it is reached.
    pub fn base_url(&self) -> &str {
        each!(self, emulator => emulator.base_url())
    }

    /// What it counted.
    pub fn dials(&self) -> Dials {
        each!(self, emulator => emulator.dials())
    }

    /// Ends it.
    pub async fn stop(self) {
        each!(self, emulator => emulator.stop().await);
    }

    /// Has it send the account's webhooks there, where that is set with the carrier beforehand.
    ///
    /// # Errors
    /// If that is no address.
    pub fn send_webhooks_to(&self, address: &Url) -> anyhow::Result<()> {
        if let Self::LiveKit(emulator) = self {
            let mut config = emulator.config();
            config.webhooks.urls = vec![address.to_string()];
            emulator.configure(config)?;
        }
        Ok(())
    }

    /// Leaves four people of the shipped list unreached, however often they are tried.
    pub fn leave_unreached(&self) {
        macro_rules! script {
            ($emulator:expr, $scenario:ty) => {
                for (number, how) in [
                    ("+911000000006", <$scenario>::no_answer()),
                    ("+911000000011", <$scenario>::busy()),
                    ("+15125550105", <$scenario>::no_answer()),
                    ("+12065550108", <$scenario>::failed()),
                ] {
                    $emulator.script(number, [how]);
                }
            };
        }
        match self {
            Self::Exotel(emulator) => script!(emulator, exotel::Scenario),
            Self::Retell(emulator) => script!(emulator, retell::Scenario),
            Self::Telnyx(emulator) => script!(emulator, telnyx::Scenario),
            Self::LiveKit(emulator) => script!(emulator, livekit::Scenario),
        }
    }

    /// Has a number's first call be answered and talk for so long, or ring in vain, while this goes wrong about it.
    pub fn script_first(&self, number: &str, talk: Option<Duration>, quirks: &[Quirk]) {
        macro_rules! script {
            ($emulator:expr, $scenario:ty) => {{
                let call = talk.map_or_else(<$scenario>::no_answer, <$scenario>::answered);
                let told = quirks.iter().cloned().fold(call, |told, quirk| told.with(quirk));
                $emulator.script(number, [told]);
            }};
        }
        match self {
            Self::Exotel(emulator) => script!(emulator, exotel::Scenario),
            Self::Retell(emulator) => script!(emulator, retell::Scenario),
            Self::Telnyx(emulator) => script!(emulator, telnyx::Scenario),
            Self::LiveKit(emulator) => script!(emulator, livekit::Scenario),
        }
    }

    /// Has a number answered by somebody who talks, of the carriers whose calls an agent of ours holds. False of the
    /// others.
    pub fn script_talk(&self, number: &str, caller: Caller, ringing: Duration) -> bool {
        const LONGEST: Duration = Duration::from_secs(3_600);
        match self {
            Self::Exotel(emulator) => {
                let answered = exotel::Scenario::answered(LONGEST).with_caller(caller);
                emulator.script(number, [answered.ringing_for(ringing)]);
            }
            Self::Telnyx(emulator) => {
                let answered = telnyx::Scenario::answered(LONGEST).with_caller(caller);
                emulator.script(number, [answered.ringing_for(ringing)]);
            }
            Self::Retell(_) | Self::LiveKit(_) => return false,
        }
        true
    }

    /// What was said and heard in each call whose stream has ended, of the carriers that stream to us.
    pub fn conversations(&self) -> Vec<Conversation> {
        match self {
            Self::Exotel(emulator) => {
                emulator.calls().into_iter().filter_map(|call| Some(call.stream?.conversation)).collect()
            }
            Self::Telnyx(emulator) => {
                emulator.calls().into_iter().filter_map(|call| Some(call.stream?.conversation)).collect()
            }
            Self::Retell(_) | Self::LiveKit(_) => vec![],
        }
    }

    /// How many calls are answered and not over.
    pub fn talking(&self) -> usize {
        macro_rules! talking {
            ($emulator:expr) => {
                $emulator
                    .calls()
                    .iter()
                    .filter(|call| call.answered_at.is_some() && call.ended_at.is_none())
                    .count()
            };
        }
        match self {
            Self::Exotel(emulator) => talking!(emulator),
            Self::Retell(_) | Self::LiveKit(_) => 0,
            Self::Telnyx(emulator) => talking!(emulator),
        }
    }

    /// What its account is known by, as the adapter's credentials are written.
    pub fn credentials(&self) -> Value {
        match self {
            Self::Exotel(emulator) => {
                let exotel::Account { sid, api_key, api_token } =
                    emulator.config().accounts.first().cloned().unwrap_or_default();
                json!({ "account_sid": sid, "api_key": api_key, "api_token": api_token })
            }
            Self::Retell(emulator) => {
                let keys = emulator.config().keys;
                json!({ "api_key": keys.rest, "webhook_key": keys.webhook })
            }
            Self::Telnyx(emulator) => {
                let config = emulator.config();
                let api_key = config.accounts.first().cloned().unwrap_or_default().api_key;
                json!({ "api_key": api_key, "public_key": config.public_key() })
            }
            Self::LiveKit(emulator) => {
                let livekit::Key { api_key, api_secret } =
                    emulator.config().keys.first().cloned().unwrap_or_default();
                json!({ "api_key": api_key, "api_secret": api_secret })
            }
        }
    }

    /// The adapter's settings: what takes minutes with people takes seconds here.
    pub fn settings(&self) -> Value {
        let mut settings = json!({
            "request_timeout_ms": 3_000,
            "silence_ms": 6_000,
            "ask_first_ms": 500,
            "poll_first_ms": 4_000,
            "ask_cap_ms": 4_000,
            "absent_after_ms": 10_000,
        });
        let own = match self {
            Self::Exotel(_) => json!({ "reads_per_minute": 199 }),
            Self::Retell(_) => json!({ "reads_per_minute": 6_000 }),
            Self::Telnyx(emulator) => json!({
                "connection_id": CONNECTION,
                // Calls of flows are told of by it.
                "account_sid": emulator.config().accounts.first().cloned().unwrap_or_default().id,
                "reads_per_minute": 6_000,
                "cause_after_ms": 2_000,
            }),
            Self::LiveKit(emulator) => {
                let trunk = emulator.config().trunks.first().cloned().unwrap_or_default();
                json!({ "sip_trunk_id": trunk.sip_trunk_id, "reads_per_minute": 6_000 })
            }
        };
        merge(&mut settings, own);
        settings
    }

    /// What answers, and which number calls come from, as a campaign's rules say it.
    pub fn rules(&self) -> Value {
        match self {
            Self::Exotel(_) => json!({
                "caller_ids": ["+918040000000"], "agent": { "mode": "flow", "flow_id": FLOW },
            }),
            Self::Telnyx(_) => json!({ "caller_ids": [NUMBER], "agent": { "mode": "stream" } }),
            Self::Retell(_) => json!({
                "caller_ids": [NUMBER],
                "agent": { "mode": "hosted", "agent_id": AGENT },
                "variables": { "customer_name": "{{ lead.name | there }}" },
            }),
            Self::LiveKit(emulator) => {
                let trunk = emulator.config().trunks.first().cloned().unwrap_or_default();
                let numbers: Vec<String> = trunk.numbers.into_iter().take(1).collect();
                json!({
                    "caller_ids": numbers,
                    "agent": { "mode": "hosted", "agent_id": AGENT },
                    "variables": { "customer_name": "{{ lead.name | there }}" },
                })
            }
        }
    }

    /// An account with it, under these limits alone.
    pub fn account<'a>(&self, name: &'a str, base_url: &'a Url, limits: Vec<Limit>) -> AccountSpec<'a> {
        AccountSpec {
            name,
            provider: self.provider(),
            base_url: Some(base_url),
            credentials: self.credentials().to_string().into(),
            settings: self.settings(),
            limits,
            without_default_limits: true,
        }
    }
}

async fn started<P: Protocol>(mut usual: Value, own: Value) -> anyhow::Result<Emulator<P>> {
    merge(&mut usual, own);
    Ok(Emulator::start(serde_json::from_value(usual)?).await?)
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn whole(ms: f64) -> u64 {
    Duration::from_secs_f64(ms / 1_000.0).as_millis().try_into().unwrap_or(u64::MAX)
}
