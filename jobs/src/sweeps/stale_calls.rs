//! The last net under the timers of attempts: whatever should have moved on and has not.

use async_trait::async_trait;
use outdial_workflows::Moment;

use super::Sweep;
use crate::engine::Engine;
use crate::store::StoreError;

pub(super) struct StaleCalls;

#[async_trait]
impl Sweep for StaleCalls {
    fn name(&self) -> &'static str {
        "stale_calls"
    }

    fn cron(&self) -> &'static str {
        "0 */2 * * * *"
    }

    async fn run(&self, engine: &Engine, _: Moment) -> Result<u64, StoreError> {
        let mut fired = 0;
        // A page is a thousand; what a page leaves overdue is found by the next.
        loop {
            let page = engine.fire_due_timers().await?;
            fired += u64::try_from(page).unwrap_or_default();
            if page < 1_000 || fired > 100_000 {
                return Ok(fired);
            }
        }
    }
}
