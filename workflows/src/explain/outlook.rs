//! What happens next, and what would have to change.

use super::{AccountStop, Known, Story};
use crate::Moment;
use crate::gate::{CampaignState, MayCall, may_call, may_dial};
use crate::limits::{Bound, Room};
use crate::outcome::Outcome;
use crate::preview::as_if_running;
use crate::why::Why;
use crate::workflow::State;

/// So many reasons can put a lead off one after another (a suppression that ends at
/// night, then the hours); more would go round in circles.
const MOST_REASONS: usize = 8;

/// What the future holds.
#[derive(Default)]
pub(super) struct Outlook {
    pub(super) next: Option<(Moment, String)>,
    pub(super) to_change: Vec<String>,
}

pub(super) fn outlook(story: &Story<'_>, known: &Known<'_>, now: Moment) -> Outlook {
    let mut outlook = Outlook::default();
    if story.quarantined {
        outlook.needs("it is in quarantine: see its error, mend it and release it");
        return outlook;
    }
    let wake_at = story.workflow.wake_at;
    let mut by_timer = |what: &str| outlook.next = wake_at.map(|at| (at, what.to_owned()));
    match story.workflow.state {
        State::Waiting => waiting(&mut outlook, story, known, now),
        State::Held => held(&mut outlook, story, known, now),
        State::Dialling if matches!(story.workflow.why, Why::Reserved { .. }) => {
            by_timer("if no worker has sent it by then, it is withdrawn and the lead waits again");
        }
        State::Dialling if matches!(story.workflow.why, Why::Submitted { .. }) => {
            by_timer("if the carrier has not answered by then, it is asked");
        }
        State::Dialling | State::Calling => by_timer("the carrier is asked, unless it reports first"),
        State::Settling => by_timer("the outcome is recorded, unless it is reported first"),
        State::Finished => finished(&mut outlook, story, known, now),
    }
    outlook
}

impl Outlook {
    fn needs(&mut self, what: impl Into<String>) {
        self.to_change.push(what.into());
    }
}

fn waiting(outlook: &mut Outlook, story: &Story<'_>, known: &Known<'_>, now: Moment) {
    let due = story.workflow.wake_at.map_or(now, |at| at.max(now));
    let rests_until = known.account_rests_until.filter(|_| !known.gate.account_ready);
    let rooms = [
        ("campaign", known.campaign_room),
        ("numbers", known.numbers_room),
        ("account", known.account_room),
        ("client", known.client_room),
    ];
    let again = |(whose, room): &(&'static str, Option<Room>)| {
        let (at, bound) = room.as_ref()?.again?;
        Some((at, *whose, bound))
    };
    let binds = rooms.iter().filter_map(again).max();
    let again = binds.map(|(at, ..)| at);
    let Some((at, until_then)) =
        opening(outlook, story, known, due.max(rests_until.unwrap_or(due)).max(again.unwrap_or(due)))
    else {
        return;
    };
    match known.gate.campaign {
        CampaignState::Running | CampaignState::Ended => {}
        CampaignState::Draft => return outlook.needs("start the campaign"),
        CampaignState::Paused => return outlook.needs("resume the campaign"),
    }
    if !known.gate.account_ready && rests_until.is_none() {
        return outlook.needs(match known.account_stopped {
            Some(AccountStop::Paused) => "resume the carrier account, or its client",
            Some(AccountStop::TurnedDown) => {
                "have the carrier take the account again: its page says what is wrong; then test it, or give it \
                 other credentials"
            }
            Some(AccountStop::Disabled) | None => "enable the carrier account",
        });
    }
    for (whose, room) in rooms {
        if room.is_some_and(|room| matches!(room, Room { free: 0, again: None })) {
            outlook.needs(match whose {
                "numbers" => {
                    "none of its campaign's numbers has room: a call has to end, or a number be added".into()
                }
                whose => {
                    format!(
                        "the limits of its {whose} are used up: a call has to end, or the limit be raised"
                    )
                }
            });
        }
    }
    if known.seats == Some(0) {
        outlook.needs(
            "no seat is free for the conversation: a call of its client's has to end, or a process be started that \
             holds conversations",
        );
    }
    let what = match until_then.filter(|why| *why != story.workflow.why) {
        _ if at <= now => due_now(known),
        Some(why) => format!("may be called from then on; until then, {why}"),
        None if again == Some(at) => {
            let (whose, bound) = binds.map_or(("campaign", Bound::Rate), |(_, whose, bound)| (whose, bound));
            match (whose, bound) {
                ("numbers", _) => {
                    "may be called from then on; until then, its campaign's numbers rest or their rates are used up".into()
                }
                (whose, Bound::Money) => {
                    format!("may be called from then on; until then, what its {whose} may spend in a day is spent")
                }
                (whose, Bound::Rate | Bound::Rest) => {
                    format!("may be called from then on; until then, the rate of calls of its {whose} is used up")
                }
            }
        }
        None if rests_until == Some(at) => {
            "may be called from then on; until then, its carrier account rests".into()
        }
        None => "may be called from then on".into(),
    };
    outlook.next = Some((at, what));
}

