//! Dialling: what is answered, what the room shows, and how each outcome ends.

use std::time::Duration;

use outdial_emulators::livekit::{
    Config, DisconnectReason, LiveKit, Scenario, Sip, SipStatus, Status, Transfer, Trunk,
};
use serde_json::json;

use crate::harness::{Api, CALLEE, ROOM, fast, within};

/// An hour on the wall, at a thousand times real speed.
const LONG: Duration = Duration::from_secs(3_600_000);

async fn scripted(scenario: Scenario) -> (LiveKit, Api) {
    let livekit = fast(Config::default()).await;
    livekit.script(CALLEE, [scenario]);
    let api = Api::of(&livekit);
    (livekit, api)
}

#[tokio::test]
async fn a_dial_is_answered_at_once_with_the_ids_of_a_participant_who_has_not_answered() {
    let livekit = LiveKit::start(Config::default()).await.expect("a free port");
    livekit.script(CALLEE, [Scenario::answered(LONG).ringing_for(LONG)]);
    let api = Api::of(&livekit);
    let more = json!({"participantName": "Bob", "participantMetadata": "m",
        "participantAttributes": {"campaign": "c1"}});
    let (status, info) = api.try_dial(more).await;
    assert_eq!(status, 200);
    assert_eq!((&info["participant_identity"], &info["room_name"]), (&"callee".into(), &ROOM.into()));
    let shown = api.callee().await.expect("it has joined");
    assert_eq!(shown["sid"], info["participant_id"]);
    assert_eq!((&shown["kind"], &shown["name"]), (&"SIP".into(), &"Bob".into()));
    let attributes = &shown["attributes"];
    assert_eq!(attributes["sip.callID"], info["sip_call_id"]);
    assert_eq!(attributes["sip.trunkID"], "ST_trunk1");
    assert_eq!(attributes["sip.phoneNumber"], CALLEE);
    assert_eq!(attributes["sip.trunkPhoneNumber"], "+15550100");
    assert_eq!(attributes["sip.hostname"], "sip.telephone.example");
    assert_eq!(attributes["campaign"], "c1");
    assert!(["dialing", "ringing"].contains(&attributes["sip.callStatus"].as_str().expect("a status")));
    let dials = livekit.dials();
    assert_eq!((dials.accepted(ROOM), dials.timeline[0].caller_id.as_str()), (1, "+15550100"));
}

#[tokio::test]
async fn a_call_goes_from_ringing_to_active_to_hangup() {
    let livekit = LiveKit::start(Config::default()).await.expect("a free port");
    livekit.script(CALLEE, [Scenario::answered(LONG).ringing_for(LONG)]);
    let api = Api::of(&livekit);
    let id = api.dial(json!({})).await;
    let status = async |wanted: &str| {
        within(async {
            loop {
                let shown = api.callee().await;
                if shown.is_some_and(|shown| shown["attributes"]["sip.callStatus"] == wanted) {
                    break;
                }
            }
        })
        .await;
    };
    status("ringing").await;
    assert!(livekit.proceed(&id));
    status("active").await;
    assert!(livekit.call(&id).expect("known").answered_at.is_some());
    assert!(livekit.proceed(&id));
    within(livekit.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.callee().await, None);
    let call = livekit.call(&id).expect("known");
    assert_eq!(
        (call.status, call.disconnect_reason),
        (Status::Hangup, Some(DisconnectReason::ClientInitiated))
    );
}

#[tokio::test]
async fn a_request_that_waits_is_answered_when_the_phone_is() {
    let (livekit, api) = scripted(Scenario::answered(LONG)).await;
    let id = api.dial(json!({"wait_until_answered": true})).await;
    assert!(livekit.call(&id).expect("known").answered_at.is_some());
    assert_eq!(api.callee().await.expect("it talks")["state"], "ACTIVE");
}

