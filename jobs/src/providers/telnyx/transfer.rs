//! Handing a call to somebody else: Telnyx dials a second leg, and bridges the first one with it.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outdial_workflows::call::{CallResult, DialReply};
use outdial_workflows::ids::DialKey;
use outdial_workflows::transfer::TransferTold;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;

use super::Telnyx;
use super::compose::is_e164;
use super::mapping;
use super::reads::words;
use super::wire::Event;
use crate::providers::answer::Answer;
use crate::providers::sending::send_once;
use crate::providers::{CannotCompose, DialBody, Permit, Provider, TransferOrder};

/// How long whom the call goes to is rung, in seconds: what Telnyx takes where nothing is said, said so that it
/// stays. Meanwhile the person hears ringing.
const RING_S: u32 = 30;

/// How long after the first request another with the same `command_id` is certain to be taken for its copy.
/// Telnyx documents 60 s; the rest is for the way there.
const COPIES_WITHIN: Duration = Duration::from_secs(45);

/// Before the number of a transfer, in the state of its leg. With four digits behind it and a slash, fourteen
/// characters precede our key, which is no multiple of three: in Base64 the state does not hold that of the
/// first leg, which logs are searched for.
const MARK: &str = "transfer.";

#[derive(Serialize)]
struct Transfer<'a> {
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    command_id: String,
    target_leg_client_state: String,
    webhook_url: String,
    webhook_url_method: &'static str,
    timeout_secs: u32,
    /// Played to whom the call goes to as they answer, and before they are put through.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_url: Option<String>,
}

impl Telnyx {
    /// Asks for it, and once more if no certain answer came: Telnyx ignores a command with the `command_id` of
    /// another for the same call.
    pub(super) async fn transfer_call(&self, permit: Permit, order: &TransferOrder<'_>) -> TransferTold {
        let Some(call) = &order.question.attempt.call_id else {
            return refused("Telnyx has not named the call yet".into());
        };
        let body = match self.transfer_body(order) {
            Ok(body) => body,
            Err(problem) => return refused(problem.0),
        };
        let url = self.v2(&["calls", &call.0, "actions", "transfer"]);
        let started = Instant::now();
        order.question.requests.another();
        let request = self.authorised(self.http.post(url.clone()));
        let first = match send_once(request, permit, &body, &self.secrets()).await {
            Ok(answer) => self.transfer_answer(&answer),
            Err(DialReply::Refused(refusal)) => refused(refusal.cause),
            Err(DialReply::Unknown { cause }) => TransferTold::Unknown { cause },
            // Only an answer can say so.
            Err(DialReply::Bound { .. }) => TransferTold::UnderWay,
        };
        let TransferTold::Unknown { .. } = &first else { return first };
        if started.elapsed() >= COPIES_WITHIN {
            return first;
        }
        order.question.requests.another();
        let copy = self.http.post(url).header(CONTENT_TYPE, &body.content_type).body(body.text);
        match self.answer_to(copy).await {
            Ok(answer) => match self.transfer_answer(&answer) {
                // That the copy was turned down, as once the call is over, says nothing of the first request.
                TransferTold::Refused { .. } | TransferTold::Unknown { .. } => first,
                told @ (TransferTold::UnderWay | TransferTold::Done) => told,
            },
            Err(_) => first,
        }
    }

    fn transfer_body(&self, order: &TransferOrder<'_>) -> Result<DialBody, CannotCompose> {
        let key = order.question.key;
        // Without it Telnyx would show whom it rings the number of the person in the call.
        let from = order.question.attempt.caller_id.as_ref().map(|from| from.0.as_str());
        let transfer = Transfer {
            to: order.to.dialled(),
            from: from.filter(|from| is_e164(from)),
            command_id: state(key, order.number),
            target_leg_client_state: STANDARD.encode(state(key, order.number)),
            webhook_url: order.webhook_url(Provider::Telnyx)?,
            webhook_url_method: "POST",
            timeout_secs: RING_S,
            audio_url: order.briefing_url()?,
        };
        let text = serde_json::to_string(&transfer).map_err(|problem| CannotCompose(problem.to_string()))?;
        Ok(DialBody { content_type: "application/json".into(), text })
    }

    fn transfer_answer(&self, answer: &Answer) -> TransferTold {
        if answer.status.is_success() {
            return TransferTold::UnderWay;
        }
        let cause = self.tidy(&words(answer));
        // 408 is said of requests that may have been carried out.
        match answer.status.as_u16() {
            408 => TransferTold::Unknown { cause },
            400..=499 => refused(cause),
            _ => TransferTold::Unknown { cause },
        }
    }
}

fn refused(cause: String) -> TransferTold {
    TransferTold::Refused { cause }
}

fn state(key: DialKey, number: NonZeroU16) -> String {
    format!("{MARK}{number:04x}/{key}")
}

/// Which transfer's leg has this state; `None` for a call that we dialled.
fn leg(state: &str) -> Option<(DialKey, NonZeroU16)> {
    let (number, key) = state.strip_prefix(MARK)?.split_once('/')?;
    Some((key.parse().ok()?, NonZeroU16::new(u16::from_str_radix(number, 16).ok()?)?))
}

/// Whether an event is of a transfer's leg, and if so which; the inner `None` is an event of it that tells
/// nothing of the transfer.
pub(super) fn told(event: &Event, state: &str) -> Option<(DialKey, NonZeroU16, Option<TransferTold>)> {
    let (key, number) = leg(state)?;
    let told = match event.event_type.as_deref().unwrap_or_default() {
        "call.initiated" => Some(TransferTold::UnderWay),
        "call.bridged" => Some(TransferTold::Done),
        "call.hangup" => {
            let end = mapping::end(&event.payload);
            Some(match end.result {
                // Its leg was answered, and so it was bridged, whichever of the two is told first.
                CallResult::Answered | CallResult::Voicemail => TransferTold::Done,
                CallResult::NoAnswer
                | CallResult::Busy
                | CallResult::Failed
                | CallResult::InvalidNumber
                | CallResult::Lost => {
                    let why = end.cause.unwrap_or_default();
                    refused(format!("whom it was to go to was not reached: {why}"))
                }
            })
        }
        _ => None,
    };
    Some((key, number, told))
}
