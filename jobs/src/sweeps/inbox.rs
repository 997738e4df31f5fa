//! Takes in kept news whose time has come: its workflow was let go from quarantine, or an
//! attempt was bound to its call by a process that died before it looked.

use async_trait::async_trait;
use outdial_workflows::Moment;

use super::Sweep;
use crate::engine::Engine;
use crate::store::StoreError;

pub(super) struct Inbox;

#[async_trait]
impl Sweep for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn cron(&self) -> &'static str {
        "30 * * * * *"
    }

    async fn run(&self, engine: &Engine, _now: Moment) -> Result<u64, StoreError> {
        engine.take_kept_news().await
    }
}
