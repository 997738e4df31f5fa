//! The query of an upgrade (§2).

use std::time::Duration;

use super::{config::Unknown, model::Model, refusal::Refusal, words::Style};
use crate::audio::Encoding;

/// Switches that change nothing the emulator says, and may be on or off.
const SWITCHES: [&str; 8] = [
    "numerals",
    "dictation",
    "measurements",
    "profanity_filter",
    "filler_words",
    "no_delay",
    "mip_opt_out",
    "detect_entities",
];
/// Parameters of any value that change nothing the emulator says.
const TEXTS: [&str; 11] = [
    "version",
    "language_hint",
    "redact",
    "search",
    "replace",
    "tag",
    "extra",
    "callback",
    "callback_method",
    "keyterm",
    "keywords",
];
/// Encodings that are documented and not emulated.
const NOT_EMULATED: [&str; 8] = ["linear32", "flac", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex", "g729"];

/// The silence that ends speech unless the query says otherwise.
const ENDPOINTING: Duration = Duration::from_millis(10);
/// The shortest gap between words that may be asked for.
const UTTERANCE_END_MIN: u64 = 1000;
/// `keywords` at most.
const KEYWORDS_MAX: usize = 100;

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) model: Model,
    pub(super) language: String,
    /// `None` when the audio says itself what it is.
    pub(super) format: Option<Format>,
    pub(super) multichannel: bool,
    pub(super) interim: bool,
    pub(super) endpointing: Option<Duration>,
    pub(super) utterance_end: Option<Duration>,
    pub(super) vad_events: bool,
    pub(super) style: Style,
}

/// Raw audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) rate: u32,
    pub(super) channels: u16,
}

/// Reads the pairs of a query.
struct Query<'a>(&'a [(String, String)]);

impl Parameters {
    pub(super) fn read(pairs: &[(String, String)], unknown: Unknown) -> Result<Self, Refusal> {
        let query = Query(pairs);
        query.check_names(unknown)?;
        for name in SWITCHES {
            query.switch(name)?;
        }
        let model = Model::named(query.last("model").unwrap_or("base")).ok_or(Refusal::NoSuchModel)?;
        query.check_vocabulary(&model)?;
        let interim = query.switch("interim_results")?;
        let utterance_end = query.utterance_end()?;
        if utterance_end.is_some() && !interim {
            return Err(wrong("utterance_end_ms needs interim_results=true"));
        }
        let punctuated = query.switch("punctuate")? | query.switch("smart_format")?;
        let speakers = query.switch("diarize")? | query.diarize_model()?;
        Ok(Self {
            model,
            language: query.last("language").unwrap_or("en").to_owned(),
            format: query.format()?,
            multichannel: query.switch("multichannel")?,
            interim,
            endpointing: query.endpointing()?,
            utterance_end,
            vad_events: query.switch("vad_events")?,
            style: Style { punctuated, speakers },
        })
    }
}

/// Parameters that the emulator heeds, by a reader of their own.
const HEEDED: [&str; 14] = [
    "model",
    "language",
    "encoding",
    "sample_rate",
    "channels",
    "multichannel",
    "interim_results",
    "endpointing",
    "utterance_end_ms",
    "vad_events",
    "punctuate",
    "smart_format",
    "diarize",
    "diarize_model",
];

