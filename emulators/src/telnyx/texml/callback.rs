//! TeXML callbacks: forms about progress, detection, recordings and streams (protocol page, §7.5).

use crate::{
    clock,
    telnyx::{
        call::{Call, Status},
        delivery::Body,
        hooks::Route,
        instant,
        life::{self, Life},
        recording::Saved,
    },
};

type Form = Vec<(&'static str, String)>;

impl Life {
    /// Tells of `event` if it was asked for; it counts either way.
    pub(in crate::telnyx) fn report_progress(&mut self, event: &str, status: &str) {
        let sequence = self.sequence;
        self.sequence += 1;
        let Some(route) = self.wanted(event) else { return };
        let mut form = self.progress(status, sequence);
        if event == "answered" {
            form.extend([("Codec", "PCMU".into()), ("SamplingRate", "8000".into())]);
        }
        self.send(event, route, Body::Form(form));
    }

    /// The last callback, whichever way the call ended.
    pub(in crate::telnyx) fn report_end(&mut self, ended: &Call) {
        let sequence = self.sequence;
        let Some(route) = self.wanted("completed") else { return };
        let mut form = self.progress(ended.status.name(), sequence);
        form.extend(self.ending(ended));
        self.send("completed", route, Body::Form(form));
    }

    /// What detection found, to the address for that.
    pub(in crate::telnyx) fn report_detection(&self, result: &'static str, took_ms: u64) {
        let Some(route) = self.call.request.texml.as_ref().and_then(|texml| texml.amd.clone()) else {
            return;
        };
        let mut form = self.identity();
        form.push(("MachineDetectionDuration", took_ms.to_string()));
        form.push(("AnsweredBy", answered_by(result).into()));
        self.send("amd", route, Body::Form(form));
    }

    pub(in crate::telnyx) fn report_recording(&self, saved: &Saved) {
        let Some(route) = self.call.request.texml.as_ref().and_then(|texml| texml.recording.clone()) else {
            return;
        };
        let mut form = self.identity();
        let channels = if saved.recording.channels == "single" { "1" } else { "2" };
        form.extend([
            ("RecordingSid", saved.recording.id.clone()),
            ("RecordingStatus", "completed".into()),
            ("RecordingChannels", channels.into()),
            ("RecordingSource", saved.initiated_by.into()),
            ("RecordingDuration", (saved.duration_ms / 1000).to_string()),
            ("RecordingUrl", saved.url()),
        ]);
        self.send("recording", route, Body::Form(form));
    }

    /// Tells the stream's own callback, if it has one.
    pub(in crate::telnyx) fn report_stream(&self, event: &'static str, url: &str) {
        let Some(route) = self.stream_callback.clone() else { return };
        let mut form = self.identity();
        form.extend([
            ("StreamEvent", event.into()),
            ("StreamUrl", url.to_owned()),
            ("Timestamp", instant(clock::now())),
        ]);
        self.send("stream", route, Body::Form(form));
    }

    fn wanted(&self, event: &str) -> Option<Route> {
        let texml = self.call.request.texml.as_ref()?;
        texml.status.clone().filter(|_| texml.events.iter().any(|wanted| wanted == event))
    }

    fn identity(&self) -> Form {
        vec![
            ("AccountSid", self.call.account().to_owned()),
            ("CallSid", self.call.id().to_owned()),
            ("CallSidLegacy", self.call.id().to_owned()),
            ("ConnectionId", self.call.request.connection.clone()),
        ]
    }

    fn progress(&self, status: &str, sequence: u32) -> Form {
        let mut form = self.identity();
        form.extend([
            ("CallStatus", status.to_owned()),
            ("CallbackSource", "call-progress-events".into()),
            ("CallInitiatedAt", instant(self.call.base.created)),
            ("From", self.call.request.from.clone()),
            ("To", self.call.request.to.clone()),
            ("SequenceNumber", sequence.to_string()),
            ("Timestamp", instant(clock::now())),
        ]);
        if let Some(found) = self.now().answered_by {
            form.push(("AnsweredBy", answered_by(found).into()));
        }
        if let Some(partner) = &self.call.request.partner {
            form.push(("ParentCallSid", partner.id.to_string()));
            form.push(("ParentCallSidLegacy", partner.id.to_string()));
        }
        form
    }

    fn ending(&self, ended: &Call) -> Form {
        let mut form: Form = vec![("CallDuration", ended.talk.as_secs().to_string())];
        if let Some(hangup) = &ended.hangup {
            form.push(("HangupSource", hangup.source.name().into()));
            form.push(("SipHangupCause", hangup.sip.clone()));
        }
        if let Some(saved) = ended.recordings.last() {
            form.push(("RecordingUrl", saved.url()));
            form.push(("RecordingDuration", (saved.duration_ms / 1000).to_string()));
        }
        if ended.status == Status::Completed {
            form.extend([
                ("CallControlId", ended.id().to_owned()),
                ("CallLegId", ended.leg.to_string()),
                ("CallSessionId", ended.session.to_string()),
                ("StartTime", instant(ended.base.created)),
                ("AnsweredTime", ended.answered.map(instant).unwrap_or_default()),
                ("EndTime", ended.ended.map(|(at, _)| instant(at)).unwrap_or_default()),
                ("HangupCause", ended.hangup.as_ref().map_or("unspecified", |end| end.cause.name()).into()),
                ("CallQualityStats", life::quality(ended).to_string()),
                ("OccurredAt", instant(clock::now())),
                ("UserId", ended.account().to_owned()),
                ("OrganizationId", ended.account().to_owned()),
            ]);
        }
        form
    }
}

/// Callbacks have more words for a machine than reads have.
pub(super) fn answered_by(result: &str) -> &'static str {
    match result {
        "human" | "human_residence" | "human_business" => "human",
        "machine" => "machine_start",
        "beep_detected" => "machine_end_beep",
        "ended" | "no_beep_detected" => "machine_end_silence",
        "prompt_ended" => "machine_end_other",
        "fax_detected" => "fax",
        _ => "unknown",
    }
}
