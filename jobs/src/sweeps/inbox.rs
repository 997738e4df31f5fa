//! Takes in news that was kept while its workflow was in quarantine.

use async_trait::async_trait;
use outdial_workflows::Moment;
use outdial_workflows::input::Input;

use super::Sweep;
use crate::engine::Engine;
use crate::store::{self, StoreError};

pub(super) struct Inbox;

#[async_trait]
impl Sweep for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn cron(&self) -> &'static str {
        "30 * * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        let kept = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            store::inbox::workable(&mut conn, 1_000).await
        });
        let kept = kept.await?;
        let mut taken = 0;
        for (client, id, lead, input) in kept {
            let Ok(input) = serde_json::from_value::<Input>(input) else {
                tracing::error!(inbox.id = %id, "kept news cannot be read by this version; it stays");
                continue;
            };
            match engine.input_unless_resting(client, lead, input).await {
                Some(Ok(_)) => taken += 1,
                None => continue,
                Some(Err(error)) => {
                    tracing::warn!(inbox.id = %id, error = &error as &dyn std::error::Error, "kept news was not taken in");
                    continue;
                }
            }
            store::in_time(async {
                let mut conn = engine.pool().acquire().await?;
                store::inbox::applied(&mut conn, client, id, now).await
            })
            .await?;
        }
        Ok(taken)
    }
}
