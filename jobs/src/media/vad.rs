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
/// The detector hears voice for some hundred milliseconds behind its end. A frame whose power is this share of the loudest
/// one's of the voice is silence, whatever it says: a twentieth of the amplitude, 26 dB. The soft sounds of speech lie
/// less far below its loud ones, and last less than [`ENDS`]; noise that is louder is left to the detector.
const SOFT: f32 = 1.0 / 400.0;

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
    /// The power of the loudest frame since the detector heard silence last.
    loudest: f32,
}

/// What a detector notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Voice began a while ago.
    Began,
    /// Voice ended a while ago.
    Ended,
}

const fn lasting(frames: u32) -> Duration {
    Duration::from_millis((frames as usize * FRAME * 1_000 / RATE) as u64)
}

impl VoiceDetector {
    /// How long there has been voice when that is noticed.
    pub const BEGINS_AFTER: Duration = lasting(BEGINS);
    /// How long a voice has ended when that is noticed.
    pub const ENDS_AFTER: Duration = lasting(ENDS);

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
            let (score, power) = (self.score(at), self.power(at));
            noticed.extend(self.note(score, power));
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

    fn power(&self, at: usize) -> f32 {
        self.pending[at..at + self.needs].iter().map(|sample| sample * sample).sum()
    }

    fn note(&mut self, score: f32, power: f32) -> Option<Noticed> {
        self.loudest = self.loudest.max(power);
        let soft = power < self.loudest * SOFT;
        let (contradicts, enough) = match self.voice {
            false => (score >= VOICE && !soft, BEGINS),
            true => (score < SILENCE || soft, ENDS),
        };
        if !self.voice && score < SILENCE {
            self.loudest = 0.0;
        }
        self.against = if contradicts { self.against + 1 } else { 0 };
        if self.against < enough {
            return None;
        }
        self.against = 0;
        self.voice = !self.voice;
        Some(if self.voice { Noticed::Began } else { Noticed::Ended })
    }
}
