//! The row that carries one lead's state.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::{AttemptNumber, CampaignId, LaneId, LeadId};
use crate::outcome::Outcome;
use crate::why::Why;

/// Where a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In its lane: admission takes it once `wake_at` has come and a slot is free.
    Waiting,
    /// Waiting without a time, until somebody mends what is wrong or lets it go.
    Held,
    /// An attempt is reserved, being sent, or unknown.
    Dialling,
    /// The carrier has the call.
    Calling,
    /// The call is over; results may still come.
    Settling,
    /// Done, with an outcome.
    Finished,
}

impl State {
    /// Every state, in the order of a lead's life.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Held, Self::Dialling, Self::Calling, Self::Settling, Self::Finished];

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Dialling => "dialling",
            Self::Calling => "calling",
            Self::Settling => "settling",
            Self::Finished => "finished",
        }
    }
}

/// How soon a lead is called among those that are due. Waiting makes up for it:
/// see [`Priority::handicap_s`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    Urgent,
    /// Before normal.
    High,
    /// As most are.
    #[default]
    Normal,
    /// After normal.
    Low,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// By how many seconds of waiting this priority comes after [`Priority::Urgent`].
    /// A low lead that has been due for two hours goes before an urgent one that
    /// is due now, so that low moves.
    pub fn handicap_s(self) -> i64 {
        match self {
            Self::Urgent => 0,
            Self::High => 10 * 60,
            Self::Normal => 60 * 60,
            Self::Low => 2 * 60 * 60,
        }
    }

    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// The text names no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a priority; one of: urgent, high, normal, low")]
pub struct NotAPriority(pub String);

impl std::str::FromStr for Priority {
    type Err = NotAPriority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        let named = Self::ALL.into_iter().find(|priority| priority.name() == wanted);
        named.ok_or_else(|| NotAPriority(text.to_owned()))
    }
}

/// What was decided while a call was under way; carried out once it has resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub enum Intent {
    /// End the lead without another attempt.
    Finish {
        /// For which reason.
        why: Why,
        /// With which outcome; `None` leaves it to the live attempt.
        outcome: Option<Outcome>,
    },
    /// Hold the lead before another attempt.
    Hold {
        /// Who.
        actor: String,
        /// In their words.
        reason: Option<String>,
        /// When the person asked to be called again, if they did: from then on the lead is due once it is let go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_back_at: Option<Moment>,
    },
    /// Call the person again at a time that they asked for.
    CallBack {
        /// In which attempt.
        attempt: AttemptNumber,
        /// When.
        at: Moment,
    },
}

/// One lead's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// The lead, under the same id.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Its lane.
    pub lane: LaneId,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    pub why: Why,
    /// Waiting: due from this moment on (not snapped to the calling window).
    /// Otherwise: when the timer fires. `None` when held or finished.
    pub wake_at: Option<Moment>,
    /// How soon, among those due.
    pub priority: Priority,
    /// How many ledger rows it has; the latest has this number.
    pub attempts: u16,
    /// The latest attempt of which an outcome is recorded; 0 while none is. Later ones were
    /// withdrawn, refused without counting, or are still under way.
    pub recorded: u16,
    /// How many of them count against the limits.
    pub counted: u16,
    /// Counted attempts that came before a person said "retry": a retry grants the policy's attempts anew.
    pub forgiven: u16,
    /// Refusals in a row, for their backoff.
    pub refusals: u16,
    /// Failures in a row, for their backoff.
    pub failures: u16,
    /// How often in a row the number was found busy, for its backoff.
    pub collisions: u16,
    /// Reservations in a row that were withdrawn, for their backoff.
    pub withdrawals: u16,
    /// What is to happen once the live attempt has resolved.
    pub intent: Option<Intent>,
    /// Set once finished.
    pub outcome: Option<Outcome>,
    /// How many events its history holds.
    pub events: i64,
}

impl Workflow {
    /// A lead that was just accepted: due at once.
    pub fn accepted(
        lead: LeadId,
        campaign: CampaignId,
        lane: LaneId,
        priority: Priority,
        now: Moment,
    ) -> Self {
        Self {
            lead,
            campaign,
            lane,
            state: State::Waiting,
            why: Why::New,
            wake_at: Some(now),
            priority,
            attempts: 0,
            recorded: 0,
            counted: 0,
            forgiven: 0,
            refusals: 0,
            failures: 0,
            collisions: 0,
            withdrawals: 0,
            intent: None,
            outcome: None,
            events: 0,
        }
    }

    /// Counted attempts since the lead was accepted or last retried by a person.
    pub fn tried(&self) -> u16 {
        self.counted.saturating_sub(self.forgiven)
    }
}
