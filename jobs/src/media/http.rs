//! The HTTP client of the services, and what is told of their failures.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::tls;

/// How long connecting may take, TLS included: a person who waits for an answer does not wait longer for it.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long an unused connection is kept, so that the next sentence of any call finds one. Load balancers drop theirs
/// after a minute or more.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How many unused connections to one server are kept, where it does not speak HTTP/2: about as many as calls that a
/// process has in hand.
const IDLE_CONNECTIONS: usize = 64;

/// How much of what a service says about a failure is told, in characters.
const WORDS_MAX: usize = 200;

/// A client for the services of conversations. One serves all calls of a process, and keeps connections warm between
/// them.
///
/// It follows no redirect, which could carry a key elsewhere, and repeats nothing but what hyper knows never to have
/// left: the conversation decides what is asked again. It has no deadline beyond that for connecting; whoever listens
/// to an answer drops it when it takes too long. It takes no proxy from the environment, and leaves no process-wide
/// default TLS provider behind, nor needs one.
///
/// # Errors
/// If the TLS library refuses its own defaults, which no input of ours can bring about.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::http2())
        .no_proxy()
        .no_gzip()
        .tcp_nodelay(true)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build()
}

/// Why a service cannot be used as it is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub(super) String);

/// Checks the base address of a service: one of `schemes`, and a host. A user and a password have no place in it.
pub(super) fn check_base(base: &Url, schemes: &[&str]) -> Result<(), SetupError> {
    let wrong = |problem: String| Err(SetupError(problem));
    if !schemes.contains(&base.scheme()) || base.host().is_none() {
        return wrong(format!("the address must begin with {}://", schemes.join(":// or ")));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return wrong("the address must hold neither user nor password".to_owned());
    }
    Ok(())
}

/// The innermost cause, which names the problem; addresses are left out.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Somebody else's words, fit to be stored and shown: one line, of a bounded length, and without the key.
pub(super) fn presentable(words: &str, key: &SecretString) -> String {
    let key = key.expose_secret();
    let words = if key.is_empty() { words.to_owned() } else { words.replace(key, "[key]") };
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut characters = line.chars().filter(|character| !character.is_control());
    let mut short: String = characters.by_ref().take(WORDS_MAX).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_one_short_line_without_the_key() {
        let key = SecretString::from("sk-fake");
        assert_eq!(presentable("Key sk-fake\nis\twrong.\u{7}", &key), "Key [key] is wrong.");
        assert_eq!(presentable("as it is", &SecretString::from("")), "as it is");
        let long = presentable(&"ä".repeat(WORDS_MAX + 1), &key);
        assert_eq!(long.chars().count(), WORDS_MAX + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn an_address_that_could_not_be_reached_or_holds_a_password_is_refused() {
        for (base, good) in [
            ("https://api.example.com", true),
            ("http://127.0.0.1:9/v1", true),
            ("ftp://api.example.com", false),
            ("https://user:secret@api.example.com", false),
            ("unix:/run/socket", false),
        ] {
            let base: Url = base.parse().expect("a URL");
            assert_eq!(check_base(&base, &["http", "https"]).is_ok(), good, "{base}");
        }
    }
}
