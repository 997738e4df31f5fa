//! A phone at an emulated carrier, an agent of ours at its stream, and emulated services behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use outdial::http::streams::{begun, carry};
use outdial_emulators::telnyx::{Account, CallReport, Scenario, Telnyx};
use outdial_emulators::{deepgram, elevenlabs, openai, telnyx};
use outdial_jobs::media::deepgram::{Deepgram, Patience};
use outdial_jobs::media::elevenlabs::ElevenLabs;
use outdial_jobs::media::http::http_client;
use outdial_jobs::media::openai::{Endpoint, OpenAi};
use outdial_jobs::media::recording::Recording;
use outdial_jobs::media::session::{Cast, Held, Line, Surroundings, hold};
use outdial_jobs::media::wire::Dialect;
use outdial_jobs::media::{deepgram as stt, elevenlabs as tts};
use outdial_workflows::conversation::{Act, Conversation, Duties, Heard, Spoken};
use outdial_workflows::playbook::{self, Script};
use outdial_workflows::template::Values;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::carrier::transcript;

const CUSTOMER: &str = "+14155550123";
const CALLER: &str = "+14155550100";
const CONNECTION: &str = "1494404757140276705";

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, what).await.expect("stuck")
}

pub(crate) const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A playbook with words as short as can be, since every letter is a sound of its own.
pub(crate) const PLAYBOOK: &str = r#"
name = "Short"
language = "en"
agent = "You call for {{ client.name }}."
opt_out_key = "9"

[says]
greeting = "Hi."
disclosure = "I am a bot."
still_there = ["Yes?"]
one_moment = "Hm."
sorry = "Sorry."
lost = "Back."
goodbye = "Bye."
opted_out = "Never."
transfer = "Wait."

[fields.rooms]
about = "How many rooms."
kind = "number"

[[stages]]
name = "talk"
goal = "Talk."
collect = ["rooms"]
tools = ["call_back"]
"#;

pub(crate) fn script(text: &str) -> Script {
    let attributes = BTreeMap::new();
    let values = Values {
        lead_name: Some("Asha"),
        lead_phone: CUSTOMER,
        lead_external_id: None,
        attributes: &attributes,
        campaign_name: "Spring",
        client_name: "Acme",
    };
    playbook::read(text).unwrap_or_else(|problems| panic!("{problems}")).fill(&values).expect("every value")
}

/// What is around a conversation, before it begins.
pub(crate) struct World {
    pub(crate) telnyx: Telnyx,
    pub(crate) deepgram: deepgram::Deepgram,
    pub(crate) openai: openai::OpenAi,
    pub(crate) elevenlabs: elevenlabs::ElevenLabs,
    pub(crate) script: Script,
    pub(crate) duties: Duties,
    /// Where the call is recorded, if it is.
    pub(crate) recording: Option<PathBuf>,
}

/// What became of a conversation.
pub(crate) struct Story {
    pub(crate) held: Held,
    pub(crate) acts: Vec<Act>,
    pub(crate) call: CallReport,
}

impl Story {
    /// The turns that were kept, a line each.
    pub(crate) fn transcript(&self) -> String {
        transcript(&self.acts)
    }

    pub(crate) fn spoken(&self) -> impl Iterator<Item = &Spoken> {
        self.acts.iter().filter_map(|act| match act {
            Act::Keep(spoken) => Some(spoken),
            _ => None,
        })
    }

