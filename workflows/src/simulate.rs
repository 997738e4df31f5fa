//! A campaign played through on paper: when would it be over, and what holds it up?
//!
//! The real rules decide — calling hours, limits, retries — by a clock that jumps from one
//! event to the next. What people do is assumed, and the same for the same seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::gate::{Tried, tried_enough};
use crate::hours::{LaneState, lane_state};
use crate::limits::{Bound, Limit, Room, Spent, Usage, room, spent_since};
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::packs::Law;
use crate::places::Whereabouts;
use crate::retry::{Retry, RetryInput};
use crate::rules::Rules;

/// A campaign that is not over by then is not played further: a year and a day.
const HORIZON: TimeDelta = TimeDelta::days(366);

/// The leads that may be called at the same times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Where they may be; `None` for the open calendar.
    pub place: Option<Whereabouts>,
    /// Its people.
    pub leads: Vec<Waiting>,
}

/// A lead that waits for its first call, or its next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// When it is due.
    pub due: Moment,
    /// How often it was tried, as its retries count.
    pub attempts: u16,
    /// How often its number was tried, in all campaigns of the client.
    pub tried: Tried,
}

/// What is assumed of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// Of a hundred calls, how many are answered.
    pub answered_percent: u8,
    /// Of a hundred calls, how many find the line busy. The rest are not answered.
    pub busy_percent: u8,
    /// How long a phone rings, in seconds, before it is answered. Unanswered, it rings for as
    /// long as the rules say.
    pub ring_s: u32,
    /// How long an answered call lasts, in seconds.
    pub talk_s: u32,
    /// Other people, in the same proportions.
    pub seed: u64,
}

impl Default for Assumed {
    fn default() -> Self {
        Self { answered_percent: 40, busy_percent: 10, ring_s: 10, talk_s: 90, seed: 0 }
    }
}

/// What held the campaign up at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    /// Leads were due, and as many calls under way as may be.
    CallsAtOnce,
    /// Leads were due, and as many calls begun as may be in the time.
    CallRate,
    /// Leads were due, and the day's money would not have paid for another call.
    Spending,
    /// Leads were due, and none of them within calling hours.
    CallingHours,
    /// No lead was due: they waited for their time or for another try.
    NothingDue,
}

/// How it would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulated {
    /// When the last call would be over; `None` if that is more than a year away, or never.
    pub finishes_at: Option<Moment>,
    /// Leads that took part.
    pub leads: u64,
    /// Calls in all.
    pub calls: u64,
    /// Leads by what came of them.
    pub by_outcome: BTreeMap<Outcome, u64>,
    /// Leads that would wait for somebody to mend something, by what.
    pub held: BTreeMap<String, u64>,
    /// The most calls at one time.
    pub most_at_once: u32,
    /// Seconds for which each brake held.
    pub braked_s: BTreeMap<Brake, i64>,
    /// Calls by day, as UTC has it.
    pub by_day: BTreeMap<chrono::NaiveDate, u64>,
}

/// Plays a campaign through from `now`. `limits` are all that hold for it.
pub fn simulate(
    rules: &Rules,
    limits: &[Limit],
    crowds: Vec<Crowd>,
    assumed: Assumed,
    now: Moment,
) -> Simulated {
    let mut play = Play::new(rules, limits, crowds, assumed, now);
    while let Some(next) = play.turn() {
        if next > now + HORIZON {
            play.told.finishes_at = None;
            return play.told;
        }
        play.pass(next);
    }
    let waits = play.lanes.iter().any(|lane| !lane.due.is_empty());
    play.told.finishes_at = (!waits).then_some(play.over_at);
    play.told
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    /// Its place among all people.
    id: usize,
    attempts: u16,
}

struct Lane {
    place: Option<Whereabouts>,
    /// What the law asks there; `None` on the open calendar.
    law: Option<Law>,
    state: LaneState,
    due: BinaryHeap<Reverse<(Moment, Person)>>,
}

