//! Asking what became of a call.

use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::call::{CallFact, CallId, Found};
use outdial_workflows::money::Cost;
use reqwest::StatusCode;
use url::Url;

use super::reads::words;
use super::wire::{self, Call, CallDetails, CallEnvelope, CallList, DetailsEnvelope};
use super::{Exotel, mapping};
use crate::providers::Question;
use crate::providers::answer::Answer;

/// How far around the submission the list is searched: a mistaken zone shifts its dates by at
/// most 14 hours, and must not hide a call.
const AROUND: TimeDelta = TimeDelta::hours(24);

/// A call this much older than the submission is an earlier attempt's. The clocks of both sides
/// are set; Exotel's dates have whole seconds.
const EARLY: TimeDelta = TimeDelta::seconds(60);

/// A call this much younger is not ours for certain: our request left within 2 s or not at all.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// Calls asked for at a time; Exotel gives at most 100.
const PAGE_SIZE: u32 = 50;

/// Most pages read for one question: one number, two days.
const PAGES_MAX: u32 = 4;

/// Most call details read for one question.
const DETAILS_MAX: u8 = 10;

/// So many calls are asked for by name in one request: Exotel takes 100 and recommends at most 20.
pub(super) const SIDS_AT_ONCE: usize = 20;

/// The most requests that finding a call takes.
pub(super) const FIND_MAX: u32 = PAGES_MAX + DETAILS_MAX as u32;

/// The most requests about a call with a name: v1, and v3 where that is of no use.
pub(super) const STATUS_MAX: u32 = 2;

/// A listed call that may be the one looked for.
struct Candidate {
    sid: String,
    created: Option<Moment>,
    call: Call,
}

