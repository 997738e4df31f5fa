//! What forbids a call besides its hours: consent, caps, dates, money.

use std::num::NonZeroU16;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::MayCall;
use super::facts::GateFacts;
use crate::Moment;
use crate::calendar::day_ends;
use crate::packs::{Law, Purpose};
use crate::places::Whereabouts;
use crate::rules::Rules;
use crate::why::Why;

/// What no time and no mending will change.
pub(super) fn for_good(facts: &GateFacts, rules: &Rules, now: Moment) -> Result<(), MayCall> {
    if let Some(ends_at) = rules.ends_at.filter(|ends_at| *ends_at <= now) {
        return Err(MayCall::Never(Why::PastEnd { ends_at }));
    }
    if let Some(max) = rules.caps.in_all.map(|max| u32::from(max.get()))
        && facts.tried.in_all >= max
    {
        return Err(MayCall::Never(Why::TriedEnough { max }));
    }
    Ok(())
}

/// Whether the person agreed to such calls as far as law and campaign ask. Gives the moment
/// at which that ends by itself, if it does.
///
/// Whoever took consent back and gave none since is not called, whatever is asked for.
pub(super) fn consent(
    facts: &GateFacts,
    rules: &Rules,
    law: Option<&Law>,
    now: Moment,
) -> Result<Option<Moment>, Why> {
    let for_this = |purpose: Option<Purpose>| purpose.is_none_or(|its| its == rules.purpose);
    let known = facts.consents.iter().filter(|consent| for_this(consent.purpose) && consent.given_at <= now);
    let revoked = known.clone().filter_map(|consent| consent.revoked_at).filter(|at| *at <= now).max();
    let valid = known.filter(|consent| {
        let over = |end: Option<Moment>| end.is_some_and(|end| end <= now);
        // What was taken back takes everything with it that was given before.
        let outlived = revoked.is_none_or(|revoked| consent.given_at > revoked);
        outlived && !over(consent.expires_at) && !over(consent.revoked_at)
    });
    let by_law = law.and_then(|law| law.consent).map(|(level, area)| (level, Some(area)));
    let by_campaign = rules.consent.map(|level| (level, None));
    let needed = [by_law, by_campaign].into_iter().flatten().max_by_key(|(level, _)| *level);
    let Some((level, area)) = needed else {
        return match (revoked, valid.count()) {
            (Some(at), 0) => Err(Why::ConsentRevoked { at }),
            (Some(_) | None, _) => Ok(None),
        };
    };
    let ends = valid.filter(|consent| consent.level >= level).map(|consent| {
        // One that does not end outlasts every other.
        consent.expires_at.into_iter().chain(consent.revoked_at).min().unwrap_or(Moment::MAX_UTC)
    });
    match (ends.max(), revoked) {
        (Some(ends), _) => Ok(Some(ends).filter(|ends| *ends < Moment::MAX_UTC)),
        (None, Some(at)) => Err(Why::ConsentRevoked { at }),
        (None, None) => Err(Why::NeedsConsent { level, area }),
    }
}

/// Whether a number that was tried at these times was tried often enough for now, and until when. `kept`:
/// where the person may be, and what the law asks there; `None` where none is asked.
pub fn tried(
    at: &[Moment],
    rules: &Rules,
    kept: Option<(&Whereabouts, &Law)>,
    now: Moment,
) -> Option<(Moment, Why)> {
    let mut newest_first: Vec<Moment> = at.iter().copied().filter(|at| *at <= now).collect();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    let by_law = kept.into_iter().flat_map(|(_, law)| &law.caps).filter_map(|(cap, area)| {
        let oldest = newest_first.get(usize::from(cap.max).checked_sub(1)?)?;
        let until = *oldest + TimeDelta::hours(cap.hours.into());
        let why = Why::TriedOften { max: cap.max, hours: cap.hours, area: *area, until };
        (until > now).then_some((until, why))
    });
    let fallback = [rules.zone.unwrap_or(Tz::UTC)];
    let clocks = kept.map_or(&fallback[..], |(place, _)| place.zones());
    let per_day = rules.caps.per_day.map(NonZeroU16::get);
    let full = clocks.iter().filter(|zone| {
        let day = |at: Moment| at.with_timezone(*zone).date_naive();
        let today = newest_first.iter().filter(|at| day(**at) == day(now)).count();
        per_day.is_some_and(|max| today >= usize::from(max))
    });
    let by_day = full.filter_map(|zone| {
        let until = day_ends(*zone, now);
        Some((until, Why::TriedToday { max: per_day?, until }))
    });
    by_law.chain(by_day).max_by_key(|(until, _)| *until)
}
