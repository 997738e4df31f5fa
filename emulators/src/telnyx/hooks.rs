//! Where a call's webhooks go and when they come again, as its dial says (protocol page, §2).

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use url::Url;

use super::{
    config::Connection,
    fields::{Fields, http_url, wrong_type},
    reply::Refusal,
};

const RETRIES_MAX: usize = 5;
const RETRIES_SUM_MAX: Duration = Duration::from_secs(60);

/// Every event that a policy or an address can be given for.
pub(super) const EVENTS: [&str; 19] = [
    "call.initiated",
    "call.answered",
    "call.bridged",
    "call.hangup",
    "call.machine.detection.ended",
    "call.machine.greeting.ended",
    "call.machine.premium.detection.ended",
    "call.machine.premium.greeting.ended",
    "call.speak.started",
    "call.speak.ended",
    "call.playback.started",
    "call.playback.ended",
    "call.dtmf.received",
    "call.gather.ended",
    "call.recording.saved",
    "call.recording.error",
    "streaming.started",
    "streaming.stopped",
    "streaming.failed",
];

/// What a dial says about its webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hooks {
    url: Option<Url>,
    get: bool,
    by_event: BTreeMap<String, Vec<Url>>,
    by_event_get: bool,
    retries: BTreeMap<String, Vec<Duration>>,
}

/// Where one event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The first address, then the one to try when that does not take it.
    pub(super) to: Vec<Url>,
    /// With query parameters instead of a body.
    pub(super) get: bool,
}

impl Hooks {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            url: fields.http_url("webhook_url")?,
            get: is_get(fields, "webhook_url_method")?,
            by_event: addresses(fields)?,
            by_event_get: is_get(fields, "webhook_urls_method")?,
            retries: policies(fields)?,
        })
    }

    /// One route for each address that is to hear of `event`.
    pub(super) fn routes(&self, event: &str, connection: &Connection) -> Vec<Route> {
        if let Some(urls) = self.by_event.get(event) {
            let route = |url: &Url| Route { to: vec![url.clone()], get: self.by_event_get };
            return urls.iter().map(route).collect();
        }
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| Url::parse(text).ok());
        let first = self.url.clone().or_else(|| parse(&connection.webhook_url));
        let failover = parse(&connection.webhook_failover_url);
        let route = |url| Route { to: std::iter::once(url).chain(failover).collect(), get: self.get };
        first.map(route).into_iter().collect()
    }

    /// The waits before each retry of `event`, if the dial says.
    pub(super) fn gaps(&self, event: &str) -> Option<&[Duration]> {
        self.retries.get(event).map(Vec::as_slice)
    }
}

fn is_get(fields: Fields<'_>, name: &str) -> Result<bool, Refusal> {
    Ok(fields.one_of(name, &["POST", "GET"])? == Some("GET"))
}

fn addresses(fields: Fields<'_>) -> Result<BTreeMap<String, Vec<Url>>, Refusal> {
    let name = "webhook_urls";
    let Some(map) = fields.object(name)? else { return Ok(BTreeMap::new()) };
    let mut read = BTreeMap::new();
    for (event, urls) in map.0 {
        known(name, event)?;
        let urls = urls.as_array().ok_or_else(|| wrong_type(name, "a map of arrays"))?;
        let url = |url: &Value| http_url(name, url.as_str().unwrap_or_default());
        read.insert(event.clone(), urls.iter().map(url).collect::<Result<_, _>>()?);
    }
    Ok(read)
}

fn policies(fields: Fields<'_>) -> Result<BTreeMap<String, Vec<Duration>>, Refusal> {
    let name = "webhook_retries_policies";
    let Some(map) = fields.object(name)? else { return Ok(BTreeMap::new()) };
    let mut read = BTreeMap::new();
    for (event, policy) in map.0 {
        known(name, event)?;
        let waits = policy["retries_ms"].as_array().ok_or_else(|| wrong_type(name, "a map of policies"))?;
        let wait = |wait: &Value| wait.as_u64().map(Duration::from_millis);
        let waits: Vec<_> =
            waits.iter().map(wait).collect::<Option<_>>().ok_or_else(|| {
                wrong_type(name, "a map of policies whose retries_ms are whole milliseconds")
            })?;
        if waits.len() > RETRIES_MAX || waits.iter().sum::<Duration>() > RETRIES_SUM_MAX {
            return Err(Refusal::unprocessable(name, "At most 5 retries and 60000 ms in all."));
        }
        read.insert(event.clone(), waits);
    }
    Ok(read)
}

fn known(name: &str, event: &str) -> Result<(), Refusal> {
    if EVENTS.contains(&event) || event == "call.cost" {
        return Ok(());
    }
    let detail = format!("'{event}' is not an event type.");
    Err(Refusal::field("90057", "Invalid webhook_urls event", name, detail))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Hooks, Refusal> {
        Hooks::read(Fields(body.as_object().expect("an object")))
    }

    #[test]
    fn an_event_may_have_addresses_of_its_own_and_others_go_to_the_usual_one() {
        let hooks = read(&json!({
            "webhook_url": "http://a/", "webhook_urls": {"call.hangup": ["http://b/", "http://c/"]},
            "webhook_urls_method": "GET",
        }))
        .expect("hooks");
        let connection =
            Connection { webhook_failover_url: Some("http://f/".into()), ..Connection::default() };
        let routes = hooks.routes("call.hangup", &connection);
        assert_eq!(routes.len(), 2);
        assert!(routes.iter().all(|route| route.get && route.to.len() == 1));
        let routes = hooks.routes("call.answered", &connection);
        let to: Vec<_> = routes[0].to.iter().map(Url::as_str).collect();
        assert_eq!((to, routes[0].get), (vec!["http://a/", "http://f/"], false));
    }

    #[test]
    fn policies_have_at_most_five_retries_within_a_minute() {
        let policy =
            |waits: Value| json!({"webhook_retries_policies": {"call.hangup": {"retries_ms": waits}}});
        let hooks = read(&policy(json!([1000, 2000]))).expect("hooks");
        assert_eq!(hooks.gaps("call.hangup").map(<[_]>::len), Some(2));
        assert_eq!(hooks.gaps("call.answered"), None);
        for bad in [json!([1, 1, 1, 1, 1, 1]), json!([60_001]), json!(["1"])] {
            assert!(read(&policy(bad)).is_err());
        }
        let unknown = read(&json!({"webhook_urls": {"call.over": []}})).expect_err("no such event");
        assert_eq!(unknown.code, "90057");
    }
}
