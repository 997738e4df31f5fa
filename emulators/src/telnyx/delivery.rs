//! How webhooks are signed, sent, sent again and written down (protocol page, §5).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{sync::mpsc, time};
use uuid::Uuid;

use super::{
    Hub,
    hooks::Route,
    log::{AttemptRow, DeliveryRow},
    sealed::Sealed,
};
use crate::{
    carrier::{Forgery, Manner, Notice, Paced as _},
    clock,
};

/// Something to tell one address.
#[derive(Debug)]
pub(super) struct Message {
    /// The call it is about.
    pub(super) call: String,
    pub(super) account: String,
    pub(super) route: Route,
    pub(super) body: Body,
    /// Nominal waits before each retry, at each address.
    pub(super) gaps: Vec<Duration>,
    /// Real time in which it must be answered.
    pub(super) timeout: Duration,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Body {
    /// `data` of a Call Control webhook.
    Event(Value),
    /// A TeXML callback.
    Form(Vec<(&'static str, String)>),
}

/// Delivers a call's webhooks until the sender is dropped and all is delivered or given up.
pub(super) async fn deliver(hub: &Hub, manner: Manner, mut inbox: mpsc::UnboundedReceiver<Notice<Message>>) {
    let courier = Courier { hub, manner, first: Mutex::default() };
    let in_order = hub.config().webhooks.in_order;
    let (mut waiting, mut held) = (VecDeque::new(), Vec::new());
    let mut under_way = FuturesUnordered::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            notice = inbox.recv(), if open => match notice {
                None => open = false,
                Some(_) if courier.manner.none => {}
                Some(notice) if courier.manner.reordered => held.push(notice),
                Some(notice) => waiting.push_back(notice),
            },
            Some(()) = under_way.next() => {}
        }
        if !open {
            waiting.extend(held.drain(..).rev());
        }
        // What comes in reverse comes one after the other, or else it might not.
        let one_by_one = in_order || courier.manner.reordered;
        while (!one_by_one || under_way.is_empty())
            && let Some(notice) = waiting.pop_front()
        {
            under_way.push(courier.convey(notice));
        }
    }
}

struct Courier<'a> {
    hub: &'a Hub,
    manner: Manner,
    /// The call's first sending, to be replayed.
    first: Mutex<Option<Sealed>>,
}

impl Courier<'_> {
    async fn convey(&self, notice: Notice<Message>) {
        let message = notice.news;
        time::sleep_until(notice.at + self.hub.config().pace().wall(self.manner.late)).await;
        let mut attempts = Vec::new();
        let mut delivered = false;
        for _ in 0..self.manner.copies {
            let taken = self.attempt(&message, &mut attempts).await;
            delivered |= taken;
            self.hub.count(|totals| {
                totals.callbacks_delivered += u64::from(taken);
                totals.callbacks_lost += u64::from(!taken);
            });
        }
        if let Body::Event(event) = &message.body {
            let row = DeliveryRow {
                written: time::Instant::now(),
                id: Uuid::new_v4().to_string(),
                account: message.account,
                delivered,
                attempts,
                event: event.clone(),
            };
            self.hub.change(|world| {
                if world.by_id(&message.call).is_some() {
                    world.more.deliveries.write(&message.call, row);
                }
            });
        }
    }

    /// Tries each address until one takes it or the attempts are used up.
    async fn attempt(&self, message: &Message, attempts: &mut Vec<AttemptRow>) -> bool {
        for url in &message.route.to {
            let mut gaps = message.gaps.iter();
            loop {
                let nth = attempts.len() + 1;
                let seed = &self.hub.config().signing_seed;
                let sealed = Sealed::new(message, url, nth, seed, self.manner.forgery);
                let started = clock::now();
                let status = self.send(&sealed, message.timeout).await;
                let finished = clock::now();
                let code = status.map(|status| status.as_u16());
                attempts.push(AttemptRow { started, finished, url: url.to_string(), status: code });
                self.replay(sealed, message.timeout).await;
                match status {
                    Some(status) if status.is_success() => return true,
                    Some(status) if is_final(status) => return false,
                    Some(_) | None => {}
                }
                let Some(gap) = gaps.next() else { break };
                time::sleep(self.hub.config().pace().wall(*gap)).await;
            }
        }
        false
    }

    /// With [`Forgery::Replayed`], whoever listens in sends the first webhook again after each.
    async fn replay(&self, sent: Sealed, timeout: Duration) {
        if self.manner.forgery != Some(Forgery::Replayed) {
            return;
        }
        let first = {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            match &*first {
                Some(first) => first.clone(),
                None => {
                    *first = Some(sent);
                    return;
                }
            }
        };
        self.send(&first, timeout).await;
    }

    /// What the receiver said; `None` if nothing.
    async fn send(&self, sealed: &Sealed, timeout: Duration) -> Option<StatusCode> {
        let _turn = self.hub.webhooks.acquire().await.expect("the semaphore is never closed");
        self.hub.count(|totals| totals.callback_requests += 1);
        let http = &self.hub.http;
        let url = sealed.url.clone();
        let mut request = if sealed.get {
            http.get(url)
        } else {
            http.post(url).header("content-type", sealed.content_type).body(sealed.body.clone())
        };
        request = request.timeout(timeout).header("user-agent", "telnyx-webhooks");
        if let Some((timestamp, signature)) = &sealed.signature {
            request = request.header("telnyx-timestamp", timestamp);
            request = request.header("telnyx-signature-ed25519", signature);
        }
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
}

/// Whether an answer that is no success ends the matter. A redirect does not: one page of the
/// documents has it followed, another has it count as a failure, as it does here.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && status != StatusCode::REQUEST_TIMEOUT
        && status != StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_will_not_change_is_final() {
        let is_final = |code| is_final(StatusCode::from_u16(code).expect("a status"));
        for code in [400, 401, 403, 404, 410, 422] {
            assert!(is_final(code), "{code}");
        }
        for code in [301, 408, 429, 500, 503] {
            assert!(!is_final(code), "{code}");
        }
    }
}
