//! Whether a person's side has voice.

use std::time::Duration;

use earshot::Detector;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::audio::Format;

/// What the detector takes: 256 samples at 16 kHz.
const FRAME: usize = 256;
/// Its rate.
const RATE: usize = 16_000;
/// A frame with this score has voice; the detector's own default.
const VOICE: f32 = 0.5;
/// While there is voice, a frame below this has none: less than [`VOICE`], so that soft ends of words belong to them.
const SILENCE: f32 = 0.35;
/// So many frames in a row begin a voice: 48 ms, over which a click does not last.
const BEGINS: u32 = 3;
/// So many frames in a row end it: 192 ms, shorter than the pause between two turns and longer than a stop consonant.
const ENDS: u32 = 12;
/// The detector hears voice for a while behind its end. Frames before it is sure are none if they are so much softer than
/// the loudest of the voice, as a ratio of powers: a twentieth of the amplitude, 26 dB.
const SOFT: f32 = 1.0 / 400.0;
/// So many soft frames count at most: 384 ms. Before them somebody spoke softly.
const SOFT_MOST: u32 = 24;

/// Listens for voice in the audio of one call.
pub struct VoiceDetector {
    format: Format,
    detector: Box<Detector>,
    /// To the detector's rate; `None` if it is the call's.
    resampler: Option<Fft<f32>>,
    /// Samples of the call that are not a frame yet.
    pending: Vec<f32>,
    decoded: Vec<i16>,
    /// Samples of the call in a frame.
    needs: usize,
    voice: bool,
    /// How many frames in a row say the opposite.
    against: u32,
    /// The power of the loudest frame of the voice, and how many in a row have been soft since.
    loudest: f32,
    soft: u32,
}

/// What a detector notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Voice begins.
    Began,
    /// Voice ended.
    Ended {
        /// How long ago.
        ago: Duration,
    },
}

impl VoiceDetector {
    /// A detector that has heard nothing yet.
    ///
    /// # Panics
    /// If the call's rate cannot be brought to 16 kHz, which every rate of a carrier can.
    pub fn new(format: Format) -> Self {
        let rate = format.rate as usize;
        let needs = FRAME * rate / RATE;
        let resampler = (rate != RATE).then(|| {
            Fft::new(rate, RATE, needs, 1, FixedSync::Both).expect("the rates of carriers have a ratio")
        });
        Self {
            format,
            detector: Detector::default_boxed(),
            resampler,
            pending: vec![],
            decoded: vec![],
            needs,
            voice: false,
            against: 0,
            loudest: 0.0,
            soft: 0,
        }
    }

    /// Whether there is voice now.
    pub fn has_voice(&self) -> bool {
        self.voice
    }

    /// Takes in audio, and tells what changed over it, in order.
    pub fn hear(&mut self, audio: &[u8]) -> Vec<Noticed> {
        self.decoded.clear();
        self.format.decode(audio, &mut self.decoded);
        self.pending.extend(self.decoded.iter().map(|sample| f32::from(*sample) / 32_768.0));
        let mut noticed = vec![];
        let whole = self.pending.len() / self.needs * self.needs;
        for at in (0..whole).step_by(self.needs) {
            let score = self.score(at);
            self.measure(at);
            noticed.extend(self.note(score));
        }
        self.pending.drain(..whole);
        noticed
    }

    fn score(&mut self, at: usize) -> f32 {
        let frame = &self.pending[at..at + self.needs];
        let Some(resampler) = &mut self.resampler else { return self.detector.predict_f32(frame) };
        let mut resampled = [0.0; FRAME];
        let input = SequentialSlice::new(frame, 1, frame.len());
        let output = SequentialSlice::new_mut(&mut resampled, 1, FRAME);
        let (Ok(input), Ok(mut output)) = (input, output) else { return 0.0 };
        match resampler.process_into_buffer(&input, &mut output, None) {
            Ok(_) => self.detector.predict_f32(&resampled),
            Err(_) => 0.0,
        }
    }

    /// How loud a frame is beside the voice that it may belong to.
    fn measure(&mut self, at: usize) {
        let frame = &self.pending[at..at + self.needs];
        let power: f32 = frame.iter().map(|sample| sample * sample).sum();
        self.loudest = self.loudest.max(power);
        self.soft = if power <= self.loudest * SOFT { self.soft + 1 } else { 0 };
    }

    fn note(&mut self, score: f32) -> Option<Noticed> {
        let (contradicts, enough) = match self.voice {
            false => (score >= VOICE, BEGINS),
            true => (score < SILENCE, ENDS),
        };
        self.against = if contradicts { self.against + 1 } else { 0 };
        if self.against < enough {
            return None;
        }
        self.against = 0;
        self.voice = !self.voice;
        if self.voice {
            self.loudest = 0.0;
            return Some(Noticed::Began);
        }
        let frames = self.soft.clamp(ENDS, SOFT_MOST) as usize;
        let ago = Duration::from_millis((frames * FRAME * 1_000 / RATE) as u64);
        Some(Noticed::Ended { ago })
    }
}
