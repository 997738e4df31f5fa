//! Handing a call that is under way to somebody else.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::phone::PhoneNumber;

/// The longest SIP address that is taken, in bytes: carriers document no bound, and a person's or a queue's
/// address is far shorter.
const MOST_SIP: usize = 256;

/// Whom a call is handed to: a phone, or an address of a telephone system.
///
/// Shown, it is masked as numbers are: the whole of it is in [`TransferTo::dialled`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TransferTo {
    /// A number in E.164.
    Phone(PhoneNumber),
    /// `sip:` or `sips:`, a user, and a host with perhaps a port; no parameters, and no password.
    Sip(String),
}

/// What is no place to hand a call to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a number in E.164, as +14155550100, or a SIP address, as sip:desk@pbx.example.com")]
pub struct NoTransferTo;

impl TransferTo {
    /// As a carrier dials it.
    pub fn dialled(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.as_str(),
            Self::Sip(address) => address,
        }
    }

    /// The number that it rings, as far as that shows: a SIP address may have one for its user.
    pub fn number(&self) -> Option<PhoneNumber> {
        match self {
            Self::Phone(phone) => Some(phone.clone()),
            Self::Sip(address) => {
                let (_, rest) = address.split_once(':')?;
                rest.split_once('@')?.0.parse().ok()
            }
        }
    }
}

impl FromStr for TransferTo {
    type Err = NoTransferTo;

    fn from_str(text: &str) -> Result<Self, NoTransferTo> {
        let text = text.trim();
        if text.starts_with('+') {
            return text.parse().map(Self::Phone).map_err(|_| NoTransferTo);
        }
        if is_sip(text) { Ok(Self::Sip(text.to_owned())) } else { Err(NoTransferTo) }
    }
}

fn is_sip(text: &str) -> bool {
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"));
    let Some((user, host)) = rest.and_then(|rest| rest.split_once('@')) else { return false };
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let of = |text: &str, marks: &str| {
        !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || marks.contains(char))
    };
    text.len() <= MOST_SIP
        && of(user, "+-_.~")
        && of(name, "-.")
        && port.is_none_or(|port| port.parse::<NonZeroU16>().is_ok())
}

impl TryFrom<String> for TransferTo {
    type Error = NoTransferTo;

    fn try_from(text: String) -> Result<Self, NoTransferTo> {
        text.parse()
    }
}

impl From<TransferTo> for String {
    fn from(to: TransferTo) -> Self {
        to.dialled().to_owned()
    }
}

impl fmt::Display for TransferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            // The user part may be somebody's name or number.
            Self::Sip(address) => {
                let host = address.split_once('@').map_or("", |(_, host)| host);
                write!(f, "sip:******@{host}")
            }
        }
    }
}

impl fmt::Debug for TransferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferTo({self})")
    }
}

/// The longest briefing, in characters: about a minute of speech. Whom the call goes to listens to it while the person
/// waits.
pub const LONGEST_BRIEFING: usize = 800;

/// What whoever a call is handed to is told before they are put through. The person does not hear it.
///
/// It tells of the person, so that no log shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Briefing(String);

/// What is no briefing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give what is to be said, in at most {LONGEST_BRIEFING} characters")]
pub struct NoBriefing;

impl Briefing {
    /// What is to be said.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much of a text as can be said, in whole words; `None` if there is nothing in it. Models do not count.
    pub fn cut(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = match text.char_indices().nth(LONGEST_BRIEFING) {
            None => text,
            Some((end, _)) => {
                let most = text.get(..end).unwrap_or_default();
                most.rsplit_once(char::is_whitespace).map_or(most, |(whole, _)| whole)
            }
        };
        whole.parse().ok()
    }
}

impl FromStr for Briefing {
    type Err = NoBriefing;

    fn from_str(text: &str) -> Result<Self, NoBriefing> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST_BRIEFING {
            return Err(NoBriefing);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Briefing {
    type Error = NoBriefing;

    fn try_from(text: String) -> Result<Self, NoBriefing> {
        text.parse()
    }
}

impl From<Briefing> for String {
    fn from(briefing: Briefing) -> Self {
        briefing.0
    }
}

impl fmt::Debug for Briefing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Briefing({} characters)", self.0.chars().count())
    }
}

/// Where a transfer stands.
///
/// ```text
/// ordered → asked → under way → done | refused
///           asked → unknown → under way | done | refused, should the carrier tell later
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// Somebody ordered it; nothing was sent.
    Ordered,
    /// Committed to: the carrier is being asked, once.
    Asked,
    /// The carrier took it, and rings whom the call goes to.
    UnderWay,
    /// The call was handed over.
    Done,
    /// It certainly was not; the call goes on as before, if it is not over.
    Refused,
    /// It cannot be known, and nobody asks again.
    Unknown,
}

impl TransferState {
    /// The name used in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Asked => "asked",
            Self::UnderWay => "under_way",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// The latest transfer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its place among the transfers of the call, from 1.
    pub number: NonZeroU16,
    /// Whom the call is handed to.
    pub to: TransferTo,
    /// What they are told before they are put through.
    pub briefing: Option<Briefing>,
    /// Where it stands.
    pub state: TransferState,
}

