//! The suite itself. Each function is one test of one carrier.

use std::time::{Duration, Instant};

use bytes::Bytes;
use outdial_emulators::carrier::{Forgery, Quirk, Reply, ReplyBody};
use outdial_jobs::providers::{Carrier, HangUp, Permit, Registered, Webhook, WebhookError};
use outdial_workflows::call::{CallResult, CallStatus, DialReply, Found, Refusal, RefusalKind};

use outdial_workflows::transfer::TransferTold;

use super::played::{Ends, Goes, Played};
use super::world::{Came, PATIENCE, World, key, name, result};

/// Whom calls are transferred to.
pub(crate) const COLLEAGUE: &str = "+14155550177";

/// One test a law.
macro_rules! each {
    ($played:ty) => {
        crate::suite::each!($played:
            every_outcome_arrives_by_webhook_and_by_reading,
            the_same_order_makes_the_same_bytes,
            a_dial_whose_answer_was_lost_is_found_and_was_dialled_once,
            a_dial_that_never_arrived_is_not_found_and_not_taken_for_absent_too_soon,
            another_attempts_call_is_not_taken_for_ours,
            sending_again_makes_no_second_call_where_it_is_allowed,
            what_came_back_says_whose_trouble_it_is,
            whatever_is_no_certain_answer_is_unknown,
            a_permit_that_ran_out_sends_nothing,
            wrong_credentials_rest_the_account_and_the_test_says_why,
            webhooks_come_twice_and_say_the_same,
            webhooks_that_are_not_the_carriers_are_refused,
            a_webhook_of_an_unknown_type_is_told_apart,
            what_is_no_webhook_is_refused_and_nothing_breaks,
            a_call_is_ended_as_far_as_the_carrier_can,
            a_call_is_transferred_only_where_the_carrier_has_a_way,
            nothing_that_is_said_shows_a_secret_or_a_number,
        );
    };
    ($played:ty: $($law:ident,)+) => {$(
        #[tokio::test]
        async fn $law() {
            crate::suite::$law::<$played>().await;
        }
    )+};
}
pub(crate) use each;

pub(crate) async fn every_outcome_arrives_by_webhook_and_by_reading<P: Played>() {
    for (goes, ends) in [
        (Goes::Answered, CallResult::Answered),
        (Goes::NoAnswer, CallResult::NoAnswer),
        (Goes::Busy, CallResult::Busy),
        (Goes::Failed, CallResult::Failed),
    ] {
        let world = World::<P>::new(goes, vec![]).await;
        let call = world.bound(key(1)).await;
        assert_eq!(call, world.the_call());
        let facts = world.told(key(1)).await;
        let last = facts.last().expect("an end");
        assert!(facts.iter().all(|fact| fact.call_id.as_ref() == Some(&call)), "{facts:?}");
        assert_eq!(result(last), Some(ends), "{facts:?}");
        let connected = facts.iter().any(|fact| fact.status == CallStatus::Connected);
        assert_eq!(connected, P::TELLS_ANSWERS && ends == CallResult::Answered, "{facts:?}");
        let read = world.over(key(1), &call).await.map(|fact| (result(&fact), fact.call_id));
        assert_eq!(read, P::KEEPS_CALLS.then_some((Some(ends), Some(call))));
        let totals = world.emulator.totals();
        assert_eq!((totals.requests, totals.accepted, totals.invalid), (1, 1, 0), "{}", name::<P>());
    }
}

pub(crate) async fn the_same_order_makes_the_same_bytes<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    assert_eq!(world.compose(key(1)), world.compose(key(1)));
    assert_ne!(world.compose(key(1)), world.compose(key(2)));
}

