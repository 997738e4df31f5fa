//! A running emulator, as its owner holds it.

use std::{io, sync::Arc};

use super::{ConfigError, Hub, Service, Settings as _, control};
use crate::server::{self, Server};

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error("the config cannot be used")]
    Config(#[from] ConfigError),
    /// The port is taken, most likely.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// A running emulator. Dropping it ends it too, without waiting.
pub struct Emulator<S: Service> {
    pub(crate) hub: Arc<Hub<S>>,
    server: Option<Server>,
}

impl<S: Service> Emulator<S> {
    /// Binds 127.0.0.1 and begins to serve.
    ///
    /// # Errors
    /// If the settings make no sense or the port is taken.
    pub async fn start(config: S::Config) -> Result<Self, StartError> {
        config.check()?;
        let port = config.port();
        let bound = server::bind(port).await;
        let (listener, origin) = bound.map_err(|source| StartError::Bind { port, source })?;
        let hub = Arc::new(Hub::new(config, origin));
        let routes = S::routes().merge(control::routes()).with_state(hub.clone());
        let server = Some(server::serve(listener, routes, &hub.stopping));
        Ok(Self { hub, server })
    }

    /// Runs an emulator until `stop` completes. `started` is told its base URL.
    ///
    /// # Errors
    /// If it cannot start.
    pub async fn serve(
        config: S::Config,
        started: impl FnOnce(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        let emulator = Self::start(config).await?;
        started(emulator.base_url());
        stop.await;
        emulator.stop().await;
        Ok(())
    }

    /// `http://127.0.0.1:port`, for the service's API and the control API alike.
    pub fn base_url(&self) -> &str {
        &self.hub.origin
    }

    /// The same for WebSockets, `ws://127.0.0.1:port`.
    pub fn socket_url(&self) -> String {
        self.hub.origin.replacen("http", "ws", 1)
    }

    /// What the next requests meet, in order, each step once. Those after the last step, and all
    /// before any script, meet what the config says.
    pub fn script(&self, steps: impl IntoIterator<Item = S::Step>) {
        self.hub.script(steps);
    }

    /// The settings now in force.
    pub fn config(&self) -> S::Config {
        S::Config::clone(&self.hub.config())
    }

    /// Changes settings from now on; what is under way keeps its own. The port stays.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn configure(&self, config: S::Config) -> Result<(), ConfigError> {
        config.check()?;
        self.hub.configure(config);
        Ok(())
    }

    /// What came of every request so far, in the order they came.
    pub fn reports(&self) -> Vec<S::Report> {
        self.hub.reports()
    }

    /// Returns once `holds` does, for tests that wait on what happens rather than on time.
    pub async fn until(&self, holds: impl Fn(&[S::Report]) -> bool) -> Vec<S::Report> {
        self.hub.until(holds).await
    }

    /// Forgets scripts and reports. What is under way goes on, unreported.
    pub fn reset(&self) {
        self.hub.reset();
    }

    /// Ends every connection, and returns when nothing runs any more.
    pub async fn stop(mut self) {
        self.hub.stopping.cancel();
        self.hub.tasks.close();
        self.hub.tasks.wait().await;
        if let Some(server) = self.server.take() {
            server.ended().await;
        }
    }
}

impl<S: Service> Drop for Emulator<S> {
    fn drop(&mut self) {
        self.hub.stopping.cancel();
    }
}
