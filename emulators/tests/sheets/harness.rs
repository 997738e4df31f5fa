//! A client that follows nothing by itself.

use std::{sync::Arc, time::Duration};

use outdial_emulators::sheets::{Config, Scenario, Sheets};
use reqwest::{Response, header::LOCATION};
use tokio::time::timeout;

/// Nothing here takes this long unless it is stuck.
const STUCK: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(STUCK, what).await.expect("stuck")
}

pub(crate) struct World {
    pub(crate) sheets: Sheets,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let config = Config { pause: Duration::from_millis(50), ..Config::default() };
        let sheets = Sheets::start(config).await.expect("free ports");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .no_proxy();
        Self { sheets, http: http.build().expect("a plain client") }
    }

    /// The export address of a scenario's sheet, with these parameters besides.
    pub(crate) fn export(&self, scenario: Scenario, more: &str) -> String {
        format!("{}/spreadsheets/d/{}/export?format=csv{more}", self.sheets.docs_url(), scenario.id())
    }

    /// The query address of a scenario's sheet, asked for CSV with these parameters besides.
    pub(crate) fn query(&self, scenario: Scenario, more: &str) -> String {
        format!("{}/spreadsheets/d/{}/gviz/tq?tqx=out:csv{more}", self.sheets.docs_url(), scenario.id())
    }

    pub(crate) async fn get(&self, url: &str) -> Response {
        within(self.http.get(url).send()).await.expect("a response")
    }

    pub(crate) async fn get_zipped(&self, url: &str) -> Response {
        let request = self.http.get(url).header("accept-encoding", "gzip");
        within(request.send()).await.expect("a response")
    }

    /// Where the export address of a scenario leads.
    pub(crate) async fn led(&self, scenario: Scenario) -> String {
        location(&self.get(&self.export(scenario, "")).await)
    }

    /// What comes after following one redirect.
    pub(crate) async fn followed(&self, url: &str) -> Response {
        self.get(&location(&self.get(url).await)).await
    }

    pub(crate) async fn csv(&self, url: &str) -> String {
        let response = self.followed(url).await;
        assert_eq!(response.status(), 200);
        response.text().await.expect("text")
    }
}

pub(crate) fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().expect("ASCII").to_owned()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().expect("ASCII")
}
