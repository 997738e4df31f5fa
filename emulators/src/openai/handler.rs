//! One request from its arrival to its answer, or to none.

use std::{future, sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{
        HeaderMap, HeaderValue, Method, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{
    Chat, Hub,
    answer::{Answer, Quirk, Turn},
    config::Config,
    error::{self, Refusal},
    events,
    produce::{Produced, produce},
    report::{RequestEnd, RequestReport},
    request::Ask,
    rules, validate,
    wire::{self, Head},
};
use crate::{
    clock,
    service::{Ongoing, Paced as _, paced},
    socket::{Wire, cut},
};

pub(super) async fn complete(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let config = hub.config();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let report = hub.open(RequestReport { request: request.clone(), ..RequestReport::default() });
    let request_id = format!("req_{:08}", report.number());
    hub.note(report, |report| report.request_id.clone_from(&request_id));
    let mut ongoing = Ongoing::new(hub.clone(), report);
    let read = admit(&headers, &config.key).and_then(|()| validate::read(&request, &config));
    let (response, tokens) = match read {
        Ok(ask) => {
            let tokens = validate::prompt_tokens(&ask);
            (Exchange { hub, config: config.clone(), wire, ask, ongoing }.answer().await, tokens)
        }
        Err(refusal) => {
            ongoing.end(RequestEnd::Refused { status: refusal.status });
            (refusal.respond(), 0)
        }
    };
    with_headers(response, &config, &request_id, tokens)
}

/// The models that exist.
pub(super) async fn models(State(hub): State<Arc<Hub>>, headers: HeaderMap) -> Response {
    let config = hub.config();
    if let Err(refusal) = admit(&headers, &config.key) {
        return refusal.respond();
    }
    let model = |id: &String| json!({"id": id, "object": "model", "created": 0, "owned_by": "emulated"});
    Json(json!({"object": "list", "data": config.models.iter().map(model).collect::<Vec<_>>()}))
        .into_response()
}

/// Any other path.
pub(super) async fn elsewhere(method: Method, uri: Uri) -> Response {
    Refusal::no_path(method.as_str(), uri.path()).respond()
}

fn admit(headers: &HeaderMap, key: &str) -> Result<(), Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|header| header.split_once(' ')) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => {
            if given == key {
                Ok(())
            } else {
                Err(Refusal::wrong_key(given))
            }
        }
        _ => Err(Refusal::no_key()),
    }
}

struct Exchange {
    hub: Arc<Hub>,
    config: Arc<Config>,
    wire: Wire,
    ask: Ask,
    ongoing: Ongoing<Chat>,
}

impl Exchange {
    async fn answer(mut self) -> Response {
        let (answer, quirks) = self.decide();
        let mut first = self.config.pacing.first_token;
        for quirk in &quirks {
            match quirk {
                Quirk::Reply(reply) => {
                    self.ongoing.end(RequestEnd::Refused { status: reply.status });
                    return error::scripted(reply);
                }
                Quirk::Hang => return future::pending().await,
                Quirk::SlowFirstToken { by } => first += *by,
                _ => {}
            }
        }
        let produced = produce(&answer, &self.ask, &quirks, self.ongoing.report().number());
        if self.ask.streams() {
            self.stream(&produced, &quirks, first)
        } else {
            self.whole(&produced, &quirks, first).await
        }
    }

    /// The answer, and all that goes wrong.
    fn decide(&self) -> (Answer, Vec<Quirk>) {
        let Turn { answer, mut quirks } = self.hub.next_step().unwrap_or_default();
        if let Some(answer) = answer {
            return (answer, quirks);
        }
        match rules::find(&self.config.rules, &self.ask) {
            Some((place, rule)) => {
                self.hub.note(self.ongoing.report(), |report| report.rule = Some(place));
                quirks.extend(rule.quirks.iter().cloned());
                (rule.answer.clone(), quirks)
            }
            None => (rules::fallback(&self.ask), quirks),
        }
    }

    fn head(&self) -> Head {
        let options = self.ask.options();
        Head {
            number: self.ongoing.report().number(),
            created: clock::now().timestamp(),
            model: self.ask.model.clone(),
            service_tier: match self.ask.service_tier.as_deref() {
                Some("flex") => "flex",
                Some("priority") => "priority",
                _ => "default",
            },
            include_usage: options.include_usage == Some(true),
            obfuscation: self.config.obfuscation && options.include_obfuscation != Some(false),
        }
    }

