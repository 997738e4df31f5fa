//! The HTTP client that events go through: it reaches only what it may.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use outdial_workflows::delivering::Response;
use outdial_workflows::destination::may_be_reached;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{StatusCode, header, redirect};
use url::{Host, Url};

use crate::tls;

/// How long a subscriber has to answer, connecting included: what the Standard Webhooks specification asks
/// senders to allow at least.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of it connecting may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// Sends events.
#[derive(Clone, Debug)]
pub struct Courier {
    http: reqwest::Client,
    allowed: Arc<[IpNet]>,
}

/// Why an event was not taken, or an address is not used.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The address is none that events can be sent to.
    #[error("{0}")]
    Address(String),
    /// The subscriber answered something else than 2xx.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// It could not be reached, or did not answer in time.
    #[error("{}", reason(.0))]
    Connection(#[from] reqwest::Error),
}

/// The innermost cause: what a person can do something about.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("it did not answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What came of sending an event.
pub(crate) struct Sent {
    pub(crate) response: Response,
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Option<CourierError>,
}

impl Courier {
    /// One that also reaches these networks, which are not public.
    ///
    /// # Errors
    /// If the TLS library refuses its own defaults.
    pub fn new(allowed: &[IpNet]) -> Result<Self, reqwest::Error> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let http = reqwest::Client::builder()
            .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::http11())
            .http1_only()
            .no_proxy()
            .no_gzip()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECTING)
            .timeout(PATIENCE)
            .dns_resolver(Arc::new(Guarded { allowed: Arc::clone(&allowed) }))
            .build()?;
        Ok(Self { http, allowed })
    }

    /// Checks what can be seen from an address alone; where its name leads to is checked at each connection.
    ///
    /// # Errors
    /// Says what is wrong, and what would be right.
    pub fn check(&self, url: &Url) -> Result<(), CourierError> {
        let wrong = |problem: &str| Err(CourierError::Address(problem.to_owned()));
        let Some(host) = url.host() else { return wrong("the address names no host") };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("leave the user and password out of the address; events are signed instead");
        }
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if address.is_some_and(|address| !may_be_reached(address, &self.allowed)) {
            return wrong("this address is not public; whoever runs this service can allow its network");
        }
        let private = address.is_some_and(|address| self.allowed.iter().any(|net| net.contains(&address)));
        let local =
            private || matches!(host, Host::Domain(name) if !self.allowed.is_empty() && name == "localhost");
        match url.scheme() {
            "https" => Ok(()),
            "http" if local => Ok(()),
            _ => wrong("events are sent by https only: `https://…`"),
        }
    }

    /// Sends once, and says what the subscriber answered.
    pub(crate) async fn send(
        &self,
        url: &Url,
        event: &str,
        timestamp: i64,
        signatures: &str,
        body: Vec<u8>,
    ) -> Sent {
        let failed = |error| Sent {
            response: Response::Failed { retry_after: None },
            status: None,
            error: Some(error),
        };
        if let Err(error) = self.check(url) {
            return failed(error);
        }
        let request = self
            .http
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", event)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures)
            .body(body);
        match request.send().await {
            Err(error) => failed(CourierError::Connection(error.without_url())),
            Ok(response) => {
                let status = response.status();
                let answer = match status {
                    status if status.is_success() => Response::Took,
                    StatusCode::GONE => Response::Gone,
                    _ => Response::Failed { retry_after: retry_after(response.headers()) },
                };
                let error = (answer != Response::Took).then_some(CourierError::Status(status));
                Sent { response: answer, status: Some(status), error }
            }
        }
    }
}

/// In seconds, as it is mostly given; a date is not read.
fn retry_after(headers: &header::HeaderMap) -> Option<TimeDelta> {
    let seconds: i64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    TimeDelta::try_seconds(seconds.min(i64::from(i32::MAX)))
}

/// Looks names up, and leaves out addresses that may not be reached: checked where the connection is made, so
/// that a name cannot lead elsewhere after it was checked.
#[derive(Debug)]
struct Guarded {
    allowed: Arc<[IpNet]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let reachable: Vec<SocketAddr> =
                found.into_iter().filter(|found| may_be_reached(found.ip(), &allowed)).collect();
            if reachable.is_empty() {
                let problem = format!("{} has no address that is public", name.as_str());
                return Err(problem.into());
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(allowed: &[&str], url: &str) -> Result<(), String> {
        let allowed: Vec<IpNet> = allowed.iter().map(|net| net.parse().expect("a net")).collect();
        let url = url.parse().expect("a URL");
        Courier::new(&allowed).expect("a courier").check(&url).map_err(|error| error.to_string())
    }

    #[test]
    fn events_go_to_public_addresses_by_https_and_to_networks_that_are_allowed() {
        assert_eq!(says(&[], "https://example.com/hook"), Ok(()));
        for refused in [
            "http://example.com/hook",
            "https://127.0.0.1/",
            "https://[::1]:8080/",
            "https://169.254.169.254/latest/meta-data",
            "https://0x7f000001/",
            "https://user:pass@example.com/",
            "ftp://example.com/",
        ] {
            assert!(says(&[], refused).is_err(), "{refused}");
        }
        assert_eq!(says(&["127.0.0.0/8"], "http://127.0.0.1:9000/hook"), Ok(()));
        assert!(says(&["10.0.0.0/8"], "http://127.0.0.1:9000/hook").is_err());
        assert!(says(&["127.0.0.0/8"], "http://example.com/").is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_followed() {
        let courier = Courier::new(&[]).expect("a courier");
        let url = "https://localhost:9/".parse().expect("a URL");
        let sent = courier.send(&url, "e", 0, "v1,", vec![]).await;
        let error = sent.error.expect("refused").to_string();
        assert!(error.contains("no address that is public"), "{error}");
    }
}
