//! Webhooks: what they say, to whom, and how they are delivered (protocol page, §7).

use std::{sync::Arc, time::Duration};

use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    time,
};

use super::{
    Hub,
    call::{Call, View},
    config::Config,
    event::Event,
    scenario::Transfer,
    sign,
};
use crate::{
    carrier::{self, Forgery, Manner, Notice, Paced as _, Quirk},
    clock,
};

/// The signature's header.
const SIGNATURE: &str = "x-retell-signature";

/// A moment in a call's life.
#[derive(Debug)]
pub(super) struct News {
    pub(super) event: Event,
    /// The call as it then was.
    pub(super) call: Call,
    /// The transfer that the event is about.
    pub(super) transfer: Option<Transfer>,
}

impl News {
    fn body(&self, config: &Config) -> Bytes {
        let mut call = self.call.object(View::Told(self.event));
        if config.webhooks.stale_status && self.event == Event::CallEnded {
            call["call_status"] = "registered".into();
        }
        let mut body = json!({"event": self.event, "call": call});
        if let Some(transfer) = &self.transfer {
            let beside = if config.webhooks.transfer_in_call { &mut body["call"] } else { &mut body };
            beside["transfer_destination"] = transfer.to.as_str().into();
            beside["transfer_option"] = json!({"type": "cold_transfer"});
        }
        Value::to_string(&body).into()
    }
}

/// Delivers a call's webhooks until the sender is dropped.
///
/// Each is first sent when the one before has been answered or has failed once. What failed is sent
/// again meanwhile, so it may come after what happened later.
pub(super) async fn deliver(
    hub: &Hub,
    call: &Call,
    quirks: &[Quirk],
    mut inbox: mpsc::UnboundedReceiver<Notice<News>>,
) {
    let manner = Manner::of(quirks);
    let config = hub.config();
    let agent = &call.request.agent;
    let Some(url) = agent.webhook_url.as_deref().or(config.webhooks.url.as_deref()) else { return };
    if manner.none {
        return;
    }
    let timeout = agent.webhook_timeout.unwrap_or(config.webhooks.timeout);
    let delivery = Delivery { hub, config: &config, manner: &manner, url, timeout };
    let wanted = |news: &News| agent.webhook_events.contains(&news.event);
    let (mut held, mut before) = (Vec::new(), None);
    let mut under_way = FuturesUnordered::new();
    let mut send = |notice| {
        let (done, next) = oneshot::channel();
        delivery.tell(notice, before.replace(next), done)
    };
    loop {
        tokio::select! {
            notice = inbox.recv() => match notice {
                Some(notice) if !wanted(&notice.news) => {}
                Some(notice) if manner.reordered => held.push(notice),
                Some(notice) => under_way.push(send(notice)),
                None => break,
            },
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
        }
    }
    under_way.extend(held.into_iter().rev().map(send));
    while under_way.next().await.is_some() {}
}

struct Delivery<'a> {
    hub: &'a Hub,
    config: &'a Arc<Config>,
    manner: &'a Manner,
    url: &'a str,
    timeout: Duration,
}

impl Delivery<'_> {
    /// Sends one notice as often as the manner has it. `done` lets the next one go.
    async fn tell(
        &self,
        notice: Notice<News>,
        before: Option<oneshot::Receiver<()>>,
        done: oneshot::Sender<()>,
    ) {
        let pace = self.config.pace();
        time::sleep_until(notice.at + pace.wall(self.manner.late)).await;
        if let Some(before) = before {
            // An error means that it was let go of, which is all that is waited for.
            let _ = before.await;
        }
        let body = notice.news.body(self.config);
        let mut done = Some(done);
        for _ in 0..self.manner.copies {
            let last = self.attempt(&body, &mut done).await;
            if self.manner.forgery == Some(Forgery::Replayed) {
                self.replay(last).await;
            }
        }
    }

    /// Tries until it is taken or the attempts are used up; returns the last request.
    async fn attempt(&self, body: &Bytes, done: &mut Option<oneshot::Sender<()>>) -> RequestBuilder {
        let mut retries = self.config.webhooks.retries;
        loop {
            let request = self.request(body);
            let again = request.try_clone();
            let delivered = self.send(request).await;
            if delivered || retries == 0 {
                self.count(delivered);
                return again.expect("a request whose body is bytes can be cloned");
            }
            retries -= 1;
            done.take();
            time::sleep(self.config.pace().wall(self.config.webhooks.retry_gap)).await;
        }
    }

    /// The very same once more, with the signature of the first time.
    async fn replay(&self, request: RequestBuilder) {
        let delivered = self.send(request).await;
        self.count(delivered);
    }

    async fn send(&self, request: RequestBuilder) -> bool {
        // Boxed: a call waits far longer than it sends, and should not carry room for a request.
        let status = Box::pin(carrier::send(self.hub, request)).await;
        status.is_some_and(|status| status.is_success())
    }

    fn request(&self, body: &Bytes) -> RequestBuilder {
        let now_ms = clock::now().timestamp_millis();
        let signature = sign::header(&self.config.keys.webhook, body, now_ms, self.manner.forgery);
        let request = self.hub.http.post(self.url).timeout(self.timeout);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        signature.into_iter().fold(request, |request, value| request.header(SIGNATURE, value))
    }

    fn count(&self, delivered: bool) {
        self.hub.count(|totals| {
            totals.callbacks_delivered += u64::from(delivered);
            totals.callbacks_lost += u64::from(!delivered);
        });
    }
}
