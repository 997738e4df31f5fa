//! What the adapter's tests have in common.

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallId, CallStatus, CallerId};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::{Agent, Rules};
use uuid::Uuid;

use super::{Credentials, Retell, Settings};
use crate::providers::http_client;

pub(super) fn retell(base_url: &str) -> Retell {
    retell_with(base_url, Settings::default())
}

pub(super) fn retell_with(base_url: &str, settings: Settings) -> Retell {
    let credentials = Credentials { api_key: "key_rest1".into(), webhook_key: Some("key_hook1".into()) };
    let http = http_client().expect("a client");
    Retell::new(http, base_url.parse().expect("a URL"), credentials, settings).expect("good settings")
}

pub(super) fn phone() -> PhoneNumber {
    "+14155550123".parse().expect("a phone number")
}

pub(super) fn rules() -> Rules {
    Rules {
        caller_ids: vec![CallerId("+14155550100".into())],
        agent: Agent::Hosted { agent_id: "agent_1".into(), version: None },
        ..Rules::default()
    }
}

pub(super) fn key() -> DialKey {
    DialKey(AttemptRef {
        client: ClientId(Uuid::from_u128(1)),
        lead: LeadId(Uuid::from_u128(2)),
        number: number(),
    })
}

fn number() -> AttemptNumber {
    AttemptNumber::new(3).expect("not zero")
}

/// Midnight UTC as 2026 begins.
pub(super) fn submitted_at() -> Moment {
    Moment::from_timestamp(1_767_225_600, 0).expect("in range")
}

/// An attempt that was submitted and never heard of.
pub(super) fn attempt() -> Attempt {
    Attempt {
        number: number(),
        revision: Revision(1),
        account: AccountId(Uuid::from_u128(3)),
        caller_id: Some(CallerId("+14155550100".into())),
        phone: Some(phone()),
        ledger: Ledger::Unknown,
        counts: true,
        barrier: BarrierVersion(0),
        dial_by: submitted_at(),
        reserved_at: submitted_at(),
        submission: Some(Submission { at: submitted_at(), token: Uuid::from_u128(4) }),
        replied_at: None,
        call_id: None,
        second_call_id: None,
        status: CallStatus::Initiated,
        answered_at: None,
        ended: None,
        verdict: None,
        outcome: None,
        recording_url: None,
        asked: 0,
        cost: None,
        results: None,
        transfer: None,
        abandoned: None,
    }
}

/// The same attempt, which the carrier accepted under this name.
pub(super) fn bound(call: &str) -> Attempt {
    Attempt { ledger: Ledger::Bound, call_id: Some(CallId(call.into())), ..attempt() }
}
