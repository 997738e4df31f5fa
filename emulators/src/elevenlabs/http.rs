//! Speech over HTTP, whole or streamed.

use std::{future, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header::CONTENT_TYPE},
    response::Response,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Hub, TextToSpeech,
    config::Config,
    error::{self, Refusal},
    format::{self, Format},
    model,
    report::{SpeechEnd, SpeechReport},
    request::{self, Order, last},
    scenario::{Quirk, Speech, delay},
    synthesis::{Piece, Synthesizer},
};
use crate::{
    service::{Ongoing, Paced as _, paced},
    socket::{Wire, cut},
};

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    streams: bool,
    timestamps: bool,
}

type Connected = (State<Arc<Hub>>, ConnectInfo<Wire>, Path<String>, RawQuery, HeaderMap);

/// All audio at once.
pub(super) async fn whole(connected: Connected, body: Bytes) -> Response {
    answer(connected, &body, Manner { streams: false, timestamps: false }).await
}

/// Audio as it is made.
pub(super) async fn stream(connected: Connected, body: Bytes) -> Response {
    answer(connected, &body, Manner { streams: true, timestamps: false }).await
}

/// All audio, and when each character is spoken.
pub(super) async fn whole_with_timestamps(connected: Connected, body: Bytes) -> Response {
    answer(connected, &body, Manner { streams: false, timestamps: true }).await
}

/// Audio as it is made, and when each character is spoken.
pub(super) async fn stream_with_timestamps(connected: Connected, body: Bytes) -> Response {
    answer(connected, &body, Manner { streams: true, timestamps: true }).await
}

/// Any other path.
pub(super) async fn elsewhere() -> Response {
    Refusal::NotFound.respond(false, "")
}

async fn answer(connected: Connected, body: &Bytes, manner: Manner) -> Response {
    let (State(hub), ConnectInfo(wire), Path(voice), RawQuery(query), headers) = connected;
    let config = hub.config();
    let query = pairs(query.as_deref());
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let request_id = Uuid::new_v4().simple().to_string();
    let report = hub.open(SpeechReport {
        request_id: request_id.clone(),
        voice_id: voice.clone(),
        model_id: body["model_id"].as_str().unwrap_or(model::DEFAULT).to_owned(),
        output_format: last(&query, "output_format").unwrap_or_else(|| format::DEFAULT.to_owned()),
        text: body["text"].as_str().unwrap_or_default().to_owned(),
        ..SpeechReport::default()
    });
    let mut ongoing = Ongoing::new(hub.clone(), report);
    let key = headers.get("xi-api-key").and_then(|key| key.to_str().ok());
    let order =
        admit(key, &config).and_then(|()| request::read(&voice, &query, &body, manner.streams, &config));
    let response = match order {
        Ok(order) => {
            Exchange { hub, config: config.clone(), wire, order, manner, ongoing }.answer(&request_id).await
        }
        Err(refusal) => {
            ongoing.end(SpeechEnd::Refused { status: refusal.status() });
            refusal.respond(config.older_errors, &request_id)
        }
    };
    let characters = body["text"].as_str().map_or(0, |text| text.chars().count());
    with_headers(response, &config, &request_id, characters)
}

/// The pairs of a query.
pub(super) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Whether the key lets one in.
pub(super) fn admit(key: Option<&str>, config: &Config) -> Result<(), Refusal> {
    match key {
        None => Err(Refusal::NoKey),
        Some(key) if key == config.key => Ok(()),
        Some(_) => Err(Refusal::InvalidKey),
    }
}

struct Exchange {
    hub: Arc<Hub>,
    config: Arc<Config>,
    wire: Wire,
    order: Order,
    manner: Manner,
    ongoing: Ongoing<TextToSpeech>,
}

/// A step of a body, and what has been spoken when it was sent.
struct Step {
    act: paced::Act,
    bytes: usize,
    spoken: String,
}