    /// All that the person heard of ours.
    pub(crate) fn heard(&self) -> String {
        self.call.stream.as_ref().expect("a stream").conversation.heard()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            telnyx: Telnyx::start(telnyx::Config::default()).await.expect("a free port"),
            deepgram: deepgram::Deepgram::start(deepgram::Config::default()).await.expect("a free port"),
            openai: openai::OpenAi::start(openai::Config::default()).await.expect("a free port"),
            elevenlabs: elevenlabs::ElevenLabs::start(elevenlabs::Config::default())
                .await
                .expect("a free port"),
            script: script(PLAYBOOK),
            duties: Duties::default(),
            recording: None,
        }
    }

    /// Calls the person, and lets the agent talk with them to the end.
    pub(crate) async fn call(self, scenario: Scenario) -> Story {
        self.call_and(scenario, async |_| {}).await
    }

    /// The same, while something else is heard of the call.
    pub(crate) async fn call_and(
        self,
        scenario: Scenario,
        meanwhile: impl AsyncFnOnce(mpsc::Sender<Heard>),
    ) -> Story {
        let (told, orders, address) = self.open().await;
        self.telnyx.script(CUSTOMER, [scenario.ringing_for(Duration::ZERO)]);
        self.dial(&address).await;
        let (held, _) = within(async { tokio::join!(told, meanwhile(orders)) }).await;
        let (held, mut acts) = held.expect("the conversation was held");
        // A call whose stream has ended goes on at Telnyx until somebody ends it.
        let call = within(async {
            loop {
                let report = self.telnyx.calls().remove(0);
                if report.stream.is_some() {
                    break report;
                }
                tokio::time::sleep(ms(5)).await;
            }
        })
        .await;
        let acts = std::iter::from_fn(|| acts.try_recv().ok()).collect();
        Story { held, acts, call }
    }

    /// An agent at a door, who answers whoever comes.
    async fn open(&self) -> (oneshot::Receiver<Told>, mpsc::Sender<Heard>, String) {
        let (tell, told) = oneshot::channel();
        let (lines, next_lines) = mpsc::channel(4);
        let (orders, heard) = mpsc::channel(4);
        let agent = Agent {
            speech: self.speech(),
            recording: self.recording.clone(),
            conversation: Conversation::new(self.script.clone(), self.duties, "Monday, 10:00"),
            lines: next_lines,
            heard,
            tell,
        };
        let door = Arc::new(Door { agent: Mutex::new(Some(agent)), lines });
        (told, orders, serve(door).await)
    }

    /// Has a carrier of the test's own come by, and lets the agent talk with it to the end.
    pub(crate) async fn visited(self, carrier: impl AsyncFnOnce(String)) -> (Held, Vec<Act>) {
        let (told, _orders, address) = self.open().await;
        let (told, ()) = within(async { tokio::join!(told, carrier(format!("{address}/s"))) }).await;
        let (held, mut acts) = told.expect("the conversation was held");
        (held, std::iter::from_fn(|| acts.try_recv().ok()).collect())
    }

    fn speech(&self) -> Speech {
        let base = |text: String| text.parse().expect("a URL");
        let key = |text: String| text.into();
        let http = http_client().expect("a client");
        let deepgram = Deepgram::new(stt::Settings {
            base: base(self.deepgram.base_url().to_owned()),
            key: key(self.deepgram.config().key),
            model: "nova-3".into(),
            keyterms: vec![],
            patience: Patience::default(),
        });
        let openai = |model: &str| Endpoint {
            base: base(format!("{}/v1", self.openai.base_url())),
            key: key(self.openai.config().key),
            model: model.into(),
        };
        let elevenlabs = ElevenLabs::new(
            http.clone(),
            tts::Settings::new(
                base(self.elevenlabs.base_url().to_owned()),
                key(self.elevenlabs.config().key),
                "voice1",
            ),
        );
        Speech {
            deepgram: deepgram.expect("settings"),
            openai: OpenAi::new(http, openai("gpt-4o-mini"), Some(openai("gpt-4o"))).expect("settings"),
            elevenlabs: elevenlabs.expect("settings"),
        }
    }

    async fn dial(&self, address: &str) {
        let body = json!({
            "connection_id": CONNECTION, "from": CALLER, "to": CUSTOMER, "stream_url": format!("{address}/s"),
            "stream_track": "inbound_track", "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": "PCMU",
        });
        let request = http_client().expect("a client").post(format!("{}/v2/calls", self.telnyx.base_url()));
        let response = request.bearer_auth(Account::default().api_key).json(&body).send().await;
        assert_eq!(response.expect("a response").status().as_u16(), 200);
    }
}

type Told = (Held, mpsc::UnboundedReceiver<Act>);

struct Speech {
    deepgram: Deepgram,
    openai: OpenAi,
    elevenlabs: ElevenLabs,
}

/// Whoever answers the first socket; later ones take its place.
struct Agent {
    speech: Speech,
    recording: Option<PathBuf>,
    conversation: Conversation,
    lines: mpsc::Receiver<Line>,
    heard: mpsc::Receiver<Heard>,
    tell: oneshot::Sender<Told>,
}

struct Door {
    agent: Mutex<Option<Agent>>,
    lines: mpsc::Sender<Line>,
}

async fn serve(door: Arc<Door>) -> String {
    let answer = async |State(door): State<Arc<Door>>, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let begun = begun(&mut socket).await.expect("a start");
            let (line, ends) = Line::new(begun.stream_id);
            let first = door.agent.lock().expect("no panic holds it").take();
            match first {
                Some(agent) => drop(tokio::spawn(agent.hold(line))),
                None => door.lines.send(line).await.expect("a conversation"),
            }
            carry(socket, ends).await;
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/s", any(answer)).with_state(door);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("ws://{address}")
}

impl Agent {
    async fn hold(self, line: Line) {
        let format = Dialect::Telnyx.format();
        let voice = self.speech.elevenlabs.for_call(format, None).expect("a format");
        let recogniser = self.speech.deepgram.for_call(format, "en");
        let cast = Cast { recogniser: &recogniser, model: &self.speech.openai, voice: &voice };
        let (acts, kept) = mpsc::unbounded_channel();
        let recording = match self.recording {
            Some(path) => Some(Recording::begin(path, format).await.expect("a file")),
            None => None,
        };
        let around = Surroundings { lines: self.lines, heard: self.heard, acts, recording };
        let held = hold(self.conversation, Dialect::Telnyx, line, cast, around).await;
        let _ = self.tell.send((held, kept));
    }
}