impl Lane {
    /// Whether somebody in it could be called at `now`, but for limits.
    fn is_callable(&self, now: Moment) -> bool {
        matches!(self.state, LaneState::Open { .. }) && self.is_due(now)
    }

    fn is_capped(&self, rules: &Rules) -> bool {
        rules.caps.per_day.is_some() || self.law.as_ref().is_some_and(|law| !law.caps.is_empty())
    }

    /// The first moment from `due` on at which caps let a number be tried that was tried at these times.
    fn uncapped(&self, tried: &[Moment], rules: &Rules, mut due: Moment) -> Moment {
        let asked = self.place.as_ref().zip(self.law.as_ref());
        while let Some((until, _)) = tried_enough(tried, rules, asked, due).filter(|(until, _)| *until > due)
        {
            due = until;
        }
        due
    }

    fn is_due(&self, now: Moment) -> bool {
        self.due.peek().is_some_and(|Reverse((at, _))| *at <= now)
    }

    /// When something changes for those who wait in it.
    fn next(&self, now: Moment) -> Option<Moment> {
        let Reverse((due, _)) = self.due.peek()?;
        match self.state {
            LaneState::Closed { opens_at, .. } => Some(opens_at),
            LaneState::Held { .. } => None,
            LaneState::Open { closes_at } if *due <= now => closes_at,
            LaneState::Open { closes_at } => Some(closes_at.map_or(*due, |closes_at| closes_at.min(*due))),
        }
    }
}

struct Play<'a> {
    rules: &'a Rules,
    limits: &'a [Limit],
    assumed: Assumed,
    now: Moment,
    lanes: Vec<Lane>,
    /// How often each person's number was tried; empty if nothing bounds that.
    tried: Vec<Tried>,
    /// Calls under way: when each is over, whose it is, and in which lane.
    live: BinaryHeap<Reverse<(Moment, usize, Person)>>,
    /// When the latest calls were begun, newest first, as far back as a rate looks.
    seen: Vec<Moment>,
    /// What was spent, as far back as a day's money is counted. A call costs what it is taken to cost.
    spent: Vec<Spent>,
    /// Which brake holds until the next event.
    brake: Option<Brake>,
    over_at: Moment,
    told: Simulated,
}

impl<'a> Play<'a> {
    fn new(rules: &'a Rules, limits: &'a [Limit], crowds: Vec<Crowd>, assumed: Assumed, now: Moment) -> Self {
        let mut told = Simulated::default();
        let (mut lanes, mut tried) = (Vec::new(), Vec::new());
        for Crowd { place, leads } in crowds {
            told.leads += leads.len() as u64;
            let law = |place: &Whereabouts| Law::of(place.areas(), rules.purpose, rules.voice);
            let law = place.as_ref().map(law).transpose();
            let state = match &law {
                Ok(_) => state_of(rules, place.as_ref(), now),
                Err(why) => LaneState::Held { why: why.clone() },
            };
            if let LaneState::Held { why } = &state {
                *told.held.entry(why.to_string()).or_default() += leads.len() as u64;
                continue;
            }
            let mut due = BinaryHeap::with_capacity(leads.len());
            for waiting in leads {
                due.push(Reverse((waiting.due, Person { id: tried.len(), attempts: waiting.attempts })));
                tried.push(waiting.tried);
            }
            lanes.push(Lane { place, law: law.ok().flatten(), state, due });
        }
        let (live, seen, spent) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { rules, limits, assumed, now, lanes, tried, live, seen, spent, brake: None, over_at: now, told }
    }

