//! Looks after accounts: asks carriers whether they take held ones again, and how many calls at once they
//! let each have.

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};

use super::Sweep;
use crate::engine::Engine;
use crate::operations::{By, setup};
use crate::providers::SharedCarrier;
use crate::store::{self, StoreError};

/// A held account's carrier is asked this often whether it takes it again.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(5);

pub(super) struct Accounts;

#[async_trait]
impl Sweep for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn cron(&self) -> &'static str {
        "45 * * * * *"
    }

    async fn run(&self, engine: &Engine, now: Moment) -> Result<u64, StoreError> {
        let (held, enabled) = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            let held = store::accounts::held_unchecked(&mut conn, now - ASK_AGAIN, now).await?;
            Ok::<_, StoreError>((held, store::accounts::enabled(&mut conn).await?))
        })
        .await?;
        let mut changed = 0;
        for (client, account) in held {
            changed += u64::from(ask_again(engine, client, account).await);
        }
        for (client, account) in enabled {
            // One that cannot be opened is alerted of elsewhere.
            let Ok(Some(carrier)) = engine.carrier(client, account).await else { continue };
            changed += u64::from(allow(engine, client, account, &carrier).await?);
        }
        Ok(changed)
    }
}

/// Whether the carrier takes the account again, which is then released.
async fn ask_again(engine: &Engine, client: ClientId, account: AccountId) -> bool {
    let by = By { actor: "outdial", reason: None };
    match setup::check_account(engine, client, account, by).await {
        Ok(check) => check.ok,
        Err(error) => {
            tracing::warn!(account.id = %account, error = &error as &dyn std::error::Error,
                "a held account could not be tried");
            false
        }
    }
}

/// Notes what the carrier says it allows. What could not be asked stays as it was.
async fn allow(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    carrier: &SharedCarrier,
) -> Result<bool, StoreError> {
    let calls = match carrier.calls_at_once().await {
        Ok(None) => return Ok(false),
        Ok(calls) => calls,
        Err(cause) => {
            tracing::warn!(account.id = %account, cause, "a carrier did not say how many calls it allows");
            return Ok(false);
        }
    };
    store::in_time(async {
        let mut conn = engine.pool().acquire().await?;
        store::accounts::allow_calls(&mut conn, client, account, calls).await
    })
    .await
}
