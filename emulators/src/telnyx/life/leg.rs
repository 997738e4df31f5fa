//! Second legs: transfers, and TeXML's `<Dial>`.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Interrupt, Life};
use crate::speech;
use crate::telnyx::{
    action::{Action, Transfer},
    call::{Call, Letter, Status},
    dial::{DialRequest, Partner},
    hangup::Hangup,
    place::place_leg,
};

/// Whoever answered hears nothing meanwhile.
const FETCHED_WITHIN: Duration = Duration::from_secs(15);

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
            audio_url: transfer.audio_url.clone(),
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
            audio_url: None,
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

    /// Plays what is to be played to whoever answered a second leg; the end is returned if it comes meanwhile. What cannot
    /// be had is not played.
    pub(super) async fn brief(&mut self) -> Option<Hangup> {
        let url = self.call.request.audio_url.clone()?;
        let (heard, length) = match self.fetched(&url).await {
            Ok(fetched) => fetched,
            Err(problem) => {
                tracing::warn!(problem, "what is to be played to a second leg cannot be had");
                return None;
            }
        };
        self.update(|call| call.briefed = Some(heard.into()));
        let until = self.after(length);
        loop {
            match self.pass(Some(until)).await {
                Interrupt::Elapsed => return None,
                Interrupt::End(end) => return Some(end),
                Interrupt::Nudged => return Some(Hangup::by_callee()),
                Interrupt::Digit(_) | Interrupt::Redirect(_) => {}
                Interrupt::StreamOver | Interrupt::LegOver(_) => {}
            }
        }
    }

    /// The words of a WAV file, and how long it is.
    async fn fetched(&self, url: &str) -> Result<(String, Duration), String> {
        let asked = self.hub.http.get(url).timeout(FETCHED_WITHIN).send().await;
        let answer = asked.and_then(reqwest::Response::error_for_status);
        let file =
            answer.map_err(|error| error.to_string())?.bytes().await.map_err(|error| error.to_string())?;
        let mut file = hound::WavReader::new(Cursor::new(file)).map_err(|error| error.to_string())?;
        let (spec, moments) = (file.spec(), file.duration());
        let samples: Result<Vec<i16>, _> = file.samples().collect();
        let samples = samples.map_err(|error| error.to_string())?;
        if spec.channels != 1 {
            return Err(format!("it has {} channels", spec.channels));
        }
        let length = Duration::from_secs_f64(f64::from(moments) / f64::from(spec.sample_rate));
        Ok((speech::heard(&samples, spec.sample_rate), length))
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
