//! How HTTP clients of ours check whom they speak to.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// TLS for a client of HTTP/1.1 that trusts the certificate authorities of the machine; [`client`] says more.
///
/// # Panics
/// Never, as [`client`].
#[must_use]
pub fn http11() -> ClientConfig {
    client(&[b"http/1.1"])
}

/// TLS for a client of HTTP/2 where the server has it, and of HTTP/1.1 elsewhere; [`client`] says more.
///
/// # Panics
/// Never, as [`client`].
#[must_use]
pub fn http2() -> ClientConfig {
    client(&[b"h2", b"http/1.1"])
}

/// TLS for a client that trusts the certificate authorities of the machine, and offers these protocols, the best
/// first.
///
/// It leaves no process-wide default provider behind, nor needs one. On a machine without CA
/// certificates every `https` address fails, and `http` addresses are still reached.
///
/// # Panics
/// Never: ring has the cipher suites of the versions that are rustls's defaults.
#[must_use]
pub fn client(protocols: &[&[u8]]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of the default versions");
    let mut config = match verifier(provider) {
        Some(verifier) => {
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

/// Checks certificates against those the machine trusts.
fn verifier(provider: Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    match Verifier::new(provider) {
        Ok(verifier) => Some(Arc::new(verifier)),
        Err(error) => {
            tracing::warn!(
                %error,
                "no https address can be reached, of carriers, sheets or servers: this machine trusts no \
                 certificate authority; install the package ca-certificates and start again"
            );
            None
        }
    }
}
