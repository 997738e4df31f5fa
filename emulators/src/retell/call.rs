//! A placed call: what is known of it, and how the API and the webhooks show it (protocol page, §3).

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    dial::DialRequest,
    event::Event,
    reason::{Reason, Status},
    results::{self, Ending, Results, Utterance},
};
use crate::{
    carrier::{self, Base},
    millis,
};

/// A call as the test's author sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// Retell's name for it.
    pub call_id: String,
    /// The idempotency key, or else `metadata.attempt_id`.
    pub key: Option<String>,
    /// The callee, as sent.
    pub number: String,
    /// Where it stands.
    pub status: Status,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When somebody answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Nominal time connected.
    #[serde(rename = "talk_ms", with = "millis")]
    pub talk: Duration,
    /// Whether its record was deleted.
    pub deleted: bool,
}

/// The emulator's record of a call. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) base: Base,
    pub(super) request: Arc<DialRequest>,
    pub(super) status: Status,
    pub(super) reason: Option<Reason>,
    pub(super) answered: Option<DateTime<Utc>>,
    /// What `start_timestamp` says.
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    pub(super) transfer_ended: Option<DateTime<Utc>>,
    pub(super) talk: Duration,
    /// Everything that is going to be spoken, and how many turns have been.
    pub(super) spoken: Arc<[Utterance]>,
    pub(super) turns: usize,
    pub(super) results: Arc<Results>,
    pub(super) transfer_to: Option<Arc<str>>,
    pub(super) analysed: bool,
    /// It was accepted beyond the limit on calls at once, and will not ring.
    pub(super) over_limit: bool,
    /// Somebody asked for its end.
    pub(super) stopped: bool,
    /// Its record is not to be shown any more.
    pub(super) deleted: bool,
    /// What was changed since by updates.
    pub(super) updates: Arc<Updates>,
}

/// What an update can set.
#[derive(Debug, Clone, Default)]
pub(super) struct Updates {
    pub(super) metadata: Option<Value>,
    pub(super) storage: Storage,
    pub(super) attributes: Map<String, Value>,
}

/// `data_storage_setting`, from the least restrictive to the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Storage {
    #[default]
    Everything,
    EverythingExceptPii,
    BasicAttributesOnly,
}

/// Who looks at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Whoever asks for this call.
    Whole,
    /// Whoever lists calls: no transcript.
    Listed,
    /// The receiver of a webhook.
    Told(Event),
}

impl carrier::Call for Call {
    type Report = CallReport;

    fn base(&self) -> &Base {
        &self.base
    }

    fn base_mut(&mut self) -> &mut Base {
        &mut self.base
    }

    fn report(&self) -> CallReport {
        CallReport {
            call_id: self.id().to_owned(),
            key: self.base.key.as_deref().map(str::to_owned),
            number: self.request.to.clone(),
            status: self.status,
            reason: self.reason.clone(),
            accepted_at: self.base.created,
            answered_at: self.answered,
            ended_at: self.ended,
            talk: self.talk,
            deleted: self.deleted,
        }
    }
}

impl Call {
    pub(super) fn new(base: Base, request: Arc<DialRequest>, over_limit: bool) -> Self {
        Self {
            base,
            request,
            status: Status::Registered,
            reason: None,
            answered: None,
            started: None,
            ended: None,
            transfer_ended: None,
            talk: Duration::ZERO,
            spoken: [].into(),
            turns: 0,
            results: Arc::default(),
            transfer_to: None,
            analysed: false,
            over_limit,
            stopped: false,
            deleted: false,
            updates: Arc::default(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.base.id
    }

    /// `metadata` as it now is.
    pub(super) fn metadata(&self) -> &Value {
        self.updates.metadata.as_ref().unwrap_or(&self.request.body["metadata"])
    }

    pub(super) fn ending(&self) -> Ending<'_> {
        Ending { reason: self.reason.as_ref(), connected: self.answered.is_some(), talk: self.talk }
    }

    /// The call object. What is not known yet is absent, not null.
    pub(super) fn object(&self, view: View) -> Value {
        let request = &self.request;
        let mut shown = json!({
            "call_id": self.id(),
            "call_type": "phone_call",
            "call_status": self.status,
            "agent_id": request.agent_id,
            "agent_version": request.agent.version,
            "direction": "outbound",
            "from_number": request.from,
            "to_number": request.to,
            "data_storage_setting": self.updates.storage,
        });
        let mut show = |name: &str, value: Value| {
            if !value.is_null() {
                shown[name] = value;
            }
        };
        let name = &request.agent.name;
        show("agent_name", if name.is_empty() { Value::Null } else { name.as_str().into() });
        show("agent_tag", request.agent_tag.as_deref().into());
        show("metadata", self.metadata().clone());
        for name in ["retell_llm_dynamic_variables", "custom_sip_headers"] {
            show(name, request.body[name].clone());
        }
        show("start_timestamp", self.started.map(|at| at.timestamp_millis()).into());
        if self.answered.is_some() {
            show("telephony_identifier", json!({"twilio_call_sid": twilio_sid(self.id())}));
        }
        self.show_end(&mut show);
        if view != View::Listed && self.keeps_content() {
            self.show_transcript(view, &mut show);
        }
        shown
    }

    fn show_end(&self, show: &mut impl FnMut(&str, Value)) {
        let Some(ended) = self.ended else { return };
        show("end_timestamp", ended.timestamp_millis().into());
        show("disconnection_reason", json!(self.reason));
        show("transfer_destination", self.transfer_to.as_deref().into());
        show("transfer_end_timestamp", self.transfer_ended.map(|at| at.timestamp_millis()).into());
        show("call_cost", self.results.cost(self.ending()));
        if self.started.is_some() {
            show("duration_ms", millis::whole(self.talk).into());
        }
        if self.answered.is_some() {
            show("latency", self.results.latency());
            show("collected_dynamic_variables", json!(self.results.collected_dynamic_variables));
        }
        if self.answered.is_some() && self.keeps_content() {
            let files = format!("https://recordings.retell.example/{}", self.id());
            let usual = || format!("{files}/recording.wav");
            show("recording_url", self.results.recording_url.clone().unwrap_or_else(usual).into());
            show("recording_multi_channel_url", format!("{files}/recording_multichannel.wav").into());
            show("public_log_url", format!("{files}/public.log").into());
        }
        if self.analysed {
            show("call_analysis", self.results.analysed(self.ending()));
        }
    }

    fn show_transcript(&self, view: View, show: &mut impl FnMut(&str, Value)) {
        let live = match view {
            View::Told(event) => event == Event::TranscriptUpdated || event.names_transfer(),
            View::Whole | View::Listed => false,
        };
        if self.answered.is_none() || !(live || self.ended.is_some()) {
            return;
        }
        let spoken = &self.spoken[..self.turns.min(self.spoken.len())];
        let timed = results::timed(spoken, self.talk);
        show("transcript", results::plain(spoken).into());
        show("transcript_with_tool_calls", timed.clone());
        show("transcript_object", timed);
    }

    fn keeps_content(&self) -> bool {
        self.updates.storage < Storage::BasicAttributesOnly
    }
}

/// Of Twilio's form, made of the call's own id.
fn twilio_sid(id: &str) -> String {
    format!("CA{:0<32}", id.trim_start_matches("call_"))
}
