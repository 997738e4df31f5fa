//! How often the API is used with one key, and from where.

use std::num::NonZeroU32;

use outdial::http::{Access, origin};
use outdial_jobs::operations::keys::Role;
use reqwest::{Method, StatusCode};

use super::{Answer, Caller, key};
use crate::support::world::{Setup, World};

async fn with(access: Access) -> World {
    World::with(Setup { access, ..Setup::default() }).await
}

#[tokio::test]
async fn a_key_has_so_many_requests_a_minute_and_is_told_what_is_left_of_them() {
    let world = with(Access { requests_per_minute: NonZeroU32::new(2), ..Access::default() }).await;
    let caller = key(&world, Role::Viewer, None).await;
    let number = |answer: &Answer, name| answer.header(name).map(|n| n.parse::<u32>().expect("a number"));
    for left in [1, 0] {
        let answer = caller.get("/v1/me").await;
        assert_eq!((answer.status, number(&answer, "ratelimit-remaining")), (StatusCode::OK, Some(left)));
        assert_eq!(number(&answer, "ratelimit-limit"), Some(2));
        assert!(number(&answer, "ratelimit-reset").is_some_and(|reset| (1..=60).contains(&reset)));
    }
    let many = caller.get("/v1/me").await;
    assert_eq!(
        (many.status, many.content_type.as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "application/problem+json")
    );
    assert_eq!(many.body["type"], "urn:outdial:problem:too-many-requests");
    assert_eq!(number(&many, "ratelimit-remaining"), Some(0));
    assert!(number(&many, "retry-after").is_some_and(|after| (1..=30).contains(&after)), "{many:?}");
    let another = key(&world, Role::Viewer, None).await;
    assert_eq!(another.get("/v1/me").await.status, StatusCode::OK, "it has its own");
    // Carriers and probes are not held to it, and strangers are told that they are strangers.
    let stranger = Caller { world: &world, token: None };
    for _ in 0..4 {
        assert_eq!(stranger.get("/health").await.status, StatusCode::OK);
        assert_eq!(stranger.get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    }
    world.end().await;
}

#[tokio::test]
async fn a_key_may_have_any_number_of_requests() {
    let world = with(Access { requests_per_minute: None, ..Access::default() }).await;
    let answer = key(&world, Role::Viewer, None).await.get("/v1/me").await;
    assert_eq!((answer.status, answer.header("ratelimit-limit")), (StatusCode::OK, None));
    world.end().await;
}

#[tokio::test]
async fn browsers_use_the_api_from_origins_that_are_named_and_from_no_others() {
    const OURS: &str = "https://app.example.com";
    let open =
        with(Access { cors_origins: vec![origin(OURS).expect("an origin")], ..Access::default() }).await;
    let closed = World::new().await;
    for (world, from, allowed) in
        [(&open, OURS, Some(OURS)), (&open, "https://other.example.com", None), (&closed, OURS, None)]
    {
        let caller = key(world, Role::Viewer, None).await;
        let from = || Some(("origin", from.to_owned()));
        let answer = caller.ask_with(Method::GET, "/v1/me", None, from()).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::OK, allowed));
        let exposed = answer.header("access-control-expose-headers");
        assert!(allowed.is_none() || exposed.is_some_and(|names| names.contains("ratelimit-remaining")));
        // A stranger is asked for a key, and a browser is let read that.
        let stranger = Caller { world, token: None };
        let refused = stranger.ask_with(Method::GET, "/v1/me", None, from()).await;
        let told = (refused.status, refused.header("access-control-allow-origin"));
        assert_eq!(told, (StatusCode::UNAUTHORIZED, allowed));
        // What browsers ask before bears no key.
        let before = stranger.ask_with(Method::OPTIONS, "/v1/me", None, from()).await;
        assert_eq!(before.header("access-control-allow-origin"), allowed, "{before:?}");
        let headers = before.header("access-control-allow-headers");
        assert!(allowed.is_none() || headers.is_some_and(|names| names.contains("authorization")));
    }
    open.end().await;
    closed.end().await;
}
