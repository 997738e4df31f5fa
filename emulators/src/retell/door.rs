//! Who may come in, and how often: checked before anything else is looked at.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::{
    Hub,
    config::{AccountFault, Config, Keys},
    reply::Refusal,
};

/// What the request is for; each has its own tallies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A call.
    Create,
    /// Anything else.
    Other,
}

/// Lets the request in, or says why not.
pub(super) fn enter(
    hub: &Hub,
    config: &Config,
    headers: &HeaderMap,
    purpose: Purpose,
) -> Result<(), Refusal> {
    if !bears_key(headers, &config.keys) || config.account_fault == Some(AccountFault::KeyRevoked) {
        hub.count(|totals| totals.unauthorized += 1);
        return Err(Refusal::unauthorized());
    }
    match config.account_fault {
        Some(AccountFault::PaymentNeeded) if purpose == Purpose::Create => {
            return Err(Refusal::payment_needed());
        }
        Some(AccountFault::Forbidden) => return Err(Refusal::new(403, "Access forbidden.")),
        Some(AccountFault::Broken) => {
            return Err(Refusal::new(500, "An unexpected server error occurred."));
        }
        Some(AccountFault::KeyRevoked | AccountFault::PaymentNeeded | AccountFault::Throttled) | None => {}
    }
    let drawn = match config.account_fault {
        Some(AccountFault::Throttled) => Err(1),
        _ => hub.change(|world| world.more.draw_request(config)),
    };
    hub.count(|totals| match (purpose, drawn.is_err()) {
        (Purpose::Create, true) => totals.throttled += 1,
        (Purpose::Create, false) => {}
        (Purpose::Other, true) => totals.reads_throttled += 1,
        (Purpose::Other, false) => totals.reads += 1,
    });
    drawn.map_err(|wait| throttled(config, wait))
}

/// A 429 that says how long to wait if the config has it so.
pub(super) fn throttled(config: &Config, wait_s: u64) -> Refusal {
    Refusal::throttled(config.limits.retry_after.then_some(wait_s))
}

fn bears_key(headers: &HeaderMap, keys: &Keys) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, key)| {
        scheme.eq_ignore_ascii_case("bearer") && [&keys.rest, &keys.webhook].iter().any(|known| *known == key)
    })
}
