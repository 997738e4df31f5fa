//! Reading a client's events as they happen.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::outward::takes;
use uuid::Uuid;

use super::envelope::{body, event_of, event_of_campaign};
use crate::engine::Engine;
use crate::store::journal::{Entry, Position};
use crate::store::{self, StoreError};

/// How many commits are read at once.
const ENTRIES: i64 = 50;

/// A place in a client's events, behind one of them: what a stream goes on behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    position: Position,
    /// How many events of the entry lie before it, with itself.
    events: u32,
}

/// A text that is no place.
#[derive(Debug, thiserror::Error)]
#[error("it is to be the id of an event of this stream, as 1234-56-7")]
pub struct NotAPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.position.xid, self.position.entry, self.events)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut parts = text.split('-');
        let mut part = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let place = (|| {
            let position = Position { xid: part()?.parse().ok()?, entry: part()?.parse().ok()? };
            Some(Self { position, events: part()?.parse().ok()? })
        })();
        place.filter(|_| parts.next().is_none()).ok_or(NotAPlace)
    }
}

/// An event that was read.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Where it stands.
    pub place: Place,
    /// Its type.
    pub kind: String,
    /// As subscribers are sent it: JSON.
    pub body: Vec<u8>,
}

/// Somebody who reads a client's events.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The tenant.
    pub client: ClientId,
    /// Of which types; empty for all.
    pub types: Vec<String>,
    /// Of which campaign; `None` for all.
    pub campaign: Option<CampaignId>,
    place: Place,
}

impl Follower {
    /// One that reads what happens behind `place`; without it, from now on.
    ///
    /// # Errors
    /// The database.
    pub async fn new(
        engine: &Engine,
        client: ClientId,
        types: Vec<String>,
        campaign: Option<CampaignId>,
        place: Option<Place>,
    ) -> Result<Self, StoreError> {
        let place = match place {
            Some(place) => place,
            None => {
                store::in_time(async {
                    let mut conn = engine.pool().acquire().await?;
                    Ok::<_, StoreError>(Place { position: store::journal::end(&mut conn).await?, events: 0 })
                })
                .await?
            }
        };
        Ok(Self { client, types, campaign, place })
    }

    /// Reads on. Tells whether there may be more at once; what is read is what of it fits.
    ///
    /// # Errors
    /// The database.
    pub async fn read(&mut self, engine: &Engine) -> Result<(Vec<Followed>, bool), StoreError> {
        store::in_time(self.read_page(engine)).await
    }

    async fn read_page(&mut self, engine: &Engine) -> Result<(Vec<Followed>, bool), StoreError> {
        let mut conn = engine.pool().acquire().await?;
        // The entry of the place itself may hold events behind it.
        let Position { xid, entry } = self.place.position;
        let before = Position { xid, entry: entry.saturating_sub(1) };
        let entries = store::journal::behind(&mut conn, self.client, before, ENTRIES).await?;
        let more = entries.len() as i64 == ENTRIES;
        let leads: Vec<Uuid> =
            entries.iter().flat_map(|entry| &entry.events).map(|(lead, _)| lead.0).collect();
        let about = store::deliveries::about(&mut conn, self.client, &leads).await?;
        let about: HashMap<_, _> = about.into_iter().map(|about| (about.lead, about)).collect();
        let mut read = vec![];
        for entry in entries {
            for (nth, (lead, recorded)) in (1..).zip(&entry.events) {
                let place = Place { position: entry.position, events: nth };
                if entry.position == self.place.position && nth <= self.place.events {
                    continue;
                }
                self.place = place;
                let about = about.get(lead);
                let its =
                    self.campaign.is_none_or(|wanted| about.is_some_and(|about| about.campaign == wanted));
                let told =
                    event_of(Uuid::nil(), *lead, recorded).filter(|told| takes(&self.types, &told.kind));
                if let Some(told) = told.filter(|_| its) {
                    let body = body(self.client, &told, about);
                    read.push(Followed { place, kind: told.kind, body });
                }
            }
            read.extend(self.read_of_campaign(&entry));
        }
        Ok((read, more))
    }

    /// What happened to a campaign as a whole: the one event of its entry.
    fn read_of_campaign(&mut self, entry: &Entry) -> Option<Followed> {
        let happened = entry.of_campaign.as_ref()?;
        let place = Place { position: entry.position, events: 1 };
        if self.place == place {
            return None;
        }
        self.place = place;
        let its = self.campaign.is_none_or(|wanted| happened.campaign == wanted);
        let told = event_of_campaign(Uuid::nil(), happened);
        let fits = its && takes(&self.types, &told.kind);
        fits.then(|| Followed { place, body: body(self.client, &told, None), kind: told.kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_told() {
        let place = Place { position: Position { xid: 12, entry: 34 }, events: 5 };
        assert_eq!(place.to_string().parse::<Place>().ok(), Some(place));
        for wrong in ["", "12", "12-34", "12-34-5-6", "a-b-c", "-1-2-3", "12-34-", "99999999999999999999-1-1"]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
