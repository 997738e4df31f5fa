//! The carrier's media streams, in their smallest form: a stream's start proves that
//! the call was answered; then the stream is closed, which ends the call. The media
//! worker takes this place.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use outdial_jobs::media::wire::{StreamEvent, parse};
use outdial_jobs::providers::Provider;
use outdial_workflows::call::{CallFact, CallId, CallStatus, Source};
use outdial_workflows::ids::{AttemptRef, DialKey};
use outdial_workflows::input::Input;

use super::{Api, webhooks};

/// A socket that has not said `start` by then is closed. Exotel says it at once.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn exotel(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match webhooks::authentic(&api, &key, &secret) {
        Ok(key) => upgrade.on_upgrade(move |socket| attend(api, key, socket)),
        Err((result, problem)) => {
            api.metrics.webhook(Provider::Exotel, result);
            problem.into_response()
        }
    }
}

async fn attend(api: Api, key: DialKey, mut socket: WebSocket) {
    match tokio::time::timeout(PATIENCE, start(&mut socket)).await {
        Ok(Some(call_id)) => answered(&api, key, call_id).await,
        Ok(None) | Err(_) => tracing::warn!(attempt = %key, "a stream ended before it began"),
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// The call that the stream belongs to, once it says so.
async fn start(socket: &mut WebSocket) -> Option<CallId> {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        if let Ok(StreamEvent::Start { call_id, .. }) = parse(&text) {
            return Some(call_id);
        }
    }
    None
}

async fn answered(api: &Api, key: DialKey, call_id: CallId) {
    let AttemptRef { client, lead, number } = key.0;
    let fact = CallFact::progress(Some(call_id), CallStatus::Connected);
    let news = Input::News { attempt: number, fact, source: Source::Stream };
    if let Err(error) = api.engine.input(client, lead, news, None).await {
        tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error, "an answer was not taken in");
    }
}