impl Query<'_> {
    fn check_names(&self, unknown: Unknown) -> Result<(), Refusal> {
        if self.last("detect_language").is_some() {
            return Err(wrong("detect_language is not available for streams"));
        }
        let known = |name: &str| [&HEEDED[..], &SWITCHES, &TEXTS].iter().any(|names| names.contains(&name));
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) if unknown == Unknown::Refused => Err(wrong(&format!("unknown field `{name}`"))),
            _ => Ok(()),
        }
    }

    fn check_vocabulary(&self, model: &Model) -> Result<(), Refusal> {
        let keywords = self.0.iter().filter(|(name, _)| name == "keywords").count();
        match model.family.as_str() {
            "nova-3" if keywords > 0 => Err(wrong("keywords is not available for nova-3; use keyterm")),
            "nova-3" | "custom" => Ok(()),
            _ if self.last("keyterm").is_some() => Err(wrong("keyterm is available for nova-3 only")),
            _ if keywords > KEYWORDS_MAX => Err(wrong("more than 100 keywords")),
            _ => Ok(()),
        }
    }

    fn format(&self) -> Result<Option<Format>, Refusal> {
        let encoding = match self.last("encoding") {
            None => return self.number("sample_rate").map(|_| None),
            Some("linear16") => Encoding::Linear16,
            Some("mulaw") => Encoding::Mulaw,
            Some("alaw") => Encoding::Alaw,
            Some(known) if NOT_EMULATED.contains(&known) => {
                return Err(wrong(&format!("encoding {known} is not emulated")));
            }
            Some(other) => return Err(wrong(&format!("unknown variant `{other}` of encoding"))),
        };
        let rate =
            self.number("sample_rate")?.ok_or_else(|| wrong("sample_rate is required with encoding"))?;
        let rate = u32::try_from(rate).ok().filter(|rate| (8000..=192_000).contains(rate));
        let channels = u16::try_from(self.number("channels")?.unwrap_or(1)).ok().filter(|count| *count > 0);
        match (rate, channels) {
            (Some(rate), Some(channels)) => Ok(Some(Format { encoding, rate, channels })),
            (None, _) => Err(wrong("sample_rate is out of range")),
            (_, None) => Err(wrong("channels is out of range")),
        }
    }

    fn endpointing(&self) -> Result<Option<Duration>, Refusal> {
        match self.last("endpointing") {
            None | Some("true") => Ok(Some(ENDPOINTING)),
            Some("false") => Ok(None),
            Some(_) => Ok(self.number("endpointing")?.map(Duration::from_millis)),
        }
    }

    fn utterance_end(&self) -> Result<Option<Duration>, Refusal> {
        match self.number("utterance_end_ms")? {
            Some(short) if short < UTTERANCE_END_MIN => Err(wrong("utterance_end_ms must be at least 1000")),
            gap => Ok(gap.map(Duration::from_millis)),
        }
    }

    fn diarize_model(&self) -> Result<bool, Refusal> {
        match self.last("diarize_model") {
            None => Ok(false),
            Some("latest" | "v1") => Ok(true),
            Some(other) => Err(wrong(&format!("diarize_model {other} is not available for streams"))),
        }
    }

    fn switch(&self, name: &str) -> Result<bool, Refusal> {
        match self.last(name) {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(other) => Err(wrong(&format!("{name}: `{other}` is neither `true` nor `false`"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.last(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(&format!("{name}: `{text}` is not a number")))
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn wrong(why: &str) -> Refusal {
    Refusal::Parameter(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Parameters, Refusal> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Parameters::read(&pairs, Unknown::Refused)
    }

    #[test]
    fn a_telephone_stream_is_read_as_it_was_asked_for() {
        let parameters = read(
            "model=nova-3&encoding=mulaw&sample_rate=8000&interim_results=true&endpointing=300\
             &utterance_end_ms=1000&vad_events=true&punctuate=true&language=en-IN&keyterm=a&keyterm=b%20c",
        );
        let parameters = parameters.expect("a good query");
        assert_eq!(parameters.format, Some(Format { encoding: Encoding::Mulaw, rate: 8000, channels: 1 }));
        assert_eq!(parameters.endpointing, Some(Duration::from_millis(300)));
        assert_eq!(parameters.utterance_end, Some(Duration::from_secs(1)));
        assert!(parameters.interim && parameters.vad_events && parameters.style.punctuated);
        assert_eq!(parameters.language, "en-IN");
    }

    #[test]
    fn endpointing_is_ten_milliseconds_unless_it_is_off() {
        assert_eq!(read("model=nova-3").expect("good").endpointing, Some(ENDPOINTING));
        assert_eq!(read("model=nova-3&endpointing=false").expect("good").endpointing, None);
    }

    #[test]
    fn what_is_unknown_wrong_or_contradictory_is_refused_and_named() {
        for (query, named) in [
            ("model=nova-3&interim_result=true", "interim_result"),
            ("model=nova-3&interim_results=yes", "interim_results"),
            ("model=nova-3&encoding=mulaw", "sample_rate"),
            ("model=nova-3&encoding=ulaw&sample_rate=8000", "ulaw"),
            ("model=nova-3&encoding=opus&sample_rate=48000", "not emulated"),
            ("model=nova-3&encoding=mulaw&sample_rate=80", "sample_rate"),
            ("model=nova-3&encoding=mulaw&sample_rate=8000&channels=0", "channels"),
            ("model=nova-3&utterance_end_ms=1000", "interim_results"),
            ("model=nova-3&utterance_end_ms=500&interim_results=true", "utterance_end_ms"),
            ("model=nova-3&detect_language=true", "detect_language"),
            ("model=nova-3&keywords=a:2", "keywords"),
            ("model=nova-2&keyterm=a", "keyterm"),
            ("model=nova-3&diarize_model=v2", "diarize_model"),
            ("model=nova-3&endpointing=soon", "endpointing"),
        ] {
            match read(query) {
                Err(Refusal::Parameter(why)) => assert!(why.contains(named), "{query}: {why}"),
                other => panic!("{query}: {other:?}"),
            }
        }
        assert_eq!(read("model=nova-9"), Err(Refusal::NoSuchModel));
    }
}
