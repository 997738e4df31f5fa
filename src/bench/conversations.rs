//! `outdial bench conversations`: many people talk with our agent at once, as they hear it.

#![expect(clippy::print_stdout, reason = "this is where the bench speaks")]

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use outdial_emulators::media::{Caller, Conversation, Line, Speaker, Turn};
use outdial_emulators::openai::{Answer, Rule, When};
use outdial_jobs::clock::DatabaseClock;
use outdial_jobs::operations::By;
use outdial_jobs::operations::campaigns::{self, CampaignSpec, Order};
use outdial_jobs::operations::{calls, leads, playbooks, setup};
use outdial_jobs::providers::Provider;
use outdial_jobs::seal::SealKey;
use outdial_workflows::conversation::Latency;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, CampaignId, ClientId, DialKey, LeadId};
use outdial_workflows::limits::Limit;
use outdial_workflows::playbook::Source;
use outdial_workflows::results::CallResults;
use outdial_workflows::rules::Rules;
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use url::Url;

use super::recorder::Percentiles;
use super::{LOOK, Progress, STANDSTILL, cpu};
use crate::app::App;
use crate::cli::table;
use crate::config::Global;
use crate::demo::people;
use crate::played::services::{Delays, Services};
use crate::played::{Manner, Played};
use crate::postgres::Embedded;

/// Silence that ends a turn, by the playbook.
const END_OF_TURN_MS: u64 = 400;
/// Voice that interrupts, by the playbook.
const INTERRUPT_MS: u64 = 400;
/// What the services take; part of what people wait, and none of ours.
const DELAYS: Delays =
    Delays { first_token: Duration::from_millis(300), first_byte: Duration::from_millis(100) };
/// How long phones ring at least, and within which time after that all are picked up, one after the other. What is said
/// takes everybody the same time: without it, all would speak in chorus, and wait for each other.
const RINGS: Duration = Duration::from_secs(1);
const PICKED_UP_WITHIN: Duration = Duration::from_secs(4);
/// A process that serves does so within this.
const SERVES_WITHIN: Duration = Duration::from_secs(30);

/// How many talk, and how long.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many conversations at once.
    #[arg(long, value_name = "N", default_value = "40")]
    calls: NonZeroU32,
    /// How often each person says something.
    #[arg(long, value_name = "T", default_value = "4")]
    turns: NonZeroU32,
    /// Whose sockets: telnyx or exotel.
    #[arg(long, value_name = "CARRIER", default_value = "telnyx", value_parser = streaming)]
    carrier: Provider,
}

fn streaming(text: &str) -> Result<Provider, String> {
    match text.parse() {
        Ok(provider @ (Provider::Telnyx | Provider::Exotel)) => Ok(provider),
        Ok(_) => Err("this carrier holds conversations itself; choose telnyx or exotel".into()),
        Err(error) => Err(format!("{error}")),
    }
}

/// The figures, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    calls: u32,
    turns: u32,
    carrier: &'static str,
    /// Conversations that went to their end as they should.
    whole: usize,
    /// How many ended why, by the name of the ending; `unheld` are those that nobody held.
    endings: BTreeMap<String, usize>,
    /// From the end of a person's voice to our first sound, as the person hears it.
    voice_to_voice: Option<Percentiles>,
    /// What of that is ours: without the silence that ends a turn, what model and voice take, and one frame.
    own_share: Option<Percentiles>,
    /// Our own share, part by part, as the conversations measured it themselves.
    parts: Parts,
    /// From the beginning of an interruption to our silence, without the voice that makes it one.
    barge_in_stop: Option<Percentiles>,
    /// What is subtracted, in milliseconds: silence, model, voice, frame.
    subtracted_ms: [u64; 4],
    /// Processor time of the process that holds the conversations, in percent of one core a call, while all talk.
    cpu_percent_a_call: Option<f64>,
    /// Resident memory of that process before the first call, while all talk, and after the last, in MiB.
    memory_mib: [Option<u64>; 3],
    /// How long it all took.
    took_s: f64,
}

