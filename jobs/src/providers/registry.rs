//! Which carriers there are, and how an account with one is opened.

use std::str::FromStr;
use std::sync::Arc;

use outdial_workflows::limits::Limit;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use super::exotel::Exotel;
use super::livekit::LiveKit;
use super::retell::Retell;
use super::telnyx::Telnyx;
use super::{Carrier, SharedCarrier};

/// Writes the table of carriers: for each its name here, its name in data and addresses, and its adapter.
macro_rules! carriers {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $adapter:ty;)+) => {
        /// The carriers that an account can be with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Provider {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Provider {
            /// All of them, in the order in which lists name them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in data and in addresses.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The name that people know it by.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)+ }
            }

            /// What is known of it before an account is opened.
            pub(crate) fn registered(self) -> Entry {
                match self { $(Self::$variant => Entry::of::<$adapter>(),)+ }
            }
        }
    };
}

carriers! {
    /// Exotel, voice API v1 with AgentStream.
    Exotel = "exotel", Exotel;
    /// Retell, phone calls v2 by agents that it runs.
    Retell = "retell", Retell;
    /// Telnyx, Call Control v2.
    Telnyx = "telnyx", Telnyx;
    /// LiveKit, server API and SIP, with agents of the customer's.
    LiveKit = "livekit", LiveKit;
}

/// No carrier has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no carrier; there are {all}", all = Provider::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "))]
pub struct NotAProvider(pub String);

impl FromStr for Provider {
    type Err = NotAProvider;

    fn from_str(text: &str) -> Result<Self, NotAProvider> {
        let named = Self::ALL.iter().find(|provider| provider.name() == text);
        named.copied().ok_or_else(|| NotAProvider(text.to_owned()))
    }
}

/// What an account is opened with.
pub struct Opening<S, C> {
    /// The client that all carriers share.
    pub http: reqwest::Client,
    /// Where the carrier is reached.
    pub base_url: Url,
    /// What proves that the account is ours.
    pub credentials: C,
    /// What the adapter needs besides.
    pub settings: S,
}

/// A carrier that accounts can be opened with: an adapter that implements it and has its line in the
/// table of carriers is one of the product.
pub trait Registered: Carrier + Sized + 'static {
    /// What proves that an account is ours. Never printed.
    type Credentials: DeserializeOwned;
    /// What the adapter needs besides. `{}` is good for most.
    type Settings: DeserializeOwned + Serialize;

    /// Its name in the table.
    const PROVIDER: Provider;

    /// Where it is reached unless the account says otherwise; `None` if each customer has an address of
    /// their own.
    const BASE_URL: Option<&'static str>;

    /// Whether somebody has to enter our webhooks' address at the carrier, because its dials cannot name one.
    const WEBHOOKS_BY_HAND: bool = false;

    /// The credentials written out, on their way into the seal and nowhere else.
    fn plain(credentials: &Self::Credentials) -> Value;

    /// Opens an account. Nothing is sent.
    ///
    /// # Errors
    /// What cannot work, and what would.
    fn open(opening: Opening<Self::Settings, Self::Credentials>) -> Result<Self, String>;

    /// Addresses of the carrier beside the base URL, which must be as safe as that.
    fn more_addresses(settings: &Self::Settings) -> Vec<&Url> {
        let _ = settings;
        vec![]
    }

    /// A setting that is for emulated carriers only, and is set.
    fn emulated_only(settings: &Self::Settings) -> Option<&'static str> {
        let _ = settings;
        None
    }

    /// Limits that the carrier itself sets on every account, beside the account's own.
    fn default_limits() -> Vec<Limit>;
}

/// Why an account cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct CannotOpen {
    /// `credentials`, `settings` or `address`.
    pub place: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What is known of a carrier before an account is opened.
pub(crate) struct Entry {
    /// See [`Registered::BASE_URL`].
    pub(crate) base_url: Option<&'static str>,
    /// See [`Registered::WEBHOOKS_BY_HAND`].
    pub(crate) webhooks_by_hand: bool,
    /// See [`Registered::default_limits`].
    pub(crate) default_limits: fn() -> Vec<Limit>,
    /// Opens an account, and checks that what is given can work.
    pub(crate) open: fn(reqwest::Client, Url, &[u8], &Value) -> Result<SharedCarrier, CannotOpen>,
}

impl Entry {
    fn of<R: Registered>() -> Self {
        Self {
            base_url: R::BASE_URL,
            webhooks_by_hand: R::WEBHOOKS_BY_HAND,
            default_limits: R::default_limits,
            open: open::<R>,
        }
    }
}

fn open<R: Registered>(
    http: reqwest::Client,
    base_url: Url,
    credentials: &[u8],
    settings: &Value,
) -> Result<SharedCarrier, CannotOpen> {
    let credentials = serde_json::from_slice(credentials);
    let credentials = credentials.map_err(|problem| unreadable("credentials", &problem))?;
    let settings: R::Settings =
        R::Settings::deserialize(settings).map_err(|problem| unreadable("settings", &problem))?;
    let emulated = is_loopback(&base_url);
    for address in std::iter::once(&base_url).chain(R::more_addresses(&settings)) {
        if address.scheme() != "https" && !(emulated && is_loopback(address)) {
            let problem = format!("`{address}` is not encrypted; give an https:// address");
            return Err(CannotOpen { place: "address", problem });
        }
    }
    if let Some(name) = R::emulated_only(&settings).filter(|_| !emulated) {
        let problem = format!("{name} is for emulated carriers: a real call could still be under way");
        return Err(CannotOpen { place: "settings", problem });
    }
    let opened = R::open(Opening { http, base_url, credentials, settings });
    let carrier = opened.map_err(|problem| CannotOpen { place: "account", problem })?;
    Ok(Arc::new(carrier))
}

/// serde's own words name the field. They are about names and types, and never show a string's content.
fn unreadable(place: &'static str, problem: &serde_json::Error) -> CannotOpen {
    CannotOpen { place, problem: problem.to_string() }
}

/// Whether a carrier's address is on this machine: an emulator, which rings nobody.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
