//! The HTTP client that dial requests go through.

use std::time::Duration;

use reqwest::redirect;

use crate::jobs::Job;
use crate::jobs::dial::Dial;
use crate::tls;

/// How long connecting may take, TLS included: half of what a permit leaves.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an unused connection is kept. Load balancers drop theirs after 60 s or so; a dial
/// that meets a connection just being dropped ends as *unknown*, so we let go long before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// How many unused connections are kept: one for each dial that a process has in hand at once, since
/// admission begins many together. Fewer would be opened and closed over and over.
const IDLE_CONNECTIONS: usize = Dial::SLOTS;

/// A client fit for dialling: it connects within a second, follows no redirect, repeats nothing.
///
/// One client serves all accounts. It speaks HTTP/1.1 only, where a request is in one place at a
/// time, and asks for no compression. It takes no proxy from the environment, and leaves no
/// process-wide default TLS provider behind, nor needs one. On a machine without CA certificates it
/// still reaches `http` addresses.
///
/// What it never repeats: reqwest's own retries are off, and could not copy a permitted body
/// anyway. hyper-util moves a request to another connection only if no connection had begun to
/// read it; its body then still refuses to be read after the deadline, or twice.
///
/// # Errors
/// If the TLS library refuses its own defaults, which no input of ours can bring about.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::http11())
        .http1_only()
        .no_proxy()
        .no_gzip()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build()
}
