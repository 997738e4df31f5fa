//! Limits as flags, and `outdial number`.

use std::time::Duration;

use anyhow::Context;
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use outdial_jobs::operations::limits::Limited;
use outdial_workflows::call::CallerId;
use outdial_workflows::ids::ClientId;
use outdial_workflows::limits::Limit;
use outdial_workflows::money::{Cost, Minor};

use super::backend::Backend;
use super::exit::usage;
use super::output::{Output, table};

/// Limits, as flags.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LimitFlags {
    /// The most calls at once.
    #[arg(long)]
    max_concurrent: Option<u32>,
    /// The most calls begun in a second.
    #[arg(long)]
    calls_per_second: Option<u32>,
    /// The most calls begun in a minute.
    #[arg(long)]
    calls_per_minute: Option<u32>,
    /// The least time from one call's beginning to the next, as 2s or 500ms: 100ms to 1h, and calls are begun
    /// one at a time.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    delay_between_calls: Option<Duration>,
    /// The most that calls may cost in a day, in the currency of the account, as 5000 or 49.50.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, requires = "cost_per_call")]
    spend_per_day: Option<Minor>,
    /// What a call is taken to cost until its carrier has said: no less than what one may cost, and the day's
    /// bound is kept.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, requires = "spend_per_day")]
    cost_per_call: Option<Minor>,
    /// By whose clock the days of --spend-per-day are counted, as Asia/Kolkata.
    #[arg(long, value_name = "ZONE", default_value_t = Tz::UTC, requires = "spend_per_day")]
    spend_zone: Tz,
}

/// An amount of money, as people write it.
fn amount(text: &str) -> Result<Minor, String> {
    let wrong = || format!("`{text}` is no amount of money; give it as 5000 or 49.50");
    let cost = Cost::parse(text).filter(|cost| cost.micros % 10_000 == 0).ok_or_else(wrong)?;
    u32::try_from(cost.micros / 10_000).map(Minor).map_err(|_| wrong())
}

impl LimitFlags {
    /// These on top of `limits`: each takes the place of those of its kind.
    pub(super) fn over(&self, mut limits: Vec<Limit>) -> anyhow::Result<Vec<Limit>> {
        if let Some(max) = self.max_concurrent {
            limits.retain(|limit| !matches!(limit, Limit::Concurrent { .. }));
            limits.push(Limit::Concurrent { max });
        }
        for (rate, window) in [(self.calls_per_second, 1_000), (self.calls_per_minute, 60_000)] {
            if let Some(max) = rate {
                limits.retain(|limit| !matches!(limit, Limit::Rate { per_ms, .. } if *per_ms == window));
                limits.push(Limit::Rate { max, per_ms: window });
            }
        }
        if let Some(delay) = self.delay_between_calls {
            let ms = u32::try_from(delay.as_millis()).context("--delay-between-calls: give at most 1h")?;
            limits.retain(|limit| !matches!(limit, Limit::Delay { .. }));
            limits.push(Limit::Delay { ms });
        }
        if let (Some(per_day), Some(per_call)) = (self.spend_per_day, self.cost_per_call) {
            limits.retain(|limit| !matches!(limit, Limit::Spend { .. }));
            limits.push(Limit::Spend { per_day, per_call, zone: self.spend_zone });
        }
        Ok(limits)
    }

    fn is_empty(&self) -> bool {
        let Self {
            max_concurrent,
            calls_per_second,
            calls_per_minute,
            delay_between_calls,
            spend_per_day,
            cost_per_call: _,
            spend_zone: _,
        } = self;
        spend_per_day.is_none()
            && max_concurrent.is_none()
            && calls_per_second.is_none()
            && calls_per_minute.is_none()
            && delay_between_calls.is_none()
    }
}

/// A change of limits, as flags.
#[derive(Args, Debug)]
pub(super) struct Change {
    #[command(flatten)]
    limits: LimitFlags,
    /// Take all other limits away.
    #[arg(long)]
    clear: bool,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

impl Change {
    pub(super) async fn run(
        &self,
        to: &Backend<'_>,
        (client, whose, name): (ClientId, Limited, &str),
        output: &Output,
    ) -> anyhow::Result<()> {
        if self.limits.is_empty() && !self.clear {
            return Err(usage("give the limits to set, or --clear to take all away"));
        }
        // What can be wrong with the flags is found before anything is asked.
        self.limits.over(vec![])?;
        let change = |before: Vec<Limit>| {
            let kept = if self.clear { vec![] } else { before };
            self.limits.over(kept).unwrap_or_default()
        };
        let changed = to.change_limits(client, &whose, change, self.reason.as_deref()).await?;
        let text = match changed.after.is_empty() {
            true => format!("`{name}` has no limits now"),
            false => format!("`{name}`: {} now", listed(&changed.after)),
        };
        output.say(text, &changed);
        Ok(())
    }
}

/// Limits in words.
pub(super) fn listed(limits: &[Limit]) -> String {
    let each: Vec<String> = limits.iter().map(ToString::to_string).collect();
    each.join(", ")
}

#[derive(Subcommand, Debug)]
pub(super) enum NumberCommand {
    /// List what is known of an account's numbers: limits of their own, failures, rests.
    List {
        /// The account, by name or id.
        account: String,
    },
    /// Bound the calls from one number, over all campaigns of its account. Calls under way go on.
    Limit {
        /// The account, by name or id.
        account: String,
        /// The number, as campaigns name it.
        number: String,
        #[command(flatten)]
        change: Change,
    },
}

pub(super) async fn number(to: &Backend<'_>, command: NumberCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        NumberCommand::List { account } => {
            let numbers = to.numbers(to.find_account(&account).await?).await?;
            let now = to.now().await?;
            let rows = numbers.iter().map(|number| {
                let limits: Result<Vec<Limit>, _> = serde_json::from_value(number.limits.clone());
                let limits = limits.map_or("cannot be read".into(), |limits| listed(&limits));
                let rests = match (number.breaker.resting_until, number.breaker.trips) {
                    (Some(until), _) if until > now => {
                        let cause = number.resting_cause.as_deref().unwrap_or_default();
                        format!("rests until {}: {cause}", until.format("%H:%M:%S UTC"))
                    }
                    (_, 0) => String::new(),
                    _ => "one call at a time, until one is taken".into(),
                };
                vec![number.number.to_string(), limits, number.breaker.failing.to_string(), rests]
            });
            output.say(table(&["number", "limits", "failed in a row", ""], rows), &numbers);
        }
        NumberCommand::Limit { account, number, change } => {
            let (client, account) = to.find_account(&account).await?;
            let whose = Limited::Number(account, CallerId(number.clone()));
            change.run(to, (client, whose, &number), output).await?;
        }
    }
    Ok(())
}
