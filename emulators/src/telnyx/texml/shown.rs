//! What TeXML reads show of a call, as it was at one moment.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    carrier::Paced as _,
    telnyx::{
        call::{Call, Status},
        config::Config,
        life,
    },
};

/// A call as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telnyx) struct Shown {
    pub(super) status: Status,
    answered: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    updated: DateTime<Utc>,
    talk_s: u64,
    answered_by: Option<&'static str>,
    price: Option<String>,
}

impl Shown {
    pub(in crate::telnyx) fn of(call: &Call) -> Self {
        Self {
            status: call.status,
            answered: call.answered,
            ended: call.ended.map(|(at, _)| at),
            updated: call.base.updated,
            talk_s: call.talk.as_secs(),
            answered_by: call.answered_by,
            price: call.ended.map(|_| life::price(call)),
        }
    }

    /// As reads show it that lag behind; `None` if it has not yet come to be seen.
    pub(super) fn at(call: &Call, config: &Config) -> Option<Self> {
        let lag = config.pace().wall(config.reads.texml_lag);
        let seen = |at: &Instant| at.elapsed() >= lag;
        call.past.iter().rev().find(|(at, _)| seen(at)).map(|(_, shown)| shown.clone())
    }

    /// A CallResource.
    pub(super) fn resource(&self, call: &Call) -> Value {
        let date = |at: DateTime<Utc>| at.to_rfc2822();
        let status = if self.status == Status::Queued { Status::Ringing } else { self.status };
        json!({
            "sid": call.id(),
            "account_sid": call.account(),
            "from": call.request.from,
            "from_formatted": call.request.from,
            "to": call.request.to,
            "to_formatted": call.request.to,
            "direction": "outbound",
            "status": status.name(),
            "answered_by": self.answered_by.map(short),
            "caller_name": null,
            "duration": self.ended.map(|_| self.talk_s.to_string()),
            "start_time": self.answered.map(date),
            "end_time": self.ended.map(date),
            "date_created": date(call.base.created),
            "date_updated": date(self.updated),
            "price": self.price,
            "price_unit": "USD",
            "uri": format!("/v2/texml/Accounts/{}/Calls/{}", call.account(), call.id()),
        })
    }
}

/// The resource's own three words.
fn short(result: &'static str) -> &'static str {
    match result {
        "human" | "human_residence" | "human_business" => "human",
        "machine" => "machine",
        _ => "not_sure",
    }
}