impl From<paced::Act> for Step {
    fn from(act: paced::Act) -> Self {
        Self { act, bytes: 0, spoken: String::new() }
    }
}

impl Exchange {
    async fn answer(mut self, request_id: &str) -> Response {
        let Speech { quirks } = self.hub.next_step().unwrap_or_default();
        for quirk in &quirks {
            match quirk {
                Quirk::Reply(reply) => {
                    self.ongoing.end(SpeechEnd::Refused { status: reply.status });
                    return error::scripted(reply, self.config.older_errors, request_id);
                }
                Quirk::Hang => return future::pending().await,
                _ => {}
            }
        }
        let Order { text, format, settings } = &self.order;
        let mut synthesizer = Synthesizer::new(*format, settings.speed(), self.config.leading_silence);
        let pieces = synthesizer.speak(text);
        match (self.manner.streams, self.manner.timestamps) {
            (true, true) => self.send(lines(&pieces, &quirks), "application/json", &quirks),
            (true, false) => {
                let steps = self.audio(&pieces, &quirks);
                let kind = self.order.format.content_type();
                self.send(steps, kind, &quirks)
            }
            (false, timestamps) => self.whole(&pieces, timestamps, &quirks).await,
        }
    }

    /// The audio in pieces of the size that is set.
    fn audio(&self, pieces: &[Piece], quirks: &[Quirk]) -> Vec<Step> {
        let format = self.order.format;
        let size = quirks
            .iter()
            .find_map(|quirk| if let Quirk::Chunks { size } = quirk { Some(*size) } else { None });
        let audio: Vec<u8> = pieces.iter().flat_map(|piece| piece.audio.iter().copied()).collect();
        let mut sent = 0;
        let mut steps = Vec::new();
        for chunk in audio.chunks(size.unwrap_or(self.config.chunk_bytes).max(1)) {
            sent += chunk.len();
            let spoken = spoken(pieces, played(format, sent));
            steps.push(Step {
                act: paced::Act::Send(Bytes::copy_from_slice(chunk)),
                bytes: chunk.len(),
                spoken,
            });
        }
        steps
    }

    /// Sends the steps at their pace, as far as the quirks let it come.
    fn send(self, steps: Vec<Step>, kind: &'static str, quirks: &[Quirk]) -> Response {
        let format = self.order.format;
        let end = quirks.iter().find_map(Quirk::body_end);
        let all = steps.len();
        let steps = paced_steps(steps, format, &self.config, delay(quirks), end);
        let mut sends: std::collections::VecDeque<(usize, String)> = steps
            .iter()
            .filter(|step| matches!(step.act, paced::Act::Send(_)))
            .map(|step| (step.bytes, step.spoken.clone()))
            .collect();
        let ended = if sends.len() < all { SpeechEnd::Cut } else { SpeechEnd::Spoken };
        let Self { hub, wire, mut ongoing, .. } = self;
        let (noting, report) = (hub.clone(), ongoing.report());
        let note = move |progress| match progress {
            paced::Progress::Sent(_) => {
                let (bytes, spoken) = sends.pop_front().unwrap_or_default();
                noting.note(report, |report| add(report, format, bytes, spoken));
            }
            paced::Progress::Whole => ongoing.end(ended),
            paced::Progress::Cut => ongoing.end(SpeechEnd::Cut),
            paced::Progress::Gone => ongoing.end(SpeechEnd::Cancelled),
        };
        let acts = steps.into_iter().map(|step| step.act);
        typed(Response::new(paced::body(&hub, wire, acts, note)), kind)
    }

