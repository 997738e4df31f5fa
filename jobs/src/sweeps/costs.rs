//! Asks carriers what calls cost, where they say so only when asked.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use outdial_workflows::Moment;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::input::Input;

use super::Sweep;
use crate::engine::Engine;
use crate::providers::SharedCarrier;
use crate::reads;
use crate::store::attempts::Unpriced;
use crate::store::{self, StoreError};

/// How many requests a sweep makes for an account; what is left is for the next.
const REQUESTS: u32 = 20;
/// A call of which the carrier has not said what it cost by so many times the time after which it is first
/// asked is not asked about any more: limits go on taking it for what their calls are taken to cost.
const GIVEN_UP_AFTER: i32 = 6;
/// Longer than the longest call that rules allow (four hours) with all that goes before its end.
const LONGEST_CALL: TimeDelta = TimeDelta::days(1);
/// Status reads come first: at most one in so many of the account's reads is about costs.
const SHARE: u32 = 2;

pub(super) struct Costs;

#[async_trait]
impl Sweep for Costs {
    fn name(&self) -> &'static str {
        "costs"
    }

    fn cron(&self) -> &'static str {
        "30 * * * * *"
    }

    async fn run(&self, engine: &Engine, _: Moment) -> Result<u64, StoreError> {
        let accounts = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            store::accounts::enabled(&mut conn).await
        })
        .await?;
        let mut priced = 0;
        for (client, account) in accounts {
            let carrier = store::in_time(async {
                let mut conn = engine.pool().acquire().await.map_err(StoreError::from)?;
                Ok::<_, StoreError>(engine.carriers().get(&mut conn, client, account, 0).await.ok())
            });
            // One that cannot be opened is alerted of elsewhere.
            let Some(carrier) = carrier.await? else { continue };
            priced += of_account(engine, client, account, &carrier).await?;
        }
        Ok(priced)
    }
}

async fn of_account(
    engine: &Engine,
    client: ClientId,
    account: AccountId,
    carrier: &SharedCarrier,
) -> Result<u64, StoreError> {
    let Some(after) = carrier.priced_after() else { return Ok(0) };
    let mut priced = 0;
    for _ in 0..REQUESTS {
        let now = engine.now().await?;
        let ended_after = now - after * GIVEN_UP_AFTER;
        let wanted =
            Unpriced { ended_by: now - after, ended_after, answered_after: ended_after - LONGEST_CALL };
        let calls = store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            let at_once = i64::try_from(carrier.prices_at_once()).unwrap_or(i64::MAX);
            store::attempts::unpriced(&mut conn, client, account, &wanted, at_once).await
        });
        let calls = calls.await?;
        let Some(last) = calls.last() else {
            // Those that were asked about and have no price yet are asked about again in the next sweep.
            store::in_time(async {
                let mut conn = engine.pool().acquire().await?;
                store::attempts::price_anew(&mut conn, client, account, &wanted).await
            })
            .await?;
            break;
        };
        let (most, window) = carrier.reads();
        let held = reads::hold(engine, client, account, 1, (most / SHARE, window));
        let Ok((_, held)) = store::in_time(held).await? else { break };
        let at = (last.replied_at, last.lead);
        let names: Vec<_> = calls.iter().map(|call| call.call_id.clone()).collect();
        let told = carrier.prices(&names).await;
        store::in_time(reads::settle(engine, client, account, held, 1)).await?;
        let prices: HashMap<_, _> = match told {
            Ok(prices) => prices.into_iter().collect(),
            Err(cause) => {
                tracing::warn!(account.id = %account, cause, "what calls cost could not be read");
                break;
            }
        };
        for call in calls {
            let Some(cost) = prices.get(&call.call_id) else { continue };
            let input = Input::Priced { attempt: call.number, cost: *cost };
            match engine.input_unless_resting(client, call.lead, input).await {
                Some(Ok(_)) => priced += 1,
                Some(Err(error)) => {
                    tracing::warn!(lead.id = %call.lead, %error, "what a call cost could not be recorded");
                }
                None => return Ok(priced),
            }
        }
        store::in_time(async {
            let mut conn = engine.pool().acquire().await?;
            store::attempts::priced_up_to(&mut conn, client, account, at).await
        })
        .await?;
    }
    Ok(priced)
}
