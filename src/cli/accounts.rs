//! `outdial client` and `outdial account`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use outdial_jobs::operations::limits::Limited;
use outdial_jobs::providers::Provider;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::limits::Limit;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::backend::{Backend, NewAccount};
use super::campaigns::underway;
use super::exit::usage;
use super::limits::{Change, listed};
use super::orders::moment;
use super::output::{Output, table};

/// The most accounts that are listed.
const LISTED: usize = 1_000;

#[derive(Subcommand, Debug)]
pub(super) enum ClientCommand {
    /// Make a client.
    Create {
        /// Its name, unique.
        name: String,
    },
    /// List the clients.
    List,
    /// Bound all dialling of a client together. Calls under way go on.
    Limit {
        /// Its name or id.
        client: String,
        #[command(flatten)]
        change: Change,
    },
    /// Stop dialling for all of a client's campaigns until resumed. Calls under way go on, unless told
    /// otherwise.
    Pause(Pause),
    /// Dial again.
    Resume(Resume),
}

#[derive(Args, Debug)]
pub(super) struct Pause {
    /// Its name or id.
    name: String,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
    /// Resume by itself then: as 2026-01-14T10:00:00+05:30, or as 2h for two hours from now.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// End calls under way, as far as their carriers can.
    #[arg(long)]
    hang_up: bool,
}

#[derive(Args, Debug)]
pub(super) struct Resume {
    /// Its name or id.
    name: String,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
}

