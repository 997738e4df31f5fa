//! What is counted of conversations that our own agent holds.

use std::time::Duration;

use outdial_workflows::conversation::Latency;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::results::Turn;
use prometheus::Registry;

use super::{Metrics, NONE};
use crate::media::reception::Received;
use crate::media::session::Held;
use crate::media::wire::Dialect;
use crate::metrics;

metrics! {
    /// Conversations of this process.
    pub(super) struct Talks {
        conversations: IntCounterVec = "outdial_conversations_total" ["client", "campaign", "ending"]
            "Conversations of our own agent that ended, by why.";
        lasted: HistogramVec = "outdial_conversation_seconds" []
            "How long conversations lasted.";
        answers: HistogramVec = "outdial_answer_seconds" ["part"]
            "How long the person waited for an answer: turn until it was clear that they had finished, then model until its first words, sentence until the first one was whole, voice until its first sound was sent; total is all of it.";
        stops: HistogramVec = "outdial_interruption_seconds" []
            "From the beginning of a voice that interrupted us until we fell silent.";
        lateness: HistogramVec = "outdial_media_lateness_seconds" []
            "How late a conversation woke to send audio or for another reason, at its worst.";
        lost: IntCounterVec = "outdial_media_frames_lost_total" ["provider"]
            "Frames of people's audio that never came, or too late.";
        failures: IntCounterVec = "outdial_speech_failures_total" ["service"]
            "What recogniser, model and voice failed at during conversations; each was bridged, done anew, or ended the conversation.";
        speculated: IntCounterVec = "outdial_speculations_in_vain_total" []
            "Requests to the model that were made before the person had surely finished, and not needed.";
        streams: IntCounterVec = "outdial_streams_total" ["provider", "result"]
            "Carriers' sockets that had a good address: held, replaced another, passed on elsewhere, unattended as their campaign names no playbook, or refused.";
        analyses: IntCounterVec = "outdial_analyses_total" ["client", "campaign", "qualified"]
            "Conversations that were analysed, by whether the person is qualified: yes, no or open.";
    }
}

/// What of speech can fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// The recogniser gave up.
    pub recogniser: u64,
    /// The model failed to answer.
    pub model: u64,
    /// A sentence was not spoken, or not to its end.
    pub voice: u64,
}

impl Failures {
    fn by_service(self) -> [(&'static str, u64); 3] {
        [("recogniser", self.recogniser), ("model", self.model), ("voice", self.voice)]
    }
}

impl Talks {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let talks = Self::registered(registry)?;
        // What never happened is shown as such: a rate needs two values.
        for (service, none) in Failures::default().by_service() {
            talks.failures.with_label_values(&[service]).inc_by(none);
        }
        talks.speculated.with_label_values(NONE);
        for (part, _) in parts(Latency::default()) {
            talks.answers.with_label_values(&[part]);
        }
        for histogram in [&talks.lasted, &talks.stops, &talks.lateness] {
            histogram.with_label_values(NONE);
        }
        Ok(talks)
    }
}

impl Metrics {
    /// A conversation is over.
    pub(crate) fn talked(
        &self,
        client: ClientId,
        campaign: CampaignId,
        dialect: Dialect,
        held: &Held,
        turns: &[Turn],
    ) {
        let talks = &self.talks;
        let (client, campaign) = self.names.labels(client, campaign);
        let ending = held.ending.name();
        talks.conversations.with_label_values(&[client.as_str(), &campaign, ending]).inc();
        talks.lasted.with_label_values(NONE).observe(held.lasted.as_secs_f64());
        talks.lateness.with_label_values(NONE).observe(held.latest.as_secs_f64());
        for stop in &held.stops {
            talks.stops.with_label_values(NONE).observe(stop.as_secs_f64());
        }
        for latency in turns.iter().filter_map(|turn| turn.latency) {
            for (part, took) in parts(latency) {
                talks.answers.with_label_values(&[part]).observe(took.as_secs_f64());
            }
        }
        talks.lost.with_label_values(&[dialect.name()]).inc_by(held.frames_lost);
        for (service, count) in held.failures.by_service() {
            talks.failures.with_label_values(&[service]).inc_by(count);
        }
        talks.speculated.with_label_values(NONE).inc_by(held.speculated_in_vain.into());
    }

    /// A carrier's socket came.
    pub(crate) fn stream_received(&self, dialect: Dialect, received: &Received) {
        let result = match received {
            Received::Held => "held",
            Received::Replaced => "replaced",
            Received::Elsewhere { .. } => "elsewhere",
            Received::Unattended { .. } => "unattended",
            Received::Refused { .. } => "refused",
        };
        self.talks.streams.with_label_values(&[dialect.name(), result]).inc();
    }

    /// A conversation was analysed.
    pub(crate) fn analysed(&self, client: ClientId, campaign: CampaignId, qualified: Option<bool>) {
        let (client, campaign) = self.names.labels(client, campaign);
        let qualified = qualified.map_or("open", |qualified| if qualified { "yes" } else { "no" });
        self.talks.analyses.with_label_values(&[client.as_str(), &campaign, qualified]).inc();
    }
}

fn parts(latency: Latency) -> [(&'static str, Duration); 5] {
    let Latency { turn_ms, model_ms, sentence_ms, speech_ms, total_ms } = latency;
    [
        ("turn", turn_ms),
        ("model", model_ms),
        ("sentence", sentence_ms),
        ("voice", speech_ms),
        ("total", total_ms),
    ]
    .map(|(part, ms)| (part, Duration::from_millis(ms.into())))
}
