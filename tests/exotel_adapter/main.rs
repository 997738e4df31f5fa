//! The Exotel adapter against the emulated Exotel, over sockets both ways.

mod world;

use std::time::{Duration, Instant};

use outdial_emulators::exotel::{
    Config, ErrorCode, FormEncoding, Limits, Quirk, Reads, Replies, Reply, ReplyBody, Scenario,
};
use outdial_jobs::media::wire::StreamEvent;
use outdial_jobs::providers::{Carrier, Permit};
use outdial_workflows::call::{
    CallFact, CallId, CallResult, CallStatus, DialReply, Found, Refusal, RefusalKind,
};
use outdial_workflows::rules::Agent;

use world::{Heard, World, adapter, key};

fn result(fact: &CallFact) -> Option<CallResult> {
    fact.end.as_ref().map(|end| end.result)
}

/// A minute of talk: 300 ms at the speed of these tests.
fn answered() -> Scenario {
    Scenario::answered(Duration::from_secs(60))
}

#[tokio::test]
async fn every_outcome_arrives_by_callback_and_by_reading() {
    for (scenario, ends) in [
        (answered(), CallResult::Answered),
        (Scenario::no_answer(), CallResult::NoAnswer),
        (Scenario::busy(), CallResult::Busy),
        (Scenario::failed(), CallResult::Failed),
        (Scenario::canceled(), CallResult::NoAnswer),
    ] {
        let world = World::new(Config::default(), scenario).await;
        let call_id = world.bound(key(1)).await;
        let facts = world.callbacks(key(1)).await;
        let last = facts.last().expect("an end");
        assert!(facts.iter().all(|fact| fact.call_id.as_ref() == Some(&call_id)), "{facts:?}");
        assert!(facts.iter().any(|fact| fact.status == CallStatus::Ringing), "{facts:?}");
        let connected = facts.iter().any(|fact| fact.status == CallStatus::Connected);
        assert_eq!((result(last), connected), (Some(ends), ends == CallResult::Answered));
        let Found::Call(read) = world.status(key(1), &call_id).await else {
            panic!("{ends:?} cannot be read")
        };
        assert_eq!((result(&read), read.call_id), (Some(ends), Some(call_id)));
        let totals = world.emulator.totals();
        assert_eq!((totals.requests, totals.invalid, totals.unknown_parameters), (1, 0, 0));
    }
}

