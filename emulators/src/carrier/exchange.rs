//! One dial request from its arrival to its answer, or to none.

use std::{future, sync::Arc, time::Duration};

use axum::response::Response;

use super::{Hub, Paced as _, Phone, Protocol, Quirk, Reply, World};
use crate::socket::{Wire, cut};

/// A valid dial request, as the exchange needs to know it.
pub(crate) trait Order<P: Protocol>: Clone + Send + Sync + 'static {
    /// Whom it rings.
    fn phone(&self) -> Phone;

    /// The answer to a request that the carrier takes for one it has seen.
    fn replay(&self, world: &mut World<P>, config: &P::Config) -> Option<Response> {
        let _ = (world, config);
        None
    }

    /// Places the call, unless the account's own rules forbid it: then the refusal.
    fn place(&self, world: &mut World<P>, config: &P::Config) -> Result<P::Call, Box<Response>>;

    /// The usual answer.
    fn accepted(&self, hub: &Arc<Hub<P>>, call: &P::Call) -> impl Future<Output = Response> + Send;

    /// The unusual one that a scenario asks for.
    fn reply(&self, config: &P::Config, reply: &Reply) -> Response;
}

/// What becomes of a request.
enum Ruling<P: Protocol> {
    /// A call is placed; `fault` says if the client is not simply told so.
    Placed { call: P::Call, scenario: P::Scenario, fault: Option<Quirk> },
    /// No call, because of this quirk.
    Fault(Quirk),
    /// No new call, by the carrier's rules.
    Answered(Response),
}

/// Carries out `order`, which came in on `wire`.
pub(crate) async fn dial<P: Protocol, O: Order<P>>(hub: Arc<Hub<P>>, wire: Wire, order: O) -> Response {
    Exchange { config: hub.config(), hub, wire, order }.run().await
}

struct Exchange<P: Protocol, O> {
    hub: Arc<Hub<P>>,
    config: Arc<P::Config>,
    wire: Wire,
    order: O,
}

impl<P: Protocol, O: Order<P>> Exchange<P, O> {
    async fn run(self) -> Response {
        match self.rule() {
            Ruling::Fault(Quirk::SlowResponse { by, .. }) => {
                // A task of its own, since the carrier goes on when the client has gone.
                let tasks = self.hub.tasks.clone();
                let stopping = self.hub.stopping.clone();
                let wire = self.wire.clone();
                let slowly = stopping.run_until_cancelled_owned(self.run_after(by));
                let response = tasks.spawn(slowly).await.ok().flatten();
                response.unwrap_or_else(|| cut(&wire))
            }
            ruling => self.carry_out(ruling).await,
        }
    }

    async fn run_after(self, by: Duration) -> Response {
        let mut wait = by;
        loop {
            tokio::time::sleep(self.config.pace().wall(wait)).await;
            match self.rule() {
                Ruling::Fault(Quirk::SlowResponse { by, .. }) => wait = by,
                ruling => return self.carry_out(ruling).await,
            }
        }
    }

    /// Decides on the request, and places its call unless something forbids it.
    fn rule(&self) -> Ruling<P> {
        let phone = self.order.phone();
        self.hub.change(|world| {
            if let Some(answer) = self.order.replay(world, &self.config) {
                return Ruling::Answered(answer);
            }
            if let Some(fault) = world.fault(phone, &self.config) {
                return Ruling::Fault(fault);
            }
            let scenario = world.scenario(phone, &self.config);
            let fault = world.fault_of_placed(phone, &self.config);
            match self.order.place(world, &self.config) {
                Ok(call) => Ruling::Placed { call, scenario, fault },
                Err(answer) => Ruling::Answered(*answer),
            }
        })
    }

    async fn carry_out(&self, ruling: Ruling<P>) -> Response {
        match ruling {
            Ruling::Answered(answer) => answer,
            Ruling::Fault(fault) => self.suffer(&fault, None).await,
            Ruling::Placed { call, scenario, fault } => {
                self.hub.set_off(call.clone(), scenario);
                match fault {
                    Some(fault) => self.suffer(&fault, Some(&call)).await,
                    None => self.order.accepted(&self.hub, &call).await,
                }
            }
        }
    }

    /// Answers, or does not, as `fault` has it; `call` is the one placed, if any.
    async fn suffer(&self, fault: &Quirk, call: Option<&P::Call>) -> Response {
        match fault {
            Quirk::AcceptThenDrop | Quirk::DropBeforeAccepting { .. } => {
                self.hub.count(|totals| totals.dropped += 1);
                cut(&self.wire)
            }
            Quirk::Hang { .. } => {
                self.hub.count(|totals| totals.hung += 1);
                future::pending().await
            }
            Quirk::Reply(reply) => {
                self.hub.count(|totals| totals.answered_by_quirk += 1);
                self.order.reply(&self.config, reply)
            }
            Quirk::SlowResponse { by, .. } => {
                tokio::time::sleep(self.config.pace().wall(*by)).await;
                match call {
                    Some(call) => self.order.accepted(&self.hub, call).await,
                    None => cut(&self.wire),
                }
            }
            Quirk::DuplicateCallbacks { .. }
            | Quirk::ReorderedCallbacks
            | Quirk::LateCallbacks { .. }
            | Quirk::NoCallbacks
            | Quirk::Forged(_)
            | Quirk::StreamBreaks { .. } => unreachable!("{fault:?} is no fault of a request"),
        }
    }
}
