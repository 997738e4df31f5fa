//! The other methods of `SIP`: transfers, and the list of trunks (protocol page, §4).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    DisconnectReason,
    call::Call,
    config::Trunk,
    door::Need,
    error::{Code, Refusal},
    id,
    participant::Kind,
    rooms::act,
    scenario::Transfer,
    serve::{Answer, Ask},
    wire::messages,
};
use crate::socket::cut;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Transferred {
    participant_identity: String,
    room_name: String,
    transfer_to: String,
}

/// Hands a callee to somebody else, who is not asked by us.
pub(super) fn transfer(ask: &Ask) -> Answer {
    let Transferred { participant_identity, room_name, transfer_to } = ask.read()?;
    ask.allow(Need::Transfer(&room_name))?;
    if !["sip:", "sips:", "tel:"].iter().any(|scheme| transfer_to.starts_with(scheme)) {
        let message = "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)";
        return Err(Refusal::invalid(message));
    }
    let call = call_of(ask, &room_name, &participant_identity)?;
    if call.answered.is_none() {
        let message = "can't transfer non established call";
        return Err(Refusal::new(Code::FailedPrecondition, message));
    }
    ask.hub.change(|world| world.update(&call, |call| call.transfers += 1));
    let id = id::new("STR_");
    match &call.scenario.transfer {
        Transfer::Completed | Transfer::Lost => {
            let config = ask.hub.config();
            let reason = DisconnectReason::ClientInitiated;
            act(&ask.hub, |world| world.more.leave(&config, &room_name, &call.participant, reason));
            if call.scenario.transfer == Transfer::Lost {
                return Ok(cut(&ask.wire));
            }
            let done = json!({
                "transfer_id": id,
                "status": "STS_TRANSFER_SUCCESSFUL",
                "reason": "STR_COMPLETED",
                "sip_status": {"code": 200, "status": "OK"},
            });
            let described = config.sip.describe_transfers;
            let message = if described { messages::TRANSFERRED } else { messages::EMPTY };
            Ok(ask.encoding.ok(message, &done))
        }
        Transfer::Rejected(status) => {
            let refusal = status.refusal_of("REFER");
            Err(refusal.with("sip_transfer_reason", "STR_REJECTED").with("sip_transfer_id", id))
        }
        Transfer::RingingTimeout => {
            let refusal = Refusal::new(Code::DeadlineExceeded, "transfer timed out while ringing");
            Err(refusal.with("sip_transfer_reason", "STR_RINGING_TIMEOUT").with("sip_transfer_id", id))
        }
    }
}

fn call_of(ask: &Ask, room: &str, identity: &str) -> Result<Call, Refusal> {
    let world = ask.hub.read();
    let participant = world.more.get(room).and_then(|room| room.by_identity(identity));
    let participant = participant.ok_or_else(Refusal::no_participant)?;
    let call = participant.attributes.get("sip.callID").filter(|_| participant.kind == Kind::Sip);
    let call = call.and_then(|id| world.by_id(id)).cloned();
    call.ok_or_else(|| Refusal::invalid("no SIP session associated with participant"))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListTrunks {
    trunk_ids: Vec<String>,
    numbers: Vec<String>,
    page: Option<Page>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Page {
    after_id: String,
    limit: usize,
}

/// Lists trunks. Of those asked for by id, each has its place in the answer, if an empty one.
pub(super) fn trunks(ask: &Ask) -> Answer {
    let ListTrunks { trunk_ids, numbers, page } = ask.read()?;
    ask.allow(Need::ManageTrunks)?;
    let config = ask.hub.config();
    let items: Vec<Value> = if trunk_ids.is_empty() {
        let page = page.unwrap_or_default();
        let all = config.trunks.iter();
        let wanted =
            all.filter(|trunk| numbers.is_empty() || trunk.numbers.iter().any(|n| numbers.contains(n)));
        let rest =
            wanted.skip_while(|trunk| !page.after_id.is_empty() && trunk.sip_trunk_id != page.after_id);
        let rest = rest.skip(usize::from(!page.after_id.is_empty()));
        rest.take(if page.limit == 0 { usize::MAX } else { page.limit }).map(show).collect()
    } else {
        trunk_ids.iter().map(|id| config.trunk(id).map_or(json!({}), show)).collect()
    };
    Ok(ask.encoding.ok(messages::TRUNKS, &json!({ "items": items })))
}

/// A `SIPOutboundTrunkInfo`.
fn show(trunk: &Trunk) -> Value {
    json!({
        "sip_trunk_id": trunk.sip_trunk_id,
        "name": trunk.name,
        "address": trunk.address,
        "transport": "SIP_TRANSPORT_AUTO",
        "numbers": trunk.numbers,
        "auth_username": trunk.auth_username,
    })
}
