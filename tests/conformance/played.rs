//! What the suite needs to know of a carrier.

use std::time::Duration;

use outdial_emulators::carrier::{Emulator, Protocol, Quirk, Reply};
use outdial_jobs::providers::Registered;
use outdial_workflows::call::RefusalKind;
use outdial_workflows::rules::Rules;
use url::Url;

/// How a scripted call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Somebody answers, and a minute later it is over.
    Answered,
    /// It rings out.
    NoAnswer,
    /// The line is engaged.
    Busy,
    /// The carrier cannot put it through.
    Failed,
}

/// What a carrier can do about ending a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// It ends calls whether they ring or are answered.
    #[allow(dead_code, reason = "whether a carrier of the suite does so depends on which take part")]
    Any,
    /// It ends answered calls alone.
    #[allow(dead_code, reason = "whether a carrier of the suite does so depends on which take part")]
    Answered,
    /// It ends none.
    None,
}

/// A carrier: its adapter, and its emulator.
pub(crate) trait Played: Sized + Send + Sync + 'static {
    /// The adapter.
    type Adapter: Registered;
    /// What is played.
    type Protocol: Protocol;

    /// How it can end calls.
    const ENDS: Ends;
    /// Whether it hands calls to somebody else by order.
    const TRANSFERS: bool = false;
    /// How far apart its webhooks' signatures and their receipt may lie; `None` if it does not sign.
    const SIGNED_WITHIN: Option<Duration>;
    /// Whether its webhooks tell of an answer before the call is over.
    const TELLS_ANSWERS: bool = true;
    /// Whether a call that is over can still be read.
    const KEEPS_CALLS: bool = true;

    /// The emulator's settings, at a speed of 200. Whatever is set with the carrier beforehand, such as where
    /// webhooks of the account go, is so: to `webhooks`.
    fn config(webhooks: &Url) -> <Self::Protocol as Protocol>::Config;

    /// The adapter's credentials for the emulator's first account; with `sound` false, wrong ones.
    fn credentials(
        config: &<Self::Protocol as Protocol>::Config,
        sound: bool,
    ) -> <Self::Adapter as Registered>::Credentials;

    /// The adapter's settings: requests time out after half a second.
    fn settings(config: &<Self::Protocol as Protocol>::Config) -> <Self::Adapter as Registered>::Settings;

    /// Rules that the adapter can dial by.
    fn rules() -> Rules;

    /// A number that can be dialled, in E.164.
    const PHONE: &'static str;

    /// A call that goes so, and what goes wrong besides.
    fn scenario(goes: Goes, quirks: Vec<Quirk>) -> <Self::Protocol as Protocol>::Scenario;

    /// Answers of the carrier that refuse a dial, with whose trouble each is.
    fn refusals() -> Vec<(Reply, RefusalKind)>;

    /// An authentic webhook of a type that nobody documents: headers and body, signed by the emulator's keys.
    /// `None` if the carrier has no types.
    fn strange_webhook(emulator: &Emulator<Self::Protocol>) -> Option<(Vec<(String, String)>, String)>;
}
