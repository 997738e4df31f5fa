//! A stream without its socket: audio and messages in, messages out.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    config::Config,
    hearing::{Hearing, Script},
    messages::Writer,
    parameters::{Format, Parameters},
    scenario::{Hears, Quirk, Session},
    transcriber::{News, Rules, Transcriber},
    words,
};
use crate::{
    audio::Decoder,
    speech::{Ear, Tick},
};

/// A client's text message.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum FromClient {
    KeepAlive,
    Finalize { channel: Option<usize> },
    CloseStream,
    Configure { keyterms: Option<Vec<String>> },
}

/// What is to be sent, and what a final result in it said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) message: Value,
    pub(super) transcript: Option<String>,
}

pub(super) struct Stream {
    format: Format,
    decoder: Decoder,
    channels: Vec<Channel>,
    writer: Writer,
    digest: Sha256,
    samples: u64,
    no_speech_final: bool,
    repeats: bool,
}

struct Channel {
    hearing: Hearing,
    transcriber: Transcriber,
}

impl Stream {
    pub(super) fn new(mut writer: Writer, format: Format, session: &Session, config: &Config) -> Self {
        let count = if writer.parameters.multichannel { format.channels } else { 1 };
        writer.channels = usize::from(count);
        let rules = rules(&writer.parameters, config);
        let hearing = |channel| match &session.hears {
            Hears::Audio => Hearing::Audio(Ear::new(format.rate)),
            Hears::Script(spoken) => Hearing::Script(Script::new(spoken, channel, format.rate)),
        };
        let channel = |channel| Channel { hearing: hearing(channel), transcriber: Transcriber::new(rules) };
        Self {
            format,
            decoder: Decoder::new(format.encoding, format.channels),
            channels: (0..count).map(channel).collect(),
            writer,
            digest: Sha256::new(),
            samples: 0,
            no_speech_final: session.quirks.contains(&Quirk::NoSpeechFinal),
            repeats: session.quirks.contains(&Quirk::RepeatedSpeechStarted),
        }
    }

    /// How long the audio was so far.
    pub(super) fn audio(&self) -> Duration {
        let frames = self.samples / u64::from(self.format.channels);
        Duration::from_nanos(frames * 1_000_000_000 / u64::from(self.format.rate))
    }

    /// Listens to a frame.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.digest.update(bytes);
        let samples = self.decoder.decode(bytes);
        self.samples += u64::try_from(samples.len()).unwrap_or(u64::MAX);
        let mut told = Vec::new();
        for place in 0..self.channels.len() {
            let heard = self.of_channel(&samples, place);
            let ticks = self.channels[place].hearing.hear(&heard);
            self.tell(place, ticks, &mut told);
        }
        told
    }

    /// Makes everything final, on one channel or on all.
    pub(super) fn finalize(&mut self, only: Option<usize>) -> Vec<Told> {
        let mut told = Vec::new();
        for place in (0..self.channels.len()).filter(|place| only.is_none_or(|only| only == *place)) {
            let last = self.channels[place].hearing.end();
            self.tell(place, last, &mut told);
            let finalized = self.channels[place].transcriber.finalize();
            told.extend(finalized.map(|news| self.told(&news, place)));
        }
        told
    }

    /// The rest, and the stream's metadata.
    pub(super) fn close(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for place in 0..self.channels.len() {
            let last = self.channels[place].hearing.end();
            self.tell(place, last, &mut told);
            let rest = self.channels[place].transcriber.close();
            told.extend(rest.map(|news| self.told(&news, place)));
        }
        let sha256 = hex::encode(self.digest.clone().finalize());
        let message = self.writer.metadata(&sha256, self.audio(), self.format.channels);
        told.push(Told { message, transcript: None });
        told
    }

    /// The answer to a `Configure`.
    pub(super) fn configure(&self, keyterms: Option<Vec<String>>) -> Told {
        Told { message: self.writer.configured(keyterms), transcript: None }
    }

    /// A channel's own samples, or all channels mixed.
    fn of_channel(&self, samples: &[i16], place: usize) -> Vec<i16> {
        let channels = usize::from(self.format.channels);
        let frames = samples.chunks_exact(channels);
        if self.writer.parameters.multichannel {
            return frames.map(|frame| frame[place]).collect();
        }
        let mixed = |frame: &[i16]| {
            let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
            i16::try_from(sum.clamp(i16::MIN.into(), i16::MAX.into())).unwrap_or_default()
        };
        frames.map(mixed).collect()
    }

    fn tell(&mut self, place: usize, ticks: impl IntoIterator<Item = Tick>, told: &mut Vec<Told>) {
        for tick in ticks {
            for news in self.channels[place].transcriber.hear(tick) {
                let copies = if self.repeats && matches!(news, News::SpeechStarted { .. }) { 2 } else { 1 };
                told.extend((0..copies).map(|_| self.told(&news, place)));
            }
        }
    }

    fn told(&self, news: &News, place: usize) -> Told {
        let mut message = self.writer.news(news, place);
        if self.no_speech_final && message.get("speech_final").is_some() {
            message["speech_final"] = false.into();
        }
        let style = self.writer.parameters.style;
        let transcript = match news {
            News::Results(results) if results.is_final => Some(words::transcript(&results.words, style)),
            News::Results(_) | News::SpeechStarted { .. } | News::UtteranceEnd { .. } => None,
        };
        Told { message, transcript }
    }
}

fn rules(parameters: &Parameters, config: &Config) -> Rules {
    Rules {
        interim_every: parameters.interim.then_some(config.interim_every),
        endpointing: parameters.endpointing,
        utterance_end: parameters.utterance_end,
        vad_events: parameters.vad_events,
        stretch_max: config.stretch_max,
        finalize_ends_speech: config.finalize_ends_speech,
    }
}