    /// Everything that happens at this instant; then when the next thing does.
    fn turn(&mut self) -> Option<Moment> {
        self.end_calls();
        for lane in &mut self.lanes {
            let passed = match lane.state {
                LaneState::Open { closes_at } => closes_at.is_some_and(|at| at <= self.now),
                LaneState::Closed { opens_at, .. } => opens_at <= self.now,
                LaneState::Held { .. } => false,
            };
            if passed {
                lane.state = state_of(self.rules, lane.place.as_ref(), self.now);
            }
        }
        let again_at = self.begin_calls();
        let over = self.live.peek().map(|Reverse((at, ..))| *at);
        let lanes = self.lanes.iter().filter_map(|lane| lane.next(self.now));
        lanes.chain(over).chain(again_at).filter(|at| *at > self.now).min()
    }

    fn pass(&mut self, next: Moment) {
        if let Some(brake) = self.brake {
            *self.told.braked_s.entry(brake).or_default() += (next - self.now).num_seconds();
        }
        self.now = next;
    }

    fn end_calls(&mut self) {
        while let Some(Reverse((at, lane, mut person))) = self.live.peek().copied() {
            if at > self.now {
                return;
            }
            self.live.pop();
            person.attempts += 1;
            let chance = self.chance(person, 1);
            let outcome = self.outcome(person);
            let input = RetryInput { attempts: person.attempts, failures: 1, chance, now: at };
            let retry = self.rules.retry.next_after(outcome, input);
            let enough = self
                .rules
                .caps
                .in_all
                .is_some_and(|max| self.tried[person.id].in_all >= u32::from(max.get()));
            match retry {
                Retry::At(due) if !enough => {
                    let due = self.lanes[lane].uncapped(&self.tried[person.id].at, self.rules, due);
                    self.lanes[lane].due.push(Reverse((due, person)));
                }
                Retry::At(_) | Retry::UsedUp | Retry::NotRetried => {
                    *self.told.by_outcome.entry(outcome).or_default() += 1;
                    self.over_at = self.over_at.max(at);
                }
            }
        }
    }

    /// Begins what may be begun, lane by lane in turn; tells when a rate leaves room again.
    fn begin_calls(&mut self) -> Option<Moment> {
        let furthest = self.limits.iter().filter_map(|limit| Some(limit.rate()?.1)).max().unwrap_or_default();
        self.seen.retain(|at| *at + furthest > self.now);
        match spent_since(self.limits, self.now) {
            Some(since) => self.spent.retain(|spent| spent.since >= since),
            None => self.spent.clear(),
        }
        let callable = |lane: &Lane, now| lane.is_callable(now);
        loop {
            let live = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
            let usage = Usage { live, pending: 0, seen: self.seen.clone(), spent: self.spent.clone() };
            let left = room(self.limits, &usage, self.now);
            let mut free = left.free;
            let mut begun = vec![];
            while free > 0 && self.lanes.iter().any(|lane| callable(lane, self.now)) {
                for (index, lane) in self.lanes.iter_mut().enumerate() {
                    if free > 0
                        && callable(lane, self.now)
                        && let Some(Reverse((_, person))) = lane.due.pop()
                    {
                        free -= 1;
                        begun.push((index, person));
                    }
                }
            }
            if begun.is_empty() {
                self.brake = self.braked(left);
                return left.again_at();
            }
            for (lane, person) in begun {
                self.begin(lane, person);
            }
        }
    }

    fn begin(&mut self, lane: usize, person: Person) {
        let tried = &mut self.tried[person.id];
        tried.in_all = tried.in_all.saturating_add(1);
        if self.lanes[lane].is_capped(self.rules) {
            tried.at.push(self.now);
        }
        let over = self.now + self.length(Person { attempts: person.attempts + 1, ..person });
        self.live.push(Reverse((over, lane, person)));
        self.seen.insert(0, self.now);
        let since = Spent::span_of(self.now);
        match self.spent.last_mut().filter(|spent| spent.since == since) {
            Some(spent) => spent.open += 1,
            None => self.spent.push(Spent { since, open: 1, cost: Cost::default() }),
        }
        self.told.calls += 1;
        *self.told.by_day.entry(self.now.date_naive()).or_default() += 1;
        let live = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        self.told.most_at_once = self.told.most_at_once.max(live);
    }

