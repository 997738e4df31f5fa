//! A `StreamUrl`, taken apart: where to connect, as whom, and what to hand over in `start`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Url;

/// A checked `StreamUrl`.
#[derive(Debug, Clone)]
pub(in crate::exotel) struct Target {
    /// As given, without credentials.
    whole: Url,
    /// Without custom parameters either.
    bare: Url,
    /// `Authorization` of the upgrade request.
    pub(super) authorization: Option<String>,
    /// Samples per second.
    pub(super) sample_rate: u32,
    pub(super) custom_parameters: Vec<(String, String)>,
}

/// Length of the whole URL must stay below this.
const LENGTH_LIMIT: usize = 600;
const PARAMETERS_MAX: usize = 3;
const PARAMETERS_LENGTH_MAX: usize = 256;

impl Target {
    /// `Err` is the message of a 400.
    pub(in crate::exotel) fn parse(given: &str) -> Result<Self, String> {
        if given.chars().count() >= LENGTH_LIMIT {
            return Err(format!("StreamUrl must be shorter than {LENGTH_LIMIT} characters"));
        }
        let url = Url::parse(given).ok();
        let url = url.filter(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host());
        let mut url = url.ok_or("StreamUrl must be a ws:// or wss:// URL")?;
        let authorization = take_credentials(&mut url);
        let (rates, custom_parameters): (Vec<_>, Vec<_>) = url
            .query_pairs()
            .into_owned()
            .partition(|(name, _)| matches!(name.as_str(), "sample-rate" | "sample_rate"));
        check_parameters(&custom_parameters)?;
        let sample_rate = match rates.last() {
            Some((_, rate)) => sample_rate(rate)?,
            None => 8000,
        };
        let mut bare = url.clone();
        bare.set_query(None);
        if !rates.is_empty() {
            bare.query_pairs_mut().extend_pairs(&rates);
        }
        Ok(Self { whole: url, bare, authorization, sample_rate, custom_parameters })
    }

    /// What the upgrade request asks for.
    pub(super) fn url(&self, with_custom_parameters: bool) -> &Url {
        if with_custom_parameters { &self.whole } else { &self.bare }
    }
}

fn take_credentials(url: &mut Url) -> Option<String> {
    if url.username().is_empty() {
        return None;
    }
    let user = percent_decoded(url.username());
    let password = percent_decoded(url.password().unwrap_or_default());
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn percent_decoded(text: &str) -> String {
    let query = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn check_parameters(given: &[(String, String)]) -> Result<(), String> {
    let length: usize = given.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if given.len() > PARAMETERS_MAX {
        Err(format!("StreamUrl may carry at most {PARAMETERS_MAX} custom parameters"))
    } else if length.saturating_sub(1) > PARAMETERS_LENGTH_MAX {
        Err(format!("StreamUrl may carry at most {PARAMETERS_LENGTH_MAX} characters of custom parameters"))
    } else {
        Ok(())
    }
}

fn sample_rate(given: &str) -> Result<u32, String> {
    match given {
        "8000" => Ok(8000),
        "16000" => Ok(16000),
        "24000" => Ok(24000),
        other => Err(format!("StreamUrl's sample-rate must be 8000, 16000 or 24000, not '{other}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_url_is_taken_apart() {
        let target = Target::parse("wss://k%40x:t+@bot.example/s/1?a=1&sample-rate=16000&b=x%20y")
            .expect("a good URL");
        assert_eq!(target.url(false).as_str(), "wss://bot.example/s/1?sample-rate=16000");
        assert_eq!(target.url(true).as_str(), "wss://bot.example/s/1?a=1&sample-rate=16000&b=x%20y");
        assert_eq!(target.authorization.as_deref(), Some("Basic a0B4OnQr"));
        assert_eq!(target.sample_rate, 16000);
        assert_eq!(target.custom_parameters[1], ("b".into(), "x y".into()));
    }

    #[test]
    fn the_documented_bounds_hold() {
        let long = |length: usize| format!("ws://h/{}", "x".repeat(length - "ws://h/".len()));
        assert!(Target::parse(&long(599)).is_ok());
        for bad in [
            long(600),
            "http://bot/".into(),
            "ws://".into(),
            "ws://h/?a=1&b=2&c=3&d=4".into(),
            format!("ws://h/?a={}", "x".repeat(255)),
            "ws://h/?sample-rate=44100".into(),
        ] {
            assert!(Target::parse(&bad).is_err(), "{bad}");
        }
        assert!(Target::parse(&format!("ws://h/?a={}", "x".repeat(254))).is_ok());
    }
}