impl Exotel {
    /// Looks a lost dial up in the list of calls, and tells it by the key in the v3 details.
    pub(super) async fn find_call(&self, question: &Question<'_>) -> Found {
        let Some(submission) = question.attempt.submission else {
            return Found::CannotTell { cause: "the attempt was never submitted".into() };
        };
        match self.search(question, submission.at).await {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.credentials.tidy(&cause) },
        }
    }

    /// Lists may lack a call for as long as it can last, and then until its details are in.
    fn not_seen(&self, question: &Question<'_>) -> Found {
        let after = self.settings.absent_after(question.rules.longest_call());
        Found::NotSeen { conclusive_after_ms: after.num_milliseconds() }
    }

    async fn search(&self, question: &Question<'_>, submitted: Moment) -> Result<Option<CallFact>, String> {
        let key = question.key.to_string();
        let mut candidates = self.candidates(question, submitted).await?;
        candidates.sort_by_key(|candidate| candidate.created.map(|at| (at - submitted).abs()));
        let mut nameless = Vec::new();
        for (read, candidate) in (0..).zip(candidates) {
            if read == DETAILS_MAX {
                return Err(format!("more than {DETAILS_MAX} calls to this number within two days"));
            }
            let details = self.details(&candidate.sid, question).await?;
            match details.as_ref().and_then(|details| details.custom_field.as_deref()) {
                Some(field) if field == key => {
                    return mapping::fact(Some(&candidate.call), details.as_ref(), self.settings.zone)
                        .map(Some);
                }
                Some(_) => {}
                None => nameless.push(candidate),
            }
        }
        let ours = only_possible(&nameless, submitted)?;
        ours.map(|candidate| mapping::fact(Some(&candidate.call), None, self.settings.zone)).transpose()
    }

    /// All calls to the number around the submission. The server filters by nothing more than it
    /// must, since a filter that works otherwise than documented would hide our call.
    async fn candidates(&self, question: &Question<'_>, submitted: Moment) -> Result<Vec<Candidate>, String> {
        let mut found = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let answer = self.read(self.list_url(question, submitted, after.as_deref()), question).await?;
            let list: CallList = match answer.status {
                StatusCode::OK => answer.json().ok_or("the list of calls is not in the documented form")?,
                _ => return Err(format!("the list of calls cannot be read: {}", words(&answer))),
            };
            after = list.next_page_uri().map(cursor).transpose()?;
            let last = after.is_none() || list.calls.is_empty();
            for call in list.calls {
                found.extend(self.candidate(call)?);
            }
            if last {
                return Ok(found);
            }
        }
        Err(format!("more than {} calls to this number within two days", PAGES_MAX * PAGE_SIZE))
    }

    async fn read(&self, url: Url, question: &Question<'_>) -> Result<Answer, String> {
        question.requests.another();
        self.get(url).await
    }

    /// `None` for a call that the person made.
    fn candidate(&self, call: Call) -> Result<Option<Candidate>, String> {
        if call.direction.as_deref() == Some("inbound") {
            return Ok(None);
        }
        let sid = call.sid.clone().ok_or("the list of calls holds one without Sid")?;
        let created = call.date_created.as_deref().and_then(|at| wire::moment(at, self.settings.zone));
        Ok(Some(Candidate { sid, created, call }))
    }

    fn list_url(&self, question: &Question<'_>, submitted: Moment, after: Option<&str>) -> Url {
        let date = |at| wire::local_date(at, self.settings.zone);
        let window = format!("gte:{};lte:{}", date(submitted - AROUND), date(submitted + AROUND));
        let mut url = self.v1(&["Calls.json"]);
        url.query_pairs_mut()
            .append_pair("From", question.phone.as_str())
            .append_pair("DateCreated", &window)
            .append_pair("SortBy", "DateCreated:asc")
            .append_pair("PageSize", &PAGE_SIZE.to_string())
            .extend_pairs(after.map(|cursor| ("After", cursor)));
        url
    }

    /// The v3 details. `None` if the account has none to offer; `Err` if asking again may help.
    async fn details(&self, sid: &str, question: &Question<'_>) -> Result<Option<CallDetails>, String> {
        let answer = self.read(self.v3(&["calls", sid]), question).await?;
        match answer.status.as_u16() {
            200 => Ok(answer.json::<DetailsEnvelope>().map(|envelope| envelope.response.call_details)),
            408 | 429 => Err(format!("the v3 call details cannot be read: {}", words(&answer))),
            400..=499 => Ok(None),
            _ => Err(format!("the v3 call details cannot be read: {}", words(&answer))),
        }
    }

    /// What calls cost, by the list of calls. Exotel fills prices in some minutes after the end.
    pub(super) async fn prices_of(&self, calls: &[CallId]) -> Result<Vec<(CallId, Cost)>, String> {
        let sids: Vec<&str> = calls.iter().map(|call| call.0.as_str()).collect();
        let mut url = self.v1(&["Calls.json"]);
        url.query_pairs_mut()
            .append_pair("Sid", &sids.join(","))
            .append_pair("PageSize", &PAGE_SIZE.to_string());
        let answer = self.get(url).await?;
        let list: CallList = match answer.status {
            StatusCode::OK => answer.json().ok_or("the list of calls is not in the documented form")?,
            _ => return Err(format!("the list of calls cannot be read: {}", words(&answer))),
        };
        let priced = |call: Call| {
            let sid = call.sid.filter(|sid| sids.contains(&sid.as_str()))?;
            Some((CallId(sid), Cost::parse(call.price.as_deref()?)?))
        };
        Ok(list.calls.into_iter().filter_map(priced).collect())
    }

    /// The latest about a call with a name.
    pub(super) async fn status_of(&self, call: &CallId, question: &Question<'_>) -> Found {
        match self.look_up(&call.0, question).await {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.credentials.tidy(&cause) },
        }
    }

    /// v1 first; v3 where v1 does not know the call or is not understood. `None`: neither knows it.
    async fn look_up(&self, sid: &str, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        let mut url = self.v1(&["Calls", &format!("{sid}.json")]);
        url.query_pairs_mut().append_pair("details", "true");
        let answer = self.read(url, question).await?;
        let trouble = match answer.status {
            StatusCode::OK => match answer.json::<CallEnvelope>() {
                Some(CallEnvelope { call }) => match mapping::fact(Some(&call), None, self.settings.zone) {
                    Ok(fact) => return Ok(Some(fact)),
                    Err(unknown_word) => Some(unknown_word),
                },
                None => Some("the call's details are not in the documented form".into()),
            },
            StatusCode::NOT_FOUND => None,
            _ => return Err(format!("the call's details cannot be read: {}", words(&answer))),
        };
        match (self.details(sid, question).await?, trouble) {
            (Some(details), _) => mapping::fact(None, Some(&details), self.settings.zone).map(Some),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => Ok(None),
        }
    }
}

