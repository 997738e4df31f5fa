//! `outdial subscriber`: who is told of events.

use clap::{Args, Subcommand};
use outdial_jobs::operations::subscribers::{Change, DeliveryState, Spec, Which};
use outdial_workflows::outward;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::backend::{Backend, Delivered, Subscribed, told_with};
use super::orders::moment;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum SubscriberCommand {
    /// Subscribe: from now on events are sent to an address, signed. The secret is printed once.
    Add {
        /// The client, by name or id.
        #[arg(long)]
        client: String,
        #[command(flatten)]
        what: What,
    },
    /// Show a client's subscribers, and how they have been answering.
    List {
        /// The client, by name or id.
        #[arg(long)]
        client: String,
    },
    /// Show the types of events.
    Types,
    /// Say anew where events are sent to, and which.
    Edit {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        what: What,
    },
    /// Send it nothing. What happens meanwhile waits for it, for a week.
    Disable(Target),
    /// Send to it again, first of all what waits for it.
    Enable(Target),
    /// Make a new secret, which is printed once. For a day, events are signed with the one before, too.
    Rotate(Target),
    /// Send it an event of the type ping.
    Ping(Target),
    /// Delete it.
    Delete(Target),
    /// Show what it was told, the latest first.
    Deliveries {
        /// Its id.
        id: Uuid,
        /// Only those that wait, or that failed.
        #[arg(long, value_parser = state)]
        state: Option<DeliveryState>,
        /// The most to show.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Send deliveries anew: one, or those that failed since a moment.
    Redeliver {
        /// The subscriber's id.
        id: Uuid,
        /// This one.
        #[arg(long, value_name = "ID", required_unless_present = "since")]
        delivery: Option<i64>,
        /// Those of events from then on, as 2026-01-14T10:00:00+05:30.
        #[arg(long, value_name = "TIME", conflicts_with = "delivery")]
        since: Option<String>,
        /// With --since: also what was delivered.
        #[arg(long, requires = "since")]
        delivered_too: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct What {
    /// Where events are sent to, by https.
    #[arg(long)]
    url: String,
    /// What it is, for people.
    #[arg(long, default_value = "")]
    description: String,
    /// Of which types, as call.ended or lead.*; without it all.
    #[arg(long = "type", value_delimiter = ',', value_name = "TYPE")]
    types: Vec<String>,
    /// Of which campaigns, by name or id; without it all.
    #[arg(long = "campaign")]
    campaigns: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Target {
    /// Its id.
    id: Uuid,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

fn state(text: &str) -> Result<DeliveryState, String> {
    match text {
        "waiting" => Ok(DeliveryState::Waiting),
        "delivered" => Ok(DeliveryState::Delivered),
        "failed" => Ok(DeliveryState::Failed),
        other => Err(format!("`{other}` is not a state; one of: waiting, delivered, failed")),
    }
}

impl What {
    async fn spec(self, to: &Backend<'_>) -> anyhow::Result<Spec> {
        let mut chosen = vec![];
        for campaign in &self.campaigns {
            chosen.push(to.find_campaign(campaign).await?.1);
        }
        let Self { url, description, types, .. } = self;
        Ok(Spec { url, description, types, campaigns: chosen })
    }
}

pub(super) async fn run(to: &Backend<'_>, command: SubscriberCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        SubscriberCommand::Add { client, what } => {
            let client = to.find_client(&client).await?;
            let (made, secret) = to.subscribe(client, &what.spec(to).await?).await?;
            told_secret(&made, &secret, output);
        }
        SubscriberCommand::List { client } => {
            let found = to.subscribers(to.find_client(&client).await?).await?;
            let head = ["id", "url", "types", "state", "failures", "description"];
            output.say(table(&head, found.iter().map(row)), &found);
        }
        SubscriberCommand::Types => {
            let rows = outward::TYPES.iter().map(|(kind, meaning)| vec![(*kind).into(), (*meaning).into()]);
            let all =
                outward::TYPES.iter().map(|(kind, meaning)| json!({ "type": kind, "meaning": meaning }));
            output.say(table(&["type", "meaning"], rows), &all.collect::<Vec<_>>());
        }
        SubscriberCommand::Edit { id, what } => {
            let edit = Change::Edit(what.spec(to).await?);
            changed(&to.change_subscriber(id, &edit, None).await?, output);
        }
        SubscriberCommand::Disable(Target { id, reason }) => {
            changed(&to.change_subscriber(id, &Change::Disable, reason.as_deref()).await?, output);
        }
        SubscriberCommand::Enable(Target { id, reason }) => {
            changed(&to.change_subscriber(id, &Change::Enable, reason.as_deref()).await?, output);
        }
        SubscriberCommand::Rotate(Target { id, reason }) => {
            let (changed, secret) = to.rotate_subscriber(id, reason.as_deref()).await?;
            told_secret(&changed, &secret, output);
        }
        SubscriberCommand::Ping(Target { id, reason }) => {
            to.ping_subscriber(id, reason.as_deref()).await?;
            let text = "a ping will be sent; `outdial subscriber deliveries` tells what came of it";
            output.say(text, &json!({ "subscriber": id, "pinged": true }));
        }
        SubscriberCommand::Delete(Target { id, reason }) => {
            to.delete_subscriber(id, reason.as_deref()).await?;
            output.say("deleted", &json!({ "subscriber": id, "deleted": true }));
        }
        SubscriberCommand::Deliveries { id, state, limit } => {
            let found = to.deliveries(id, state, limit).await?;
            let head = ["id", "event", "type", "state", "tries", "status", "error", "next at"];
            output.say(table(&head, found.iter().map(delivery_row)), &found);
        }
        SubscriberCommand::Redeliver { id, delivery, since, delivered_too } => {
            let which = match (delivery, since) {
                (Some(delivery), _) => Which::One(delivery),
                (None, since) => {
                    let since = moment(&since.unwrap_or_default(), to.now().await?)?;
                    if delivered_too { Which::AllSince(since) } else { Which::FailedSince(since) }
                }
            };
            let count = to.redeliver(id, which).await?;
            output.say(format!("{count} will be sent anew"), &json!({ "deliveries": count }));
        }
    }
    Ok(())
}

fn standing(subscriber: &Subscribed) -> String {
    match (&subscriber.disabled_for, subscriber.resting_until) {
        (Some(why), _) => format!("disabled: {why}"),
        (None, Some(until)) => format!("resting until {}", until.format("%Y-%m-%d %H:%M:%S UTC")),
        (None, None) => "enabled".to_owned(),
    }
}

fn row(subscriber: &Subscribed) -> Vec<String> {
    let types = if subscriber.types.is_empty() { "all".to_owned() } else { subscriber.types.join(", ") };
    let failures = subscriber.failures.to_string();
    let (id, description) = (subscriber.id.to_string(), subscriber.description.clone());
    vec![id, subscriber.url.clone(), types, standing(subscriber), failures, description]
}

fn changed(subscriber: &Subscribed, output: &Output) {
    output.say(format!("{}: {}", subscriber.url, standing(subscriber)), subscriber);
}

fn told_secret(subscriber: &Subscribed, secret: &SecretString, output: &Output) {
    let text = format!(
        "{}\nis what events to {} are signed with ({}). Keep it: it cannot be printed again.",
        secret.expose_secret(),
        subscriber.url,
        subscriber.id
    );
    output.say(text, &told_with(subscriber, secret));
}

fn delivery_row(delivery: &Delivered) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    vec![
        delivery.id.to_string(),
        delivery.event.clone(),
        delivery.kind.clone(),
        delivery.state.name().to_owned(),
        delivery.tries.to_string(),
        text(delivery.last_status.map(|status| status.to_string())),
        text(delivery.last_error.clone()),
        text(delivery.next_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())),
    ]
}
