//! Webhooks: checked, taken in, and answered once that has committed.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use outdial_jobs::clock::wall;
use outdial_jobs::engine::{AccountError, EngineError};
use outdial_jobs::media::telling;
use outdial_jobs::providers::{Provider, SharedCarrier, Webhook, WebhookError, WebhookRequest};
use outdial_jobs::store::inbox::CallOf;
use outdial_jobs::traces;
use outdial_workflows::call::{CallFact, Source};
use outdial_workflows::ids::{AccountId, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::input::{CallNews, Input};
use tracing::Instrument;
use uuid::Uuid;

use super::v1::Named;
use super::{Api, Problem};

/// A commit that takes longer is answered 503; the carrier sends the webhook again.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// A webhook of an account whose carrier signs what it sends.
pub(super) async fn signed(
    State(api): State<Api>,
    Named((provider, client, account)): Named<(String, Uuid, Uuid)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else {
        return Problem::not_found("there is no such carrier").into_response();
    };
    let whose = (ClientId(client), AccountId(account));
    let taken = take_signed(&api, provider, whose, None, (&headers, &body));
    answer(&api, provider, taken).await
}

/// A webhook that is signed and echoes no key of ours: its address, made anew for each attempt, says whose it
/// is. Both must prove themselves.
pub(super) async fn signed_of_attempt(
    State(api): State<Api>,
    Named((provider, client, account, key, secret)): Named<(String, Uuid, Uuid, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else {
        return Problem::not_found("there is no such carrier").into_response();
    };
    let whose = (ClientId(client), AccountId(account));
    let taken = async {
        let key = authentic(&api, &key, &secret)?;
        take_signed(&api, provider, whose, Some(key), (&headers, &body)).await
    };
    answer(&api, provider, taken).await
}

/// Exotel signs nothing: the address itself is the proof, made anew for each attempt.
pub(super) async fn exotel(
    State(api): State<Api>,
    Path((key, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let taken = take_unsigned(&api, &key, &secret, &headers, &body);
    answer(&api, Provider::Exotel, taken).await
}

type Refused = (&'static str, Problem);
/// What became of a webhook, as it is counted.
type Taken = Result<&'static str, Refused>;

async fn answer(api: &Api, provider: Provider, taking: impl Future<Output = Taken>) -> Response {
    let late =
        || Err(("late", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "not yet; send it again")));
    let began = Instant::now();
    let taken = tokio::time::timeout(PATIENCE, taking).await;
    api.metrics.webhook_took(provider, began.elapsed());
    match taken.unwrap_or_else(|_| late()) {
        Ok(result) => {
            api.metrics.webhook(provider, result);
            StatusCode::OK.into_response()
        }
        Err((result, problem)) => {
            api.metrics.webhook(provider, result);
            problem.into_response()
        }
    }
}

async fn take_signed(
    api: &Api,
    provider: Provider,
    (client, account): (ClientId, AccountId),
    addressed: Option<DialKey>,
    sent: (&HeaderMap, &Bytes),
) -> Taken {
    let carrier = api.engine.carrier(client, account).await.map_err(|error| unusable(&error))?;
    let is_its = |carrier: &SharedCarrier| carrier.provider() == provider && carrier.signs_webhooks();
    let carrier = carrier.filter(is_its).ok_or_else(|| {
        tracing::warn!("a webhook came for an account that does not exist, or does not sign");
        ("unauthentic", Problem::new(StatusCode::UNAUTHORIZED, "unauthentic", "there is no such account"))
    })?;
    let mut read = read_with(&carrier, addressed, sent).await;
    if let Err(WebhookError::Unauthentic(_)) = &read
        && let Some(renewed) =
            api.engine.renewed_carrier(client, account).await.map_err(|error| unusable(&error))?
    {
        read = read_with(&renewed, addressed, sent).await;
    }
    match read.map_err(|error| turned_down(provider, &error))? {
        Webhook::News { key: Some(key), fact } => {
            // What the key names is checked like any input; a name of another client is not ours to take.
            match key.parse::<DialKey>().ok().filter(|key| key.0.client == client) {
                Some(key) => take_in(api, key, fact).await,
                None => take_by_call(api, provider, (client, account), fact).await,
            }
        }
        Webhook::News { key: None, fact } => take_by_call(api, provider, (client, account), fact).await,
        // A leg of another client's is not ours to take.
        Webhook::Transfer { key, .. } if key.0.client != client => Ok("unknown"),
        Webhook::Transfer { key, number, told } => {
            let AttemptRef { lead, number: attempt, .. } = key.0;
            taken_in(api, client, lead, Input::Transferred { attempt, transfer: number, told }).await
        }
        Webhook::Nothing { event } => {
            tracing::debug!(event, "a webhook that changes nothing");
            Ok("ignored")
        }
        Webhook::Stranger { event } => {
            tracing::warn!(
                event,
                provider = provider.name(),
                "a webhook of a type that is not known is kept"
            );
            let kept = api.engine.keep_strange_webhook(client, account, &event, sent.1).await;
            kept.map_err(|error| busy(&error))?;
            Ok("unknown_event")
        }
    }
}

async fn take_unsigned(api: &Api, key: &str, secret: &str, headers: &HeaderMap, body: &Bytes) -> Taken {
    let key = authentic(api, key, secret)?;
    let carrier = api.engine.carrier_of(key.0).await.map_err(|error| unusable(&error))?;
    let carrier = carrier.ok_or_else(|| {
        tracing::warn!(attempt = %key, "a webhook came for an attempt that is not in the ledger");
        ("unknown", Problem::not_found("the ledger holds no such attempt"))
    })?;
    let read = read_with(&carrier, None, (headers, body)).await;
    match read.map_err(|error| turned_down(Provider::Exotel, &error))? {
        Webhook::News { key: Some(theirs), .. } if theirs != key.to_string() => {
            let detail = "the webhook names another attempt than its address";
            Err(("mismatched", Problem::new(StatusCode::BAD_REQUEST, "mismatched-webhook", detail)))
        }
        Webhook::News { fact, .. } => take_in(api, key, fact).await,
        Webhook::Transfer { .. } | Webhook::Nothing { .. } | Webhook::Stranger { .. } => Ok("ignored"),
    }
}

async fn read_with(
    carrier: &SharedCarrier,
    addressed: Option<DialKey>,
    (headers, body): (&HeaderMap, &Bytes),
) -> Result<Webhook, WebhookError> {
    carrier.webhook(WebhookRequest { headers, body, addressed, now: wall() }).await
}

fn turned_down(provider: Provider, error: &WebhookError) -> Refused {
    tracing::warn!(provider = provider.name(), %error, "a webhook is turned down");
    match error {
        // What is wrong with a signature is for our log alone.
        WebhookError::Unauthentic(_) => {
            let detail = "its signature is missing, wrong or stale";
            ("unauthentic", Problem::new(StatusCode::UNAUTHORIZED, "unauthentic", detail))
        }
        WebhookError::Unreadable(_) => {
            let detail = error.to_string();
            ("unreadable", Problem::new(StatusCode::BAD_REQUEST, "unreadable-webhook", detail))
        }
    }
}

async fn take_in(api: &Api, key: DialKey, fact: CallFact) -> Taken {
    let AttemptRef { client, lead, number } = key.0;
    if let Err(error) = telling::tell_fact(&api.engine, key.0, &fact).await {
        tracing::warn!(attempt = %key, error = &error as &dyn std::error::Error,
            "a conversation was not told what its carrier says");
    }
    let news = Input::News { attempt: number, fact, source: Source::Webhook };
    taken_in(api, client, lead, news).await
}

async fn taken_in(api: &Api, client: ClientId, lead: LeadId, news: Input) -> Taken {
    let span = tracing::debug_span!(target: traces::TARGET, "webhook", lead.id = %lead);
    let taking = api.engine.input(client, lead, news, None);
    match taking.instrument(traces::in_trace_of(span, lead)).await {
        // A quarantined workflow's news waits in the inbox.
        Ok(_) | Err(EngineError::Quarantined(_)) => Ok("taken"),
        // Of a lead that is gone, or of another installation with the same account.
        Err(EngineError::NoSuchLead(_)) => Ok("unknown"),
        Err(error) => Err(busy(&error)),
    }
}

/// News that names its call in the carrier's words alone waits for the attempt that made the call.
async fn take_by_call(
    api: &Api,
    provider: Provider,
    (client, account): (ClientId, AccountId),
    fact: CallFact,
) -> Taken {
    let Some(call) = fact.call_id.clone() else { return Ok("unknown") };
    let of = CallOf { client, account, provider, call: &call };
    let news = CallNews::Fact { fact, source: Source::Webhook };
    api.engine.call_news(&of, &news).await.map_err(|error| busy(&error))?;
    Ok("kept")
}

fn busy(error: &(dyn std::error::Error + 'static)) -> Refused {
    tracing::warn!(error, "a webhook was not taken in");
    let detail = "it could not be taken in; send it again";
    ("failed", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail))
}

fn unusable(error: &AccountError) -> Refused {
    tracing::error!(error = error as &dyn std::error::Error, "a webhook's account cannot be used");
    let detail = "it could not be taken in; send it again";
    ("failed", Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail))
}

/// The attempt that an address names, if we made that address. Nothing is looked up for a wrong one,
/// and the answer does not tell what was wrong with it.
pub(super) fn authentic(api: &Api, key: &str, secret: &str) -> Result<DialKey, Refused> {
    let key = key.parse::<DialKey>().ok().filter(|key| api.engine.key().is_secret_of(*key, secret));
    key.ok_or_else(|| {
        tracing::warn!("a webhook or stream came to an address that was never given out");
        let detail = "this address was never given out";
        ("unauthentic", Problem::new(StatusCode::UNAUTHORIZED, "unauthentic", detail))
    })
}
