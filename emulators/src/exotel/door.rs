//! Who may come in, and how often: checked before anything else is looked at.

use axum::{
    http::{HeaderMap, header::AUTHORIZATION},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Hub,
    config::Config,
    reply::{Quota, Refusal},
};

/// A request that was let in, or not, and what is left of the budget.
pub(super) struct Entry {
    pub(super) refusal: Option<Refusal>,
    quota: Option<Quota>,
}

/// What the request is for; each has its own tallies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Connect,
    Read,
}

impl Entry {
    pub(super) fn new(
        hub: &Hub,
        config: &Config,
        headers: &HeaderMap,
        account: &str,
        purpose: Purpose,
    ) -> Self {
        if let Err(refusal) = check_credentials(config, headers, account) {
            hub.count(|totals| match refusal.status {
                404 => totals.unknown_account += 1,
                _ => totals.unauthorized += 1,
            });
            return Self { refusal: Some(refusal), quota: None };
        }
        let budgeted = purpose == Purpose::Connect || config.limits.reads_count;
        let quota = hub.change(|world| budgeted.then(|| world.more.draw(account, config)).flatten());
        let over = quota.is_some_and(|quota| quota.retry_after_s.is_some());
        hub.count(|totals| match (purpose, over) {
            (Purpose::Connect, true) => totals.throttled += 1,
            (Purpose::Connect, false) => {}
            (Purpose::Read, true) => totals.reads_throttled += 1,
            (Purpose::Read, false) => totals.reads += 1,
        });
        Self { refusal: over.then(Refusal::rate_limited), quota }
    }

    /// Adds the budget's headers.
    pub(super) fn stamp(&self, mut response: Response, config: &Config) -> Response {
        if let Some(quota) = &self.quota {
            quota.stamp(&mut response, config.limits.headers, config.limits.retry_after);
        }
        response
    }
}

/// Wrong credentials are 401 whatever the path; good ones of another account are 401 too, unless
/// the path's account does not exist, which is 404.
fn check_credentials(config: &Config, headers: &HeaderMap, sid: &str) -> Result<(), Refusal> {
    let (key, token) = basic(headers).ok_or_else(Refusal::unauthorized)?;
    let mut holders = config
        .accounts
        .iter()
        .filter(|account| account.api_key == key && account.api_token == token)
        .peekable();
    if holders.peek().is_none() {
        return Err(Refusal::unauthorized());
    }
    if !config.accounts.iter().any(|account| account.sid == sid) {
        return Err(Refusal::not_found(format!("Account {sid} does not exist")));
    }
    if holders.any(|account| account.sid == sid) { Ok(()) } else { Err(Refusal::unauthorized()) }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    plain.split_once(':').map(|(key, token)| (key.to_owned(), token.to_owned()))
}
