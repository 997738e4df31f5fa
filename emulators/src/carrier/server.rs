//! Why a carrier's emulator may not start, and the client for webhooks.

use std::{io, sync::Arc};

use super::ConfigError;

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error("the config cannot be used")]
    Config(#[from] ConfigError),
    /// The port is taken, most likely.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The client for webhooks cannot be built.
    #[error("no HTTP client for webhooks")]
    Client(#[from] ClientError),
}

/// Why there is no client for webhooks.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused its settings.
    #[error("HTTP cannot be set up")]
    Http(#[from] reqwest::Error),
}

/// A client for plain http that keeps its connections. TLS has no roots: https fails, and no
/// process-wide crypto provider is needed or installed.
pub(super) fn webhook_client() -> Result<reqwest::Client, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .build()?;
    Ok(client)
}
