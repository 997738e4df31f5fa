//! What events say, and whom they are told (protocol page, §5).

use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::Life;
use crate::{
    carrier::Notice,
    clock,
    telnyx::{
        call::Call,
        delivery::{Body, Message},
        hangup::Hangup,
        hooks::Route,
        instant,
        log::EventRow,
    },
};

/// Dollars for each begun minute, in ten-thousandths.
const PRICE_PER_MINUTE: u64 = 70;

impl Life {
    /// Writes an event down and, with Call Control, sends it to whoever is to hear of it.
    pub(super) fn tell(&self, event: &'static str, extras: &Value) {
        let now = clock::now();
        let call = self.now();
        let data = json!({
            "record_type": "event",
            "event_type": event,
            "id": Uuid::new_v4().to_string(),
            "occurred_at": instant(now),
            "payload": payload(&call, event, extras),
        });
        let row = EventRow::new(&call, event, "webhook", now, data.clone());
        self.hub.change(|world| {
            if world.by_id(call.id()).is_some() {
                world.more.events.write(call.id(), row);
            }
        });
        if call.request.texml.is_some() {
            return;
        }
        for route in call.request.hooks.routes(event, &self.connection) {
            self.send(event, route, Body::Event(data.clone()));
        }
    }

    /// Hands a message to the courier.
    pub(in crate::telnyx) fn send(&self, event: &str, route: Route, body: Body) {
        let usual = || self.config.webhooks.retry_gaps_ms.iter();
        let usual = || usual().map(|gap| std::time::Duration::from_millis(*gap)).collect();
        let gaps = self.call.request.hooks.gaps(event).map_or_else(usual, <[_]>::to_vec);
        let message = Message {
            call: self.call.id().to_owned(),
            account: self.call.account().to_owned(),
            route,
            body,
            gaps,
            timeout: self.connection.webhook_timeout,
        };
        // The courier outlives the call, so somebody listens.
        let _ = self.messages.send(Notice { news: message, at: Instant::now() });
    }
}

fn payload(call: &Call, event: &str, extras: &Value) -> Value {
    let mut payload = json!({
        "call_leg_id": &*call.leg,
        "call_session_id": &*call.session,
        "connection_id": call.request.connection,
        "client_state": call.client_state.as_deref(),
        "from": call.request.from,
        "to": call.request.to,
    });
    // The one event that does not name the call has to be joined by its leg.
    if event != "call.recording.saved" {
        payload["call_control_id"] = call.id().into();
    }
    for (name, value) in extras.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    payload
}

pub(super) fn initiated(call: &Call) -> Value {
    json!({
        "direction": "outgoing",
        "state": if call.request.partner.is_some() { "bridging" } else { "parked" },
        "caller_id_name": call.request.from,
        "connection_codecs": "PCMU,PCMA,G722,OPUS",
        "offered_codecs": "PCMU,PCMA",
        "start_time": instant(call.base.created),
        "tags": [],
    })
}

pub(super) fn answered(call: &Call) -> Value {
    json!({"state": "answered", "start_time": instant(call.base.created), "tags": []})
}

pub(super) fn hangup(call: &Call) -> Value {
    let Hangup { cause, source, sip } = call.hangup.clone().unwrap_or_else(Hangup::by_callee);
    json!({
        "state": "hangup",
        "start_time": instant(call.base.created),
        "end_time": call.ended.map(|(at, _)| instant(at)),
        "hangup_cause": cause.name(),
        "hangup_source": source.name(),
        "sip_hangup_cause": sip,
        "call_quality_stats": quality(call),
        "tags": [],
    })
}

/// Null unless somebody spoke; fifty packets a second, and a good line.
pub(in crate::telnyx) fn quality(call: &Call) -> Value {
    if call.answered.is_none() {
        return Value::Null;
    }
    let packets = (call.talk.as_millis() / 20).to_string();
    json!({
        "inbound": {
            "mos": "4.50",
            "jitter_max_variance": "1.50",
            "jitter_packet_count": "0",
            "packet_count": packets,
            "skip_packet_count": "0",
        },
        "outbound": {"packet_count": packets, "skip_packet_count": "0"},
    })
}

/// Dollars and ten-thousandths.
pub(in crate::telnyx) fn price(call: &Call) -> String {
    let cost = billed_s(call) / 60 * PRICE_PER_MINUTE;
    format!("{}.{:04}", cost / 10_000, cost % 10_000)
}

fn billed_s(call: &Call) -> u64 {
    call.talk.as_secs().saturating_add(u64::from(call.talk.subsec_nanos() > 0)).div_ceil(60) * 60
}

pub(super) fn cost(call: &Call) -> Value {
    let (billed, cost) = (billed_s(call), price(call));
    let part = json!({
        "call_part": "sip-trunking",
        "cost": cost,
        "currency": "USD",
        "rate": "0.0070",
        "billed_duration_secs": billed,
    });
    json!({
        "status": "success",
        "total_cost": cost,
        "billed_duration_secs": billed,
        "cost_parts": [part],
        "occurred_at": call.ended.map(|(at, _)| instant(at)),
    })
}