#[tokio::test]
async fn a_request_that_waits_is_told_why_nobody_answers() {
    for (scenario, http, code, sip, reason) in [
        (Scenario::busy(), 412, "failed_precondition", "486", DisconnectReason::UserRejected),
        (Scenario::no_answer(), 412, "failed_precondition", "480", DisconnectReason::UserUnavailable),
        (Scenario::rejected(), 403, "permission_denied", "603", DisconnectReason::UserRejected),
        (Scenario::invalid_number(), 404, "not_found", "404", DisconnectReason::UserUnavailable),
        (Scenario::failed(), 412, "failed_precondition", "503", DisconnectReason::UnknownReason),
        (
            Scenario::failed().with_status(600, "Busy Everywhere"),
            429,
            "resource_exhausted",
            "600",
            DisconnectReason::UserRejected,
        ),
        (
            Scenario::failed().leaving(DisconnectReason::SipTrunkFailure),
            412,
            "failed_precondition",
            "503",
            DisconnectReason::SipTrunkFailure,
        ),
    ] {
        let (livekit, api) = scripted(scenario).await;
        let (status, error) = api.try_dial(json!({"wait_until_answered": true})).await;
        assert_eq!((status, &error["code"]), (http, &code.into()), "{error}");
        assert_eq!(error["meta"]["sip_status_code"], sip);
        assert!(error["meta"]["error_details"].is_string());
        let call = livekit.calls().remove(0);
        assert_eq!(call.disconnect_reason, Some(reason));
        assert_eq!(call.sip_status.map(|status| status.code.to_string()).as_deref(), Some(sip));
        assert_eq!(api.callee().await, None);
    }
}

#[tokio::test]
async fn our_own_ringing_timeout_is_told_without_a_sip_status() {
    let (livekit, api) = scripted(Scenario::answered(LONG).ringing_for(LONG)).await;
    let more = json!({"wait_until_answered": true, "ringing_timeout": "25s"});
    let (status, error) = api.try_dial(more).await;
    assert_eq!(status, 408);
    assert_eq!(error, json!({"code": "canceled", "msg": "sip request timed out"}));
    let call = livekit.calls().remove(0);
    assert_eq!(call.disconnect_reason, Some(DisconnectReason::UserUnavailable));
    assert_eq!((call.sip_status, call.answered_at), (None, None));
}

#[tokio::test]
async fn a_request_may_wait_no_longer_than_the_server_and_the_call_goes_on() {
    let sip = Sip { request_timeout: Duration::from_millis(1), ..Sip::default() };
    let livekit = fast(Config { sip, ..Config::default() }).await;
    livekit.script(CALLEE, [Scenario::answered(LONG).ringing_for(LONG)]);
    let api = Api::of(&livekit);
    let more = json!({"wait_until_answered": true, "ringing_timeout": "3600000s"});
    let (status, error) = api.try_dial(more).await;
    assert_eq!((status, &error["code"]), (408, &"deadline_exceeded".into()));
    assert_eq!(livekit.totals().live, 1);
}

#[tokio::test]
async fn a_call_is_cut_at_its_longest_duration() {
    let (livekit, api) = scripted(Scenario::answered(LONG)).await;
    let id = api.dial(json!({"max_call_duration": "10s"})).await;
    within(livekit.until(|totals| totals.finished == 1)).await;
    let call = livekit.call(&id).expect("known");
    assert_eq!(
        (call.talk, call.disconnect_reason),
        (Duration::from_secs(10), Some(DisconnectReason::ClientInitiated))
    );
}

#[tokio::test]
async fn a_call_without_media_is_given_up_for_no_stated_reason() {
    let (livekit, api) = scripted(Scenario::no_media()).await;
    api.dial(json!({})).await;
    within(livekit.until(|totals| totals.finished == 1)).await;
    let call = livekit.calls().remove(0);
    assert_eq!(
        (call.status, call.disconnect_reason),
        (Status::Hangup, Some(DisconnectReason::UnknownReason))
    );
}

#[tokio::test]
async fn a_silent_call_stays_at_dialing_until_it_is_gone() {
    let (livekit, api) = scripted(Scenario::silent()).await;
    let id = api.dial(json!({})).await;
    let shown = api.callee().await.expect("it is there");
    assert_eq!(shown["attributes"]["sip.callStatus"], "dialing");
    assert!(livekit.proceed(&id));
    within(livekit.until(|totals| totals.finished == 1)).await;
    assert_eq!(api.callee().await, None);
}

#[tokio::test]
async fn a_second_dial_with_the_same_identity_is_a_second_call_that_throws_out_the_first() {
    let (livekit, api) = scripted(Scenario::answered(LONG)).await;
    let first = api.dial(json!({})).await;
    let second = api.dial(json!({})).await;
    assert_ne!(first, second);
    within(livekit.until(|totals| totals.finished == 1)).await;
    let reason = livekit.call(&first).expect("known").disconnect_reason;
    assert_eq!(reason, Some(DisconnectReason::DuplicateIdentity));
    assert_eq!(livekit.call(&second).expect("known").disconnect_reason, None);
    assert_eq!(livekit.dials().keys_rung_twice(), [ROOM]);
}