    async fn whole(mut self, pieces: &[Piece], timestamps: bool, quirks: &[Quirk]) -> Response {
        let format = self.order.format;
        let audio: Vec<u8> = pieces.iter().flat_map(|piece| piece.audio.iter().copied()).collect();
        let time = self.config.pacing.first_byte
            + delay(quirks)
            + self.config.pacing.making(played(format, audio.len()));
        tokio::time::sleep(self.config.pace().wall(time)).await;
        for quirk in quirks {
            match quirk {
                Quirk::Stall { .. } => return future::pending().await,
                Quirk::Cut { .. } => {
                    self.ongoing.end(SpeechEnd::Cut);
                    return cut(&self.wire);
                }
                _ => {}
            }
        }
        let (bytes, text) = (audio.len(), self.order.text.clone());
        self.hub.note(self.ongoing.report(), |report| add(report, format, bytes, text));
        self.ongoing.end(SpeechEnd::Spoken);
        if timestamps {
            let all = with_alignment(pieces, Duration::ZERO, quirks);
            return typed(Response::new(Body::from(all.to_string())), "application/json");
        }
        let mut file = format.header(bytes);
        file.extend(audio);
        typed(Response::new(Body::from(file)), format.content_type())
    }
}

/// A piece a line, with its timestamps.
fn lines(pieces: &[Piece], quirks: &[Quirk]) -> Vec<Step> {
    let mut offset = Duration::ZERO;
    let line = |piece: &Piece| {
        let line = format!("{}\n", with_alignment(std::slice::from_ref(piece), offset, quirks));
        offset += piece.length();
        Step { act: paced::Act::Send(line.into()), bytes: piece.audio.len(), spoken: spoken(pieces, offset) }
    };
    pieces.iter().map(line).collect()
}

/// Pieces as one object. `offset` is where the first begins.
fn with_alignment(pieces: &[Piece], mut offset: Duration, quirks: &[Quirk]) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut audio = Vec::new();
    let mut joined: Value = json!({});
    for piece in pieces {
        audio.extend_from_slice(&piece.audio);
        if let Value::Object(fields) = piece.http_alignment(offset) {
            for (name, values) in fields {
                let all = joined[&name].take();
                let all: Vec<Value> =
                    [all, values].into_iter().filter_map(|list| list.as_array().cloned()).flatten().collect();
                joined[name] = all.into();
            }
        }
        offset += piece.length();
    }
    let alignment = if quirks.contains(&Quirk::NoAlignment) { Value::Null } else { joined };
    json!({"audio_base64": STANDARD.encode(audio), "alignment": alignment, "normalized_alignment": alignment})
}

/// The steps with their waits, up to where a quirk ends them.
fn paced_steps(
    steps: Vec<Step>,
    format: Format,
    config: &Config,
    late_by: Duration,
    mut end: Option<(Duration, Option<paced::Act>)>,
) -> Vec<Step> {
    let mut paced: Vec<Step> = vec![paced::Act::Wait(config.pacing.first_byte + late_by).into()];
    let mut sent = 0;
    for step in steps {
        if let Some((_, act)) = end.take_if(|(after, _)| *after <= played(format, sent)) {
            paced.extend(act.map(Step::from));
            return paced;
        }
        sent += step.bytes;
        let making = config.pacing.making(played(format, step.bytes));
        paced.push(step);
        paced.push(paced::Act::Wait(making).into());
    }
    paced
}

fn played(format: Format, bytes: usize) -> Duration {
    format.length(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// The text that is spoken when so much of all audio has been played.
fn spoken(pieces: &[Piece], played: Duration) -> String {
    let mut left = played;
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&piece.spoken(left));
        left = left.saturating_sub(piece.length());
    }
    text
}

fn add(report: &mut SpeechReport, format: Format, bytes: usize, spoken: String) {
    report.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    report.audio = format.length(report.bytes);
    report.spoken = spoken;
}

fn typed(mut response: Response, kind: &'static str) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What every answer bears (§2).
fn with_headers(mut response: Response, config: &Config, request_id: &str, characters: usize) -> Response {
    let values = [
        ("request-id", request_id.to_owned()),
        ("x-trace-id", request_id.to_owned()),
        ("x-region", "emulated".into()),
        ("current-concurrent-requests", "1".into()),
        ("maximum-concurrent-requests", config.concurrency.to_string()),
        ("character-cost", characters.to_string()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
