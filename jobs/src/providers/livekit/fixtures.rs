//! What the adapter's tests have in common.

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, BarrierVersion, Ledger, Revision, Submission};
use outdial_workflows::call::{CallStatus, CallerId};
use outdial_workflows::ids::{AccountId, AttemptNumber, AttemptRef, ClientId, DialKey, LeadId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::rules::{Agent, Rules};
use uuid::Uuid;

use super::{Credentials, LiveKit, Settings};
use crate::providers::http_client;

/// A webhook's body, as the protocol page has it.
pub(super) const BODY: &str = r#"{"event":"participant_left","room":{"sid":"RM_qA1b2C3d4E5f","name":"call-42","emptyTimeout":300,"creationTime":"1700000000","departureTimeout":20,"creationTimeMs":"1700000000123"},"participant":{"sid":"PA_zY9x8W7v6U5t","identity":"sip_+15550100","state":"DISCONNECTED","joinedAt":"1700000010","kind":"SIP","attributes":{"sip.callStatus":"hangup","sip.callID":"SCL_k3J2h1G0f9E8","sip.trunkID":"ST_a1B2c3D4e5F6","sip.phoneNumber":"+15550100"},"disconnectReason":"CLIENT_INITIATED","joinedAtMs":"1700000010456"},"id":"EV_abc123DEF456","createdAt":"1700000100"}"#;

/// Its token, which the official receivers accept.
pub(super) const SIGNED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzaGEyNTYiOiJsSnRoYVhQZUc0VDF1bDZzQTBWM2JZMFUvUUlPRGEzSEFFYkFFK2ZwRm1NPSIsInN1YiI6IiIsImlzcyI6IkFQSWRldmtleTAwMDAwMSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwfQ.TyX6yuopDI1lqiExFE2ONh-Ka6kZBOocLCQE3HQNACU";

/// What both are signed with.
pub(super) fn vector_credentials() -> Credentials {
    Credentials {
        api_key: "APIdevkey000001".into(),
        api_secret: "secret-that-is-at-least-32-bytes-long!!".into(),
    }
}

pub(super) fn settings() -> Settings {
    Settings { sip_trunk_id: "ST_1".into(), ..Settings::default() }
}

pub(super) fn livekit(base_url: &str) -> LiveKit {
    livekit_with(base_url, settings())
}

pub(super) fn livekit_with(base_url: &str, settings: Settings) -> LiveKit {
    let http = http_client().expect("a client");
    let base_url = base_url.parse().expect("a URL");
    LiveKit::new(http, base_url, vector_credentials(), settings).expect("good settings")
}

pub(super) fn phone() -> PhoneNumber {
    "+919876543210".parse().expect("a phone number")
}

pub(super) fn rules() -> Rules {
    Rules {
        caller_ids: vec![CallerId("+15550100".into())],
        agent: Agent::Hosted { agent_id: "caller".into(), version: None },
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

pub(super) fn submitted_at() -> Moment {
    Moment::from_timestamp(1_768_467_310, 0).expect("in range")
}

/// An attempt that was submitted and never heard of.
pub(super) fn attempt() -> Attempt {
    Attempt {
        number: number(),
        revision: Revision(1),
        account: AccountId(Uuid::from_u128(3)),
        caller_id: Some(CallerId("+15550100".into())),
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
