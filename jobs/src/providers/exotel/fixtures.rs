//! What the adapter's tests have in common.

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallStatus, CallerId};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::Rules;
use uuid::Uuid;

use super::{Credentials, Exotel, Settings};
use crate::providers::http_client;

pub(super) fn credentials() -> Credentials {
    Credentials { account_sid: "acct1".into(), api_key: "key1".into(), api_token: "token1".into() }
}

pub(super) fn exotel(base_url: &str) -> Exotel {
    exotel_with(base_url, Settings::default())
}

pub(super) fn exotel_with(base_url: &str, settings: Settings) -> Exotel {
    let http = http_client().expect("a client");
    Exotel::new(http, base_url.parse().expect("a URL"), credentials(), settings).expect("good settings")
}

pub(super) fn phone() -> PhoneNumber {
    "+919876543210".parse().expect("a phone number")
}

pub(super) fn rules() -> Rules {
    Rules { caller_ids: vec![CallerId("08040000000".into())], ..Rules::default() }
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

/// 2026-01-15 14:25:10 in India.
pub(super) fn submitted_at() -> Moment {
    Moment::from_timestamp(1_768_467_310, 0).expect("in range")
}

/// An attempt that was submitted and never heard of.
pub(super) fn attempt() -> Attempt {
    Attempt {
        number: number(),
        revision: Revision(1),
        account: AccountId(Uuid::from_u128(3)),
        caller_id: Some(CallerId("08040000000".into())),
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