/// What each part of an answer took beyond what was set.
#[derive(Debug, Serialize)]
struct Parts {
    /// From the end of the voice until it counted as the end of the turn.
    turn: Option<Percentiles>,
    /// Until the model's first words.
    model: Option<Percentiles>,
    /// Until its first sentence was whole.
    sentence: Option<Percentiles>,
    /// Until its first sound was sent.
    speech: Option<Percentiles>,
}

impl Parts {
    fn of(latencies: &[Latency]) -> Self {
        let beyond = |part: fn(&Latency) -> u32, set: Duration| {
            let parts = latencies.iter().map(part).map(|ms| Duration::from_millis(ms.into()));
            Percentiles::of(parts.map(|part| part.saturating_sub(set)).collect())
        };
        Self {
            turn: beyond(|of| of.turn_ms, Duration::from_millis(END_OF_TURN_MS)),
            model: beyond(|of| of.model_ms, DELAYS.first_token),
            sentence: beyond(|of| of.sentence_ms, Duration::ZERO),
            speech: beyond(|of| of.speech_ms, DELAYS.first_byte),
        }
    }
}

pub(super) async fn run(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    progress.step("starting the database");
    let stage = Stage::set(global, args, progress).await?;
    let measured = measure(&stage, args, progress).await;
    stage.strike().await?;
    measured
}

/// A playbook whose words are short, since every letter is a sound of its own. Nothing is asked early, so that what is
/// waited for adds up.
fn playbook() -> String {
    format!(
        r#"
name = "Bench"
language = "en"
agent = "You talk."

[says]
greeting = "Hi there."
disclosure = "I am a bot."
goodbye = "Bye."

[timing]
end_of_turn_ms = {END_OF_TURN_MS}
unfinished_ms = {END_OF_TURN_MS}
interrupt_ms = {INTERRUPT_MS}
voice_alone_ms = {INTERRUPT_MS}
speculate = false

[[stages]]
name = "talk"
goal = "Talk."
"#
    )
}

