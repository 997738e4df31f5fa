//! `SIP/CreateSIPParticipant`: placing a call, or failing to in style (protocol page, §4).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::response::Response;
use serde_json::json;
use tokio::{sync::watch, time};

use super::{
    Hub, LiveKitTwirp, World,
    call::{Call, Status, Verdict},
    config::Config,
    dial::DialRequest,
    door::Need,
    error::{self, Code, Refusal},
    failure::SipStatus,
    id,
    participant::{Kind, Participant},
    room::{Line, Wishes},
    scenario::{Outcome, Scenario},
    serve::{Answer, Ask},
    wire::{Encoding, messages},
};
use crate::carrier::{self, Manner, Order, Paced as _, Phone, Placement, Reply};

/// Names a request; the official clients keep it over their own retries.
const REQUEST_ID: &str = "x-livekit-request-id";

/// Where a participant carries it, if it is heeded.
const REQUEST_ID_ATTRIBUTE: &str = "lk.request_id";

pub(super) async fn create(ask: Ask) -> Answer {
    ask.allow(Need::Dial)?;
    let config = ask.hub.config();
    let invalid = |_: &Refusal| ask.hub.count(|totals| totals.invalid += 1);
    let request = DialRequest::read(ask.value.clone(), &config).inspect_err(invalid)?;
    let id = ask.headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let order = Dial {
        api_key: ask.claims.map(|claims| claims.iss).unwrap_or_default(),
        encoding: ask.encoding,
        request_id: id.filter(|_| config.sip.honour_request_id).map(str::to_owned),
        request: Arc::new(request),
    };
    Ok(carrier::dial(ask.hub, ask.wire, order).await)
}

/// One valid request.
#[derive(Clone)]
struct Dial {
    api_key: String,
    encoding: Encoding,
    request_id: Option<String>,
    request: Arc<DialRequest>,
}

impl Order<LiveKitTwirp> for Dial {
    fn phone(&self) -> Phone {
        self.request.phone
    }

    fn replay(&self, world: &mut World, _: &Config) -> Option<Response> {
        let id = self.request_id.as_ref()?;
        let known = world.more.get(&self.request.room)?.by_identity(&self.request.identity)?;
        let same = known.attributes.get(REQUEST_ID_ATTRIBUTE) == Some(id);
        let call = known.attributes.get("sip.callID").filter(|_| same)?;
        Some(self.info(&known.sid, call))
    }

    fn place(&self, world: &mut World, config: &Config) -> Result<Call, Box<Response>> {
        refuse(world, config).map_err(|refusal| Box::new(refusal.respond()))?;
        let request = &self.request;
        let scenario = Arc::new(actual(world.scenario(request.phone, config), request));
        let call_id = id::new("SCL_");
        let mut participant = Participant::new(Kind::Sip, request.identity.clone(), crate::clock::now());
        participant.name = request.name.clone();
        participant.metadata = request.metadata.clone();
        participant.attributes = self.attributes(&call_id);
        let placement = Placement {
            id: call_id,
            account: self.api_key.clone(),
            key: Some(request.room.clone()),
            phone: request.phone,
            number: request.to.clone(),
            caller_id: request.from.clone(),
        };
        let call = world.place(placement, |base| Call {
            base,
            request: request.clone(),
            scenario: scenario.clone(),
            participant: participant.sid.as_str().into(),
            status: Status::Dialing,
            sip_status: None,
            reason: None,
            answered: None,
            ended: None,
            talk: Duration::ZERO,
            transfers: 0,
            reports_delivered: 0,
            reports_lost: 0,
            verdict: Arc::new(watch::Sender::new(Verdict::Pending)),
            gone: participant.gone.clone(),
        });
        world.more.open(config, &request.room, Wishes::default(), |room| {
            let manner = Manner::of(&scenario.quirks);
            let none = manner.none || scenario.outcome == Outcome::Silent;
            room.manner = Arc::new(Manner { none, ..manner });
            room.events = Arc::new(scenario.events.clone());
            room.line.send_replace(Line { call: Some(call.base.id.clone()), ..Line::default() });
        });
        world.more.enter(config, &request.room, participant);
        Ok(call)
    }

