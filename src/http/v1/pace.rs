//! So many requests a minute with one key, and what is left of them.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::super::access::Pace;
use super::Caller;

/// Turns away what is one too many, and tells everybody how many are left.
pub(super) async fn keep(
    State(pace): State<Option<Pace>>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    let Some(pace) = pace else { return next.run(request).await };
    let (left, mut response) = match pace.count(caller.key_id()) {
        Ok(left) => (left, next.run(request).await),
        Err(left) => {
            let mut response = left.problem().into_response();
            response.headers_mut().insert(header::RETRY_AFTER, left.reset_s().into());
            (left, response)
        }
    };
    left.tell(response.headers_mut());
    response
}
