//! What the adapter's tests have in common.

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallStatus, CallerId};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::{Agent, Rules};
use uuid::Uuid;

use super::{Credentials, Settings, Telnyx};
use crate::providers::http_client;

/// Of the documented vectors.
pub(super) const PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

pub(super) fn credentials() -> Credentials {
    Credentials { api_key: "KEY1secret".into(), public_key: PUBLIC_KEY.into() }
}

pub(super) fn settings() -> Settings {
    Settings { connection_id: "1494404757140276705".into(), ..Settings::default() }
}

/// Of an account that may have TeXML applications answer.
pub(super) fn flow_settings() -> Settings {
    Settings { account_sid: Some("f5586561-8ff0-4291-a51b-c7dfe4139ff9".into()), ..settings() }
}

pub(super) fn flow_rules() -> Rules {
    Rules { agent: Agent::Flow { flow_id: "2494404757140276705".into() }, ..rules() }
}

pub(super) fn telnyx(base_url: &str) -> Telnyx {
    telnyx_with(base_url, settings())
}

pub(super) fn telnyx_with(base_url: &str, settings: Settings) -> Telnyx {
    let http = http_client().expect("a client");
    Telnyx::new(http, base_url.parse().expect("a URL"), credentials(), settings).expect("good settings")
}

pub(super) fn phone() -> PhoneNumber {
    "+14155550123".parse().expect("a phone number")
}

pub(super) fn rules() -> Rules {
    Rules { caller_ids: vec![CallerId("+14155550100".into())], ..Rules::default() }
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

/// 2026-01-15 08:55:10.
pub(super) fn submitted_at() -> Moment {
    Moment::from_timestamp(1_768_467_310, 0).expect("in range")
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
