//! Who may use the API from where, and how often.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tower_http::cors::CorsLayer;
use url::Url;
use uuid::Uuid;

use super::Problem;

/// How the API may be used.
#[derive(Clone, Debug)]
pub struct Access {
    /// How many requests a minute are taken with one key; `None`: any number.
    pub requests_per_minute: Option<NonZeroU32>,
    /// From which origins browsers may use it, besides its own.
    pub cors_origins: Vec<HeaderValue>,
}

impl Access {
    /// What is taken unless told otherwise: ten requests a second, all day long.
    pub const REQUESTS_PER_MINUTE: u32 = 600;
}

impl Default for Access {
    fn default() -> Self {
        let requests_per_minute = NonZeroU32::new(Self::REQUESTS_PER_MINUTE);
        Self { requests_per_minute, cors_origins: vec![] }
    }
}

/// Reads an origin: a scheme, a host, and a port if it is not the usual one.
///
/// # Errors
/// Says what would be right.
pub fn origin(text: &str) -> Result<HeaderValue, String> {
    let read = Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    match read.filter(|origin| origin == text).and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        Some(origin) => Ok(origin),
        None => Err(format!("`{text}` is not an origin; give it as https://app.example.com")),
    }
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What browsers are told of other origins.
pub(super) fn cors(access: &Access) -> CorsLayer {
    let reason = HeaderName::from_static("x-outdial-reason");
    let once = HeaderName::from_static("idempotency-key");
    let (request_id, replayed) =
        (HeaderName::from_static("x-request-id"), HeaderName::from_static("idempotent-replayed"));
    CorsLayer::new()
        .allow_origin(access.cors_origins.clone())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, reason, once])
        .expose_headers([header::ETAG, header::RETRY_AFTER, LIMIT, REMAINING, RESET, request_id, replayed])
        .max_age(Duration::from_secs(3_600))
}

/// Counts requests, by the keys that they came with: in this process alone. Of each key it remembers one number,
/// and there are only as many keys as somebody made.
#[derive(Clone)]
pub(super) struct Pace {
    limit: NonZeroU32,
    limiter: Arc<DefaultKeyedRateLimiter<Uuid, StateInformationMiddleware>>,
}

/// What is left of a key's requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    limit: u32,
    remaining: u32,
    /// When all of them may be made again; of a request that was one too many, when the next may.
    reset: Duration,
}

impl Pace {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_minute(limit)).with_middleware();
        Self { limit, limiter: Arc::new(limiter) }
    }

    /// Counts a request; an error, if it is one too many.
    pub(super) fn count(&self, key: Uuid) -> Result<Left, Left> {
        let limit = self.limit.get();
        match self.limiter.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = Duration::from_secs(60) * limit.saturating_sub(remaining) / limit;
                Ok(Left { limit, remaining, reset })
            }
            Err(until) => {
                let reset = until.wait_time_from(self.limiter.clock().now());
                Err(Left { limit, remaining: 0, reset })
            }
        }
    }
}

impl Left {
    /// Tells the caller.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, self.reset_s().into());
    }

    /// In whole seconds, so that whoever waits for so long has waited long enough.
    pub(super) fn reset_s(self) -> u64 {
        self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0)
    }

    pub(super) fn problem(self) -> Problem {
        let detail = format!(
            "{} requests a minute are taken with one key; the next in {} s",
            self.limit,
            self.reset_s()
        );
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        for good in ["https://app.example.com", "http://localhost:3000"] {
            assert_eq!(origin(good).expect("an origin"), good);
        }
        for bad in ["https://app.example.com/", "app.example.com", "*", "https://a.example.com/x", "null", ""]
        {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_key_has_requests_of_its_own_and_is_told_what_is_left() {
        let pace = Pace::new(NonZeroU32::new(2).expect("not zero"));
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let left = |key| pace.count(key).map(|left| left.remaining).map_err(|left| left.reset_s());
        assert_eq!((left(one), left(one)), (Ok(1), Ok(0)));
        assert!(left(one).is_err_and(|after| (1..=30).contains(&after)));
        assert_eq!(left(other), Ok(1));
    }
}
