//! Leads, one by one.

use outdial_jobs::operations::editing::{self, Edit, Edited};
use outdial_jobs::operations::{correcting, judging, leads, transferring};
use outdial_workflows::explain::Explanation;
use outdial_workflows::ids::{ClientId, DialKey, LeadId};
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::transfer::{Briefing, TransferTo};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{Backend, by};
use crate::client::Call;

#[derive(Deserialize)]
struct Ordered {
    deferred: bool,
}

impl Backend<'_> {
    /// Where a lead stands, and why.
    pub(in crate::cli) async fn explain_lead(
        &self,
        (client, lead): (ClientId, LeadId),
    ) -> anyhow::Result<Explanation> {
        match self {
            Self::Database(app, _) => Ok(judging::explain_lead(&app.engine, client, lead).await?),
            Self::Server(server) => Ok(server.get(&format!("/v1/leads/{lead}/explanation")).await?),
        }
    }

    /// Gives a lead an order. Says whether it waits for an attempt that is under way.
    pub(in crate::cli) async fn order_lead(
        &self,
        (client, lead): (ClientId, LeadId),
        command: Command,
        reason: Option<&str>,
    ) -> anyhow::Result<bool> {
        match self {
            Self::Database(app, actor) => {
                let answer = leads::order(&app.engine, client, lead, command, actor, reason).await?;
                Ok(answer == Answer::Deferred)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/leads/{lead}/orders")).because(reason)?;
                let call = call.json(ordered(&command));
                Ok(server.read::<Ordered>(&call).await?.deferred)
            }
        }
    }

    /// Records another outcome of an attempt that is over.
    pub(in crate::cli) async fn correct_outcome(
        &self,
        attempt: DialKey,
        outcome: Outcome,
        reason: &str,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => {
                Ok(correcting::correct(&app.engine, attempt, outcome, by(actor, Some(reason))).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/attempts/{attempt}/outcome")).because(Some(reason))?;
                server.read::<IgnoredAny>(&call.json(json!({ "outcome": outcome.name() }))).await?;
                Ok(())
            }
        }
    }

    /// Edits who a lead's person is.
    pub(in crate::cli) async fn edit_person(
        &self,
        (client, lead): (ClientId, LeadId),
        edit: &Edit,
        reason: Option<&str>,
    ) -> anyhow::Result<Edited> {
        match self {
            Self::Database(app, actor) => {
                Ok(editing::edit(&app.engine, client, lead, edit, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let Edit { phone, name, zone, region, attributes } = edit;
                let mut body = json!({ "attributes": attributes });
                if let Some(phone) = phone {
                    body["phone"] = json!(phone);
                }
                for (field, given) in [("name", name), ("zone", zone), ("region", region)] {
                    if let Some(given) = given {
                        body[field] = json!(given);
                    }
                }
                let call = Call::new(Method::PATCH, format!("/v1/leads/{lead}")).because(reason)?;
                Ok(server.read(&call.json(body)).await?)
            }
        }
    }

    /// Has the call under way with a lead handed to somebody else.
    pub(in crate::cli) async fn transfer_call(
        &self,
        (client, lead): (ClientId, LeadId),
        to: &TransferTo,
        briefing: Option<Briefing>,
        reason: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Database(app, actor) => {
                let by = by(actor, reason);
                Ok(transferring::transfer(&app.engine, (client, lead), to.dialled(), briefing, by).await?)
            }
            Self::Server(server) => {
                let path = format!("/v1/clients/{client}/calls/{lead}/transfer");
                let call = Call::post(path)
                    .because(reason)?
                    .json(json!({ "to": to.dialled(), "briefing": briefing }));
                server.read::<IgnoredAny>(&call).await?;
                Ok(())
            }
        }
    }
}

/// An order, as the API takes it.
pub(super) fn ordered(command: &Command) -> Value {
    let order = command.name();
    match command {
        Command::Reschedule { at } => json!({ "order": order, "at": at }),
        Command::Prioritise { priority } => json!({ "order": order, "priority": priority.name() }),
        Command::Pause
        | Command::Resume
        | Command::Cancel
        | Command::Retry
        | Command::HangUp
        // They go to addresses of their own.
        | Command::Transfer { .. }
        | Command::Correct { .. }
        | Command::Undo => {
            json!({ "order": order })
        }
    }
}
