//! Google Sheets, as far as reading a shared sheet as CSV goes: the export and publishing addresses,
//! the redirect to another host, and every way to be refused.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use outdial_emulators::sheets::{Config, Scenario, Sheets};
//!
//! let sheets = Sheets::start(Config::default()).await?;
//! println!("{}/spreadsheets/d/{}/export?format=csv", sheets.docs_url(), Scenario::Ok.id());
//! # Ok(())
//! # }
//! ```
//!
//! Google's four hosts are four ports of 127.0.0.1. There is no contract for these addresses: what
//! is emulated is a capture and what many clients report, and where reports differ, each has a
//! [`Scenario`].

mod content;
mod dialect;
mod docs;
mod document;
mod gviz;
mod hub;
mod pages;
mod range;
mod scenario;

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use tokio::net::TcpListener;

use self::hub::{File, Hub, Origins, Sheet};
pub use self::{
    document::{Document, Tab},
    scenario::Scenario,
};

/// What the ids of published sheets begin with. Every sheet of the emulator is published as well:
/// under this prefix and its id.
pub const PUBLISHED: &str = "2PACX-";

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Port of the docs host on 127.0.0.1; 0 takes any free one, as the other hosts do.
    pub port: u16,
    /// How long [`Scenario::Slow`] waits.
    pub pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { port: 0, pause: Duration::from_secs(2) }
    }
}

/// Whom a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `docs.google.com`
    Docs,
    /// `doc-XX-YY-sheets.googleusercontent.com`
    Content,
    /// `accounts.google.com`
    Accounts,
    /// A host that is not Google's. It has CSV for whoever comes.
    Foreign,
}

/// A running emulator. Dropping it ends it.
pub struct Sheets {
    hub: Arc<Hub>,
}

impl Sheets {
    /// Binds 127.0.0.1 and begins to serve.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(config: Config) -> io::Result<Self> {
        let (docs, docs_url) = listen(config.port).await?;
        let (content, content_url) = listen(0).await?;
        let (accounts, accounts_url) = listen(0).await?;
        let (foreign, foreign_url) = listen(0).await?;
        let origins =
            Origins { docs: docs_url, content: content_url, accounts: accounts_url, foreign: foreign_url };
        let hub = Arc::new(Hub::new(config, origins));
        serve(&hub, Host::Docs, docs, docs::routes());
        serve(&hub, Host::Content, content, content::routes());
        serve(&hub, Host::Accounts, accounts, Router::new().fallback(async || pages::sign_in()));
        serve(&hub, Host::Foreign, foreign, Router::new().fallback(lure));
        Ok(Self { hub })
    }

    /// Where links lead, `http://127.0.0.1:port`.
    pub fn docs_url(&self) -> &str {
        &self.hub.origins.docs
    }

    /// Where files are.
    pub fn content_url(&self) -> &str {
        &self.hub.origins.content
    }

    /// Where people sign in.
    pub fn accounts_url(&self) -> &str {
        &self.hub.origins.accounts
    }

    /// Where nobody should go.
    pub fn foreign_url(&self) -> &str {
        &self.hub.origins.foreign
    }

    /// Shares a sheet under an id, or replaces the one that has it.
    pub fn put(&self, id: impl Into<String>, document: Document, scenario: Scenario) {
        self.hub.put(id.into(), Sheet { document, scenario });
    }

    /// Edits a sheet. Redirects already given still lead to what it was. `false` if there is none.
    pub fn edit(&self, id: &str, edit: impl FnOnce(&mut Document)) -> bool {
        self.hub.change(id, |sheet| edit(&mut sheet.document))
    }

    /// Has a sheet behave otherwise from now on. `false` if there is none.
    pub fn behave(&self, id: &str, scenario: Scenario) -> bool {
        self.hub.change(id, |sheet| sheet.scenario = scenario)
    }

    /// Deletes a sheet. `false` if there is none.
    pub fn delete(&self, id: &str) -> bool {
        self.hub.remove(id)
    }

    /// Path and query of every request so far, in the order they came.
    pub fn requests(&self, host: Host) -> Vec<String> {
        self.hub.requests(host)
    }
}

impl Drop for Sheets {
    fn drop(&mut self) {
        self.hub.stopping.cancel();
    }
}

async fn listen(port: u16) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// Serves until the emulator stops.
fn serve(hub: &Arc<Hub>, host: Host, listener: TcpListener, routes: Router<Arc<Hub>>) {
    let noted = middleware::from_fn_with_state((Arc::clone(hub), host), note);
    let router = routes.layer(noted).with_state(Arc::clone(hub));
    let served = axum::serve(listener, router).with_graceful_shutdown(hub.stopping.clone().cancelled_owned());
    tokio::spawn(served.into_future());
}

async fn note(State((hub, host)): State<(Arc<Hub>, Host)>, request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    hub.note(host, target.to_owned());
    next.run(request).await
}

/// CSV at a host that no client should follow to.
async fn lure() -> Response {
    content::whole(&File { title: "Foreign".to_owned(), csv: "phone\r\n+910000000000".into() })
}