#[tokio::test]
async fn a_request_id_makes_a_repeated_dial_the_same_call_only_where_it_is_heeded() {
    for heeded in [false, true] {
        let sip = Sip { honour_request_id: heeded, ..Sip::default() };
        let livekit = fast(Config { sip, ..Config::default() }).await;
        livekit.script(CALLEE, [Scenario::answered(LONG)]);
        let api = Api::of(&livekit);
        let mut ids = Vec::new();
        for request in ["one", "one", "two"] {
            let body = crate::harness::dialled(json!({}));
            let post = api.post("SIP/CreateSIPParticipant", &body).header("X-Livekit-Request-Id", request);
            let info: serde_json::Value =
                within(post.send()).await.expect("a response").json().await.expect("JSON");
            ids.push(info["sip_call_id"].clone());
        }
        assert_eq!(ids[0] == ids[1], heeded);
        assert_ne!(ids[1], ids[2]);
        assert_eq!(livekit.dials().accepted(ROOM), if heeded { 2 } else { 3 });
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_servers_words() {
    let trunk = Trunk { sip_trunk_id: "ST_bare".into(), numbers: Vec::new(), ..Trunk::default() };
    let livekit = fast(Config { trunks: vec![Trunk::default(), trunk], ..Config::default() }).await;
    let api = Api::of(&livekit);
    let long = "x".repeat(129);
    for (more, status, code, message) in [
        (json!({"sip_trunk_id": ""}), 400, "invalid_argument", "missing sip trunk id and sip number"),
        (json!({"sip_call_to": ""}), 400, "invalid_argument", "missing sip callee number"),
        (
            json!({"sip_call_to": "sip:+15550100@example.com"}),
            400,
            "invalid_argument",
            "SipCallTo should be a phone number or SIP user, not a full SIP URI",
        ),
        (json!({"room_name": ""}), 400, "invalid_argument", "missing room name"),
        (json!({"display_name": long}), 400, "invalid_argument", "DisplayName too long (max 128 characters)"),
        (json!({"sip_trunk_id": "ST_other"}), 404, "not_found", "requested sip trunk does not exist"),
        (json!({"sip_trunk_id": "ST_bare"}), 412, "failed_precondition", "no numbers on outbound trunk"),
        (
            json!({"sip_trunk_id": "", "trunk": {"hostname": "h"}}),
            412,
            "failed_precondition",
            "no numbers on outbound trunk",
        ),
    ] {
        let (http, error) = api.try_dial(more).await;
        assert_eq!((http, error), (status, json!({"code": code, "msg": message})));
    }
    assert_eq!((livekit.totals().accepted, livekit.totals().invalid), (0, 8));
    assert_eq!(livekit.dials().keys[ROOM].requests, 7);
    assert_eq!(livekit.dials().keys["callee"].requests, 1);
}

#[tokio::test]
async fn a_hidden_number_is_in_no_attribute_and_not_in_the_identity() {
    let (_livekit, api) = scripted(Scenario::answered(LONG)).await;
    let (_, info) = api.try_dial(json!({"hide_phone_number": true, "participant_identity": ""})).await;
    let shown = api.ok("RoomService/ListParticipants", json!({"room": ROOM})).await;
    assert!(!shown.to_string().contains(CALLEE), "{shown}");
    assert_eq!(shown["participants"][0]["identity"], info["participant_identity"]);
}

#[tokio::test]
async fn keys_are_pressed_before_the_call_is_active() {
    let livekit = LiveKit::start(Config { speed: 1.0, ..Config::default() }).await.expect("a free port");
    livekit.script(CALLEE, [Scenario::answered(LONG).ringing_for(Duration::ZERO)]);
    let api = Api::of(&livekit);
    api.dial(json!({"dtmf": "wwwwwwwwwwwwwwwwwwwwwwww1#", "wait_until_answered": true})).await;
    let shown = within(async {
        loop {
            let shown = api.callee().await.expect("it is there");
            if shown["attributes"]["sip.callStatus"] != "ringing" {
                return shown;
            }
        }
    })
    .await;
    assert_eq!(shown["attributes"]["sip.callStatus"], "automation");
}

#[tokio::test]
async fn what_the_trunk_forbids_ends_before_it_rings() {
    let balance = Trunk { out_of_balance: true, ..Trunk::default() };
    let numbers = Trunk { checks_numbers: true, ..Trunk::default() };
    let login = Trunk { demands_auth: true, auth_username: String::new(), ..Trunk::default() };
    for (trunk, number, status, code) in [
        (balance, "", 403, Some("402")),
        (numbers.clone(), "+15559999", 403, Some("403")),
        (numbers, "+15550100", 200, None),
        (login, "", 412, None),
    ] {
        let livekit = fast(Config { trunks: vec![trunk], ..Config::default() }).await;
        let more = json!({"sip_number": number, "wait_until_answered": true});
        let (http, answer) = Api::of(&livekit).try_dial(more).await;
        assert_eq!((http, answer["meta"]["sip_status_code"].as_str()), (status, code), "{answer}");
    }
}

#[tokio::test]
async fn a_transfer_takes_the_callee_out_of_the_room_unless_it_fails() {
    let to = |to: &str| json!({"room_name": ROOM, "participant_identity": "callee", "transfer_to": to});
    let declined = Transfer::Rejected(SipStatus::new(603, "Decline"));
    for (transfer, status) in [(Transfer::Completed, 200), (declined, 403), (Transfer::RingingTimeout, 408)] {
        let (livekit, api) = scripted(Scenario::answered(LONG).transferring(transfer)).await;
        let id = api.dial(json!({"wait_until_answered": true})).await;
        let bad = api.call("SIP/TransferSIPParticipant", to("+15550199")).await;
        assert_eq!((bad.0, &bad.1["code"]), (400, &"invalid_argument".into()));
        let (http, answer) = api.call("SIP/TransferSIPParticipant", to("tel:+15550199")).await;
        assert_eq!(http, status, "{answer}");
        if status == 200 {
            assert_eq!(answer["status"], "STS_TRANSFER_SUCCESSFUL");
            within(livekit.until(|totals| totals.finished == 1)).await;
            let reason = livekit.call(&id).expect("known").disconnect_reason;
            assert_eq!(reason, Some(DisconnectReason::ClientInitiated));
        } else {
            assert!(answer["meta"]["sip_transfer_reason"].is_string(), "{answer}");
            assert!(api.callee().await.is_some());
        }
    }
}

#[tokio::test]
async fn a_transfer_whose_answer_is_lost_was_carried_out_all_the_same() {
    let (livekit, api) = scripted(Scenario::answered(LONG).transferring(Transfer::Lost)).await;
    let id = api.dial(json!({"wait_until_answered": true})).await;
    let to = json!({"room_name": ROOM, "participant_identity": "callee", "transfer_to": "tel:+15550199"});
    assert!(within(api.post("SIP/TransferSIPParticipant", &to).send()).await.is_err());
    within(livekit.until(|totals| totals.finished == 1)).await;
    assert_eq!(livekit.call(&id).expect("known").transfers, 1);
}

#[tokio::test]
async fn trunks_are_listed_by_page_by_number_and_by_id() {
    let trunk = |id: &str, number: &str| Trunk {
        sip_trunk_id: id.into(),
        numbers: vec![number.into()],
        ..Trunk::default()
    };
    let trunks = vec![trunk("ST_1", "+15550101"), trunk("ST_2", "+15550102"), trunk("ST_3", "+15550103")];
    let livekit = fast(Config { trunks, ..Config::default() }).await;
    let api = Api::of(&livekit);
    for (request, ids) in [
        (json!({}), &["ST_1", "ST_2", "ST_3"][..]),
        (json!({"numbers": ["+15550102"]}), &["ST_2"]),
        (json!({"page": {"afterId": "ST_1", "limit": 1}}), &["ST_2"]),
        (json!({"trunk_ids": ["ST_3", "ST_9", "ST_1"]}), &["ST_3", "", "ST_1"]),
    ] {
        let answer = api.ok("SIP/ListSIPOutboundTrunk", request).await;
        let items = answer["items"].as_array().expect("a list");
        let listed: Vec<_> = items.iter().map(|item| item["sip_trunk_id"].as_str().expect("text")).collect();
        assert_eq!(listed, ids);
    }
}