impl Pause {
    async fn run(
        &self,
        to: &Backend<'_>,
        what: (ClientId, Option<AccountId>),
        output: &Output,
    ) -> anyhow::Result<()> {
        let resume_at = match &self.until {
            Some(given) => Some(moment(given, to.now().await?)?),
            None => None,
        };
        let paused = to.pause(what, self.reason.as_deref(), resume_at, self.hang_up).await?;
        let already = if paused.changed { "" } else { " already" };
        let until =
            resume_at.map(|at| format!(" until {}", at.format("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
        let underway = underway(paused.underway.len(), paused.hung_up);
        let text = format!("`{}` is paused{already}{until}{underway}", self.name);
        output.say(text, &paused);
        Ok(())
    }
}

impl Resume {
    async fn run(
        &self,
        to: &Backend<'_>,
        what: (ClientId, Option<AccountId>),
        output: &Output,
    ) -> anyhow::Result<()> {
        let changed = to.resume(what, self.reason.as_deref()).await?;
        let text = if changed { "dials again" } else { "was not paused" };
        output.say(format!("`{}` {text}", self.name), &json!({ "changed": changed }));
        Ok(())
    }
}

pub(super) async fn client(to: &Backend<'_>, command: ClientCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        ClientCommand::Pause(pause) => {
            pause.run(to, (to.find_client(&pause.name).await?, None), output).await?;
        }
        ClientCommand::Resume(resume) => {
            resume.run(to, (to.find_client(&resume.name).await?, None), output).await?;
        }
        ClientCommand::Limit { client, change } => {
            let id = to.find_client(&client).await?;
            change.run(to, (id, Limited::Client, &client), output).await?;
        }
        ClientCommand::Create { name } => {
            let id = to.create_client(&name).await?;
            output.say(format!("made client `{name}` ({id})"), &json!({ "id": id, "name": name }));
        }
        ClientCommand::List => {
            let mut clients = to.clients().await?;
            clients.sort_by(|(_, one), (_, other)| one.cmp(other));
            let value: Vec<_> = clients.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
            let rows = clients.into_iter().map(|(id, name)| vec![name, id.to_string()]);
            output.say(table(&["client", "id"], rows), &value);
        }
    }
    Ok(())
}

#[derive(Subcommand, Debug)]
pub(super) enum AccountCommand {
    /// Add an account with a carrier.
    Add(Box<Add>),
    /// List accounts, the newest first.
    List {
        /// Only those of one client, by name or id.
        #[arg(long)]
        client: Option<String>,
    },
    /// Ask the carrier whether it takes the account's credentials. Rings nobody.
    Test {
        /// Its name or id.
        account: String,
    },
    /// Change an account's limits. Calls under way go on.
    Limit {
        /// Its name or id.
        account: String,
        #[command(flatten)]
        change: Change,
    },
    /// Stop dialling from an account until resumed. Calls under way go on, unless told
    /// otherwise.
    Pause(Pause),
    /// Dial again.
    Resume(Resume),
    /// Replace an account's credentials. Calls under way go on.
    Rotate {
        /// Its name or id.
        account: String,
        #[command(flatten)]
        known_by: KnownBy,
        /// Do not ask the carrier first whether it takes them.
        #[arg(long)]
        no_test: bool,
    },
    /// Replace an account's settings.
    Settings {
        /// Its name or id.
        account: String,
        /// A JSON file with the adapter's settings, `-` for the standard input.
        file: PathBuf,
    },
    /// Dial nobody from an account any more, whatever is resumed. Calls under way go on.
    Disable {
        /// Its name or id.
        account: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a disabled account dial again.
    Enable {
        /// Its name or id.
        account: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// Its name, unique within the client.
    name: String,
    /// The client, by name or id.
    #[arg(long)]
    client: String,
    /// The carrier: exotel, retell, telnyx or livekit.
    #[arg(long, default_value = "exotel", value_name = "CARRIER")]
    provider: Provider,
    /// Where the carrier is reached. Without it: where all its customers reach it, for Exotel
    /// https://api.in.exotel.com (Mumbai); Singapore is https://api.exotel.com. Each customer of LiveKit has an
    /// address of their own (LIVEKIT_URL, livekit.url).
    #[arg(long)]
    base_url: Option<Url>,
    #[command(flatten)]
    known_by: KnownBy,
    /// The most calls at once. Without it: MAX_CONCURRENT_CALLS, else that of the configuration file, else 10.
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
    /// The most calls begun in a second.
    #[arg(long)]
    calls_per_second: Option<u32>,
    /// Leave out the carrier's usual limits: for an emulator, or another contract.
    #[arg(long)]
    no_default_limits: bool,
    /// A JSON file with the adapter's settings. Most have defaults; Telnyx needs connection_id, and account_sid
    /// where TeXML applications answer, LiveKit sip_trunk_id.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Do not ask the carrier whether it takes the credentials.
    #[arg(long)]
    no_test: bool,
}

/// What the carrier knows an account by.
#[derive(Args, Debug)]
pub(super) struct KnownBy {
    /// A JSON file with the credentials, `-` for the standard input. Exotel: account_sid, api_key, api_token;
    /// Retell: api_key, and webhook_key if another key signs its webhooks; Telnyx: api_key, public_key; LiveKit:
    /// api_key, api_secret. Without it: those of the environment and the configuration file.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Exotel's account SID. Without it: EXOTEL_ACCOUNT_SID, else that of the configuration file.
    #[arg(long, value_name = "SID")]
    account_sid: Option<String>,
    /// The API key. Without it: EXOTEL_API_KEY, RETELL_API_KEY, TELNYX_API_KEY or LIVEKIT_API_KEY, else that of
    /// the configuration file.
    #[arg(long, value_name = "KEY")]
    api_key: Option<SecretString>,
    /// Exotel's API token. Without it: EXOTEL_API_TOKEN, else that of the configuration file; better there,
    /// where other users do not see it.
    #[arg(long, value_name = "TOKEN")]
    api_token: Option<SecretString>,
}

pub(super) async fn account(
    to: &Backend<'_>,
    command: AccountCommand,
    config: &crate::config::Settings,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        AccountCommand::Pause(pause) => {
            let (client, account) = to.find_account(&pause.name).await?;
            pause.run(to, (client, Some(account)), output).await?;
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Resume(resume) => {
            let (client, account) = to.find_account(&resume.name).await?;
            resume.run(to, (client, Some(account)), output).await?;
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Limit { account, change } => {
            let (client, id) = to.find_account(&account).await?;
            change.run(to, (client, Limited::Account(id), &account), output).await?;
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Add(add) => add.run(to, config, output).await,
        AccountCommand::Rotate { account, known_by, no_test } => {
            let place = to.find_account(&account).await?;
            let provider = to.account(place).await?.provider;
            let credentials = known_by.read(provider, config)?;
            let check = to.rotate_credentials(place, &credentials, no_test).await?;
            let tested = check.as_ref().map_or("not tested".to_owned(), |check| check.message.clone());
            output.say(format!("`{account}` has other credentials: {tested}"), &json!({ "check": check }));
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Settings { account, file } => {
            let settings = Value::Object(object(&file)?);
            to.change_settings(to.find_account(&account).await?, &settings).await?;
            output.say(format!("`{account}` has other settings"), &settings);
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Disable { account, reason } => {
            let changed =
                to.enable_account(to.find_account(&account).await?, false, reason.as_deref()).await?;
            let text = if changed { "is disabled" } else { "was disabled already" };
            output.say(format!("`{account}` {text}"), &json!({ "changed": changed }));
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Enable { account, reason } => {
            let changed =
                to.enable_account(to.find_account(&account).await?, true, reason.as_deref()).await?;
            let text = if changed { "dials again" } else { "was not disabled" };
            output.say(format!("`{account}` {text}"), &json!({ "changed": changed }));
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::List { client } => {
            let client = match client {
                Some(client) => Some(to.find_client(&client).await?),
                None => None,
            };
            let accounts = to.accounts(client, LISTED).await?;
            let now = to.now().await?;
            let rows = accounts.iter().map(|account| {
                let stands = match (account.enabled, &account.paused_by, account.resting_until) {
                    (false, ..) => "disabled".to_owned(),
                    (_, Some(by), _) => format!("paused by {by}"),
                    _ if account.held_cause.is_some() => {
                        format!("held: {}", account.held_cause.as_deref().unwrap_or_default())
                    }
                    (.., Some(until)) if until > now => {
                        let cause = account.resting_cause.as_deref().unwrap_or_default();
                        format!("rests until {}: {cause}", until.format("%H:%M:%S UTC"))
                    }
                    _ => "ready".to_owned(),
                };
                let limits: Result<Vec<Limit>, _> = serde_json::from_value(account.limits.clone());
                let limits = limits.map_or("cannot be read".into(), |limits| listed(&limits));
                let (name, base_url) = (account.name.clone(), account.base_url.clone());
                vec![name, account.provider.name().into(), base_url, stands, limits, account.id.to_string()]
            });
            output.say(table(&["account", "carrier", "at", "", "limits", "id"], rows), &accounts);
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Test { account } => {
            let check = to.check_account(to.find_account(&account).await?).await?;
            output.say(&check.message, &check);
            Ok(if check.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

impl Add {
    async fn run(
        self,
        to: &Backend<'_>,
        config: &crate::config::Settings,
        output: &Output,
    ) -> anyhow::Result<ExitCode> {
        let credentials = self.known_by.read(self.provider, config)?;
        let client = to.find_client(&self.client).await?;
        let settings = match &self.settings {
            Some(path) => object(path)?,
            None => Map::new(),
        };
        let max = self.max_concurrent.unwrap_or(config.new_account.max_concurrent);
        let mut limits = vec![Limit::Concurrent { max }];
        limits.extend(self.calls_per_second.map(Limit::per_second));
        let base_url = self.base_url.as_ref().or(match self.provider {
            Provider::LiveKit => config.livekit.url.as_ref(),
            Provider::Exotel | Provider::Retell | Provider::Telnyx => None,
        });
        let new = NewAccount {
            name: &self.name,
            provider: self.provider,
            base_url,
            credentials: &credentials,
            settings: Value::Object(settings),
            limits,
            without_default_limits: self.no_default_limits,
        };
        let account = to.add_account(client, new).await?;
        let check = match self.no_test {
            true => None,
            false => Some(to.check_account((client, account)).await?),
        };
        let tested = check.as_ref().map_or("not tested".to_owned(), |check| check.message.clone());
        let webhooks = to.accounts(Some(client), LISTED).await?.into_iter().find(|one| one.id == account);
        let webhooks = webhooks.and_then(|one| one.webhook_path);
        let mut text = format!("added account `{}` ({account}): {tested}", self.name);
        if let Some(path) = &webhooks {
            let public = config.serving.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/'));
            let public = public.unwrap_or("https://<your public address>");
            let carrier = self.provider.title();
            text += &format!("\nenter at {carrier}, as the address of webhooks: {public}{path}");
        }
        let value = json!({ "id": account, "name": self.name, "check": check, "webhook_path": webhooks });
        output.say(text, &value);
        let good = check.is_none_or(|check| check.ok);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl KnownBy {
    /// Those of the file, else of the flags, else those that are configured: as the carrier's adapter names them.
    fn read(&self, provider: Provider, config: &crate::config::Settings) -> anyhow::Result<SecretString> {
        if let Some(path) = &self.credentials {
            return Ok(Value::Object(object(path)?).to_string().into());
        }
        let lacks = |section: &str, variable: &str, name: &str| {
            usage(format!(
                "give --credentials, or set {variable}, or {section}.{name} in the configuration file"
            ))
        };
        let open =
            |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let given = match provider {
            Provider::Exotel => {
                let sid = self.account_sid.clone().or_else(|| config.exotel.account_sid.clone());
                let key = open(&self.api_key).or_else(|| open(&config.exotel.api_key));
                let token = open(&self.api_token).or_else(|| open(&config.exotel.api_token));
                let lacks = |flag: &str, variable: &str, name: &str| {
                    usage(format!(
                        "give --{flag}, or set {variable}, or exotel.{name} in the configuration file"
                    ))
                };
                json!({
                    "account_sid": sid.ok_or_else(|| lacks("account-sid", "EXOTEL_ACCOUNT_SID", "account_sid"))?,
                    "api_key": key.ok_or_else(|| lacks("api-key", "EXOTEL_API_KEY", "api_key"))?,
                    "api_token": token.ok_or_else(|| lacks("api-token", "EXOTEL_API_TOKEN", "api_token"))?,
                })
            }
            Provider::Retell => {
                let key = open(&self.api_key).or_else(|| open(&config.retell.api_key));
                let key = key.ok_or_else(|| lacks("retell", "RETELL_API_KEY", "api_key"))?;
                match open(&config.retell.webhook_key) {
                    Some(webhook_key) => json!({ "api_key": key, "webhook_key": webhook_key }),
                    None => json!({ "api_key": key }),
                }
            }
            Provider::Telnyx => {
                let key = open(&self.api_key).or_else(|| open(&config.telnyx.api_key));
                let public = config.telnyx.public_key.clone();
                json!({
                    "api_key": key.ok_or_else(|| lacks("telnyx", "TELNYX_API_KEY", "api_key"))?,
                    "public_key": public.ok_or_else(|| lacks("telnyx", "TELNYX_PUBLIC_KEY", "public_key"))?,
                })
            }
            Provider::LiveKit => {
                let key = open(&self.api_key).or_else(|| open(&config.livekit.api_key));
                let secret = open(&config.livekit.api_secret);
                json!({
                    "api_key": key.ok_or_else(|| lacks("livekit", "LIVEKIT_API_KEY", "api_key"))?,
                    "api_secret": secret.ok_or_else(|| lacks("livekit", "LIVEKIT_API_SECRET", "api_secret"))?,
                })
            }
        };
        Ok(given.to_string().into())
    }
}

/// The JSON object in a file; `-` is the standard input.
fn object(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("cannot read the standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    serde_json::from_str(&text).with_context(|| format!("{} holds no JSON object", path.display()))
}