#[tokio::test]
async fn an_answered_call_opens_the_stream_that_was_asked_for() {
    let scenario = answered().pressing('5', Duration::from_secs(20));
    let world = World::new(Config::default(), scenario).await;
    let sid = world.bound(key(1)).await;
    let (mut events, mut pressed, mut audio) = (Vec::new(), false, 0);
    while !matches!(events.last(), Some(StreamEvent::Stop { .. })) {
        let Heard::Stream(event) = world.next().await else { continue };
        match &event {
            StreamEvent::Media { audio: bytes, .. } => audio += bytes.len(),
            StreamEvent::Dtmf { digit } => pressed |= *digit == '5',
            _ => events.push(event),
        }
    }
    let [StreamEvent::Connected, StreamEvent::Start { call_id, .. }, StreamEvent::Stop { reason }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((call_id, reason.as_str()), (&sid, "callended"));
    assert!(pressed && audio > 0, "{pressed} {audio}");
}

#[tokio::test]
async fn a_flow_is_called_by_its_address() {
    let mut world = World::new(Config::default(), answered()).await;
    world.rules.agent = Agent::Flow { flow_id: "4711".into() };
    world.rules.record = true;
    world.bound(key(1)).await;
    let facts = world.callbacks(key(1)).await;
    let end = facts.last().expect("an end");
    assert_eq!(result(end), Some(CallResult::Answered));
    assert!(end.recording_url.is_some() && end.end.as_ref().is_some_and(|end| end.talk.is_some()), "{end:?}");
    assert_eq!(world.emulator.totals().unknown_parameters, 0);
}

#[tokio::test]
async fn callbacks_are_read_in_whatever_form_exotel_sends_them() {
    for (encoding, events) in
        [FormEncoding::Multipart, FormEncoding::UrlEncoded].into_iter().flat_map(|e| [(e, true), (e, false)])
    {
        let mut config = Config::default();
        (config.callbacks.encoding, config.callbacks.events_in_bot_modes) = (encoding, events);
        let world = World::new(config, Scenario::busy()).await;
        let mut body = world.compose(key(1));
        body.text = body.text.replace("&StatusCallbackContentType=application%2Fjson", "");
        world.exotel.place(Permit::from_commit(Instant::now()), &body).await;
        let (echoed, fact, content_type) = loop {
            let next = world.callback(key(1)).await;
            if next.1.end.is_some() {
                break next;
            }
        };
        assert!(content_type.starts_with(if encoding == FormEncoding::Multipart {
            "multipart/"
        } else {
            "application/x-"
        }));
        assert_eq!(result(&fact), Some(CallResult::Busy));
        assert_eq!(echoed, events.then(|| key(1).to_string()));
    }
}

#[tokio::test]
async fn a_dial_whose_answer_was_lost_is_found_by_its_key_and_dialled_once() {
    let lost = [
        Quirk::AcceptThenDrop,
        Quirk::Hang { accepted: true, times: 1 },
        Quirk::Reply(Reply { accepted: true, ..Reply::server_error(502, true).with_body(ReplyBody::Html) }),
    ];
    for quirk in lost {
        for v3_details in [true, false] {
            let reads = Reads { v3_details, ..Reads::default() };
            let world =
                World::new(Config { reads, ..Config::default() }, answered().with(quirk.clone())).await;
            let reply = world.dial(key(1)).await;
            assert!(matches!(reply, DialReply::Unknown { .. }), "{quirk:?}: {reply:?}");
            let Found::Call(fact) = world.find(key(1)).await else { panic!("{quirk:?} was not found") };
            let [call] = world.emulator.calls().try_into().expect("one call");
            assert_eq!(fact.call_id, Some(CallId(call.sid)));
            assert_eq!(world.emulator.totals().requests, 1);
        }
    }
}

#[tokio::test]
async fn a_live_call_that_the_list_hides_is_not_taken_for_absent() {
    let reads = Reads { list_hides_live_calls: true, ..Reads::default() };
    let scenario = Scenario::no_answer().with(Quirk::AcceptThenDrop);
    let world = World::new(Config { reads, ..Config::default() }, scenario).await;
    world.dial(key(1)).await;
    assert_eq!(world.find(key(1)).await, Found::NotSeen { conclusive_after_ms: 631_000 });
    world.callbacks(key(1)).await;
    let found = world.find(key(1)).await;
    assert!(matches!(&found, Found::Call(fact) if result(fact) == Some(CallResult::NoAnswer)), "{found:?}");
}

#[tokio::test]
async fn another_attempts_call_is_not_taken_for_ours() {
    let world = World::new(Config::default(), Scenario::busy()).await;
    world.bound(key(1)).await;
    world.callbacks(key(1)).await;
    world.emulator.script(world.phone.as_str(), [answered().with(Quirk::DropBeforeAccepting { times: 1 })]);
    assert!(matches!(world.dial(key(2)).await, DialReply::Unknown { .. }));
    assert!(matches!(world.find(key(2)).await, Found::NotSeen { .. }));
    assert!(matches!(world.find(key(1)).await, Found::Call(_)));
}

#[tokio::test]
async fn a_call_whose_details_are_late_has_ended_all_the_same() {
    let reads = Reads { details_lag: Duration::from_secs(3_600), ..Reads::default() };
    let world = World::new(Config { reads, ..Config::default() }, answered().with(Quirk::NoCallbacks)).await;
    let call_id = world.bound(key(1)).await;
    loop {
        match world.status(key(1), &call_id).await {
            Found::Call(CallFact { end: None, status, .. }) => {
                assert!(status.rank() < CallStatus::Connected.rank());
            }
            Found::Call(fact) => break assert_eq!(result(&fact), Some(CallResult::Answered)),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn refusals_say_whose_trouble_they_are() {
    let ndnc = "Call to 09876543210 can not be made because of TRAI NDNC regulations";
    let throttled = RefusalKind::Throttled { retry_after_ms: Some(3_000) };
    for (reply, kind) in [
        (Reply::throttled(1, Some(3)), throttled),
        (Reply::refusal(402, "NO_BALANCE", "Top up", 1), RefusalKind::AccountUnusable),
        (Reply::refusal(403, "SUSPENDED", "Suspended", 1), RefusalKind::AccountUnusable),
        (Reply::refusal(403, "NDNC", ndnc, 1), RefusalKind::Barred),
        (Reply::refusal(400, "BAD", "From is not a valid phone number", 1), RefusalKind::InvalidNumber),
        (Reply::refusal(400, "BAD", "CallerId is not an ExoPhone", 1), RefusalKind::Misconfigured),
    ] {
        for error_code in [ErrorCode::Text, ErrorCode::Number, ErrorCode::Absent] {
            let replies = Replies { error_code, ..Replies::default() };
            let scenario = answered().with(Quirk::Reply(reply.clone()));
            let world = World::new(Config { replies, ..Config::default() }, scenario).await;
            let refused = world.dial(key(1)).await;
            let DialReply::Refused(Refusal { kind: seen, cause }) = refused else { panic!("{refused:?}") };
            assert_eq!(seen, kind);
            assert!(
                cause.contains(&format!("HTTP {}", reply.status)) && !cause.contains("9876543210"),
                "{cause}"
            );
            assert_eq!(world.emulator.totals().accepted, 0);
        }
    }
}

#[tokio::test]
async fn an_account_over_its_budget_rests_as_long_as_the_headers_say() {
    for retry_after in [true, false] {
        let limits = Limits { calls_per_minute: Some(1), retry_after, ..Limits::default() };
        let world = World::new(Config { limits, ..Config::default() }, answered()).await;
        world.bound(key(1)).await;
        let refused = world.dial(key(2)).await;
        let DialReply::Refused(Refusal { kind: RefusalKind::Throttled { retry_after_ms }, .. }) = refused
        else {
            panic!("{refused:?}")
        };
        assert!(retry_after_ms.is_some_and(|ms| ms <= 2_000), "{retry_after_ms:?}");
    }
}

#[tokio::test]
async fn a_wrong_token_rests_the_account_and_the_test_says_why() {
    let world = World::new(Config::default(), answered()).await;
    assert!(world.exotel.check().await.ok);
    let wrong = adapter(&world.emulator, "wrong");
    let check = wrong.check().await;
    assert!(!check.ok && check.message.contains("Authentication failed"), "{}", check.message);
    let refused = wrong.place(Permit::from_commit(Instant::now()), &world.compose(key(1))).await;
    assert!(matches!(refused, DialReply::Refused(Refusal { kind: RefusalKind::AccountUnusable, .. })));
    assert_eq!(world.emulator.totals().accepted, 0);
}
