//! What the emulators of all carriers have in common: scripts, evidence, faults, webhooks, and the
//! life of the server. What a carrier says on the wire is in its own module.

mod control;
mod counters;
mod dice;
mod emulator;
mod exchange;
mod hub;
pub(crate) mod mix;
mod phone;
mod quirk;
mod scenario;
mod server;
mod webhooks;
mod world;

use std::{fmt::Debug, sync::Arc, time::Duration};

use axum::Router;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(crate) use self::{
    counters::Counters,
    dice::Dice,
    exchange::{Order, dial},
    mix::Outcomes,
    quirk::status,
    scenario::{scenario, usual_ring},
    webhooks::{Manner, Notice, Schedule, deliver, send, send_copies},
    world::Placement,
};
pub use self::{
    counters::{Dial, Dials, KeyCount, NumberCount, Totals},
    emulator::Emulator,
    hub::Hub,
    phone::Phone,
    quirk::{Forgery, Quirk, Reply, ReplyBody},
    server::{ClientError, StartError},
    world::{Base, World},
};
use crate::clock::Pace;
pub use crate::server::ConfigError;

/// A carrier's protocol, as far as the common part needs to know it.
pub trait Protocol: Sized + Send + Sync + 'static {
    /// The name in `/_emulator/health`.
    const NAME: &'static str;
    /// Everything that can be set.
    type Config: Settings<Scenario = Self::Scenario>;
    /// What one dial leads to.
    type Scenario: Scenario;
    /// The record of a placed call.
    type Call: Call;
    /// What the carrier's own rules need to remember besides.
    type More: Default + Send + 'static;

    /// The carrier's own routes.
    fn routes() -> Router<Arc<Hub<Self>>>;

    /// Plays a placed call to its end, its webhooks included.
    fn live(
        hub: Arc<Hub<Self>>,
        call: Self::Call,
        scenario: Self::Scenario,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// Reads a number the way the carrier's API does.
    fn phone(text: &str) -> Option<Phone> {
        Phone::e164(text)
    }

    /// A finished call is no longer remembered.
    fn forgotten(more: &mut Self::More, call: &Self::Call) {
        let _ = (more, call);
    }
}

/// An emulator's settings.
pub trait Settings: Clone + Default + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The carrier's scenarios.
    type Scenario;

    /// Says what is wrong, if anything.
    ///
    /// # Errors
    /// If the settings cannot be used.
    fn check(&self) -> Result<(), ConfigError>;
    /// Port on 127.0.0.1; 0 takes any free one.
    fn port(&self) -> u16;
    /// How many nominal seconds pass in one real second.
    fn speed(&self) -> f64;
    /// What a number does that has no script.
    fn fallback(&self) -> &Fallback<Self::Scenario>;
    /// Real time after which a finished call is forgotten; `None` keeps all.
    fn forget_finished_after(&self) -> Option<Duration>;
}

/// How time passes under checked settings.
pub(crate) trait Paced {
    fn pace(&self) -> Pace;
}

impl<S: Settings> Paced for S {
    fn pace(&self) -> Pace {
        Pace::new(self.speed()).expect("a checked config has a usable speed")
    }
}

/// One dial, from the request to the last webhook.
pub trait Scenario: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What goes wrong besides.
    fn quirks(&self) -> &[Quirk];
    /// A believable spread of outcomes, the same on every run.
    fn by_phone(phone: Phone, dial: u32) -> Self;
}

/// The record of a placed call. Cloning is cheap.
pub trait Call: Clone + Send + Sync + 'static {
    /// What a test's author sees of it.
    type Report: Serialize;

    /// What every call has.
    fn base(&self) -> &Base;
    /// The same, to be changed.
    fn base_mut(&mut self) -> &mut Base;
    /// For tests.
    fn report(&self) -> Self::Report;
}

/// What an unscripted number does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback<S> {
    /// Every dial alike.
    Always(S),
    /// The carrier's mix of outcomes: varied, the same on every run.
    Mix,
}