/// What a person says in a turn, and what they are answered: each with the person's number, so that no sentence is one that
/// has been spoken already and is kept.
fn turns(person: usize, turns: u32) -> Vec<(String, Answer)> {
    let bye = Answer {
        text: Some(format!("Good bye {person}.")),
        ..Answer::call("end_call", r#"{"reason":"done"}"#)
    };
    let long = format!("{person}, one two three four five six seven eight nine ten.");
    let first = (format!("Do tell me {person}."), Answer::text(&long));
    let again =
        |turn| (format!("I say {turn} {person}."), Answer::text(&format!("I see {turn} {person}. Go on.")));
    let last = (format!("This is the end {person}."), bye);
    [first].into_iter().chain((1..turns.max(3) - 1).map(again)).chain([last]).collect()
}

/// Answers that go on for long enough to be interrupted, then short ones, then a goodbye.
fn rules(args: &Args) -> Vec<Rule> {
    let analysis = json!({
        "outcome": "successful", "sentiment": "neutral", "intent": null, "summary": "They talked.",
        "keywords": [], "qualified": null, "fields": {},
    });
    let people = 0..args.calls.get() as usize;
    let answers = people.flat_map(|person| turns(person, args.turns.get()));
    let answers = answers.map(|(said, answer)| Rule::new(When::user(&said), answer));
    let analyses = Rule::new(When::schema("call_analysis"), Answer::json(analysis));
    [analyses].into_iter().chain(answers).collect()
}

/// Asks, interrupts the answer, goes on, and says that it is the end.
fn caller(person: usize, count: u32) -> Caller {
    let line = |(turn, (said, _)): (usize, (String, Answer))| match turn {
        1 => Line::once_heard("two", &said),
        _ => Line::in_answer(&said),
    };
    Caller::saying(turns(person, count).into_iter().enumerate().map(line))
}

/// Database, carrier and services in this process, which is the load; and a process that holds the conversations.
struct Stage {
    app: App,
    carrier: Played,
    services: Services,
    client: ClientId,
    campaign: CampaignId,
    server: Child,
}

impl Stage {
    async fn set(global: &Global, args: &Args, progress: &Progress) -> anyhow::Result<Self> {
        let embedded = Embedded::open(global.throwaway()).await?;
        let database = embedded.url().to_owned();
        let key = SealKey::generate();
        // The port is free again in between; on this machine nobody else takes it so soon.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
        let address = Url::parse(&format!("http://127.0.0.1:{port}"))?;
        let clock = Arc::new(DatabaseClock);
        let app = App::over(Some(embedded), &database, SealKey::parse(&key)?, address.clone(), clock).await?;
        progress.step("starting the carrier and the services");
        let carrier = Played::start(args.carrier, Manner { port: 0, speed: 1.0 }).await?;
        let services = Services::start(rules(args), DELAYS).await?;
        let (client, campaign) = campaign(&app, &carrier, &address, args).await?;
        progress.step("starting the process that holds the conversations");
        let seats = args.calls.to_string();
        let log = global.log.as_deref().unwrap_or("error");
        let mut server = Command::new(std::env::current_exe()?)
            .args(["serve", "--database-url", &database, "--encryption-key", &key, "--seats", &seats])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--log", log])
            .args(services.flags())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0) // Ctrl-C is for us, who then end it.
            .kill_on_drop(true)
            .spawn()
            .context("the process that holds the conversations could not be started")?;
        serves(&mut server, port).await?;
        Ok(Self { app, carrier, services, client, campaign, server })
    }

    fn pid(&self) -> Option<i32> {
        i32::try_from(self.server.id()?).ok()
    }

    /// Takes everything down, in order.
    async fn strike(mut self) -> anyhow::Result<()> {
        self.server.kill().await?;
        self.carrier.stop().await;
        self.services.stop().await;
        self.app.close().await
    }
}

