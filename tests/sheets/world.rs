//! The emulated Google, and a reader that knows its addresses.

use std::time::Duration;

use outdial_emulators::sheets::{Config, Scenario, Sheets};
use outdial_jobs::sheets::{Fetched, Limits, Settings, SheetError, SheetLink, SheetReader};

pub(super) struct World {
    pub(super) sheets: Sheets,
    pub(super) reader: SheetReader,
}

impl World {
    /// Redirects may lead to the content host, as with Google.
    pub(super) async fn new() -> Self {
        let sheets = start().await;
        let hosts = [host(sheets.content_url())];
        Self::with(sheets, hosts)
    }

    /// Redirects may lead to the sign-in page as well.
    pub(super) async fn following_to_sign_in() -> Self {
        let sheets = start().await;
        let hosts = [host(sheets.content_url()), host(sheets.accounts_url())];
        Self::with(sheets, hosts)
    }

    fn with(sheets: Sheets, hosts: impl IntoIterator<Item = String>) -> Self {
        let base_url = sheets.docs_url().parse().expect("an address");
        let settings = Settings { base_url, redirect_hosts: hosts.into_iter().collect() };
        let reader = SheetReader::new(&settings).expect("good settings");
        Self { sheets, reader }
    }

    /// Reads the first tab of a scenario's sheet within the usual limits.
    pub(super) async fn fetch(&self, scenario: Scenario) -> Result<Fetched, SheetError> {
        self.fetch_within(scenario, &Limits::default()).await
    }

    pub(super) async fn fetch_within(
        &self,
        scenario: Scenario,
        limits: &Limits,
    ) -> Result<Fetched, SheetError> {
        self.read(&link(&format!("{}/edit#gid=0", scenario.id())), limits).await
    }

    pub(super) async fn read(&self, link: &SheetLink, limits: &Limits) -> Result<Fetched, SheetError> {
        self.reader.fetch(link, limits).await
    }
}

async fn start() -> Sheets {
    let config = Config { pause: Duration::from_millis(300), ..Config::default() };
    Sheets::start(config).await.expect("free ports")
}

fn host(url: &str) -> String {
    url.strip_prefix("http://").expect("plain http").to_owned()
}

/// What somebody pastes, from the id on.
pub(super) fn link(rest: &str) -> SheetLink {
    SheetLink::parse(&format!("https://docs.google.com/spreadsheets/d/{rest}")).expect("a link")
}