pub(crate) async fn a_dial_whose_answer_was_lost_is_found_and_was_dialled_once<P: Played>() {
    let page = Reply { accepted: true, ..Reply::server_error(502, true).with_body(ReplyBody::Html) };
    for quirk in [Quirk::AcceptThenDrop, Quirk::Hang { accepted: true, times: 1 }, Quirk::Reply(page)] {
        let world = World::<P>::new(Goes::Answered, vec![quirk.clone()]).await;
        let reply = world.dial(key(1)).await;
        assert!(matches!(reply, DialReply::Unknown { .. }), "{quirk:?}: {reply:?}");
        let asked_at = Instant::now();
        let fact = loop {
            // Lists may lag behind, and say that they do.
            match world.find(key(1)).await {
                Found::Call(fact) => break fact,
                lacking => assert!(asked_at.elapsed() < PATIENCE, "{quirk:?}: {lacking:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(fact.call_id, Some(world.the_call()));
        assert_eq!(world.emulator.dials().accepted(&key(1).to_string()), 1);
        assert_eq!(world.emulator.totals().requests, 1);
    }
}

pub(crate) async fn a_dial_that_never_arrived_is_not_found_and_not_taken_for_absent_too_soon<P: Played>() {
    let world = World::<P>::new(Goes::Answered, vec![Quirk::DropBeforeAccepting { times: 1 }]).await;
    let reply = world.dial(key(1)).await;
    assert!(matches!(reply, DialReply::Unknown { .. }), "{reply:?}");
    let found = world.find(key(1)).await;
    let Found::NotSeen { conclusive_after_ms } = found else { panic!("{found:?}") };
    assert!(conclusive_after_ms >= i64::from(world.rules.ring_timeout_s) * 1_000, "{conclusive_after_ms}");
    assert_eq!(world.emulator.totals().accepted, 0);
}

pub(crate) async fn another_attempts_call_is_not_taken_for_ours<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    world.bound(key(1)).await;
    world.told(key(1)).await;
    world.emulator.script(P::PHONE, [P::scenario(Goes::Busy, vec![Quirk::DropBeforeAccepting { times: 1 }])]);
    assert!(matches!(world.dial(key(2)).await, DialReply::Unknown { .. }));
    let found = world.find(key(2)).await;
    assert!(matches!(found, Found::NotSeen { .. }), "{found:?}");
}

pub(crate) async fn sending_again_makes_no_second_call_where_it_is_allowed<P: Played>() {
    let world = World::<P>::new(Goes::Answered, vec![Quirk::AcceptThenDrop]).await;
    if world.adapter.resend_within(&world.rules.agent).is_none() {
        return;
    }
    let body = world.compose(key(1));
    let lost = world.adapter.place(Permit::from_commit(Instant::now()), &body).await;
    assert!(matches!(lost, DialReply::Unknown { .. }), "{lost:?}");
    let again = world.adapter.place(Permit::from_commit(Instant::now()), &body).await;
    match again {
        DialReply::Bound { call_id } => assert_eq!(call_id, world.the_call()),
        // It took the copy for a copy, and does not say of what.
        DialReply::Unknown { .. } => {}
        other @ DialReply::Refused(_) => panic!("{other:?}"),
    }
    assert_eq!(world.emulator.dials().accepted(&key(1).to_string()), 1);
}

pub(crate) async fn what_came_back_says_whose_trouble_it_is<P: Played>() {
    for (reply, kind) in P::refusals() {
        let world = World::<P>::new(Goes::Answered, vec![Quirk::Reply(reply.clone())]).await;
        let refused = world.dial(key(1)).await;
        let DialReply::Refused(Refusal { kind: seen, cause }) = refused else {
            panic!("{reply:?}: {refused:?}")
        };
        assert_eq!(seen, kind, "{reply:?}: {cause}");
        assert_eq!(world.emulator.totals().accepted, 0);
    }
}

pub(crate) async fn whatever_is_no_certain_answer_is_unknown<P: Played>() {
    let odd = |status, body| Reply { status, ..Reply::server_error(status, false).with_body(body) };
    for quirk in [
        Quirk::Reply(odd(503, ReplyBody::Documented)),
        Quirk::Reply(odd(500, ReplyBody::Html)),
        Quirk::Reply(odd(502, ReplyBody::Empty)),
        Quirk::Reply(odd(200, ReplyBody::Html)),
        Quirk::Reply(odd(200, ReplyBody::Empty)),
        Quirk::Hang { accepted: false, times: 1 },
        Quirk::DropBeforeAccepting { times: 1 },
    ] {
        let world = World::<P>::new(Goes::Answered, vec![quirk.clone()]).await;
        let reply = world.dial(key(1)).await;
        assert!(matches!(reply, DialReply::Unknown { .. }), "{quirk:?}: {reply:?}");
    }
}

pub(crate) async fn a_permit_that_ran_out_sends_nothing<P: Played>() {
    let world = World::<P>::new(Goes::Answered, vec![]).await;
    let old = Instant::now().checked_sub(Permit::VALID_FOR).expect("the machine is up longer");
    let reply = world.adapter.place(Permit::from_commit(old), &world.compose(key(1))).await;
    let DialReply::Refused(Refusal { kind, .. }) = reply else { panic!("{reply:?}") };
    assert_eq!(kind, RefusalKind::TooLate);
    assert_eq!(world.emulator.totals().requests, 0);
}

pub(crate) async fn wrong_credentials_rest_the_account_and_the_test_says_why<P: Played>() {
    let world = World::<P>::new(Goes::Answered, vec![]).await;
    let check = world.adapter.check().await;
    assert!(check.ok, "{}", check.message);
    let wrong = World::<P>::adapter(&world.emulator, false);
    let check = wrong.check().await;
    assert!(!check.ok && check.message.len() > 20, "{}", check.message);
    let refused = wrong.place(Permit::from_commit(Instant::now()), &world.compose(key(1))).await;
    assert!(
        matches!(refused, DialReply::Refused(Refusal { kind: RefusalKind::AccountUnusable, .. })),
        "{refused:?}"
    );
    assert_eq!(world.emulator.totals().accepted, 0);
}

pub(crate) async fn webhooks_come_twice_and_say_the_same<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![Quirk::DuplicateCallbacks { extra: 1 }]).await;
    world.bound(key(1)).await;
    let first = world.webhook().await;
    let second = world.webhook().await;
    assert_eq!(world.read(&first).await, world.read(&second).await);
}

