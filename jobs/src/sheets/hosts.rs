//! To which hosts requests may go.

use url::{Host, Url};

use super::settings::{Settings, SettingsError};

/// Where a redirect may lead.
#[derive(Debug)]
pub(super) struct Hosts {
    base: Url,
    others: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    host: String,
    /// `None` is the scheme's own.
    port: Option<u16>,
}

impl Hosts {
    pub(super) fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let base = settings.base_url.clone();
        if !secure(&base) || base.query().is_some() || base.fragment().is_some() {
            return Err(SettingsError::Address);
        }
        let pattern = |text: &String| Pattern::parse(text).ok_or_else(|| SettingsError::Host(text.clone()));
        let others = settings.redirect_hosts.iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(Self { base, others })
    }

    /// Whether a redirect to this address is followed.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let listed = || self.others.iter().any(|pattern| pattern.covers(url));
        secure(url) && (url.origin() == self.base.origin() || listed())
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let sound = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-*".contains(&c);
        let whole = !host.is_empty() && host.bytes().all(sound);
        whole.then(|| Self { host: host.to_owned(), port })
    }

    fn covers(&self, url: &Url) -> bool {
        let port = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => url.port().is_none(),
        };
        port && url.host_str().is_some_and(|host| matches(&self.host, host))
    }
}

/// Over TLS, or to this machine; without credentials.
fn secure(url: &Url) -> bool {
    let encrypted = match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        _ => false,
    };
    encrypted && url.has_host() && url.username().is_empty() && url.password().is_none()
}

/// A `*` stands for letters and digits, at least one.
fn matches(pattern: &str, host: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == host };
    let Some(host) = host.strip_prefix(before) else { return false };
    let longest = host.bytes().take_while(u8::is_ascii_alphanumeric).count();
    (1..=longest).any(|taken| matches(rest, &host[taken..]))
}
