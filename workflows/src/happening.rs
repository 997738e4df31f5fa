//! What happens to campaigns as a whole, in the words in which it is stored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::gate::CampaignState;

/// Something that happened to a campaign. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CampaignEvent {
    /// It dials for the first time.
    Started {
        /// By whose order.
        by: Ordered,
    },
    /// It dials no more until it is resumed.
    Paused {
        /// By whose order.
        by: Ordered,
        /// When it resumes by itself.
        resume_at: Option<Moment>,
    },
    /// It dials again.
    Resumed {
        /// By whose order; at the end of a pause that was bounded, by nobody's.
        by: Ordered,
    },
    /// It was ended for good.
    Ended {
        /// By whose order.
        by: Ordered,
    },
    /// All rows of a file were dealt with, or none could be read.
    ImportFinished(Imported),
}

/// Who ordered something, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Who.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
}

/// What came of a file of leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The import.
    pub import: Uuid,
    /// Why no row of it could be read.
    pub failed_for: Option<String>,
    /// Rows read, good or bad.
    pub rows: i64,
    /// Leads that are new.
    pub accepted: i64,
    /// Rows that added nothing.
    pub duplicates: i64,
    /// Consents that were not recorded before.
    pub consents: i64,
    /// Rows that are no leads.
    pub problems: i64,
    /// Whether the file could not be read to its end.
    pub rest_unread: bool,
}

impl CampaignEvent {
    /// What it is that a campaign came from one state to another; `None` if it stays where it was.
    pub fn turned(
        from: CampaignState,
        to: CampaignState,
        by: Ordered,
        resume_at: Option<Moment>,
    ) -> Option<Self> {
        use CampaignState::{Draft, Ended, Paused, Running};
        match (from, to) {
            (Draft, Draft) | (Running, Running) | (Paused, Paused) | (Ended, Ended) => None,
            // A campaign is made in draft, and comes back to it by nobody's order.
            (Running | Paused | Ended, Draft) => None,
            (Draft, Running) => Some(Self::Started { by }),
            (Paused | Ended, Running) => Some(Self::Resumed { by }),
            (Draft | Running | Ended, Paused) => Some(Self::Paused { by, resume_at }),
            (Draft | Running | Paused, Ended) => Some(Self::Ended { by }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_told_and_an_order_that_changes_nothing_is_not() {
        use CampaignState::{Draft, Ended, Paused, Running};
        let by = || Ordered { actor: "a person".into(), reason: None };
        let turned = |from, to| CampaignEvent::turned(from, to, by(), None);
        assert_eq!(turned(Draft, Running), Some(CampaignEvent::Started { by: by() }));
        assert_eq!(turned(Paused, Running), Some(CampaignEvent::Resumed { by: by() }));
        assert_eq!(turned(Running, Paused), Some(CampaignEvent::Paused { by: by(), resume_at: None }));
        assert_eq!(turned(Draft, Ended), Some(CampaignEvent::Ended { by: by() }));
        for same in [Draft, Running, Paused, Ended] {
            assert_eq!(turned(same, same), None);
        }
    }
}