/// Which of the calls that do not say whose they are is ours. At most one attempt per number is
/// live, so a single call of the right time is; two, or one of an odd time, cannot be told.
fn only_possible(nameless: &[Candidate], submitted: Moment) -> Result<Option<&Candidate>, String> {
    let earliest = submitted - EARLY;
    let possible: Vec<_> =
        nameless.iter().filter(|call| call.created.is_none_or(|at| at >= earliest)).collect();
    match possible.as_slice() {
        [] => Ok(None),
        [only] if only.created.is_some_and(|at| at <= submitted + LATE) => Ok(Some(only)),
        [only] => Err(format!(
            "call {} to this number does not say whose it is, and its date does not fit; \
             if all dates are off by hours, correct the account's zone",
            only.sid
        )),
        several => {
            Err(format!("{} calls to this number since, none of which says whose it is", several.len()))
        }
    }
}

/// The cursor in the address of the next page. The address itself is not followed: it would take
/// our credentials wherever it says, and may lack the filters or the `.json`.
fn cursor(next_page_uri: &str) -> Result<String, String> {
    let base: Url = "http://list".parse().expect("a constant URL parses");
    let url = base.join(next_page_uri).ok();
    let after = url
        .and_then(|url| url.query_pairs().find(|(name, _)| name == "After").map(|(_, at)| at.into_owned()));
    after.ok_or_else(|| "the list of calls goes on, but not where".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(seconds_after: &[Option<i64>]) -> Vec<Candidate> {
        let at = |seconds| Moment::UNIX_EPOCH + TimeDelta::seconds(1_768_467_300 + seconds);
        let candidate = |(index, after): (usize, &Option<i64>)| Candidate {
            sid: format!("c{index}"),
            created: after.map(at),
            call: Call::default(),
        };
        seconds_after.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn a_call_that_does_not_say_whose_it_is_must_be_alone_and_of_the_right_time() {
        let submitted = Moment::UNIX_EPOCH + TimeDelta::seconds(1_768_467_300);
        for (seconds_after, ours) in [
            (&[][..], Ok(None)),
            (&[Some(1)], Ok(Some("c0"))),
            (&[Some(-59)], Ok(Some("c0"))),
            (&[Some(-61)], Ok(None)),
            (&[Some(-3_600), Some(2)], Ok(Some("c1"))),
            (&[Some(301)], Err("zone")),
            (&[None], Err("zone")),
            (&[Some(1), Some(2)], Err("2 calls")),
            (&[Some(1), None], Err("2 calls")),
            (&[Some(1), Some(9_000)], Err("2 calls")),
        ] {
            let nameless = candidates(seconds_after);
            match (only_possible(&nameless, submitted), ours) {
                (Ok(found), Ok(ours)) => {
                    assert_eq!(found.map(|call| call.sid.as_str()), ours, "{seconds_after:?}");
                }
                (Err(cause), Err(says)) => assert!(cause.contains(says), "{seconds_after:?}: {cause}"),
                (found, ours) => {
                    panic!("{seconds_after:?}: {:?}, not {ours:?}", found.map(|call| call.map(|c| &c.sid)));
                }
            }
        }
    }

    #[test]
    fn the_next_page_is_asked_for_by_its_cursor_alone() {
        assert_eq!(cursor("/v1/Accounts/a/Calls?PageSize=5&After=MT%3D9"), Ok("MT=9".into()));
        assert_eq!(cursor("https://evil.example/?After=7"), Ok("7".into()));
        assert!(cursor("/v1/Accounts/a/Calls?PageSize=5").is_err());
    }
}
