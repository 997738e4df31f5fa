//! Text as audio, and when each of its characters is spoken.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::format::Format;
use crate::{
    millis,
    speech::{self, Voice},
};

/// Characters of a piece that has its own timestamps: about a second.
const PIECE: usize = 16;

/// Speaks one stretch after another.
#[derive(Debug, Clone)]
pub(super) struct Synthesizer {
    voice: Voice,
    pub(super) format: Format,
    leading: Duration,
}

/// A piece of audio and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) audio: Vec<u8>,
    pub(super) text: String,
    /// Silence before the first character.
    leading: Duration,
    /// How long a character is.
    character: Duration,
}

impl Synthesizer {
    pub(super) fn new(format: Format, speed: f64, leading: Duration) -> Self {
        Self { voice: Voice::new(format.rate).at_speed(speed), format, leading }
    }

    /// A stretch, in pieces. The first begins with the silence.
    pub(super) fn speak(&mut self, text: &str) -> Vec<Piece> {
        let characters: Vec<char> = text.chars().collect();
        let mut leading = self.leading;
        let pieces = characters.chunks(PIECE).map(|piece| {
            let leading = std::mem::take(&mut leading);
            let text: String = piece.iter().collect();
            let mut samples = speech::silence(leading, self.format.rate);
            samples.extend(self.voice.say(&text));
            let audio = self.format.encoding.encode(&samples);
            Piece { audio, text, leading, character: self.voice.character() }
        });
        pieces.collect()
    }
}

impl Piece {
    pub(super) fn length(&self) -> Duration {
        self.leading + self.character * self.count()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.text.chars().count()).unwrap_or(u32::MAX)
    }

    fn starts(&self) -> impl Iterator<Item = Duration> {
        (0..self.count()).map(|place| self.leading + self.character * place)
    }

    /// The text that is spoken when so much of the piece's audio has been played.
    pub(super) fn spoken(&self, played: Duration) -> String {
        let whole = self.starts().filter(|start| *start + self.character <= played).count();
        self.text.chars().take(whole).collect()
    }

    pub(super) fn base64(&self) -> String {
        STANDARD.encode(&self.audio)
    }

    /// As sockets have it: in milliseconds, from the piece's own beginning.
    pub(super) fn socket_alignment(&self) -> Value {
        let starts: Vec<u64> = self.starts().map(millis::whole).collect();
        let durations = vec![millis::whole(self.character); starts.len()];
        let characters: Vec<String> = self.text.chars().map(String::from).collect();
        json!({"chars": characters, "charStartTimesMs": starts, "charDurationsMs": durations})
    }

    /// As HTTP has it: in seconds, from the beginning of the audio, which is `offset` before the piece.
    pub(super) fn http_alignment(&self, offset: Duration) -> Value {
        let seconds = |time: Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
        let starts: Vec<f64> = self.starts().map(|start| seconds(offset + start)).collect();
        let ends: Vec<f64> = self.starts().map(|start| seconds(offset + start + self.character)).collect();
        let characters: Vec<String> = self.text.chars().map(String::from).collect();
        json!({
            "characters": characters, "character_start_times_seconds": starts,
            "character_end_times_seconds": ends,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn pieces_join_to_the_text_and_its_audio() {
        let format = Format::named("ulaw_8000").expect("known");
        let text = "It goes on for more than one piece, and is heard as one.";
        let pieces = Synthesizer::new(format, 1.0, ms(100)).speak(text);
        let audio: Vec<u8> = pieces.iter().flat_map(|piece| piece.audio.clone()).collect();
        assert_eq!(audio.len(), 800 + text.len() * 480);
        assert_eq!(speech::heard(&format.encoding.decode(&audio), 8000), text);
        let length: Duration = pieces.iter().map(Piece::length).sum();
        assert_eq!(length, format.length(u64::try_from(audio.len()).expect("small")));
    }

    #[test]
    fn what_is_spoken_follows_from_what_was_played() {
        let format = Format::named("pcm_8000").expect("known");
        let piece = &Synthesizer::new(format, 1.0, ms(100)).speak("Hello")[0];
        let spoken = [0, 159, 160, 399, 400].map(|played| piece.spoken(ms(played)));
        assert_eq!(spoken, ["", "", "H", "Hell", "Hello"]);
        assert_eq!(piece.socket_alignment()["charStartTimesMs"], json!([100, 160, 220, 280, 340]));
        assert_eq!(piece.http_alignment(ms(1000))["character_end_times_seconds"][0], 1.16);
    }
}
