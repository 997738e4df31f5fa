//! Orders for many leads: `outdial leads pause` and the like, and `outdial operation`.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::bail;
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::operations::bulk::{Filter, Operation};
use outdial_jobs::store::bulk::BulkState;
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::input::Command;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::{Priority, State};

use super::backend::Backend;
use super::exit::usage;
use super::output::{Output, table};

/// Which leads, and how.
#[derive(Args, Debug)]
pub(super) struct Many {
    /// Those of this campaign, by name or id.
    #[arg(long, required_unless_present = "client")]
    campaign: Option<String>,
    /// Those of all campaigns of this client, by name or id.
    #[arg(long, conflicts_with = "campaign")]
    client: Option<String>,
    /// In one of these states: waiting, held, dialling, calling, settling, finished.
    #[arg(long = "state", value_delimiter = ',', value_parser = state)]
    states: Vec<State>,
    /// With one of these outcomes, as no_answer,busy.
    #[arg(long = "outcome", value_delimiter = ',', value_parser = outcome)]
    outcomes: Vec<Outcome>,
    /// Of one of these priorities: urgent, high, normal, low.
    #[arg(long = "priority", value_delimiter = ',')]
    priorities: Vec<Priority>,
    /// For one of these reasons, by name, as unknown_zone.
    #[arg(long = "why", value_delimiter = ',')]
    why: Vec<String>,
    /// Those that came with this file: an import's id.
    #[arg(long, value_name = "ID")]
    import: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
    /// Only say how many leads it would reach.
    #[arg(long)]
    preview: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Wait until it is done. Needs a running `outdial serve`.
    #[arg(long)]
    wait: bool,
}

fn state(text: &str) -> Result<State, String> {
    let named = State::ALL.into_iter().find(|state| state.name() == text.trim());
    named.ok_or_else(|| {
        let all = State::ALL.map(State::name).join(", ");
        format!("`{text}` is not a state; one of: {all}")
    })
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let named = Outcome::ALL.into_iter().find(|outcome| outcome.name() == text.trim());
    named.ok_or_else(|| {
        let all = Outcome::ALL.map(Outcome::name).join(", ");
        format!("`{text}` is not an outcome; one of: {all}")
    })
}

/// A moment as people give it: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
pub(super) fn moment(given: &str, now: Moment) -> anyhow::Result<Moment> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(given) {
        return Ok(at.to_utc());
    }
    let span = humantime::parse_duration(given).ok().and_then(|span| TimeDelta::from_std(span).ok());
    let at = span.and_then(|span| now.checked_add_signed(span));
    at.ok_or_else(|| {
        let text = "is not a time; give one as 2026-01-14T10:00:00+05:30, or a span as 2h or 3days";
        usage(format!("`{given}` {text}"))
    })
}

impl Many {
    async fn filter(&self, to: &Backend<'_>) -> anyhow::Result<(ClientId, Filter)> {
        let (client, campaign) = match (&self.campaign, &self.client) {
            (Some(given), _) => {
                let (client, campaign) = to.find_campaign(given).await?;
                (client, Some(campaign))
            }
            (None, Some(given)) => (to.find_client(given).await?, None),
            (None, None) => {
                return Err(usage(
                    "say which leads are meant: --campaign, or --client for all of a client's",
                ));
            }
        };
        let import = match &self.import {
            Some(given) => Some(to.import(given).await?.id),
            None => None,
        };
        let filter = Filter {
            campaign,
            states: self.states.clone(),
            outcomes: self.outcomes.clone(),
            priorities: self.priorities.clone(),
            why: self.why.clone(),
            import,
            leads: vec![],
        };
        Ok((client, filter))
    }

    pub(super) async fn order(
        &self,
        to: &Backend<'_>,
        command: Command,
        output: &Output,
    ) -> anyhow::Result<()> {
        let (client, filter) = self.filter(to).await?;
        let preview = to.preview_order(client, &filter, command.clone()).await?;
        let count =
            if preview.exact { preview.leads.to_string() } else { format!("more than {}", preview.leads) };
        if self.preview {
            output.say(format!("{command}: {count} leads fit"), &preview);
            return Ok(());
        }
        if !self.yes && !output.json && !confirmed(&format!("{command} {count} leads?"))? {
            bail!("nothing was changed");
        }
        let reason = self.reason.as_deref();
        let mut operation = to.order_many(client, &filter, command, reason).await?;
        if self.wait {
            operation = followed(to, &operation.id.to_string(), Some(preview.leads), output).await?;
        }
        output.say(told(&operation), &operation);
        Ok(())
    }
}