    fn stream(self, produced: &Produced, quirks: &[Quirk], first: Duration) -> Response {
        let usage = wire::usage(&self.ask, produced);
        let steps = events::steps(&self.head(), produced, usage, quirks, &self.config.pacing, first);
        let mut sends = steps.clone().into_iter().filter(|step| matches!(step.act, paced::Act::Send(_)));
        let Self { hub, wire, mut ongoing, .. } = self;
        let (noting, report) = (hub.clone(), ongoing.report());
        let note = move |progress| match progress {
            paced::Progress::Sent(_) => {
                let sent = sends.next();
                noting.note(report, |report| {
                    report.tokens_sent += sent.as_ref().map_or(0, |sent| sent.tokens);
                    report.text_sent.push_str(sent.as_ref().map_or("", |sent| &sent.text));
                });
            }
            paced::Progress::Whole => ongoing.end(RequestEnd::Answered),
            paced::Progress::Cut => ongoing.end(RequestEnd::Cut),
            paced::Progress::Gone => ongoing.end(RequestEnd::Cancelled),
        };
        let body = paced::body(&hub, wire, steps.into_iter().map(|step| step.act), note);
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    async fn whole(mut self, produced: &Produced, quirks: &[Quirk], first: Duration) -> Response {
        let tokens = u32::try_from(produced.tokens()).unwrap_or(u32::MAX);
        let pauses: Duration = quirks
            .iter()
            .map(|quirk| if let Quirk::Pause { length, .. } = quirk { *length } else { Duration::ZERO })
            .sum();
        let time = first + self.config.pacing.gap() * tokens.saturating_sub(1) + pauses;
        tokio::time::sleep(self.config.pace().wall(time)).await;
        for quirk in quirks {
            match quirk {
                Quirk::Stall { .. } => return future::pending().await,
                Quirk::Cut { .. } | Quirk::EndEarly { .. } => {
                    self.ongoing.end(RequestEnd::Cut);
                    return cut(&self.wire);
                }
                _ => {}
            }
        }
        let whole = self.head().completion(produced, wire::usage(&self.ask, produced));
        self.hub.note(self.ongoing.report(), |report| {
            report.tokens_sent = produced.tokens();
            report.text_sent =
                whole["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        });
        self.ongoing.end(RequestEnd::Answered);
        Json(whole).into_response()
    }
}

/// What every answer bears, an error too (§5).
fn with_headers(mut response: Response, config: &Config, request_id: &str, tokens: usize) -> Response {
    let limits = &config.limits;
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    let values = [
        ("x-request-id", request_id.to_owned()),
        ("openai-organization", "org-emulated".into()),
        ("openai-project", "proj_emulated".into()),
        ("openai-processing-ms", "1".into()),
        ("openai-version", "2020-10-01".into()),
        ("x-ratelimit-limit-requests", limits.requests.to_string()),
        ("x-ratelimit-remaining-requests", limits.requests.saturating_sub(1).to_string()),
        ("x-ratelimit-reset-requests", reset(1, limits.requests)),
        ("x-ratelimit-limit-tokens", limits.tokens.to_string()),
        ("x-ratelimit-remaining-tokens", limits.tokens.saturating_sub(tokens).to_string()),
        ("x-ratelimit-reset-tokens", reset(tokens, limits.tokens)),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// How long it takes until so much of a minute's limit is there again, as Go writes durations.
fn reset(used: u32, limit: u32) -> String {
    let ms = u64::from(used) * 60_000 / u64::from(limit.max(1));
    match (ms / 60_000, ms % 60_000 / 1000, ms % 1000) {
        (0, 0, ms) => format!("{ms}ms"),
        (0, seconds, 0) => format!("{seconds}s"),
        (0, seconds, ms) => format!("{seconds}.{ms:03}s"),
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_written_as_go_writes_durations() {
        assert_eq!(
            [(1, 500), (1, 60), (3, 120), (90, 60)].map(|(used, limit)| reset(used, limit)),
            ["120ms", "1s", "1.500s", "1m30s"]
        );
    }
}