async fn serves(server: &mut Child, port: u16) -> anyhow::Result<()> {
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        anyhow::ensure!(server.try_wait()?.is_none(), "the process that holds the conversations has ended");
        anyhow::ensure!(
            began.elapsed() < SERVES_WITHIN,
            "the process that holds the conversations does not serve"
        );
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn campaign(
    app: &App,
    carrier: &Played,
    address: &Url,
    args: &Args,
) -> anyhow::Result<(ClientId, CampaignId)> {
    let engine = &app.engine;
    let client = setup::create_client(engine, "Bench").await?;
    let by = By { actor: "the bench", reason: None };
    playbooks::add(engine, client, Some("bench"), &Source::alone(&playbook()), by).await?;
    let base_url = Url::parse(carrier.base_url())?;
    let spec = carrier.account("Bench", &base_url, vec![Limit::Concurrent { max: args.calls.get() }]);
    let account = setup::create_account(engine, client, spec).await?;
    let webhooks = format!("webhooks/{}/{client}/{account}", carrier.provider().name());
    carrier.send_webhooks_to(&address.join(&webhooks)?)?;
    let mut rules = carrier.rules();
    rules["calendar"] = "none".into();
    rules["retry"] = json!({ "max_attempts": 1 });
    rules["call_time_limit_s"] = 3_600.into();
    rules["agent"] = json!({ "mode": "stream", "playbook": "bench" });
    let rules: Rules = serde_json::from_value(rules)?;
    let spec = CampaignSpec { name: "Conversations", account, rules: &rules, actor: "the bench" };
    Ok((client, campaigns::create(engine, client, spec).await?))
}

async fn measure(stage: &Stage, args: &Args, progress: &Progress) -> anyhow::Result<Report> {
    let people: Vec<leads::LeadSpec> = people::generate(args.calls.get()).collect();
    for (number, person) in people.iter().enumerate() {
        let ringing = RINGS + PICKED_UP_WITHIN.mul_f64(number as f64 / people.len() as f64);
        stage.carrier.script_talk(person.phone.as_str(), caller(number, args.turns.get()), ringing);
    }
    let engine = &stage.app.engine;
    let mut accepted = vec![];
    for page in people.chunks(leads::PAGE) {
        accepted.extend(leads::accept(engine, stage.client, stage.campaign, page).await?.leads);
    }
    let before = stage.pid().and_then(rss_mib);
    let began = Instant::now();
    campaigns::order(engine, stage.client, stage.campaign, Order::Start, "the bench", None).await?;
    progress.begin("conversations over", args.calls.get());
    let (cpu_percent_a_call, during) = until_over(stage, args, progress).await?;
    let took = began.elapsed();
    let after = stage.pid().and_then(rss_mib);
    let heard: Vec<Conversation> = stage.carrier.conversations();
    let frame_ms = match args.carrier {
        Provider::Exotel => 100,
        Provider::Telnyx | Provider::Retell | Provider::LiveKit => 20,
    };
    let whole = |ms: Duration| u64::try_from(ms.as_millis()).unwrap_or(u64::MAX);
    let subtracted_ms = [END_OF_TURN_MS, whole(DELAYS.first_token), whole(DELAYS.first_byte), frame_ms];
    let subtracted = Duration::from_millis(subtracted_ms.iter().sum());
    let answers: Vec<Duration> = heard.iter().flat_map(answers).collect();
    let own = answers.iter().map(|answer| answer.saturating_sub(subtracted)).collect();
    let stops = heard.iter().flat_map(stops).collect();
    let results = results(stage, accepted).await?;
    let latencies: Vec<Latency> =
        results.iter().flat_map(|of| &of.transcript).filter_map(|turn| turn.latency).collect();
    Ok(Report {
        calls: args.calls.get(),
        turns: args.turns.get(),
        carrier: args.carrier.name(),
        whole: heard.iter().filter(|heard| heard.heard().contains("Good bye")).count(),
        endings: endings(&results),
        voice_to_voice: Percentiles::of(answers),
        own_share: Percentiles::of(own),
        parts: Parts::of(&latencies),
        barge_in_stop: Percentiles::of(stops),
        subtracted_ms,
        cpu_percent_a_call,
        memory_mib: [before, during, after],
        took_s: took.as_secs_f64(),
    })
}

/// Waits until every call is over. Tells what the process used while all of them talked: between the moment at which
/// the last was answered and that at which the first was over, as far as there is such a time.
async fn until_over(
    stage: &Stage,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<(Option<f64>, Option<u64>)> {
    let cpu = || stage.pid().and_then(cpu::tree_s).map(|used| (Instant::now(), used));
    let (mut first, mut last, mut memory) = (None, None, None);
    let mut moved = (0, Instant::now());
    loop {
        let status = campaigns::status(&stage.app.engine, stage.client, stage.campaign).await?;
        let over = usize::try_from(status.finished).unwrap_or_default();
        let talking = stage.carrier.talking();
        if over > moved.0 {
            moved = (over, Instant::now());
        }
        if talking == args.calls.get() as usize {
            first = first.or_else(cpu);
            last = cpu();
            memory = stage.pid().and_then(rss_mib).max(memory);
        }
        progress.bar.set_position(over as u64);
        if over >= args.calls.get() as usize {
            break;
        }
        anyhow::ensure!(
            moved.1.elapsed() < STANDSTILL * 2 || talking > 0,
            "{over} of {} conversations ended, and then none; OUTDIAL_LOG=warn may say why",
            args.calls
        );
        tokio::time::sleep(LOOK).await;
    }
    let percent = first.zip(last).and_then(|((from, before), (to, after))| {
        let wall = to.duration_since(from).as_secs_f64();
        (wall > 0.5).then(|| (after - before) / wall * 100.0 / f64::from(args.calls.get()))
    });
    Ok((percent, memory))
}

/// What the calls yielded, by their own account.
async fn results(stage: &Stage, leads: Vec<LeadId>) -> anyhow::Result<Vec<CallResults>> {
    let mut all = vec![];
    for lead in leads {
        let attempt = AttemptRef { client: stage.client, lead, number: AttemptNumber::FIRST };
        all.push(calls::results(&stage.app.engine, DialKey(attempt)).await?.unwrap_or_default());
    }
    Ok(all)
}

fn endings(results: &[CallResults]) -> BTreeMap<String, usize> {
    let mut endings = BTreeMap::new();
    for of in results {
        let ending = of.course.as_ref().map_or("unheld", |course| course.ending.name());
        *endings.entry(ending.to_owned()).or_default() += 1;
    }
    endings
}

/// How long the person waited for each answer, but for those that they interrupted somebody with.
fn answers(heard: &Conversation) -> Vec<Duration> {
    let pairs = heard.turns.windows(2);
    let answered = pairs.filter_map(|pair| match pair {
        [Turn { speaker: Speaker::Caller, end, .. }, Turn { speaker: Speaker::Bot, start, .. }] => {
            start.checked_sub(*end)
        }
        _ => None,
    });
    answered.collect()
}

/// How long we went on after an interruption had become one.
fn stops(heard: &Conversation) -> Vec<Duration> {
    let needed = Duration::from_millis(INTERRUPT_MS);
    let pairs = heard.turns.windows(2);
    let stopped = pairs.filter_map(|pair| match pair {
        [Turn { speaker: Speaker::Bot, end, .. }, Turn { speaker: Speaker::Caller, start, .. }] => {
            (start < end).then(|| end.saturating_sub(*start).saturating_sub(needed))
        }
        _ => None,
    });
    stopped.collect()
}

/// Resident memory of a process in MiB.
fn rss_mib(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1_024)
}

impl Report {
    /// Whether every conversation went to its end.
    pub(super) fn is_sound(&self) -> bool {
        self.whole == self.calls as usize
    }

    pub(super) fn show(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).unwrap_or_default());
        }
        let of = |figures: Option<Percentiles>| {
            figures.map_or("not known".into(), |of| {
                format!(
                    "p50 {:.0}, p95 {:.0}, p99 {:.0}, max {:.0} ms",
                    of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms
                )
            })
        };
        let ended: Vec<String> =
            self.endings.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
        let ended = ended.join(", ");
        let known = |figure: Option<u64>| figure.map_or("?".to_owned(), |figure| figure.to_string());
        let [silence, model, voice, frame] = self.subtracted_ms;
        let [before, during, after] = self.memory_mib.map(known);
        let rows = [
            ("conversations", format!("{} of {} whole, through {}", self.whole, self.calls, self.carrier)),
            ("ended", ended),
            ("voice to voice", of(self.voice_to_voice)),
            ("our own share", of(self.own_share)),
            ("— end of turn", of(self.parts.turn)),
            ("— model", of(self.parts.model)),
            ("— sentence", of(self.parts.sentence)),
            ("— voice", of(self.parts.speech)),
            (
                "without",
                format!("{silence} ms of silence, {model} ms model, {voice} ms voice, a frame of {frame} ms"),
            ),
            ("silent after an interruption", of(self.barge_in_stop)),
            (
                "processor a call",
                self.cpu_percent_a_call
                    .map_or("not known".into(), |percent| format!("{percent:.2} % of a core")),
            ),
            ("memory before, while, after", format!("{before}, {during}, {after} MiB")),
            ("in all", format!("{:.1} s", self.took_s)),
        ];
        println!("{}", table(&["", "figure"], rows.map(|(name, value)| vec![name.to_owned(), value])));
    }
}