#[derive(Subcommand, Debug)]
pub(super) enum OperationCommand {
    /// The latest.
    List,
    /// How one stands.
    Show {
        /// Its id.
        id: String,
        /// Wait until it is done.
        #[arg(long)]
        wait: bool,
    },
    /// Stop one. What it has changed stays changed.
    Cancel {
        /// Its id.
        id: String,
    },
}

pub(super) async fn run(to: &Backend<'_>, command: OperationCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        OperationCommand::List => {
            let operations = to.operations(50).await?;
            let head = ["id", "order", "state", "looked at", "changed", "deferred", "declined", "by"];
            let rows = operations.iter().map(|operation| {
                let tally = &operation.tally;
                let counts = [tally.looked_at, tally.changed, tally.deferred, tally.declined];
                let mut row = vec![
                    operation.id.to_string(),
                    operation.order.clone(),
                    operation.state.name().to_owned(),
                ];
                row.extend(counts.map(|count| count.to_string()));
                row.push(operation.actor.clone());
                row
            });
            output.say(table(&head, rows), &operations);
        }
        OperationCommand::Show { id, wait } => {
            let operation = match wait {
                true => followed(to, &id, None, output).await?,
                false => to.operation(&id).await?,
            };
            output.say(told(&operation), &operation);
        }
        OperationCommand::Cancel { id } => {
            let operation = to.cancel_operation(&id).await?;
            output.say(told(&operation), &operation);
        }
    }
    Ok(())
}

/// Looks at an operation until it has ended, showing how far it is.
async fn followed(
    to: &Backend<'_>,
    id: &str,
    expected: Option<u64>,
    output: &Output,
) -> anyhow::Result<Operation> {
    const LOOK: Duration = Duration::from_millis(300);
    let bar = if output.json { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let template = match expected {
        Some(leads) => {
            bar.set_length(leads);
            "{bar:30} {pos}/{len} leads ({per_sec})"
        }
        None => "{spinner} {pos} leads ({per_sec})",
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let operation = to.operation(id).await?;
        let tally = &operation.tally;
        bar.set_position(u64::try_from(tally.changed + tally.deferred + tally.declined).unwrap_or_default());
        if operation.state != BulkState::Running {
            bar.finish_and_clear();
            return Ok(operation);
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) fn told(operation: &Operation) -> String {
    let tally = &operation.tally;
    let declined = match &tally.declined_for {
        Some(why) => format!("{} declined (the last: {why})", tally.declined),
        None => format!("{} declined", tally.declined),
    };
    let next = match operation.state {
        BulkState::Running => format!("; `outdial operation show {}` says how far it is", operation.id),
        BulkState::Done | BulkState::Cancelled => String::new(),
    };
    format!(
        "{}: {}; {} leads changed, {} once their call has resolved, {declined}{next}",
        operation.order,
        operation.state.name(),
        tally.changed,
        tally.deferred,
    )
}

/// Asks a person; a program must have said --yes.
pub(super) fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(format!("{question} Say --yes if that is meant")));
    }
    #[expect(clippy::print_stderr, reason = "a question to a person")]
    {
        eprint!("{question} Type yes: ");
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_as_a_moment_or_as_a_span_from_now() {
        let now = "2026-01-14T06:30:00Z".parse().expect("a time");
        let at = |given| moment(given, now).map(|at| at.to_rfc3339()).map_err(|error| error.to_string());
        assert_eq!(at("2h"), Ok("2026-01-14T08:30:00+00:00".into()));
        assert_eq!(at("2026-01-15T10:00:00+05:30"), Ok("2026-01-15T04:30:00+00:00".into()));
        assert!(at("tomorrow").is_err_and(|problem| problem.contains("2h or 3days")));
    }
}
