//! Names for things: one type per kind of id, so that no id is taken for another.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::Moment;

/// Declares id types: a UUID each, that cannot be mistaken for one another.
macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id whose order follows `at`; see [`new_id`].
            pub fn new(at: Moment) -> Self {
                Self(new_id(at))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

typed_id!(
    /// A tenant.
    ClientId,
    /// A client's account with a carrier.
    AccountId,
    /// A set of leads called under the same rules.
    CampaignId,
    /// The leads of a campaign that share a calendar.
    LaneId,
    /// A person to call in a campaign. Each lead has exactly one workflow, under the same id.
    LeadId,
    /// A step waiting in the queue.
    JobId,
    /// A running process.
    NodeId,
);

/// A version 7 id whose leading 48 bits are `at` in milliseconds.
///
/// The rest is random, so two ids made at the same moment differ.
///
/// # Panics
/// If `at` lies before 1970.
pub fn new_id(at: Moment) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).expect("the clock reads after 1970");
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

/// What no id that was made before `at` comes behind, and none that was made later before: with it, the ids of a table
/// are an index on the age of its rows.
///
/// # Panics
/// If `at` lies before 1970.
pub fn id_floor(at: Moment) -> Uuid {
    let millis = u128::from(u64::try_from(at.timestamp_millis()).expect("the clock reads after 1970"));
    Uuid::from_u128((millis << 80) | (0x7 << 76) | (0x2 << 62))
}

/// When an id was made, to the millisecond; `None` if it is none of ours.
pub fn made_at(id: Uuid) -> Option<Moment> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Moment::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// The place of an attempt among its lead's attempts: from 1 to [`AttemptNumber::LAST`]. Others
/// cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct AttemptNumber(NonZeroU16);

impl AttemptNumber {
    /// The first attempt.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The last there can be: the ledger's column is a `smallint`.
    pub const LAST: Self = Self(NonZeroU16::new(i16::MAX.unsigned_abs()).expect("not zero"));

    /// The number `n`, or `None` for 0 and what lies beyond [`AttemptNumber::LAST`].
    pub fn new(n: u16) -> Option<Self> {
        NonZeroU16::new(n).map(Self).filter(|number| *number <= Self::LAST)
    }

    /// As a plain number, at least 1.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl From<AttemptNumber> for u16 {
    fn from(number: AttemptNumber) -> Self {
        number.get()
    }
}

impl TryFrom<u16> for AttemptNumber {
    type Error = &'static str;

    fn try_from(n: u16) -> Result<Self, Self::Error> {
        Self::new(n).ok_or("not the number of an attempt")
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which attempt of which lead of which client: the primary key of the dial ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The tenant.
    pub client: ClientId,
    /// The person.
    pub lead: LeadId,
    /// The attempt.
    pub number: AttemptNumber,
}

/// The name under which a carrier knows an attempt, in whatever it echoes.
///
/// Written `client.lead.number` with the ids in 32 hexadecimal digits, at most
/// 71 characters: Exotel's `CustomField` holds 128. It is the attempt's primary
/// key in another spelling, so it is unique without a column of its own, and a
/// webhook that carries it names its row without a look-up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialKey(pub AttemptRef);

/// The text is not a dial key of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a dial key: expected client.lead.number, as sent with the dial request")]
pub struct NotADialKey;

impl fmt::Display for DialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AttemptRef { client, lead, number } = self.0;
        write!(f, "{}.{}.{number}", client.0.simple(), lead.0.simple())
    }
}

impl fmt::Debug for DialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialKey({self})")
    }
}

impl FromStr for DialKey {
    type Err = NotADialKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(NotADialKey);
        let (client, lead, number) = (next()?, next()?, next()?);
        let id = |text: &str| Uuid::try_parse(text).map_err(|_| NotADialKey);
        let key = Self(AttemptRef {
            client: ClientId(id(client)?),
            lead: LeadId(id(lead)?),
            number: number.parse().ok().and_then(AttemptNumber::new).ok_or(NotADialKey)?,
        });
        // One spelling only: what differs from our own writing was not written by us.
        if key.to_string() == text { Ok(key) } else { Err(NotADialKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> DialKey {
        DialKey(AttemptRef {
            client: ClientId(Uuid::from_u128(1)),
            lead: LeadId(Uuid::from_u128(2)),
            number: AttemptNumber::new(number).expect("not zero"),
        })
    }

    #[test]
    fn a_dial_key_reads_back_as_what_was_written() {
        assert_eq!(key(7).to_string().parse(), Ok(key(7)));
        assert!(key(AttemptNumber::LAST.get()).to_string().len() <= 71);
    }

    #[test]
    fn a_dial_key_has_one_spelling() {
        let good = key(3).to_string();
        for bad in [
            "",
            "a.b.c",
            &good.to_uppercase().replace("00000002", "0000000A"),
            &format!("{good}.1"),
            &good.replace(".3", ".03"),
            &good.replace(".3", ".0"),
            &good.replace(".3", ".32768"),
            &good.replace(".3", ".70000"),
        ] {
            assert_eq!(bad.parse::<DialKey>(), Err(NotADialKey), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_the_moment_they_were_made() {
        let at = |ms| Moment::from_timestamp_millis(ms).expect("in range");
        assert!(LeadId::new(at(1_000)) < LeadId::new(at(1_001)));
    }
}
