//! Conversations, recorded: both sides as two channels of a WAV file, written while they go on.
//!
//! The person's audio is the clock: it comes as it is spoken, all the time. Ours is sent ahead of what is heard and may be
//! dropped at the carrier, so that it waits here until its time has come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use outdial_workflows::Moment;
use outdial_workflows::conversation::CallTime;
use outdial_workflows::ids::{AttemptRef, DialKey};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::audio::Format;

/// The person's audio comes so much late at most, over networks with buffers of their own; what is later is missing.
const SLACK: Duration = Duration::from_millis(300);

/// How much is written at once: what a process that dies has not written of its recordings, at most.
const CHUNK: Duration = Duration::from_secs(1);

/// A conversation that is being recorded.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    timeline: Timeline,
    chunks: mpsc::UnboundedSender<Vec<i16>>,
    written: JoinHandle<Result<(), hound::Error>>,
}

/// Where the recording of an attempt is kept below a directory: by client and day, so that no directory becomes large.
pub fn place(attempt: AttemptRef, at: Moment) -> PathBuf {
    let day = at.format("%Y-%m-%d").to_string();
    Path::new(&attempt.client.to_string()).join(day).join(format!("{}.wav", DialKey(attempt)))
}

impl Recording {
    /// Begins a recording in a file, whose directories are made.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub async fn begin(path: PathBuf, format: Format) -> Result<Self, hound::Error> {
        let to = path.clone();
        let file = tokio::task::spawn_blocking(move || create(&to, format.rate)).await;
        let file = file.map_err(std::io::Error::other)??;
        let (chunks, read) = mpsc::unbounded_channel();
        Ok(Self { path, timeline: Timeline::new(format), chunks, written: tokio::spawn(write(file, read)) })
    }

    /// The person's audio, as it came.
    pub fn person(&mut self, audio: &[u8], at: CallTime) {
        self.timeline.person(audio, at);
        self.pass_on(CHUNK);
    }

    /// Our audio, as it is sent.
    pub fn ours(&mut self, audio: &[u8], at: CallTime) {
        self.timeline.ours(audio, at);
    }

    /// What was sent and not heard yet is heard by nobody.
    pub fn hush(&mut self, at: CallTime) {
        self.timeline.hush(at);
    }

    /// Ends the recording, once all of it is written. Tells where it lies.
    ///
    /// # Errors
    /// If something of it could not be written; what could be is there.
    pub async fn end(mut self) -> Result<PathBuf, hound::Error> {
        self.pass_on(Duration::ZERO);
        drop(self.chunks);
        self.written.await.map_err(std::io::Error::other)??;
        Ok(self.path)
    }

    fn pass_on(&mut self, least: Duration) {
        // Whoever writes has ended if the disk took no more: it says so at the end.
        if let Some(chunk) = self.timeline.take(least) {
            let _ = self.chunks.send(chunk);
        }
    }
}

fn create(path: &Path, rate: u32) -> Result<WavWriter<BufWriter<File>>, hound::Error> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let spec =
        WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    WavWriter::create(path, spec)
}

/// Writes chunk by chunk, each so that the file can be played as it is.
async fn write(
    mut file: WavWriter<BufWriter<File>>,
    mut chunks: mpsc::UnboundedReceiver<Vec<i16>>,
) -> Result<(), hound::Error> {
    while let Some(chunk) = chunks.recv().await {
        let append = move || -> Result<_, hound::Error> {
            for sample in chunk {
                file.write_sample(sample)?;
            }
            file.flush()?;
            Ok(file)
        };
        file = tokio::task::spawn_blocking(append).await.map_err(std::io::Error::other)??;
    }
    tokio::task::spawn_blocking(move || file.finalize()).await.map_err(std::io::Error::other)?
}

/// Both sides, laid beside each other.
#[derive(Debug)]
struct Timeline {
    format: Format,
    /// Samples of each side that are laid down.
    laid: u64,
    /// Laid down and not taken yet: the person's sample, then ours.
    both: Vec<i16>,
    /// Ours whose time has not come, and the place of the first of them.
    ahead: VecDeque<i16>,
    ahead_from: u64,
    decoded: Vec<i16>,
}

impl Timeline {
    fn new(format: Format) -> Self {
        Self { format, laid: 0, both: vec![], ahead: VecDeque::new(), ahead_from: 0, decoded: vec![] }
    }

    /// The place of the sample that is heard at this time.
    fn samples_in(&self, time: Duration) -> u64 {
        let samples = time.as_micros() * u128::from(self.format.rate) / 1_000_000;
        u64::try_from(samples).unwrap_or(u64::MAX)
    }

    fn place(&self, at: CallTime) -> u64 {
        self.samples_in(at.since(CallTime::default()))
    }