/// What is learnt of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum TransferTold {
    /// The carrier took it, and rings whom the call goes to.
    UnderWay,
    /// The call was handed over.
    Done,
    /// It certainly was not.
    Refused {
        /// What the carrier said, or why nothing was sent, for people to read.
        cause: String,
    },
    /// The request may have taken effect.
    Unknown {
        /// What happened, for people to read.
        cause: String,
    },
}

impl TransferTold {
    /// Where the transfer stands, if that is so.
    pub fn state(&self) -> TransferState {
        match self {
            Self::UnderWay => TransferState::UnderWay,
            Self::Done => TransferState::Done,
            Self::Refused { .. } => TransferState::Refused,
            Self::Unknown { .. } => TransferState::Unknown,
        }
    }

    /// Whether it is news of a transfer that stands so. News comes late, twice and in any order: that the call
    /// was handed over stands, whatever else is said, and not to know is news only to who waits for an answer.
    pub(crate) fn is_news_to(&self, state: TransferState) -> bool {
        use TransferState::{Asked, Done, Ordered, UnderWay, Unknown};
        match self {
            Self::Done => state != Done,
            Self::Refused { .. } => matches!(state, Ordered | Asked | UnderWay | Unknown),
            Self::UnderWay => matches!(state, Ordered | Asked | Unknown),
            Self::Unknown { .. } => matches!(state, Ordered | Asked),
        }
    }
}

/// Why a call cannot be handed over as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotTransfer {
    /// There is none, or it is not known whether there is.
    #[error("no call is under way, so that there is none to transfer")]
    NoCall,
    /// It rings, as far as is known.
    #[error("the call was not answered yet, as far as is known; order it once it was")]
    NotAnswered,
    /// Another transfer of it is being carried out.
    #[error("the call is being transferred already")]
    UnderWay,
    /// It was handed over before.
    #[error("the call was transferred already")]
    Done,
    /// It would ring the very person who is in the call.
    #[error("that is the number of the person in the call")]
    OwnNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_to_a_number_or_to_a_sip_address_and_to_nothing_else() {
        for good in [
            "+14155550100",
            " +441632960001 ",
            "sip:desk@pbx.example.com",
            "sips:+14155550100@pbx.example.com:5061",
        ] {
            let to: TransferTo = good.parse().expect(good);
            assert_eq!(to.dialled(), good.trim());
            let stored = serde_json::to_string(&to).expect("it is stored");
            assert_eq!(serde_json::from_str::<TransferTo>(&stored).ok(), Some(to.clone()));
            assert_eq!(to.number().is_some(), good.contains('+'), "{good}");
        }
        for bad in [
            "",
            "+",
            "+0123456789",
            "14155550100",
            "tel:+14155550100",
            "sip:",
            "sip:desk",
            "sip:@pbx.example.com",
            "sip:desk@",
            "sip:desk:secret@pbx.example.com",
            "sip:desk@pbx.example.com;transport=tcp",
            "sip:desk@pbx.example.com:0",
            "sip:desk@pbx.example.com:70000",
            "sip:desk@pbx example.com",
            "sip:d\u{e9}sk@pbx.example.com",
            &format!("sip:{}@pbx.example.com", "a".repeat(250)),
        ] {
            assert_eq!(bad.parse::<TransferTo>(), Err(NoTransferTo), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_of_it_names_nobody() {
        let shown = |text: &str| format!("{:?}", text.parse::<TransferTo>());
        assert_eq!(shown("+14155550123"), "Ok(TransferTo(+1******23))");
        assert_eq!(shown("sip:asha.rao@pbx.example.com"), "Ok(TransferTo(sip:******@pbx.example.com))");
    }

    #[test]
    fn a_briefing_is_words_of_a_minute_and_shows_in_no_log() {
        let said: Briefing = " Asha Rao asks about a flat with two bedrooms. ".parse().expect("a briefing");
        assert_eq!(said.as_str(), "Asha Rao asks about a flat with two bedrooms.");
        assert_eq!(format!("{said:?}"), "Briefing(45 characters)");
        let long = "é".repeat(LONGEST_BRIEFING + 1);
        for bad in ["", " \n", long.as_str()] {
            assert_eq!(bad.parse::<Briefing>(), Err(NoBriefing), "{bad}");
        }
        assert_eq!(Briefing::cut("  "), None);
        let words = "word ".repeat(300);
        let cut = Briefing::cut(&words).expect("as much as can be said");
        assert!(
            cut.as_str().ends_with("word") && cut.as_str().chars().count() == LONGEST_BRIEFING - 1,
            "{cut:?}"
        );
        let unbroken = Briefing::cut(&long).expect("as much as can be said");
        assert_eq!(unbroken.as_str().chars().count(), LONGEST_BRIEFING);
    }

    #[test]
    fn what_is_told_late_or_twice_changes_nothing() {
        use TransferState::{Asked, Done, Ordered, Refused, UnderWay, Unknown};
        let cause = String::new;
        for (told, news_to) in [
            (TransferTold::Done, &[Ordered, Asked, UnderWay, Refused, Unknown][..]),
            (TransferTold::Refused { cause: cause() }, &[Ordered, Asked, UnderWay, Unknown]),
            (TransferTold::UnderWay, &[Ordered, Asked, Unknown]),
            (TransferTold::Unknown { cause: cause() }, &[Ordered, Asked]),
        ] {
            for state in [Ordered, Asked, UnderWay, Done, Refused, Unknown] {
                assert_eq!(told.is_news_to(state), news_to.contains(&state), "{told:?} {state:?}");
            }
        }
    }
}
