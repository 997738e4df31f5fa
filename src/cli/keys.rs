//! `outdial key`: who may speak to the API.

use chrono::TimeDelta;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use outdial_jobs::operations::keys::{ApiKey, KeySpec, Role};
use outdial_workflows::Moment;
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::backend::Backend;
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Make a key. It is printed once, and cannot be printed again.
    Create {
        /// Whose it is: orders are on record under this name.
        name: String,
        /// What it allows: to look; to run campaigns, too; or everything.
        #[arg(long, value_parser = role(), default_value = "operator")]
        role: Role,
        /// The one client that it is good for, by name or id. Without it: all clients.
        #[arg(long)]
        client: Option<String>,
        /// For how long it is good, as 90days. Without it: until it is revoked.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires_in: Option<std::time::Duration>,
    },
    /// List keys, the newest first.
    List {
        /// Only those of one client, by name or id.
        #[arg(long)]
        client: Option<String>,
    },
    /// Take a key back: the next request with it is refused.
    Revoke {
        /// Its id.
        id: Uuid,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Make a new key in the place of another, which goes on working for a while.
    Rotate {
        /// Its id.
        id: Uuid,
        /// For how long the old one goes on working.
        #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration)]
        overlap: std::time::Duration,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// A role, by its name.
fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).map(|name| {
        let named = Role::ALL.into_iter().find(|role| role.name() == name);
        named.expect("one of those that are possible")
    })
}

/// The most keys that are listed.
const LISTED: usize = 1_000;

pub(super) async fn run(to: &Backend<'_>, command: KeyCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { name, role, client, expires_in } => {
            let client = match client {
                Some(client) => Some(to.find_client(&client).await?),
                None => None,
            };
            let expires_at = match expires_in {
                Some(time) => Some(to.now().await? + TimeDelta::from_std(time)?),
                None => None,
            };
            let spec = KeySpec { name: &name, role, client, expires_at };
            let (key, token) = to.create_key(spec).await?;
            made(&key, token.expose_secret(), output);
        }
        KeyCommand::List { client } => {
            let client = match client {
                Some(client) => Some(to.find_client(&client).await?),
                None => None,
            };
            let keys = to.keys(client, LISTED).await?;
            let now = to.now().await?;
            let time = |at: Option<Moment>| {
                at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
            };
            let rows = keys.iter().map(|key| {
                let client = key.client.map_or("all".to_owned(), |client| client.to_string());
                let good = match key {
                    ApiKey { revoked_at: Some(at), .. } => format!("revoked {}", time(Some(*at))),
                    ApiKey { expires_at: Some(at), .. } if *at <= now => {
                        format!("expired {}", time(Some(*at)))
                    }
                    ApiKey { expires_at: Some(at), .. } => format!("until {}", time(Some(*at))),
                    _ => "until revoked".to_owned(),
                };
                let (id, hint) = (key.id.to_string(), format!("…{}", key.hint));
                vec![id, key.name.clone(), key.role.name().to_owned(), client, hint, good, time(key.used_at)]
            });
            output.say(table(&["id", "name", "role", "client", "ends in", "good", "last used"], rows), &keys);
        }
        KeyCommand::Revoke { id, reason } => {
            let key = to.revoke_key(id, reason.as_deref()).await?;
            output.say(format!("`{}` (…{}) is good for nothing now", key.name, key.hint), &key);
        }
        KeyCommand::Rotate { id, overlap, reason } => {
            let overlap = TimeDelta::from_std(overlap)?;
            let (key, token) = to.rotate_key(id, overlap, reason.as_deref()).await?;
            made(&key, token.expose_secret(), output);
        }
    }
    Ok(())
}

fn made(key: &ApiKey, token: &str, output: &Output) {
    let text = format!(
        "{token}\nis the key of `{}`, {} ({}). Keep it: it cannot be printed again.",
        key.name,
        key.role.name(),
        key.id
    );
    let mut told = json!(key);
    told["token"] = json!(token);
    output.say(text, &told);
}