pub(crate) async fn webhooks_that_are_not_the_carriers_are_refused<P: Played>() {
    let Some(within) = P::SIGNED_WITHIN else { return };
    for forgery in [Forgery::WrongKey, Forgery::Missing, Forgery::Stale] {
        let world = World::<P>::new(Goes::Busy, vec![Quirk::Forged(forgery)]).await;
        world.bound(key(1)).await;
        let read = world.read(&world.webhook().await).await;
        assert!(matches!(read, Err(WebhookError::Unauthentic(_))), "{forgery:?}: {read:?}");
    }
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    world.bound(key(1)).await;
    let came = world.webhook().await;
    assert!(world.read(&came).await.is_ok());
    let mut longer = came.body.to_vec();
    longer.push(b' ');
    let touched = Came { body: Bytes::from(longer), ..came.clone() };
    let read = world.read(&touched).await;
    assert!(matches!(read, Err(WebhookError::Unauthentic(_))), "one byte more: {read:?}");
    let later =
        outdial_workflows::Moment::from(std::time::SystemTime::now() + within + Duration::from_secs(61));
    let read = world.read_at(&came, later).await;
    assert!(matches!(read, Err(WebhookError::Unauthentic(_))), "replayed later: {read:?}");
}

pub(crate) async fn a_webhook_of_an_unknown_type_is_told_apart<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    let Some((headers, body)) = P::strange_webhook(&world.emulator) else { return };
    let named = headers.iter().map(|(name, value)| {
        let name = axum::http::HeaderName::try_from(name.as_str()).expect("a header's name");
        (name, value.parse().expect("a header's value"))
    });
    let came = Came { headers: named.collect(), body: Bytes::from(body), addressed: Some(key(1)) };
    let read = world.read(&came).await;
    assert!(matches!(read, Ok(Webhook::Stranger { .. })), "{read:?}");
}

