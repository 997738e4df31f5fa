//! How webhooks are delivered, whatever they say.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

use super::{Forgery, Hub, Paced as _, Protocol, Quirk};

/// Something to tell, and when it happened.
#[derive(Debug)]
pub(crate) struct Notice<T> {
    pub(crate) news: T,
    pub(crate) at: Instant,
}

impl<T> Notice<T> {
    /// It happens now.
    pub(crate) fn now(news: T) -> Self {
        Self { news, at: Instant::now() }
    }
}

/// How the scenario wants a call's webhooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// How often each is sent.
    pub(crate) copies: u32,
    /// All at the end, the last first.
    pub(crate) reordered: bool,
    /// By how much each is late.
    pub(crate) late: Duration,
    /// None is sent.
    pub(crate) none: bool,
    /// What is wrong with the signatures.
    pub(crate) forgery: Option<Forgery>,
}

impl Manner {
    pub(crate) fn of(quirks: &[Quirk]) -> Self {
        let mut manner = Self { copies: 1, ..Self::default() };
        for quirk in quirks {
            match quirk {
                Quirk::DuplicateCallbacks { extra } => manner.copies += extra,
                Quirk::ReorderedCallbacks => manner.reordered = true,
                Quirk::LateCallbacks { by } => manner.late += *by,
                Quirk::NoCallbacks => manner.none = true,
                Quirk::Forged(forgery) => manner.forgery = Some(*forgery),
                Quirk::AcceptThenDrop
                | Quirk::DropBeforeAccepting { .. }
                | Quirk::Reply(_)
                | Quirk::Hang { .. }
                | Quirk::SlowResponse { .. }
                | Quirk::StreamBreaks { .. } => {}
            }
        }
        manner
    }
}

/// When a webhook that was not taken is sent again.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Nominal waits before the second sending, the third, and so on.
    pub(crate) gaps: Vec<Duration>,
    /// Whether an answer of this status makes the carrier send again; no answer always does.
    pub(crate) again: fn(StatusCode) -> bool,
}

/// Delivers a call's webhooks, one after the other, until the sender is dropped.
///
/// Only what is `wanted` is told. `request` makes the request of a notice's sending number `n`, counted from 1 over all its copies.
pub(crate) async fn deliver<P: Protocol, T>(
    hub: &Hub<P>,
    manner: &Manner,
    schedule: &Schedule,
    mut inbox: mpsc::UnboundedReceiver<Notice<T>>,
    wanted: impl Fn(&T) -> bool,
    request: impl Fn(&T, u32) -> RequestBuilder,
) {
    let mut held = Vec::new();
    while let Some(notice) = inbox.recv().await {
        if manner.none || !wanted(&notice.news) {
            continue;
        }
        if manner.reordered {
            held.push(notice);
        } else {
            send_copies(hub, manner, schedule, &notice, &request).await;
        }
    }
    for notice in held.iter().rev() {
        send_copies(hub, manner, schedule, notice, &request).await;
    }
}

/// Sends one notice as often as the manner has it.
pub(crate) async fn send_copies<P: Protocol, T>(
    hub: &Hub<P>,
    manner: &Manner,
    schedule: &Schedule,
    notice: &Notice<T>,
    request: &impl Fn(&T, u32) -> RequestBuilder,
) {
    let pace = hub.config().pace();
    time::sleep_until(notice.at + pace.wall(manner.late)).await;
    let mut sendings = 0;
    for _ in 0..manner.copies {
        // Boxed: a call waits far longer than it sends, and should not carry room for a request.
        let delivered =
            Box::pin(attempt(hub, schedule, &mut sendings, |nth| request(&notice.news, nth))).await;
        hub.count(|totals| {
            totals.callbacks_delivered += u64::from(delivered);
            totals.callbacks_lost += u64::from(!delivered);
        });
    }
}

/// Tries until it is taken or the attempts are used up.
async fn attempt<P: Protocol>(
    hub: &Hub<P>,
    schedule: &Schedule,
    sendings: &mut u32,
    request: impl Fn(u32) -> RequestBuilder,
) -> bool {
    let mut gaps = schedule.gaps.iter();
    loop {
        *sendings += 1;
        let status = send(hub, request(*sendings)).await;
        if status.is_some_and(|status| status.is_success()) {
            return true;
        }
        let again = status.is_none_or(schedule.again);
        match gaps.next().filter(|_| again) {
            Some(gap) => time::sleep(hub.config().pace().wall(*gap)).await,
            None => return false,
        }
    }
}

/// What the receiver said; `None` if nothing.
pub(crate) async fn send<P: Protocol>(hub: &Hub<P>, request: RequestBuilder) -> Option<StatusCode> {
    let _turn = hub.webhooks.acquire().await.expect("the semaphore is never closed");
    hub.count(|totals| totals.callback_requests += 1);
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            // Read to its end, so that the connection can be used again.
            response.bytes().await.is_ok().then_some(status)
        }
        Err(error) => {
            tracing::debug!(%error, "a webhook was not delivered");
            None
        }
    }
}