    fn person(&mut self, audio: &[u8], at: CallTime) {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        self.format.decode(audio, &mut decoded);
        let missing = self.place(at).saturating_sub(self.laid + decoded.len() as u64);
        if missing > self.samples_in(SLACK) {
            (0..missing).for_each(|_| self.lay(0));
        }
        decoded.iter().for_each(|sample| self.lay(*sample));
        self.decoded = decoded;
    }

    fn lay(&mut self, person: i16) {
        let ours = match self.ahead_from <= self.laid {
            true => self.ahead.pop_front(),
            false => None,
        };
        if ours.is_some() {
            self.ahead_from = self.laid + 1;
        }
        self.both.extend([person, ours.unwrap_or_default()]);
        self.laid += 1;
    }

    fn ours(&mut self, audio: &[u8], at: CallTime) {
        let heard_from = self.place(at).max(self.laid);
        let end = self.ahead_from + self.ahead.len() as u64;
        if self.ahead.is_empty() {
            self.ahead_from = heard_from;
        } else {
            let silence = heard_from.saturating_sub(end);
            self.ahead.extend((0..silence).map(|_| 0));
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        self.format.decode(audio, &mut decoded);
        self.ahead.extend(&decoded);
        self.decoded = decoded;
    }

    fn hush(&mut self, at: CallTime) {
        let heard = self.place(at).saturating_sub(self.ahead_from);
        self.ahead.truncate(usize::try_from(heard).unwrap_or(usize::MAX));
    }

    /// What is laid down, if it is at least so long.
    fn take(&mut self, least: Duration) -> Option<Vec<i16>> {
        let least = usize::try_from(2 * self.samples_in(least)).unwrap_or(usize::MAX);
        (!self.both.is_empty() && self.both.len() >= least).then(|| std::mem::take(&mut self.both))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight samples a second, so that times can be read.
    const SLOW: Format = Format { rate: 8, ..Format::LINEAR16_8000 };

    fn bytes(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }

    fn sides(timeline: &mut Timeline) -> (Vec<i16>, Vec<i16>) {
        let both = timeline.take(Duration::ZERO).unwrap_or_default();
        both.as_chunks::<2>().0.iter().map(|[person, ours]| (*person, *ours)).unzip()
    }

    #[test]
    fn what_is_sent_ahead_is_laid_beside_what_the_person_says_meanwhile() {
        let mut timeline = Timeline::new(SLOW);
        timeline.person(&bytes(&[1, 2]), CallTime::ms(250));
        timeline.ours(&bytes(&[7, 8, 9]), CallTime::ms(250));
        timeline.person(&bytes(&[3, 4]), CallTime::ms(500));
        timeline.person(&bytes(&[5, 6]), CallTime::ms(750));
        assert_eq!(sides(&mut timeline), (vec![1, 2, 3, 4, 5, 6], vec![0, 0, 7, 8, 9, 0]));
    }

    #[test]
    fn what_was_dropped_before_it_was_heard_is_not_recorded() {
        let mut timeline = Timeline::new(SLOW);
        timeline.ours(&bytes(&[7, 7, 7, 7]), CallTime::ms(0));
        timeline.person(&bytes(&[1, 1]), CallTime::ms(250));
        timeline.hush(CallTime::ms(375));
        timeline.ours(&bytes(&[9]), CallTime::ms(500));
        timeline.person(&bytes(&[1, 1, 1]), CallTime::ms(625));
        assert_eq!(sides(&mut timeline), (vec![1, 1, 1, 1, 1], vec![7, 7, 7, 0, 9]));
    }

    #[test]
    fn where_nothing_came_of_the_person_there_is_silence() {
        let mut timeline = Timeline::new(SLOW);
        timeline.person(&bytes(&[1]), CallTime::ms(125));
        timeline.person(&bytes(&[2]), CallTime::ms(1_125));
        assert_eq!(sides(&mut timeline).0, [1, 0, 0, 0, 0, 0, 0, 0, 2]);
    }

    #[tokio::test]
    async fn a_recording_is_a_file_of_two_channels() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a client").join("a call.wav");
        let mut recording = Recording::begin(path, Format::MULAW_8000).await.expect("a file");
        recording.ours(&[0x00; 160], CallTime::ms(20));
        recording.person(&[0x80; 160], CallTime::ms(20));
        recording.person(&[0x80; 160], CallTime::ms(40));
        let path = recording.end().await.expect("it is written");
        let mut wav = hound::WavReader::open(path).expect("a WAV file");
        assert_eq!((wav.spec().channels, wav.spec().sample_rate, wav.duration()), (2, 8_000, 320));
        let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
        assert_eq!(samples[..2], [32_124, 0]);
        assert_eq!(samples[638..], [32_124, -32_124]);
    }
}
