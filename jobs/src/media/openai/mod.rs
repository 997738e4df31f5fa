//! Models of OpenAI, and of whoever speaks its chat completions.
//!
//! - [`OpenAi`] answers in calls, streamed, and extracts what is wanted to be known of them afterwards.
//!
//! `sse` reads the events of a stream, `wire` has the messages, `answering` makes an answer of them.

mod answering;
mod extract;
mod wire;

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use outdial_workflows::conversation::{Piece, Prompt};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use self::answering::Answering;
pub use self::extract::ExtractError;
use super::http::{SetupError, check_base, presentable};
use super::services::Model;
use crate::providers::answer::{Answer, below};

/// A model, and where it is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address that `chat/completions` is below: `https://api.openai.com/v1`.
    pub base: Url,
    /// The API key.
    pub key: SecretString,
    /// The model's name there.
    pub model: String,
}

impl Endpoint {
    /// Another model at the same place.
    #[must_use]
    pub fn with_model(&self, model: impl Into<String>) -> Self {
        Self { model: model.into(), ..self.clone() }
    }

    fn check(&self) -> Result<(), SetupError> {
        check_base(&self.base, &["http", "https"])?;
        if self.model.trim().is_empty() {
            return Err(SetupError("no model is named".to_owned()));
        }
        Ok(())
    }

    fn post(&self, http: &reqwest::Client, body: &Value) -> RequestBuilder {
        let url = below(&self.base, ["chat", "completions"]);
        http.post(url).bearer_auth(self.key.expose_secret()).json(body)
    }

    /// Why there is no answer, in a line without the key.
    fn failed(&self, words: &str) -> String {
        presentable(&format!("the model {} {words}", self.model), &self.key)
    }

    fn refused(&self, answer: &Answer) -> String {
        let said = answer.json::<Value>().and_then(|body| wire::error_words(&body["error"]));
        self.failed(&format!("answered {}", answer.words(said.as_deref())))
    }
}

/// A model, and perhaps another one for when that fails.
#[derive(Clone, Debug)]
pub struct OpenAi {
    http: reqwest::Client,
    usual: Arc<Endpoint>,
    fallback: Option<Arc<Endpoint>>,
}

impl OpenAi {
    /// A model that is asked through `http` (see [`http_client`](super::http::http_client)), and the one that is asked
    /// when it fails: another one at the same place ([`Endpoint::with_model`]), or elsewhere. Without one the usual
    /// model is asked again.
    ///
    /// # Errors
    /// If an address is none of HTTP, or a model is not named.
    pub fn new(
        http: reqwest::Client,
        usual: Endpoint,
        fallback: Option<Endpoint>,
    ) -> Result<Self, SetupError> {
        usual.check()?;
        fallback.as_ref().map(Endpoint::check).transpose()?;
        Ok(Self { http, usual: Arc::new(usual), fallback: fallback.map(Arc::new) })
    }
}

impl Model for OpenAi {
    /// Asked once, with no deadline: the conversation gives a model up that says nothing, and asks the other one.
    ///
    /// A refusal is what the model says, since the person has to hear something. An answer that ran into its limit is
    /// what there is of it, without calls that have lost their end. One that is filtered, or ends without saying why,
    /// has failed.
    fn answer(&self, prompt: &Prompt, fallback: bool) -> BoxStream<'static, Piece> {
        let endpoint = self.fallback.as_ref().filter(|_| fallback).unwrap_or(&self.usual);
        let request = endpoint.post(&self.http, &wire::request(&endpoint.model, prompt));
        let answering = Answering::new(request, Arc::clone(endpoint));
        stream::unfold(answering, |mut answering| async move { Some((answering.next().await?, answering)) })
            .boxed()
    }
}