fn due_now(known: &Known<'_>) -> String {
    match known.ahead {
        Some(ahead) if ahead > 0 => format!("due, and called when its turn comes; leads before it: {ahead}"),
        Some(_) | None => "due, and called when its turn comes".into(),
    }
}

/// The first moment from `at` on at which the gate lets the lead through, if time alone
/// brings one, and what it waits for until then if that is later than `at`. What people switch on
/// and off is left aside here.
fn opening(
    outlook: &mut Outlook,
    story: &Story<'_>,
    known: &Known<'_>,
    mut at: Moment,
) -> Option<(Moment, Option<Why>)> {
    let facts = as_if_running(known.gate.clone());
    let mut until_then = None;
    for _ in 0..MOST_REASONS {
        match may_dial(&facts, known.rules, story.workflow.tried(), at) {
            MayCall::Now { .. } => return Some((at, until_then)),
            MayCall::NotBefore(later, why) if later > at => (at, until_then) = (later, Some(why)),
            MayCall::NotBefore(_, why) | MayCall::Held(why) => {
                outlook.needs(why.to_string());
                return None;
            }
            MayCall::Never(why) => {
                outlook.needs(format!("it will not be called, and finishes when its turn comes: {why}"));
                return None;
            }
        }
    }
    None
}

fn held(outlook: &mut Outlook, story: &Story<'_>, known: &Known<'_>, now: Moment) {
    if matches!(story.workflow.why, Why::HeldBy { .. }) {
        return outlook.needs("resume the lead");
    }
    if matches!(story.workflow.why, Why::NumbersUsedUp | Why::Erased) {
        return;
    }
    match may_dial(&as_if_running(known.gate.clone()), known.rules, story.workflow.tried(), now) {
        MayCall::Held(why @ (Why::NeedsConsent { .. } | Why::ConsentRevoked { .. })) => {
            if why != story.workflow.why {
                outlook.needs(why.to_string());
            }
            outlook.needs("record consent, and the lead goes on by itself");
        }
        MayCall::Held(why) if why == story.workflow.why => outlook.needs("mend this, then resume the lead"),
        MayCall::Held(why) => outlook.needs(format!("{why}; then resume the lead")),
        MayCall::Never(why) => outlook.needs(format!("nothing: it cannot be called any more, for {why}")),
        MayCall::Now { .. } | MayCall::NotBefore(..) => {
            outlook.needs("what held it has been mended: resume the lead");
        }
    }
}

fn finished(outlook: &mut Outlook, story: &Story<'_>, known: &Known<'_>, now: Moment) {
    if story.workflow.outcome == Some(Outcome::DoNotCall) {
        return;
    }
    if !matches!(may_call(known.gate, known.rules, now), MayCall::Never(_)) {
        outlook.needs("nothing; to call it again all the same, retry the lead");
    }
}
