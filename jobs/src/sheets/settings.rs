//! Where sheets are read.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

/// Where sheets are, and where their files may be. The default is Google.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where `/spreadsheets/` is. `https`; plain `http` is taken for this machine alone.
    pub base_url: Url,
    /// The hosts besides that of `base_url` to which a redirect is followed, `host` or `host:port`.
    /// A `*` stands for letters and digits, at least one, and never for a dot.
    pub redirect_hosts: Vec<String>,
}

impl Default for Settings {
    /// The hosts as Google uses them; the two parts of the second one's name change all the time.
    fn default() -> Self {
        Self {
            base_url: "https://docs.google.com".parse().expect("an address"),
            redirect_hosts: vec!["doc-*-*-sheets.googleusercontent.com".to_owned()],
        }
    }
}

/// Why no sheet could be read under these settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The base address will not do.
    #[error(
        "base_url must be an https address without user, query and fragment, such as \
         `https://docs.google.com`; plain http is for addresses of this machine, such as \
         `http://127.0.0.1:8080`"
    )]
    Address,
    /// The name of a host will not do.
    #[error(
        "redirect_hosts has `{0}`, which is no `host` or `host:port` in small letters; \
         `*` may stand for letters and digits"
    )]
    Host(String),
    /// The HTTP library refused its settings.
    #[error("there is no HTTP client")]
    Client(#[source] reqwest::Error),
}
