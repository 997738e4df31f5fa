//! Second legs: transfers, and TeXML's `<Dial>`.

use std::sync::Arc;

use serde_json::json;

use super::Life;
use crate::telnyx::{
    action::{Action, Transfer},
    call::{Call, Letter, Status},
    dial::{DialRequest, Partner},
    place::place_leg,
};

impl Life {
    pub(super) fn transfer(&mut self, transfer: &Transfer) {
        let first = &self.call.request;
        let request = DialRequest {
            phone: transfer.phone,
            to: transfer.to.clone(),
            from: transfer.from.clone().unwrap_or_else(|| first.from.clone()),
            command_id: None,
            client_state: transfer.client_state.clone(),
            hooks: if transfer.has_hooks { transfer.hooks.clone() } else { first.hooks.clone() },
            ring_timeout: transfer.ring_timeout,
            time_limit: transfer.time_limit,
            amd: transfer.amd,
            ..self.second_leg()
        };
        self.ring_second(request);
    }

    /// A second leg that is still to be told whom to ring.
    pub(in crate::telnyx) fn second_leg(&self) -> DialRequest {
        let partner = Partner {
            id: self.call.base.id.clone(),
            session: self.call.session.clone(),
            mailbox: self.call.mailbox.clone(),
        };
        DialRequest {
            partner: Some(partner),
            stream: None,
            stream_first: false,
            record: None,
            texml: None,
            ..(*self.call.request).clone()
        }
    }

    /// Rings it, by the script of its own number.
    pub(in crate::telnyx) fn ring_second(&mut self, request: DialRequest) {
        let request = Arc::new(request);
        let (leg, scenario) = self.hub.change(|world| {
            let scenario = world.scenario(request.phone, &self.config);
            (place_leg(world, self.call.account(), &request), scenario)
        });
        self.hub.set_off(leg.clone(), scenario);
        self.second = Some(leg);
    }

    /// A second leg that is answered is bridged with its first one.
    pub(super) fn meet_partner(&mut self) {
        let Some(partner) = self.call.request.partner.clone() else { return };
        partner.mailbox.post(Letter::LegAnswered);
        let bridged = json!({"bridged_with": &*partner.id});
        self.tell("call.bridged", &bridged);
    }

    /// Whoever is left on the line hears that we are not.
    pub(super) fn part_from_legs(&mut self, status: Status) {
        if let Some(second) = self.second.take() {
            second.mailbox.post(Letter::Act(Action::Hangup));
        }
        if let Some(partner) = &self.call.request.partner {
            let mut ended: Call = self.now();
            ended.status = status;
            ended.talk = self.answered.map_or(ended.talk, |answered| {
                use crate::carrier::Paced as _;
                self.config.pace().nominal(answered.elapsed())
            });
            partner.mailbox.post(Letter::LegOver(Box::new(ended)));
        }
    }
}