    fn braked(&self, left: Room) -> Option<Brake> {
        let waits = self.lanes.iter().any(|lane| !lane.due.is_empty());
        let due = self.lanes.iter().any(|lane| lane.is_due(self.now));
        let callable = self.lanes.iter().any(|lane| lane.is_callable(self.now));
        match (callable, left) {
            (true, Room { free: 0, again: Some((_, Bound::Money)) }) => Some(Brake::Spending),
            (true, Room { free: 0, again: Some(_) }) => Some(Brake::CallRate),
            (true, _) => Some(Brake::CallsAtOnce),
            (false, _) if due => Some(Brake::CallingHours),
            (false, _) => waits.then_some(Brake::NothingDue),
        }
    }

    fn outcome(&self, person: Person) -> Outcome {
        let share = self.chance(person, 0) % 100;
        let answered = u64::from(self.assumed.answered_percent);
        match share {
            _ if share < answered => Outcome::Successful,
            _ if share < answered + u64::from(self.assumed.busy_percent) => Outcome::Busy,
            _ => Outcome::NoAnswer,
        }
    }

    fn length(&self, person: Person) -> TimeDelta {
        let seconds = match self.outcome(person) {
            Outcome::Successful => {
                let talk = self.assumed.talk_s.min(self.rules.call_time_limit_s);
                self.assumed.ring_s.min(self.rules.ring_timeout_s) + talk
            }
            Outcome::Busy => 2,
            _ => self.rules.ring_timeout_s,
        };
        TimeDelta::seconds(seconds.into())
    }

    /// A number that looks random and is the same for the same person, attempt and question.
    fn chance(&self, person: Person, question: u64) -> u64 {
        let mut x =
            self.assumed.seed ^ ((person.id as u64) << 20) ^ (u64::from(person.attempts) << 4) ^ question;
        // The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
        x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }
}

