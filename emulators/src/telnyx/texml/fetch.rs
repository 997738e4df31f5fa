//! Asking for instructions (protocol page, §7.3).

use url::Url;

use super::{Source, document};
use crate::{clock, telnyx::life::Life};

/// Instructions, and the address that others in them are relative to.
pub(super) struct Fetched {
    pub(super) verbs: Vec<document::Verb>,
    pub(super) base: Option<Url>,
}

impl Life {
    /// Instructions from `source`, or else from the fallback address.
    pub(super) async fn fetch(&self, source: &Source) -> Option<Fetched> {
        let (url, get, extras) = match source {
            Source::Inline(text) => return self.read(text, None),
            Source::Url { url, get, extras } => (url, *get, extras.as_slice()),
        };
        if let Some(fetched) = self.ask(url, get, extras).await {
            return Some(fetched);
        }
        let fallback = self.call.request.texml.as_ref()?.fallback.clone()?;
        self.ask(&fallback, get, extras).await
    }

    async fn ask(&self, url: &Url, get: bool, extras: &[(&'static str, String)]) -> Option<Fetched> {
        let parameters = self.parameters(extras);
        let form = if get { String::new() } else { encode(&parameters) };
        let timestamp = clock::now().timestamp();
        let signature = self.config.signing_seed.sign(timestamp, form.as_bytes());
        let request = if get {
            let mut url = url.clone();
            url.query_pairs_mut().extend_pairs(&parameters);
            self.hub.http.get(url)
        } else {
            let request = self.hub.http.post(url.clone()).body(form);
            request.header("content-type", "application/x-www-form-urlencoded")
        };
        let request = request
            .timeout(self.config.texml.fetch_timeout)
            .header("user-agent", "telnyx-webhooks")
            .header("telnyx-timestamp", timestamp.to_string())
            .header("telnyx-signature-ed25519", signature);
        let response = match request.send().await {
            Ok(response) if response.status().is_success() => response,
            Ok(response) => {
                tracing::debug!(status = %response.status(), "instructions were refused");
                return None;
            }
            Err(error) => {
                tracing::debug!(%error, "instructions could not be fetched");
                return None;
            }
        };
        self.read(&response.text().await.ok()?, Some(url.clone()))
    }

    /// Placeholders are filled from what the request said.
    fn read(&self, text: &str, base: Option<Url>) -> Option<Fetched> {
        let mut filled = text.to_owned();
        for (name, value) in self.parameters(&[]) {
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            filled = filled.replace(&format!("{{{{{name}}}}}"), &value);
        }
        Some(Fetched { verbs: document::parse(&filled)?, base })
    }

    fn parameters(&self, extras: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let call = self.now();
        let mut parameters = vec![
            ("AccountSid", call.account().to_owned()),
            ("CallSid", call.id().to_owned()),
            ("CallSidLegacy", call.id().to_owned()),
            ("CallStatus", call.status.name().to_owned()),
            ("CallerId", call.request.from.clone()),
            ("CallingPartyType", "pstn".to_owned()),
            ("ConnectionId", call.request.connection.clone()),
            ("From", call.request.from.clone()),
            ("FromSipUri", format!("{}@sip.telnyx.com", call.request.from)),
            ("To", call.request.to.clone()),
            ("ToSipUri", format!("{}@sip.telnyx.com", call.request.to)),
        ];
        if let Some(found) = call.answered_by {
            parameters.push(("AnsweredBy", super::callback::answered_by(found).to_owned()));
        }
        parameters.extend(extras.iter().cloned());
        parameters
    }
}

fn encode(parameters: &[(&'static str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}
