//! `outdial person`.

use anyhow::bail;
use clap::{Args, Subcommand};
use outdial_jobs::operations::erasing::Certificate;
use outdial_workflows::phone::PhoneNumber;

use super::backend::Backend;
use super::orders::confirmed;
use super::output::Output;

#[derive(Subcommand, Debug)]
pub(super) enum PersonCommand {
    /// Erase a person by their number, wherever it is stored, and print a certificate. Their leads are cancelled first.
    /// Counts, histories and who ordered what stay: they name nobody. It cannot be undone.
    Erase {
        #[command(flatten)]
        person: Person,
        /// Take the number off lists that forbid calls to it, too. Without them, the next file with the number in it
        /// would have the person called.
        #[arg(long)]
        lists_too: bool,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show the certificates of a person who was erased.
    Erased {
        #[command(flatten)]
        person: Person,
    },
}

/// Whose.
#[derive(Args, Debug)]
pub(super) struct Person {
    /// The number, with + and its country code.
    phone: String,
    /// At which client, by name or id.
    #[arg(long)]
    client: String,
}

pub(super) async fn run(to: &Backend<'_>, command: PersonCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        PersonCommand::Erase { person, lists_too, reason, yes } => {
            let phone = PhoneNumber::parse(&person.phone, None)?;
            let client = to.find_client(&person.client).await?;
            let question = format!("Erase the person with the number {phone} for good?");
            if !yes && !output.json && !confirmed(&question)? {
                bail!("nothing was changed");
            }
            let certificate = to.erase((client, &phone), lists_too, reason.as_deref()).await?;
            output.say(told(&certificate), &certificate);
        }
        PersonCommand::Erased { person } => {
            let phone = PhoneNumber::parse(&person.phone, None)?;
            let client = to.find_client(&person.client).await?;
            let found = to.erasures((client, &phone)).await?;
            let text = match found.is_empty() {
                true => "nobody with this number was erased".to_owned(),
                false => found.iter().map(told).collect::<Vec<_>>().join("\n\n"),
            };
            output.say(text, &found);
        }
    }
    Ok(())
}

fn told(certificate: &Certificate) -> String {
    let Certificate { id, number_hash, actor, reason, at, erased, kept } = certificate;
    let counts = |of: &std::collections::BTreeMap<String, u64>| {
        let counts: Vec<_> = of.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
    };
    let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "erased at {} by {actor}{because}: {}\nkept: {}\ncertificate {id}, number's hash {number_hash}",
        at.format("%Y-%m-%d %H:%M:%S UTC"),
        counts(erased),
        counts(kept)
    )
}
