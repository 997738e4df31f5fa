//! What the hosts share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Config, Host,
    document::{Document, Tab},
    range::Range,
    scenario::Scenario,
};
use crate::clock;

pub(super) struct Hub {
    pub(super) config: Config,
    pub(super) stopping: CancellationToken,
    pub(super) origins: Origins,
    world: Mutex<World>,
}

/// `http://127.0.0.1:port` of each host.
pub(super) struct Origins {
    pub(super) docs: String,
    pub(super) content: String,
    pub(super) accounts: String,
    pub(super) foreign: String,
}

#[derive(Default)]
struct World {
    sheets: HashMap<String, Sheet>,
    /// Where each one-time token leads.
    grants: HashMap<String, Grant>,
    /// What each address of a sheet that lags gave first.
    first: HashMap<String, File>,
    requests: Vec<(Host, String)>,
}

#[derive(Clone)]
pub(super) struct Sheet {
    pub(super) document: Document,
    pub(super) scenario: Scenario,
}

/// What a one-time token is good for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) scenario: Scenario,
    pub(super) file: File,
    /// The address on the docs host that led here.
    pub(super) from: String,
}

/// A tab as a file.
#[derive(Clone)]
pub(super) struct File {
    /// `<Document> - <Tab>`
    pub(super) title: String,
    pub(super) csv: Bytes,
}

impl File {
    pub(super) fn of(document: &Document, tab: &Tab, range: Option<Range>) -> Self {
        let title = format!("{} - {}", document.title, tab.name);
        Self { title, csv: tab.csv_of(range).into() }
    }
}

impl Hub {
    pub(super) fn new(config: Config, origins: Origins) -> Self {
        let sheet = |scenario: &Scenario| {
            (scenario.id(), Sheet { document: Document::sample(), scenario: *scenario })
        };
        let sheets = Scenario::ALL.iter().map(sheet).collect();
        let world = Mutex::new(World { sheets, ..World::default() });
        Self { config, stopping: CancellationToken::new(), origins, world }
    }

    pub(super) fn put(&self, id: String, sheet: Sheet) {
        self.world().sheets.insert(id, sheet);
    }

    /// Changes a sheet that is there; `false` if there is none.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Sheet)) -> bool {
        self.world().sheets.get_mut(id).map(change).is_some()
    }

    pub(super) fn remove(&self, id: &str) -> bool {
        self.world().sheets.remove(id).is_some()
    }

    pub(super) fn sheet(&self, id: &str) -> Option<Sheet> {
        self.world().sheets.get(id).cloned()
    }

    pub(super) fn note(&self, host: Host, target: String) {
        self.world().requests.push((host, target));
    }

    pub(super) fn requests(&self, host: Host) -> Vec<String> {
        let world = self.world();
        let of_host = world.requests.iter().filter(|(at, _)| *at == host);
        of_host.map(|(_, target)| target.clone()).collect()
    }

    /// What this address gave when it was asked for the first time.
    pub(super) fn first(&self, address: &str, file: File) -> File {
        self.world().first.entry(address.to_owned()).or_insert(file).clone()
    }

    /// An address on the content host that works once.
    pub(super) fn grant(&self, id: &str, query: &str, grant: Grant) -> String {
        let (first, second) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.world().grants.insert(first.to_string(), grant);
        let since_1970_ms = clock::now().timestamp_millis();
        let published = id.starts_with(super::PUBLISHED);
        let (kind, document) = if published { ("pub", format!("e@{id}")) } else { ("export", id.to_owned()) };
        let content = &self.origins.content;
        format!("{content}/{kind}/{first}/{second}/{since_1970_ms}/100000000000/*/{document}?{query}")
    }

    /// What the token is good for. It is good for nothing from then on.
    pub(super) fn redeem(&self, token: &str) -> Option<Grant> {
        self.world().grants.remove(token)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
