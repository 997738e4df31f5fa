//! The keys of a Retell workspace.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::settings::SettingsError;
use crate::providers::tidy::tidy;

/// Keys of the workspace, from the "API Keys" page of Retell's dashboard. Never printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The key that requests bear.
    pub api_key: SecretString,
    /// The key that webhooks are signed with: the one that has the webhook badge. By default `api_key`, which
    /// is right where the workspace has one key.
    #[serde(default)]
    pub webhook_key: Option<SecretString>,
}

impl Credentials {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let is_key = |key: &SecretString| {
            let key = key.expose_secret();
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic())
        };
        if !is_key(&self.api_key) {
            return Err(SettingsError::Key { name: "api_key" });
        }
        // Signatures under an empty key could be made by anybody.
        if !self.webhook_key.as_ref().is_none_or(is_key) {
            return Err(SettingsError::Key { name: "webhook_key" });
        }
        Ok(())
    }

    /// What webhooks are signed with.
    pub(super) fn signing_key(&self) -> &str {
        self.webhook_key.as_ref().unwrap_or(&self.api_key).expose_secret()
    }

    pub(super) fn secrets(&self) -> [&str; 2] {
        [self.api_key.expose_secret(), self.signing_key()]
    }

    /// Fit to be stored and shown.
    pub(super) fn tidy(&self, text: &str) -> String {
        tidy(text, &self.secrets())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(text: &str) -> Result<Credentials, String> {
        let read: Credentials = serde_json::from_str(text).map_err(|error| error.to_string())?;
        read.check().map_err(|error| error.to_string())?;
        Ok(read)
    }

    #[test]
    fn webhooks_are_signed_with_the_api_key_unless_another_is_named() {
        assert_eq!(credentials(r#"{"api_key": "key_a"}"#).expect("good").signing_key(), "key_a");
        assert_eq!(
            credentials(r#"{"api_key": "key_a", "webhook_key": null}"#).expect("good").signing_key(),
            "key_a"
        );
        let two = credentials(r#"{"api_key": "key_a", "webhook_key": "key_b"}"#).expect("good");
        assert_eq!(two.signing_key(), "key_b");
        assert_eq!(two.tidy("key_a and key_b"), "*** and ***");
    }

    #[test]
    fn what_can_be_no_key_is_refused_by_name() {
        for (text, name) in [
            (r#"{"api_key": ""}"#, "api_key is no key"),
            (r#"{"api_key": "key_a\n"}"#, "api_key is no key"),
            (r#"{"api_key": "key_a", "webhook_key": ""}"#, "webhook_key is no key"),
            (r#"{"webhook_key": "key_b"}"#, "api_key"),
            (r#"{"api_key": "key_a", "api_token": "x"}"#, "api_token"),
        ] {
            let error = credentials(text).expect_err(text);
            assert!(error.contains(name), "{text}: {error}");
        }
    }

    #[test]
    fn credentials_are_never_printed() {
        let read = credentials(r#"{"api_key": "key_a", "webhook_key": "key_b"}"#).expect("good");
        let shown = format!("{read:?}");
        assert!(!shown.contains("key_a") && !shown.contains("key_b"), "{shown}");
    }
}