pub(crate) async fn what_is_no_webhook_is_refused_and_nothing_breaks<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    let giant = vec![b'{'; 9 * 1024 * 1024];
    for body in [&b""[..], b"{}", b"[]", b"null", b"\xff\xfe", b"{\"event\":", &giant] {
        let (headers, body_sent) = (axum::http::HeaderMap::new(), Bytes::copy_from_slice(body));
        let came = Came { headers, body: body_sent, addressed: Some(key(1)) };
        let read = world.read(&came).await;
        assert!(read.is_err(), "{:?}: {read:?}", String::from_utf8_lossy(&body[..body.len().min(20)]));
    }
}

pub(crate) async fn a_call_is_ended_as_far_as_the_carrier_can<P: Played>() {
    let world = World::<P>::new(Goes::Answered, vec![]).await;
    // Real time, so that the call is still under way when it is ended.
    let call = world.bound(key(1)).await;
    let ended = world.hang_up(key(1), &call).await;
    match P::ENDS {
        Ends::None => assert!(matches!(ended, HangUp::Impossible { .. }), "{ended:?}"),
        Ends::Any => assert!(matches!(ended, HangUp::Asked | HangUp::Over), "{ended:?}"),
        Ends::Answered => {
            // While it rings the carrier may turn that down, and is asked again.
            let mut ended = ended;
            while matches!(ended, HangUp::Failed { .. }) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ended = world.hang_up(key(1), &call).await;
            }
            assert!(matches!(ended, HangUp::Asked | HangUp::Impossible { .. }), "{ended:?}");
        }
    }
    world.over(key(1), &call).await;
    if P::ENDS != Ends::None {
        let again = world.hang_up(key(1), &call).await;
        assert!(matches!(again, HangUp::Over | HangUp::Asked), "{again:?}");
    }
}

pub(crate) async fn a_call_is_transferred_only_where_the_carrier_has_a_way<P: Played>() {
    let world = World::<P>::new(Goes::Busy, vec![]).await;
    let call = world.bound(key(1)).await;
    world.told(key(1)).await;
    // A call that is over is not transferred, whatever the carrier can.
    let told = world.transfer(key(1), &call, COLLEAGUE).await;
    let TransferTold::Refused { cause } = told else { panic!("{told:?}") };
    let why = world.adapter.cannot_transfer(&world.rules.agent);
    match why {
        Some(why) => assert_eq!(cause, why),
        None => assert!(cause.contains("HTTP 4"), "{cause}"),
    }
    assert_eq!(why.is_none(), P::TRANSFERS, "{}", name::<P>());
    assert_eq!(world.emulator.totals().accepted, 1);
}

pub(crate) async fn nothing_that_is_said_shows_a_secret_or_a_number<P: Played>() {
    let telling = format!("no such number {} for wrong-token", P::PHONE);
    let reply = Reply::refusal(400, "10016", &telling, 1);
    let world = World::<P>::new(Goes::Answered, vec![Quirk::Reply(reply)]).await;
    let said = format!("{:?}", world.dial(key(1)).await);
    assert!(!said.contains(&P::PHONE[3..]), "{said}");
    let plain = P::Adapter::plain(&P::credentials(&world.emulator.config(), false));
    let wrong = World::<P>::adapter(&world.emulator, false);
    let said = format!("{:?}", wrong.check().await.message);
    let secrets = plain.as_object().into_iter().flatten().filter(|(name, _)| {
        ["key", "token", "secret"].iter().any(|word| name.contains(word)) && *name != "public_key"
    });
    for (name, secret) in secrets {
        let secret = secret.as_str().unwrap_or_default();
        assert!(secret.len() < 6 || !said.contains(secret), "{name} shows in {said}");
    }
}
