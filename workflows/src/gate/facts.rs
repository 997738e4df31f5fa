//! What the gate is told.

use serde::{Deserialize, Serialize};

use super::CampaignState;
use crate::Moment;
use crate::packs::{ConsentLevel, Purpose};
use crate::phone::PhoneNumber;

/// What the gate needs to know about a lead, its campaign and its account.
///
/// Its default knows nothing, and lets nobody be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateFacts {
    /// Where the campaign stands.
    pub campaign: CampaignState,
    /// Whether the account may dial: enabled, and not resting.
    pub account_ready: bool,
    /// Whether the account's carrier is emulated, on this machine.
    pub account_emulated: bool,
    /// The lead's zone as it was given.
    pub zone: Option<String>,
    /// The lead's region as it was given: a country, or a part of one (`US-FL`).
    pub region: Option<String>,
    /// The lead's number; `None` once the person was erased.
    pub phone: Option<PhoneNumber>,
    /// Suppressions of the number that apply to this campaign, each with its end.
    pub suppressed: Vec<Option<Moment>>,
    /// What is recorded of the person's consent to calls from this client, taken back or not.
    pub consents: Vec<Consent>,
    /// How often the number was tried.
    pub tried: Tried,
}

/// Which facts of a number are needed; see [`needs`](super::needs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// [`GateFacts::consents`].
    pub consents: bool,
    /// [`GateFacts::tried`]. It is then read again at the instant of dialling, when the
    /// reservation keeps everybody else from trying the number meanwhile.
    pub tried: bool,
}

/// Somebody's agreement to be called, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// How much was agreed to.
    pub level: ConsentLevel,
    /// What calls it is for; `None` for all.
    pub purpose: Option<Purpose>,
    /// Where it can be proved: a form, a recording, a contract.
    pub source: String,
    /// When it was given.
    pub given_at: Moment,
    /// When it ends by itself, if it does.
    pub expires_at: Option<Moment>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Moment>,
}

/// Attempts on one number that counted and are over, in all campaigns of the client. One that is
/// not over holds the number, so that no other is made meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// When each was submitted, in any order; those of the last [`Tried::DAYS`] at least.
    pub at: Vec<Moment>,
    /// How many there ever were.
    pub in_all: u32,
}

impl Tried {
    /// How far back attempts must be known: the longest window of a pack's cap (a month).
    pub const DAYS: i64 = 31;
}
