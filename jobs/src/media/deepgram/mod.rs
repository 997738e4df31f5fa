//! The recogniser of Deepgram: its `nova` models, streamed through a WebSocket.
//!
//! - [`Deepgram`] is an account, for all calls of a process; [`Listener`] is it in a call.
//!
//! `link` opens sockets, `wire` reads messages, `replay` keeps the audio that has to be sent again on another socket,
//! `hearing` makes of messages what is told, and `listening` is the task between them.

mod hearing;
mod link;
mod listening;
mod replay;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use self::listening::Listening;
use super::audio::{Encoding, Format};
use super::http::{SetupError, check_base};
use super::services::{Recognised, Recogniser};
use crate::tls;

/// How an account recognises.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Deepgram is: `https://api.deepgram.com`, or a server of one's own.
    pub base: Url,
    /// The API key.
    pub key: SecretString,
    /// The model: `nova-3`, for one.
    pub model: String,
    /// Names and words that the model would not expect. Models before `nova-3` refuse them.
    pub keyterms: Vec<String>,
    /// How long it waits for what.
    pub patience: Patience,
}

/// How long a recogniser waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Silence that ends an utterance. The conversation has its own measure of a turn, for which this is one sign.
    pub endpointing: Duration,
    /// Without audio, something is said so often. Deepgram hangs up after 10 s, and advises 3 to 5.
    pub keep_alive: Duration,
    /// A socket is given up that has told nothing for so long of so much audio. Deepgram tells something about every
    /// second, of silence too.
    pub told_nothing: Duration,
    /// The wait before the second attempt in a row to reach Deepgram; it doubles each time. The first one follows at
    /// once.
    pub first_wait: Duration,
    /// After so many failures in a row nothing more is tried.
    pub failures: u32,
}

impl Default for Patience {
    /// Six failures in a row take three seconds of waits: about as long as a person listens to nothing.
    fn default() -> Self {
        Self {
            endpointing: Duration::from_millis(300),
            keep_alive: Duration::from_secs(4),
            told_nothing: Duration::from_secs(5),
            first_wait: Duration::from_millis(200),
            failures: 6,
        }
    }
}

/// An account at Deepgram, for all calls of a process.
#[derive(Clone, Debug)]
pub struct Deepgram {
    settings: Arc<Settings>,
    tls: Arc<ClientConfig>,
}

impl Deepgram {
    /// An account. Certificates are checked against those the machine trusts; no process-wide default TLS provider is
    /// left behind, nor needed.
    ///
    /// # Errors
    /// If the address is none of HTTP or WebSockets, or no model is named.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        check_base(&settings.base, &["https", "http", "wss", "ws"])?;
        if settings.model.trim().is_empty() {
            return Err(SetupError("no model is named".to_owned()));
        }
        Ok(Self { settings: Arc::new(settings), tls: Arc::new(tls::http11()) })
    }

    /// The recogniser of a call, of audio in this format and of this language: a BCP 47 tag, or `multi` for people
    /// who change between languages.
    #[must_use]
    pub fn for_call(&self, format: Format, language: &str) -> Listener {
        let url = self.url(format, language);
        let Self { settings, tls } = self.clone();
        Listener { settings, tls, format, url }
    }

    fn url(&self, format: Format, language: &str) -> Url {
        let Settings { base, model, keyterms, patience, .. } = &*self.settings;
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "listen"]);
        }
        let encoding = match format.encoding {
            Encoding::Mulaw => "mulaw",
            Encoding::Alaw => "alaw",
            Encoding::Linear16 => "linear16",
        };
        url.query_pairs_mut()
            .append_pair("model", model)
            .append_pair("language", language)
            .append_pair("encoding", encoding)
            .append_pair("sample_rate", &format.rate.to_string())
            .append_pair("punctuate", "true")
            .append_pair("interim_results", "true")
            .append_pair("endpointing", &patience.endpointing.as_millis().to_string())
            // The least that may be asked for: it tells of ends in noise, where endpointing hears none.
            .append_pair("utterance_end_ms", "1000")
            .extend_pairs(keyterms.iter().map(|term| ("keyterm", term)));
        // A space as Deepgram's documents write it; a plus sign itself is escaped by now.
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
        url
    }
}

/// The recogniser of Deepgram in a call.
#[derive(Clone, Debug)]
pub struct Listener {
    settings: Arc<Settings>,
    tls: Arc<ClientConfig>,
    format: Format,
    url: Url,
}

/// What is told waits here for whoever listens; a second of it is two or three.
const TOLD: usize = 64;

impl Recogniser for Listener {
    /// It connects with the first audio, and listens in a task of its own, which ends with the stream. When the audio
    /// ends, what is left of it is still recognised; then the stream ends.
    fn listen(&self, audio: mpsc::Receiver<Bytes>) -> BoxStream<'static, Recognised> {
        let (tell, told) = mpsc::channel(TOLD);
        let task = tokio::spawn(Listening::new(self.clone(), audio, tell).run());
        let listening = (told, AbortOnDropHandle::new(task));
        stream::unfold(listening, |(mut told, task)| async move { Some((told.recv().await?, (told, task))) })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_address() {
        let settings = Settings {
            base: "https://stt.example.com/proxy/".parse().expect("a URL"),
            key: "dg-fake".into(),
            model: "nova-3".into(),
            keyterms: vec!["Lake View".into(), "Ōtsu".into()],
            patience: Patience::default(),
        };
        let deepgram = Deepgram::new(settings).expect("settings");
        let listener = deepgram.for_call(Format::MULAW_8000, "en-IN");
        assert_eq!(
            listener.url.as_str(),
            "https://stt.example.com/proxy/v1/listen?model=nova-3&language=en-IN&encoding=mulaw&sample_rate=8000\
             &punctuate=true&interim_results=true&endpointing=300&utterance_end_ms=1000\
             &keyterm=Lake%20View&keyterm=%C5%8Ctsu"
        );
        assert!(!format!("{listener:?}").contains("dg-fake"));
    }
}
