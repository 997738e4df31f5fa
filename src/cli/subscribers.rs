//! `outdial subscriber`: who is told of events.

use clap::{Args, Subcommand};
use outdial_jobs::operations::subscribers::{self, Change, Delivery, DeliveryState, Spec, Subscriber, Which};
use outdial_jobs::operations::{By, campaigns, setup};
use outdial_workflows::outward;
use serde_json::{Value, json};
use uuid::Uuid;

use super::orders::moment;
use super::output::{Output, table};
use crate::app::App;

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
    async fn spec(self, app: &App) -> anyhow::Result<Spec> {
        let mut chosen = vec![];
        for campaign in &self.campaigns {
            chosen.push(campaigns::find(&app.engine, campaign).await?.1);
        }
        let Self { url, description, types, .. } = self;
        Ok(Spec { url, description, types, campaigns: chosen })
    }
}

pub(super) async fn run(
    app: &App,
    command: SubscriberCommand,
    actor: &str,
    output: &Output,
) -> anyhow::Result<()> {
    use secrecy::ExposeSecret;
    let engine = &app.engine;
    let by = By { actor, reason: None };
    match command {
        SubscriberCommand::Add { client, what } => {
            let client = setup::find_client(engine, &client).await?;
            let (made, secret) = subscribers::create(engine, client, &what.spec(app).await?, by).await?;
            told_secret(&made, secret.expose_secret(), output);
        }
        SubscriberCommand::List { client } => {
            let client = setup::find_client(engine, &client).await?;
            let found = subscribers::list(engine, client).await?;
            let head = ["id", "url", "types", "state", "failures", "description"];
            let rows = found.iter().map(row);
            output.say(table(&head, rows), &found.iter().map(value).collect::<Vec<_>>());
        }
        SubscriberCommand::Types => {
            let rows = outward::TYPES.iter().map(|(kind, meaning)| vec![(*kind).into(), (*meaning).into()]);
            let all: Vec<Value> = outward::TYPES
                .iter()
                .map(|(kind, meaning)| json!({ "type": kind, "meaning": meaning }))
                .collect();
            output.say(table(&["type", "meaning"], rows), &all);
        }
        SubscriberCommand::Edit { id, what } => {
            let edit = Change::Edit(what.spec(app).await?);
            changed(&subscribers::change(engine, id, &edit, by).await?, output);
        }
        SubscriberCommand::Disable(target) => {
            changed(
                &subscribers::change(engine, target.id, &Change::Disable, target.by(actor)).await?,
                output,
            );
        }
        SubscriberCommand::Enable(target) => {
            changed(
                &subscribers::change(engine, target.id, &Change::Enable, target.by(actor)).await?,
                output,
            );
        }
        SubscriberCommand::Rotate(target) => {
            let (changed, secret) = subscribers::rotate(engine, target.id, target.by(actor)).await?;
            told_secret(&changed, secret.expose_secret(), output);
        }
        SubscriberCommand::Ping(target) => {
            subscribers::ping(engine, target.id, target.by(actor)).await?;
            let text = "a ping will be sent; `outdial subscriber deliveries` tells what came of it";
            output.say(text, &json!({ "subscriber": target.id, "pinged": true }));
        }
        SubscriberCommand::Delete(target) => {
            subscribers::delete(engine, target.id, target.by(actor)).await?;
            output.say("deleted", &json!({ "subscriber": target.id, "deleted": true }));
        }
        SubscriberCommand::Deliveries { id, state, limit } => {
            subscribers::find(engine, id).await?;
            let found = subscribers::deliveries(engine, id, state, None, limit.into()).await?;
            let head = ["id", "event", "type", "state", "tries", "status", "error", "next at"];
            output.say(
                table(&head, found.iter().map(delivery_row)),
                &found.iter().map(delivery).collect::<Vec<_>>(),
            );
        }
        SubscriberCommand::Redeliver { id, delivery, since, delivered_too } => {
            let which = match (delivery, since) {
                (Some(delivery), _) => Which::One(delivery),
                (None, since) => {
                    let since = moment(&since.unwrap_or_default(), engine.now().await?)?;
                    if delivered_too { Which::AllSince(since) } else { Which::FailedSince(since) }
                }
            };
            let count = subscribers::redeliver(engine, id, which, by).await?;
            output.say(format!("{count} will be sent anew"), &json!({ "deliveries": count }));
        }
    }
    Ok(())
}

impl Target {
    fn by<'a>(&'a self, actor: &'a str) -> By<'a> {
        By { actor, reason: self.reason.as_deref() }
    }
}

fn standing(subscriber: &Subscriber) -> String {
    match (&subscriber.disabled_for, subscriber.health.resting_until) {
        (Some(why), _) => format!("disabled: {why}"),
        (None, Some(until)) => format!("resting until {}", until.format("%Y-%m-%d %H:%M:%S UTC")),
        (None, None) => "enabled".to_owned(),
    }
}

fn row(subscriber: &Subscriber) -> Vec<String> {
    let types = if subscriber.types.is_empty() { "all".to_owned() } else { subscriber.types.join(", ") };
    let failures = subscriber.health.failures.to_string();
    let (id, description) = (subscriber.id.to_string(), subscriber.description.clone());
    vec![id, subscriber.url.clone(), types, standing(subscriber), failures, description]
}

fn value(subscriber: &Subscriber) -> Value {
    json!({
        "id": subscriber.id,
        "client": subscriber.client,
        "url": subscriber.url,
        "description": subscriber.description,
        "types": subscriber.types,
        "campaigns": subscriber.campaigns,
        "enabled": subscriber.disabled_for.is_none(),
        "disabled_for": subscriber.disabled_for,
        "failures": subscriber.health.failures,
        "failing_since": subscriber.health.failing_since,
        "resting_until": subscriber.health.resting_until,
    })
}

fn changed(subscriber: &Subscriber, output: &Output) {
    output.say(format!("{}: {}", subscriber.url, standing(subscriber)), &value(subscriber));
}

fn told_secret(subscriber: &Subscriber, secret: &str, output: &Output) {
    let text = format!(
        "{secret}\nis what events to {} are signed with ({}). Keep it: it cannot be printed again.",
        subscriber.url, subscriber.id
    );
    let mut told = value(subscriber);
    told["secret"] = json!(secret);
    output.say(text, &told);
}

fn delivery_row(delivery: &Delivery) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    vec![
        delivery.id.to_string(),
        delivery.new.event.clone(),
        delivery.new.kind.clone(),
        delivery.state.name().to_owned(),
        delivery.tries.to_string(),
        text(delivery.last_status.map(|status| status.to_string())),
        text(delivery.last_error.clone()),
        text(delivery.next_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())),
    ]
}

fn delivery(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "event": delivery.new.event,
        "type": delivery.new.kind,
        "at": delivery.new.at,
        "lead": delivery.new.lead.map(|(lead, _)| lead),
        "state": delivery.state,
        "tries": delivery.tries,
        "next_at": delivery.next_at,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    })
}
