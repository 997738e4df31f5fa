//! Asking what became of a call.

use outdial_workflows::call::{CallFact, CallId, Found};
use reqwest::StatusCode;

use super::compose::longest_call;
use super::reads::words;
use super::requests::{Criteria, Is, KEY_NAME, ListCalls};
use super::wire::{Call, CallList};
use super::{RESEND_WITHIN, Retell, mapping};
use crate::providers::Question;

/// Calls asked for at a time. Of ours there is one; more come only if the filter is not heeded.
const PAGE_SIZE: u32 = 50;

/// Most pages read for one question.
const PAGES_MAX: u32 = 3;

/// The most requests that finding a call takes: the list, and the call itself.
pub(super) const FIND_MAX: u32 = PAGES_MAX + 1;

/// The most requests about a call with a name.
pub(super) const STATUS_MAX: u32 = 1;

impl Retell {
    /// Looks a lost dial up among the calls whose metadata bears our key.
    pub(super) async fn find_call(&self, question: &Question<'_>) -> Found {
        match self.search(question).await {
            Ok(Some(fact)) => Found::Call(fact),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.credentials.tidy(&cause) },
        }
    }

    /// The latest about a call with a name.
    pub(super) async fn status_of(&self, call: &CallId, question: &Question<'_>) -> Found {
        match self.look_up(&call.0, question).await {
            Ok(Some(call)) => Found::Call(mapping::latest(&call)),
            Ok(None) => self.not_seen(question),
            Err(cause) => Found::CannotTell { cause: self.credentials.tidy(&cause) },
        }
    }

    /// Reads may lack a call for as long as it can last, and then until they have caught up.
    ///
    /// All counts from the end of the time in which the request is repeated, not from its submission: any
    /// repetition may be the one that arrives first, and then begins the call.
    fn not_seen(&self, question: &Question<'_>) -> Found {
        let after = self.settings.absent_after(RESEND_WITHIN, longest_call(question.rules));
        Found::NotSeen { conclusive_after_ms: after.num_milliseconds() }
    }

    /// Neither the call's status nor its beginning is filtered by: a call that still rings has no status that
    /// a filter could name, and has not begun.
    async fn search(&self, question: &Question<'_>) -> Result<Option<CallFact>, String> {
        let key = question.key.to_string();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let list = self.page(&key, cursor.as_deref(), question).await?;
            for call in list.items {
                match (call.key(), &call.call_id) {
                    (Some(theirs), Some(id)) if theirs == key => {
                        return Ok(Some(self.in_full(id, &call, question).await));
                    }
                    (Some(theirs), _) if theirs != key => {}
                    _ => return Err("the list of calls holds one that does not say whose it is".into()),
                }
            }
            if !list.has_more {
                return Ok(None);
            }
            cursor = Some(list.pagination_key.ok_or("the list of calls goes on, but not where")?);
        }
        Err(format!("more than {} calls are listed, though only ours was asked for", PAGES_MAX * PAGE_SIZE))
    }

    async fn page(
        &self,
        key: &str,
        cursor: Option<&str>,
        question: &Question<'_>,
    ) -> Result<CallList, String> {
        let asked = ListCalls {
            filter_criteria: Criteria {
                metadata: [Is::entry(KEY_NAME, key)],
                to_number: Is::text(question.phone.as_str()),
            },
            limit: PAGE_SIZE,
            sort_order: "descending",
            pagination_key: cursor,
        };
        question.requests.another();
        let answer = self.post(&["v3", "list-calls"], Some(&asked)).await?;
        match answer.status {
            StatusCode::OK => {
                answer.json().ok_or_else(|| "the list of calls is not in the documented form".into())
            }
            _ => Err(format!("the list of calls cannot be read: {}", words(&answer))),
        }
    }

    /// A listed call, with what lists leave out if it is over: what was said.
    async fn in_full(&self, id: &str, listed: &Call, question: &Question<'_>) -> CallFact {
        if mapping::is_over(listed)
            && let Ok(Some(call)) = self.look_up(id, question).await
        {
            return mapping::latest(&call);
        }
        mapping::latest(listed)
    }

    /// `None`: Retell does not know the call.
    async fn look_up(&self, id: &str, question: &Question<'_>) -> Result<Option<Call>, String> {
        question.requests.another();
        self.read_call(id).await
    }

    pub(super) async fn read_call(&self, id: &str) -> Result<Option<Call>, String> {
        let answer = self.get(&["v2", "get-call", id]).await?;
        match answer.status.as_u16() {
            200 => {
                let call: Option<Call> = answer.json();
                let call = call.filter(|call| call.call_id.as_deref() == Some(id));
                call.map(Some).ok_or_else(|| "the call is not in the documented form".into())
            }
            // The documents have one status on one page, and the other on another.
            404 | 422 => Ok(None),
            _ => Err(format!("the call cannot be read: {}", words(&answer))),
        }
    }
}
