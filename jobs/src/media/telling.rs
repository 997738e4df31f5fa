//! What is told to a conversation, and what it tells, from process to process.

use outdial_workflows::call::CallFact;
use outdial_workflows::conversation::{Answerer, Heard, Order};
use outdial_workflows::ids::{AttemptRef, DialKey};

use crate::engine::Engine;
use crate::store::{self, StoreError};

/// Something about a call that our own agent talks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Whose call.
    pub attempt: AttemptRef,
    /// What.
    pub what: What,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody orders that the call be ended.
    HangUp,
    /// Somebody has ordered that the call be handed over, and the carrier is about to be asked.
    HandOver,
    /// The carrier says that the call is over.
    Left,
    /// The carrier says that a machine answered.
    Machine,
    /// The carrier says that a person answered.
    Person,
    /// The carrier has heard a mailbox's tone.
    Tone,
    /// Something was said, or the conversation has ended: told by whoever holds it, to whoever follows it.
    Said,
}

impl What {
    const ALL: [Self; 7] =
        [Self::HangUp, Self::HandOver, Self::Left, Self::Machine, Self::Person, Self::Tone, Self::Said];

    const fn name(self) -> &'static str {
        match self {
            Self::HangUp => "hang_up",
            Self::HandOver => "hand_over",
            Self::Left => "left",
            Self::Machine => "machine",
            Self::Person => "person",
            Self::Tone => "tone",
            Self::Said => "said",
        }
    }

    /// What the conversation hears.
    fn heard(self) -> Option<Heard> {
        match self {
            Self::HangUp => Some(Heard::Ordered(Order::HangUp)),
            Self::HandOver => Some(Heard::Ordered(Order::HandOver)),
            Self::Left => Some(Heard::Left),
            Self::Machine => Some(Heard::Answerer(Answerer::Machine)),
            Self::Person => Some(Heard::Answerer(Answerer::Person)),
            Self::Tone => Some(Heard::Tone),
            Self::Said => None,
        }
    }

    /// What a carrier's news of a call mean to its conversation, if anything.
    fn of(fact: &CallFact) -> Option<Self> {
        if fact.end.is_some() {
            return Some(Self::Left);
        }
        if fact.tone {
            return Some(Self::Tone);
        }
        match fact.results.as_ref()?.voicemail? {
            true => Some(Self::Machine),
            false => Some(Self::Person),
        }
    }
}

impl Telling {
    /// As it travels between processes.
    pub fn payload(self) -> String {
        format!("call:{}:{}", self.what.name(), DialKey(self.attempt))
    }

    /// Reads what another process announced; `None` if it is something else.
    pub fn parse(payload: &str) -> Option<Self> {
        let (name, key) = payload.strip_prefix("call:")?.split_once(':')?;
        let what = What::ALL.into_iter().find(|what| what.name() == name)?;
        let DialKey(attempt) = key.parse().ok()?;
        Some(Self { attempt, what })
    }

    /// Reaches whom it concerns in this process. False if that is nobody.
    pub(crate) fn reach(self, engine: &Engine) -> bool {
        match self.what.heard() {
            Some(heard) => engine.reception().is_some_and(|reception| reception.tell(self.attempt, heard)),
            None => {
                engine.hub().say(self.attempt);
                true
            }
        }
    }
}

/// Tells a conversation what its carrier says, if any is held anywhere, as far as is known: most installations' carriers
/// tell much, and hold none.
///
/// # Errors
/// As of [`tell`].
pub async fn tell_fact(engine: &Engine, attempt: AttemptRef, fact: &CallFact) -> Result<(), StoreError> {
    match What::of(fact) {
        Some(what) if engine.reception().is_some() || engine.do_others_talk() => {
            tell(engine, attempt, what).await
        }
        Some(_) | None => Ok(()),
    }
}

/// Tells a conversation something, wherever it is held. What cannot be told is lost: a carrier's news are told by the
/// stream and its words as well, and whoever gives an order gives it until it is carried out.
///
/// # Errors
/// The database, if the conversation is not held here.
pub async fn tell(engine: &Engine, attempt: AttemptRef, what: What) -> Result<(), StoreError> {
    let telling = Telling { attempt, what };
    if telling.reach(engine) {
        return Ok(());
    }
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        match store::conversations::holder(&mut conn, attempt).await? {
            Some(node) if node != engine.node() => store::notify(&mut conn, &telling.payload()).await,
            Some(_) | None => Ok(()),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use outdial_workflows::ids::{AttemptNumber, ClientId, LeadId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_told_reads_back_as_it_was() {
        let attempt = AttemptRef {
            client: ClientId(Uuid::from_u128(1)),
            lead: LeadId(Uuid::from_u128(2)),
            number: AttemptNumber::FIRST,
        };
        for what in What::ALL {
            let telling = Telling { attempt, what };
            assert_eq!(Telling::parse(&telling.payload()), Some(telling));
        }
        assert_eq!(Telling::parse("ja:00000000-0000-0000-0000-000000000007"), None);
        assert_eq!(Telling::parse("call:a later word:x"), None);
    }
}