fn state_of(rules: &Rules, place: Option<&Whereabouts>, now: Moment) -> LaneState {
    place.map_or(LaneState::Open { closes_at: None }, |place| lane_state(rules, place, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Minor;

    fn at(text: &str) -> Moment {
        text.parse().expect("a time")
    }

    fn rules(text: &str) -> Rules {
        serde_json::from_str(text).expect("rules")
    }

    /// Monday, 12:00 in Kolkata.
    fn noon() -> Moment {
        at("2026-01-12T06:30:00Z")
    }

    fn crowd(place: Option<&str>, leads: usize) -> Crowd {
        let waiting = Waiting { due: noon(), attempts: 0, tried: Tried::default() };
        Crowd { place: place.map(|place| place.parse().expect("a place")), leads: vec![waiting; leads] }
    }

    fn all_answer() -> Assumed {
        Assumed { answered_percent: 100, busy_percent: 0, ring_s: 10, talk_s: 50, ..Assumed::default() }
    }

    #[test]
    fn calls_at_once_bound_a_campaign_whose_people_answer() {
        let told = simulate(
            &rules("{}"),
            &[Limit::Concurrent { max: 2 }],
            vec![crowd(None, 10)],
            all_answer(),
            noon(),
        );
        assert_eq!(told.finishes_at, Some(noon() + TimeDelta::minutes(5)));
        assert_eq!((told.calls, told.most_at_once), (10, 2));
        assert_eq!(told.by_outcome, BTreeMap::from([(Outcome::Successful, 10)]));
        assert_eq!(told.braked_s.get(&Brake::CallsAtOnce), Some(&240));
    }

    #[test]
    fn a_rate_spreads_the_calls() {
        let limits = [Limit::Rate { max: 1, per_ms: 60_000 }];
        let told = simulate(&rules("{}"), &limits, vec![crowd(None, 5)], all_answer(), noon());
        assert_eq!(told.finishes_at, Some(noon() + TimeDelta::minutes(5)));
        assert_eq!(told.braked_s.get(&Brake::CallRate), Some(&240));
    }

    #[test]
    fn people_are_called_in_their_own_hours() {
        let places = [Some("Asia/Kolkata;IN"), Some("America/New_York;US-NY")];
        let crowds = places.map(|place| crowd(place, 1)).to_vec();
        let told = simulate(&rules("{}"), &[], crowds, all_answer(), noon());
        // 10:00 in New York is 15:00 UTC.
        assert_eq!(told.finishes_at, Some(at("2026-01-12T15:01:00Z")));
        assert_eq!(told.braked_s.get(&Brake::CallingHours), Some(&(8 * 3_600 + 1_800)));
    }

    #[test]
    fn who_does_not_answer_is_tried_as_often_as_the_rules_say() {
        let nobody = Assumed { answered_percent: 0, busy_percent: 0, ..all_answer() };
        let told = simulate(&rules("{}"), &[], vec![crowd(None, 4)], nobody, noon());
        assert_eq!(told.calls, 12);
        assert_eq!(told.by_outcome, BTreeMap::from([(Outcome::NoAnswer, 4)]));
        assert_eq!(told.finishes_at, Some(noon() + TimeDelta::hours(4) + TimeDelta::seconds(90)));
    }

    #[test]
    fn attempts_that_a_lead_has_had_count_and_caps_put_the_next_one_off() {
        let nobody = Assumed { answered_percent: 0, busy_percent: 0, ..all_answer() };
        let mut tired = crowd(Some("Asia/Kolkata;IN"), 3);
        tired.leads[0].attempts = 2;
        let told = simulate(&rules("{}"), &[], vec![tired.clone()], nobody, noon());
        assert_eq!(told.calls, 1 + 3 + 3);
        // Once a day: the second and third calls are on the two days after.
        let daily = rules(r#"{"caps": {"per_day": 1}}"#);
        let told = simulate(&daily, &[], vec![crowd(Some("Asia/Kolkata;IN"), 3)], nobody, noon());
        assert_eq!(told.by_day.values().collect::<Vec<_>>(), [&3, &3, &3]);
        assert_eq!(told.finishes_at, Some(at("2026-01-14T04:30:30Z")));
        let twice = rules(r#"{"caps": {"in_all": 2}}"#);
        tired.leads[1].tried.in_all = 1;
        let told = simulate(&twice, &[], vec![tired], nobody, noon());
        assert_eq!(told.calls, 1 + 1 + 2);
    }

    #[test]
    fn who_can_never_be_called_is_held_and_named() {
        let told =
            simulate(&rules("{}"), &[], vec![crowd(Some("Europe/Zurich;CH"), 3)], all_answer(), noon());
        assert_eq!((told.calls, told.held.values().sum::<u64>()), (0, 3), "{told:?}");
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let play = |seed| {
            let assumed = Assumed { seed, ..Assumed::default() };
            simulate(&rules("{}"), &[Limit::per_second(1)], vec![crowd(None, 500)], assumed, noon())
        };
        assert_eq!(play(1), play(1));
        assert_ne!(play(1), play(2));
    }

    #[test]
    fn a_day_that_may_cost_so_much_has_the_rest_wait_for_the_next() {
        let (per_day, per_call, zone) = (Minor(1_000), Minor(300), chrono_tz::Asia::Kolkata);
        let limits = [Limit::Spend { per_day, per_call, zone }];
        let told = simulate(&rules("{}"), &limits, vec![crowd(None, 7)], all_answer(), noon());
        assert_eq!(told.by_day.values().copied().collect::<Vec<_>>(), [6, 1], "{told:?}");
        assert!(told.braked_s.contains_key(&Brake::Spending), "{told:?}");
        assert_eq!(told.finishes_at, Some(at("2026-01-13T18:31:00Z")), "the third day began at 18:30 UTC");
    }
}
