//! A running emulator, as its owner holds it.

use std::sync::Arc;

use super::{
    Call as _, ConfigError, Dials, Hub, Protocol, Settings as _, StartError, Totals, control,
    server::webhook_client,
};
use crate::server::{self, Server};

/// What a test's author sees of a call.
type Report<P> = <<P as Protocol>::Call as super::Call>::Report;

/// A running emulator. Dropping it ends it too, without waiting.
pub struct Emulator<P: Protocol> {
    hub: Arc<Hub<P>>,
    server: Option<Server>,
}

impl<P: Protocol> Emulator<P> {
    /// Binds 127.0.0.1 and begins to serve.
    ///
    /// # Errors
    /// If the settings make no sense or the port is taken.
    pub async fn start(config: P::Config) -> Result<Self, StartError> {
        config.check()?;
        let port = config.port();
        let bound = server::bind(port).await;
        let (listener, origin) = bound.map_err(|source| StartError::Bind { port, source })?;
        let hub = Arc::new(Hub::new(config, webhook_client()?, origin));
        let routes = P::routes().merge(control::routes()).with_state(hub.clone());
        let server = Some(server::serve(listener, routes, &hub.stopping));
        Ok(Self { hub, server })
    }

    /// Runs an emulator until `stop` completes. `started` is told its base URL.
    ///
    /// # Errors
    /// If it cannot start.
    pub async fn serve(
        config: P::Config,
        started: impl FnOnce(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        let emulator = Self::start(config).await?;
        started(emulator.base_url());
        stop.await;
        emulator.stop().await;
        Ok(())
    }

    /// `http://127.0.0.1:port`, for the carrier's API and the control API alike.
    pub fn base_url(&self) -> &str {
        &self.hub.origin
    }

    /// What the next dials of `number` lead to, in order; the last repeats. An empty script goes
    /// back to the fallback.
    ///
    /// # Panics
    ///
    /// If `number` is not a phone number.
    pub fn script(&self, number: &str, scenarios: impl IntoIterator<Item = P::Scenario>) {
        let phone = P::phone(number).expect("a script needs a phone number");
        let scenarios = scenarios.into_iter().collect();
        self.hub.change(|world| world.script(phone, scenarios));
    }

    /// The settings now in force.
    pub fn config(&self) -> P::Config {
        P::Config::clone(&self.hub.config())
    }

    /// Changes settings from now on; calls under way keep their pace. The port stays.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn configure(&self, config: P::Config) -> Result<(), ConfigError> {
        config.check()?;
        self.hub.configure(config);
        Ok(())
    }

    /// All evidence: dials by key, by number and in time.
    pub fn dials(&self) -> Dials {
        self.hub.read().counters.snapshot()
    }

    /// The sums alone, which is cheap.
    pub fn totals(&self) -> Totals {
        self.hub.read().counters.totals
    }

    /// Returns once `holds` does, for tests that wait on what happens rather than on time.
    pub async fn until(&self, holds: impl Fn(&Totals) -> bool) -> Totals {
        self.hub.until(holds).await
    }

    /// Returns the call that the carrier names so once `holds` does of it, which may never be; at once if
    /// there is no such call.
    pub async fn until_call(&self, id: &str, holds: impl Fn(&Report<P>) -> bool) -> Option<Report<P>> {
        self.hub
            .until_known(|world| {
                let report = world.by_id(id).map(|call| call.report());
                report.as_ref().is_none_or(&holds).then_some(report)
            })
            .await
    }

    /// Every call still remembered, in the order accepted.
    pub fn calls(&self) -> Vec<Report<P>> {
        self.hub.read().calls(&[]).into_iter().map(|call| call.report()).collect()
    }

    /// The call that the carrier names so.
    pub fn call(&self, id: &str) -> Option<Report<P>> {
        self.hub.read().by_id(id).map(|call| call.report())
    }

    /// Ends what a call waits for now: ringing goes on to the outcome, talk to the hang-up.
    /// `false` if there is no such call.
    pub fn proceed(&self, id: &str) -> bool {
        self.hub.proceed(id)
    }

    /// Forgets calls, scripts, budgets and counts. Calls under way vanish without a webhook.
    pub fn reset(&self) {
        self.hub.reset();
    }

    /// Ends every call and connection, and returns when nothing runs any more. Requests that are
    /// still being served see a reset.
    pub async fn stop(mut self) {
        self.hub.stopping.cancel();
        self.hub.tasks.close();
        self.hub.tasks.wait().await;
        if let Some(server) = self.server.take() {
            server.ended().await;
        }
    }
}

impl<P: Protocol> Drop for Emulator<P> {
    fn drop(&mut self) {
        self.hub.stopping.cancel();
    }
}
