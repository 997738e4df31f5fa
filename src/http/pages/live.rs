//! Parts of a page, sent anew as they change.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use chrono::SubsecRound;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::outcome::Failure;
use super::session;
use super::shell::Visit;

/// How often parts are sent at most.
const APART: Duration = Duration::from_secs(1);
/// How often they are looked at although nothing was heard of: another process may have committed.
const LOOK: Duration = Duration::from_secs(3);
/// How often is looked whether the process stops.
const STOPS: Duration = Duration::from_secs(1);
/// After so long a browser asks anew, and proves again who it is.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// Parts of a page: their ids and what they hold.
pub(super) type Parts = Vec<(&'static str, String)>;

struct Live<F> {
    visit: Visit,
    headers: HeaderMap,
    look: F,
    happenings: watch::Receiver<()>,
    /// What the browser has.
    sent: HashMap<&'static str, String>,
    ready: VecDeque<Event>,
    looked: Option<Instant>,
    until: Instant,
}

/// Sends what `look` sees whenever it is another than before.
pub(super) fn stream<F>(visit: Visit, headers: HeaderMap, look: F) -> Response
where
    F: for<'a> Fn(&'a Visit) -> std::pin::Pin<Box<dyn Future<Output = Result<Parts, Failure>> + Send + 'a>>
        + Send
        + Sync
        + 'static,
{
    // Before the first look, so that nothing is missed after it.
    let happenings = visit.api.engine.hub().happenings();
    let (sent, ready, until) = (HashMap::new(), VecDeque::new(), Instant::now() + LASTS);
    let live = Live { visit, headers, look, happenings, sent, ready, looked: None, until };
    Sse::new(unfold(live, next)).keep_alive(KeepAlive::default()).into_response()
}

async fn next<F>(mut live: Live<F>) -> Option<(Result<Event, Infallible>, Live<F>)>
where
    F: for<'a> Fn(&'a Visit) -> std::pin::Pin<Box<dyn Future<Output = Result<Parts, Failure>> + Send + 'a>>
        + Send
        + Sync
        + 'static,
{
    loop {
        if let Some(event) = live.ready.pop_front() {
            return Some((Ok(event), live));
        }
        if let Some(looked) = live.looked {
            while looked.elapsed() < LOOK && !live.visit.api.engine.is_stopping() {
                if tokio::time::timeout(STOPS, live.happenings.changed()).await.is_ok() {
                    tokio::time::sleep_until(looked + APART).await;
                    break;
                }
            }
        }
        let over = live.visit.api.engine.is_stopping() || Instant::now() > live.until;
        if over || !session::goes_on(&live.visit.api, &live.headers).await {
            return None;
        }
        live.looked = Some(Instant::now());
        // To the minute, so that parts do not change for their times alone: the browser tells those.
        let now = live.visit.api.engine.now().await.ok()?;
        live.visit.signed.now = now.trunc_subsecs(0) - chrono::TimeDelta::seconds(now.timestamp() % 60);
        let Ok(parts) = (live.look)(&live.visit).await else { return None };
        for (id, html) in parts {
            if live.sent.get(id) != Some(&html) {
                let data = json!({ "id": id, "html": html }).to_string();
                live.ready.push_back(Event::default().event("part").data(data));
                live.sent.insert(id, html);
            }
        }
    }
}
