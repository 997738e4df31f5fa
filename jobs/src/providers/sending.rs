//! Sending a dial request once, and telling whether it may have left when no answer comes.

use std::error::Error as _;
use std::time::Instant;

use bytes::Bytes;
use outdial_workflows::call::{DialReply, Refusal, RefusalKind};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;

use super::answer::Answer;
use super::permit::{PermitOver, Sent};
use super::tidy::{tidy, words_of};
use super::{DialBody, Permit};

/// Sends `body` with `request`, once. Without an answer: what is known of the dial, tidied of `secrets`.
pub(super) async fn send_once(
    request: RequestBuilder,
    permit: Permit,
    body: &DialBody,
    secrets: &[&str],
) -> Result<Answer, DialReply> {
    let started = Instant::now();
    let (permitted, sent) = permit.seal(Bytes::from(body.text.clone()));
    let request = request.header(CONTENT_TYPE, &body.content_type).body(reqwest::Body::wrap(permitted));
    match request.send().await {
        Ok(response) => Ok(Answer::read(response).await),
        Err(error) => Err(no_answer(error, started, &sent, secrets).await),
    }
}

/// No answer came. The request was not sent if its body was never read and never will be.
async fn no_answer(error: reqwest::Error, started: Instant, sent: &Sent, secrets: &[&str]) -> DialReply {
    let late = is_permit_over(&error);
    let stillborn = error.is_connect() || error.is_builder() || late;
    if !stillborn && !sent.possible() {
        // A connection may still hold the request. It cannot read the body once the permit,
        // which is older than this call, has run out.
        tokio::time::sleep(Permit::VALID_FOR.saturating_sub(started.elapsed())).await;
    }
    let cause = tidy(&words_of(error), secrets);
    if sent.possible() {
        return DialReply::Unknown { cause: format!("sent, but no answer came: {cause}") };
    }
    let kind = if late { RefusalKind::TooLate } else { RefusalKind::NotSent };
    DialReply::Refused(Refusal { kind, cause: format!("not sent: {cause}") })
}

fn is_permit_over(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<PermitOver>() {
            return true;
        }
        source = cause.source();
    }
    false
}
