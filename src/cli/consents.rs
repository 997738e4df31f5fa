//! `outdial consent`.

use anyhow::Context;
use clap::{Args, Subcommand};
use outdial_jobs::import;
use outdial_jobs::operations::consents::ConsentSpec;
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::phone::PhoneNumber;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::backend::Backend;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum ConsentCommand {
    /// Record what a person agreed to. Their leads that were held for want of it go on by themselves.
    Add {
        #[command(flatten)]
        person: Person,
        /// How much: express or written.
        #[arg(long, value_parser = consent, default_value = "express")]
        level: ConsentLevel,
        /// To which calls alone: marketing, service or collections.
        #[arg(long, value_parser = purpose)]
        purpose: Option<Purpose>,
        /// Where it can be proved, as 'form of 12 March'.
        #[arg(long)]
        source: String,
        /// When it was given, as 2026-01-14T10:00:00+05:30 or 2026-01-14. Without it consent counts from now,
        /// and only if the person never took it back.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// When it ends, written likewise.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Record that a person took consent back: once this has answered, nobody with the number is dialled until
    /// consent is given anew. Calls under way go on.
    Revoke {
        #[command(flatten)]
        person: Person,
        /// To which calls alone: marketing, service or collections.
        #[arg(long, value_parser = purpose)]
        purpose: Option<Purpose>,
    },
    /// Show what is recorded of a person's consent.
    List {
        #[command(flatten)]
        person: Person,
    },
}

/// Whose consent, to whose calls.
#[derive(Args, Debug)]
pub(super) struct Person {
    /// The number, with + and its country code.
    phone: String,
    /// Whose calls: the client, by name or id.
    #[arg(long)]
    client: String,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

impl Person {
    async fn found(&self, to: &Backend<'_>) -> anyhow::Result<(ClientId, PhoneNumber)> {
        let client = to.find_client(&self.client).await?;
        Ok((client, PhoneNumber::parse(&self.phone, None)?))
    }
}

pub(super) async fn run(to: &Backend<'_>, command: ConsentCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        ConsentCommand::Add { person, level, purpose, source, at, expires } => {
            let (client, phone) = person.found(to).await?;
            let (given_at, expires_at) =
                (time("--at", at.as_deref())?, time("--expires", expires.as_deref())?);
            let consent = ConsentSpec { level, purpose, source, given_at, expires_at };
            let added = to.add_consent((client, &phone), &consent, person.reason.as_deref()).await?;
            let text = match (added.new, added.released) {
                (0, _) => {
                    "nothing was recorded: the same is on record, or consent was taken back and no --at \
                           says when it was given anew"
                        .to_owned()
                }
                (_, 0) => "recorded".to_owned(),
                (_, leads) => format!("recorded; leads that go on by themselves now: {leads}"),
            };
            output.say(text, &added);
        }
        ConsentCommand::Revoke { person, purpose } => {
            let (client, phone) = person.found(to).await?;
            let revoked = to.revoke_consent((client, &phone), purpose, person.reason.as_deref()).await?;
            let text =
                format!("recorded: the number is not dialled; consents that this took back: {revoked}");
            output.say(text, &json!({ "taken_back": revoked }));
        }
        ConsentCommand::List { person } => {
            let (client, phone) = person.found(to).await?;
            let found = to.consents((client, &phone)).await?;
            let head = ["given", "level", "for", "until", "taken back", "source", "by"];
            let time = |at: Option<Moment>| {
                at.map_or("–".into(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
            };
            let rows = found.iter().map(|recorded| {
                let consent = &recorded.consent;
                let purpose = consent.purpose.map_or("all calls".to_owned(), |purpose| purpose.to_string());
                vec![
                    time(Some(consent.given_at)),
                    consent.level.to_string(),
                    purpose,
                    time(consent.expires_at),
                    time(consent.revoked_at),
                    consent.source.clone(),
                    recorded.actor.clone(),
                ]
            });
            output.say(table(&head, rows), &found);
        }
    }
    Ok(())
}

fn time(flag: &'static str, given: Option<&str>) -> anyhow::Result<Option<Moment>> {
    given.map(import::moment).transpose().map_err(anyhow::Error::msg).context(flag)
}

/// How much somebody agreed to.
pub(super) fn consent(text: &str) -> Result<ConsentLevel, String> {
    import::consent_level(text)?.ok_or_else(|| "without consent there is nothing to record".to_owned())
}

/// What calls are for.
pub(super) fn purpose(text: &str) -> Result<Purpose, String> {
    named(text)
}

/// A value by its name in the data.
pub(super) fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text.trim().to_lowercase())).map_err(|error| error.to_string())
}