    async fn accepted(&self, hub: &Arc<Hub>, call: &Call) -> Response {
        let info = self.info(&call.participant, &call.base.id);
        if !self.request.waits {
            return info;
        }
        let config = hub.config();
        let mut verdict = call.verdict.subscribe();
        let settled = verdict.wait_for(|verdict| !matches!(verdict, Verdict::Pending));
        let patience = config.pace().wall(config.sip.request_timeout);
        match time::timeout(patience, settled).await {
            Ok(Ok(verdict)) => match &*verdict {
                Verdict::Failed(refusal) => refusal.respond(),
                Verdict::Answered | Verdict::Pending => info,
            },
            // The call goes on.
            Ok(Err(_)) | Err(_) => Refusal::new(Code::DeadlineExceeded, "request timed out").respond(),
        }
    }

    /// A code that Twirp has is kept; any other becomes the one that goes with the status.
    fn reply(&self, _: &Config, reply: &Reply) -> Response {
        reply.respond(|reply, status| {
            let known = Code::is_name(&reply.code);
            let code = if known { &reply.code } else { Code::of_status(reply.status).name() };
            error::respond(status, &json!({"code": code, "msg": reply.message}))
        })
    }
}

/// What the server itself forbids.
fn refuse(world: &mut World, config: &Config) -> Result<(), Refusal> {
    if config.limits.quota_used_up {
        return Err(Refusal::new(Code::ResourceExhausted, "project quota exceeded"));
    }
    let live = world.counters.totals.live;
    if config.limits.max_concurrent.is_some_and(|most| live >= u64::from(most)) {
        world.counters.totals.over_concurrency += 1;
        return Err(Refusal::new(Code::Unavailable, "cpu exhausted"));
    }
    Ok(())
}

/// The scenario, unless the trunk does not let the call out.
fn actual(scenario: Scenario, request: &DialRequest) -> Scenario {
    let trunk = &request.trunk;
    let (code, reason) = if trunk.demands_auth && trunk.auth_username.is_empty() {
        (407, "Proxy Authentication Required")
    } else if trunk.out_of_balance {
        (402, "Payment Required")
    } else if trunk.checks_numbers && !trunk.numbers.contains(&request.from) {
        (403, "Forbidden")
    } else {
        return scenario;
    };
    let sip_status = Some(SipStatus::new(code, reason));
    Scenario { outcome: Outcome::Failed, ring: Duration::ZERO, sip_status, ..scenario }
}

impl Dial {
    /// A `SIPParticipantInfo`.
    fn info(&self, participant: &str, call: &str) -> Response {
        let info = json!({
            "participant_id": participant,
            "participant_identity": self.request.identity,
            "room_name": self.request.room,
            "sip_call_id": call,
        });
        self.encoding.ok(messages::SIP_PARTICIPANT_INFO, &info)
    }

    fn attributes(&self, call_id: &str) -> BTreeMap<String, String> {
        let request = &self.request;
        let mut attributes = request.attributes.clone();
        let mut set = |name: &str, value: &str| attributes.insert(name.to_owned(), value.to_owned());
        set("sip.callID", call_id);
        set("sip.trunkID", &request.trunk.sip_trunk_id);
        set("sip.callStatus", Status::Dialing.name());
        set("sip.callIDFull", &format!("{}@127.0.0.1", call_id.trim_start_matches("SCL_")));
        set("sip.callTag", &id::new(""));
        if !request.hides_number {
            set("sip.phoneNumber", &request.to);
            set("sip.trunkPhoneNumber", &request.from);
            set("sip.hostname", &request.trunk.address);
        }
        if let Some(id) = &self.request_id {
            set(REQUEST_ID_ATTRIBUTE, id);
        }
        attributes
    }
}
